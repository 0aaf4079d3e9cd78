/* mapengine/uv.h - a pool in a loop of libuv
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_UV_H
#define MAPENGINE_UV_H

#include "core.h"

#include <uv.h>

/** @file uv.h
 *  @brief A pool in a loop of libuv: callbacks run there. For programs that use libuv; all of it is in this header. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup uv libuv
 *  @{ */

/** A pool that is attached to a loop. The host provides the memory, which has to stay until `on_detached` is called. */
typedef struct mape_uv {
    uv_poll_t poll;    /**< What libuv knows of it; first. */
    mape_pool *pool;   /**< The pool. */
    int64_t budget_ns; /**< How long one turn may take. */
    void *context;     /**< The host's own. */
    void (*on_detached)(struct mape_uv *uv); /**< Given to #mape_uv_detach. */
} mape_uv;

/** @brief What libuv calls when the pool's descriptor is readable: internal. @param poll the handle. @param status libuv's error, or 0.
 *         @param events not used. */
static inline void mape_uv_readable(uv_poll_t *poll, int status, int events) {
    mape_uv *self = (mape_uv *)poll;
    (void)events;
    if (status != 0 || mape_pool_dispatch(self->pool, 0, self->budget_ns) != MAPE_E_HANDLE) return;
    if (!uv_is_closing((uv_handle_t *)poll)) uv_poll_stop(poll); /* The pool was released. */
}

/** @brief Attaches a pool to a loop: its callbacks run there, on the thread that runs the loop, which never waits for the pool.
 *
 *  It keeps the loop alive, as any handle does; `uv_unref((uv_handle_t *)&uv->poll)` makes that the affair of others.
 *  @param uv receives the handle, in memory of the host. @param pool the pool. @param loop the loop; its thread makes this call.
 *  @param budget_ns how long the callbacks of one turn may take, after which the loop goes on: MAPE_MILLISECONDS(5); 0: no limit.
 *  @return #MAPE_OK; as #mape_pool_event_fd; #MAPE_E_SYSTEM when libuv cannot watch the descriptor. After a failure uv is free to be reused. */
static inline int mape_uv_attach(mape_uv *uv, mape_pool *pool, uv_loop_t *loop, int64_t budget_ns) {
    int fd = -1, status = uv == NULL || loop == NULL ? MAPE_E_ARGUMENT : mape_pool_event_fd(&fd, pool);
    if (status != MAPE_OK) return status;
    uv->pool = pool;
    uv->budget_ns = budget_ns;
    uv->context = NULL;
    uv->on_detached = NULL;
    if (uv_poll_init(loop, &uv->poll, fd) != 0) return MAPE_E_SYSTEM;
    /* On a handle that was just made it fails for nothing but a loop that is broken. */
    return uv_poll_start(&uv->poll, UV_READABLE, mape_uv_readable) == 0 ? MAPE_OK : MAPE_E_SYSTEM;
}

/** @brief What libuv calls when the handle is closed: internal. @param handle the handle. */
static inline void mape_uv_closed(uv_handle_t *handle) {
    mape_uv *self = (mape_uv *)handle;
    if (self->on_detached != NULL) self->on_detached(self);
}

/** @brief Detaches a pool, before it is released: no callback runs in the loop any more. May be called in one.
 *  @param uv what #mape_uv_attach filled. Its memory belongs to libuv until the loop has turned once more.
 *  @param on_detached called then, in the loop; may free the memory. NULL: none. */
static inline void mape_uv_detach(mape_uv *uv, void (*on_detached)(mape_uv *uv)) {
    uv->on_detached = on_detached;
    uv_poll_stop(&uv->poll); /* At once: the descriptor may be closed with its pool, before libuv closes the handle. */
    uv_close((uv_handle_t *)&uv->poll, mape_uv_closed);
}

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_UV_H */
