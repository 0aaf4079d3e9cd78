/// In which order workers are shown, and pictures of one line.
enum TopOrder {
    static func sorted(_ pool: PoolSample, by order: Screen.Order, _ meter: Meter) -> [WorkerSample] {
        func value(_ worker: WorkerSample) -> Double {
            switch order {
            case .number: return 0
            case .time: return Double(meter.duration(pool, worker)?.most ?? -1)
            case .rate: return meter.rate(pool, worker) ?? -1
            case .processor: return meter.processor(pool, worker) ?? -1
            case .memory: return Double(worker.process?.resident ?? 0)
            }
        }
        if order == .number { return pool.workers }
        let values = pool.workers.map(value)
        return pool.workers.indices.sorted { (values[$0], $1) > (values[$1], $0) }.map { pool.workers[$0] }
    }

    /// The newest values, each as the height of one sign; the highest of them is full.
    static func sparkline(_ values: [Double], isUnicode: Bool, most: Int) -> String {
        let signs: [Character] = Array(isUnicode ? "▁▂▃▄▅▆▇█" : "_.:-=+*#")
        let shown = values.suffix(most)
        guard shown.count > 1, let top = shown.max(), top > 0 else { return "" }
        return String(shown.map { signs[min(signs.count - 1, Int($0 / top * Double(signs.count)))] })
    }
}
