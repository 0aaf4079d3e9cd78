// Pushing to a stream: places under the pool's lock, bytes outside it.
//
//   host's spans ──► read, small ones staged │ lock: places in ring and block │ bytes ──► block │ lock: items are ready
//
// The stream accepts pushes of several threads one after another, each whole. Only those threads wait for one another.

import CMapBridge

extension Pool {
    /// Accepts as many items as fit into the window. Without the lock. Returns how many, and what is wrong with the
    /// next one, if anything.
    func push(_ job: Job, _ stream: Stream, _ items: UnsafePointer<mape_span>, _ count: Int) -> (Int, MapError?) {
        stream.pushing.lock()
        defer { stream.pushing.unlock() }
        let scratch = stream.scratch
        var accepted = 0
        var isFirst = true
        while true {
            let some = min(count - accepted, scratch.expected)
            let isStaged = unsafe scratch.read(items + accepted, some, fixed.input)
            var failure: MapError?
            let taken = core.with { (core) -> Int in
                do throws(MapError) {
                    try core.checkPush(job, stream)
                    if isFirst { core.pump() }
                } catch {
                    failure = error
                    return 0
                }
                let taken = core.place(job, stream, scratch, some, accepted, &failure)
                if taken > 0 {
                    if isStaged {
                        scratch.copyStaged(taken, fixed.input)
                        core.pushed(job, taken)
                    } else {
                        stream.beginCopying()
                        job.input.pin()
                    }
                }
                return taken
            }
            if taken > 0 && !isStaged {
                let began = mapb_clock()
                scratch.copy(taken, fixed.input)
                let time = mapb_clock() - began
                core.with { core in
                    stream.endCopying()
                    core.pushed(job, taken, time: time)
                    core.unpin(job)
                }
            }
            accepted += taken
            isFirst = false
            scratch.expect(after: taken, of: some)
            if taken < some || accepted == count { return (accepted, failure) }
        }
    }
}
