// Captured output of workers (config.output): two pipes per worker, read without waiting.

import CMapBridge

extension Core {
    /// Makes the pipes for a worker's standard output and error; returns the ends for the worker.
    func openPipes(_ worker: Worker) throws(MapError) -> [Int32] {
        var ends: [Int32] = []
        for i in 0..<2 {
            var pair: [Int32] = [-1, -1]
            let why = unsafe mapb_pipe(&pair)
            if why != 0 {
                closePipes(worker)
                for end in ends { mapb_close(end) }
                throw .system(MAPB_NAME_PIPE, why)
            }
            worker.output.pipes[i] = mapb_keep_file(pair[0])
            ends.append(pair[1])
            _ = mapb_poller_add(fixed.poller.number, pair[0], EngineTag.pipe(worker.slot, i))
        }
        return ends
    }

    /// - Returns: whether there was something to read.
    @discardableResult
    func readPipe(_ worker: Worker, _ which: Int) -> Bool {
        let file = worker.output.pipes[which]
        guard file >= 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let got = Files.read(file, &bytes)
        if got > 0 {
            deliver(worker, which, worker.output.partial[which] + bytes[..<got], isLast: false)
            return true
        }
        if got != -Int(SystemError.again) { closePipe(worker, which) }
        return false
    }

    /// Makes an event of output. What ends inside a character, or inside a line if lines are wanted, waits for the rest of it, unless it
    /// is the last.
    private func deliver(_ worker: Worker, _ which: Int, _ bytes: [UInt8], isLast: Bool) {
        let whole =
            isLast ? bytes.count : config.output == MAPE_OUTPUT_LINES ? wholeLines(bytes) : wholeCharacters(bytes)
        worker.output.partial[which] = Array(bytes[whole...])
        guard whole > 0 else { return }
        let text = CText(array: Array(bytes[..<whole]))
        add(PoolMessage(isLog: false, code: Int32(which + 1), worker: Int32(worker.slot), text: text))
    }

    private func closePipe(_ worker: Worker, _ which: Int) {
        deliver(worker, which, worker.output.partial[which], isLast: true)
        mapb_poller_remove(fixed.poller.number, worker.output.pipes[which])
        mapb_forget_file(worker.output.pipes[which])
        mapb_close(worker.output.pipes[which])
        worker.output.pipes[which] = -1
    }

    /// Reads what is still in the pipes, and closes them.
    func closePipes(_ worker: Worker) {
        for which in 0..<2 {
            var rounds = 0
            while rounds < 64 && readPipe(worker, which) { rounds += 1 }
            if worker.output.pipes[which] >= 0 { closePipe(worker, which) }
        }
    }
}
