#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Formats the C++ sources in place; with --check only says which are not formatted (exit code 1).
# Versions of clang-format disagree: that of Debian 12 decides, and with another one there is nothing to
# do (exit code 77).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version_wanted=14

version=$(clang-format --version | sed -E 's/.*version ([0-9]+).*/\1/')
if [ "$version" != $version_wanted ]; then
    echo "skipped: formatting is decided by clang-format $version_wanted (Debian 12); here is $version"
    exit 77
fi
mapfile -d '' files < <(find src tests -name '*.h' -print0 -o -name '*.cpp' -print0 | sort -z)
if [ "${1:-}" != --check ]; then
    clang-format -i "${files[@]}"
    exit
fi
unformatted=$(clang-format --dry-run --Werror "${files[@]}" 2>&1 | sed -nE 's/^((src|tests)[^:]*):.*error:.*/\1/p' | sort | uniq -c) || true
if [ -n "$unformatted" ]; then
    echo "not formatted (places, file); dev/format.sh does it:"
    echo "$unformatted"
    exit 1
fi
echo "${#files[@]} files are formatted"
