#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# paused: a guest whose disk is on a full file system, and one that somebody suspends, are paused
# and not running, after a restart of viommud too, and run again when that is over.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

now_is() {
    [ "$(lab_ctl show "$lab_machine" --json | jq -r '"\(.State) \(.PauseReason) \(.Result)"')" = "$1 $2 none" ]
}

await() {
    lab_until 60 now_is "$1" "$2" ||
        say_die "$3: not $1 ($2): $(lab_ctl show "$lab_machine" --json | jq -c '[.State, .PauseReason, .Result]')"
    say "$3: $1 ($2)"
}

# overlay NAME: a request for a guest that writes to its disk, whose file system has no room for it.
overlay() {
    rm -f "$lab_dir/full/ballast"
    lab_run qemu-img create -q -f qcow2 -b "$lab_dir/base.raw" -F raw "$lab_dir/full/$1.qcow2"
    head -c 10M /dev/zero 2>/dev/null >"$lab_dir/full/ballast" || true
    crash_request "$1" ". + {boot: {firmware: \"bios\"}, iommu: {\"is-supported\": false},
        disks: [{path: \"$lab_dir/full/$1.qcow2\", format: \"qcow2\", bus: \"sata\"}]}"
}

# The guest has written its first sector to its second.
has_written() {
    lab_run qemu-img convert -U -f qcow2 -O raw "$lab_dir/full/full.qcow2" "$lab_dir/seen.raw" &&
        cmp -s <(head -c 512 "$lab_dir/seen.raw") <(head -c 1024 "$lab_dir/seen.raw" | tail -c 512)
}

lab_under_reaper "$@"
crash_prerequisites
[ "$(id -u)" -eq 0 ] || lab_skip "not root: no file system can be filled"
# Mounts here are invisible to others, and go with the script.
if [ -z "${CRASH_PRIVATE:-}" ]; then
    CRASH_PRIVATE=1 exec unshare --mount --propagation private -- "$BASH" "$0" "$@"
fi
crash_open ""
trap 'umount -l "$lab_dir/full"; lab_close' EXIT
mkdir "$lab_dir/full"
mount -t tmpfs -o size=2m,mode=777 tmpfs "$lab_dir/full"
install -m 755 "$here/../qemu/boot-sector.sh" "$lab_dir/boot-sector"
lab_run "$lab_dir/boot-sector" "$lab_dir/base.raw"

crash_launch "$(overlay full)"
await paused disk-full "no room for what the guest writes"
grep -q 'full *paused' <(lab_ctl list) || say_die "list says: $(lab_ctl list)"
! has_written || say_die "the guest has written all the same"
kill -KILL "$lab_daemon"
lab_until 5 lab_daemon_gone || say_die "viommud is not killed"
lab_start_daemon
await paused disk-full "after a restart of viommud"
rm "$lab_dir/full/ballast"
lab_ctl resume full
await running none "room, and resumed"

lab_ctl suspend full
now_is paused suspended || say_die "not paused when viommuctl suspend ends"
# QEMU writes its tables with the pause.
lab_until 20 has_written || say_die "the guest did not write what it was paused for"
lab_ctl resume full
now_is running none || say_die "not running when viommuctl resume ends"
crash_virsh suspend full >/dev/null
await paused suspended "suspended again"
before=$SECONDS
lab_ctl stop full --timeout=60
[ $((SECONDS - before)) -lt 20 ] || say_die "the stop waited for a guest that cannot power off"
crash_nothing_left "stopped while it was paused"

# The command would wait for a guest that waits for the host.
request=$(overlay run)
status=0
words=$(lab_ctl run "$request" -- sleep 300 2>&1 >/dev/null) || status=$?
[ "$status" -eq 71 ] || say_die "run on a full disk ended with $status, not 71: $words"
[[ $words = *"the guest is paused: disk full"* ]] || say_die "run on a full disk: $words"
crash_nothing_left "run on a full disk"
say "run on a full disk: $words"
