/* support_remote.h - pools whose other machines are own_remote's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPPORT_REMOTE_H
#define SUPPORT_REMOTE_H

#include "stand_in.h"
#include "support.h"

/** The page of the test's stand-in, all 0 but for its lanes. The test's next pool has it. */
struct stand_in *stand_in_with(uint32_t lanes);
/** A pool that has it for a cluster. */
mape_pool_config remote_config(uint32_t birth, uint32_t workers);
mape_pool *remote_pool(uint32_t birth, uint32_t workers);
/** The same, once so many lanes are ready. */
mape_pool *remote_started(uint32_t birth, uint32_t workers, uint32_t lanes);
/** Closes it, and sees that helper and file are gone. */
void remote_close(mape_pool *pool);

/** Settings of a job that runs there. */
mape_job_config placed(uint32_t where);
/** Whether the pool has logged such a text; fetches its events. */
bool logged(mape_pool *pool, const char *words);

#endif
