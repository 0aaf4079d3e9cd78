/* fault_surroundings.h - worker functions for rows about terminals, classes of scheduling and locked memory: fault_surroundings.c
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FAULT_SURROUNDINGS_H
#define FAULT_SURROUNDINGS_H

#include <mapengine.h>

/** What an item of run_on_terminal does. */
enum on_terminal {
    TERMINAL_PRINT,      /**< A line to standard output, one to standard error. */
    TERMINAL_CHILD,      /**< The same by a program that it runs. */
    TERMINAL_READ,       /**< Reads from the terminal: that is refused by EIO. */
    TERMINAL_ATTRIBUTES, /**< Sets the terminal's attributes to what they are. */
    TERMINAL_SLOW,       /**< Takes 2 ms. */
    TERMINAL_DONE        /**< Prints, and takes the errno of that. */
};

/** Result: int32_t, 0 or an errno. */
int run_on_terminal(mape_task *task, void *state, const void *input, size_t size);

/** What run_class finds of its process. */
struct class_of {
    int32_t policy, nice_value, io_priority, processors;
    int64_t timer_slack;
};
int run_class(mape_task *task, void *state, const void *input, size_t size);

/** Result: as many bytes as the item, a size_t, says, each touched. */
int run_bytes(mape_task *task, void *state, const void *input, size_t size);

#endif
