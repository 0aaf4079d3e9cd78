import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct PoolConfigTests {
    static func with(_ change: (inout mape_pool_config) -> Void) throws -> PoolConfig {
        var config = mape_pool_config()
        config.struct_size = MemoryLayout<mape_pool_config>.size
        change(&config)
        return try PoolConfig(config)
    }

    /// Runs `body` with a C array of C texts, ended with NULL.
    static func withTexts<R>(_ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) throws -> R) rethrows
        -> R
    {
        let array = CTextArray(texts.map { UserText($0) })
        defer { withExtendedLifetime(array) {} }
        return try body(UnsafeRawPointer(array.pointers).assumingMemoryBound(to: UnsafePointer<CChar>?.self))
    }

    @Test func zeroMeansTheDefaults() throws {
        let config = try Self.with { _ in }
        #expect(config.workers == usableCores())
        #expect(config.start == MAPE_START_EXEC)
        #expect(config.output == MAPE_OUTPUT_INHERIT)
        #expect(config.limits.restarts == 5)
        #expect(config.limits.setupTimeout == 60_000_000_000)
        #expect(config.limits.cleanupTimeout == 5_000_000_000)
        #expect(config.limits.grace == 2_000_000_000)
        #expect(config.inputReserve == min(64 << 30, usableMemory()))
        #expect(config.outputReserve == min(16 << 30, usableMemory() / 2))
        #expect(config.limits.itemsPerWorker == 0)
        #expect(config.process.memoryLimit == 0)
        #expect(config.process.nice == 0)
        #expect(!config.process.pin)
        #expect(!config.process.coreDumps)
        #expect(config.process.oomScore == 500)
        #expect(config.limits.memoryGrowth == 0)
        #expect(config.process.sandbox == MAPE_SANDBOX_NONE)
        #expect(config.zygote.path == nil)
        #expect(config.zygote.arguments == nil)
        #expect(config.zygote.modules.isEmpty)
        #expect(config.zygote.environmentSet.isEmpty)
        #expect(config.zygote.environmentUnset.isEmpty)
    }

    @Test func whatIsGivenIsTaken() throws {
        let config = try Self.with {
            $0.workers = 1024
            $0.start = MAPE_START_FORK.rawValue
            $0.output = MAPE_OUTPUT_DISCARD.rawValue
            $0.restarts = 9
            $0.nice = 19
            $0.pin = 1
            $0.setup_timeout_ns = 7
            $0.input_reserve = 1 << 46
            $0.output_reserve = 12345
            $0.core_dumps = 1
            $0.oom_score_adj = 1000
            $0.memory_growth = .max
        }
        #expect(config.process.coreDumps)
        #expect(config.process.oomScore == 1000)
        #expect(config.limits.memoryGrowth == .max)
        #expect(config.workers == 1024)
        #expect(config.start == MAPE_START_FORK)
        #expect(config.output == MAPE_OUTPUT_DISCARD)
        #expect(config.limits.restarts == 9)
        #expect(config.process.nice == 19)
        #expect(config.process.pin)
        #expect(config.limits.setupTimeout == 7)
        #expect(config.inputReserve == 1 << 46)
        #expect(config.outputReserve == 12345)
    }

    @Test(arguments: [-1, Int64.min])
    func negativeTimesMeanNone(time: Int64) throws {
        let config = try Self.with {
            $0.setup_timeout_ns = time
            $0.cleanup_timeout_ns = time
            $0.grace_ns = time
        }
        #expect(config.limits.setupTimeout == .max)
        #expect(config.limits.cleanupTimeout == .max)
        #expect(config.limits.grace == .max)
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        let field: String
        let change: @Sendable (inout mape_pool_config) -> Void
        var testDescription: String { field }
    }

    @Test(arguments: [
        Wrong(field: "workers") { $0.workers = 1025 },
        Wrong(field: "workers") { $0.workers = .max },
        Wrong(field: "start") { $0.start = 2 },
        Wrong(field: "output") { $0.output = 4 },
        Wrong(field: "interruptible") { $0.interruptible = 2 },
        Wrong(field: "nice") { $0.nice = 20 },
        Wrong(field: "nice") { $0.nice = -1 },
        Wrong(field: "pin") { $0.pin = 2 },
        Wrong(field: "input_reserve") { $0.input_reserve = 1 << 46 + 1 },
        Wrong(field: "output_reserve") { $0.output_reserve = .max },
    ])
    func aWrongFieldIsNamed(_ wrong: Wrong) {
        let error = mapError { try Self.with(wrong.change) }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue)
        #expect(error?.message.hasPrefix("config.\(wrong.field) ") == true)
    }

    @Test(arguments: ["NAME", "", "=value"])
    func aTextThatSetsNoVariableIsRefused(text: String) {
        let error = mapError { try Self.withTexts(["A=1", text]) { texts in try Self.with { $0.env_set = texts } } }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue)
        #expect(error?.message.hasPrefix("config.env_set ") == true)
    }

    @Test(arguments: ["NAME=value", "", "="])
    func aTextThatIsNoNameIsRefused(text: String) {
        let error = mapError { try Self.withTexts(["A", text]) { texts in try Self.with { $0.env_unset = texts } } }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue)
        #expect(error?.message.hasPrefix("config.env_unset ") == true)
    }

    @Test func thirtyTwoModulesAreTheMost() throws {
        let names = (0..<33).map { "lib\($0).so" }
        let config = try Self.withTexts(Array(names.prefix(32))) { texts in try Self.with { $0.modules = texts } }
        #expect(config.zygote.modules == names.prefix(32).map { UserText($0) })
        let error = mapError { try Self.withTexts(names) { texts in try Self.with { $0.modules = texts } } }
        #expect(error?.message.hasPrefix("config.modules ") == true)
    }

    /// A program is started with its name at least.
    @Test func anEmptyArgumentListIsRefused() throws {
        let error = mapError { try Self.withTexts([]) { texts in try Self.with { $0.zygote_argv = texts } } }
        #expect(error?.message.hasPrefix("config.zygote_argv ") == true)
    }

    @Test func theHostsEnvironmentIsPassedOn() throws {
        let config = try Self.with { _ in }
        let host = try #require(getenv("PATH"))
        #expect(config.environment().contains("PATH=" + UserText(host)))
    }

    @Test func variablesAreSetReplacedAndTakenAway() throws {
        var config = try Self.with { _ in }
        let names = config.environment().map { UserText(bytes: $0.variableName) }
        #expect(names.contains("PATH") && names.contains("HOME"))
        config.zygote.environmentSet = ["PATH=/nowhere", "MAPE_TEST_NEW=a=b", "MAPE_TEST_EMPTY="]
        config.zygote.environmentUnset = ["HOME", "MAPE_TEST_NEVER_SET"]
        let changed = config.environment()
        #expect(changed.filter { $0.isOf("PATH") } == ["PATH=/nowhere"])
        #expect(changed.contains("MAPE_TEST_NEW=a=b"))
        #expect(changed.contains("MAPE_TEST_EMPTY="))
        #expect(!changed.contains { $0.isOf("HOME") })
        #expect(changed.count == names.count + 1)
    }

    @Test func aNameThatBeginsLikeAnotherIsLeftAlone() throws {
        var config = try Self.with { _ in }
        config.zygote.environmentUnset = ["PAT", "PATHS"]
        #expect(config.environment().contains { $0.isOf("PATH") })
    }
}

extension UserText {
    /// A variable of this name.
    fileprivate func isOf(_ name: String) -> Bool { Array(variableName) == Array(name.utf8) }
}
