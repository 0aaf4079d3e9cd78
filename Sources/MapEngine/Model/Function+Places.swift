// Where workers find a function's code: a library and a symbol, or a pointer, which is one of a library that the host has loaded, or of the
// host's own snapshot. And what other machines have to know of it.

import CMapBridge

extension Function.Maker {
    func symbol(_ name: UnsafePointer<CChar>?, _ argument: String, _ library: Library) throws(MapError)
        -> mapb_place
    {
        guard let name = unsafe name else {
            placed.append(nil)
            return mapb_place()
        }
        let text = unsafe UserText(name)
        if text.isEmpty { throw .argument(argument, "is an empty text") }
        return try symbol(text, library)
    }

    func symbol(_ name: UserText, _ library: Library) throws(MapError) -> mapb_place {
        var place = mapb_place()
        place.kind = MAPB_PLACE_SYMBOL.rawValue
        set(&place, library)
        place.value = try text(name)
        if names { place.symbol = place.value }
        return place
    }

    func library(_ path: UserText) throws(MapError) -> Library {
        let library = try libraries.at(path, in: input)
        named.append(library)
        return library
    }

    private func set(_ place: inout mapb_place, _ library: Library) {
        place.library = library.pathOffset
        place.file = library.fileOffset
        placed.append(library)
    }

    func place(_ address: UnsafeRawPointer?, _ argument: String) throws(MapError) -> mapb_place {
        var place = mapb_place()
        guard let address = unsafe address else {
            placed.append(nil)
            return place
        }
        if snapshot {
            placed.append(nil)
            place.kind = MAPB_PLACE_POINTER.rawValue
            place.value = UInt64(UInt(bitPattern: address))
            return place
        }
        var path = [CChar](repeating: 0, count: 4097)
        let location = unsafe mapb_locate(address, &place, &path)
        let shown = "0x" + String(UInt(bitPattern: address), radix: 16)
        if location == Int32(MAPB_LOCATED_LIBRARY.rawValue) {
            set(&place, try self.library(UserText(array: path)))
            if names { place.symbol = try unsafe exportedName(address) }
            return place
        }
        if location == Int32(MAPB_LOCATED_PROGRAM.rawValue) {
            throw MapError(
                MAPE_E_FUNCTION,
                "\(argument): function \(shown) lives in the main program; "
                    + (isFork
                        ? "a FORK pool takes such functions only before its start: register it earlier, or move it into a shared library"
                        : "workers started with MAPE_START_EXEC load functions from shared libraries: move it into one, or set config.start = MAPE_START_FORK")
            )
        }
        if location == Int32(MAPB_LOCATED_GONE.rawValue) {
            throw MapError(
                MAPE_E_FUNCTION,
                "\(argument): function \(shown) comes from \"\(printable(UserText(array: path).bytes))\", and there is no such file any more, so that workers cannot load it: it was removed since the host loaded it"
            )
        }
        throw MapError(
            MAPE_E_FUNCTION,
            "\(argument): address \(shown) lies in no file that workers could load; "
                + (isFork
                    ? "with MAPE_START_FORK such functions must be registered before the start"
                    : "put the function into a shared library, or set config.start = MAPE_START_FORK and register it before the start")
        )
    }

    /// Of a symbol that the address's library exports at that very address; 0: there is none.
    private func exportedName(_ address: UnsafeRawPointer) throws(MapError) -> UInt64 {
        var name = [CChar](repeating: 0, count: 1024)
        guard unsafe mapb_symbol_of(address, &name, UInt64(name.count)) != 0 else { return 0 }
        return try text(UserText(array: name))
    }

    /// Writes what another machine has to know beside, and whether it can have the function: each of its places needs a name.
    func travel(_ c: mape_function, _ record: inout mapb_function) throws(MapError) {
        if let prototype = unsafe c.prototype { record.prototype = try unsafe text(UserText(prototype)) }
        record.native_flags = c.native_flags
        func hasName(_ place: mapb_place) -> Bool { place.kind == MAPB_PLACE_NONE.rawValue || place.symbol != 0 }
        let all = hasName(record.run) && hasName(record.setup) && hasName(record.cleanup)
        record.travels = all && record.data_is_pointer == 0 ? 1 : 0
    }
}
