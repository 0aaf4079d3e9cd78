// Pushes to a stream, as far as the lock guards them: see Pool+Streams.

import CMapBridge

extension Core {
    func checkPush(_ job: Job, _ stream: Stream) throws(MapError) {
        guard !job.isReleased, !stream.finished, job.ending == nil, !job.isDone else {
            throw MapError(MAPE_E_CLOSED, "stream was finished, cancelled or shut down")
        }
        if let failure = whyNowhere(job) {
            throw MapError(
                failure.cause == MAPE_CAUSE_LOAD ? MAPE_E_LOAD : MAPE_E_SETUP,
                "stream's function cannot run: " + failure.text.string)
        }
    }

    /// Assigns places to as many of the items as there is room for. Items whose bytes are not copied yet count as
    /// accepted, not as ready.
    func place(
        _ job: Job, _ stream: Stream, _ scratch: PushScratch, _ count: Int, _ before: Int, _ failure: inout MapError?
    ) -> Int {
        let held = job.tally.total - job.tally.ended + job.delivery.undelivered
        guard held < job.config.window else { return 0 }
        let most = Int(min(UInt64(count), job.config.window - held, stream.room(from: job.tally.total)))
        var taken = 0
        do throws(MapError) {
            while taken < most {
                let packed = stream.placePacked(scratch, taken, most, at: job.tally.total)
                taken += packed
                job.tally.total += UInt64(packed)
                if taken == most { break }
                let span = unsafe scratch.spans[taken]
                guard unsafe span.data != nil || span.size == 0 else {
                    throw MapError.argument(
                        "items[\(before + taken)].data", "is NULL, but its size is \(span.size)")
                }
                guard span.size >= 0 else {
                    throw MapError(MAPE_E_OVERFLOW, "items[\(before + taken)].size is more than memory can hold")
                }
                let size = UInt64(span.size)
                try unsafe checkRange(span.data, size, "items[\(before + taken)].size (\(size))")
                if let data = unsafe span.data, size > 0, let offset = input.offset(of: data) {
                    if job.input.buffer(holding: offset, size) == nil {
                        job.input.keep(try buffer(offset, size, "items[\(before + taken)].data"))
                    }
                }
                unsafe scratch.targets[taken] = try unsafe stream.place(job.tally.total, span.data, size)
                job.tally.total += 1
                taken += 1
            }
        } catch {
            failure = error
        }
        return taken
    }

    /// The same for items of several pieces. Returns where their lines and bytes go.
    func place(
        _ job: Job, _ stream: Stream, _ pieces: HostPieces, _ before: Int, _ failure: inout MapError?
    ) -> [UInt64] {
        let held = job.tally.total - job.tally.ended + job.delivery.undelivered
        guard held < job.config.window else { return [] }
        let most = Int(
            min(UInt64(pieces.items.count), job.config.window - held, stream.room(from: job.tally.total)))
        var places: [UInt64] = []
        do throws(MapError) {
            for item in pieces.items.prefix(most) {
                let number = before + places.count
                try pieces.eachInside(item) { (k, offset, size) throws(MapError) in
                    stream.share(size)
                    if job.input.buffer(holding: offset, size) != nil { return }
                    job.input.keep(try buffer(offset, size, "items[\(number)].pieces[\(k)].data"))
                }
                places.append(try stream.place(job.tally.total, item))
                job.tally.total += 1
            }
        } catch {
            failure = error
        }
        return places
    }

    /// Called when the bytes of accepted items are copied: the items are ready.
    /// - time: nanoseconds that the copy took; 0: it was not measured.
    func pushed(_ job: Job, _ count: Int, time: Int64 = 0) {
        if let stream = job.stream {
            var moved = stream.consumeMoved()
            moved.time = time
            job.measure(moved)
            if time > 0 && trace != nil {
                let now = mapb_clock()
                traceCopy(moved, Copied(began: now - time, ended: now), job)
            }
        }
        guard !job.isEnded else { return }
        job.unstarted.ready += UInt64(count)
        touch(job)
    }
}
