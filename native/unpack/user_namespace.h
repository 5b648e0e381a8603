// Whether this program runs for an ordinary user, in a user namespace of that user's: some of what root of the host may do is then refused.
#pragma once

// Looked at once, the first time: /proc has to be in sight.
bool in_user_namespace();
