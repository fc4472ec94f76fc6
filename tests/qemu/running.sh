#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# running: a guest with an IOMMU, under TCG, is suspended and resumed; a disk and a network are
# attached to it, which it sees in groups of its IOMMU, and are known after a restart of viommud;
# then they are detached.  What does not fit is refused.
#   running ROW   (of lab.sh, or x86_64-functions)
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# The last complete list of the guest's.
seen() {
    tr -d '\r' <"$lab_console" | awk '/^seen end/ { last = list; list = "" } /^(seen|disk) / && !/^seen end/ { list = list $0 "\n" }
        END { printf "%s", last }'
}

sees() {
    [ "$(seen | grep -cE "$1")" -eq "$2" ]
}

counts() {
    grep -ac '^count' "$lab_console"
}

counts_beyond() {
    [ "$(counts)" -gt "$1" ]
}

# refused STATUS PATTERN WORD...: viommuctl WORD... fails with STATUS and a message.
refused() {
    local wanted=$1 pattern=$2 said status=0
    shift 2
    said=$(lab_ctl "$@" 2>&1) || status=$?
    [[ $status -eq $wanted && $said =~ $pattern ]] || lab_die "viommuctl $*: status $status, not $wanted and '$pattern': $said"
    say "${said%%$'\n'*}"
}

attached() {
    lab_ctl show "$lab_machine" --json | jq -c .Attached
}

has() {
    [ "$(attached)" = "$1" ]
}

# A guest with the modules for what is attached.
row=$1
lab_row "$row"
arch=${lab_fields[1]}
kernel=$arch-${lab_fields[2]}
[ "$arch" != x86_64 ] || kernel=x86_64-functions
lab_under_reaper "$@"
lab_prerequisites "$row"
parts=$("$here/guests.sh" "$kernel") || lab_skip "the guest's kernel is not in the cache and cannot be downloaded"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
mkdir -p "$lab_dir/guest/root/test"
cp "$parts/vmlinuz" "$parts/initrd" "$lab_dir/guest/"
install -m 755 "$here/running-guest.sh" "$lab_dir/guest/root/test/run"
(cd "$lab_dir/guest/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >>"$lab_dir/guest/initrd"
words=viommu.stay
[ "$arch" != x86_64 ] || words="intel_iommu=on no_timer_check $words"
request=$(lab_request "$row" "$words")
changed=$(jq --arg parts "$lab_dir/guest" '."hotplug-ports" = 2 | .boot.kernel = "\($parts)/vmlinuz" | .boot.initrd = "\($parts)/initrd"' "$request")
echo "$changed" >"$request"
lab_launch "$request" || say_die "launch: $lab_refusal"
lab_wait "$lab_machine" "$lab_console" 180 || lab_die "$lab_problem"
lab_until 60 counts_beyond 0 || lab_die "the guest tells nothing"

# --- Suspended ---

lab_ctl suspend "$lab_machine"
[ "$(lab_property "$lab_machine" State)" = paused ] || lab_die "not paused"
sleep 0.5
before=$(counts)
sleep 4
[ "$(counts)" -eq "$before" ] || lab_die "the guest runs while it is suspended"
lab_ctl resume "$lab_machine"
[ "$(lab_property "$lab_machine" State)" = running ] || lab_die "not running"
lab_until 30 counts_beyond "$before" || lab_die "the guest does not run on"
say "suspended, and resumed"

# --- Attached ---

printf 'written-by-host\n' >"$lab_dir/disk.raw"
truncate -s 1M "$lab_dir/disk.raw"
[ ${#lab_as[@]} -eq 0 ] || chown "$(stat -c %u "$lab_dir/home")" "$lab_dir/disk.raw"
refused 2 "'memory' cannot be attached" attach "$lab_machine" memory=1G
refused 2 'one device can be attached at a time' attach "$lab_machine" networks.0.type=user networks.1.type=user
refused 3 "disks.0..bus 'sata' cannot be attached" attach "$lab_machine" "disks.0.path=$lab_dir/disk.raw" disks.0.format=raw disks.0.bus=sata
refused 2 'no-such-file' attach "$lab_machine" "disks.0.path=$lab_dir/no-such-file" disks.0.format=raw
disk=$(lab_ctl attach "$lab_machine" "disks.0.path=$lab_dir/disk.raw" disks.0.format=raw) || lab_die "attach of a disk"
[ "$disk" = disk1 ] || lab_die "the disk's id is '$disk'"
lab_until 60 sees '^seen .* 0x1af4:0x10(01|42) group [0-9]+$' 1 || lab_die "the disk is in no group: $(seen)"
[ "$arch" != x86_64 ] || lab_until 60 sees '^disk vda 2048 written-by-host' 1 || lab_die "the guest does not read its disk: $(seen)"
say "a disk: $(seen | grep -E '0x1af4:0x10(01|42)')"
network=$(lab_ctl attach "$lab_machine" networks.0.type=user) || lab_die "attach of a network"
lab_until 60 sees '^seen .* 0x1af4:0x10(00|41) group [0-9]+$' 1 || lab_die "the network is in no group: $(seen)"
say "a network: $(seen | grep -E '0x1af4:0x10(00|41)')"
lab_ctl xml "$lab_machine" >"$lab_dir/xml"
[ "$(grep -c "iommu='on'" <(sed -n '/<disk /,/<.disk>/p; /<interface /,/<.interface>/p' "$lab_dir/xml"))" -eq 2 ] || lab_die "not behind the IOMMU: $(cat "$lab_dir/xml")"
refused 7 'no free root port' attach "$lab_machine" networks.0.type=user

# --- Known after a restart ---

both='[["disk1","disk","'$lab_dir'/disk.raw"],["network1","network","user"]]'
has "$both" || lab_die "Attached is $(attached)"
kill -KILL "$lab_daemon"
lab_until 5 lab_daemon_gone || say_die "viommud is not killed"
lab_start_daemon
lab_until 10 has "$both" || lab_die "after a restart Attached is $(attached)"

# --- Detached ---

refused 6 "no attached device 'disk9'; it has: disk1, network1" detach "$lab_machine" disk9
lab_ctl suspend "$lab_machine"
lab_ctl resume "$lab_machine"
lab_ctl detach "$lab_machine" "$network" || lab_die "detach of the network"
has '[["disk1","disk","'"$lab_dir"'/disk.raw"]]' || lab_die "Attached is $(attached)"
lab_until 30 sees '0x1af4:0x10(00|41)' 0 || lab_die "the guest still has the network: $(seen)"
lab_ctl detach "$lab_machine" "$disk" || lab_die "detach of the disk"
has '[]' || lab_die "Attached is $(attached)"
lab_ctl xml "$lab_machine" >"$lab_dir/xml"
! grep ua-viommu "$lab_dir/xml" || lab_die "the domain still has a device"
again=$(lab_ctl attach "$lab_machine" networks.0.type=user networks.0.translate=false) || lab_die "attach again"
[ "$again" = network1 ] || lab_die "the id is '$again'"
lab_ctl kill "$lab_machine"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
say "attached, found again after SIGKILL, detached"
