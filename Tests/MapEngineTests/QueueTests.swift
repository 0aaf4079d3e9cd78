import Testing

@testable import MapEngine

@Suite struct QueueTests {
    @Test func anEmptyQueueHasNothing() {
        var queue = Queue<Int>()
        #expect(queue.isEmpty)
        #expect(queue.first == nil)
        #expect(queue.popFirst() == nil)
        #expect(queue.count == 0)
    }

    @Test func comesOutInTheOrderItWentIn() {
        var queue = Queue<Int>()
        for i in 0..<500 { queue.append(i) }
        for i in 0..<500 {
            #expect(queue.first == i)
            #expect(queue.popFirst() == i)
        }
        #expect(queue.isEmpty)
    }

    @Test func lettingGoOfAnElementFreesIt() {
        final class Thing {}
        var queue = Queue<Thing>()
        weak var thing: Thing?
        do {
            let made = Thing()
            thing = made
            queue.append(made)
            queue.append(Thing())
        }
        #expect(thing != nil)
        _ = queue.popFirst()
        #expect(thing == nil)
    }

    @Test func removeAllTakesOutWhatMatchesAndKeepsTheOrder() {
        var queue = Queue<Int>()
        for i in 0..<100 { queue.append(i) }
        for _ in 0..<10 { _ = queue.popFirst() }
        queue.removeAll { $0 % 2 == 0 }
        #expect(queue.count == 45)
        var left: [Int] = []
        while let next = queue.popFirst() { left.append(next) }
        #expect(left == Array(stride(from: 11, to: 100, by: 2)))
    }

    @Test(arguments: seeds)
    func behavesLikeAnArray(seed: UInt64) {
        var random = SeededRandom(seed)
        var queue = Queue<Int>()
        var model: [Int] = []
        for i in 0..<5000 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50:
                queue.append(i)
                model.append(i)
            case 50..<99:
                #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            default:
                queue.removeAll { $0 % 3 == 0 }
                model.removeAll { $0 % 3 == 0 }
            }
            #expect(queue.count == model.count)
            #expect(queue.isEmpty == model.isEmpty)
            #expect(queue.first == model.first)
        }
    }
}
