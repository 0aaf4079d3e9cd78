// How workers end, as the zygote reports it.

import CMapBridge

/// How a worker was lost.
enum Loss {
    /// A wait status, see waitpid(2).
    case status(Int32)
    /// The zygote died, and its workers with it.
    case zygote

    var isZygote: Bool {
        if case .zygote = self { return true }
        return false
    }

    var signal: Int32? {
        guard case .status(let status) = self, status & 0x7f != 0 else { return nil }
        return status & 0x7f
    }

    /// The worker ended by itself, and said why: fork_identity.c.
    var isRetirement: Bool {
        guard case .status(let status) = self else { return false }
        return status == Int32(MAPB_EXIT_RETIRED.rawValue) << 8
    }

    var text: String {
        guard case .status(let status) = self else { return "was lost with its zygote" }
        if let signal { return "was ended by \(signalName(signal))" }
        return "exited with code \(status >> 8 & 0xff)"
    }
}
