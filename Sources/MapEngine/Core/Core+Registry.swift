// What was registered: functions, globals, buffers.

import CMapBridge

extension Core {
    func checkRegister() throws(MapError) {
        try checkOpen()
        guard functions.count + 1 < Int(MAPB_MAX_FUNCTIONS) else {
            throw MapError(MAPE_E_MEMORY, "a pool can hold \(MAPB_MAX_FUNCTIONS - 1) functions")
        }
    }

    /// Takes a function in, of which the workers there are are told. Returns its number.
    func add(_ function: Function) -> UInt32 {
        fixed.libraries.add(function.libraries)
        registry.functions.append(function)
        if let zygote {
            preload(function, in: zygote)
            for library in function.libraries { library.deaths = 0 }
            for worker in workers where worker.state == .ready || worker.state == .starting {
                tell(worker, .setup(function, globals))
            }
        }
        return function.id
    }

    /// Jobs that are submitted from now on see a global's new value.
    func setGlobal(_ value: Globals.Value) throws(MapError) {
        try checkOpen()
        registry.globals = try Globals.setting(value, in: globals, input)
    }

    func removeGlobal(_ name: UserText) throws(MapError) {
        try checkOpen()
        registry.globals = try globals?.removing(Globals.Key(name))
    }

    func add(_ buffer: Buffer, handle: UInt) throws(MapError) {
        try checkOpen()
        buffer.handle = handle
        registry.buffers[handle] = buffer
    }

    /// The host has destroyed a buffer; jobs that use it keep it. False: there is none of that handle.
    func removeBuffer(_ handle: UInt) -> Bool {
        guard let buffer = registry.buffers.removeValue(forKey: handle) else { return false }
        letGo(buffer)
        return true
    }
}
