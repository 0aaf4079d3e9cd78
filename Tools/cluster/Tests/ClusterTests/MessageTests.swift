import Testing

@testable import Cluster

func with<R>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> R) -> R {
    // Exactly so many bytes, so that a sanitizer sees what is read beyond.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    return body(UnsafeRawBufferPointer(memory))
}

/// Memory of its own.
final class Bytes {
    let memory: UnsafeRawBufferPointer

    init(_ bytes: [UInt8]) {
        let made = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        made.copyBytes(from: bytes)
        memory = UnsafeRawBufferPointer(made)
    }

    deinit { memory.deallocate() }
}

func numbers(_ values: [UInt64]) -> [UInt8] {
    var out = ByteWriter()
    for value in values { out.put(value) }
    return out.bytes
}

@Suite struct WorkTests {
    var head: WorkHead {
        var head = WorkHead()
        head.serial = 7
        head.function = 3
        head.job = 9
        head.first = 1000
        head.count = 3
        head.step = 2
        head.attempts = 4
        head.itemTimeout = 5_000_000
        head.itemSize = 4
        head.data = Hash(Array(0..<32))!
        return head
    }

    @Test func aHeadComesBack() {
        let bytes = head.encoded()
        #expect(bytes.count == WorkHead.bytes)
        #expect(with(bytes) { WorkHead($0) } == head)
    }

    @Test func everyOtherLengthIsRefused() {
        let bytes = head.encoded()
        for count in 0..<bytes.count { #expect(with(Array(bytes[..<count])) { WorkHead($0) } == nil) }
        #expect(with(bytes + [0]) { WorkHead($0) } == nil)
    }

    @Test(arguments: [
        (0, 2), (2, 9), (3, 1), (4, 0),  // version, layout, what is reserved, the count
    ])
    func wrongFields(_ at: Int, _ value: Int) {
        var bytes = head.encoded()
        bytes[at] = UInt8(value)
        #expect(with(bytes) { WorkHead($0) } == nil)
    }

    @Test func indicesDoNotWrap() {
        var head = head
        head.first = .max - 1
        #expect(with(head.encoded()) { WorkHead($0) } == nil)
    }

    @Test func evenItems() {
        #expect(with([UInt8](repeating: 1, count: 12)) { WorkItems(head, $0) } == .even(size: 4))
        #expect(with([UInt8](repeating: 1, count: 11)) { WorkItems(head, $0) } == nil)
        #expect(with([UInt8](repeating: 1, count: 13)) { WorkItems(head, $0) } == nil)
        var large = head
        large.itemSize = .max / 2
        #expect(with([]) { WorkItems(large, $0) } == nil)
    }

    @Test func itemsOfSizes() {
        var head = head
        head.layout = .sizes
        let good = numbers([1, 0, 2]) + [5, 6, 7]
        #expect(
            with(good) { WorkItems(head, $0) }
                == .spans([Place(offset: 24, size: 1), Place(offset: 25, size: 0), Place(offset: 25, size: 2)]))
        #expect(with(good + [1]) { WorkItems(head, $0) } == nil)
        #expect(with(Array(good.dropLast())) { WorkItems(head, $0) } == nil)
        #expect(with(numbers([.max, .max, 2]) + [5, 6, 7]) { WorkItems(head, $0) } == nil)
        #expect(with(numbers([1, 0])) { WorkItems(head, $0) } == nil)
    }

    @Test func itemsOfPieces() {
        var head = head
        head.layout = .pieces
        head.count = 2
        var out = ByteWriter()
        out.put(UInt32(2))
        out.put(UInt32(0))
        let counts = out.bytes
        #expect(
            with(counts + numbers([1, 2]) + [1, 2, 3]) { WorkItems(head, $0) }
                == .pieces([[Place(offset: 24, size: 1), Place(offset: 25, size: 2)], []]))
        #expect(with(counts + numbers([1, 3]) + [1, 2, 3]) { WorkItems(head, $0) } == nil)
        #expect(with(counts) { WorkItems(head, $0) } == nil)
        #expect(with([255, 255, 255, 255, 255, 255, 255, 255]) { WorkItems(head, $0) } == nil)
    }

    @Test func columns() {
        var head = head
        head.layout = .columns
        head.count = 2
        var out = ByteWriter()
        out.put(UInt32(4))
        out.put(UInt64(8))
        out.put(ColumnKind.even.rawValue)
        out.put([UInt8](repeating: 0, count: 16))
        out.put(UInt64(4))
        out.put(ColumnKind.shared.rawValue)
        out.put([UInt8](repeating: 0, count: 4))
        out.put(UInt64(8))
        out.put(ColumnKind.pointed.rawValue)
        out.put(numbers([1, .max]))
        out.put([9])
        out.put(UInt64(8))
        out.put(ColumnKind.pointedShared.rawValue)
        out.put(numbers([2]))
        out.put([9, 8])
        guard case .columns(let columns)? = with(out.bytes, { WorkItems(head, $0) }) else {
            Issue.record("refused")
            return
        }
        #expect(columns.map(\.kind) == [.even, .shared, .pointed, .pointedShared])
        #expect(columns[0].values.size == 16 && columns[1].values.size == 4)
        #expect(columns[2].pointed.count == 2 && columns[2].pointed[0]?.size == 1 && columns[2].pointed[1] == nil)
        for count in 0..<out.bytes.count { #expect(with(Array(out.bytes[..<count])) { WorkItems(head, $0) } == nil) }
        #expect(with(out.bytes + [0]) { WorkItems(head, $0) } == nil)
    }
}

