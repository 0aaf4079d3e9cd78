/* work.h - an item, as host and workers see it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

struct work {
    uint32_t number;
    uint32_t crashes; /* 1: writes through a null pointer, as broken code does. */
};

#endif
