// What a connection has to write: small parts are joined, large ones stay where they are.

/// Memory that stays as long as its keeper.
@safe public struct Memory {
    public let bytes: UnsafeRawBufferPointer
    let keeper: AnyObject

    public init(_ bytes: UnsafeRawBufferPointer, keeper: AnyObject) {
        unsafe self.bytes = bytes
        self.keeper = keeper
    }

    public var count: Int { unsafe bytes.count }

    func part(_ range: Range<Int>) -> Memory {
        unsafe Memory(UnsafeRawBufferPointer(rebasing: bytes[range]), keeper: keeper)
    }
}

/// A queue of bytes.
struct Output {
    private enum Part {
        case bytes([UInt8])
        case memory(Memory)

        var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .memory(let memory): memory.count
            }
        }

        func read<R>(from offset: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
            switch self {
            case .bytes(let bytes):
                unsafe bytes.withUnsafeBytes { unsafe body(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
            case .memory(let memory): unsafe body(UnsafeRawBufferPointer(rebasing: memory.bytes[offset...]))
            }
        }
    }

    /// From this size on a part is not copied.
    private static let large = 16384

    private var parts: [Part] = []
    private var firstPart = 0
    private var offset = 0
    private(set) var count = 0

    private mutating func append(_ bytes: some Collection<UInt8>) {
        count += bytes.count
        if parts.count > firstPart + (offset > 0 ? 1 : 0), case .bytes(var last) = parts[parts.count - 1],
            last.count < 65536
        {
            // Taken out first, so that there is one owner, and no copy.
            parts[parts.count - 1] = .bytes([])
            last.append(contentsOf: bytes)
            parts[parts.count - 1] = .bytes(last)
        } else {
            parts.append(.bytes(Array(bytes)))
        }
    }

    /// Appends a command, as RESP has it.
    mutating func command(_ command: [Argument]) {
        append("*\(command.count)\r\n".utf8)
        for argument in command {
            append("$\(argument.count)\r\n".utf8)
            switch argument {
            case .text(let text): append(text.utf8)
            case .bytes(let bytes):
                if bytes.count < Self.large {
                    append(bytes)
                } else {
                    parts.append(.bytes(bytes))
                    count += bytes.count
                }
            case .memory(let memory):
                if memory.count < Self.large {
                    unsafe append(memory.bytes)
                } else {
                    parts.append(.memory(memory))
                    count += memory.count
                }
            }
            append("\r\n".utf8)
        }
    }

    /// The first bytes, in one or two pieces. There are some.
    func first<R>(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> R) -> R {
        unsafe parts[firstPart].read(from: offset) { first in
            guard parts.count > firstPart + 1 else {
                return unsafe body(first, UnsafeRawBufferPointer(start: nil, count: 0))
            }
            return unsafe parts[firstPart + 1].read(from: 0) { unsafe body(first, $0) }
        }
    }

    mutating func drop(_ bytes: Int) {
        count -= bytes
        offset += bytes
        while firstPart < parts.count, offset >= parts[firstPart].count {
            offset -= parts[firstPart].count
            parts[firstPart] = .bytes([])
            firstPart += 1
        }
        if firstPart == parts.count {
            parts.removeAll(keepingCapacity: true)
            firstPart = 0
        } else if firstPart > 256 {
            parts.removeFirst(firstPart)
            firstPart = 0
        }
    }
}
