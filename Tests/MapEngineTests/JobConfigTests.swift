import CMapBridge
import Testing

@testable import MapEngine

@Suite struct JobConfigTests {
    static func with(isStream: Bool = false, _ change: (inout mape_job_config) -> Void = { _ in }) throws -> JobConfig {
        var config = mape_job_config()
        config.struct_size = MemoryLayout<mape_job_config>.size
        change(&config)
        return try JobConfig(config, isStream: isStream)
    }

    @Test func zeroMeansTheDefaults() throws {
        let config = try Self.with()
        #expect(config.chunk == 0)
        #expect(config.attempts == 1)
        #expect(config.itemTimeout == .max)
        #expect(config.jobTimeout == .max)
        #expect(!config.ordered)
        #expect(!config.drop)
        #expect(config.deliver == 0)
        #expect(config.window == 4096)
        #expect(config.progressInterval == 50_000_000)
    }

    @Test(arguments: [0, -1, Int64.min])
    func timesThatAreNotPositiveMeanNone(time: Int64) throws {
        let config = try Self.with {
            $0.item_timeout_ns = time
            $0.job_timeout_ns = time
        }
        #expect(config.itemTimeout == .max)
        #expect(config.jobTimeout == .max)
    }

    @Test func streamsAlwaysDrop() throws { #expect(try Self.with(isStream: true).drop) }

    @Test func aCallbackTurnsItsKindOn() throws {
        let heard: mape_event_fn = { _, _ in }
        #expect(try Self.with { $0.on_item = heard }.deliver == MAPE_DELIVER_ITEMS.rawValue)
        #expect(try Self.with { $0.on_progress = heard }.deliver == MAPE_DELIVER_PROGRESS.rawValue)
        #expect(try Self.with { $0.on_done = heard }.deliver == MAPE_DELIVER_DONE.rawValue)
        let both = try Self.with {
            $0.on_item = heard
            $0.deliver = MAPE_DELIVER_DONE.rawValue
        }
        #expect(both.wants(MAPE_DELIVER_ITEMS) && both.wants(MAPE_DELIVER_DONE) && !both.wants(MAPE_DELIVER_PROGRESS))
    }

    @Test func rangesAreItems() throws {
        let config = try Self.with { $0.deliver = MAPE_DELIVER_RANGES.rawValue }
        #expect(config.wants(MAPE_DELIVER_ITEMS) && config.deliversRanges)
        #expect(try !Self.with { $0.deliver = MAPE_DELIVER_ITEMS.rawValue }.deliversRanges)
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        let field: String
        let change: @Sendable (inout mape_job_config) -> Void
        var testDescription: String { field }
    }

    @Test(arguments: [
        Wrong(field: "ordered") { $0.ordered = 2 },
        Wrong(field: "drop") { $0.drop = 7 },
        Wrong(field: "deliver") { $0.deliver = 16 },
        Wrong(field: "deliver") {
            $0.deliver = MAPE_DELIVER_RANGES.rawValue
            $0.drop = 1
        },
        Wrong(field: "window") { $0.window = 1 << 24 + 1 },
        Wrong(field: "window") { $0.window = .max },
    ])
    func aWrongFieldIsNamed(_ wrong: Wrong) {
        let error = mapError { try Self.with(wrong.change) }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue)
        #expect(error?.message.hasPrefix("config.\(wrong.field) ") == true)
    }

    @Test func theLargestWindowIsTaken() throws { #expect(try Self.with { $0.window = 1 << 24 }.window == 1 << 24) }
}
