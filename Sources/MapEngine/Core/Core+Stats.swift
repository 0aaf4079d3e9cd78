// The figures of a pool and its workers for the host.

import CMapBridge

extension Core {
    func stats() -> mape_stats {
        var s = mape_stats()
        s.struct_size = MemoryLayout<mape_stats>.size
        s.workers = UInt32(table.size.count)
        for slot in table.ready where slot >= table.firstLane { s.remote_ready += 1 }
        s.workers_ready = UInt32(table.ready.count) - s.remote_ready
        s.workers_started = figures.workersStarted
        s.workers_died = figures.workersDied
        s.workers_killed = figures.workersKilled
        s.zygotes_started = figures.zygotesStarted
        s.jobs = figures.jobs
        s.items = figures.items
        s.ranges = figures.ranges
        s.input_bytes = input.used
        s.output_bytes = figures.output.live
        s.is_started = life.stage == .created || life.stage == .starting ? 0 : 1
        s.is_closed = !isOpen || failure != nil ? 1 : 0
        s.zygote_pid = zygote?.pid ?? 0
        guard let remote else { return s }
        s.remote_pid = remote.helper?.pid ?? 0
        s.nodes = remote.figures.nodes
        s.bytes_sent = remote.figures.sent
        s.bytes_received = remote.figures.received
        s.items_again = remote.figures.again
        return s
    }

    func info(of worker: Worker) -> mape_worker_info {
        var i = mape_worker_info()
        i.struct_size = MemoryLayout<mape_worker_info>.size
        i.pid = worker.isRemote ? 0 : worker.pid
        unsafe i.host = emptyText
        if worker.isRemote, let remote {
            let route = remote.routes[worker.slot - table.firstLane]
            unsafe i.host = UnsafePointer(route.host.bytes)
            i.round_trip_ns = route.roundTrip
            i.is_remote = 1
        }
        if !worker.isBusy && worker.state == .ready {
            worker.seen.times.hadNothing(until: mapb_clock(), owed: work.owedSince)
        }
        let times = worker.seen.times
        i.busy_ns = times.busy
        i.setup_ns = times.setup
        i.idle_ns = times.idle
        i.waiting_ns = times.waiting
        i.items = worker.history.itemsEnded
        i.starts = worker.generation
        let shown = worker.state.shown
        i.state = (shown == MAPE_WORKER_IDLE && worker.isBusy ? MAPE_WORKER_BUSY : shown).rawValue
        return i
    }
}

// MARK: - Functions and jobs

extension Core {
    func stats(of work: Work) -> mape_work_stats {
        var s = figures(of: work.measured)
        s.jobs = work.jobs
        s.count { work[$0] }
        return s
    }

    func stats(of job: Job) -> mape_work_stats {
        var s = figures(of: job.measured)
        s.jobs = 1
        s.count { job.tally[$0] }
        let life = job.life
        s.wait_ns = life.begunAt == 0 ? -1 : max(0, life.begunAt - life.submitted)
        s.done_ns = (life.doneAt > 0 ? life.doneAt : mapb_clock()) - life.submitted
        s.delivery_ns = job.delivery.toldDone ? max(0, job.delivery.toldDoneAt - life.doneAt) : -1
        return s
    }

    private func figures(of measured: Measured) -> mape_work_stats {
        var s = mape_work_stats()
        s.struct_size = MemoryLayout<mape_work_stats>.size
        s.ranges = measured.ranges
        s.busy_ns = measured.busy
        s.copied_bytes = measured.moved.copied
        s.shared_bytes = measured.moved.shared
        s.copy_ns = measured.moved.time
        s.output_bytes = measured.output
        let times = measured.times
        s.timed = times.total
        guard times.total > 0 else { return s }
        s.min_ns = times.least
        s.max_ns = times.most
        s.p50_ns = times.quantile(0.5)
        s.p90_ns = times.quantile(0.9)
        s.p99_ns = times.quantile(0.99)
        s.p999_ns = times.quantile(0.999)
        return s
    }
}

extension mape_work_stats {
    /// Sets how many items have ended how.
    fileprivate mutating func count(_ items: (mape_item_state) -> UInt64) {
        ok = items(MAPE_ITEM_OK)
        failed = items(MAPE_ITEM_FAILED)
        crashed = items(MAPE_ITEM_CRASHED)
        timed_out = items(MAPE_ITEM_TIMED_OUT)
        cancelled = items(MAPE_ITEM_CANCELLED)
        abandoned = items(MAPE_ITEM_ABANDONED)
        self.items = ok + failed + crashed + timed_out + cancelled + abandoned
    }
}
