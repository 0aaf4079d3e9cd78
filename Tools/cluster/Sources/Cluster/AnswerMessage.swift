// What a node answers to a part: an entry of the stream `out`, with the head as `h` and the results' bytes as `p`.

public enum AnswerKind: UInt8, Sendable {
    /// Each item has ended; how, the message says.
    case done = 1
    /// The node cannot have the function: the text says why. Another one may.
    case refused = 2
    /// It has not been run: the node ends, or was told to stop.
    case returned = 3
    /// It runs: `took` says how far it is.
    case progress = 4
}

public struct AnswerHead: Equatable, Sendable {
    public static let version: UInt16 = 1
    static let fixed = 44
    static let mostText = 8192

    public var serial: UInt64 = 0
    public var kind = AnswerKind.done
    /// All items have ended well with results of `itemSize` bytes, side by side. Else there is a line for each.
    public var isEven = true
    public var count: UInt32 = 0
    /// Nanoseconds; of a progress, thousandths of items.
    public var took: UInt64 = 0
    public var itemSize: UInt64 = 0
    public var node = ""
    public var text = ""
    /// Of a refusal: the function is there, and its setup has failed.
    public var isSetup = false

    public init() {}

    public func encoded() -> [UInt8] {
        let name = Array(node.utf8.prefix(255))
        let why = Array(text.utf8.prefix(Self.mostText))
        var out = ByteWriter(capacity: Self.fixed + name.count + why.count)
        out.put(Self.version)
        out.put(kind.rawValue)
        out.put(UInt8(isEven ? 0 : 1))
        out.put(count)
        out.put(serial)
        out.put(took)
        out.put(itemSize)
        out.put(UInt32(name.count))
        out.put(UInt32(why.count))
        out.put(UInt32(isSetup ? 1 : 0))
        out.put(name)
        out.put(why)
        return out.bytes
    }

    /// Nil: it is no such head.
    public init?(_ raw: UnsafeRawBufferPointer) {
        var bytes = unsafe ByteReader(raw)
        guard bytes.u16() == Self.version, let kind = bytes.u8().flatMap({ AnswerKind(rawValue: $0) }),
            let layout = bytes.u8(), layout <= 1, let count = bytes.u32(), count <= WorkHead.mostItems,
            let serial = bytes.u64(), let took = bytes.u64(), let itemSize = bytes.u64(), let nameSize = bytes.u32(),
            nameSize <= 255, let textSize = bytes.u32(), textSize <= Self.mostText, let setup = bytes.u32(), setup <= 1,
            setup == 0 || kind == .refused,
            let name = bytes.array(UInt64(nameSize)), let text = bytes.array(UInt64(textSize)), bytes.isAtEnd
        else { return nil }
        self.kind = kind
        isEven = layout == 0
        isSetup = setup == 1
        self.count = count
        self.serial = serial
        self.took = took
        self.itemSize = itemSize
        node = printable(String(decoding: name, as: UTF8.self))
        self.text = String(decoding: text, as: UTF8.self)
    }
}

/// How an item has ended that has a line of its own.
public struct AnswerLine: Equatable, Sendable {
    static let bytes = 64
    public static let mostText: UInt32 = 1 << 20
    public static let mostReport: UInt32 = 1 << 16

    /// An enum mape_item_state: OK, FAILED, CRASHED or TIMED_OUT.
    public var state: UInt8 = 1
    /// An enum mape_cause.
    public var cause: UInt8 = 0
    public var hasMark = false
    /// There is a crash report.
    public var hasCrash = false
    public var code: Int32 = 0
    public var attempts: UInt32 = 1
    public var mark: UInt64 = 0
    public var signal: Int32 = 0
    public var signalCode: Int32 = 0
    public var pid: Int32 = 0
    public var frames: UInt32 = 0
    public var address: UInt64 = 0
    /// Sizes of what follows the lines: the result, or what a failed item has written; the message; the report's text.
    public var dataSize: UInt64 = 0
    public var textSize: UInt32 = 0
    public var reportSize: UInt32 = 0

    public init() {}

    public func encode(to out: inout ByteWriter) {
        out.put(state)
        out.put(cause)
        out.put(UInt8(hasMark ? 1 : 0))
        out.put(UInt8(hasCrash ? 1 : 0))
        out.put(code)
        out.put(attempts)
        out.put(textSize)
        out.put(dataSize)
        out.put(mark)
        out.put(reportSize)
        out.put(signal)
        out.put(signalCode)
        out.put(pid)
        out.put(address)
        out.put(frames)
        out.put(UInt32(0))
    }

    /// Nil: it is no such line.
    init?(_ bytes: inout ByteReader) {
        guard let state = bytes.u8(), state >= 1, state <= 4, let cause = bytes.u8(), cause <= 12,
            let hasMark = bytes.u8(), hasMark <= 1, let hasCrash = bytes.u8(), hasCrash <= 1, let code = bytes.i32(),
            let attempts = bytes.u32(), let textSize = bytes.u32(), textSize <= Self.mostText,
            let dataSize = bytes.u64(), let mark = bytes.u64(), let reportSize = bytes.u32(),
            reportSize <= Self.mostReport, let signal = bytes.i32(), let signalCode = bytes.i32(),
            let pid = bytes.i32(),
            let address = bytes.u64(), let frames = bytes.u32(), bytes.u32() == 0,
            // An item that ended well has a result and nothing else; one that did not has a cause.
            state == 1 ? cause == 0 && textSize == 0 && reportSize == 0 && code == 0 : cause != 0,
            state <= 2 || dataSize == 0
        else { return nil }
        self.state = state
        self.cause = cause
        self.hasMark = hasMark == 1
        self.hasCrash = hasCrash == 1
        self.code = code
        self.attempts = attempts
        self.textSize = textSize
        self.dataSize = dataSize
        self.mark = mark
        self.reportSize = reportSize
        self.signal = signal
        self.signalCode = signalCode
        self.pid = pid
        self.address = address
        self.frames = frames
    }
}

/// A message's results, found and checked: every place lies within the bytes, and nothing is left over.
public enum AnswerItems: Equatable, Sendable {
    case even(size: Int)
    case lines([Item])

    public struct Item: Equatable, Sendable {
        public let line: AnswerLine
        public let data: Place
        public let text: Place
        public let report: Place
    }

    /// Nil: head and bytes do not fit.
    public init?(_ head: AnswerHead, _ raw: UnsafeRawBufferPointer) {
        var bytes = unsafe ByteReader(raw)
        let count = UInt64(head.count)
        guard head.kind == .done else { return nil }
        guard !head.isEven else {
            let (size, over) = head.itemSize.multipliedReportingOverflow(by: count)
            // An answer without items may say any size.
            guard !over, size == UInt64(bytes.left), let each = Int(exactly: head.itemSize) else { return nil }
            self = .even(size: each)
            return
        }
        guard count * UInt64(AnswerLine.bytes) <= UInt64(bytes.left) else { return nil }
        var lines: [AnswerLine] = []
        lines.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let line = AnswerLine(&bytes) else { return nil }
            lines.append(line)
        }
        func place(_ size: UInt64) -> Place? {
            let offset = bytes.position
            return bytes.skip(size) ? Place(offset: offset, size: Int(size)) : nil
        }
        var items: [Item] = []
        items.reserveCapacity(Int(count))
        for line in lines {
            guard let data = place(line.dataSize), let text = place(UInt64(line.textSize)),
                let report = place(UInt64(line.reportSize))
            else { return nil }
            items.append(Item(line: line, data: data, text: text, report: report))
        }
        guard bytes.isAtEnd else { return nil }
        self = .lines(items)
    }
}
