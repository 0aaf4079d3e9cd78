import CMapEngine
import Glibc

/// Whether pools run here: each way of starting calls a C function a few times in two workers.
enum PoolChecks {
    static func all() -> [Finding] {
        let version = MapEngineTool.versionText
        return [
            Finding(.ok, "library", "libmapengine \(version)"),
            pool(
                "pool by EXEC", MAPE_START_EXEC.rawValue,
                "Is libexec/mapengine-zygote beside the lib folder, and may it be executed?"),
            pool(
                "pool by FORK", MAPE_START_FORK.rawValue,
                "Can this user make more processes (ulimit -u, the container's pids.max)?"),
        ]
    }

    private static func pool(_ name: String, _ start: UInt32, _ advice: String) -> Finding {
        do {
            var config = unsafe mape_pool_config()
            unsafe config.workers = 2
            unsafe config.start = start
            let pool = try unsafe Pool(config)
            let signature = try pool.register(
                library: "libc.so.6", prototype: "int abs(int)", symbol: nil, errno: false)
            let status = unsafe mape_pool_start(pool.handle, 30_000_000_000)
            guard status == MAPE_OK.rawValue else { return Finding(.fail, name, pool.message(status), advice: advice) }
            let numbers: [Int32] = (0..<64).map { -$0 }
            let input = try unsafe Memory(numbers.withUnsafeBytes { unsafe Array($0) })
            let column = InputColumn(memory: input, offset: 0, stride: 4, size: 4, rows: numbers.count, name: "")
            let job = Job(
                signature: signature, inputs: [column], rows: numbers.count, failValue: nil, chunk: 0, attempts: 1,
                timeout: 30,
                deadline: 60)
            let results = try job.run(pool, isQuiet: true, reports: false)
            let right = numbers.indices.filter { results.columns[0].texts($0) == ["\($0)"] }.count
            guard right == numbers.count else {
                return Finding(.fail, name, "\(right) of \(numbers.count) calls gave the right result", advice: advice)
            }
            return Finding(.ok, name, "started 2 workers, \(right) calls are right")
        } catch let failure as Failure {
            return Finding(.fail, name, failure.message, advice: advice)
        } catch {
            return Finding(.fail, name, "interrupted", advice: advice)
        }
    }
}
