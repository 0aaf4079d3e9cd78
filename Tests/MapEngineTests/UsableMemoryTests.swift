import CMapBridge
import Testing

@testable import MapEngine

@Suite struct UsableMemoryTests {
    private func limit(_ files: [String: String]) -> UInt64? { memoryLimit { files[$0] } }

    @Test func theSmallestLimitOnTheWayUpCounts() {
        let files = [
            "/proc/self/cgroup": "0::/a/b\n",
            "/sys/fs/cgroup/a/b/memory.max": "max\n",
            "/sys/fs/cgroup/a/memory.max": "1073741824\n",
            "/sys/fs/cgroup/memory.max": "2147483648\n",
        ]
        #expect(limit(files) == 1 << 30)
    }

    @Test func versionOneIsReadFromItsController() {
        let files = [
            "/proc/self/cgroup": "5:cpu,cpuacct:/c\n4:memory:/job\n0::/\n",
            "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "536870912\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/c/memory.limit_in_bytes": "1\n",
        ]
        #expect(limit(files) == 512 << 20)
    }

    @Test(arguments: ["max", "", "0", "-1", "many", "99999999999999999999999"])
    func whatIsNoLimitIsNone(text: String) {
        #expect(limit(["/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": text]) == nil)
    }

    @Test func withoutCgroupsThereIsNone() {
        #expect(limit([:]) == nil)
        #expect(limit(["/proc/self/cgroup": "nonsense\n0::\n"]) == nil)
    }

    @Test func aProcessMayUseSomeMemoryAndNoMoreThanThereIs() {
        #expect(usableMemory() > 1 << 20)
        #expect(usableMemory() <= mapb_memory())
    }
}
