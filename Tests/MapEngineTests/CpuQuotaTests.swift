// The CPU quota of a cgroup, from fake files.

import Testing

@testable import MapEngine

@Suite struct CpuQuotaTests {
    struct Files: Sendable, CustomTestStringConvertible {
        let name: String
        let texts: [String: String]
        let quota: Double?

        init(_ name: String, _ texts: [String: String], _ quota: Double?) {
            self.name = name
            self.texts = texts
            self.quota = quota
        }

        var testDescription: String { name }

        func read(_ path: String) -> String? { texts[path.replacing("//", with: "/")] }
    }

    static let membership = "/proc/self/cgroup"

    static let tables = [
        Files("no proc", [:], nil),
        Files("no quota file", [membership: "0::/\n"], nil),
        Files("version 2, no limit", [membership: "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n"], nil),
        Files("version 2 at the root", [membership: "0::/\n", "/sys/fs/cgroup/cpu.max": "150000 100000\n"], 1.5),
        Files("version 2 in a group", [membership: "0::/a\n", "/sys/fs/cgroup/a/cpu.max": "50000 100000\n"], 0.5),
        Files(
            "version 2, the parent has less",
            [
                membership: "0::/a/b/c\n", "/sys/fs/cgroup/a/b/c/cpu.max": "400000 100000\n",
                "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "/sys/fs/cgroup/a/cpu.max": "200000 100000\n",
                "/sys/fs/cgroup/cpu.max": "800000 100000\n",
            ], 2),
        Files(
            "version 2, the child has less",
            [
                membership: "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "100000 100000",
                "/sys/fs/cgroup/a/cpu.max": "300000 100000",
            ], 1),
        Files(
            "version 2, a neighbour does not count",
            [membership: "0::/a\n", "/sys/fs/cgroup/ab/cpu.max": "100000 100000"], nil),
        Files(
            "version 1",
            [
                membership: "12:pids:/x\n4:cpu,cpuacct:/docker/1\n3:memory:/x\n",
                "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us": "250000\n",
                "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us": "100000\n",
            ], 2.5),
        Files(
            "version 1, seen from inside a container",
            [
                membership: "4:cpuacct,cpu:/docker/1\n", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "25000\n",
            ], 2),
        Files(
            "version 1, no limit",
            [
                membership: "4:cpu:/\n", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            ], nil),
        Files(
            "version 1, cpuset is another controller",
            [
                membership: "4:cpuset:/\n", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            ], nil),
        Files(
            "both versions",
            [
                membership: "1:cpu:/v1\n0::/v2\n", "/sys/fs/cgroup/cpu/v1/cpu.cfs_quota_us": "300000",
                "/sys/fs/cgroup/cpu/v1/cpu.cfs_period_us": "100000", "/sys/fs/cgroup/v2/cpu.max": "400000 100000",
            ], 3),
        Files(
            "a name with colons", [membership: "0::/a:b:c\n", "/sys/fs/cgroup/a:b:c/cpu.max": "100000 100000"], 1),
    ]

    @Test(arguments: tables)
    func theSmallestQuotaOnTheWayToTheRootCounts(_ files: Files) {
        #expect(cpuQuota(read: files.read) == files.quota)
    }

    @Test(arguments: [
        "", "\n", "max", "100000", "100000 0", "0 100000", "-1 100000", "100000 -5", "1 2 3", "x 100000", "nan 100000",
        "inf 100000",
        "100000 nan", "1e308 1e-308", "\u{0}\u{0}",
    ])
    func anOddQuotaIsNone(text: String) {
        let files = Files("", [Self.membership: "0::/\n", "/sys/fs/cgroup/cpu.max": text], nil)
        #expect(cpuQuota(read: files.read) == nil)
    }

    @Test(arguments: [
        "", "\n\n\n", ":::", "0", "0:", "0::", "0::relative/path", "::", "0::/../..", "0::////", "x:cpu", "a:cpu:",
    ])
    func anOddMembershipEndsAndHasNoQuota(text: String) {
        let files = Files("", [Self.membership: text], nil)
        #expect(cpuQuota(read: files.read) == nil)
    }

    @Test func thisProcessMayUseACoreAtLeast() { #expect(usableCores() >= 1) }
}
