import Testing

@testable import MapEngine

@Suite struct SlotSetTests {
    @Test(arguments: seeds)
    func behavesLikeASet(seed: UInt64) {
        var random = SeededRandom(seed)
        var set = SlotSet()
        var model: Set<Int> = []
        for _ in 0..<5000 {
            let slot = Int.random(in: 0..<1024, using: &random)
            if random.chance(60) {
                set.insert(slot)
                model.insert(slot)
            } else {
                set.remove(slot)
                model.remove(slot)
            }
            #expect(set.count == model.count && set.isEmpty == model.isEmpty)
            #expect(set.contains(slot) == model.contains(slot))
            #expect(set.first == model.min())
        }
        #expect(Array(set) == model.sorted())
    }

    @Test func itsEndsAreMembersToo() {
        var set = SlotSet()
        for slot in [1023, 0, 63, 64, 1023] { set.insert(slot) }
        #expect(Array(set) == [0, 63, 64, 1023])
        for slot in [0, 63, 64, 1023] { set.remove(slot) }
        #expect(set.isEmpty && set.first == nil && set == SlotSet())
    }

    @Test func goesThroughTheMembersThatItHadAtFirst() {
        var set = SlotSet()
        for slot in 0..<200 { set.insert(slot) }
        var seen: [Int] = []
        for slot in set {
            seen.append(slot)
            set.remove(slot)
            set.insert(slot + 500)
        }
        #expect(seen == Array(0..<200))
        #expect(Array(set) == Array(500..<700))
    }

    @Test(arguments: seeds)
    func theNextMemberIsTheLowestAbove(seed: UInt64) {
        var random = SeededRandom(seed)
        var set = SlotSet()
        var model: Set<Int> = []
        for _ in 0..<200 {
            let slot = Int.random(in: 0..<1024, using: &random)
            set.insert(slot)
            model.insert(slot)
            for probe in [slot, 0, 63, 64, 1022, 1023, Int.random(in: 0..<1024, using: &random)] {
                #expect(set.next(after: probe) == model.filter { $0 > probe }.min())
            }
        }
    }

    @Test(arguments: seeds)
    func theNextMemberOfBothIsTheLowestAbove(seed: UInt64) {
        var random = SeededRandom(seed)
        var (a, b) = (SlotSet(), SlotSet())
        var (inA, inB): (Set<Int>, Set<Int>) = ([], [])
        for _ in 0..<200 {
            let (x, y) = (Int.random(in: 0..<1024, using: &random), Int.random(in: 0..<1024, using: &random))
            a.insert(x)
            inA.insert(x)
            for slot in [y, x] where slot % 3 != 0 {
                b.insert(slot)
                inB.insert(slot)
            }
            for probe in [x, -1, 0, 62, 63, 64, 1022, 1023, y] {
                #expect(a.next(after: probe, in: b) == inA.intersection(inB).filter { $0 > probe }.min())
            }
        }
    }

    @Test func findsOutWhetherAnotherLacksAMember() {
        var a = SlotSet()
        var b = SlotSet()
        #expect(!a.hasMember(notIn: b))
        a.insert(700)
        #expect(a.hasMember(notIn: b) && !b.hasMember(notIn: a))
        b.insert(700)
        b.insert(3)
        #expect(!a.hasMember(notIn: b) && b.hasMember(notIn: a))
    }
}
