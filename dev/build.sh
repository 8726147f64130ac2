#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Configures and builds one preset of CMakePresets.json: dev/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -ge 1 ] || { echo "usage: dev/build.sh PRESET [TARGET...]" >&2 && exit 2; }
preset=$1
shift
mkdir -p build

cmake --preset "$preset" >"build/configure-$preset.log" 2>&1 || {
    grep -v '^--' "build/configure-$preset.log" | tail -n 40 >&2
    echo "build: configuring the preset $preset failed (log: build/configure-$preset.log)" >&2
    exit 1
}
cmake --build --preset "$preset" ${1:+--target "$@"}
