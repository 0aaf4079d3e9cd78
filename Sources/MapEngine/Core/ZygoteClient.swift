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
    /// Its program, for messages.
    let program: UserText
    /// What it prints to standard error; nil: that is not ours to read, or any more.
    var errors: ZygoteErrors?
    /// Whether it has sent HELLO: it has all that it needs.
    var hasBegun = false
    /// Whether its program has hooks around forks.
    var hasHooks = false
    /// Libraries that it was asked to load and has not: it is loading the first.
    private(set) var loading = Queue<Library>()
    private var requested: [Bool] = []
    /// The hook of its program that it is in: an enum mapb_hook.
    var hook = MAPB_HOOK_NONE
    /// Since when it does what it does: it starts, loads a library, or is in a hook.
    var since = mapb_clock()
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

    init(socket: consuming Descriptor, process: mapb_spawned, program: UserText = "", errors: ZygoteErrors? = nil) {
        self.socket = socket
        self.process = process
        self.program = program
        self.errors = errors
        pid = process.pid
    }

    /// Starts a zygote. Called on the engine thread: the kernel ties the zygote to the thread that made it.
    static func start(_ config: PoolConfig, _ variables: [UserText]) throws(MapError) -> Zygote {
        if config.start == MAPE_START_FORK {
            let (ours, theirs) = try sockets()
            var process = mapb_spawned(pid: 0, watch: -1, how: 0, status: 0)
            var call: UnsafePointer<CChar>?
            let changes = !config.zygote.environmentSet.isEmpty || !config.zygote.environmentUnset.isEmpty
            let environment = changes ? CTextArray(variables) : nil
            let why = unsafe mapb_fork_zygote(theirs, environment?.pointers, &process, &call)
            mapb_close(theirs)
            if why != 0 {
                mapb_close(ours)
                throw unsafe .system(String(cString: call!), why)
            }
            return Zygote(socket: Descriptor(ours), process: process)
        }
        let path = try config.zygote.located(variables)
        return try spawn(
            path, config.zygote.arguments ?? [path], variables + ["MAPENGINE_ZYGOTE=3"],
            isCaptured: config.output == MAPE_OUTPUT_CAPTURE, "zygote \"\(path)\"", other: "config.zygote_path")
    }

    /// Starts the helper for other machines, in the same way.
    static func startHelper(_ cluster: Cluster, _ variables: [UserText]) throws(MapError) -> Zygote {
        let path = try cluster.located(variables)
        return try spawn(
            path, [path], variables + ["MAPENGINE_REMOTE=3"], isCaptured: false,
            "helper for other machines, \"\(path)\"", other: "config.remote_path")
    }

    private static func spawn(
        _ path: UserText, _ arguments: [UserText], _ variables: [UserText], isCaptured: Bool, _ name: String,
        other: String
    ) throws(MapError) -> Zygote {
        let argv = CTextArray(arguments)
        let environment = CTextArray(variables)
        let screen = try Descriptor(checking: mapb_standard_error(), "fcntl(F_DUPFD_CLOEXEC) of standard error")
        var ends: [Int32] = [-1, -1]
        let noPipe = unsafe mapb_pipe(&ends)
        if noPipe != 0 { throw .system(MAPB_NAME_PIPE, noPipe) }
        let reading = Descriptor(ends[0])
        let writing = Descriptor(ends[1])
        let pair = try sockets()
        let ours = Descriptor(pair.0)
        let theirs = Descriptor(pair.1)
        var process = mapb_spawned(pid: 0, watch: -1, how: 0, status: 0)
        var call: UnsafePointer<CChar>?
        let why = path.withCString { path in
            unsafe mapb_spawn_zygote(
                path, argv.pointers, environment.pointers, theirs.number, writing.number, &process, &call)
        }
        if why != 0 {
            let call = unsafe String(cString: call!)
            throw MapError(
                MAPE_E_SYSTEM,
                "cannot start the \(name): \(MapError.system(call, why).message)"
                    + (call == "execve" ? "; \(other) can name another" : ""))
        }
        let errors = ZygoteErrors(pipe: reading, screen: screen, isCaptured: isCaptured)
        return Zygote(socket: ours, process: process, program: path, errors: errors)
    }

    /// The two ends of a control socket.
    private static func sockets() throws(MapError) -> (Int32, Int32) {
        var pair: [Int32] = [-1, -1]
        let why = unsafe mapb_socket_pair(&pair)
        if why != 0 { throw .system("socketpair", why) }
        return (pair[0], pair[1])
    }

    /// Sends a message, or keeps it until the socket takes it.
    func send(_ message: mapb_control, _ descriptors: [Int32] = [], owning owned: [Int32] = []) {
        outbox.append(Outgoing(message, descriptors, owned))
        flush()
    }

    /// Has it print to the host's standard error from now on.
    func sendStandardError(isCaptured: Bool) {
        guard errors != nil, !isCaptured else { return }
        let file = mapb_standard_error()
        guard file >= 0 else { return }
        var message = mapb_control()
        message.kind = MAPB_CONTROL_STDERR.rawValue
        send(message, [file], owning: [file])
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
        if loading.isEmpty && hasBegun { since = mapb_clock() }
        loading.append(library)
        send(message)
        return true
    }

    /// Handles its report that it has loaded a library. Returns the library; nil when it was not asked to load that one
    /// now.
    func hasLoaded(_ number: UInt32) -> Library? {
        guard let library = loading.first, library.number == number else { return nil }
        loading.dropFirst()
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

    /// How its process has ended.
    struct End {
        /// In words.
        let how: String
        /// By an exit of its own, and not by a signal.
        let byItself: Bool
        /// The last that it printed, where that is captured.
        let printed: [UInt8]
    }

    /// Ends the process: shuts the socket down, which it takes as its end, then waits, then kills. What its program has left when the
    /// zygote had not begun is killed as well: nobody else knows about it.
    @discardableResult
    func end(grace: Int32) -> End {
        outbox = Queue()
        mapb_hang_up(control)
        isConnected = false
        if unsafe mapb_child_wait(&process, grace) == 0 {
            unsafe mapb_child_kill(&process)
            _ = unsafe mapb_child_wait(&process, -1)
        }
        if !hasBegun { mapb_kill_rest(pid) }
        // First, as the words quote it.
        let printed = errors?.read() ?? []
        return End(how: how, byItself: mapb_ended(UInt32(process.how)) == MAPB_ENDED_BY_EXIT, printed: printed)
    }

    private var how: String {
        if let failure { return "cannot be talked to: \(failure.message)" }
        switch mapb_ended(UInt32(process.how)) {
        case MAPB_ENDED_UNKNOWN: return "ended, nobody knows how" + (hasBegun ? "" : MapError.deniedCalls())
        case MAPB_ENDED_BY_EXIT: return "exited with code \(process.status)" + (hasBegun ? hookText : notBegun)
        case _ where process.status == Signal.deniedCall:
            return
                "was ended by signal \(Signal.deniedCall): a filter of system calls (seccomp) ends who makes one that it denies"
        default: return "was ended by signal \(process.status)" + (hasBegun ? hookText : before)
        }
    }

    private var before: String {
        program.isEmpty ? "" : " before it called mape_zygote_main" + (errors?.quoted ?? "")
    }

    private var notBegun: String {
        let denied = MapError.deniedCalls()
        if !denied.isEmpty || process.status == Int32(bitPattern: MAPB_EXIT_DENIED.rawValue) { return denied }
        if process.status != 0 || program.isEmpty { return before }
        return
            " and has not called mape_zygote_main: the program of a zygote calls that in its main, and returns what it returns"
            + (errors?.quoted ?? "")
    }

    private var hookText: String { hook == MAPB_HOOK_NONE ? "" : " in its program's hook \(hookName)" }

    private var hookName: String { hook == MAPB_HOOK_BEFORE ? "before" : "after_in_zygote" }

    // MARK: - Time

    /// When what it does must be done; Int64.max: it does nothing that has a limit.
    func deadline(_ limits: PoolConfig.Limits) -> Int64 {
        if !hasBegun { return later(since, by: limits.zygoteTimeout) }
        return loading.isEmpty && hook == MAPB_HOOK_NONE ? .max : later(since, by: limits.setupTimeout)
    }

    /// Why it must be ended when that has passed.
    func overdue(_ limits: PoolConfig.Limits) -> String {
        if !hasBegun {
            return
                "did not call mape_zygote_main within \(limits.zygoteTimeout / 1_000_000) ms (config.zygote_timeout_ns)"
        }
        let time = "\(limits.setupTimeout / 1_000_000) ms"
        return hook == MAPB_HOOK_NONE
            ? "took more than \(time)" : "stayed in its program's hook \(hookName) for more than \(time)"
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
