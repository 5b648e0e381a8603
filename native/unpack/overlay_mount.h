// Layers as one tree.
#pragma once
#include <string>
#include <vector>

struct OverlayDirectories {
    const std::vector<std::string> &lower; // from the topmost layer down
    std::string upper, work;               // where changes go; without them there can be none
};

// At `place`, in the current mount namespace, which must be our own. Seen through this mount, no device is one. Throws Failure.
void overlay_mount(const OverlayDirectories &directories, const char *place);
