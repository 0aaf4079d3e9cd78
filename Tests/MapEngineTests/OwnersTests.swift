import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct OwnersTests {
    @Test(arguments: ["", "text", "Käse \u{1F9C0}"])
    func aTextIsKeptWithItsNul(text: String) {
        let kept = CText(text)
        #expect(kept.count == text.utf8.count)
        #expect(String(cString: kept.bytes) == text)
    }

    @Test func textsOfBytesAreKeptAsTheyAre() {
        let kept = CText(array: [0x61, 0, 0xff, 0x62])
        #expect(kept.count == 4)
        #expect(kept.bytes[1] == 0 && UInt8(bitPattern: kept.bytes[2]) == 0xff && kept.bytes[4] == 0)
    }

    @Test func anArrayOfTextsEndsWithNull() {
        let array = CTextArray(["a", "", "b=c"])
        withExtendedLifetime(array) {
            #expect((0..<3).map { String(cString: array.pointers[$0]!) } == ["a", "", "b=c"])
            #expect(array.pointers[3] == nil)
        }
    }

    @Test func aDescriptorIsClosedByItsOwner() throws {
        var ends: [Int32] = [-1, -1]
        try #require(mapb_pipe(&ends) == 0)
        defer { close(ends[0]) }
        do {
            let descriptor = Descriptor(ends[1])
            let flags = fcntl(descriptor.number, F_GETFD)
            #expect(flags & FD_CLOEXEC != 0)
            #expect(!isReadable(ends[0]))
        }
        #expect(isAtItsEnd(ends[0]))
    }

    @Test(arguments: [(EMFILE, MAPE_E_SYSTEM), (ENOMEM, MAPE_E_MEMORY)])
    func aNegativeErrnoIsAnErrorThatNamesTheCall(why: Int32, status: mape_status) {
        let error = mapError { _ = try Descriptor(checking: -why, "eventfd") }
        #expect(error?.status == status.rawValue)
        #expect(error?.message.hasPrefix("eventfd failed: ") == true)
    }

    @Test func sharedMemoryCannotShrinkUnderItsReaders() throws {
        let memory = try SharedMemory(name: "mape-test", size: 1 << 20, least: 1 << 20)
        let file = memory.fileNumber
        #expect(ftruncate(file, 4096) != 0)
        #expect(ftruncate(file, 2 << 20) != 0)
        let flags = fcntl(file, F_GETFD)
        #expect(flags & FD_CLOEXEC != 0)
    }

    @Test func pagesGivenBackReadAsZerosAndPartsOfPagesStay() throws {
        let memory = try SharedMemory(name: "mape-test", size: 1 << 20, least: 1 << 20)
        memset(memory.base, 0x55, 4 * 4096)
        memory.returnPages(100, 3 * 4096)
        // Whole pages from 4096 to 3 * 4096.
        let bytes = UnsafeBufferPointer(start: memory.base, count: 4 * 4096)
        let expected = (0..<(4 * 4096)).allSatisfy { bytes[$0] == ((4096..<(3 * 4096)).contains($0) ? 0 : 0x55) }
        #expect(expected)
    }

    @Test func aBufferHoldsOnlyWhatLiesWhollyInside() {
        let buffer = Buffer(block: Block(offset: 4096, count: 8192), size: 5000)
        #expect(buffer.contains(4096, 5000))
        #expect(buffer.contains(9095, 1))
        #expect(!buffer.contains(9096, 1), "behind its size, though in its block")
        #expect(!buffer.contains(4095, 1))
        #expect(!buffer.contains(5000, .max))
        #expect(!buffer.contains(.max, 2))
    }

    @Test func aBufferLivesUntilAllHaveLetGo() {
        let buffer = Buffer(block: Block(offset: 0, count: 64), size: 64)
        buffer.retain()
        buffer.retain()
        let releases = [buffer.release(), buffer.release(), buffer.release()]
        #expect(releases == [false, false, true])
    }

    @Test func aBellThatIsFullNeitherBlocksNorStaysReadable() throws {
        let bell = try Bell()
        #expect(!isReadable(bell.reading.number))
        // More than a pipe holds.
        for _ in 0..<20_000 { mapb_bell_ring(bell.writing.number) }
        #expect(isReadable(bell.reading.number))
        bell.drain()
        #expect(!isReadable(bell.reading.number))
        mapb_bell_ring(bell.writing.number)
        #expect(isReadable(bell.reading.number))
    }

    @Test func whoHasABellOfItsOwnCannotMakeThatOfOthersBlock() throws {
        let bell = try Bell()
        var file = mapb_inode()
        let first = mapb_bell_own(dup(bell.writing.number), &file)
        let second = mapb_bell_own(dup(bell.writing.number), &file)
        defer {
            close(first)
            close(second)
        }
        #expect(fcntl(first, F_SETFL, 0) == 0)
        for end in [second, bell.writing.number] {
            #expect(fcntl(end, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(end, F_GETFL) & O_ACCMODE == O_WRONLY)
        }
        #expect(mapb_bell_ring_own(second, &file) == 1)
        #expect(isReadable(bell.reading.number))
    }
}
