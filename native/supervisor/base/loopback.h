/* A new network namespace has a loopback interface, but down. */
#pragma once
#include "base/error.h"

int loopback_up(struct error *err);
