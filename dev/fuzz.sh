#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Feeds any bytes to the reader of networks for so many seconds, under AddressSanitizer and
# UndefinedBehaviorSanitizer: dev/fuzz.sh SECONDS [libFuzzer option...]. Needs clang with libFuzzer
# (Debian: clang, libclang-rt-14-dev). What it finds is left in build/fuzz/found/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -ge 1 ] || { echo "usage: dev/fuzz.sh SECONDS [libFuzzer option...]" >&2 && exit 2; }
seconds=$1
shift
build=build/fuzz
mkdir -p "$build/corpus" "$build/found"

compiler=$(command -v clang++ || command -v clang++-14) || { echo "fuzz: no clang++" >&2 && exit 1; }
cmake -S . -B "$build" -G Ninja -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_BUILD_TYPE=RelWithDebInfo \
    -D CMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" -D ADIABAT_BUILD_FUZZERS=ON -D ADIABAT_WITH_TORCH=OFF \
    -D ADIABAT_BUILD_TESTS=OFF >"$build/configure.log" 2>&1 ||
    { tail -n 20 "$build/configure.log" >&2 && exit 1; }
cmake --build "$build" --target adiabat_fuzz_read -- -k 0 >"$build/build.log" 2>&1 ||
    { grep -m 20 -E "error|undefined" "$build/build.log" >&2 && exit 1; }
# Seeds: every kind of thing that a model can hold, a few KB in all. Without the package onnx it goes without.
mkdir -p "$build/seeds"
python=${PYTHON:-.venv/bin/python}
"$python" dev/fuzz_seeds.py "$build/seeds" || echo "fuzz: no seeds: $python has no package onnx" >&2

# Memory of one input is bounded by what the process may take; a second would be slow, five are too many.
exec "$build/adiabat_fuzz_read" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=5 -max_len=65536 \
    -artifact_prefix="$build/found/" -print_final_stats=1 "$@" "$build/corpus" "$build/seeds"
