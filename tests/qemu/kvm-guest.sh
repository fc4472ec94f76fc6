#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kvm-guest: the guest that proves KVM runs to its end without KVM, on each kind of processor, and
# however slow the host is: else its verdict would say nothing of KVM.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() {
    echo "SKIP: $*"
    exit 77
}
[ "$(uname -m)" = x86_64 ] || skip "viommud has no guest of its own for $(uname -m)"
for program in gcc objcopy qemu-system-x86_64; do
    command -v $program >/dev/null || skip "$program is not installed"
done
gcc -c "$here/../../daemon/libvirt/kvm-guest.S" -o "$work/guest.o"
objcopy -O binary -j .rodata.viommu_kvm_guest "$work/guest.o" "$work/guest.rom"

# runs WHAT OPTION...: QEMU reports the watchdog within 20 s, and not that the guest reset itself.
runs() {
    local what=$1 events
    shift
    events=$({
        echo '{"execute": "qmp_capabilities"}'
        for ((i = 0; i < 200; i++)); do
            ! grep -qE '"(WATCHDOG|SHUTDOWN)"' "$work/events" || break
            sleep 0.1
        done
        echo '{"execute": "quit"}'
    } | qemu-system-x86_64 -display none -nodefaults -m 16 -device ib700 -watchdog-action pause -no-reboot -bios "$work/guest.rom" \
        -qmp stdio "$@" 2>"$work/errors" | tee "$work/events" | grep -oE '"(WATCHDOG|SHUTDOWN)"' | head -n 1) || true
    [ "$events" = '"WATCHDOG"' ] || say_die "$what: the guest did not run to its end: $events $(cat "$work/errors" "$work/events")"
    say "$what: the guest runs"
}

for machine in pc q35; do
    for cpu in qemu64 max; do
        : >"$work/events"
        runs "$machine, $cpu" -machine "$machine" -cpu "$cpu"
    done
done
: >"$work/events"
runs 'a slow host' -machine pc -icount shift=10,sleep=off
