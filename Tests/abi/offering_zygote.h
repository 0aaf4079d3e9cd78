/* offering_zygote.h - what its function "counts" answers: how often its handlers and hooks have run around forks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OFFERING_ZYGOTE_H
#define OFFERING_ZYGOTE_H

#include <stdint.h>

struct fork_counts {
    uint32_t prepare, parent, child;                   /**< Handlers of pthread_atfork. */
    uint32_t before, after_in_zygote, after_in_worker; /**< Hooks. */
};

#endif
