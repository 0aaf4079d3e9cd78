// A first-in first-out queue: an array with a moving head.

struct Queue<Element> {
    private var items: [Element?] = []
    private var head = 0

    var count: Int { items.count - head }
    var isEmpty: Bool { head == items.count }
    var last: Element? { isEmpty ? nil : items[items.count - 1] }
    var first: Element? { isEmpty ? nil : items[head] }

    subscript(place: Int) -> Element {
        get { items[head + place]! }
        set { items[head + place] = newValue }
    }

    /// Changes every element in place.
    mutating func update(_ change: (inout Element) -> Void) {
        for i in head..<items.count { change(&items[i]!) }
    }

    func forEach(_ body: (Element) -> Void) {
        for i in head..<items.count { body(items[i]!) }
    }

    mutating func append(_ element: Element) { items.append(element) }

    mutating func popFirst() -> Element? {
        guard head < items.count else { return nil }
        let element = items[head]
        dropFirst()
        return element
    }

    /// Takes the first element, which there has to be, out.
    mutating func dropFirst() {
        items[head] = nil
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 64 && head > items.count / 2 {
            items.removeFirst(head)
            head = 0
        }
    }

    /// Takes out every element that matches.
    mutating func removeAll(where matches: (Element) -> Bool) {
        items = items[head...].filter { !matches($0!) }
        head = 0
    }
}
