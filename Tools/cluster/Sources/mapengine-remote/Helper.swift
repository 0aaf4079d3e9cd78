// The helper: lanes on one side, the server on the other, and what has to be done from time to time.

import CLanes
import CNet
import Cluster
import Glibc

@safe final class Helper {
    let host = Host()
    var input: UnsafePointer<UInt8>?
    var inputSize: UInt64 = 0
    var engineBell: Int32 = -1
    var waiterBell: Int32 = -1
    var lanesBell: Int32 = -1
    var epoch: UInt64 = 0
    var lanes: [UInt32: Lane] = [:]
    /// What is out, by the serial of its message.
    var parts: [UInt64: (part: Part, lane: Lane)] = [:]
    var functions: [UInt32: RemoteFunction] = [:]
    let modules = ModuleFiles()
    var link: Link?
    var keys = Keys("")
    let pool: String
    var serial: UInt64 = 0
    var most: UInt32 = 64
    /// How far the streams were read: of answers, and of what workers print and log.
    var cursor = "0-0"
    var logCursor = "0-0"
    var isDiscarding = false
    var membership = Membership()
    /// What nodes are told of the pool.
    var about = PoolRecord()
    /// Bytes that one value on the server may have.
    var valueLimit = Pieces.standard
    /// Hashes of what jobs have, by the job's serial; 0 is not kept.
    var jobHashes: [UInt64: Hash] = [:]
    var globalsHashes: [UInt64: Hash] = [:]
    var blobs: [Hash: Int64] = [:]
    var again: UInt64 = 0
    var activeAt = cnet_clock()
    var nextTick: Int64 = 0
    var beatAt: Int64 = 0
    /// When it looks for nodes again, and in which life of the connection it has looked last.
    var lookAt: Int64 = 0
    var lookedIn = 0
    /// Since when no node was there; 0: some are.
    var aloneSince: Int64 = 0
    var told: (nodes: Int, lanes: UInt32, unfit: [String]) = (-1, 0, [])
    /// Bytes of answers that have been read, and may still be on the server.
    var kept = 0

    init() {
        var bytes = [UInt8](repeating: 0, count: 8)
        unsafe cnet_random(&bytes, bytes.count)
        let digits = Array("0123456789abcdef".utf8)
        pool =
            "\(getpid())-"
            + String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    func run() -> Never {
        host.hello()
        while true {
            let now = cnet_clock()
            if let link, link.work() { joined() }
            takeAnswers()
            lookAtLanes()
            if now >= nextTick { tick(now) }
            if let refusal = link?.takeRefusal() { report(refusal) }
            // What the closures above have asked for goes out before the sleep.
            link?.commands?.push()
            link?.answers?.push()
            sleep()
        }
    }

    func sleep() {
        let descriptors = [
            Host.descriptor, lanesBell, link?.commands?.descriptor ?? -1, link?.answers?.descriptor ?? -1,
        ]
        let read = UInt8(CNET_WAIT_READ.rawValue)
        let wants: [UInt8] = [read, read, link?.commands?.wants ?? 0, link?.answers?.wants ?? 0]
        var ready: [UInt8] = [0, 0, 0, 0]
        var until = nextTick
        if let link { until = min(until, link.deadline) }
        var milliseconds: Int32 = -1
        if until != .max { milliseconds = Int32(clamping: max(0, until - cnet_clock() + 999_999) / 1_000_000) }
        _ = unsafe cnet_poll(descriptors, wants, &ready, 4, milliseconds)
        link?.ready = (ready[2] != 0, ready[3] != 0)
        if ready[1] != 0 {
            var count: UInt64 = 0
            _ = unsafe Glibc.read(lanesBell, &count, 8)
        }
        if ready[0] != 0 { receive() }
    }

    func report(_ refusal: Refusal) {
        guard refusal.isLasting else { return }
        host.refused(refusal)
    }
}
