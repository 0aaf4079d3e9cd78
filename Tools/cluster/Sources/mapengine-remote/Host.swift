// The control socket: what the engine says, and what it is told.

import CLanes
import Cluster
import Glibc

/// What a packet brought.
struct HostMessage: ~Copyable {
    var message: mapb_control
    var descriptors: (Int32, Int32, Int32)

    var text: String {
        unsafe withUnsafePointer(to: message.text) { place in
            unsafe place.withMemoryRebound(to: CChar.self, capacity: 4096) { unsafe String(cString: $0) }
        }
    }

    /// A descriptor that is kept.
    mutating func take(_ which: Int) -> Int32 {
        switch which {
        case 0:
            defer { descriptors.0 = -1 }
            return descriptors.0
        case 1:
            defer { descriptors.1 = -1 }
            return descriptors.1
        default:
            defer { descriptors.2 = -1 }
            return descriptors.2
        }
    }

    deinit {
        for one in [descriptors.0, descriptors.1, descriptors.2] where one >= 0 { close(one) }
    }
}

struct Host {
    static let descriptor: Int32 = 3

    enum Received: ~Copyable {
        case message(HostMessage)
        case nothing
        case gone
    }

    func receive() -> Received {
        var message = mapb_control()
        var fds: [Int32] = [-1, -1, -1]
        switch unsafe mapb_control_receive(Self.descriptor, &message, &fds, 0) {
        case 1: return .message(HostMessage(message: message, descriptors: (fds[0], fds[1], fds[2])))
        case 0: return .gone
        default: return .nothing
        }
    }

    func send(_ message: mapb_control) {
        var message = message
        _ = unsafe mapb_control_send(Self.descriptor, &message, nil, 0, 1)
    }

    func hello() {
        var message = lanes_message(MAPB_CONTROL_HELLO.rawValue)
        message.code = Int32(MAPB_PROTOCOL)
        message.size = UInt64(MAPB_VERSION)
        message.pid = 1
        send(message)
    }

    func spawned(_ slot: UInt32, _ generation: UInt64, failure: Int32 = 0) {
        var message = lanes_message(MAPB_CONTROL_SPAWNED.rawValue)
        message.slot = slot
        message.generation = generation
        message.pid = failure == 0 ? getpid() : 0
        message.code = failure
        send(message)
    }

    func died(_ slot: UInt32, _ generation: UInt64, status: Int32) {
        var message = lanes_message(MAPB_CONTROL_DIED.rawValue)
        message.slot = slot
        message.generation = generation
        message.pid = getpid()
        message.code = status
        send(message)
    }

    func note(_ level: mape_log_level, _ text: String) {
        var message = lanes_message(MAPB_CONTROL_NOTE.rawValue)
        message.code = Int32(level.rawValue)
        unsafe lanes_set_text(&message, "cluster: " + text)
        send(message)
    }

    func refused(_ refusal: Refusal) {
        var message = lanes_message(MAPB_CONTROL_REFUSED.rawValue)
        message.code = Int32(refusal.kind == .url ? MAPE_E_ARGUMENT.rawValue : MAPE_E_SYSTEM.rawValue)
        unsafe lanes_set_text(&message, refusal.text)
        send(message)
    }

    func nodes(_ count: Int, lanes: UInt32, roundTrip: Int64, sent: UInt64, received: UInt64, again: UInt64) {
        var message = lanes_message(MAPB_CONTROL_NODES.rawValue)
        message.slot = UInt32(count)
        message.code = Int32(clamping: lanes)
        message.generation = UInt64(max(0, roundTrip))
        message.size = sent
        message.memory_limit = received
        message.growth = again
        send(message)
    }

    func lane(_ slot: UInt32, _ generation: UInt64, node: String, roundTrip: Int64) {
        var message = lanes_message(MAPB_CONTROL_LANE.rawValue)
        message.slot = slot
        message.generation = generation
        message.size = UInt64(max(0, roundTrip))
        unsafe lanes_set_text(&message, node)
        send(message)
    }

    /// - status: 0: nodes can have it again.
    func function(_ line: UInt32, serial: UInt64, status: Int32, _ text: String) {
        var message = lanes_message(MAPB_CONTROL_FUNCTION.rawValue)
        message.slot = line
        message.generation = serial
        message.code = status
        unsafe lanes_set_text(&message, text)
        send(message)
    }
}
