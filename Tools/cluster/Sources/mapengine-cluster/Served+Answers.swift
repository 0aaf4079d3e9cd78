// What becomes of a part: the answer to it, from the results of its job.

import CMapEngine
import CNet
import Cluster
import Glibc

/// A job that is done, and its results, as long as somebody reads them.
@safe private final class KeptJob {
    private let job: OpaquePointer
    /// Results go with their pool.
    private let pool: Served

    init(_ job: OpaquePointer, _ pool: Served) {
        unsafe self.job = job
        self.pool = pool
    }

    deinit { _ = unsafe mape_job_release(job) }
}

extension Served {
    /// Parts that have run for a while, and how far they are, where that has changed.
    func progress(_ now: Int64, node: String) -> [AnswerHead] {
        var heads: [AnswerHead] = []
        for one in running.values where now - one.began >= Node.progressTime {
            var progress = mape_progress()
            progress.struct_size = MemoryLayout<mape_progress>.size
            guard unsafe mape_job_progress(&progress, one.job) == 0 else { continue }
            let items = UInt64(max(0, min(1, progress.fraction)) * Double(one.count) * 1000)
            guard items != one.told else { continue }
            one.told = items
            var head = AnswerHead()
            head.kind = .progress
            head.serial = one.serial
            head.count = one.count
            head.node = node
            head.took = items
            heads.append(head)
        }
        return heads
    }

    /// A part like this one is done sooner than two threads have been woken.
    static let quickTime: Int64 = 200_000

    /// Where parts have been quick, waits for that of this moment: the wait itself takes the results from the workers, and the answer goes out
    /// without another turn of the loop.
    func settle() {
        guard isQuick, let newest else { return }
        self.newest = nil
        guard let one = running[newest] else { return }
        _ = unsafe mape_job_wait(one.job, Self.quickTime)
    }

    /// The answer to a part that has ended: head and bytes. Nil: it is none of ours any more.
    func answer(_ serial: UInt64, node: String) -> (AnswerHead, Argument)? {
        guard let one = running.removeValue(forKey: serial) else { return nil }
        // As long as the bytes have not gone out.
        let kept = unsafe KeptJob(one.job, self)
        defer { withExtendedLifetime(kept) {} }
        var head = AnswerHead()
        head.serial = serial
        head.count = one.count
        head.node = node
        head.took = UInt64(max(0, cnet_clock() - one.began))
        isQuick = head.took < UInt64(Self.quickTime)
        if let (size, bytes) = short(one) ?? long(one, kept) {
            head.itemSize = UInt64(size)
            return (head, bytes)
        }
        head.isEven = false
        return lines(head, one, node)
    }

    private static func result(_ one: Running, _ i: UInt64) -> mape_result? {
        var result = unsafe mape_result()
        unsafe result.struct_size = MemoryLayout<mape_result>.size
        return unsafe mape_job_result(&result, one.job, i) == 0 ? result : nil
    }

    /// The results of many small items that have all ended well with results of one size, side by side; nil: they have not, or are to be looked at one by
    /// one. That would take longer than they took. None is longer than the first if all go into places of its size; none is shorter if all bytes of these
    /// were written, which two arrays tell that were different before.
    private func short(_ one: Running) -> (size: Int, bytes: Argument)? {
        guard one.count >= 16, let first = unsafe Self.result(one, 0) else { return nil }
        let size = unsafe first.size
        guard unsafe first.state == UInt32(MAPE_ITEM_OK.rawValue), size > 0, size <= 1024 else { return nil }
        var arrays: [[UInt8]] = []
        for before: UInt8 in [0, 255] {
            var bytes = [UInt8](repeating: before, count: size * Int(one.count))
            let room = bytes.count
            var missing: UInt64 = 0
            guard unsafe mape_job_gather(&bytes, room, size, &missing, one.job) == 0, missing == 0 else { return nil }
            arrays.append(bytes)
        }
        let isWritten = unsafe memcmp(arrays[0], arrays[1], arrays[0].count) == 0
        return isWritten ? (size, .bytes(arrays[0])) : nil
    }

    /// The same for any. Where one worker has run all of them their results lie side by side, and are sent from there.
    private func long(_ one: Running, _ kept: KeptJob) -> (size: Int, bytes: Argument)? {
        guard let first = unsafe Self.result(one, 0) else { return nil }
        let size = unsafe first.size
        let start = unsafe first.data?.assumingMemoryBound(to: UInt8.self)
        var isTogether = true
        for i in 0..<UInt64(one.count) {
            guard let result = unsafe Self.result(one, i), unsafe result.state == UInt32(MAPE_ITEM_OK.rawValue),
                unsafe result.size == size
            else { return nil }
            let data = unsafe result.data?.assumingMemoryBound(to: UInt8.self)
            if unsafe isTogether && data != start.map({ unsafe $0 + Int(i) * size }) { isTogether = false }
        }
        if isTogether, let start = unsafe start {
            let all = unsafe UnsafeRawBufferPointer(start: start, count: size * Int(one.count))
            return unsafe (size, .memory(Memory(all, keeper: kept)))
        }
        var bytes = [UInt8](repeating: 0, count: size * Int(one.count))
        let room = bytes.count
        guard room > 0 else { return (size, .bytes([])) }
        guard unsafe mape_job_gather(&bytes, room, size, nil, one.job) == 0 else { return nil }
        return (size, .bytes(bytes))
    }

