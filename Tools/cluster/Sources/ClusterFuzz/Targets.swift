// The parsers as fuzz targets, for Tests/fuzz/target.c: scripts/cluster.sh fuzz.

import Cluster

@_cdecl("mapengine_cluster_fuzz_messages")
public func fuzzMessages(_ bytes: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    unsafe Fuzz.messages(UnsafeRawBufferPointer(start: bytes, count: size))
    return 0
}

@_cdecl("mapengine_cluster_fuzz_server")
public func fuzzServer(_ bytes: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    unsafe Fuzz.server(UnsafeRawBufferPointer(start: bytes, count: size))
    return 0
}
