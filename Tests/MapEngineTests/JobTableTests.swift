import Testing

@testable import MapEngine

@Suite struct JobTableTests {
    static func handle(_ place: Int, _ generation: Int) -> UInt { UInt(generation) << 24 | UInt(place) << 4 | 5 }

    @Test(arguments: seeds)
    func behavesLikeADictionary(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let maker = try WorkQueueTests.Maker()
        var table = JobTable()
        var model: [UInt: Job] = [:]
        for _ in 0..<3000 {
            // Few places, so that many a job finds another one in its own.
            let place = random.chance(90) ? Int.random(in: 0..<20, using: &random) : 1 << 20 - 1
            let handle = Self.handle(place, Int.random(in: 1...3, using: &random))
            if random.chance(50) {
                if model[handle] == nil {
                    let job = try maker.job()
                    job.owner.handle = handle
                    model[handle] = job
                    table[handle] = job
                }
            } else {
                model[handle] = nil
                table[handle] = nil
            }
            #expect(table[handle] === model[handle])
            #expect(table.count == model.count && table.isEmpty == model.isEmpty)
        }
        #expect(Set(table.values.map { $0.handle }) == Set(model.keys))
        for (handle, job) in model { #expect(table[handle] === job) }
        table.removeAll()
        #expect(table.isEmpty && table.values.isEmpty)
    }

    @Test func aHandleOfAnotherGenerationIsNotFound() throws {
        let job = try WorkQueueTests.Maker().job()
        job.owner.handle = Self.handle(7, 2)
        var table = JobTable()
        table[job.handle] = job
        #expect(table[job.handle] === job)
        #expect(table[Self.handle(7, 1)] == nil && table[Self.handle(8, 2)] == nil && table[0] == nil)
        table[Self.handle(7, 1)] = nil
        #expect(table.count == 1)
    }
}
