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
        i.items = worker.history.itemsEnded
        i.starts = worker.generation
        switch worker.state {
        case .none: i.state = MAPE_WORKER_NONE.rawValue
        case .starting: i.state = MAPE_WORKER_STARTING.rawValue
        case .ready: i.state = (worker.isBusy ? MAPE_WORKER_BUSY : MAPE_WORKER_IDLE).rawValue
        case .stopping, .dying: i.state = MAPE_WORKER_STOPPING.rawValue
        }
        return i
    }
}
