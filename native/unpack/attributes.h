// Owner, mode, times and extended attributes of what has just been made.
#pragma once
#include <optional>
#include <string>

#include "tar_reader.h"

// Of an open file or directory. A directory's default ACL is handed back: set now, it would change what is made below it.
void set_attributes(int fd, const TarEntry &entry, std::optional<std::string> *default_acl = nullptr);
void set_default_acl(int fd, const std::string &acl);
// Of one directory to another, unless they are the same already.
void copy_attributes(int from, int to, const std::string &path);
// Of what cannot be opened without side effects: links, FIFOs, devices.
void set_attributes_at(int parent, const std::string &name, const TarEntry &entry);
