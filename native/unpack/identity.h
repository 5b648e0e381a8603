// The user database of an image: /etc/passwd and /etc/group as a container would see them.
#pragma once
#include <string>
#include <vector>

// `lower` from the topmost layer down. "passwd LEN\n<bytes>\ngroup LEN\n<bytes>\n"; a missing file has length 0.
std::string read_identity(const std::vector<std::string> &lower);
