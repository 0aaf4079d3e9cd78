/* host.c - what the host calls in this library
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker.h"

/* Whether marshal writes the value as it is. Called with the GIL, after mapengine_python_find. */
EXPORT int mapengine_python_is_plain(PyObject *value) { return is_plain(value); }

/* Finds the interpreter's functions for that. 1 when all are there. Called without the GIL. */
EXPORT int mapengine_python_find(void) { return find_python() == NULL; }

/* The format (format.h), for a test that compares it with the host's: names and numbers. */
EXPORT const struct {
    const char *name;
    uint64_t value;
} mapengine_python_format[] = {
#define X(name, value) {#name, value},
    CALL_FLAGS(X) RESULT_TAGS(X)
#undef X
#define SIZE(name, type) {#name, sizeof(struct type)},
        SIZE(HEAD, call_head) SIZE(BLOCK, block_head) SIZE(TAIL, result_tail)
#undef SIZE
            {NULL, 0},
};
