/* estranged.h - what rows about children, descriptors and exits of workers have in common: a function that is given a plan, a file
 * of its own, and jobs of which some items go astray.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ESTRANGED_H
#define ESTRANGED_H

#include "fault_identity.h"
#include "faults.h"

#define ITEMS 40

/** The row's file, once it is made. */
extern char file_path[128];
void file_made(void);
/** Its bytes; "" when there are none. Then it is removed. */
const char *file_taken(void);

enum form { FORM_RUN, FORM_EACH, FORM_ALL };

/** Registers run_estranged, or one of its range functions, with the row's file and shared page. */
mape_function_id estranged(mape_pool *pool, enum form form, uint32_t setup_way, uint32_t cleanup_way);

/** Items of which every seventh goes the way, from the fourth on. */
struct fault_item *some_go(uint32_t way);

void squares_stand(struct work *work);
/** Each item was begun so often, and none by another process than a worker. */
void begun_once_each(uint64_t times);

#endif
