// Events as the host sees them.

import CMapBridge

func emptyEvent() -> mape_event {
    var event = mape_event()
    event.struct_size = MemoryLayout<mape_event>.size
    event.result.struct_size = MemoryLayout<mape_result>.size
    unsafe event.result.message = emptyText
    event.progress.struct_size = MemoryLayout<mape_progress>.size
    event.worker = -1
    return event
}

/// - context: the context of the pool's configuration.
func fillEvent(_ event: inout mape_event, _ message: PoolMessage, _ context: UnsafeMutableRawPointer?) {
    event.type = (message.isLog ? MAPE_EVENT_LOG : MAPE_EVENT_OUTPUT).rawValue
    event.code = message.code
    unsafe event.context = context
    event.worker = message.worker
    event.lost = message.lost
    unsafe event.text = UnsafePointer(message.text.bytes)
    event.text_size = message.text.count
}

/// - count: how many items it is about.
func fillEvent(_ event: inout mape_event, _ job: Job, _ type: mape_event_type, count: UInt64 = 0) {
    event.type = type.rawValue
    event.count = count
    unsafe event.job = OpaquePointer(bitPattern: job.owner.isItself ? 0 : job.handle)
    unsafe event.context = job.config.context
}
