// SHA-256 of a stream, by libcrypto (it uses the CPU's SHA instructions). By its plain functions: those of EVP find their digest through
// providers and configuration files, which every one of these short-lived programs would carry and initialize.
#pragma once
#define OPENSSL_SUPPRESS_DEPRECATED
#include <cstddef>
#include <openssl/sha.h>
#include <string>

class Sha256 {
public:
    Sha256();
    void update(const void *data, size_t size);
    // "sha256:<64 hex digits>"; may be called once.
    std::string finish();

private:
    SHA256_CTX context_;
};
