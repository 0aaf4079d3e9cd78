import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct InputMemoryTests {
    @Test func theHeadTellsTheProtocol() throws {
        let input = try InputMemory(reserve: 0)
        #expect(input.head.pointee.protocol == MAPB_PROTOCOL)
        #expect(input.used == 0)
    }

    @Test(arguments: [1, 3, 1024] as [UInt32])
    func theArenaLiesBehindTheInboxesHoweverLittleWasAskedFor(workers: UInt32) throws {
        let input = try InputMemory(reserve: 1)
        let inboxes = InputMemory.arenaStart
        let first = try input.allocate(1)
        #expect(first.offset >= inboxes)
        #expect(input.size - inboxes >= Policy.leastReserve)
        let last = UnsafeRawPointer(input.inbox(Int(workers) - 1).pointer + 1) - UnsafeRawPointer(input.base)
        #expect(UInt64(last) <= first.offset)
    }

    @Test func nobodyElseCanMapItWritable() throws {
        let input = try smallInput()
        let other = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, input.file, 0)
        #expect(other == MAP_FAILED)
        let reader = mmap(nil, 4096, PROT_READ, MAP_SHARED, input.file, 0)
        #expect(reader != MAP_FAILED)
        if reader != MAP_FAILED { munmap(reader, 4096) }
    }

    @Test(arguments: [(0, 64), (1, 64), (64, 64), (65, 128), (4000, 4032)] as [(UInt64, UInt64)])
    func takesWholeCacheLines(count: UInt64, rounded: UInt64) throws {
        let input = try smallInput()
        let block = try input.allocate(count)
        #expect(block.count == rounded)
        #expect(block.offset % 64 == 0)
        #expect(input.used == rounded)
        input.free(block)
        #expect(input.used == 0)
    }

    @Test func pagesOfWhatIsFreeAreGivenBackByATrim() throws {
        let input = try InputMemory(reserve: 4 * Policy.warmInput)
        #expect(!input.hasExcess)
        let block = try input.allocate(2 * Policy.warmInput)
        (input.base + Int(block.offset)).update(repeating: 7, count: Int(block.count))
        input.free(block)
        #expect(input.hasExcess)
        input.trim()
        #expect(!input.hasExcess)
        // Given back means that it reads as zeros.
        #expect(input.base[Int(block.offset) + Int(block.count) / 2] == 0)
        // The lowest stay.
        #expect(input.base[Int(block.offset)] == 7)
        // Beside them the head's page, and pages of which a part stays.
        #expect(pages(input) > 0 && pages(input) <= Int(input.size / Policy.warmShare) / 4096 + 4)
    }

    /// How many pages it has, of the memory and not only of this mapping.
    private func pages(_ input: InputMemory) -> Int {
        var status = stat()
        return fstat(input.file, &status) == 0 ? Int(status.st_blocks) / 8 : -1
    }

    @Test func freeMemoryKeepsNoMoreThanAPartOfASmallReserve() throws {
        let input = try InputMemory(reserve: 64 << 20)
        let block = try input.allocate(16 << 20)
        (input.base + Int(block.offset)).update(repeating: 7, count: Int(block.count))
        input.free(block)
        #expect(input.hasExcess && input.hasTooMuch)
        input.trim()
        #expect(!input.hasExcess && !input.hasTooMuch)
        #expect(pages(input) <= 8 * 256 + 4)
    }

    @Test func whatWasNeverInUseIsNotWarm() throws {
        let input = try InputMemory(reserve: 64 << 20)
        let first = try input.allocate(7 << 20)
        input.free(first)
        // Half of this one lies behind what was used; when it is freed, all of it was.
        let second = try input.allocate(14 << 20)
        #expect(!input.hasTooMuch)
        input.free(second)
        #expect(input.hasTooMuch)
        input.trim()
        // What was returned counts again only when it is used again.
        let third = try input.allocate(8 << 20)
        input.free(third)
        #expect(!input.hasTooMuch)
    }

    @Test func memoryThatIsUsedAgainIsNoExcess() throws {
        let input = try InputMemory(reserve: 4 * Policy.warmInput)
        for _ in 0..<5 {
            let block = try input.allocate(Policy.warmInput / 2)
            input.free(block)
            #expect(!input.hasExcess)
        }
    }

    @Test func takesAtAnAlignment() throws {
        let input = try smallInput()
        _ = try input.allocate(1)
        #expect(try input.allocate(8192, alignment: 4096).offset % 4096 == 0)
    }

    @Test func whatWasGivenBackIsTakenAgain() throws {
        let input = try smallInput()
        let first = try input.allocate(1000)
        let second = try input.allocate(1000)
        input.free(first)
        #expect(try input.allocate(1000) == first)
        input.free(second)
        #expect(try input.allocate(500).offset == second.offset)
    }

    @Test(arguments: [200, 4096, 1 << 20] as [UInt64])
    func zeroedMemoryIsZeroWhereOthersHaveWritten(count: UInt64) throws {
        let input = try InputMemory(reserve: 8 << 20)
        // Unaligned to pages, so that parts of pages have to be cleared as well.
        let before = try input.allocate(64)
        let dirty = try input.allocate(count)
        let after = try input.allocate(64)
        for block in [before, dirty, after] {
            memset(input.base + Int(block.offset), 0xaa, Int(block.count))
        }
        input.free(dirty)
        let clean = try input.allocate(count, zeroed: true)
        #expect(clean == dirty)
        let bytes = UnsafeBufferPointer(start: input.base + Int(clean.offset), count: Int(clean.count))
        #expect(bytes.allSatisfy { $0 == 0 })
        // Its neighbours keep theirs.
        for block in [before, after] {
            #expect(UnsafeBufferPointer(start: input.base + Int(block.offset), count: 64).allSatisfy { $0 == 0xaa })
        }
    }

    @Test func exhaustionIsAnErrorThatTellsWhatToDo() throws {
        let input = try smallInput()
        var blocks: [Block] = []
        let error = mapError { while true { blocks.append(try input.allocate(100_000)) } }
        #expect(error?.status == MAPE_E_MEMORY.rawValue)
        #expect(error?.message.contains("input_reserve") == true)
        #expect(blocks.count > 30)
        for block in blocks { input.free(block) }
        #expect(input.used == 0)
        #expect(throws: Never.self) { try input.allocate(3 << 20) }
    }

    @Test(arguments: [4 << 20 + 1, 1 << 40, UInt64(Int64.max), UInt64(Int64.max) + 1] as [UInt64])
    func moreThanThereIsIsRefused(count: UInt64) throws {
        let input = try smallInput()
        #expect(mapError { try input.allocate(count) }?.status == MAPE_E_MEMORY.rawValue)
        #expect(input.used == 0)
    }

    @Test func knowsItsOwnAddresses() throws {
        let input = try smallInput()
        #expect(input.offset(of: input.base) == 0)
        #expect(input.offset(of: input.base + 5000) == 5000)
        #expect(input.offset(of: input.base + Int(input.size) - 1) == input.size - 1)
        #expect(input.offset(of: input.base + Int(input.size)) == nil)
        #expect(input.offset(of: input.base - 1) == nil)
        var elsewhere: UInt8 = 0
        #expect(withUnsafePointer(to: &elsewhere) { input.offset(of: $0) } == nil)
    }

    @Test(arguments: ["", "/usr/lib/libm.so", "Käse\u{1F9C0}"])
    func aTextIsCopiedWithItsNul(text: String) throws {
        let input = try smallInput()
        let block = try input.allocate(1)
        memset(input.base + Int(block.offset), 0xff, 64)
        input.free(block)
        let place = try input.allocate(text: UserText(text))
        #expect(String(cString: input.base + Int(place.offset)) == text)
    }

    /// Blocks keep their bytes while others come and go, also when pages are returned to the system.
    @Test(arguments: seeds)
    func blocksNeverOverlapAndKeepTheirBytes(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let input = try InputMemory(reserve: 256 << 20)
        var live: [(Block, UInt64)] = []
        var sum: UInt64 = 0
        func words(_ block: Block) -> [UnsafeMutablePointer<UInt64>] {
            [input.at(block.offset, as: UInt64.self), input.at(block.end - 8, as: UInt64.self)]
        }
        for _ in 0..<2000 {
            if random.chance(55) {
                let most: UInt64 = random.chance(20) ? 8 << 20 : 5000
                guard let block = try? input.allocate(UInt64.random(in: 0...most, using: &random)) else { continue }
                #expect(!live.contains { $0.0.offset < block.end && block.offset < $0.0.end })
                let value = random.next()
                for word in words(block) { word.pointee = value }
                live.append((block, value))
                sum += block.count
            } else if let at = live.indices.randomElement(using: &random) {
                let (block, value) = live.remove(at: at)
                for word in words(block) { #expect(word.pointee == value) }
                input.free(block)
                sum -= block.count
            }
            #expect(input.used == sum)
        }
        for (block, value) in live {
            for word in words(block) { #expect(word.pointee == value) }
            input.free(block)
        }
        #expect(input.used == 0)
    }
}
