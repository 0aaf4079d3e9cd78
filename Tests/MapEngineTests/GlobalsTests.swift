// Tables of globals: what the host sets is what a worker's own code finds, whatever was set before and since.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct GlobalsTests {
    static func table(_ bench: Bench, _ values: [(UserText, [UInt8])]) throws -> Globals {
        var table: Globals?
        for (name, bytes) in values {
            let value = try Globals.Value(name, bytes, bytes.count, input: bench.input)
            table = try Globals.setting(value, in: table, bench.input)
        }
        return try #require(table)
    }

    /// What a worker finds under a name.
    static func find(_ bench: Bench, _ table: Globals?, _ name: UserText) -> [UInt8]? {
        bench.task.pointee.globals = table?.block.offset ?? 0
        var size = 99
        guard let found = name.withCString({ mape_task_global(&size, bench.task, $0) }) else {
            #expect(size == 0)
            return nil
        }
        return Array(UnsafeRawBufferPointer(start: found, count: size))
    }

    @Test func globalsAreFoundByTheirWholeName() throws {
        let bench = try Bench()
        let names: [UserText] = ["scene", "scene2", "", "Szene\u{e4}"]
        let table = try Self.table(bench, names.enumerated().map { ($1, [UInt8](repeating: UInt8($0), count: $0 + 1)) })
        for (i, name) in names.enumerated() {
            #expect(Self.find(bench, table, name) == [UInt8](repeating: UInt8(i), count: i + 1))
        }
        #expect(Self.find(bench, table, "scen") == nil)
        #expect(mape_task_global(nil, bench.task, nil) == nil)
        #expect(Self.find(bench, nil, "scene") == nil)
    }

    /// Names that are one text to Unicode are two names here.
    @Test func namesAreBytes() throws {
        let bench = try Bench()
        let table = try Self.table(bench, [("\u{e9}", [1]), ("e\u{301}", [2])])
        #expect(table.count == 2)
        #expect(Self.find(bench, table, "\u{e9}") == [1])
        #expect(Self.find(bench, table, "e\u{301}") == [2])
    }

    @Test func globalsGiveTheirMemoryBackWithTheirLastTable() throws {
        let input = try smallInput()
        do {
            let bytes = [UInt8](repeating: 1, count: 100)
            var tables: [Globals] = []
            tables.append(try Globals(Globals.Value("a", bytes, 100, input: input), input: input))
            tables.append(try tables[0].setting(Globals.Value("b", bytes, 100, input: input)))
            let before = input.used
            tables.removeFirst()
            #expect(input.used < before && input.used > 0)
            #expect(try tables[0].removing(Globals.Key("b"))?.count == 1)
        }
        #expect(input.used == 0)
    }

    @Test(arguments: seeds)
    func behavesLikeADictionary(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let bench = try Bench()
        let before = bench.input.used
        var table: Globals?
        var model: [UserText: [UInt8]] = [:]
        var older: [(Globals?, [UserText: [UInt8]])] = []
        for round in 0..<1500 {
            let name = UserText("name\(Int.random(in: 0..<300, using: &random))")
            if random.chance(65) {
                let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { UInt8(truncatingIfNeeded: $0 + round) }
                table = try Globals.setting(
                    Globals.Value(name, bytes, bytes.count, input: bench.input), in: table, bench.input)
                model[name] = bytes
            } else {
                table = try table?.removing(Globals.Key(name))
                model[name] = nil
            }
            #expect(table?.count ?? 0 == model.count)
            #expect(table?.bytes ?? 0 == model.values.reduce(0) { $0 + UInt64($1.count) })
            #expect(Self.find(bench, table, name) == model[name])
            if random.chance(1) { older.append((table, model)) }
        }
        // Tables do not change once they are made.
        older.append((table, model))
        for (table, model) in older {
            for i in 0..<300 {
                let name = UserText("name\(i)")
                #expect(Self.find(bench, table, name) == model[name])
            }
            #expect(Set(table?.values.map { $0.name } ?? []) == Set(model.keys))
        }
        table = nil
        older = []
        #expect(bench.input.used == before)
    }

    /// Texts whose 64 bits of FNV-1a are the same.
    @Test func namesOfOneHashAreToldApart() throws {
        let (a, b): (UserText, UserText) = ("8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ")
        try #require(Globals.Key(a).hash == Globals.Key(b).hash)
        let bench = try Bench()
        let before = bench.input.used
        do {
            var table = try Self.table(bench, [(a, [1]), ("x", [9]), (b, [2])])
            #expect(table.count == 3)
            #expect(Self.find(bench, table, a) == [1] && Self.find(bench, table, b) == [2])
            for (name, bytes) in [(a, [3]), (b, [4, 4])] as [(UserText, [UInt8])] {
                table = try table.setting(Globals.Value(name, bytes, bytes.count, input: bench.input))
                #expect(table.count == 3 && Self.find(bench, table, name) == bytes)
            }
            #expect(Self.find(bench, table, a) == [3])
            let withoutA = try #require(try table.removing(Globals.Key(a)))
            #expect(Self.find(bench, withoutA, a) == nil && Self.find(bench, withoutA, b) == [4, 4])
            let withoutB = try #require(try table.removing(Globals.Key(b)))
            #expect(Self.find(bench, withoutB, b) == nil && Self.find(bench, withoutB, a) == [3])
            #expect(Self.find(bench, withoutB, "x") == [9] && table.bytes == 4)
        }
        bench.task.pointee.globals = 0
        #expect(bench.input.used == before)
    }
}
