// Messages between host and zygote, over a socket pair: whole ones arrive as they were sent, broken ones are refused.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct ControlMessageTests {
    static let head = MemoryLayout<mapb_control>.offset(of: \.text)!

    struct Refused: Error {}

    /// Two connected sockets, closed at the end.
    final class Pair {
        let ours: Int32
        private(set) var theirs: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(mapb_socket_pair(&ends) == 0)
            ours = ends[0]
            theirs = ends[1]
        }

        func hangUp() {
            close(theirs)
            theirs = -1
        }

        func receive() -> (got: Int32, message: mapb_control, fds: [Int32]) {
            var message = mapb_control()
            var fds: [Int32] = [7, 7, 7]
            let got = mapb_control_receive(ours, &message, &fds, 0)
            return (got, message, fds)
        }

        /// Sends bytes as they are, with descriptors.
        func send(raw bytes: [UInt8], _ fds: [Int32] = []) throws {
            var bytes = bytes
            let sent = bytes.withUnsafeMutableBytes { buffer -> Int in
                var part = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    if fds.isEmpty { return sendmsg(theirs, &message, 0) }
                    // A cmsghdr (length, level, type) and the descriptors.
                    let length = MemoryLayout<cmsghdr>.size + fds.count * 4
                    var space = [UInt64](repeating: 0, count: (length + 7) / 8)
                    return space.withUnsafeMutableBytes { space in
                        var kind = cmsghdr()
                        kind.cmsg_len = length
                        kind.cmsg_level = SOL_SOCKET
                        kind.cmsg_type = 1  // SCM_RIGHTS
                        space.storeBytes(of: kind, as: cmsghdr.self)
                        for (i, fd) in fds.enumerated() {
                            space.storeBytes(of: fd, toByteOffset: MemoryLayout<cmsghdr>.size + i * 4, as: Int32.self)
                        }
                        message.msg_control = space.baseAddress
                        message.msg_controllen = space.count
                        return sendmsg(theirs, &message, 0)
                    }
                }
            }
            guard sent == bytes.count else { throw Refused() }
        }

        deinit {
            close(ours)
            if theirs >= 0 { close(theirs) }
        }
    }

    static func message(_ text: String?) -> mapb_control {
        var message = mapb_control()
        message.kind = MAPB_CONTROL_NOTE.rawValue
        message.slot = 3
        message.generation = 0x1234_5678_9abc
        message.pid = 77
        message.code = -5
        message.size = 1 << 40
        message.memory_limit = 99
        message.nice = 7
        message.depth = 12
        message.flags = 3
        if let text {
            withUnsafeMutableBytes(of: &message.text) { buffer in
                for (i, byte) in text.utf8.enumerated() { buffer[i] = byte }
                buffer[text.utf8.count] = 0
            }
            message.text_size = UInt32(text.utf8.count + 1)
        }
        return message
    }

    static func packet(_ message: mapb_control) -> [UInt8] {
        withUnsafeBytes(of: message) { Array($0.prefix(head + min(4096, Int(message.text_size)))) }
    }

    static func text(_ message: mapb_control) -> String {
        withUnsafeBytes(of: message.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    @Test(arguments: [nil, "", "cannot load libnothing.so", String(repeating: "x", count: 4095)])
    func aMessageArrivesAsItWasSent(text: String?) throws {
        let pair = try Pair()
        var sent = Self.message(text)
        #expect(mapb_control_send(pair.theirs, &sent, nil, 0, 0) == 0)
        let (got, message, fds) = pair.receive()
        #expect(got == 1)
        #expect(fds == [-1, -1, -1])
        #expect(message.kind == sent.kind && message.slot == 3 && message.generation == 0x1234_5678_9abc)
        #expect(message.pid == 77 && message.code == -5 && message.size == 1 << 40 && message.memory_limit == 99)
        #expect(message.nice == 7 && message.depth == 12 && message.flags == 3)
        #expect(message.text_size == sent.text_size)
        #expect(Self.text(message) == text ?? "")
    }

    @Test(arguments: 0...3)
    func descriptorsArriveInOrderAndCloseOnExec(count: Int) throws {
        let pair = try Pair()
        // Pipes of which we can tell which is which.
        var pipes: [[Int32]] = []
        for _ in 0..<count {
            var ends: [Int32] = [-1, -1]
            try #require(mapb_pipe(&ends) == 0)
            pipes.append(ends)
        }
        defer { for end in pipes.joined() { close(end) } }
        var message = Self.message(nil)
        #expect(mapb_control_send(pair.theirs, &message, pipes.map { $0[1] }, Int32(count), 1) == 0)
        let (got, _, fds) = pair.receive()
        #expect(got == 1)
        for i in 0..<3 {
            guard i < count else {
                #expect(fds[i] == -1)
                continue
            }
            #expect(fcntl(fds[i], F_GETFD) & FD_CLOEXEC != 0)
            #expect(write(fds[i], "x", 1) == 1)
            #expect(isReadable(pipes[i][0]))
            close(fds[i])
        }
    }

    /// The other end has closed with messages unread, which the kernel tells once, before what it had sent.
    @Test func whatWasSentBeforeAnEndWithUnreadMessagesArrives() throws {
        let pair = try Pair()
        var unread = Self.message(nil)
        try #require(mapb_control_send(pair.ours, &unread, nil, 0, 1) == 0)
        var hello = Self.message("the last words")
        try #require(mapb_control_send(pair.theirs, &hello, nil, 0, 1) == 0)
        pair.hangUp()
        #expect(pair.receive().got == 1)
        #expect(pair.receive().got == 0)
    }

    @Test func nothingThereIsNoEnd() throws {
        let pair = try Pair()
        #expect(pair.receive().got == -1)
    }

    @Test func aSocketThatWasClosedIsTheEnd() throws {
        let pair = try Pair()
        var message = Self.message("last words")
        #expect(mapb_control_send(pair.theirs, &message, nil, 0, 0) == 0)
        pair.hangUp()
        #expect(pair.receive().got == 1)
        #expect(pair.receive().got == 0)
    }

    @Test func sendingToASocketThatWasClosedIsAnErrorAndNoSignal() throws {
        let pair = try Pair()
        pair.hangUp()
        var message = Self.message(nil)
        #expect(mapb_control_send(pair.ours, &message, nil, 0, 0) == EPIPE)
    }

    @Test func aFullSocketIsToldToSendersThatDoNotBlock() throws {
        let pair = try Pair()
        var message = Self.message(String(repeating: "x", count: 4000))
        var why: Int32 = 0
        var sent = 0
        while why == 0 && sent < 100_000 {
            why = mapb_control_send(pair.theirs, &message, nil, 0, 0)
            sent += 1
        }
        #expect(why == EAGAIN || why == ENOBUFS)
        #expect(pair.receive().got == 1)
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: @Sendable () -> [UInt8]
        var testDescription: String { name }
    }

    static let broken = [
        Broken(name: "empty") { [] },
        Broken(name: "a byte") { [1] },
        Broken(name: "head cut by a byte") { Array(packet(message(nil)).dropLast()) },
        Broken(name: "text cut") { Array(packet(message("hello")).dropLast()) },
        Broken(name: "more than the text") { packet(message("hello")) + [0] },
        Broken(name: "a text that was not announced") { packet(message(nil)) + [0] },
        Broken(name: "a text without its NUL") {
            var m = message("hello")
            m.text_size -= 1
            return packet(m)
        },
        Broken(name: "a text larger than the message") {
            var m = message("hello")
            m.text_size = 4097
            return packet(m)
        },
        Broken(name: "a text of the largest size") {
            var m = message("hello")
            m.text_size = .max
            return packet(m)
        },
        Broken(name: "a packet longer than any message") {
            packet(message(String(repeating: "x", count: 4095))) + [UInt8](repeating: 0, count: 100)
        },
    ]

    @Test(arguments: broken)
    func aBrokenPacketIsRefusedAndItsDescriptorsClosed(_ broken: Broken) throws {
        let pair = try Pair()
        var ends: [Int32] = [-1, -1]
        try #require(mapb_pipe(&ends) == 0)
        defer { close(ends[0]) }
        try pair.send(raw: broken.bytes(), [ends[1]])
        close(ends[1])
        let (got, _, fds) = pair.receive()
        #expect(got == 0)
        #expect(fds == [-1, -1, -1])
        // Nobody holds the pipe's writing end any more: its end is there to be read.
        #expect(isAtItsEnd(ends[0]))
    }

    @Test(arguments: [4, 8, 60])
    func moreDescriptorsThanAMessageHasAreClosed(count: Int) throws {
        let pair = try Pair()
        var ends: [Int32] = [-1, -1]
        try #require(mapb_pipe(&ends) == 0)
        defer { close(ends[0]) }
        try pair.send(raw: Self.packet(Self.message(nil)), Array(repeating: ends[1], count: count))
        close(ends[1])
        for fd in pair.receive().fds where fd >= 0 { close(fd) }
        #expect(isAtItsEnd(ends[0]))
    }

    @Test(arguments: seeds)
    func randomPacketsAreRefusedOrWhole(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let pair = try Pair()
        for _ in 0..<500 {
            var bytes = Self.packet(Self.message(random.chance(50) ? "hello" : nil))
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if random.chance(30) { bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))) }
            try pair.send(raw: bytes)
            let (got, message, fds) = pair.receive()
            #expect(fds == [-1, -1, -1])
            #expect(got == 0 || got == 1)
            if got != 1 { continue }
            #expect(Int(message.text_size) == bytes.count - Self.head)
            #expect(withUnsafeBytes(of: message.text) { $0.prefix(4096).contains(0) })
        }
    }
}
