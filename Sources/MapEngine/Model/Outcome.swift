// How items ended that have no result: state, cause, code and a text. Shared by all items that ended so.

import CMapBridge

final class Outcome {
    let state: mape_item_state
    let cause: mape_cause
    let code: Int32
    let text: CText
    /// The death of the worker that it is about, until an item is blamed for it; then what is known of the crash.
    let death: Death?
    let crash: Crash?

    init(
        _ state: mape_item_state, _ cause: mape_cause, code: Int32 = 0, _ text: CText, death: Death? = nil,
        crash: Crash? = nil
    ) {
        self.state = state
        self.cause = cause
        self.code = code
        self.text = text
        self.death = death
        self.crash = crash
    }

    convenience init(
        _ state: mape_item_state, _ cause: mape_cause, code: Int32 = 0, _ text: String, death: Death? = nil,
        crash: Crash? = nil
    ) {
        self.init(state, cause, code: code, CText(text), death: death, crash: crash)
    }
}

extension Loss {
    /// How an item ends that is to blame for it.
    func outcome(_ death: Death?) -> Outcome {
        guard case .status(let status) = self else {
            return Outcome(
                MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: Signal.kill, "the zygote died each time while this item ran"
            )
        }
        let what = death?.text ?? "its worker \(text)"
        if let signal { return Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: signal, what, death: death) }
        return Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, code: status >> 8 & 0xff, what, death: death)
    }
}
