// Registering functions and globals. Texts and bytes are copied without the lock, then passed to the core.

import CMapBridge

extension Pool {
    /// Registers a function; in a started pool its setup is sent to all workers at once.
    func register(_ description: mape_function) throws(MapError) -> UInt32 {
        let isFork = config.start == MAPE_START_FORK
        while true {
            let snapshot = try core.with { (core) throws(MapError) in
                try core.checkRegister()
                return isFork && core.life.stage == .created
            }
            let draft = try Function.make(
                description, input: fixed.input, libraries: fixed.libraries, isFork: isFork, snapshot: snapshot,
                travels: config.cluster != nil)
            let made = try core.with { (core) throws(MapError) -> UInt32? in
                do throws(MapError) { try core.checkRegister() } catch {
                    draft.discard(fixed.input)
                    throw error
                }
                // The pool was started meanwhile: workers do not have what the host has loaded since.
                if snapshot != (isFork && core.life.stage == .created) {
                    draft.discard(fixed.input)
                    return nil
                }
                return core.add(draft)
            }
            if let made { return made }
        }
    }

    func setGlobal(_ name: UserText, _ data: UnsafeRawPointer?, _ size: Int) throws(MapError) {
        try core.with { (core) throws(MapError) in try core.checkOpen() }
        guard let data = unsafe data else {
            try core.with { (core) throws(MapError) in try core.removeGlobal(name) }
            return
        }
        let value = try unsafe Globals.Value(name, data, size, input: fixed.input)
        try core.with { (core) throws(MapError) in try core.setGlobal(value) }
    }

    /// A stretch of the input memory that the host writes itself. Returns its handle.
    func makeBuffer(_ size: UInt64) throws(MapError) -> UInt {
        try core.with { (core) throws(MapError) in try core.checkOpen() }
        let block = try fixed.input.allocate((size + 4095) & ~4095, alignment: 4096)
        do throws(MapError) {
            let handle = try newHandle(.buffer)
            do throws(MapError) {
                try core.with { (core) throws(MapError) in
                    try core.add(Buffer(block: block, size: size), handle: handle)
                }
            } catch {
                Handles.shared.remove(handle)
                throw error
            }
            return handle
        } catch {
            fixed.input.free(block)
            throw error
        }
    }

    /// Releases a buffer. Before the start and after the shutdown there is no engine thread that returns what is more than is kept, so
    /// this thread does. False: no buffer has that handle.
    func destroyBuffer(_ handle: UInt) -> Bool {
        let (found, trimsHere) = core.with { core in
            (core.removeBuffer(handle), core.life.stage == .created || core.life.stage == .closed)
        }
        if trimsHere && fixed.input.hasExcess { fixed.input.trim() }
        return found
    }

    /// A number for something of this pool, which the host sees as a pointer.
    func newHandle(_ kind: Handles.Kind) throws(MapError) -> UInt {
        let handle = Handles.shared.add(kind, self)
        guard handle != 0 else { throw MapError(MAPE_E_MEMORY, "out of handles: a million are in use") }
        return handle
    }
}
