// The helper for other machines: its start, its messages, its end. When it is lost, its lanes are; the pool starts another, with pauses, for ever,
// and fails for that only if it has no workers of its own and there never was one.

import CMapBridge

extension Core {
    // MARK: - Its start and its end

    /// Adopts a new helper. When that fails, or the pool has been shut down meanwhile, the caller ends it.
    func adoptHelper(_ born: Zygote) throws(MapError) {
        guard !life.engineShouldEnd, let remote else { throw MapError(MAPE_E_CLOSED, "pool was shut down") }
        var hello = settings()
        hello.flags |= MAPB_INIT_REMOTE.rawValue
        born.send(hello, [input.file, fixed.engineBell.writing.number, fixed.waiterBell.writing.number])
        born.sendStandardError(isCaptured: false)
        var message = mapb_control()
        message.kind = MAPB_CONTROL_CLUSTER.rawValue
        message.slot = UInt32(remote.cluster.lanes)
        message.code =
            config.isCaptured
            ? Int32(MAPB_CLUSTER_CAPTURE.rawValue)
            : config.output == MAPE_OUTPUT_DISCARD ? Int32(MAPB_CLUSTER_DISCARD.rawValue) : 0
        message.setText(remote.cluster.url)
        born.send(message, [remote.bell.number])
        if let failure = born.failure { throw failure }
        remote.helper = born
        _ = mapb_poller_add(fixed.poller.number, born.control, EngineTag.helper.rawValue)
        if born.watch >= 0 { _ = mapb_poller_add(fixed.poller.number, born.watch, EngineTag.helperEnd.rawValue) }
        if let errors = born.errors {
            _ = mapb_poller_add(fixed.poller.number, errors.file, EngineTag.helperErrors.rawValue)
        }
        engineMustWake(by: born.deadline(config.limits))
    }

    /// Called when a helper is lost, or must be ended because of `why`. The engine thread ends it without the lock.
    @inline(never) func helperDied(_ why: String? = nil) {
        guard let remote, let gone = remote.helper else { return }
        mapb_poller_remove(fixed.poller.number, gone.control)
        if gone.watch >= 0 { mapb_poller_remove(fixed.poller.number, gone.watch) }
        if let errors = gone.errors { mapb_poller_remove(fixed.poller.number, errors.file) }
        remote.helper = nil
        remote.offered = 0
        remote.figures.nodes = 0
        figures.show(nodes: 0)
        if let why { log(MAPE_LOG_ERROR, "the helper for other machines (pid \(gone.pid)) is ended: it \(why)") }
        for lane in table.remotes {
            table.want(lane, false)
            guard lane.isAlive else { continue }
            if lane.pid == 0 { neverBorn(lane) } else { laneDied(lane, .zygote) }
        }
        errands.goneHelper = gone
        engineMustWake(by: mapb_clock())
    }

    /// Called when it has ended.
    func helperHasEnded(_ gone: Zygote, _ end: Zygote.End) {
        guard life.stage == .running || life.stage == .closing else { return }
        helperFailed("the helper for other machines (pid \(gone.pid)) \(end.how)", hadBegun: gone.hasBegun)
    }

    /// One has ended, or could not be started.
    func helperFailed(_ why: String, hadBegun: Bool = false) {
        guard let remote, !life.engineShouldEnd, failure == nil else { return }
        let pause = remote.countFailure()
        // Not a line every few seconds, for ever.
        if remote.failures <= Policy.helperDoublings + 1 { log(MAPE_LOG_ERROR, why) }
        if !hadBegun && !hasLocals && remote.failures >= config.limits.restarts {
            fail("the pool has no workers on this machine, and \(why)")
            return
        }
        remote.retryAt = later(mapb_clock(), by: pause)
        engineMustWake(by: remote.retryAt)
    }

    /// Whether the pool has, or is to have, workers on this machine.
    var hasLocals: Bool { table.size.count > 0 }

    /// Acts on what has taken too long, and starts a helper when it is time.
    func checkHelper(_ now: Int64) {
        guard let remote else { return }
        if let helper = remote.helper, now >= helper.deadline(config.limits) {
            helperDied(helper.overdue(config.limits))
        }
        guard now >= remote.retryAt else { return }
        remote.retryAt = .max
        if life.stage == .running || (life.stage == .closing && jobs.toRun > 0) { errands.startsHelper = true }
    }

    /// When to do that.
    var helperDeadline: Int64 {
        guard let remote else { return .max }
        return min(remote.retryAt, remote.helper?.deadline(config.limits) ?? .max)
    }

    // MARK: - Its messages

    /// - isGone: it has ended, and these messages are its last.
    func receiveHelper(isGone: Bool = false) {
        guard let remote, let helper = remote.helper else { return }
        helper.flush()
        mapb_poller_change(
            fixed.poller.number, helper.control, EngineTag.helper.rawValue, helper.hasBacklog ? 1 : 0)
        while remote.helper === helper, helper.isConnected, let message = helper.receive() {
            heard(message, helper, remote)
        }
        if !helper.isConnected || isGone { helperDied() }
        pump()
    }

