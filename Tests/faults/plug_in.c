/* plug_in.c - a plug-in in several versions: what is rebuilt while a pool has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <stdint.h>

/** Result: the item times 10, plus the version. */
int run_plug_in(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    uint64_t *output = mape_task_output(task, sizeof *output);
    if (output == NULL || size != sizeof *output) return 1;
    *output = *(const uint64_t *)input * 10 + VERSION;
    return 0;
}

uint64_t typed_plug_in(uint64_t value) { return value * 10 + VERSION; }

mape_run_fn plug_in_pointer(void) { return run_plug_in; }
