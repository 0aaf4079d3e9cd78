// Fuzzing of the control socket, both ways: raw packets are sent, and each end takes what it makes of them.

import CMapBridge
import Glibc

@testable import MapEngine

private let head = MemoryLayout<mapb_control>.offset(of: \.text)!

/// A packet as the input says: mostly with a right head, so that more than its length is looked at.
/// - first: what most of their places count from.
private func packet(_ input: inout Bytes, kinds: ClosedRange<UInt32>, first: Int = 0) -> [UInt8] {
    var message = mapb_control()
    let shape = input.byte()
    message.kind = shape & 1 == 0 ? kinds.lowerBound + UInt32(input.byte()) % UInt32(kinds.count) : UInt32(input.byte())
    let base = message.kind == MAPB_CONTROL_FUNCTION.rawValue ? 0 : UInt32(first)
    message.slot = shape & 2 == 0 ? base + UInt32(input.byte() % 4) : UInt32(truncatingIfNeeded: input.word())
    message.generation = shape & 4 == 0 ? UInt64(input.byte() % 4) : input.word()
    message.code = shape & 8 == 0 ? Int32(input.byte()) : Int32(truncatingIfNeeded: input.word())
    message.size = shape & 16 == 0 ? UInt64(MAPB_VERSION) : input.word()
    message.depth = UInt32(truncatingIfNeeded: input.word())
    let text = input.take(Int(input.byte() % 160))
    message.text_size = shape & 32 == 0 ? UInt32(text.count + 1) : UInt32(truncatingIfNeeded: input.word())
    // Never the number of a process that there is: both ends may send it signals.
    message.pid = 0x7fff_ff00 | Int32(input.byte())
    var bytes = withUnsafeBytes(of: &message) { Array($0.prefix(head)) } + text + [0]
    if shape & 64 != 0 { bytes = Array(bytes.prefix(Int(input.byte()))) }
    if shape & 128 != 0 { bytes += input.take(Int(input.byte())) }
    return bytes
}

/// To the host: a pool whose zygote is the input.
private func toHost(_ input: inout Bytes, _ ours: Int32, _ theirs: Int32) throws {
    let fuzz = try FuzzPool()
    let zygote = Zygote(socket: Descriptor(ours), process: mapb_spawned(pid: 0, watch: -1, how: 0, status: 0))
    fuzz.core.zygote = zygote
    var jobInput = input
    try fuzz.submit(&jobInput)
    while !input.isEmpty && zygote.isConnected {
        let bytes = packet(&input, kinds: MAPB_CONTROL_HELLO.rawValue...MAPB_CONTROL_LOADED.rawValue)
        _ = bytes.withUnsafeBytes { send(theirs, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
        fuzz.pool.core.with { $0.receiveControl() }
        fuzz.check()
    }
    for worker in fuzz.core.workers { demand(worker.pid <= 1 || worker.pid >= 0x7fff_ff00, "a pid that nobody sent") }
    // What it asked for in answer is nobody's.
    fuzz.core.zygote = nil
}

/// To the host of a pool with lanes: its helper is the input, and answers now and then.
private func fromHelper(_ input: inout Bytes, _ ours: Int32, _ theirs: Int32) throws {
    let fuzz = try FuzzPool(hasLanes: true)
    let helper = Zygote(socket: Descriptor(ours), process: mapb_spawned(pid: 0, watch: -1, how: 0, status: 0))
    fuzz.core.remote?.helper = helper
    for _ in 0..<2 { try fuzz.submit(&input) }
    let kinds = MAPB_CONTROL_HELLO.rawValue...MAPB_CONTROL_FUNCTION.rawValue
    while !input.isEmpty && helper.isConnected && fuzz.core.remote?.helper === helper {
        let bytes = packet(&input, kinds: kinds, first: fuzz.core.table.firstLane)
        _ = bytes.withUnsafeBytes { send(theirs, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
        fuzz.pool.core.with { $0.receiveHelper() }
        fuzz.check()
    }
    demand((fuzz.core.remote?.offered ?? 0) <= 2, "more lanes than there are places")
    fuzz.core.remote?.helper = nil
    try fuzz.finish()
}

@_cdecl("mapengine_fuzz_helper")
public func fuzzHelper(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = Bytes(data, size)
    var pair: [Int32] = [-1, -1]
    guard mapb_socket_pair(&pair) == 0 else { fatalError("fuzz: no sockets") }
    defer { close(pair[1]) }
    do { try fromHelper(&input, pair[0], pair[1]) } catch { fatalError("fuzz: \(error)") }
    return 0
}

/// To the zygote. A SPAWN names a place that there is not: this process shall not be forked.
private func toZygote(_ input: inout Bytes, _ ours: Int32, _ theirs: Int32) {
    let zygote = ZygoteState(mapb_zygote_state())
    zygote.pointer.pointee = mapb_zygote()
    zygote.control = ours
    zygote.signals = -1
    zygote.workers = 2
    while !input.isEmpty {
        var bytes = packet(&input, kinds: MAPB_CONTROL_INIT.rawValue...MAPB_CONTROL_KILL.rawValue)
        if bytes.count > 8, bytes[0] == UInt8(MAPB_CONTROL_SPAWN.rawValue) { bytes[7] = 0xff }
        let path = head + MemoryLayout<mapb_file>.size
        if bytes.count > path + 2, bytes[0] == UInt8(MAPB_CONTROL_LOAD.rawValue) {
            // Nothing that could be there: a library's constructors would run.
            bytes[path] = UInt8(ascii: "/")
            bytes[path + 1] = 1
        }
        let sent = bytes.withUnsafeBytes {
            send(theirs, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        guard sent == bytes.count else { return }
        let goesOn = zygoteReceive(zygote)
        demand(zygote.workers <= MAPB_MAX_WORKERS, "more workers than there is room for")
        if !goesOn { return }
        // Its notes are taken, so that it never waits.
        var answer = [UInt8](repeating: 0, count: 8192)
        while recv(theirs, &answer, answer.count, Int32(MSG_DONTWAIT)) > 0 {}
    }
}

@_cdecl("mapengine_fuzz_control")
public func fuzzControl(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = Bytes(data, size)
    var pair: [Int32] = [-1, -1]
    guard mapb_socket_pair(&pair) == 0 else { fatalError("fuzz: no sockets") }
    defer { close(pair[1]) }
    if input.byte() & 1 == 0 {
        do { try toHost(&input, pair[0], pair[1]) } catch { fatalError("fuzz: \(error)") }
    } else {
        toZygote(&input, pair[0], pair[1])
        close(pair[0])
    }
    return 0
}