@Suite struct AnswerTests {
    @Test func aHeadComesBack() {
        var head = AnswerHead()
        head.serial = 8
        head.count = 5
        head.took = 77
        head.itemSize = 16
        head.node = "n2"
        head.text = "why"
        let bytes = head.encoded()
        #expect(with(bytes) { AnswerHead($0) } == head)
        for count in 0..<bytes.count { #expect(with(Array(bytes[..<count])) { AnswerHead($0) } == nil) }
        #expect(with(bytes + [0]) { AnswerHead($0) } == nil)
    }

    @Test func linesComeBack() {
        var head = AnswerHead()
        head.isEven = false
        head.count = 3
        var ok = AnswerLine()
        ok.dataSize = 2
        var failed = AnswerLine()
        failed.state = 2
        failed.cause = 1
        failed.code = -4
        failed.dataSize = 1
        failed.textSize = 3
        var crashed = AnswerLine()
        crashed.state = 3
        crashed.cause = 4
        crashed.code = 11
        crashed.signal = 11
        crashed.hasCrash = true
        crashed.hasMark = true
        crashed.mark = 17
        crashed.reportSize = 4
        crashed.textSize = 1
        var out = ByteWriter()
        for line in [ok, failed, crashed] { line.encode(to: &out) }
        #expect(out.bytes.count == 3 * AnswerLine.bytes)
        out.put([1, 2, 3, 97, 98, 99, 120, 114, 101, 112, 111])
        guard case .lines(let items)? = with(out.bytes, { AnswerItems(head, $0) }) else {
            Issue.record("refused")
            return
        }
        #expect(items.map(\.line) == [ok, failed, crashed])
        #expect(items[1].data.offset == 194 && items[1].text == Place(offset: 195, size: 3))
        #expect(items[2].report == Place(offset: 199, size: 4))
        for count in 0..<out.bytes.count { #expect(with(Array(out.bytes[..<count])) { AnswerItems(head, $0) } == nil) }
        #expect(with(out.bytes + [0]) { AnswerItems(head, $0) } == nil)
    }

    @Test func linesThatContradictThemselves() {
        var head = AnswerHead()
        head.isEven = false
        head.count = 1
        func accepted(_ change: (inout AnswerLine) -> Void) -> Bool {
            var line = AnswerLine()
            change(&line)
            var out = ByteWriter()
            line.encode(to: &out)
            return with(out.bytes) { AnswerItems(head, $0) } != nil
        }
        #expect(accepted { _ in })
        #expect(!accepted { $0.state = 0 })
        #expect(!accepted { $0.state = 5 })
        #expect(!accepted { $0.cause = 1 })
        #expect(!accepted { $0.code = 1 })
        #expect(!accepted { $0.state = 2 })
        #expect(
            !accepted {
                $0.state = 3; $0.cause = 13
            })
    }

    @Test func onlyWhatIsDoneHasItems() {
        var head = AnswerHead()
        for kind in [AnswerKind.refused, .returned, .progress] {
            head.kind = kind
            #expect(with([]) { AnswerItems(head, $0) } == nil)
        }
    }

    @Test func onlyARefusalIsOfASetup() {
        var head = AnswerHead()
        head.isSetup = true
        head.kind = .refused
        #expect(with(head.encoded()) { AnswerHead($0) } == head)
        head.kind = .done
        #expect(with(head.encoded()) { AnswerHead($0) } == nil)
    }
}

@Suite struct RecordTests {
    @Test func nodes() {
        var node = NodeRecord(name: "n2", client: 17, lanes: 8, version: 512)
        node.tags = ["gpu", "rack7"]
        node.served = 4
        #expect(NodeRecord(node.text) == node)
        #expect(NodeRecord(node.text + " later=1") == node)
        for wrong in [
            "", "name=n2", "name=a:b client=1 lanes=1 version=1", "name=a client=-1 lanes=1 version=1",
            "name=a client=1 lanes=70000 version=1", "x", String(repeating: "x", count: 5000),
        ] {
            #expect(NodeRecord(wrong) == nil)
        }
    }

