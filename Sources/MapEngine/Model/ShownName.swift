// The name of a function, or of another name of it (mape_function_alias), where other processes find it: `mapengine top`.

import CMapBridge

final class ShownName {
    /// For the records of jobs.
    let number: UInt32
    private var block: Block?
    private let input: InputMemory

    /// Nil: there is no room for it.
    init?(_ name: String, in input: InputMemory) {
        guard let (number, block) = input.show(name: UserText(name)) else { return nil }
        self.number = number
        self.block = block
        self.input = input
    }

    deinit { hide() }

    /// Where it stands; 0: it is hidden.
    var offset: UInt64 { block?.offset ?? 0 }

    /// Frees its memory, before its last user is gone.
    func hide() {
        if let block { input.hide(name: number, block) }
        block = nil
    }
}
