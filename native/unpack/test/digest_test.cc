// Digests against the examples of FIPS 180-4, in one piece and in pieces of awkward sizes.
#include <string>
#include <utility>

#include "../digest.h"
#include "tap.h"

static std::string digest_of(const std::string &text, size_t piece) {
    Sha256 sha;
    for (size_t at = 0; at < text.size(); at += piece) sha.update(text.data() + at, std::min(piece, text.size() - at));
    return sha.finish();
}

int main() {
    const std::pair<std::string, const char *> known[] = {
        {"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {std::string(1'000'000, 'a'), "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (const auto &[text, digest] : known)
        for (size_t piece : {1u, 63u, 64u, 65u, 4096u})
            same(digest_of(text, piece), digest,
                 std::to_string(text.size()) + " bytes in pieces of " + std::to_string(piece));
    return done();
}
