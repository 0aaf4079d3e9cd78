/* mapb_offers.h - what a zygote's program gives the engine: functions that the host registers by name, and hooks around forks
 *
 * The program gives both before its zygote begins; they stand in memory of this library that workers inherit by the fork. From then on
 * nothing changes them.
 */
#ifndef MAPB_OFFERS_H
#define MAPB_OFFERS_H

#include "../../../include/mapengine.h"
#include "mapb_layout.h"

enum { MAPB_MAX_OFFERS = 1024, MAPB_OFFER_NAME = 256 /* Bytes of a name, the NUL included. */ };

/** Why a function was not taken. */
enum mapb_offer_fault { MAPB_OFFER_WELL = 0, MAPB_OFFER_KNOWN = 1, MAPB_OFFERS_FULL = 2 };

/** Keeps a function, whose name has 1 to 255 bytes. Not by two threads at once. @return an enum mapb_offer_fault. */
int mapb_offer(const mape_zygote_function *function);
/** Whether this process has a function of that name. */
int mapb_is_offered(const char *name);
/** Finds the code of a place whose kind is one of MAPB_PLACE_OFFERED_.
 *  @return 0 and the address (NULL: the function has no such part), or MAPE_E_LOAD with a text in message. */
MAPB_FORK_SAFE int mapb_find_offered(uint32_t kind, const char *name, void **out, char *message, uint64_t size);

/** When a hook runs; the numbers that MAPB_CONTROL_HOOK carries. */
enum mapb_hook {
    MAPB_HOOK_NONE = 0,
    MAPB_HOOK_BEFORE = 1,
    MAPB_HOOK_AFTER_IN_ZYGOTE = 2,
    MAPB_HOOK_AFTER_IN_WORKER = 3
};

/** Keeps the hooks, in place of earlier ones. */
void mapb_set_hooks(const mape_zygote_hooks *hooks);
/** Whether there are any. */
MAPB_FORK_SAFE int mapb_has_hooks(void);
/** Whether there is this one. */
MAPB_FORK_SAFE int mapb_has_hook(uint32_t which);
/** Runs one, if it is there. */
MAPB_FORK_SAFE void mapb_run_hook(uint32_t which);

#endif
