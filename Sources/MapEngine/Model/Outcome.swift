// The outcome of items without a result: state, cause, code and a text. Items that ended alike share it.

import CMapBridge

final class Outcome {
    let state: mape_item_state
    let cause: mape_cause
    let code: Int32
    let text: CText
    /// The death that it is about; once an item is blamed for it, the crash report.
    let death: Death?
    let crash: Crash?
    /// How far the item was, as it said last: mape_task_mark. Nil: it did not, or ended by itself.
    let mark: UInt64?

    init(
        _ state: mape_item_state, _ cause: mape_cause, code: Int32 = 0, _ text: CText, death: Death? = nil,
        crash: Crash? = nil, mark: UInt64? = nil
    ) {
        self.state = state
        self.cause = cause
        self.code = code
        self.text = text
        self.death = death
        self.crash = crash
        self.mark = mark
    }

    convenience init(
        _ state: mape_item_state, _ cause: mape_cause, code: Int32 = 0, _ text: String, death: Death? = nil,
        crash: Crash? = nil, mark: UInt64? = nil
    ) {
        self.init(state, cause, code: code, CText(text), death: death, crash: crash, mark: mark)
    }
}

extension Outcome {
    /// The same for the item that a worker was on when it was killed.
    func afterKill(_ death: Death) -> Outcome {
        guard let mark = death.mark else { return self }
        return Outcome(
            state, cause, code: code, "\(text.string); its worker ended in it\(death.afterMark)", mark: mark)
    }
}

extension Loss {
    /// The outcome of the culprit.
    func outcome(_ death: Death?) -> Outcome {
        guard case .status(let status) = self else {
            return Outcome(
                MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: Signal.kill,
                "the zygote died each time while this item ran" + (death?.afterMark ?? ""), mark: death?.mark)
        }
        let what = death?.text ?? "its worker \(text)"
        if let signal {
            return Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: signal, what, death: death, mark: death?.mark)
        }
        return Outcome(
            MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, code: status >> 8 & 0xff, what, death: death, mark: death?.mark)
    }
}
