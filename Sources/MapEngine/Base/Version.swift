import CMapBridge

/// The version as mape_version tells it: one number.
var engineVersion: UInt32 {
    @_noLocks get {
        UInt32(MAPE_VERSION_MAJOR) &* 1_000_000 &+ UInt32(MAPE_VERSION_MINOR) &* 1000 &+ UInt32(MAPE_VERSION_PATCH)
    }
}
