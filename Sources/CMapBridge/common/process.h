/* process.h - which process this is, at the price of a load: for loops that call out for each item */
#ifndef MAPB_PROCESS_H
#define MAPB_PROCESS_H

#include <stdint.h>

/** The word with mapb_process_number: a fork finds 0 there. */
const uint32_t *mapb_process_word(void);

#endif
