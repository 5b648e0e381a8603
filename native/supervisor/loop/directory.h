/* The pod's directory: when the socket in it has lost its name, nobody can ever connect again. */
#pragma once
#include <stdbool.h>

/* Calls `changed` when something of the directory is removed or moved. Without a watch (the host's limit of them) nothing is called. */
void directory_watch(const char *directory, void (*changed)(void));
bool directory_has_socket(const char *directory);
void directory_remove_sockets(const char *directory);
