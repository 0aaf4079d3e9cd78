/* input.h - a fuzz input as a source of arguments: each call takes the bytes it needs, and of an input that is used up all are 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define demand(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "fuzz: %s:%d: %s\n", __FILE__, __LINE__, #condition);                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/** What is read from now on. */
void input_begin(const uint8_t *data, size_t size);
bool input_is_left(void);

uint8_t byte(void);
/** Any number, mostly a small one or one at an edge. */
uint64_t number(void);
/** A size of memory that is there, or one that nothing could have. */
size_t honest_size(size_t most);
/** A structure's size: mostly the right one. */
size_t struct_size(size_t right);
/** To wait: never long. */
int64_t wait_ns(void);
const char *text(void);
/** A list of texts, ended with NULL. */
const char *const *list(void);

#endif
