// What a pool is built with, and keeps as it is from its creation to its end. Used with and without its lock.

import CMapBridge

final class Fixtures: Sendable {
    let config: PoolConfig
    let input: InputMemory
    /// Where items that have crashed are saved.
    let crashFolder: CrashFolder?
    let libraries: Libraries
    /// What workers ring: the engine thread's bell, and that of a host thread which waits.
    let engineBell: Bell
    let waiterBell: Bell
    /// Wakes the engine thread for what other threads ask of it.
    let engineWake: Descriptor
    /// What the engine thread sleeps in.
    let poller: Descriptor
    /// Cores that this process may use.
    let usable: Int
    let waiters = Waiters()
    /// Memories that nobody needs any more.
    let leftovers = Leftovers()
    /// Changes when a job is released: a dispatch that is under way looks again.
    let releases = Word32()
    /// How many of a dispatch's items were begun to be told.
    let begun = Word64()
    /// What the leader looks at without the lock. It alone, and who makes a thread the leader.
    let looks: Cells<LookedReply>

    init(_ config: PoolConfig) throws(MapError) {
        self.config = config
        if let path = config.crashFolder { crashFolder = try CrashFolder(path) } else { crashFolder = nil }
        input = try InputMemory(reserve: config.inputReserve, workers: UInt32(config.workers))
        libraries = Libraries(
            standing: config.start == MAPE_START_EXEC && config.process.sandbox == MAPE_SANDBOX_NONE ? .shared : .own)
        engineBell = try Bell()
        waiterBell = try Bell()
        engineWake = try Descriptor(checking: mapb_notifier_open(), MAPB_NAME_NOTIFIER_OPEN)
        poller = try Descriptor(checking: mapb_poller_open(), MAPB_NAME_POLLER_OPEN)
        var why = mapb_poller_add(poller.number, engineBell.reading.number, EngineTag.bell.rawValue)
        if why == 0 { why = mapb_poller_add(poller.number, engineWake.number, EngineTag.wake.rawValue) }
        if why != 0 { throw .system(MAPB_NAME_POLLER_ADD, why) }
        usable = usableCores()
        looks = Cells(unset: usable)
        unsafe input.head.pointee.spin = mapb_cores() > 1 ? Policy.workerLooks : 0
    }
}

/// What woke the engine thread.
enum EngineTag: UInt64 {
    case bell = 1
    case wake = 2
    case control = 3
    case zygote = 4

    static let pipes: UInt64 = 1 << 32
    static func pipe(_ slot: Int, _ which: Int) -> UInt64 { pipes | UInt64(slot) << 1 | UInt64(which) }
}
