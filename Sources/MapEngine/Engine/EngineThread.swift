// The engine thread: sleeps until a bell, a message of the zygote, output of a worker, another thread or a deadline wakes it. Then it has
// the core look at everything, and does what the core leaves to it because it takes its time.
// It does not wake by itself while the pool is idle.

import CMapBridge

/// The thread's function. Owns one reference to the pool.
let engineMain: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
    let pool = unsafe Unmanaged<Pool>.fromOpaque(context!).takeRetainedValue()
    if pool.engineStarts() { pool.engineLoop() }
    return nil
}

extension Pool {
    /// Starts the first zygote. False: it could not be started, and the thread ends.
    fileprivate func engineStarts() -> Bool {
        do throws(MapError) {
            let born = try Zygote.start(config, core.with { $0.life.environment })
            do throws(MapError) {
                try core.with { (core) throws(MapError) in try core.begin(with: born) }
            } catch {
                born.end(grace: 0)
                throw error
            }
            return true
        } catch {
            core.with { $0.hasNotBegun(error) }
            return false
        }
    }

    fileprivate func engineLoop() {
        var tags = [UInt64](repeating: 0, count: 64)
        var count: Int32 = 0
        while true {
            let (sleep, hasErrands) = core.with { ($0.turn(tags[..<Int(count)]), !$0.errands.isEmpty) }
            if hasErrands {
                writeCrashFiles()
                trim()
                readErrors()
                replaceZygote()
                serveHelper()
            }
            guard let sleep else { return }
            count = unsafe mapb_poller_wait(fixed.poller.number, &tags, Int32(tags.count), sleep)
            if count < 0 {
                let why = count
                count = 0
                core.with { $0.fail(MapError.system(MAPB_NAME_POLLER_WAIT, -why).message) }
                mapb_nap()
            }
        }
    }

    /// Returns free pages to the system.
    private func trim() {
        let (input, trims) = core.with { core in
            defer {
                core.errands.trimsInput = false
                core.errands.trims = []
            }
            return (core.errands.trimsInput, core.errands.trims)
        }
        if input { fixed.input.trim() }
        if trims.isEmpty { return }
        for (_, region, free) in trims { region.returnPages(free) }
        core.with { $0.trimmed(trims) }
    }

    /// Writes crash files, without the lock because folders can be slow.
    func writeCrashFiles() {
        guard let crashFolder = fixed.crashFolder else { return }
        while var next = core.with({ $0.errands.crashFiles.next() }) {
            next.bytes.copy(into: &next.file, from: fixed.input)
            core.with { core in
                if let block = next.bytes.block { next.bytes.job.stream?.release(block) }
                core.unpin(next.bytes.job)
            }
            let told = crashFolder.write(next)
            core.with { $0.log(told.level, told.text) }
        }
    }

    /// Reads what the zygote has printed, and copies it, which can take as long as who reads that.
    private func readErrors() {
        let (zygote, helper) = core.with { core in
            defer { core.errands.readsErrors = false }
            return core.errands.readsErrors ? (core.zygote, core.remote?.helper) : (nil, nil)
        }
        if let helper, let errors = helper.errors {
            _ = errors.read()
            core.with { $0.readErrors(ofHelper: helper) }
        }
        guard let zygote, let errors = zygote.errors else { return }
        let bytes = errors.read()
        core.with { $0.readErrors(of: zygote, bytes) }
    }

    /// Ends a lost zygote, and starts another if possible. The kernel ties a zygote to the thread that made it.
    private func replaceZygote() {
        guard let gone = core.with({ $0.errands.goneZygote }) else { return }
        let end = gone.zygote.end(grace: 20)
        guard core.with({ $0.zygoteHasEnded(gone, end) }) else { return }
        do throws(MapError) {
            let born = try Zygote.start(config, core.with { $0.life.environment })
            do throws(MapError) {
                try core.with { (core) throws(MapError) in try core.adopt(born) }
            } catch {
                born.end(grace: 0)
                throw error
            }
        } catch {
            // A pool that was shut down meanwhile needs none.
            core.with { core in if !core.life.engineShouldEnd { core.fail(error.message) } }
        }
    }

    /// Ends a lost helper for other machines, and starts one when it is time.
    private func serveHelper() {
        guard let cluster = config.cluster else { return }
        let (gone, starts) = core.with { core in
            defer { core.errands.startsHelper = false }
            return (core.errands.goneHelper, core.errands.startsHelper)
        }
        if let gone {
            let end = gone.end(grace: 20)
            core.with { core in
                core.errands.goneHelper = nil
                core.helperHasEnded(gone, end)
            }
        }
        guard starts else { return }
        do throws(MapError) {
            let born = try Zygote.startHelper(cluster, core.with { $0.life.environment })
            do throws(MapError) {
                try core.with { (core) throws(MapError) in try core.adoptHelper(born) }
            } catch {
                born.end(grace: 0)
                throw error
            }
        } catch {
            core.with { $0.helperFailed(error.message) }
        }
    }
}
