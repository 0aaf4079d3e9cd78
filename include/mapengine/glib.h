/* mapengine/glib.h - a pool in the main loop of GLib and GTK
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_GLIB_H
#define MAPENGINE_GLIB_H

#include "core.h"

#include <glib-unix.h>

/** @file glib.h
 *  @brief A pool in the main loop of GLib and GTK: callbacks run there. For programs that use GLib; all of it is in this header. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup glib GLib
 *  @{ */

/** @brief A source of GLib that dispatches a pool's events: internal. */
typedef struct mape_glib_source {
    GSource source;    /**< What GLib knows of it; first. */
    mape_pool *pool;   /**< The pool. */
    int64_t budget_ns; /**< How long one turn may take. */
} mape_glib_source;

/** @brief What the source does when the pool's descriptor is readable: internal. @param source the source. @param callback not used.
 *         @param data not used. @return whether the source stays: no, when the pool was released. */
static inline gboolean mape_glib_dispatch(GSource *source, GSourceFunc callback, gpointer data) {
    mape_glib_source *self = (mape_glib_source *)source;
    (void)callback;
    (void)data;
    return mape_pool_dispatch(self->pool, 0, self->budget_ns) == MAPE_E_HANDLE ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/** @brief Attaches a pool to a main context: its callbacks run there, on the thread that runs the context's loop, which never waits for the
 *         pool. Events that come while the loop is in a callback come afterwards.
 *
 *  The source has GLib's default priority; g_source_set_priority changes that: G_PRIORITY_DEFAULT_IDLE for redraws of GTK to come first.
 *  @param out receives the source, with one reference that the caller owns. Give it to #mape_glib_detach, before the pool is released.
 *  @param pool the pool. @param context the main context; NULL: the default one.
 *  @param budget_ns how long the callbacks of one turn may take, after which the loop goes on: MAPE_MILLISECONDS(5); 0: no limit.
 *  @return as #mape_pool_event_fd; #MAPE_E_ARGUMENT for an out of NULL. */
static inline int mape_glib_attach(GSource **out, mape_pool *pool, GMainContext *context, int64_t budget_ns) {
    static GSourceFuncs functions = {NULL, NULL, mape_glib_dispatch, NULL, NULL, NULL};
    GSource *source;
    int fd = -1, status = out == NULL ? MAPE_E_ARGUMENT : mape_pool_event_fd(&fd, pool);
    if (out != NULL) *out = NULL;
    if (status != MAPE_OK) return status;
    source = g_source_new(&functions, sizeof(mape_glib_source));
    ((mape_glib_source *)source)->pool = pool;
    ((mape_glib_source *)source)->budget_ns = budget_ns;
    g_source_set_name(source, "mapengine");
    g_source_add_unix_fd(source, fd, G_IO_IN);
    g_source_attach(source, context);
    *out = source;
    return MAPE_OK;
}

/** @brief Detaches a pool: no callback runs in the context any more. May be called in one.
 *  @param source what #mape_glib_attach gave; NULL is ignored. */
static inline void mape_glib_detach(GSource *source) {
    if (source == NULL) return;
    g_source_destroy(source);
    g_source_unref(source);
}

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_GLIB_H */