    @Test func piecesOfLargeValues() {
        #expect(Pieces(100, limit: 100).count == 0 && Pieces(0, limit: 100).count == 0)
        for size in [101, 199, 200, 201, 1000] {
            let pieces = Pieces(size, limit: 100)
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 7) }
            let keeper = Bytes(bytes)
            for whole in [Argument.bytes(bytes), .memory(unsafe Memory(keeper.memory, keeper: keeper))] {
                var stored: [String: [UInt8]] = [:]
                let left = pieces.stored(
                    whole, seconds: 9,
                    by: { command in
                        guard case .text(let key) = command[1] else { return }
                        switch command[2] {
                        case .bytes(let part): stored[key] = part
                        case .memory(let part): stored[key] = unsafe [UInt8](part.bytes)
                        case .text: break
                        }
                    }
                ) { "k\($0)" }
                #expect(left.count == 0 && stored.count == pieces.count && stored.values.allSatisfy { $0.count <= 100 })
                #expect((0..<pieces.count).flatMap { stored["k\($0)"] ?? [] } == bytes)
            }
        }
        for wrong in ["0", "-1", "", "x", "4097", "1000000000000"] { #expect(Pieces.number(wrong) == nil) }
    }

    @Test func tagsThatAPoolNeeds() {
        var node = NodeRecord(name: "n2", client: 17, lanes: 8, version: 512)
        node.tags = ["gpu", "cpython-3.11-mapengine-0.2.0"]
        #expect(node.has([]) && node.has(["gpu"]) && node.has(["cpython-3.11-mapengine-0.2.0", "gpu"]))
        #expect(!node.has(["gpu", "cpython-3.12-mapengine-0.2.0"]))
    }

    @Test func pools() {
        var pool = PoolRecord()
        #expect(pool.text == "1" && PoolRecord("1") == pool)
        pool.needs = ["gpu", "rack7"]
        pool.isSandboxed = true
        pool.memoryLimit = 1 << 40
        pool.growth = 7
        #expect(PoolRecord(pool.text) == pool)
        #expect(PoolRecord(pool.text + " later=1") == pool)
        for wrong in [
            "", "0", "2", "1 needs", "1 needs=a,,b", "1 needs=a:b", "1 needs=", "1 sandbox=x", "1 memory=-1",
            "1 needs=" + Array(repeating: "a", count: 17).joined(separator: ","), String(repeating: "1", count: 5000),
        ] {
            #expect(PoolRecord(wrong) == nil, "\(wrong.prefix(40))")
        }
    }

    @Test func functions() {
        var record = FunctionRecord()
        record.module = Hash(Array(0..<32))!
        record.run = "run"
        record.library = "libx.so"
        #expect(FunctionRecord(Dictionary(uniqueKeysWithValues: record.fields)) == record)
        var fields = Dictionary(uniqueKeysWithValues: record.fields)
        fields["range"] = "both"
        #expect(FunctionRecord(fields) == nil)
        fields["range"] = ""
        fields["module"] = "00"
        #expect(FunctionRecord(fields) == nil)
        #expect(FunctionRecord([:]) == nil)
        var offered = FunctionRecord()
        offered.isOffered = true
        offered.runRange = "python"
        fields = Dictionary(uniqueKeysWithValues: offered.fields)
        #expect(FunctionRecord(fields) == offered)
        fields["setup"] = "mine"
        #expect(FunctionRecord(fields) == nil)
    }

    @Test func globals() {
        let blob = Globals.encode([(Array("a".utf8), [1, 2]), (Array("bb".utf8), [])])
        let found = with(blob) { Globals.decode($0) }
        #expect(found?.count == 2 && found?[1].name == Array("bb".utf8) && found?[0].place.size == 2)
        for count in 0..<blob.count { #expect(with(Array(blob[..<count])) { Globals.decode($0) == nil }) }
        #expect(with(blob + [0]) { Globals.decode($0) == nil })
    }

    @Test func control() {
        for one in [Control.pool("p1"), .gone("p1"), .stop(pool: "p1", serial: 9)] { #expect(Control(one.text) == one) }
        for wrong in ["", "pool", "pool a b", "stop a", "stop a -1", "stop a 1 2", "pool {x}", "what a"] {
            #expect(Control(wrong) == nil)
        }
    }

    @Test func hashes() {
        let hash = Hash(Array(100..<132))!
        #expect(Hash(hex: hash.description) == hash)
        #expect(Hash(hex: hash.description.uppercased()) == nil)
        #expect(Hash(hex: "00") == nil)
    }
}

/// Bytes that are nearly right: what a server or node that is broken, or hostile, may send. Nothing may be read beyond its end, and what
/// is accepted lies within the bytes.
@Suite struct MadeInputTests {
    @Test(arguments: 0..<20) func parsersSurvive(_ seed: Int) {
        var random = Seeded(UInt64(seed))
        for _ in 0..<1000 {
            var bytes = Fuzz.made(&random)
            Fuzz.change(&bytes, &random)
            with(bytes) { Fuzz.messages($0) }
        }
    }

    @Test(arguments: 0..<20) func theReaderSurvives(_ seed: Int) {
        var random = Seeded(UInt64(seed))
        for _ in 0..<300 {
            var bytes = Fuzz.replies(&random)
            Fuzz.change(&bytes, &random)
            with(bytes) { Fuzz.server($0) }
        }
    }
}
