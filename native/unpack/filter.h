// The system calls that are left once the walls stand: those of reading a stream and writing files, and for each role its own.
#pragma once

enum class Role { layer, identity, remove, usage, seam, plain };

// For all threads, for good; any other call ends the process. Needs no_new_privs.
void filter_system_calls(Role role);
