// Output of a test program in the Test Anything Protocol.
#pragma once
#include <cstdio>
#include <functional>
#include <string>

#include "../failure.h"

inline int tap_count, tap_failed;

inline bool ok(bool good, const std::string &name) {
    printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, name.c_str());
    fflush(stdout);
    tap_failed += !good;
    return good;
}

inline void same(const std::string &found, const std::string &wanted, const std::string &name) {
    if (!ok(found == wanted, name)) printf("# found:  %s\n# wanted: %s\n", found.c_str(), wanted.c_str());
}

// The message of the failure that `act` ends with, "" when it ends well.
inline std::string failure_of(const std::function<void()> &act) {
    try {
        act();
    } catch (const Failure &failure) {
        return failure.message;
    }
    return "";
}

inline void refused(const std::string &found, const std::string &part, const std::string &name) {
    if (!ok(!found.empty() && found.find(part) != found.npos, name))
        printf("# found:  %s\n# wanted: …%s…\n", found.c_str(), part.c_str());
}

inline int done() {
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}
