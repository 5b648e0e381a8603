// Digests against the examples of FIPS 180-4 and, in pieces of all sizes, against themselves; both implementations.
#include <string>
#include <vector>

#include "../digest.h"
#include "tap.h"

static std::string digest_of(const std::string &text, size_t piece, bool portable) {
    Sha256 sha(portable);
    for (size_t at = 0; at < text.size(); at += piece) sha.update(text.data() + at, std::min(piece, text.size() - at));
    return sha.finish();
}

static void examples(bool portable) {
    const std::pair<std::string, const char *> known[] = {
        {"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {std::string(1'000'000, 'a'), "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    const char *by = portable ? "portable: " : "as this machine does it: ";
    for (const auto &[text, digest] : known)
        same(digest_of(text, 4096, portable), digest, by + std::to_string(text.size()) + " bytes");
}

int main() {
    examples(true);
    examples(false);
    std::string text;
    for (int i = 0; i < 300; i++) text += static_cast<char>(i * 7);
    bool equal = true;
    for (size_t size = 0; size <= text.size(); size++)
        for (size_t piece : {1u, 63u, 64u, 65u, 130u})
            equal =
                equal && digest_of(text.substr(0, size), piece, false) == digest_of(text.substr(0, size), 1000, true);
    ok(equal, "neither pieces nor the implementation matter");
    return done();
}
