// swift-tools-version: 6.2
// Many machines: the helper that an engine takes for a second zygote (mapengine-remote), and what runs and looks at nodes
// (mapengine-cluster). A package of its own, because it needs OpenSSL, and the library needs nothing. scripts/cluster.sh builds it.
import Foundation
import PackageDescription

let root = Context.packageDirectory + "/../.."
let prefix = Context.environment["MAPENGINE_PREFIX"] ?? root + "/dist"

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error)]

/// Set by scripts/cluster.sh --fuzz: the parsers count branches for libFuzzer.
let isFuzzed = Context.environment["MAPENGINE_CLUSTER_FUZZ"] == "1"
let counts: [SwiftSetting] = isFuzzed ? [.unsafeFlags(["-sanitize=address,fuzzer"])] : []
let countsInC: [CSetting] = isFuzzed ? [.unsafeFlags(["-fsanitize=fuzzer-no-link,address"])] : []

let fuzzTargets: [Target] =
    isFuzzed ? [.target(name: "ClusterFuzz", dependencies: ["Cluster"], swiftSettings: strict + counts)] : []

let package = Package(
    name: "mapengine-cluster",
    products: [
        .executable(name: "mapengine-cluster", targets: ["mapengine-cluster"]),
        .executable(name: "mapengine-remote", targets: ["mapengine-remote"]),
    ]
        + (isFuzzed ? [.library(name: "cluster-fuzz", type: .dynamic, targets: ["ClusterFuzz"])] : []),
    dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
    targets: [
        // The C libraries, and the only code that includes their headers: hiredis' reader, OpenSSL, sockets.
        .target(
            name: "CNet",
            cSettings: [.define("_GNU_SOURCE"), .unsafeFlags(["-Wall", "-Wextra", "-Werror"])] + countsInC,
            linkerSettings: [.linkedLibrary(":libhiredis.a"), .linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(name: "Cluster", dependencies: ["CNet"], swiftSettings: strict + counts),
        // The memory and the messages that helper and engine share: the engine's own headers, and its code for the socket.
        .target(
            name: "CLanes",
            cSettings: [
                .define("_GNU_SOURCE"),
                .unsafeFlags(["-Wall", "-Wextra", "-Werror", "-I\(root)/Sources/CMapBridge/include"]),
            ]),
        .executableTarget(
            name: "mapengine-remote", dependencies: ["Cluster", "CNet", "CLanes"], swiftSettings: strict),
        .executableTarget(
            name: "mapengine-cluster",
            dependencies: [
                "Cluster", "CNet", "CMapEngine", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-L\(prefix)/lib", "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/../lib"])]),
        .systemLibrary(name: "CMapEngine"),
        .testTarget(name: "ClusterTests", dependencies: ["Cluster"], swiftSettings: [.swiftLanguageMode(.v6)]),
    ] + fuzzTargets
)
