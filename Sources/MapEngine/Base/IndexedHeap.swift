// A heap whose elements know their places in it, so that any of them can be removed in O(log n).
//
// Not swift-collections' Heap: it cannot remove an element from the middle, so jobs that are done would stay in it, and
// it would add 65 KB to the library (see docs/architecture.md, Decisions).

protocol HeapElement {
    /// Comes out before the other.
    func isBefore(_ other: Self) -> Bool
    /// The element's place in its heap, which alone sets it; -1: it is in none.
    var place: Int { get nonmutating set }
}

struct IndexedHeap<Element: HeapElement> {
    private var elements: [Element] = []

    var count: Int { elements.count }
    var isEmpty: Bool { elements.isEmpty }
    var first: Element? { elements.first }

    mutating func insert(_ element: Element) {
        elements.append(element)
        rise(from: elements.count - 1)
    }

    /// Takes out what stands at a place.
    @discardableResult mutating func remove(at place: Int) -> Element {
        let removed = elements[place]
        let last = elements.removeLast()
        removed.place = -1
        if place < elements.count {
            elements[place] = last
            last.place = place
            rise(from: place)
            sink(from: last.place)
        }
        return removed
    }

    /// Moves an element to where those before it come out first.
    private mutating func rise(from start: Int) {
        let element = elements[start]
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard element.isBefore(elements[parent]) else { break }
            elements[place] = elements[parent]
            elements[place].place = place
            place = parent
        }
        elements[place] = element
        element.place = place
    }

    private mutating func sink(from start: Int) {
        let element = elements[start]
        var place = start
        while true {
            var child = 2 * place + 1
            if child >= elements.count { break }
            if child + 1 < elements.count && elements[child + 1].isBefore(elements[child]) { child += 1 }
            guard elements[child].isBefore(element) else { break }
            elements[place] = elements[child]
            elements[place].place = place
            place = child
        }
        elements[place] = element
        element.place = place
    }
}
