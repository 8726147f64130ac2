#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves ./demo and ./check on a clean Debian: a minimal tree of the given suite, this repository inside,
# both commands run there as root, with timings.
#
#   dev/clean-debian.sh [--all] [--worktree] [--run COMMAND] SUITE [DIR]
#
#   SUITE        bookworm (12) or trixie (13)
#   DIR          where the tree goes (default: a new temporary folder, removed at the end); a tree that is
#                already there is used as it is
#   --all        ./check --all instead of ./check
#   --worktree   copy the files as they are instead of the last commit
#   --run C      run the command line C inside instead (--run 'bash -i' for a look around)
#
# Needs root and debootstrap. Inside, apt and pip see the network as this machine does: name servers, proxies,
# certificates, apt and pip configuration are copied where there are any.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
    echo "clean-debian: $*" >&2
    exit 2
}
usage() { sed -n '4,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

check_arguments=()
source_of=commit
command_inside=
while [ $# -gt 0 ]; do
    case $1 in
        --all) check_arguments=(--all) ;;
        --worktree) source_of=worktree ;;
        --run) [ $# -ge 2 ] || fail "--run needs a command" && command_inside=$2 && shift ;;
        -h | --help) usage && exit 0 ;;
        -*) fail "unknown option $1 (see --help)" ;;
        *) break ;;
    esac
    shift
done
[ $# -ge 1 ] && [ $# -le 2 ] || fail "expected SUITE [DIR] (see --help)"
suite=$1
[ "$(id -u)" = 0 ] || fail "run as root: debootstrap and chroot need it"

if [ $# = 2 ]; then
    mkdir -p "$2"
    tree=$(cd "$2" && pwd)
    [ "$tree" != / ] || fail "DIR must not be /"
    temporary=no
else
    tree=$(mktemp -d)
    temporary=yes
fi

mounts=()
clean_up() {
    local i
    for ((i = ${#mounts[@]} - 1; i >= 0; --i)); do
        umount "${mounts[i]}" || umount -l "${mounts[i]}" || true
    done
    if [ "$temporary" = yes ]; then
        if grep -q " $tree/" /proc/mounts; then
            echo "clean-debian: $tree still has mounts; left in place" >&2
        else
            rm -rf "$tree"
        fi
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

if [ ! -x "$tree/usr/bin/apt-get" ]; then
    command -v debootstrap >/dev/null || fail "debootstrap is missing"
    echo "== debootstrap $suite into $tree"
    debootstrap --variant=minbase "$suite" "$tree" >"$tree.debootstrap.log" 2>&1 ||
        fail "debootstrap failed: $(tail -n 1 "$tree.debootstrap.log") (log: $tree.debootstrap.log)"
    rm -f "$tree.debootstrap.log"
fi
inside=$(. "$tree/etc/os-release" && echo "$VERSION_CODENAME")
[ "$inside" = "$suite" ] || fail "$tree holds $inside, not $suite"

mount_inside() {
    mount "$@"
    mounts+=("${*: -1}")
}
mount_inside -t proc proc "$tree/proc"
mount_inside --bind /sys "$tree/sys"
mount_inside --bind /dev "$tree/dev"

# The network as seen from here.
cp -L --remove-destination /etc/resolv.conf "$tree/etc/resolv.conf"
for file in /etc/hosts /etc/pip.conf "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    if [ -f "$file" ]; then
        case $file in
            /etc/*) cp -L "$file" "$tree$file" ;;
            *) mkdir -p "$tree/root/.config/pip" && cp -L "$file" "$tree/root/.config/pip/pip.conf" ;;
        esac
    fi
done
# Of apt's configuration only how to reach the archive: proxies, certificates, clock checks.
apt-config dump 2>/dev/null | grep -E '^Acquire::(https?|ftp|Check-[A-Za-z-]*|Retries)\b.* "..*";$' \
    >"$tree/etc/apt/apt.conf.d/90from-host" || true
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    mkdir -p "$tree/etc/ssl/certs" "$tree/usr/local/share"
    cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
    [ ! -d /usr/local/share/ca-certificates ] || cp -rL /usr/local/share/ca-certificates "$tree/usr/local/share/"
fi
# Variables whose names say proxy, pip or certificates; values that name a folder of this machine make sense only
# where the folder is there too.
variables=()
while IFS='=' read -r -d '' name value; do
    case $name in
        *_proxy | *_PROXY | PIP_* | SSL_CERT_* | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE)
            case $value in
                /*) [ -e "$tree$value" ] || continue ;;
            esac
            variables+=("$name=$value")
            ;;
    esac
done </proc/self/environ

run_inside() {
    chroot "$tree" env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "${variables[@]}" bash -c "cd /root/adiabat && $1"
}

rm -rf "$tree/root/adiabat"
if [ "$source_of" = commit ]; then
    git clone -q --no-hardlinks "$repository" "$tree/root/adiabat"
else
    mkdir -p "$tree/root/adiabat"
    (cd "$repository" && git ls-files -z --cached --others --exclude-standard |
        tar -c --null --ignore-failed-read -T -) | tar -x --no-same-owner -C "$tree/root/adiabat"
fi

if [ -n "$command_inside" ]; then
    run_inside "$command_inside"
    exit
fi

failures=0
prove() {
    local start=$SECONDS
    echo "== $suite: $1"
    if run_inside "$1"; then
        echo "== $suite: $1: passed in $((SECONDS - start)) s"
    else
        echo "== $suite: $1: FAILED after $((SECONDS - start)) s"
        failures=$((failures + 1))
    fi
}
prove ./demo
prove "./check ${check_arguments[*]}"
prove "./demo"
echo "== $suite: $failures of 3 runs failed"
[ "$failures" = 0 ]
