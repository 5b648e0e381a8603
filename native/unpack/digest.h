// SHA-256 of a stream, by libcrypto (it uses the CPU's SHA instructions).
#pragma once
#include <cstddef>
#include <memory>
#include <openssl/evp.h>
#include <string>

class Sha256 {
public:
    Sha256();
    void update(const void *data, size_t size);
    // "sha256:<64 hex digits>"; may be called once.
    std::string finish();

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};