    private func heard(_ message: mapb_control, _ helper: Zygote, _ remote: Remote) {
        let slot = Int(message.slot)
        let isLane = slot >= table.firstLane && slot < workers.count
        let lane = isLane && workers[slot].generation == message.generation ? workers[slot] : nil
        switch message.kind {
        case MAPB_CONTROL_HELLO.rawValue:
            helper.hasBegun = true
            if message.code != Int32(MAPB_PROTOCOL) || message.size != UInt64(MAPB_VERSION) {
                helperDied(
                    "is of version \(message.size), the library of version \(MAPB_VERSION): install both from one build"
                )
            }
        case MAPB_CONTROL_SPAWNED.rawValue:
            guard let lane, lane.isAlive, lane.pid == 0 else { break }
            guard message.code == 0, message.pid > 0 else {
                neverBorn(lane)
                table.want(lane, false)
                break
            }
            lane.pid = message.pid
            lane.seen.since = mapb_clock()
            // What the place was named after is the machine of the lane before.
            remote.begin(slot - table.firstLane, now: lane.seen.since)
            figures.show(host: "", ofLane: slot)
            becameReady(lane)
            if lane.state == .dying { sendKill(lane) }
        case MAPB_CONTROL_DIED.rawValue:
            guard let lane, lane.isAlive else { break }
            if lane.pid == 0 { neverBorn(lane) } else { laneDied(lane, .status(message.code)) }
            fillLanes()
        case MAPB_CONTROL_NODES.rawValue:
            remote.figures.nodes = message.slot
            figures.show(nodes: message.slot)
            remote.figures.roundTrip = min(Int64(clamping: message.generation), 10_000_000_000)
            remote.figures.sent = message.size
            remote.figures.received = message.memory_limit
            remote.offered = min(max(0, Int(message.code)), remote.cluster.lanes)
            if message.slot > 0 { remote.refusal = "" }
            fillLanes()
            touched.wakes = true
        case MAPB_CONTROL_LANE.rawValue:
            guard lane != nil else { break }
            let host = printable(message.shownText)
            let number = slot - table.firstLane
            let isFirst = remote.routes[number].isUnknown
            remote.note(host, roundTrip: Int64(clamping: message.size), of: number)
            if isFirst, let trace = table.tracing.last {
                let route = remote.routes[number]
                unsafe trace.name(
                    host: UnsafePointer(route.host.bytes), roundTrip: route.roundTrip, ofLane: slot, since: route.since)
            }
            figures.show(host: host, ofLane: slot)
        case MAPB_CONTROL_NOTE.rawValue:
            log(
                mape_log_level(min(UInt32(bitPattern: message.code), MAPE_LOG_ERROR.rawValue)),
                printable(message.shownText))
        case MAPB_CONTROL_REFUSED.rawValue:
            let why = printable(message.shownText)
            if why != remote.refusal { log(MAPE_LOG_ERROR, "other machines cannot be used: \(why)") }
            remote.refusal = why
        case MAPB_CONTROL_FUNCTION.rawValue: heardOfFunction(message)
        default: break
        }
    }

    /// Whether there is a machine that can run a function.
    private func heardOfFunction(_ message: mapb_control) {
        guard
            let function = functions.first(where: {
                $0.line == message.slot && UInt64($0.id) == message.generation
            })
        else { return }
        if message.code == 0 {
            function.refusal = nil
            for lane in table.remotes { unpark(for: lane) }
        } else {
            let isSetup = message.code == MAPE_E_SETUP.rawValue
            let why = printable(message.shownText)
            let nowhere = "function \"\(function.name)\" cannot run on other machines: \(why)"
            function.refusal = Outcome(
                MAPE_ITEM_FAILED, isSetup ? MAPE_CAUSE_SETUP : MAPE_CAUSE_LOAD,
                code: isSetup ? MAPE_E_SETUP.rawValue : MAPE_E_LOAD.rawValue, isSetup ? why : nowhere)
            log(MAPE_LOG_WARNING, nowhere)
            reclaim(from: table.remotes.filter { $0.holds { $0.function === function } })
        }
        for job in jobs.all where job.function === function { touch(job) }
    }

    // MARK: - Lanes

    /// Has as many lanes as the machines have room for.
    private func fillLanes() {
        guard let remote else { return }
        var alive = 0
        for lane in table.remotes where lane.isAlive { alive += 1 }
        for lane in table.remotes where !lane.isAlive {
            table.want(lane, alive < remote.offered)
            alive += 1
        }
        touched.places = true
    }

    /// What it prints to standard error before it begins.
    func readErrors(ofHelper helper: Zygote) {
        guard let errors = helper.errors, errors.hasEnded, remote?.helper === helper else { return }
        mapb_poller_remove(fixed.poller.number, errors.file)
        helper.errors = nil
    }
}

extension mapb_control {
    /// Its text, as far as it goes.
    var shownText: [UInt8] {
        var copy = self
        let count = Int(min(text_size, UInt32(MemoryLayout.size(ofValue: text))))
        return unsafe withUnsafeBytes(of: &copy.text) { unsafe Array($0.prefix(count).prefix { $0 != 0 }) }
    }

    /// - value: has room.
    mutating func setText(_ value: UserText) {
        let bytes = value.bytes
        unsafe withUnsafeMutableBytes(of: &text) { buffer in
            for (i, byte) in bytes.enumerated() { unsafe buffer[i] = byte }
            unsafe buffer[bytes.count] = 0
        }
        text_size = UInt32(bytes.count + 1)
    }
}
