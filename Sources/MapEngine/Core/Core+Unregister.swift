// The end of a registered function.
//
//   registered ──unregister──► closed ──its last job is done──► leaving ──each worker that may have loaded it has──► removed, and
//                              no more jobs                     requests    run its cleanup, or has ended             its memory freed
//                                                               for cleanup

import CMapBridge

extension Core {
    func unregister(_ id: UInt32) throws(MapError) {
        try checkOpen()
        if registry.functions.remove(alias: id) { return }
        let function = try function(id)
        function.life.stage = .closed
        if function.life.unended == 0 { leave(function) }
    }

    /// Called when a job is done.
    func jobEnded(of function: Function) {
        function.life.unended -= 1
        if function.life.unended == 0 && function.life.stage == .closed { leave(function) }
    }

    /// Has the workers that may have loaded a function run its cleanup. The requests stand behind all that was assigned before, and no
    /// range of the function comes after them.
    private func leave(_ function: Function) {
        function.life.stage = .leaving
        for worker in workers where worker.isAlive {
            // One that starts counts the requests that it begins with.
            if worker.state == .ready { worker.backlog.removeAll { $0.isSetup(of: function) } }
            guard worker.mayHaveLoaded(function) else { continue }
            worker.history.forget(function)
            function.life.owed += 1
            // One that ends has been sent the cleanup of every function.
            if worker.state == .ready || worker.state == .starting { send(worker, .cleanup(function, globals)) }
        }
        removeIfGone(function)
    }

    /// Called when a worker has answered the request for a cleanup.
    func cleanedUp(_ function: Function, in worker: Worker) {
        guard worker.history.noLongerOwes(function) else { return }
        function.life.owed -= 1
        removeIfGone(function)
    }

    /// Called when a worker's process is gone, and all that it has loaded with it.
    func forgetCleanups(_ worker: Worker) {
        for function in worker.history.removeOwed() {
            function.life.owed -= 1
            removeIfGone(function)
        }
    }

    private func removeIfGone(_ function: Function) {
        guard function.life.owed == 0 else { return }
        registry.functions.remove(function)
        function.free(input)
    }

    /// A worker has died in the cleanup of a function that was unregistered, and is replaced.
    func lostInCleanup(_ function: Function, _ worker: Worker, _ isTimeout: Bool, _ death: Death) {
        guard function.life.stage == .leaving else { return }
        let how =
            isTimeout
            ? "ran longer than the cleanup timeout of \(config.limits.cleanupTimeout / 1_000_000) ms"
            : "ended its worker: \(death.text)"
        log(MAPE_LOG_WARNING, "cleanup of \"\(function.name)\" in worker \(worker.slot) \(how)")
    }
}

extension Worker {
    /// Whether it has run a function's setup, or was asked to.
    fileprivate func mayHaveLoaded(_ function: Function) -> Bool {
        if isPrepared(function.line) { return true }
        var isAsked = false
        assigned.forEach { if $0.work.isAbout(function) { isAsked = true } }
        backlog.forEach { if $0.isAbout(function) { isAsked = true } }
        return isAsked
    }
}

extension Assignment.Work {
    fileprivate func isSetup(of function: Function) -> Bool {
        if case .setup(let its, _) = self { return its === function }
        return false
    }

    fileprivate func isAbout(_ function: Function) -> Bool {
        switch self {
        case .setup(let its, _), .cleanup(let its, _): its === function
        default: false
        }
    }
}
