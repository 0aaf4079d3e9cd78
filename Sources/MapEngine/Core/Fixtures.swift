// What a pool gets at its creation and never changes. Used with and without its lock.

import CMapBridge

final class Fixtures: Sendable {
    let config: PoolConfig
    let input: InputMemory
    /// The folder for crash files; nil: none.
    let crashFolder: CrashFolder?
    let libraries: Libraries
    /// The bells of workers: the engine thread's, and that of the waiting host thread.
    let engineBell: Bell
    let waiterBell: Bell
    /// Wakes the engine thread when another thread needs it.
    let engineWake: Descriptor
    /// What the engine thread sleeps in.
    let poller: Descriptor
    /// Cores that this process may use.
    let usable: Int
    let waiters: Waiters
    let interrupts: Interrupts
    /// Mappings that no longer have a user; see Leftovers.
    let leftovers = Leftovers()
    /// Counts released jobs: a running dispatch checks whether it has changed.
    let releases = Word32()
    /// How many of a dispatch's items have been passed to the callback, the last one perhaps unfinished.
    let begun = Word64()
    /// The replies on which the leader spins without the lock. Only the leader uses it, and the code that makes a
    /// thread the leader.
    let looks: Cells<SpinTarget>

    init(_ config: PoolConfig) throws(MapError) {
        self.config = config
        if let path = config.crashFolder { crashFolder = try CrashFolder(path) } else { crashFolder = nil }
        input = try InputMemory(reserve: config.inputReserve, hasLanes: config.cluster != nil)
        libraries = Libraries(
            standing: config.start == MAPE_START_EXEC && config.process.sandbox == MAPE_SANDBOX_NONE ? .shared : .own)
        engineBell = try Bell()
        waiterBell = try Bell()
        engineWake = try Descriptor(checking: mapb_notifier_open(), MAPB_NAME_NOTIFIER_OPEN)
        poller = try Descriptor(checking: mapb_poller_open(), MAPB_NAME_POLLER_OPEN)
        var why = mapb_poller_add(poller.number, engineBell.reading.number, EngineTag.bell.rawValue)
        if why == 0 { why = mapb_poller_add(poller.number, engineWake.number, EngineTag.wake.rawValue) }
        if why != 0 { throw .system(MAPB_NAME_POLLER_ADD, why) }
        if config.interruptible {
            waiters = Waiters(notifying: try Descriptor(checking: mapb_notifier_open(), MAPB_NAME_NOTIFIER_OPEN))
        } else {
            waiters = Waiters()
        }
        interrupts = try unsafe Interrupts(
            counter: waiters.place, bell: waiterBell.writing.number, notifier: waiters.notifier)
        usable = usableCores()
        looks = Cells(unset: usable)
        input.setSpin(mapb_cores() > 1 ? Policy.workerSpins : 0)
    }

    deinit { interrupts.close() }
}

/// What woke the engine thread.
enum EngineTag: UInt64 {
    case bell = 1
    case wake = 2
    case control = 3
    case zygote = 4
    case errors = 5
    case helper = 6
    case helperEnd = 7
    case helperErrors = 8

    static let pipes: UInt64 = 1 << 32
    static func pipe(_ slot: Int, _ which: Int) -> UInt64 { pipes | UInt64(slot) << 1 | UInt64(which) }
}
