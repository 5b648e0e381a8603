#include "digest.h"

#include "failure.h"

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) local_failure(ENOMEM, "SHA-256");
}

void Sha256::update(const void *data, size_t size) { EVP_DigestUpdate(context_.get(), data, size); }

std::string Sha256::finish() {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), raw, &length);
    std::string text = "sha256:";
    for (unsigned i = 0; i < length; i++) {
        text += "0123456789abcdef"[raw[i] >> 4];
        text += "0123456789abcdef"[raw[i] & 15];
    }
    return text;
}
