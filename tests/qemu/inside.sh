#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# inside: an ordinary user's viommud and one guest, a Debian as a cloud image is: a command runs in
# it by "run --inside", while others log in, are refused, find no ssh server, and the image is
# replaced below the guest; its files come out after its failure, and nothing is left.
#   inside [x86_64|debian12|aarch64]
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# name, architecture, its Debian, iommu, what proves it in /sys/class/iommu
rows='
x86_64    x86_64   debian13  intel   dmar0
debian12  x86_64   debian12  intel   dmar0
aarch64   aarch64  debian13  smmuv3  smmu3.*
'
name=${1:-x86_64}
read -r _ arch release model shown <<<"$(awk -v name="$name" '$1 == name' <<<"$rows")"
[ -n "$shown" ] || say_die "no row named '$name'"
image=$arch-$release-image

# The user's viommuctl, in a session.
ctl() {
    lab_run env XDG_RUNTIME_DIR="$lab_dir/session" "$lab_dir/viommuctl" --user "$@"
}

# die WHAT: shows the end of all output.
die() {
    say "$(tail -n 5 "$lab_dir/viommud.log" "$lab_dir/said" 2>&1)"
    say_die "$*"
}

has_said() {
    kill -0 "$run" 2>/dev/null || die "viommuctl ended"
    grep -qx "$1" "$lab_dir/said"
}

# within STATUS PATTERN OPTION... [-- COMMAND...]: another login ends so, and says so.
within() {
    local wanted=$1 pattern=$2 said status=0
    shift 2
    said=$(ctl ssh one "$@" </dev/null 2>&1) || status=$?
    [[ $status -eq $wanted && $said =~ $pattern ]] || die "ssh $*: status $status: $said"
}

# made: what a run makes: a key, an overlay, a seed.
made() {
    find "$lab_dir" -path '*/viommu/run-*' -o -path '*/boot/*' -type f
}

lab_under_reaper "$@"
lab_programs "$arch" ssh ssh-keygen qemu-img
parts=$("$here/cloud.sh" "$image") || lab_skip "$image is not in the cache and cannot be made, as said above"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
"${lab_as[@]}" mkdir -m 700 "$lab_dir/session" "$lab_dir/images"
base=$lab_dir/images/base.qcow2
cp --reflink=auto --sparse=always "$parts/disk.qcow2" "$base"
chmod 444 "$base"
sum=$(sha256sum <"$base")
lab_run ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/session/other"

: >"$lab_dir/said"

# --- A command that waits ---

# shellcheck disable=SC2016  # expanded in the guest
ctl run --name=one --inside --timeout="$lab_boots" --get="/root/result:$lab_dir/home/result" \
    disks.0.path="$base" disks.0.format=qcow2 disks.0.overlay=true guest.os=$release-cloud accelerator="$lab_accelerator" \
    arch="$arch" memory=1G --iommu="$model" -- sh -c 'echo up
test -e /sys/class/iommu/$2 && test -e /sys/block/vda/device/../iommu_group/type || exit 9
until [ -e /root/go ]; do sleep 1; done
echo "$1" >/root/result; exit 7' - 'two  words' "$shown" >"$lab_dir/said" 2>&1 </dev/null &
run=$!
started=$SECONDS
lab_until "$lab_boots" has_said up || die "the command does not run"
say "run --inside: $((SECONDS - started)) s to the command"

# --- Beside it ---

within 0 . -- hostname
within 255 'Permission denied' --key="$lab_dir/session/other" -- true
# Replaced, as by a new build of the image: the guest reads on from the old one.
ln "$base" "$lab_dir/images/kept"
head -c 1M /dev/zero >"$base.new"
mv -f "$base.new" "$base"
within 0 '^[1-9][0-9]*$' -- sh -c 'echo 3 >/proc/sys/vm/drop_caches; cat /usr/bin/* | wc -c'
within 0 '' -- sh -c 'systemd-run -q --on-active=60 systemctl start ssh && systemctl stop ssh'
within 75 'no ssh server answers' --timeout=5 -- true
say "one session goes on without a server"
within 0 '' --timeout="$lab_boots" -- touch /root/go

# --- Its end ---

status=0
wait "$run" || status=$?
[ "$status" -eq 7 ] || die "status $status"
[ "$(cat "$lab_dir/home/result")" = 'two  words' ] || die "the file is not out"
[ "$(sha256sum <"$lab_dir/images/kept")" = "$sum" ] || die "the image was written"
[ -z "$(made)" ] || die "left: $(made)"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
