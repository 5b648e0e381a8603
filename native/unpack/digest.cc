#include "digest.h"

Sha256::Sha256() { SHA256_Init(&context_); }

void Sha256::update(const void *data, size_t size) { SHA256_Update(&context_, data, size); }

std::string Sha256::finish() {
    unsigned char raw[SHA256_DIGEST_LENGTH];
    SHA256_Final(raw, &context_);
    std::string text = "sha256:";
    for (unsigned char byte : raw) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}
