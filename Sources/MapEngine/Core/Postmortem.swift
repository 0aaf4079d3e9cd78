// Who is to blame when a worker has died on a range, and what of it runs again: decided from values alone. Core+Deaths carries it out.
// Tests/model/deaths.pml is the same for the losses that it knows.

/// All of a death that counts for the range that the worker was on: its first request without an answer.
struct RangeLoss {
    var range: ItemRange
    /// Where in the range it was, as it says.
    var point: BlameMark.Point
    var loss: Loss
    /// Why the pool has killed it, if it has.
    var verdict: Verdict?
    /// It has taken a step after its time limit had passed, and before the signal came.
    var hasMovedOn = false
    /// It has answered more than the requests that every worker begins with.
    var hasWorked = false
    /// The job is to end: none of its items runs again.
    var isJobEnding = false
}

/// What becomes of a range: each of its items is kept, or is in one of the parts.
struct Finding: Equatable {
    enum Part: Equatable {
        /// Nobody knows that these are to blame: they go back to the queue.
        case requeue(ItemRange)
        /// This item, counted from the job's first, is to blame.
        case blame(UInt64, Manner)
    }

    enum Manner {
        /// It has killed its worker.
        case lost
        /// It ran while the zygote died, which is nobody's fault the first times.
        case lostWithZygote
        /// It has passed its time limit.
        case timedOut
        /// Its worker has overwritten its own memory.
        case overwrote
    }

    /// So many items, the first ones, have ended. They have to stand in the reply that was being filled; if they do not, another finding
    /// is needed.
    var keep: UInt64 = 0
    /// In the order in which they are put back. What is put back last runs first.
    var parts: [Part] = []
}

/// - isRecorded: false when what a finding was to keep does not stand in the reply.
func postmortem(_ lost: RangeLoss, isRecorded: Bool = true) -> Finding {
    let range = lost.range
    if case .hostile = lost.verdict { return Finding(parts: search(range, .overwrote, lost)) }
    if lost.point == .before { return Finding(parts: notBegun(lost)) }

    let keep = isRecorded ? lost.point.finished : 0
    if isBystander(lost) { return Finding(keep: keep, parts: requeue(range.dropping(keep))) }

    switch lost.point {
    case .end where isRecorded:
        return Finding(keep: keep)
    case .item(let item) where isRecorded:
        let blamed = Finding.Part.blame(range.first + item, lost.loss.isZygote ? withZygote(lost) : manner(lost))
        return Finding(keep: keep, parts: [blamed] + requeue(range.dropping(item + 1)))
    case .range(let start, let count) where isRecorded:
        let call = ItemRange(first: range.first + start, count: count, searched: range.searched, losses: range.losses)
        let isOfZygote = lost.loss.isZygote && !lost.isJobEnding
        return Finding(
            keep: keep,
            parts: requeue(range.dropping(start + count))
                + (isOfZygote ? suspect(call, lost) : search(call, manner(lost), lost)))
    case .range, .anywhere:
        return Finding(parts: search(range, manner(lost), lost))
    case .before, .end, .item, .nonsense:
        return Finding(parts: search(range, .overwrote, lost))
    }
}

/// The worker was killed for something that it had left behind when the signal came: what it was on then is not to blame.
private func isBystander(_ lost: RangeLoss) -> Bool {
    if case .end = lost.point { return false }
    switch lost.verdict {
    case .timeout: return lost.hasMovedOn
    case .cancel, .shutdown: return !lost.isJobEnding
    case .hostile, nil: return false
    }
}

/// A range that is lost again and again without having begun may be what kills its workers.
private func notBegun(_ lost: RangeLoss) -> [Finding.Part] {
    var range = lost.range
    // All go with their zygote, and what has not begun has not done it.
    if lost.loss.isZygote { return requeue(range) }
    // A worker that had got something done has given up its place for what a function before has left behind.
    if !(lost.loss.isRetirement && lost.hasWorked) { range.losses += 1 }
    return range.losses < Policy.suspicion ? requeue(range) : search(range, .lost, lost)
}

/// One of these items is to blame: one alone is known, of more both halves run again.
private func search(_ range: ItemRange, _ manner: Finding.Manner, _ lost: RangeLoss) -> [Finding.Part] {
    if range.count == 1 { return [.blame(range.first, manner)] }
    if lost.isJobEnding { return requeue(range) }
    return halves(range, losses: 0)
}

/// A range ran as a whole when the zygote died. As with an item, that is nobody's fault but by the third time; from then on the item that
/// does it is looked for, and in the end counted by itself.
private func suspect(_ range: ItemRange, _ lost: RangeLoss) -> [Finding.Part] {
    if range.count == 1 { return [.blame(range.first, withZygote(lost))] }
    var range = range
    range.searched = true
    range.losses += 1
    return range.losses < Policy.suspicion ? requeue(range) : halves(range, losses: Policy.suspicion - 1)
}

private func manner(_ lost: RangeLoss) -> Finding.Manner {
    if case .timeout = lost.verdict { return .timedOut }
    return .lost
}

private func withZygote(_ lost: RangeLoss) -> Finding.Manner {
    let manner = manner(lost)
    return manner == .lost ? .lostWithZygote : manner
}

private func requeue(_ range: ItemRange) -> [Finding.Part] { range.count > 0 ? [.requeue(range)] : [] }

/// The second half is put back first, so that the first one runs first.
private func halves(_ range: ItemRange, losses: UInt32) -> [Finding.Part] {
    let half = range.count / 2
    return requeue(
        ItemRange(first: range.first + half, count: range.count - half, searched: true, losses: losses))
        + requeue(ItemRange(first: range.first, count: half, searched: true, losses: losses))
}

extension ItemRange {
    /// What is left without the first items. It starts anew: that it was lost before counts no more.
    fileprivate func dropping(_ items: UInt64) -> ItemRange {
        ItemRange(first: first + items, count: count - items, searched: searched)
    }
}
