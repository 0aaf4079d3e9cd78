// What the pool learns about libraries: which ones the zygote may load, and in which ones workers and zygotes have
// died.

import CMapBridge

extension Core {
    /// Has the zygote load a function's libraries, so that workers share their pages.
    func preload(_ function: Function, in zygote: Zygote) {
        for library in function.libraries where library.standing == .shared {
            if zygote.load(library) { engineMustWake(by: later(mapb_clock(), by: config.limits.setupTimeout)) }
        }
    }

    /// A worker has run a function's setup well.
    /// - changed: loading has left something in it that was not there before.
    func proved(_ function: Function, changed: Bool) {
        for library in function.libraries {
            library.deaths = 0
            guard library.standing == .unproven else { continue }
            library.standing = changed ? .own : .shared
            if changed { logOwn(library, "leaves a thread or a process behind when it is loaded, or changes signals") }
        }
        if let zygote { preload(function, in: zygote) }
    }

    private func logOwn(_ library: Library, _ why: String) {
        log(MAPE_LOG_INFO, "library \"\(library.path)\" \(why): it is loaded in each worker, not once for all")
    }

    /// The zygote has loaded a library.
    func loaded(_ message: mapb_control, _ zygote: Zygote) {
        guard let library = zygote.hasLoaded(message.slot), message.code != 0 else { return }
        zygote.resigns = true
        library.standing = .own
        let why =
            switch UInt32(bitPattern: message.code) {
            case MAPB_CHANGE_THREADS.rawValue: "starts a thread when it is loaded"
            case MAPB_CHANGE_CHILDREN.rawValue: "starts a process when it is loaded"
            case MAPB_CHANGE_SIGNALS.rawValue: "changes signals when it is loaded"
            default: "closes descriptors when it is loaded"
            }
        logOwn(library, why)
    }

    /// Called when a zygote has died. Returns whether a library has ended it; later zygotes do not load that library.
    func wasEndedByLibrary(_ gone: Zygote, _ how: String) -> Bool {
        if config.start == MAPE_START_FORK { return false }
        if gone.resigns { return true }
        // Libraries are loaded by a zygote that has begun, and between its forks.
        guard gone.hasBegun, gone.hook == MAPB_HOOK_NONE, let library = gone.loading.first else { return false }
        library.standing = .own
        log(
            MAPE_LOG_WARNING,
            "the zygote (pid \(gone.pid)) \(how) while it loaded library \"\(library.path)\": workers load it themselves from now on"
        )
        return true
    }

    /// Called when a worker has died while it loaded one of a function's libraries. All functions of that library pay
    /// for it, and no others.
    func lostInLoad(_ library: Library, _ isTimeout: Bool, _ how: String, _ now: Int64) {
        let users = functions.filter { $0.placed.contains { $0 === library } }
        let deaths = library.countDeath(users.reduce(0) { $0 + $1.itemsEnded })
        guard isTimeout || deaths >= config.limits.restarts else { return }
        let why = whyDisabled(library, isTimeout, how)
        for function in users {
            disable(function, MAPE_CAUSE_LOAD, MAPE_E_LOAD.rawValue, UserText(why), now)
        }
    }

    /// The same for a module. Workers go on without it, as without one that cannot be found.
    func lostInModule(_ module: Library, _ isTimeout: Bool, _ how: String) {
        let deaths = module.countDeath(figures.items)
        guard !module.isDisabled, isTimeout || deaths >= config.limits.restarts else { return }
        module.isDisabled = true
        registry.moduleFailure = whyDisabled(module, isTimeout, how)
        log(MAPE_LOG_ERROR, registry.moduleFailure!)
        touched.wakes = true
    }

    private func whyDisabled(_ library: Library, _ isTimeout: Bool, _ how: String) -> String {
        "cannot load library \"\(library.path)\": its worker \(how) while it was loaded"
            + (isTimeout ? "" : ", \(library.deaths) times in a row")
    }
}
