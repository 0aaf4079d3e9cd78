#!/usr/bin/env bash
# Builds what many machines need into dist/: libexec/mapengine-remote and bin/mapengine-cluster. They are a package of their own
# (Tools/cluster), because they need OpenSSL, and the library needs nothing.
#
#     scripts/cluster.sh [build]          needs the library in dist/
#     scripts/cluster.sh test             its unit tests
#     scripts/cluster.sh fuzz [SECONDS]   libFuzzer and AddressSanitizer over its parsers
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=(--package-path Tools/cluster --manifest-cache none --disable-build-manifest-caching)

build() {
    local log=.build-cluster/build.log program headers
    mkdir -p .build-cluster
    # SwiftPM does not see that the engine's headers have changed: what is compiled against them is then made anew.
    headers=$(cat include/mapengine.h include/mapengine/*.h Sources/CMapBridge/include/*.h | sha256sum)
    if [[ $(cat .build-cluster/headers 2>/dev/null) != "$headers" ]]; then
        rm -rf .build-cluster/release/{mapengine_cluster,mapengine_remote,CLanes}.build
    fi
    if ! swift build -c release "${package[@]}" --scratch-path .build-cluster --static-swift-stdlib \
        --disable-local-rpath >"$log" 2>&1; then
        cat "$log" >&2
        echo "cluster: the build failed, see above" >&2
        exit 1
    fi
    echo "$headers" >.build-cluster/headers
    for program in bin/mapengine-cluster libexec/mapengine-remote; do
        local made=.build-cluster/release/${program##*/}
        [[ -f $made ]] || continue
        mkdir -p "dist/${program%/*}"
        strip --strip-all -o "dist/$program.new" "$made"
        mv -f "dist/$program.new" "dist/$program"
        printf 'cluster: dist/%s, %s bytes\n' "$program" "$(stat -c %s "dist/$program")"
    done
}

# The toolchain's own clang, which has the fuzzer that Swift's code is made for.
fuzz() {
    local seconds=${1:-60} target failed=0 here=.build-cluster-fuzz clang
    MAPENGINE_CLUSTER_FUZZ=1 swift build "${package[@]}" --scratch-path $here --product cluster-fuzz
    clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
    for target in messages server; do
        mkdir -p "$here/corpus/$target"
        "$clang" -fsanitize=fuzzer,address -DTARGET=mapengine_cluster_fuzz_$target Tests/fuzz/target.c -o "$here/fuzz_$target" \
            -L$here/debug -lcluster-fuzz -Wl,-rpath,"$PWD/$here/debug"
        echo "fuzz: $target, $seconds s"
        "$here/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=4096 \
            -artifact_prefix=$here/ -print_final_stats=1 "$here/corpus/$target" || failed=1
    done
    return $failed
}

case ${1:-build} in
    build) build ;;
    test) swift test "${package[@]}" --scratch-path .build-cluster --disable-xctest ;;
    fuzz) fuzz "${2:-60}" ;;
    *)
        echo "usage: scripts/cluster.sh [build | test | fuzz [SECONDS]]" >&2
        exit 64
        ;;
esac
