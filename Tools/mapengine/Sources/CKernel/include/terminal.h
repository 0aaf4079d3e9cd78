/* A terminal that is drawn on, and a program whose output is looked at.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_TOOL_TERMINAL_H
#define MAPENGINE_TOOL_TERMINAL_H

#include <stddef.h>

/* Keys come one by one and are not shown, and Ctrl-Z does nothing, until terminal_end. Ctrl-C is a signal as ever. @return 0 or an errno. */
int terminal_begin(void);
void terminal_end(void);
/* @return 0; an errno when standard output has no size. */
int terminal_size(int *columns, int *rows);
/* Waits for a key. @return how many bytes came, at most `most`; 0: none in time; -1: there will be none. */
int terminal_keys(char *to, size_t most, int milliseconds);

/* Runs a program without input, for so many seconds at most. @return bytes of its output and errors, at most `most`; -1: it could not be run. */
long terminal_run(const char *const *words, char *to, size_t most, int seconds);

#endif
