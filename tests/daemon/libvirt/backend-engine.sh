#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# backend-engine: runs a test of the backend with a real libvirt engine, "embed" or "session", as an
# ordinary user in a directory of its own; ends what the engine leaves running.  Usage:
# backend-engine PROGRAM ENGINE
set -eu
program=$1
engine=$2

# An ordinary user need not change users.
user=libvirt-qemu
skip() {
    echo "skipped: $1"
    exit 77
}
command -v tini >/dev/null || skip "tini is not there, and zombies would make every start take minutes"
command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not there"
command -v qemu-system-aarch64 >/dev/null || skip "qemu-system-aarch64 is not there"

# Short: paths of sockets below it have at most 107 characters.
dir=$(mktemp -d /tmp/vbe.XXXXXX)
as_user=
if [ "$(id -u)" = 0 ]; then
    id "$user" >/dev/null 2>&1 || user=nobody
    as_user="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
    # The build directory may be closed to that user.
    cp "$program" "$dir/test-backend"
    program=$dir/test-backend
fi

# Daemons, and guests of a failed test; an earlier run had another directory.
pids() {
    find "$dir" -name '*.pid' | while read -r file; do
        cat "$file"
        echo
    done
}
is_running() {
    [ -e "/proc/$1/stat" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}
clean() {
    for pid in $(pids); do
        kill "$pid" 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            is_running "$pid" || break
            sleep 0.3
        done
    done
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' INT TERM

mkdir -p "$dir/run" "$dir/etc"
echo 'stdio_handler = "file"' >"$dir/etc/qemu.conf"
[ -z "$as_user" ] || chown -R "$user:" "$dir"

case $engine in
embed) VIOMMU_TEST_URI="qemu:///embed?root=$dir" ;;
session) VIOMMU_TEST_URI=qemu:///session ;;
*) echo "unknown engine '$engine'"; exit 2 ;;
esac
export VIOMMU_TEST_URI HOME="$dir" XDG_RUNTIME_DIR="$dir/run"
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_STATE_HOME
# shellcheck disable=SC2086
tini -s -- $as_user "$program"
