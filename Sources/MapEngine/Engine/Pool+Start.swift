// The start of a pool. The first thread that needs the pool starts it, and others wait for the zygote; none waits for
// the workers.

import CMapBridge

extension Pool {
    /// Starts the pool if that was not done. Call without the lock: with FORK this takes the snapshot.
    func ensureStarted() throws(MapError) {
        let begins = try core.with { (core) throws(MapError) -> Bool in
            try core.checkOpen()
            guard core.life.stage == .created else { return false }
            core.life.stage = .starting
            core.life.startError = nil
            // The environment is read here and never again: elsewhere the host may be in setenv, which is not safe
            // beside a reader.
            core.life.environment = config.environment()
            return true
        }
        var mine: UInt64 = 0
        if begins {
            // Under the lock, which the thread needs before any caller can find the pool started: so that caller finds
            // a thread to join.
            let why = core.with { core in
                let why = unsafe mapb_start_thread(engineMain, Unmanaged.passRetained(self).toOpaque(), &mine)
                core.life.thread = mine
                return why
            }
            if why != 0 {
                unsafe Unmanaged.passUnretained(self).release()
                let error = MapError.thread(why)
                core.with { $0.hasNotBegun(error) }
                throw error
            }
        }
        // The engine thread makes the zygote; this thread waits for the zygote, not for the workers.
        let error = waitForZygote()
        if let error {
            if begins {
                // Another thread may have begun a start of its own meanwhile.
                core.with { core in if core.life.thread == mine { core.life.thread = 0 } }
                mapb_join_thread(mine)
            }
            throw error
        }
    }

    /// Waits while another thread is about to make the zygote.
    func waitForZygote() -> MapError? {
        while true {
            let seen = waiters.changes
            let (isStarting, error) = core.with { ($0.life.stage == .starting, $0.life.startError) }
            if !isStarting { return error }
            waiters.sleep(seen, .max)
        }
    }

    func joinEngine() {
        let thread = core.with { core in
            defer { core.life.thread = 0 }
            return core.life.thread
        }
        if thread != 0 { mapb_join_thread(thread) }
    }
}
