/* fork_calls.c - which of the system calls that the engine needs are denied to this process
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 */
#include "CMapBridge.h"

#include "mapb_calls.h"

_Static_assert(MAPB_CALLS_ZYGOTE == (int)MAPB_CALL_CHILD && MAPB_CALLS_NEEDED == (int)MAPB_CALL_NEEDED &&
                   MAPB_CALLS_WANTED == (int)MAPB_CALL_WANTED,
               "the same numbers");

int mapb_calls_denied(enum mapb_calls_of which, char *text, uint64_t size) {
    return mapb_name_denied((unsigned)which, text, size);
}

int mapb_denied_text(char *text, uint64_t size) {
    static const char before[] =
        "a filter of system calls (seccomp) denies here what the engine can do without, in part: ";
    memcpy(text, before, sizeof before);
    return mapb_name_denied(MAPB_CALL_WANTED, text + sizeof before - 1, size - sizeof before + 1);
}
