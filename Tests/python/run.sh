#!/usr/bin/env bash
# The Python package as users get it: makes the wheel, looks at it, installs it into an environment of its own per Python at hand, and runs
# bindings/python/tests there, away from the project. One Python (Debian's) runs all tests, with what users may have beside (NumPy …); the
# others run those without the mark `once`.
#
#     Tests/python/run.sh [PYTEST ARGUMENT...]       for example -k cfunction
#     Tests/python/run.sh --hosts                    test_hosts_*.py alone, with the toolkits of applications: Qt, GLib, tkinter
#
# PYTHONS="3.9 3.13" tests these versions, TOGETHER=2 of them at a time: half of the time tests wait. Blender's tests run where it is installed (scripts/setup.sh blender). Environments stay in
# .build-test/python; what was downloaded once is not downloaded again.
# shellcheck disable=SC2016,SC2317  # `check` runs programs, among them bash with a function or a text
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP MAPENGINE_LIBRARY
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1

package=$root/bindings/python
environments=$root/.build-test/python
main_python=/usr/bin/python3
main=$($main_python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
versions=${PYTHONS:-$main $(printf '3.%d\n' {9..14} | grep -vxF "$main")}
mkdir -p "$environments"
hosts=0
if [[ ${1:-} == --hosts ]]; then
    hosts=1
    shift
fi

# ---- The wheel. ----

check "the wheel is made" scripts/wheel.sh || finish
wheel=$(find dist/python -name '*.whl')
wheel=$root/$wheel

# environment OPTION FOLDER PYTHON REQUIREMENTS...: a virtual environment with what the files name; kept for as long as they stay as they are.
environment() {
    local option=$1 folder=$2 python=$3 stamp
    shift 3
    stamp=$("$python" -c 'import sys; print(sys.version)'; cat "$@")
    if [[ $(cat "$folder/stamp" 2>/dev/null) != "$stamp" ]]; then
        rm -rf "$folder"
        "$python" -m venv "$option" "$folder" && "$folder/bin/python" -m pip install -q "${@/#/-r}" || return 1
        printf '%s\n' "$stamp" >"$folder/stamp"
    fi
}
export -f environment

check_environment() {
    check "$1" bash -c 'environment "$@"' environment "${@:2}"
}

if ((!hosts)) && check_environment "the tools that look at it are installed" --copies "$environments/tools" $main_python \
    "$package/requirements/check.txt"; then
    check "auditwheel finds what the tag says" "$environments/tools/bin/auditwheel" show "$wheel" &&
        cp "$work/check.log" "$work/audit"
    tag='"manylinux_2_(2[0-8]|1[0-9])_'
    check "it loads with glibc 2.28, or an earlier one" grep -qE "(consistent with the following|constrains the) platform tag(:| to) $tag" \
        <(tr '\n' ' ' <"$work/audit")
    check "mypy finds nothing" env -C "$root/.build-wheel/stage" "$environments/tools/bin/mypy" --cache-dir "$environments/mypy"
fi
if ((!hosts)); then
    check "what it holds, and what that weighs" $main_python Tests/python/contents.py "$wheel"
    # A wheel that was unpacked and packed again without modes, and one with a file too many.
    $main_python -c 'import shutil, sys, zipfile
shutil.copy(sys.argv[1], sys.argv[3])
zipfile.ZipFile(sys.argv[3], "a").writestr("planted.py", "")
with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], "w") as new:
    [new.writestr(one.filename, old.read(one)) for one in old.infolist()]' "$wheel" "$work/modes.whl" "$work/planted.whl"
    check_fails "modes that were lost are noticed" "mapengine-zygote cannot be run" $main_python Tests/python/contents.py "$work/modes.whl"
    check_fails "a file beside the package is noticed" "planted.py would lie beside" $main_python Tests/python/contents.py "$work/planted.whl"
fi

# ---- Every Python. ----

