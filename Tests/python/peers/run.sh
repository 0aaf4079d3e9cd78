#!/usr/bin/env bash
# Other people's tests with our classes in the place of theirs: `make test-peers`.
#
#     Tests/python/peers/run.sh [SUITE...]      cpython: concurrent.futures' tests of process pools, multiprocessing's of Pool
#                                               joblib: test_parallel; loky: its process executor's
#
# Nothing of theirs is kept here. CPython's tests are those of the Python they run on: Debian's package libpython3.11-testsuite, or the ones
# that pyenv's Pythons bring. joblib and loky come from PyPI, in the versions of requirements.txt. excluded.txt says which tests do not run,
# and why. PYTHONS="3.11 3.13" runs on these; PEERS_ONLY is an expression that names of tests have to match.
# shellcheck disable=SC2016  # programs that bash -c gets
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../checks/lib.sh"
need_dist
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP MAPENGINE_LIBRARY
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1

here=$root/Tests/python/peers
place=$root/.build-test/peers
suites=("$@")
((${#suites[@]})) || suites=(cpython joblib loky)
mkdir -p "$place"

check "the wheel is made" scripts/wheel.sh || finish
wheel=$root/$(find dist/python -name '*.whl')

# find_python VERSION: one that can make environments, and whose tests are at hand or to be had.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "$(command -v "python$1")"; do
        if [[ -x $candidate && $("$candidate" -Ic 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) == "$1" ]]; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# cpython_tests PYTHON FOLDER: the package `test` of a Python in a folder of its own, when it lies in no place where it is found.
cpython_tests() {
    local python=$1 folder=$2 lib
    "$python" -c 'import test.test_concurrent_futures, test.test_multiprocessing_fork' 2>/dev/null && return 0
    [[ -e $folder/cpython/test/_test_multiprocessing.py ]] && return 0
    [[ $python == /usr/bin/* ]] || return 1
    lib=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    rm -rf "$folder/deb" "$folder/cpython"
    mkdir -p "$folder/deb" "$folder/cpython/test"
    (cd "$folder/deb" && apt-get download -qq "lib${lib##*/}-testsuite" && dpkg -x ./*.deb . && rm ./*.deb) || return 1
    # Debian has a part of the package in the standard library: both together are the whole.
    cp -rs "$lib/test/." "$folder/deb$lib/test/." "$folder/cpython/test/"
}

for version in ${PYTHONS:-3.11 3.13}; do
    if ! python=$(find_python "$version"); then
        echo "skipped: Python $version is not here (/usr/bin/python3, pyenv, python$version on PATH)"
        continue
    fi
    folder=$place/$version
    mkdir -p "$folder"
    if [[ $(cat "$folder/stamp" 2>/dev/null) != "$python $(cat "$here/requirements.txt")" ]]; then
        rm -rf "$folder/env"
        check "Python $version: joblib and loky are installed" bash -c '"$1" -m venv "$2" && "$2/bin/python" -m pip install -q -r "$3"' install "$python" \
            "$folder/env" "$here/requirements.txt" || continue
        echo "$python $(cat "$here/requirements.txt")" >"$folder/stamp"
    fi
    env=$folder/env/bin/python
    check "Python $version: the wheel is installed" "$env" -m pip install -q --no-index --no-deps --force-reinstall "$wheel" || continue
    site=$("$env" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    cp "$here"/mapengine_peers*.py "$site/"
    echo 'import mapengine_peers' >"$site/mapengine_peers.pth"
    run=()
    for suite in "${suites[@]}"; do
        case $suite in
            cpython)
                if ! (cpython_tests "$python" "$folder") >"$folder/cpython.log" 2>&1; then
                    echo "skipped: CPython's tests for $python are not here: $(tail -n 1 "$folder/cpython.log")"
                    continue
                fi
                ;;
            loky)
                # Its wheel is without tests.
                if ! compgen -G "$folder/loky-*/tests" >/dev/null; then
                    check "Python $version: loky's sources" bash -c 'cd "$1" && "$2" -m pip download -q --no-deps --no-build-isolation --no-binary :all: \
                        "$(grep ^loky== "$3")" && tar -xzf loky-*.tar.gz && rm loky-*.tar.gz' download "$folder" "$env" "$here/requirements.txt" || continue
                fi
                ;;
        esac
        run+=("$suite")
    done
    ((${#run[@]})) || continue
    rm -rf "$folder/failed"
    python3 "$here/suites.py" "$env" "$folder" "${run[@]}" | tee "$work/suites" | sed "s/^FAILED /FAILED Python $version: /; /^[0-9]* passed, [0-9]* failed$/d"
    if [[ $(tail -n 1 "$work/suites") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed "Python $version" "the tests did not run to their end"
    fi
done
finish
