#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# files: which files QEMU really opens: a backing file only where that is allowed; disks that others
# could replace, as open files; copies of kernels; and never a file that a forged header names.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# disk NAME PATH FORMAT: a request for a machine that boots from it.
disk() {
    jq -n --arg name "$1" --arg path "$2" --arg format "$3" '{name: $name, arch: "x86_64", accelerator: "tcg", memory: "64 MiB",
        disks: [{path: $path, format: $format}]}' >"$lab_dir/$1.json"
    echo "$lab_dir/$1.json"
}

boots() {
    grep -qa 'viommu boot sector' "$lab_console"
}

copied_by_guest() {
    cmp -s <(head -c 512 "$1") <(dd if="$1" bs=512 skip=1 count=1 status=none)
}

# qemu_of MACHINE: its process.
qemu_of() {
    cat "$lab_dir/libvirt/run/qemu/$1.pid"
}

# The same bus also serves as the system's: this viommud judges rights, and is sent open files.
system_ctl() {
    lab_run env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$lab_dir/bus" "$lab_dir/viommuctl" --system "$@"
}

start_system() {
    kill "$lab_daemon"
    lab_until 15 lab_daemon_gone || say_die "viommud does not end"
    lab_spawn viommud env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$lab_dir/bus" STATE_DIRECTORY="$lab_dir/state" \
        "$lab_dir/viommud" --system --connect="qemu:///embed?root=$lab_dir/libvirt"
    lab_daemon=$lab_pid
    lab_until 30 lab_answers || say_die "viommud does not start: $(tail -n 5 "$lab_dir/viommud.log")"
}

lab_under_reaper "$@"
row=x86_64-none
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
# The checkout may be closed to the guests' user.
install -m 755 "$here/boot-sector.sh" "$lab_dir/boot-sector"
lab_run mkdir "$lab_dir/images" "$lab_dir/own"
printf '[files]\nimage-directories=%s/images\n' "$lab_dir" >>"$lab_dir/viommud.conf"
kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
lab_start_daemon

# --- A chain, as its images name it ---

lab_run "$lab_dir/boot-sector" "$lab_dir/images/base.raw"
lab_run qemu-img create -q -f qcow2 -b "$lab_dir/images/base.raw" -F raw "$lab_dir/images/middle.qcow2"
lab_run qemu-img create -q -f qcow2 -b "$lab_dir/images/middle.qcow2" -F qcow2 "$lab_dir/own/top.qcow2"
lab_launch "$(disk chain "$lab_dir/own/top.qcow2" qcow2)" || say_die "a chain: $lab_refusal"
lab_until 20 boots || say_die "the guest does not boot from the base of a chain"
lab_ctl kill chain

# --- The order in which the firmware tries them ---

lab_run truncate -s 1M "$lab_dir/own/blank.raw"
lab_run "$lab_dir/boot-sector" "$lab_dir/own/second.raw"
jq --arg path "$lab_dir/own/second.raw" '.disks += [{path: $path, format: "raw", "boot-order": 1}]' \
    "$(disk order "$lab_dir/own/blank.raw" raw)" >"$lab_dir/ordered.json"
lab_launch "$lab_dir/ordered.json" || say_die "an order: $lab_refusal"
lab_until 20 boots || say_die "the guest does not boot from the disk that is first in the order"
lab_until 10 copied_by_guest "$lab_dir/own/second.raw" || say_die "the guest booted from another disk"
lab_ctl kill order

# --- A forged header ---

lab_run touch "$lab_dir/secret"
lab_run "$lab_dir/boot-sector" "$lab_dir/own/forged.raw" "$lab_dir/secret"
grep -qF "backing file: $lab_dir/secret" <(qemu-img info -f qcow2 "$lab_dir/own/forged.raw") ||
    say_die "the header is not forged well enough for QEMU"
lab_launch "$(disk forged "$lab_dir/own/forged.raw" raw)" || say_die "a forged header in a raw image: $lab_refusal"
lab_until 20 boots || say_die "the guest does not see the raw image"
opened=$(readlink "/proc/$(qemu_of forged)/fd/"*)
grep -qxF "$lab_dir/own/forged.raw" <<<"$opened" || say_die "QEMU has not opened the image"
! grep -xF "$lab_dir/secret" <<<"$opened" || say_die "QEMU has opened what a forged header names"
lab_ctl kill forged

# --- A chain out of the directories: anywhere for a user's own viommud, whose QEMU is that user ---

lab_run mkdir "$lab_dir/home/images"
lab_run cp "$lab_dir/images/base.raw" "$lab_dir/home/images/base.raw"
lab_run qemu-img create -q -f qcow2 -b "$lab_dir/home/images/base.raw" -F raw "$lab_dir/own/away.qcow2"
lab_launch "$(disk away "$lab_dir/own/away.qcow2" qcow2)" || say_die "a chain in a user's own directory: $lab_refusal"
lab_until 20 boots || say_die "the guest does not boot from a base in the user's own directory"
lab_ctl kill away
start_system
refusal=$(system_ctl launch "$(disk honest "$lab_dir/own/forged.raw" qcow2)" --json 2>/dev/null) &&
    say_die "a forged backing file was taken"
[[ $refusal = *"$lab_dir/secret"*image-directories*"$lab_dir/images"* ]] || say_die "a forged backing file: $refusal"

# --- Open files ---

lab_run "$lab_dir/boot-sector" "$lab_dir/own/disk.raw"
(cd "$lab_dir" && disk open own/disk.raw raw) >/dev/null
system_ctl launch "$lab_dir/open.json" --wait=started >/dev/null || say_die "a disk that is handed over open"
lab_console=$(system_ctl show open --json | jq -r .ConsoleLog)
lab_until 20 boots || say_die "the guest does not boot from a disk that was handed over open"
lab_until 20 copied_by_guest "$lab_dir/own/disk.raw" || say_die "the guest cannot write to a disk that was handed over open"
grep -q '^{.*/dev/fdset/' <(tr '\0' '\n' <"/proc/$(qemu_of viommu-open)/cmdline") || say_die "QEMU was given the disk by its path"
system_ctl kill open
lab_run qemu-img convert -f raw -O qcow2 "$lab_dir/own/disk.raw" "$lab_dir/own/disk.qcow2"
disk open-qcow2 own/disk.qcow2 qcow2 >/dev/null
system_ctl launch "$lab_dir/open-qcow2.json" --wait=started >/dev/null || say_die "a qcow2 image that is handed over open"
lab_console=$(system_ctl show open-qcow2 --json | jq -r .ConsoleLog)
lab_until 20 boots || say_die "the guest does not boot from a qcow2 image that was handed over open"
system_ctl kill open-qcow2

# --- Copies ---

request=$(lab_request "$row")
system_ctl launch "$request" --wait=started >/dev/null || say_die "a kernel that is copied"
[ "$(find "$lab_dir/state/boot" -type f | wc -l)" -eq 2 ] || say_die "kernel and initrd were not copied"
lab_console=$(system_ctl show x86-64-none --json | jq -r .ConsoleLog)
lab_wait x86-64-none "$lab_console" 180 || say_die "the copied kernel does not boot: $lab_problem"
system_ctl kill x86-64-none
[ -z "$(find "$lab_dir/state/boot" -type f)" ] || say_die "left behind: $(find "$lab_dir/state/boot" -type f)"
