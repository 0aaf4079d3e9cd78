import CMapBridge
import Testing

@testable import MapEngine

@Suite struct StructSizeTests {
    @Test func theRightSizeIsTaken() throws {
        var items = mape_items()
        items.struct_size = MemoryLayout<mape_items>.size
        items.count = 7
        #expect(try checked(&items, "items").count == 7)
    }

    @Test(arguments: [0, 1, MemoryLayout<mape_items>.size - 1, MemoryLayout<mape_items>.size + 1, -1, .max, .min])
    func anotherSizeIsRefused(size: Int) {
        var items = mape_items()
        items.struct_size = size
        let error = mapError { try checked(&items, "items") }
        #expect(error?.status == MAPE_E_SIZE.rawValue)
        #expect(error?.message.hasPrefix("items->struct_size ") == true)
    }

    @Test func nullIsAnArgumentError() {
        let error = mapError { try checked(UnsafePointer<mape_items>?.none, "items") }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue)
    }

    @Test func everyStatusHasATextOfItsOwn() {
        let texts = (-19...0).map { String(cString: mapb_status_text(Int32($0))) }
        #expect(Set(texts).count == 21)
        #expect(!texts.contains("unknown status"))
        #expect(!texts.contains(""))
    }

    @Test(arguments: [1, -21, Int32.max, Int32.min])
    func anUnknownStatusIsToldAsSuch(status: Int32) {
        #expect(String(cString: mapb_status_text(status)) == "unknown status")
    }
}
