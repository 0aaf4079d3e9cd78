// What fuzzers and tests feed to the parsers. It is in the library, as the parsers' own tests are with libFuzzer; programs do not call it.

/// A generator of numbers that begins where it is told.
public struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    public init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

    public mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_f491_4f6c_dd1d
    }
}

public enum Fuzz {
    /// Reads every place of what was accepted, and fails when one lies outside.
    private static func check(_ place: Place, _ bytes: UnsafeRawBufferPointer) {
        precondition(place.offset >= 0 && place.size >= 0 && place.offset + place.size <= bytes.count)
        if place.size > 0 { precondition(unsafe bytes[place.offset] | bytes[place.offset + place.size - 1] >= 0) }
    }

    /// The first byte says which parser; a message's head and its bytes follow one another.
    public static func messages(_ raw: UnsafeRawBufferPointer) {
        guard let which = unsafe raw.first else { return }
        let rest = unsafe UnsafeRawBufferPointer(rebasing: raw[1...])
        switch which % 6 {
        case 0: unsafe work(rest)
        case 1: unsafe answer(rest)
        case 2: for global in unsafe Globals.decode(rest) ?? [] { unsafe check(global.place, rest) }
        case 3:
            let text = unsafe String(decoding: rest, as: UTF8.self)
            if let node = NodeRecord(text) { precondition(NodeRecord(node.text) == node) }
            if let pool = PoolRecord(text) { precondition(PoolRecord(pool.text) == pool) }
            if let control = Control(text) { precondition(Control(control.text) == control) }
        case 4: _ = try? unsafe ClusterURL(String(decoding: rest, as: UTF8.self), isLoopback: { _ in true })
        default:
            var fields: [String: String] = [:]
            for line in unsafe String(decoding: rest, as: UTF8.self).split(separator: "\n") {
                let name = line.prefix { $0 != "=" }
                fields[String(name)] = String(line.dropFirst(name.count + 1))
            }
            if let record = FunctionRecord(fields) {
                precondition(FunctionRecord(Dictionary(uniqueKeysWithValues: record.fields)) == record)
            }
        }
    }

