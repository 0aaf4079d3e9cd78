/* fork_offers.c - functions and hooks that a zygote's program brings
 *
 * Runs between fork and the user's function as well: see mapb_base.h for what may be called here.
 */
#include "CMapBridge.h"

#include <stdio.h>
#include <string.h>

/* ---- functions ---- */

static struct offer {
    char name[MAPB_OFFER_NAME];
    mape_run_fn run;
    mape_run_range_fn run_range;
    mape_setup_fn setup;
    mape_cleanup_fn cleanup;
} offers[MAPB_MAX_OFFERS];
/* Published last: a snapshot of the host that is taken meanwhile has whole ones only. */
static uint32_t offer_count;

static const struct offer *offer_named(const char *name) {
    const uint32_t count = mapb_load32(&offer_count);
    for (uint32_t i = 0; i < count; i++)
        if (mapb_same_text(offers[i].name, name)) return &offers[i];
    return NULL;
}

int mapb_is_offered(const char *name) { return offer_named(name) != NULL; }

int mapb_offer(const mape_zygote_function *function) {
    if (offer_named(function->name)) return MAPB_OFFER_KNOWN;
    const uint32_t count = mapb_load32(&offer_count);
    if (count == MAPB_MAX_OFFERS) return MAPB_OFFERS_FULL;
    struct offer *offer = &offers[count];
    *offer = (struct offer){
        .run = function->run, .run_range = function->run_range, .setup = function->setup, .cleanup = function->cleanup};
    mapb_copy(offer->name, function->name, mapb_length(function->name, MAPB_OFFER_NAME - 1));
    mapb_store32(&offer_count, count + 1);
    return MAPB_OFFER_WELL;
}

/* Appends to a text of `used` bytes, and cuts it to fit. @return how long it would be. */
static uint64_t append(char *text, uint64_t size, uint64_t used, const char *before, const char *name,
                       const char *after) {
    if (used >= size) return used;
    const int more = snprintf(text + used, size - used, "%s%s%s", before, name, after);
    mapb_cut(text + used, size - used, more);
    return used + (uint64_t)(more < 0 ? 0 : more);
}

static void say_what_there_is(const char *name, char *message, uint64_t size) {
    const uint32_t count = mapb_load32(&offer_count);
    uint64_t used = append(message, size, 0, "the zygote offers no function \"", name, "\"; it offers ");
    if (count == 0)
        used = append(message, size, used, "none: its program calls mape_zygote_offer before mape_zygote_main", "", "");
    for (uint32_t i = 0; i < count; i++) used = append(message, size, used, i ? ", \"" : "\"", offers[i].name, "\"");
}

int mapb_find_offered(uint32_t kind, const char *name, void **out, char *message, uint64_t size) {
    const struct offer *offer = offer_named(name);
    if (!offer) {
        say_what_there_is(name, message, size);
        return MAPE_E_LOAD;
    }
    /* Pointers to code and to data have one size here (POSIX, dlsym). */
    switch (kind) {
    case MAPB_PLACE_OFFERED_RUN: memcpy(out, &offer->run, sizeof *out); break;
    case MAPB_PLACE_OFFERED_RANGE: memcpy(out, &offer->run_range, sizeof *out); break;
    case MAPB_PLACE_OFFERED_SETUP: memcpy(out, &offer->setup, sizeof *out); return 0;
    default: memcpy(out, &offer->cleanup, sizeof *out); return 0;
    }
    if (*out) return 0;
    append(message, size, 0, "the zygote offers \"", name,
           kind == MAPB_PLACE_OFFERED_RUN ? "\" as a run_range: register it as run_range_symbol"
                                          : "\" as a run: register it as run_symbol");
    return MAPE_E_LOAD;
}

/* ---- hooks ---- */

static mape_zygote_hooks hooks;

void mapb_set_hooks(const mape_zygote_hooks *given) { hooks = *given; }

static mape_zygote_hook_fn hook_of(uint32_t which) {
    return which == MAPB_HOOK_BEFORE            ? hooks.before
           : which == MAPB_HOOK_AFTER_IN_ZYGOTE ? hooks.after_in_zygote
                                                : hooks.after_in_worker;
}

int mapb_has_hooks(void) { return hooks.before || hooks.after_in_zygote || hooks.after_in_worker; }
int mapb_has_hook(uint32_t which) { return hook_of(which) != NULL; }

void mapb_run_hook(uint32_t which) {
    const mape_zygote_hook_fn hook = hook_of(which);
    if (hook) hook(hooks.context);
}
