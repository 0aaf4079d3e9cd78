// What an item is called in texts.

/// `function "f", item 3 of job 1`.
struct ItemName {
    let function: String
    let functionID: UInt32
    let job: UInt64
    let index: UInt64

    var text: String { "function \"\(function)\", item \(index) of job \(job)" }
}

extension Job {
    func name(of item: UInt64) -> ItemName {
        ItemName(function: function.name, functionID: function.id, job: sequence, index: item)
    }
}
