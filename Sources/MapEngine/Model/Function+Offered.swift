// Functions that the zygote's program brings (mape_zygote_offer): a record has the name that it offers, and no library.

import CMapBridge

extension Function.Maker {
    /// Whether there is such a function, and whether it has a setup and a cleanup, the worker finds out.
    func offered(_ c: mape_function, _ record: inout mapb_function) throws(MapError) {
        guard unsafe c.prototype == nil else {
            throw .argument(
                "function.prototype", "is given with MAPE_ZYGOTE: a zygote offers no C functions of other types")
        }
        guard unsafe c.setup_symbol == nil && c.cleanup_symbol == nil else {
            throw .argument(
                "function.setup_symbol",
                "or cleanup_symbol is given with MAPE_ZYGOTE: they come with what the zygote offers")
        }
        let isRange = unsafe c.run_range_symbol != nil
        let name = unsafe UserText((isRange ? c.run_range_symbol : c.run_symbol)!)
        guard (1..<Int(MAPB_OFFER_NAME)).contains(name.bytes.count) else {
            throw .argument(
                isRange ? "function.run_range_symbol" : "function.run_symbol",
                "has \(name.bytes.count) bytes; what a zygote offers has a name of 1 to \(MAPB_OFFER_NAME - 1)")
        }
        let text = try text(name)
        record.run = part(isRange ? MAPB_PLACE_OFFERED_RANGE : MAPB_PLACE_OFFERED_RUN, text)
        record.setup = part(MAPB_PLACE_OFFERED_SETUP, text)
        record.cleanup = part(MAPB_PLACE_OFFERED_CLEANUP, text)
    }

    private func part(_ kind: mapb_place_kind, _ name: UInt64) -> mapb_place {
        var place = mapb_place()
        place.kind = kind.rawValue
        place.value = name
        if names { place.symbol = name }
        placed.append(nil)
        return place
    }
}
