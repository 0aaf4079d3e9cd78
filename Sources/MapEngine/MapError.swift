// The one error of the engine: a status of the C interface, and what a person needs to know about it.

import CMapBridge
import Glibc

struct MapError: Error {
    let status: Int32
    let message: String

    init(_ status: mape_status, _ message: String) {
        self.status = status.rawValue
        self.message = message
    }

    static func argument(_ name: String, _ what: String) -> MapError { MapError(MAPE_E_ARGUMENT, "\(name) \(what)") }
    static func released(_ name: String) -> MapError {
        MapError(MAPE_E_HANDLE, "\(name) is no live handle of a job: it was released")
    }
    static func null(_ name: String) -> MapError { .argument(name, "is NULL") }

    static func system(_ call: String, _ why: Int32) -> MapError {
        MapError(
            why == ENOMEM ? MAPE_E_MEMORY : MAPE_E_SYSTEM, unsafe "\(call) failed: \(String(cString: strerror(why)))")
    }
}
