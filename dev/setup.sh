#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that are missing, and makes the Python environment of the tests.
#
#   dev/setup.sh GROUP...     groups of dev/packages.txt (build, check, lint); check also makes .venv
#
# Says what it installs; does nothing, quickly, where nothing is missing. ADIABAT_SKIP_PACKAGES=1 leaves
# the packages alone (systems without apt: install what dev/packages.txt lists by hand).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
log=build/setup.log
mkdir -p build

fail() {
    echo "setup: $*" >&2
    exit 1
}

# Prints the packages of the given groups that are not installed.
missing_packages() {
    local wanted installed
    wanted=$(awk -v groups=" $* " '!/^#/ && NF && index(groups, " " $2 " ") { print $1 }' \
        dev/packages.txt | sort)
    # shellcheck disable=SC2086
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
        awk '$1 == "installed" { print $2 }' | sort -u) || true
    comm -23 <(echo "$wanted") <(echo "$installed")
}

# Runs a command as root, its output in the log.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1
    fi
}

install_packages() {
    local missing
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "this is no Debian system: install what dev/packages.txt lists, then set ADIABAT_SKIP_PACKAGES=1"
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "Debian packages to install: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            fail "neither root nor sudo here; as root: apt-get install --no-install-recommends ${missing[*]}"
        sudo -v || fail "sudo refused; as root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    : >"$log"
    echo "installing (LibTorch is large: this takes minutes; log in $log)"
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update ||
        fail "apt-get update failed: $(grep -E '^(E|Err):?' "$log" | tail -n 1) (log: $log)"
    as_root apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install \
        --no-install-recommends "${missing[@]}" ||
        fail "apt-get install failed: $(grep -E '^E:' "$log" | tail -n 1) (log: $log)"
}

# .venv holds exactly dev/requirements-test.txt; its stamp names the requirements and the interpreter.
make_venv() {
    local stamp
    stamp="$(sha256sum <dev/requirements-test.txt) $(python3 -V)"
    [ "$(cat .venv/stamp 2>/dev/null || true)" != "$stamp" ] || return 0
    echo "Python packages to install in .venv: $(grep -v '^#' dev/requirements-test.txt | xargs)"
    rm -rf .venv
    { python3 -m venv .venv &&
        .venv/bin/python -m pip install --disable-pip-version-check --only-binary :all: \
            -r dev/requirements-test.txt; } >build/venv.log 2>&1 ||
        fail "no Python environment: $(grep -i error build/venv.log | tail -n 1) (log: build/venv.log)"
    echo "$stamp" >.venv/stamp
}

[ $# -gt 0 ] || fail "usage: dev/setup.sh GROUP... (build, check, lint)"
[ "${ADIABAT_SKIP_PACKAGES:-}" = 1 ] || install_packages "$@"
case " $* " in *" check "*) make_venv ;; esac
