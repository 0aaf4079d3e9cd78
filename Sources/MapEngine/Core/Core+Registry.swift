// What was registered: functions, globals, buffers.

import CMapBridge

extension Core {
    func checkRegister() throws(MapError) {
        try checkOpen()
        guard registry.functions.hasRoom else {
            throw MapError(MAPE_E_MEMORY, "a pool can hold \(MAPB_MAX_FUNCTIONS - 1) functions")
        }
    }

    /// Registers a function, and sends its setup to the present workers. Returns its number.
    func add(_ draft: Function.Draft) -> UInt32 {
        let (id, line) = registry.functions.next
        let function = draft.function(id, line: line, input)
        fixed.libraries.add(function.libraries)
        registry.functions.add(function)
        function.show(in: input)
        if let zygote { preload(function, in: zygote) }
        if life.stage == .running || zygote != nil {
            for library in function.libraries { library.deaths = 0 }
            for worker in workers where worker.state == .ready || worker.state == .starting {
                if !worker.isRemote || function.travels { send(worker, .setup(function, globals)) }
            }
        }
        if remote != nil && !function.travels { logStays(function) }
        return function.id
    }

    /// Gives a function another name. Returns the id.
    func add(alias name: String?, of id: UInt32) throws(MapError) -> UInt32 {
        try checkRegister()
        let added = registry.functions.add(alias: name, of: try function(id), id)
        if let name { registry.functions.alias(added)?.label = ShownName(name, in: input) }
        return added
    }

    /// Jobs that are submitted from now on see a global's new value.
    func setGlobal(_ value: Globals.Value) throws(MapError) {
        try checkOpen()
        become(try Globals.setting(value, in: globals, input))
    }

    private func become(_ table: Globals?) {
        registry.globalsSet += 1
        if table !== globals { table?.serial = registry.globalsSet }
        registry.globals = table
    }

    func removeGlobal(_ name: UserText) throws(MapError) {
        try checkOpen()
        become(try globals?.removing(Globals.Key(name)))
    }

    func add(_ buffer: Buffer, handle: UInt) throws(MapError) {
        try checkOpen()
        buffer.handle = handle
        registry.buffers[handle] = buffer
    }

    /// Called when the host releases a buffer; jobs that use it keep it. False: no buffer has that handle.
    func removeBuffer(_ handle: UInt) -> Bool {
        guard let buffer = registry.buffers.removeValue(forKey: handle) else { return false }
        release(buffer)
        scheduleTrim()
        return true
    }
}
