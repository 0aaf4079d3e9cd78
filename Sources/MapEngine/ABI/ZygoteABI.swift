// What the program of a zygote calls: mape_zygote_offer, mape_zygote_set_hooks, mape_zygote_main.

import CMapBridge

/// Taken by who offers a function: threads take turns.
private let offering = Guarded(())

/// Throws in a zygote that runs, and in its workers.
private func checkNotRunning() throws(MapError) {
    guard mapb_is_worker() != 0 else { return }
    throw MapError(MAPE_E_IN_WORKER, "what a zygote brings is given before mape_zygote_main, and not in workers")
}

@implementation @_cdecl("mape_zygote_offer")
public func mape_zygote_offer(_ function: UnsafePointer<mape_zygote_function>!) -> Int32 {
    enter { () throws(MapError) in
        try checkNotRunning()
        let given: mape_zygote_function = try unsafe checked(function, "function")
        guard let name = unsafe given.name else { throw .null("function.name") }
        let text = unsafe UserText(name)
        guard (1..<Int(MAPB_OFFER_NAME)).contains(text.bytes.count) else {
            throw .argument("function.name", "has \(text.bytes.count) bytes; 1 to \(MAPB_OFFER_NAME - 1) are possible")
        }
        guard unsafe (given.run == nil) != (given.run_range == nil) else {
            throw .argument("function.run", "or run_range: exactly one of them must be given")
        }
        let fault = unsafe withUnsafePointer(to: given) { given in offering.with { _ in unsafe mapb_offer(given) } }
        switch UInt32(bitPattern: fault) {
        case MAPB_OFFER_KNOWN.rawValue: throw .argument("function.name", "is \"\(text)\", which is offered already")
        case MAPB_OFFERS_FULL.rawValue:
            throw MapError(MAPE_E_MEMORY, "a zygote can offer \(MAPB_MAX_OFFERS) functions")
        default: break
        }
    }
}

@implementation @_cdecl("mape_zygote_set_hooks")
public func mape_zygote_set_hooks(_ hooks: UnsafePointer<mape_zygote_hooks>!) -> Int32 {
    enter { () throws(MapError) in
        try checkNotRunning()
        var given = mape_zygote_hooks()
        if let hooks = unsafe hooks { given = try unsafe checked(hooks, "hooks") }
        unsafe withUnsafePointer(to: given) { unsafe mapb_set_hooks($0) }
    }
}

@implementation @_cdecl("mape_zygote_main")
public func mape_zygote_main(_ argc: Int32, _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>!) -> Int32 {
    guard mapb_is_zygote_program() != 0 else {
        let arguments = (0..<Int(argc)).compactMap { unsafe argv?[$0].map { unsafe String(cString: $0) } }
        if arguments.count > 1, arguments[1] == "--replay" { return Replay.main(Array(arguments.dropFirst())) }
        let text =
            "mapengine-zygote is started by libmapengine, for its own use; by hand it runs an item that has crashed again: mapengine-zygote --replay FILE [--output RESULT]"
        unsafe mapb_say(text, UInt64(text.utf8.count))
        return 64
    }
    mapb_become_worker()
    zygoteRun(3, mapb_parent_id())
}
