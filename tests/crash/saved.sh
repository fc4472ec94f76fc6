#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# saved: a guest with an IOMMU, under TCG, is saved and restored by virsh, which viommud does not
# ask for: the machine stays with its files, also for a viommud that starts meanwhile, and the
# restored guest proves its IOMMU and reads its disk through it.  A saved machine that is stopped
# leaves nothing.
#   saved ROW   (of tests/qemu/lab.sh)
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

# lines PATTERN: how many such lines the guest has printed.
lines() {
    tr -d '\r' <"$lab_console" | grep -acE "$1" || true
}

lines_beyond() {
    [ "$(lines "$1")" -gt "$2" ]
}

overlays() {
    find "$lab_dir/home" -path '*/viommud/boot/*' -type f | wc -l
}

is_saved() {
    [ "$(lab_property "$lab_machine" State) $(lab_property "$lab_machine" Result)" = 'stopped saved' ]
}

runs() {
    [ "$(lab_property "$lab_machine" State) $(lab_property "$lab_machine" Result)" = 'running none' ]
}

# saved WHAT: the machine is saved, and complete.
saved() {
    lab_until 20 is_saved || lab_die "$1: the machine is '$(lab_property "$lab_machine" State)', '$(lab_property "$lab_machine" Result)'"
    [ "$(lab_ctl show "$lab_machine" --json | jq -r '.Failure[0]')" = '' ] || lab_die "$1: Failure is $(lab_ctl show "$lab_machine" --json | jq -c .Failure)"
    [ "$(overlays)" -eq 1 ] || lab_die "$1: the disk's overlay is gone"
}

# restored WHAT: the guest runs on, and its IOMMU works.
restored() {
    local counts reads reports
    lab_until 20 runs || lab_die "$1: the machine is '$(lab_property "$lab_machine" State)', '$(lab_property "$lab_machine" Result)'"
    # The console is opened within 10 seconds.
    counts=$(lines '^count') reads=$(lines '^read written-by-host') reports=$(lines '^viommu-report end')
    lab_until 300 lines_beyond '^count' "$counts" || lab_die "$1: the guest does not run on"
    [ "$disk" = no ] || lab_until 60 lines_beyond '^read written-by-host' "$reads" || lab_die "$1: the guest does not read its disk"
    lab_until 600 lines_beyond '^viommu-report end' "$reports" || lab_die "$1: the guest does not report"
    lab_ctl verify "$lab_machine" --timeout=600 >"$lab_dir/verified" || lab_die "$1: not verified"
    say "$1: $(cat "$lab_dir/verified")"
}

row=$1
lab_row "$row"
arch=${lab_fields[1]}
kernel=$arch-${lab_fields[2]} disk=no words='viommu.stay'
# A guest with the module for its disk.
[ "$arch" != x86_64 ] || kernel=x86_64-functions disk=yes words="no_timer_check $words"
[ "${lab_fields[5]}" != intel ] || words="intel_iommu=on $words"
lab_under_reaper "$@"
crash_prerequisites
lab_prerequisites "$row"
parts=$("$here/../qemu/guests.sh" "$kernel") || lab_skip "the guest's kernel is not in the cache and cannot be downloaded"
crash_open
mkdir -p "$lab_dir/guest/root/test"
cp "$parts/vmlinuz" "$parts/initrd" "$lab_dir/guest/"
install -m 755 "$here/saved-guest.sh" "$lab_dir/guest/root/test/run"
(cd "$lab_dir/guest/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >>"$lab_dir/guest/initrd"
printf 'written-by-host\n' >"$lab_dir/disk.raw"
truncate -s 1M "$lab_dir/disk.raw"
[ ${#lab_as[@]} -eq 0 ] || chown "$(stat -c %u "$lab_dir/home")" "$lab_dir/disk.raw"
request=$(lab_request "$row" "$words")
changed=$(jq --arg guest "$lab_dir/guest" --arg disk "$lab_dir/disk.raw" \
    '.boot.kernel = "\($guest)/vmlinuz" | .boot.initrd = "\($guest)/initrd" | .disks = [{path: $disk, format: "raw", overlay: true}]' "$request")
echo "$changed" >"$request"
crash_launch "$request"
lab_until 900 lines_beyond '^count' 0 || lab_die "the guest tells nothing"
[ "$disk" = no ] || lab_until 60 lines_beyond '^read written-by-host' 0 || lab_die "the guest does not read its disk"
[ "$(overlays)" -eq 1 ] || lab_die "the disk has no overlay"

# libvirt keeps the state itself; viommud starts meanwhile.
crash_virsh managedsave "$lab_machine" >"$lab_dir/virsh.log" || lab_die "managedsave: $(cat "$lab_dir/virsh.log")"
saved managedsave
kill -KILL "$lab_daemon"
crash_wait_dead "$lab_daemon" viommud
lab_start_daemon
saved "after a restart of viommud"
crash_virsh start "$lab_machine" >"$lab_dir/virsh.log" || lab_die "start: $(cat "$lab_dir/virsh.log")"
restored "restored by libvirt"

# The state is in a file of virsh's caller.
crash_virsh save "$lab_machine" "$lab_dir/home/state" >"$lab_dir/virsh.log" || lab_die "save: $(cat "$lab_dir/virsh.log")"
saved save
crash_virsh restore "$lab_dir/home/state" >"$lab_dir/virsh.log" || lab_die "restore: $(cat "$lab_dir/virsh.log")"
restored "restored from a file"

# A saved machine can be stopped.
crash_virsh managedsave "$lab_machine" >"$lab_dir/virsh.log" || lab_die "managedsave: $(cat "$lab_dir/virsh.log")"
saved managedsave
lab_ctl stop "$lab_machine"
crash_nothing_left "a saved machine"
say "saved, found again after SIGKILL, restored, removed"
