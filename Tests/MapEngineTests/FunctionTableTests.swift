import CMapBridge
import Testing

@testable import MapEngine

@Suite struct FunctionTableTests {
    let input: InputMemory

    init() throws { input = try smallInput() }

    /// Adds a function as a pool does.
    func added(_ table: inout FunctionTable) throws -> Function {
        let (id, line) = table.next
        let function = try Function.make(describe(run: emptyRun), input: input, isFork: true, snapshot: true)
            .function(id, line: line, input)
        table.add(function)
        return function
    }

    @Test func idsCountFromOne() throws {
        var table = FunctionTable(most: 10)
        let ids = try (0..<3).map { _ in try added(&table).id }
        #expect(ids == [1, 2, 3])
        #expect(table[0] == nil && table[4] == nil && table[.max] == nil)
        #expect(table[2]?.id == 2 && table.loaded.map { $0.id } == [1, 2, 3])
    }

    @Test func aLineIsUsedAgainAndAnIdIsNot() throws {
        var table = FunctionTable(most: 10)
        let first = try added(&table)
        let other = try added(&table)
        table.remove(first)
        let second = try added(&table)
        #expect(second.line == first.line && second.id != first.id)
        #expect(table[first.id] == nil && table[second.id] === second && table[other.id] === other)
    }

    @Test func anotherNameLeadsToItsFunctionAndIsCountedApart() throws {
        var table = FunctionTable(most: 10)
        let function = try added(&table)
        let other = try added(&table)
        let id = table.add(alias: "another", of: function, function.id)
        #expect(table[id] === function && table.alias(id)?.name == "another" && table.alias(function.id) == nil)
        #expect(table.loaded.map { $0.id } == [function.id, other.id])
        #expect(!table.remove(alias: function.id) && table.remove(alias: id))
        #expect(table[id] == nil && table[function.id] === function)
        let second = table.add(alias: nil, of: function, function.id)
        #expect(second != id && !table.remove(alias: id))
        #expect(table.alias(second)?.whole === function.work && table.alias(second)?.name == function.name)
        table.remove(function)
        #expect(table[second] == nil && table[other.id] === other)
        // Its lines are used again.
        #expect(table.count == 3)
        _ = (try added(&table), try added(&table))
        #expect(table.count == 3)
    }

    @Test func aFunctionThatTakesNoMoreJobsIsNotFoundAndStillLoaded() throws {
        var table = FunctionTable(most: 10)
        let function = try added(&table)
        function.life.stage = .closed
        #expect(table[function.id] == nil && table.loaded.count == 1)
        function.life.stage = .leaving
        #expect(table[function.id] == nil && table.loaded.isEmpty)
    }

    /// What a pool takes that registers and unregisters for ever, and whether an id comes back: at 1,000 and at 100,000.
    @Test(arguments: [1000, 100_000]) func manyFunctionsInTurnTakeFewLines(count: Int) throws {
        var table = FunctionTable(most: 1000)
        var last: UInt32 = 0
        var seen = Set<UInt32>()
        for _ in 0..<count {
            let function = try added(&table)
            #expect(function.id != last && seen.insert(function.id).inserted)
            last = function.id
            table.remove(function)
            function.free(input)
        }
        #expect(table.count <= 1 + count / 4096)
    }

    @Test func aTableThatIsFullHasRoomAgain() throws {
        var table = FunctionTable(most: 2)
        let first = try added(&table)
        _ = try added(&table)
        #expect(!table.hasRoom)
        table.remove(first)
        #expect(table.hasRoom)
    }
}