# find_python VERSION: a program on PATH, of pyenv or of uv that is that Python and can make environments.
find_python() {
    local candidate
    for candidate in "$main_python" "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python \
        "$(command -v uv >/dev/null && uv python find --offline "$1" 2>/dev/null)"; do
        if [[ -x $candidate && $("$candidate" -Ic 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) == "$1" ]]; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# The tests as they lie in a folder that knows nothing of the project.
cp -r "$package/tests" "$work/tests"
cp "$package/pyproject.toml" "$work/tests/pyproject.toml"
# What stands on pages for users is run by test_pages.py.
mkdir "$work/tests/pages"
cp --parents README.md bindings/python/README.md docs/python.md docs/python/*.md "$work/tests/pages"

# in_empty VERSION PYTHON PIP: the wheel alone is enough.
in_empty() {
    local empty=$work/empty-$1
    check "Python $1: the wheel installs into an empty environment" bash -c \
        '"$1" -m venv --without-pip "$2" && "$3" -m pip --python "$2/bin/python" install -q --no-index "$4"' \
        install "$2" "$empty" "$3" "$wheel" || return
    check "Python $1: it works there" env -C "$work" "$empty/bin/python" -I -X dev -W error "$root/Tests/python/first.py"
}

# count LOG XML VERSION STATUS: how the tests ended.
count() {
    local line results
    sed -n 's/^SKIPPED/skipped Python '"$3"':/p' "$1"
    if ! results=$($main_python Tests/checks/results.py "$2" 2>/dev/null); then
        failed "Python $3: the tests run to their end" "pytest ended with $4"$'\n'"$(tail -n 40 "$1")"
        return
    fi
    line=$(tail -n 1 <<<"$results")
    [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    echo "Python $3: $line"
    if ((BASH_REMATCH[2] > 0)); then
        sed -n "s/^FAILED /FAILED Python $3: /p" <<<"$results"
    elif ((BASH_REMATCH[1] == 0 || $4 != 0)); then
        failed "Python $3: pytest" "it ended with $4, $line"$'\n'"$(tail -n 20 "$1")"
    fi
}

# start_tests VERSION PLACE PYTEST ARGUMENT...: the wheel beside pytest, and its tests, which go on until end_tests.
declare -A running=()
trap 'kill "${!running[@]}" 2>/dev/null; exit 130' INT TERM
start_tests() {
    local version=$1 place=$2
    shift 2
    check "Python $version: the wheel is installed beside pytest" "$place/bin/python" -m pip install -q --no-index --no-deps \
        --force-reinstall "$wheel" ||
        return
    timeout -k 10 900 env -C "$work/tests" "$place/bin/python" -m pytest -q -rs --junit-xml "$work/pytest-$version.xml" "$@" \
        >"$work/pytest-$version.log" 2>&1 </dev/null &
    running[$!]=$version
}

# end_tests MOST: waits until no more than so many are running, and counts each that has ended.
end_tests() {
    local pid version status
    while ((${#running[@]} > $1)); do
        status=0
        wait -n -p pid "${!running[@]}" || status=$?
        version=${running[$pid]}
        unset "running[$pid]"
        cp "$work/pytest-$version.log" "$environments"
        count "$work/pytest-$version.log" "$work/pytest-$version.xml" "$version" "$status"
    done
}

if ((hosts)); then
    host_tests=("$work"/tests/test_hosts_*.py)
    # PyGObject and tkinter are Debian's.
    check_environment "Python $main: pytest and toolkits are installed" --system-site-packages "$environments/hosts" $main_python \
        "$package/requirements/test.txt" "$package/requirements/hosts.txt" && start_tests "$main" "$environments/hosts" "${host_tests[@]}"
    end_tests 0
    finish
fi
for version in $versions; do
    if ! python=$(find_python "$version"); then
        echo "skipped: Python $version is not here (python$version on PATH, pyenv, uv)"
        continue
    fi
    requirements=("$package/requirements/test.txt")
    # Some have a NumPy, old or new; the others none.
    [[ ! -f $package/requirements/numpy-$version.txt ]] || requirements+=("$package/requirements/numpy-$version.txt")
    selection=(-m "not once")
    if [[ $version == "$main" ]]; then
        requirements+=("$package/requirements/full.txt")
        # The suite of applications has those.
        selection=(--ignore-glob '*/test_hosts_*.py')
    fi
    place=$environments/$version
    check_environment "Python $version: pytest is installed" --symlinks "$place" "$python" "${requirements[@]}" || continue
    in_empty "$version" "$python" "$place/bin/python"
    end_tests $((${TOGETHER:-2} - 1))
    start_tests "$version" "$place" "${selection[@]}" "$@" .
done
end_tests 0
finish
