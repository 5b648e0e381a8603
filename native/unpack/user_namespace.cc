#include "user_namespace.h"

#include <cstdio>

// The host's has all IDs, each as itself (user_namespaces(7)).
static bool look() {
    unsigned inside = 0, outside = 1, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (!map) return false;
    int found = fscanf(map, "%u %u %u", &inside, &outside, &count);
    fclose(map);
    return found == 3 && !(inside == 0 && outside == 0 && count == ~0u);
}

bool in_user_namespace() {
    static const bool answer = look();
    return answer;
}
