// swift-tools-version: 6.2
// The command line. A package of its own, so that the engine has no dependency; it knows of the engine what every user of the
// library does: its header and the shared library, in MAPENGINE_PREFIX (dist/ by default); and for `top` the layout of pools' memory, of which
// it reads one version (MAPB_PROTOCOL) and refuses others. scripts/tool.sh builds it.
import Foundation
import PackageDescription

let root = Context.packageDirectory + "/../.."
let prefix = Context.environment["MAPENGINE_PREFIX"] ?? root + "/dist"

/// As in the library's own Package.swift: what it needs of the C library, glibc 2.28 has.
let olderGlibc = root + "/.build-static/glibc"
let loadsEarlier: [String] =
    FileManager.default.fileExists(atPath: olderGlibc + "/libc.so")
    ? ["-L\(olderGlibc)", "-Xlinker", "--wrap=_dl_find_object"] : []

let package = Package(
    name: "mapengine-tool",
    products: [.executable(name: "mapengine", targets: ["mapengine"])],
    dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
    targets: [
        .systemLibrary(name: "CMapEngine"),
        .target(name: "CKernel", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CPools", cSettings: [.define("_GNU_SOURCE")]),
        .executableTarget(
            name: "mapengine",
            dependencies: [
                "CMapEngine", "CKernel", "CPools", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [
                .swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error),
            ],
            linkerSettings: [
                .unsafeFlags(
                    loadsEarlier + [
                        "-L\(prefix)/lib",
                        // A folder that holds the static libstdc++, so that the linker does not take the shared one.
                        "-L\(root)/.build-static", "-Xclang-linker", "-static-libgcc",
                        "-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/../lib", "-Xlinker", "--gc-sections",
                    ])
            ]),
    ]
)