    private static func work(_ raw: UnsafeRawBufferPointer) {
        guard raw.count >= WorkHead.bytes else { return }
        let head = unsafe WorkHead(UnsafeRawBufferPointer(rebasing: raw[..<WorkHead.bytes]))
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: raw[WorkHead.bytes...])
        guard let head, let items = unsafe WorkItems(head, bytes) else { return }
        switch items {
        case .even(let size): precondition(size * Int(head.count) == bytes.count)
        case .spans(let places):
            precondition(places.count == Int(head.count))
            for place in places { unsafe check(place, bytes) }
        case .pieces(let all):
            precondition(all.count == Int(head.count))
            for place in all.joined() { unsafe check(place, bytes) }
        case .columns(let columns):
            for column in columns {
                unsafe check(column.values, bytes)
                for case .some(let place) in column.pointed { unsafe check(place, bytes) }
            }
        }
    }

    private static func answer(_ raw: UnsafeRawBufferPointer) {
        var reader = unsafe ByteReader(raw)
        guard let size = reader.u16(), let headBytes = unsafe reader.take(UInt64(size)),
            let head = unsafe AnswerHead(headBytes), let bytes = unsafe reader.take(UInt64(reader.left)),
            let items = unsafe AnswerItems(head, bytes)
        else { return }
        switch items {
        case .even(let size): precondition(size * Int(head.count) == bytes.count)
        case .lines(let lines):
            precondition(lines.count == Int(head.count))
            for line in lines {
                unsafe check(line.data, bytes)
                unsafe check(line.text, bytes)
                unsafe check(line.report, bytes)
            }
        }
    }

    /// What a server sends: read in pieces, and every reply looked at to its end.
    public static func server(_ raw: UnsafeRawBufferPointer) {
        let bytes = unsafe [UInt8](raw)
        // An even one reads all strings but the shortest as large ones.
        let step = max(1, Int(bytes.first ?? 1))
        guard let reader = ReplyReader(large: step % 2 == 0 ? 8 : 4096) else { return }
        do throws(Refusal) {
            for start in stride(from: 1, to: bytes.count, by: step) {
                let part = Array(bytes[start..<min(start + step, bytes.count)])
                try reader.feed(part, count: part.count)
                while let reply = try reader.next() { look(reply, 0) }
            }
        } catch {
            precondition(!error.text.isEmpty)
        }
    }

    private static func look(_ reply: Reply, _ depth: Int) {
        precondition(depth < 16)
        if let error = reply.error { _ = Refusal(reply: error, to: "GET", user: nil, prefix: "x").text }
        unsafe reply.read { bytes in
            unsafe messages(bytes)
        }
        _ = reply.text
        for i in 0..<reply.count {
            guard let element = reply[i] else { continue }
            look(element, depth + 1)
        }
    }

    // MARK: - Inputs that are made

    private static func pick(_ random: inout Seeded, _ most: UInt64) -> UInt64 { .random(in: 0...most, using: &random) }

    /// A message that is right.
    public static func made(_ random: inout Seeded) -> [UInt8] {
        let count = UInt32(pick(&random, 4) + 1)
        var out = ByteWriter()
        switch pick(&random, 4) {
        case 0:
            var head = WorkHead()
            head.count = count
            head.serial = pick(&random, 100)
            head.layout = ItemLayout(rawValue: UInt8(pick(&random, 3))) ?? .even
            head.itemSize = head.layout == .even ? pick(&random, 9) : 0
            out.put(UInt8(0))
            out.put(head.encoded())
            workBytes(head, &out, &random)
        case 1:
            var head = AnswerHead()
            head.count = count
            head.isEven = pick(&random, 1) == 0
            head.itemSize = head.isEven ? pick(&random, 9) : 0
            head.node = "n1"
            let bytes = head.encoded()
            out.put(UInt8(1))
            out.put(UInt16(bytes.count))
            out.put(bytes)
            if head.isEven {
                out.put([UInt8](repeating: 7, count: Int(count) * Int(head.itemSize)))
            } else {
                var sizes = 0
                for _ in 0..<count {
                    var line = AnswerLine()
                    line.state = UInt8(pick(&random, 3) + 1)
                    if line.state > 1 {
                        line.cause = 4
                        line.textSize = UInt32(pick(&random, 5))
                    }
                    if line.state <= 2 { line.dataSize = pick(&random, 9) }
                    sizes += Int(line.dataSize) + Int(line.textSize)
                    line.encode(to: &out)
                }
                out.put([UInt8](repeating: 7, count: sizes))
            }
        case 2:
            out.put(UInt8(2))
            out.put(Globals.encode([([97], [1, 2, 3]), ([98, 99], [])]))
        case 3:
            out.put(UInt8(3))
            if pick(&random, 2) == 0 {
                out.put("1 needs=a,b sandbox=1 memory=5 growth=6".utf8)
            } else {
                out.put(NodeRecord(name: "n1", client: 3, lanes: 4, version: 2).text.utf8)
            }
        default:
            out.put(UInt8(4))
            out.put("rediss://u:p@h:1,[::1]:2/x?ca=a&cert=b&key=c".utf8)
        }
        return out.bytes
    }

    private static func workBytes(_ head: WorkHead, _ out: inout ByteWriter, _ random: inout Seeded) {
        switch head.layout {
        case .even: out.put([UInt8](repeating: 7, count: Int(head.count) * Int(head.itemSize)))
        case .sizes, .pieces:
            var sizes: [UInt64] = []
            for _ in 0..<head.count {
                let pieces = head.layout == .pieces ? pick(&random, 3) : 1
                if head.layout == .pieces { out.put(UInt32(pieces)) }
                for _ in 0..<pieces { sizes.append(pick(&random, 9)) }
            }
            for size in sizes { out.put(size) }
            out.put([UInt8](repeating: 7, count: Int(sizes.reduce(0, +))))
        case .columns:
            out.put(UInt32(1))
            out.put(UInt64(4))
            out.put(ColumnKind.pointed.rawValue)
            for i in 0..<head.count { out.put(i == 0 ? UInt64.max : UInt64(1)) }
            out.put([UInt8](repeating: 7, count: Int(head.count) - 1))
        }
    }

    /// What a server might send.
    public static func replies(_ random: inout Seeded) -> [UInt8] {
        var out = ByteWriter()
        out.put(UInt8(pick(&random, 20)))
        for _ in 0...pick(&random, 3) { reply(&out, &random, 0) }
        return out.bytes
    }

    private static func reply(_ out: inout ByteWriter, _ random: inout Seeded, _ depth: Int) {
        switch pick(&random, depth < 4 ? 6 : 4) {
        case 0: out.put("+OK\r\n".utf8)
        case 1: out.put("-NOPERM no 'xadd' for you\r\n".utf8)
        case 2: out.put(":\(pick(&random, .max / 2))\r\n".utf8)
        case 3: out.put("$-1\r\n".utf8)
        case 4:
            let bytes = made(&random)
            out.put("$\(bytes.count)\r\n".utf8)
            out.put(bytes)
            out.put("\r\n".utf8)
        default:
            let count = pick(&random, 3)
            out.put("*\(count)\r\n".utf8)
            for _ in 0..<count { reply(&out, &random, depth + 1) }
        }
    }

    /// Changes some bytes, takes some away, or doubles some.
    public static func change(_ bytes: inout [UInt8], _ random: inout Seeded) {
        for _ in 0..<pick(&random, 4) where !bytes.isEmpty {
            let at = Int(pick(&random, UInt64(bytes.count - 1)))
            switch pick(&random, 5) {
            case 0: bytes[at] = UInt8(pick(&random, 255))
            case 1: bytes[at] ^= 1 << UInt8(pick(&random, 7))
            case 2: bytes.removeLast(bytes.count - at)
            case 3: bytes.insert(contentsOf: bytes[..<at], at: at)
            case 4: bytes[at] = 255
            default: bytes.append(0)
            }
        }
    }
}
