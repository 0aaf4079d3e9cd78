// Which item is the culprit when a worker has died on a range, and what of the range runs again: decided from values
// alone. Core+Deaths carries it out. Tests/model/deaths.pml models the same decision, for the losses that it knows.

/// What a death means for the range that the worker was on, its first unanswered request.
struct RangeLoss {
    var range: ItemRange
    /// Where in the range the worker was, by its own account.
    var point: BlameMark.Point
    var loss: Loss
    /// Why the pool has killed the worker; nil: it has not.
    var verdict: Verdict?
    /// Whether the worker made a step after its time limit had passed and before the signal came.
    var hasMovedOn = false
    /// Whether the worker had answered more than the requests that every worker begins with.
    var hasWorked = false
    /// Whether the job is being ended: none of its items runs again.
    var isJobEnding = false
    /// Whether the worker was a lane.
    var isOnLane = false
}

/// What happens to a range: each of its items is kept, or is in one of the parts.
struct Finding: Equatable {
    enum Part: Equatable {
        /// These items are not known to be culprits: they are requeued.
        case requeue(ItemRange)
        /// This item, by its index in the job, is the culprit.
        case blame(UInt64, Manner)
    }

    enum Manner {
        /// It has killed its worker.
        case lost
        /// It ran while the zygote died; the first two times it is not blamed for that.
        case lostWithZygote
        /// It has passed its time limit.
        case timedOut
        /// Its worker has overwritten its own memory.
        case overwrote
    }

    /// How many of the first items have ended. They must stand in the reply that the worker was filling; if they do
    /// not, another finding is needed.
    var keep: UInt64 = 0
    /// In the order in which they are requeued. The part that is requeued last runs first.
    var parts: [Part] = []
}

/// - isRecorded: false when what a finding was to keep does not stand in the reply.
func postmortem(_ lost: RangeLoss, isRecorded: Bool = true) -> Finding {
    let range = lost.range
    if case .hostile = lost.verdict { return Finding(parts: search(range, .overwrote, lost)) }
    if lost.isOnLane { return Finding(parts: lostOnLane(lost)) }
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

/// Whether the pool killed the worker for an item that it had left when the signal came: the item that it was on then
/// is not the culprit.
private func isBystander(_ lost: RangeLoss) -> Bool {
    if case .end = lost.point { return false }
    switch lost.verdict {
    case .timeout: return lost.hasMovedOn
    case .cancel, .shutdown: return !lost.isJobEnding
    case .hostile, nil: return false
    }
}

/// A range that is lost again and again without having begun may itself kill its workers.
private func notBegun(_ lost: RangeLoss) -> [Finding.Part] {
    var range = lost.range
    // All workers die with their zygote, and an unstarted range cannot be the reason.
    if lost.loss.isZygote { return requeue(range) }
    // A worker that had done something has retired because of what an earlier function has left behind.
    if !(lost.loss.isRetirement && lost.hasWorked) { range.losses += 1 }
    return range.losses < Policy.suspicion ? requeue(range) : search(range, .lost, lost)
}

/// What a lane had not answered. A machine, or the way to it, is lost for reasons of its own; one that takes machine after machine with it is
/// found in the end.
private func lostOnLane(_ lost: RangeLoss) -> [Finding.Part] {
    var range = lost.range
    switch lost.verdict {
    case .cancel, .shutdown: return requeue(range)
    default: if lost.loss.isZygote { return requeue(range) }
    }
    range.losses += 1
    return range.losses < Policy.laneSuspicion ? requeue(range) : search(range, .lost, lost)
}

/// One of these items is the culprit. A single one is blamed; of more, both halves run again.
private func search(_ range: ItemRange, _ manner: Finding.Manner, _ lost: RangeLoss) -> [Finding.Part] {
    if range.count == 1 { return [.blame(range.first, manner)] }
    if lost.isJobEnding { return requeue(range) }
    return halves(range, losses: 0)
}

/// A range ran as a whole when the zygote died. As with an item, it is not blamed before the third time. From then on
/// the pool searches for the culprit by halves, and in the end counts the losses of that item alone.
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

/// The second half is requeued first, so that the first one runs first.
private func halves(_ range: ItemRange, losses: UInt32) -> [Finding.Part] {
    let half = range.count / 2
    return requeue(
        ItemRange(first: range.first + half, count: range.count - half, searched: true, losses: losses))
        + requeue(ItemRange(first: range.first, count: half, searched: true, losses: losses))
}

extension ItemRange {
    /// The range without its first items. Its earlier losses no longer count.
    fileprivate func dropping(_ items: UInt64) -> ItemRange {
        ItemRange(first: first + items, count: count - items, searched: searched)
    }
}
