// The host's end of the zygote: the process, its control socket, and messages that wait until the socket takes them.

import CMapBridge

final class Zygote {
    private let socket: Descriptor
    private var process: mapb_spawned
    private var outbox = Queue<Outgoing>()
    let pid: Int32
    var isConnected = true
    /// The failed call that ended the connection, if one did.
    private(set) var failure: MapError?
    /// Whether it has sent HELLO: it has all that it needs.
    var hasBegun = false
    /// Libraries that it was asked to load and has not: it is loading the first.
    private(set) var loading = Queue<Library>()
    private var requested: [Bool] = []
    private(set) var loadingSince: Int64 = 0
    /// Whether it has reported that a library makes it unfit, and ends.
    var resigns = false

    var control: Int32 { socket.number }
    /// Readable once the process has ended; -1: there is none.
    var watch: Int32 { process.watch }
    /// The kernel is asked, because an event may be about the zygote before this one, reported together with the end of
    /// its socket.
    var hasEnded: Bool { unsafe mapb_child_has_ended(&process) != 0 }
    var hasBacklog: Bool { !outbox.isEmpty }

    /// A message and the descriptors that go with it; those it owns are closed once it is sent.
    private final class Outgoing {
        var message: mapb_control
        var descriptors: [Int32]
        let owned: [Int32]

        init(_ message: mapb_control, _ descriptors: [Int32], _ owned: [Int32]) {
            self.message = message
            self.descriptors = descriptors
            self.owned = owned
        }

        deinit { for fd in owned { mapb_close(fd) } }
    }

    init(socket: consuming Descriptor, process: mapb_spawned) {
        self.socket = socket
        self.process = process
        pid = process.pid
    }

    /// Starts a zygote. Called on the engine thread: the kernel ties the zygote to the thread that made it.
    static func start(_ config: PoolConfig, _ variables: [UserText]) throws(MapError) -> Zygote {
        var pair: [Int32] = [-1, -1]
        let why = unsafe mapb_socket_pair(&pair)
        if why != 0 { throw .system("socketpair", why) }
        let ours = Descriptor(pair[0])
        let theirs = Descriptor(pair[1])
        var process = mapb_spawned(pid: 0, watch: -1, how: 0, status: 0)
        var call: UnsafePointer<CChar>?
        if config.start == MAPE_START_FORK {
            let changes = !config.zygote.environmentSet.isEmpty || !config.zygote.environmentUnset.isEmpty
            let environment = changes ? CTextArray(variables) : nil
            let why = unsafe mapb_fork_zygote(theirs.number, environment?.pointers, &process, &call)
            if why != 0 { throw unsafe .system(String(cString: call!), why) }
        } else {
            let path: UserText
            if let named = config.zygote.path { path = named } else { path = try bundledZygote() }
            let arguments = CTextArray(config.zygote.arguments ?? [path])
            let environment = CTextArray(variables + ["MAPENGINE_ZYGOTE=3"])
            let why = path.withCString { path in
                unsafe mapb_spawn_zygote(
                    path, arguments.pointers, environment.pointers, theirs.number, &process, &call)
            }
            if why != 0 {
                throw unsafe notStarted(path, String(cString: call!), why)
            }
        }
        return Zygote(socket: ours, process: process)
    }

    private static func notStarted(_ path: UserText, _ call: String, _ why: Int32) -> MapError {
        let advice = call == "execve" ? "; config.zygote_path can name another" : ""
        return MapError(
            MAPE_E_SYSTEM, "cannot start the zygote \"\(path)\": \(MapError.system(call, why).message)\(advice)")
    }

    /// The helper program, in the folder libexec beside the library's own.
    private static func bundledZygote() throws(MapError) -> UserText {
        var path = [CChar](repeating: 0, count: 4097)
        let why = unsafe mapb_own_path(&path, UInt64(path.count))
        if why != 0 { throw .system("finding the library's own path", why) }
        let slash = UInt8(ascii: "/")
        let own = UserText(array: path).bytes
        let folder = own[..<(own.lastIndex(of: slash) ?? own.startIndex)]
        let parent = folder[..<(folder.lastIndex(of: slash) ?? folder.startIndex)]
        let program = UserText(bytes: parent) + "/libexec/mapengine-zygote"
        let code = Files.mayRun(program)
        if code == 0 { return program }
        if SystemError.isDenial(-code) { throw .system("access to \(program)", -code) }
        throw MapError(
            MAPE_E_SYSTEM, "there is no program \(program): install it beside the library, or set config.zygote_path")
    }

