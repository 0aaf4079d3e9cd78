/* fetched.h - events fetched many at a time, for the tests of such fetches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FETCHED_H
#define FETCHED_H

#include "support.h"

static mape_event events[5000];

/** Fetches events into `events`. @return how many; 0 when there are none within the time. */
static size_t fetched(mape_pool *pool, size_t capacity, int64_t timeout) {
    size_t count = 77;
    events[0].struct_size = sizeof(mape_event);
    int status = mape_pool_next_events(events, capacity, &count, pool, timeout);
    if (status == MAPE_E_AGAIN || status == MAPE_E_TIMEOUT) {
        assert_int_equal(count, 0);
        return 0;
    }
    is_ok(pool, status);
    assert_in_range(count, 1, capacity);
    return count;
}

#endif
