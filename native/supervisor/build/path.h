/* Names inside the container. Every look-up is made by the kernel with openat2 and answered with an O_PATH descriptor; nothing is ever
 * resolved by comparing strings, and nothing that was checked is looked up a second time. */
#pragma once
#include <stdbool.h>

/* What a missing name is to become. */
enum path_make { PATH_MAKE_NOTHING, PATH_MAKE_DIRECTORY, PATH_MAKE_FILE };

/* `path` below `root`, symlinks followed as a process chrooted there would (RESOLVE_IN_ROOT), magic links refused. A missing name is
 * made component by component, never through a symlink (CVE-2024-45310). An O_PATH descriptor, or -1 with errno. */
int path_in_root(int root, const char *path, enum path_make make);

/* `path` below `root` without any symlink on the way (CVE-2019-19921); missing directories are made when `make` says so. */
int path_no_symlinks(int root, const char *path, enum path_make make);

/* The directory of `path` below `root`, made if missing, without symlinks; *name is the last component. */
int path_parent(int root, const char *path, const char **name);