    /// Sends a message, or keeps it until the socket takes it.
    func send(_ message: mapb_control, _ descriptors: [Int32] = [], owning owned: [Int32] = []) {
        outbox.append(Outgoing(message, descriptors, owned))
        flush()
    }

    /// Asks it to load a library. Returns false when it was asked before, or when the path is too long, so that workers
    /// load it themselves.
    func load(_ library: Library) -> Bool {
        let number = Int(library.number)
        while requested.count <= number { requested.append(false) }
        let head = MemoryLayout<mapb_file>.size
        let bytes = library.path.bytes
        var message = mapb_control()
        guard !requested[number], bytes.count < MemoryLayout.size(ofValue: message.text) - head else { return false }
        requested[number] = true
        message.kind = MAPB_CONTROL_LOAD.rawValue
        message.slot = library.number
        unsafe withUnsafeMutableBytes(of: &message.text) { buffer in
            unsafe withUnsafeBytes(of: library.file) { unsafe buffer.copyBytes(from: $0) }
            for (i, byte) in bytes.enumerated() { unsafe buffer[head + i] = byte }
            unsafe buffer[head + bytes.count] = 0
        }
        message.text_size = UInt32(head + bytes.count + 1)
        if loading.isEmpty { loadingSince = mapb_clock() }
        loading.append(library)
        send(message)
        return true
    }

    /// Handles its report that it has loaded a library. Returns the library; nil when it was not asked to load that one
    /// now.
    func hasLoaded(_ number: UInt32) -> Library? {
        guard let library = loading.first, library.number == number else { return nil }
        loading.dropFirst()
        loadingSince = mapb_clock()
        return library
    }

    func flush() {
        while isConnected, let next = outbox.first {
            let why = unsafe mapb_control_send(
                control, &next.message, next.descriptors, Int32(next.descriptors.count), 0)
            if why == SystemError.again || why == SystemError.noBuffers { return }
            // The next receive notices a socket without its other end.
            _ = outbox.popFirst()
            if SystemError.isDenial(why) { fail("sendmsg", why) }
        }
    }

    private func fail(_ call: String, _ why: Int32) {
        failure = .system(call, why)
        isConnected = false
    }

    /// The next message; nil when there is none. Clears `isConnected` when the zygote is gone.
    func receive() -> mapb_control? {
        var message = mapb_control()
        var descriptors: [Int32] = [-1, -1, -1]
        SystemError.last = 0
        let got = unsafe mapb_control_receive(control, &message, &descriptors, 0)
        let why = SystemError.last
        for fd in descriptors { mapb_close(fd) }
        if got == 0 { isConnected = false }
        if got == 0 && SystemError.isDenial(why) { fail("recvmsg", why) }
        return got == 1 ? message : nil
    }

    /// Ends the process: shuts the socket down, which it takes as its end, then waits, then kills.
    /// - Returns: how it ended, in words.
    @discardableResult
    func end(grace: Int32) -> String {
        outbox = Queue()
        mapb_hang_up(control)
        isConnected = false
        if unsafe mapb_child_wait(&process, grace) == 0 {
            unsafe mapb_child_kill(&process)
            _ = unsafe mapb_child_wait(&process, -1)
        }
        if let failure { return "cannot be talked to: \(failure.message)" }
        switch mapb_ended(UInt32(process.how)) {
        case MAPB_ENDED_UNKNOWN: return "ended, nobody knows how" + (hasBegun ? "" : MapError.deniedCalls())
        case MAPB_ENDED_BY_EXIT:
            return "exited with code \(process.status)" + (hasBegun ? "" : MapError.deniedCalls())
        case _ where process.status == Signal.deniedCall:
            return
                "was ended by signal \(Signal.deniedCall): a filter of system calls (seccomp) ends who makes one that it denies"
        default: return "was ended by signal \(process.status)"
        }
    }
}

/// Texts as C wants them: an array of pointers, ended with NULL.
@safe final class CTextArray {
    private let texts: [CText]
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    init(_ strings: [UserText]) {
        texts = strings.map { CText(array: $0.bytes) }
        unsafe pointers = .allocate(capacity: strings.count + 1)
        for (i, text) in texts.enumerated() { unsafe pointers[i] = unsafe text.bytes }
        unsafe pointers[strings.count] = nil
    }

    deinit { unsafe pointers.deallocate() }
}
