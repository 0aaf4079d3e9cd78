// Events as the host sees them.

import CMapBridge

func emptyEvent() -> mape_event {
    var event = unsafe mape_event()
    unsafe event.struct_size = unsafe MemoryLayout<mape_event>.size
    unsafe event.result.struct_size = unsafe MemoryLayout<mape_result>.size
    unsafe event.result.message = unsafe emptyText
    unsafe event.progress.struct_size = MemoryLayout<mape_progress>.size
    unsafe event.worker = -1
    return unsafe event
}

/// - context: of the pool's configuration.
func fillEvent(_ event: inout mape_event, _ message: PoolMessage, _ context: UnsafeMutableRawPointer?) {
    unsafe event.type = (message.isLog ? MAPE_EVENT_LOG : MAPE_EVENT_OUTPUT).rawValue
    unsafe event.code = message.code
    unsafe event.context = unsafe context
    unsafe event.worker = message.worker
    unsafe event.lost = message.lost
    unsafe event.text = unsafe UnsafePointer(message.text.bytes)
    unsafe event.text_size = message.text.count
}

func fillEvent(_ event: inout mape_event, _ job: Job, _ type: mape_event_type) {
    unsafe event.type = type.rawValue
    unsafe event.job = unsafe OpaquePointer(bitPattern: job.owner.isItself ? 0 : job.handle)
    unsafe event.context = unsafe job.config.context
}
