// mapengine/qt.hpp - a pool in the event loop of Qt 5 and 6
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_QT_HPP
#define MAPENGINE_QT_HPP

#include "core.h"

#include <QEvent>
#include <QPointer>
#include <QSocketNotifier>

/** @file qt.hpp
 *  @brief A pool in the event loop of Qt 5 and 6: callbacks run there. For programs that use Qt (QtCore alone); all of it is in this header, and
 *         it needs no moc. */

namespace mape {

/** Runs a pool's callbacks in the event loop of the thread that makes it, mostly the main one, which never waits for the pool.
 *
 *      auto *notifier = new mape::QtNotifier(pool, window); // Goes with its parent, or by delete: before the pool is released.
 *
 *  A callback that is to release the pool disables it first, and deletes it by deleteLater().
 *
 *  A callback must not throw through Qt's event loop: with mape::Pool, PoolOptions::on_exception gets what callbacks throw. */
class QtNotifier : public QSocketNotifier {
public:
    /** @brief Attaches a pool to the event loop of this thread. @param pool the pool; Pool::handle() of mapengine.hpp. @param parent who owns this;
     *         NULL: the caller. When the pool has no descriptor to watch, socket() is -1, and #mape_message says why. @param budget_ns how long the callbacks of one turn may take, after which the loop goes on; 0: no limit. */
    explicit QtNotifier(mape_pool *pool, QObject *parent = nullptr, int64_t budget_ns = MAPE_MILLISECONDS(5))
        : QSocketNotifier(descriptor(pool), QSocketNotifier::Read, parent), pool_(pool), budget_ns_(budget_ns) {}

protected:
    /// @cond
    // Before the signal `activated`, which goes on to whoever is connected to it.
    bool event(QEvent *event) override {
        if (event->type() != QEvent::SockAct) return QSocketNotifier::event(event);
        const QPointer<QtNotifier> alive(this);
        const bool taken = QSocketNotifier::event(event);
        if (alive && isEnabled() && mape_pool_dispatch(pool_, 0, budget_ns_) == MAPE_E_HANDLE && alive) setEnabled(false);
        return taken;
    }
    /// @endcond

private:
    static int descriptor(mape_pool *pool) {
        int fd = -1;
        mape_pool_event_fd(&fd, pool);
        return fd;
    }

    mape_pool *pool_;
    int64_t budget_ns_;
};

} // namespace mape

#endif // MAPENGINE_QT_HPP
