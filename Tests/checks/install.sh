#!/usr/bin/env bash
# What `make install` puts down can be used and moved: the example plugin is built against it once by CMake and once by
# pkg-config, the tree is moved to another folder in between, and both programs run.
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/version.sh
source scripts/version.sh
need_dist

example=host-examples/cpp-plugin
first=$work/first
second=$work/elsewhere/second
few_rays=(--rays 4 --no-single --size 160x120)

check "make install" make --no-print-directory install PREFIX="$first" || finish
# The wheel is not for make install, but for pip.
(cd dist && find . \( -type f -o -type l \) ! -name .stamp ! -path "./python/*" | sort) >"$work/shipped"
(cd "$first" && find . \( -type f -o -type l \) | sort) >"$work/installed"
check "installs what dist/ holds" diff "$work/shipped" "$work/installed"
check "make install with DESTDIR" make --no-print-directory install PREFIX=/opt/mapengine DESTDIR="$work/staged"
check "DESTDIR stands before PREFIX" test -e "$work/staged/opt/mapengine/lib/libmapengine.so"

# find_package's answers to versions.
mkdir -p "$work/versions"
cat >"$work/versions/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.20)
project(versions C)
find_package(mapengine ${WANTED} REQUIRED)
get_target_property(location mapengine::mapengine IMPORTED_LOCATION)
message(STATUS "found ${mapengine_VERSION} at ${location}")
EOF
asks_for() {
    rm -rf "$work/versions/build"
    echo cmake -S "$work/versions" -B "$work/versions/build" -DCMAKE_PREFIX_PATH="$1" -DWANTED="$2"
}
# shellcheck disable=SC2046  # the words of the command, none of which holds a space
{
    check "find_package of version $VERSION" $(asks_for "$first" "$VERSION")
    check "find_package of version $MAJOR.$MINOR" $(asks_for "$first" "$MAJOR.$MINOR")
    check_fails "find_package of version $MAJOR.$((MINOR + 1)) is refused" "compatible with requested version" \
        $(asks_for "$first" "$MAJOR.$((MINOR + 1))")
    check_fails "find_package of version $((MAJOR + 1)).0 is refused" "compatible with requested version" \
        $(asks_for "$first" "$((MAJOR + 1)).0")
}

# ran NAME FOLDER: the program that was just run left a picture.
ran() {
    if [[ $(head -c 8 "$2" 2>/dev/null | od -An -tx1 | tr -d ' \n') == 89504e470d0a1a0a ]]; then
        ok "$1"
    else
        failed "$1" "there is no PNG at $2"
    fi
}

check "the example by CMake: configure" cmake -S $example -B "$work/by-cmake" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$first" &&
    check "the example by CMake: build" cmake --build "$work/by-cmake" --parallel &&
    check "the example by CMake: run" "$work/by-cmake/bake" "${few_rays[@]}" --out "$work/by-cmake/picture.png" &&
    ran "the example by CMake: picture" "$work/by-cmake/picture.png"

mkdir -p "$(dirname "$second")"
mv "$first" "$second"
# shellcheck disable=SC2046
check "find_package after the move" $(asks_for "$second" "$VERSION")
check "pkg-config after the move" pkg-config --with-path="$second/lib/pkgconfig" --exact-version="$VERSION" mapengine
export PKG_CONFIG_PATH=$second/lib/pkgconfig
check "the example by pkg-config: build" make -C $example -j "$(nproc)" BUILD="$work/by-pkgconfig" PKG_CONFIG_PATH="$PKG_CONFIG_PATH" &&
    check "the example by pkg-config: run" \
        env LD_LIBRARY_PATH="$second/lib" "$work/by-pkgconfig/bake" "${few_rays[@]}" --out "$work/by-pkgconfig/picture.png" &&
    ran "the example by pkg-config: picture" "$work/by-pkgconfig/picture.png"
if [[ -x $work/by-cmake/bake ]]; then
    check "the example by CMake runs with the moved library" \
        env LD_LIBRARY_PATH="$second/lib" "$work/by-cmake/bake" "${few_rays[@]}" --out "$work/by-cmake/moved.png" &&
        ran "the example by CMake: picture after the move" "$work/by-cmake/moved.png"
fi

check "make uninstall" make --no-print-directory uninstall PREFIX="$second"
check "uninstall leaves no file" test -z "$(find "$second" \( -type f -o -type l \) -print -quit)"
finish
