import CMapBridge
import Testing

@testable import MapEngine

@Suite struct LayoutTests {
    @Test func x() { #expect(MemoryLayout<mapb_reply>.size == 64) }
}
