// Registering functions: what is refused, with the argument at fault, and gives all memory back.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct FunctionTests {
    struct Wrong: Sendable, CustomTestStringConvertible {
        let field: String
        let change: @Sendable (inout mape_function) -> Void
        var testDescription: String { field }
    }

    static let someRange: mape_run_range_fn = { _, _, _ in 0 }
    static func text(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    @Test(arguments: [
        Wrong(field: "run") { _ in },
        Wrong(field: "run") {
            $0.run = emptyRun
            $0.run_range = someRange
        },
        Wrong(field: "library") {
            $0.run = emptyRun
            $0.library = text("libm.so.6")
            $0.run_symbol = text("sin")
        },
        Wrong(field: "library") {
            $0.run = emptyRun
            $0.setup_symbol = text("sin")
        },
        Wrong(field: "run_symbol") { $0.library = text("libm.so.6") },
        Wrong(field: "run_symbol") {
            $0.library = text("libm.so.6")
            $0.run_symbol = text("sin")
            $0.run_range_symbol = text("cos")
        },
        Wrong(field: "data") {
            $0.run = emptyRun
            $0.data_size = 8
        },
        Wrong(field: "data_size") {
            $0.run = emptyRun
            $0.data = UnsafeRawPointer(text("bytes"))
        },
    ])
    func aWrongDescriptionNamesItsFieldAndKeepsNoMemory(_ wrong: Wrong) throws {
        let input = try smallInput()
        var description = describe()
        wrong.change(&description)
        // Pointers of this process are good only in a snapshot; a bare data pointer never is in these.
        let snapshot = wrong.field != "data_size"
        let error = mapError {
            try Function.make(description, id: 1, input: input, isFork: true, snapshot: snapshot)
        }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue || (wrong.field == "data_size" && error != nil))
        if error?.status == MAPE_E_ARGUMENT.rawValue {
            #expect(error?.message.hasPrefix("function.\(wrong.field) ") == true)
        }
        #expect(input.used == 0)
    }

    @Test func namesComeFromTheDescriptionOrTheSymbolOrTheNumber() throws {
        let input = try smallInput()
        func name(_ change: (inout mape_function) -> Void) throws -> String {
            var description = describe()
            change(&description)
            return try Function.make(description, id: 7, input: input, isFork: true, snapshot: true).name
        }
        #expect(try name { $0.run = emptyRun } == "function 7")
        #expect(
            try name {
                $0.run = emptyRun
                $0.name = Self.text("shade")
            } == "shade")
        #expect(
            try name {
                $0.library = Self.text("libshade.so")
                $0.run_symbol = Self.text("shade_run")
            } == "shade_run")
    }

    @Test func dataIsCopied() throws {
        let input = try smallInput()
        var description = describe(run: emptyRun)
        var bytes: [UInt8] = [1, 2, 3, 4, 5]
        let function = try bytes.withUnsafeBytes {
            description.data = $0.baseAddress
            description.data_size = 5
            return try Function.make(description, id: 1, input: input, isFork: true, snapshot: true)
        }
        bytes = []
        let record = input.at(function.record.offset, as: mapb_function.self).pointee
        #expect(record.data_size == 5 && record.data_is_pointer == 0)
        #expect(Array(UnsafeBufferPointer(start: input.base + Int(record.data), count: 5)) == [1, 2, 3, 4, 5])
    }

    @Test func onlyTheFirstFailureCounts() throws {
        let function = try Function.make(
            describe(run: emptyRun), id: 1, input: smallInput(), isFork: true, snapshot: true)
        let first = Outcome.crashed()
        function.fail(first)
        function.fail(.cancelled())
        #expect(function.failure === first)
    }

    /// A size_t above half an address space arrives as a negative number. In a process of its own, since it must not trap.
    @Test func aDataSizeBeyondMemoryIsRefused() async {
        await #expect(processExitsWith: .success) {
            let input = try smallInput()
            var description = describe(run: emptyRun)
            description.data = UnsafeRawPointer(input.base)
            description.data_size = -1
            guard mapError({ try Function.make(description, id: 1, input: input, isFork: true, snapshot: true) }) != nil
            else {
                throw Accepted()
            }
        }
    }
}

struct Accepted: Error {}
