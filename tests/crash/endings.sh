#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# endings: causes each way in which a launch fails or a guest ends: full disks, a refused define, a
# refused start, a QEMU that dies, a guest that panics, one that powers off.  Each has its own
# state, result and message, and leaves nothing.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

# refused WHAT REQUEST WORDS: the launch fails as Backend with WORDS, and leaves nothing; a launch
# that was answered before it failed, too.
refused() {
    local status=0 later=$lab_dir/later.json failure
    lab_launch "$2" || status=$?
    [ "$status" -eq 8 ] || say_die "$1: the launch ended with $status, not 8: $lab_refusal"
    [[ $(jq -r .error.message <<<"$lab_refusal") =~ $3 ]] || say_die "$1: '$3' is not in: $lab_refusal"
    crash_nothing_left "$1"
    jq '.name = "later"' "$2" >"$later"
    lab_ctl launch "$later" --wait=planned >/dev/null || say_die "$1: it was refused before it was planned"
    lab_until 30 has_state later failed || say_die "$1: the state is '$(lab_property later State)'"
    [ "$(lab_property later Result)" = failed ] || say_die "$1: the result is '$(lab_property later Result)'"
    failure=$(lab_ctl show later --json | jq -c .Failure)
    [[ $failure = *Backend* && $failure =~ $3 ]] || say_die "$1: Failure is $failure"
    lab_ctl stop later
    crash_nothing_left "$1, later"
    say "$1: $(jq -r .error.message <<<"$lab_refusal" | head -n 1 | cut -c 1-240)"
}

# ended WHAT RESULT WORDS: the machine has stopped with RESULT, and can be removed.
ended() {
    local failure
    lab_until 60 has_state "$lab_machine" stopped || say_die "$1: the state is '$(lab_property "$lab_machine" State)'"
    [ "$(lab_property "$lab_machine" Result)" = "$2" ] ||
        say_die "$1: the result is '$(lab_property "$lab_machine" Result)', not '$2'"
    failure=$(lab_ctl show "$lab_machine" --json | jq -c .Failure)
    [[ $failure =~ $3 ]] || say_die "$1: Failure is $failure"
    lab_until 20 no_guest || say_die "$1: QEMU still runs"
    # The order of the news does not change the result.
    [ "$(lab_property "$lab_machine" Result)" = "$2" ] || say_die "$1: the result has changed"
    lab_ctl stop "$lab_machine"
    crash_nothing_left "$1"
    say "$1: $2 $failure"
}

has_state() {
    [ "$(lab_property "$1" State)" = "$2" ]
}

no_guest() {
    [ -z "$(crash_guests)" ]
}

# full_but KIB: leaves so much room on the file system of libvirt's definitions and NVRAM.
full_but() {
    rm -f "$lab_state/ballast"
    head -c 100M /dev/zero 2>/dev/null >"$lab_state/ballast" || true
    truncate -s "-${1}K" "$lab_state/ballast"
}

# boot_sector FILE BYTES: a disk from which a guest runs BYTES of 16 bit code.
boot_sector() {
    head -c 1M /dev/zero >"$1"
    # shellcheck disable=SC2059  # the bytes are a format
    printf "$2" | dd of="$1" conv=notrunc 2>/dev/null
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc 2>/dev/null
    chmod 666 "$1"
}

# Not below a directory that only root may enter.
sector_request() {
    crash_request "$1" ". + {boot: {firmware: \"bios\"}, iommu: {\"is-supported\": false},
        disks: [{path: \"$lab_dir/$1.raw\", format: \"raw\", bus: \"sata\"}]}"
}

lab_under_reaper "$@"
crash_prerequisites
# Mounts here are invisible to others, and go with the script.
if [ -z "${CRASH_PRIVATE:-}" ] && [ "$(id -u)" -eq 0 ]; then
    CRASH_PRIVATE=1 exec unshare --mount --propagation private -- "$BASH" "$0" "$@"
fi
crash_open
request=$(crash_request victim)

# --- Full disks ---
if [ -n "${CRASH_PRIVATE:-}" ]; then
    lab_run cp -a "$lab_state" "$lab_dir/kept"
    trap 'umount -l "$lab_state"; lab_close' EXIT
    mount -t tmpfs -o size=4m tmpfs "$lab_state"
    cp -a "$lab_dir/kept/." "$lab_state"
    full_but 100
    refused "no room for the NVRAM" "$request" 'No space left'
    rm "$lab_state/ballast"

    crash_launch "$request"
    full_but 0
    status=0
    lab_launch "$(crash_request other)" || status=$?
    [ "$status" -eq 8 ] || say_die "no room for the definition: the launch ended with $status, not 8: $lab_refusal"
    [[ $lab_refusal = *'No space left'* ]] || say_die "no room for the definition: $lab_refusal"
    say "no room for the definition: $(jq -r .error.message <<<"$lab_refusal" | cut -c 1-240)"
    # The stop cannot be recorded, but happens.
    lab_ctl stop victim --timeout=0 || say_die "no room, and no stop: $(tail -n 3 "$lab_dir/viommud.log")"
    crash_nothing_left "stopped on a full disk"
    umount -l "$lab_state"
    trap lab_close EXIT
else
    say "not root: full disks are not tried"
fi

# --- A refused define: a domain that is not viommud's has the name ---
cat >"$lab_dir/other.xml" <<'END'
<domain type='qemu'><name>victim</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>
END
crash_virsh define "$lab_dir/other.xml" >/dev/null
status=0
lab_launch "$request" || status=$?
[ "$status" -eq 5 ] || say_die "a name that is taken: the launch ended with $status, not 5: $lab_refusal"
[ "$(crash_virsh list --all --name | grep -c .)" -eq 1 ] || say_die "the other's domain is gone"
crash_virsh undefine victim >/dev/null
crash_nothing_left "a name that was taken"
say "a name that is taken: $(jq -r .error.message <<<"$lab_refusal")"

# --- A start that QEMU refuses, with its reason ---
# More memory than QEMU can address, or than there is.  libvirt reports it if QEMU ends before
# libvirt reaches its monitor.
refused "a start that QEMU refuses" "$(crash_request huge ".memory = \"30 TiB\"")" 'qemu-system|monitor socket'

# --- Guests ---
crash_launch "$request"
crash_guests | xargs kill -KILL
ended "QEMU killed at once" crashed 'QEMU|crashed'

crash_launch "$request"
crash_virsh destroy victim >/dev/null
ended "destroyed by somebody else" crashed destroyed

# mov dx,0x505; mov al,1; out dx,al; hlt: what the kernel writes to the device when it panics.
boot_sector "$lab_dir/panics.raw" '\xba\x05\x05\xb0\x01\xee\xf4\xeb\xfd'
crash_launch "$(sector_request panics)"
ended "a guest that panics" panicked panicked

# mov dx,0x604; mov ax,0x2000; out dx,ax: ACPI's power off, with the port that the firmware set up.
boot_sector "$lab_dir/ends.raw" '\xba\x04\x06\xb8\x00\x20\xef\xf4\xeb\xfd'
crash_launch "$(sector_request ends)"
ended "a guest that powers off" shutdown '^\["",""\]$'
