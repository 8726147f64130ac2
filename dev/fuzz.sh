#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Feeds any bytes to a part for so many seconds, under AddressSanitizer and UndefinedBehaviorSanitizer:
#
#     dev/fuzz.sh read|container|problem|problem:FORMAT|api SECONDS [libFuzzer option...]
#
# read: the reader of networks; container: packing and unpacking; problem: the readers of problems, problem:qbsolv
# that of one format alone; api: sequences of calls that build and solve problems.
# Needs clang with libFuzzer (Debian: clang, libclang-rt-14-dev). What it finds is left in build/fuzz/found/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
usage() { echo "usage: dev/fuzz.sh read|container|problem[:FORMAT]|api SECONDS [libFuzzer option...]" >&2 && exit 2; }
[ $# -ge 2 ] || usage
part=${1%%:*} format= seconds=$2
case $1 in read | container | problem | api) ;; problem:?*) format=${1#*:} ;; *) usage ;; esac
shift 2
build=build/fuzz
corpus=$build/corpus/$part${format:+-$format} seeds=$build/seeds/$part${format:+-$format}
mkdir -p "$corpus" "$seeds" "$build/found"

compiler=$(command -v clang++ || command -v clang++-14) || { echo "fuzz: no clang++" >&2 && exit 1; }
cmake -S . -B "$build" -G Ninja -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_BUILD_TYPE=RelWithDebInfo \
    -D CMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" -D ADIABAT_BUILD_FUZZERS=ON -D ADIABAT_WITH_TORCH=OFF \
    -D ADIABAT_BUILD_TESTS=OFF >"$build/configure.log" 2>&1 ||
    { tail -n 20 "$build/configure.log" >&2 && exit 1; }
cmake --build "$build" --target "adiabat_fuzz_$part" -- -k 0 >"$build/build.log" 2>&1 ||
    { grep -m 20 -E "error|undefined" "$build/build.log" >&2 && exit 1; }
# Seeds: every kind of thing that a model, or a file of a problem, can hold, a few KB in all. Those of networks
# need the package onnx; without it, it goes without.
python=${PYTHON:-.venv/bin/python}
case $part in
read | container) "$python" dev/fuzz_seeds.py "$seeds" || echo "fuzz: no seeds: $python has no package onnx" >&2 ;;
problem)
    python3 dev/fuzz_problem_seeds.py "$seeds" ${format:+"$format"}
    set -- -dict="$seeds.dict" "$@"
    ;;
esac
[ -z "$format" ] || export ADIABAT_FUZZ_FORMAT=$format

longest=65536
[ "$part" = api ] && longest=512
# Memory of one input is bounded by what the process may take; a second would be slow, five are too many.
exec "$build/adiabat_fuzz_$part" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=5 -max_len="$longest" \
    -artifact_prefix="$build/found/" -print_final_stats=1 "$@" "$corpus" "$seeds"