    private func lines(_ head: AnswerHead, _ one: Running, _ node: String) -> (AnswerHead, Argument)? {
        var head = head
        var lines = ByteWriter()
        var bytes = ByteWriter()
        for i in 0..<UInt64(one.count) {
            guard let result = unsafe Self.result(one, i) else { return nil }
            var line = AnswerLine()
            switch unsafe Int(result.state) {
            case Int(MAPE_ITEM_OK.rawValue), Int(MAPE_ITEM_FAILED.rawValue), Int(MAPE_ITEM_CRASHED.rawValue),
                Int(MAPE_ITEM_TIMED_OUT.rawValue):
                break
            default:
                // The pool here has failed, or ends: the host gives the part to another node.
                head.kind = .returned
                head.text = unsafe String(cString: result.message)
                return (head, .bytes([]))
            }
            // What Python's setup needs, such as a module, may be missing here alone.
            let isSetup = unsafe isOfPython && result.cause == UInt32(MAPE_CAUSE_SETUP.rawValue)
            if unsafe isSetup || result.cause == UInt32(MAPE_CAUSE_LOAD.rawValue) {
                head.kind = .refused
                head.isSetup = isSetup
                head.text = unsafe "node \(node): " + String(cString: result.message)
                return (head, .bytes([]))
            }
            unsafe line.state = UInt8(result.state)
            unsafe line.cause = UInt8(clamping: result.cause)
            unsafe line.code = result.code
            unsafe line.attempts = result.attempts
            unsafe line.hasMark = result.has_mark == 1
            unsafe line.mark = result.mark
            if let data = unsafe result.data, unsafe result.size > 0 {
                unsafe line.dataSize = UInt64(result.size)
                unsafe bytes.put(UnsafeRawBufferPointer(start: data, count: result.size))
            }
            if line.state != 1 {
                let text = unsafe Served.withoutPlace(result.message)
                line.textSize = UInt32(min(text.count, Int(AnswerLine.mostText)))
                bytes.put(text.prefix(Int(AnswerLine.mostText)))
            }
            if line.state == 3 || line.state == 4 { crash(i, one, &line, &bytes) }
            line.encode(to: &lines)
        }
        lines.put(bytes.bytes)
        return (head, .bytes(lines.bytes))
    }

    private func crash(_ i: UInt64, _ one: Running, _ line: inout AnswerLine, _ bytes: inout ByteWriter) {
        var crash = unsafe mape_crash()
        unsafe crash.struct_size = MemoryLayout<mape_crash>.size
        guard unsafe mape_job_crash(&crash, one.job, i) == 0 else { return }
        line.hasCrash = true
        unsafe line.signal = crash.signal
        unsafe line.signalCode = crash.code
        unsafe line.pid = crash.pid
        unsafe line.frames = crash.frames
        unsafe line.address = crash.address
        guard let start = unsafe crash.text else { return }
        let text = unsafe Served.withoutPlace(start).prefix(Int(AnswerLine.mostReport))
        line.reportSize = UInt32(text.count)
        bytes.put(text)
    }

    /// A text without the item's place in the pool here, which says nothing to the host: `, function "f", item 1 of job 9`.
    static func withoutPlace(_ text: UnsafePointer<CChar>) -> [UInt8] {
        let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
        let item = Array("\", item ".utf8)
        let job = Array(" of job ".utf8)
        let function = Array("function \"".utf8)
        func isAt(_ i: Int, _ word: [UInt8]) -> Bool {
            i >= 0 && i + word.count <= bytes.count && bytes[i..<i + word.count].elementsEqual(word)
        }
        func digits(_ from: Int) -> Int {
            var i = from
            while i < bytes.count, bytes[i] >= 48, bytes[i] <= 57 { i += 1 }
            return i
        }
        var i = 0
        while i < bytes.count {
            guard isAt(i, item) else {
                i += 1
                continue
            }
            let middle = digits(i + item.count)
            guard middle > i + item.count, isAt(middle, job), digits(middle + job.count) > middle + job.count else {
                i += 1
                continue
            }
            var start = i
            while start > 0, !isAt(start, function) { start -= 1 }
            guard isAt(start, function) else { return bytes }
            // With the comma, or the line, before it.
            if isAt(start - 2, [44, 32]) { start -= 2 } else if isAt(start - 1, [10]) { start -= 1 }
            return Array(bytes[..<start]) + Array(bytes[digits(middle + job.count)...])
        }
        return bytes
    }
}
