#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# remote: "run --inside" with --host: viommuctl has a guest made on another host, and runs a command
# in it, both through ssh.  The other host has a loopback, a /run and a bus of its own; its ssh
# server is started for each connection.  Boots a whole Debian.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# ctl WORD...: viommuctl of this host and of a user with a home of its own, about the other host.
ctl() {
    # shellcheck disable=SC2016  # expanded by that shell
    nsenter --target="$VIOMMU_HERE" --net --mount unshare --mount sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' - \
        "$client" "$(getent passwd root | cut -d : -f 6)" env -C "$client" XDG_RUNTIME_DIR="$client" "$lab_dir/viommuctl" --host=other "$@"
}

# made DIRECTORY...: what a run makes: a key, an overlay, a seed.
made() {
    find "$@" -path '*/viommu/run-*' -o -path '*/boot/*' -type f
}

lab_under_reaper "$@"
[ "$(id -u)" -eq 0 ] || lab_skip "only root can make another host"
lab_programs x86_64 ssh ssh-keygen systemd-stdio-bridge qemu-img ip nsenter
sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || lab_skip "openssh-server is not installed"
unshare --net --mount true 2>/dev/null || lab_skip "this machine does not let root make namespaces"
parts=$("$here/cloud.sh" x86_64-debian13-image) || lab_skip "x86_64-debian13-image is not in the cache and cannot be made, as said above"
if [ -z "${VIOMMU_HERE:-}" ]; then
    # The namespaces of this host, for ctl.  The script goes on on the other one.
    sleep infinity &
    export VIOMMU_HERE=$!
    trap 'kill "$VIOMMU_HERE"' EXIT
    unshare --net --mount "$BASH" "$0" "$@"
    exit
fi
trap lab_close EXIT
trap 'exit 130' INT TERM
mount -t tmpfs tmpfs /run
mkdir /run/sshd /run/dbus
mkdir -m 1777 /run/lock
ip link set lo up
# ssh logs in as root, since the guests' user has no shell.
# shellcheck disable=SC2034  # for lab_open
lab_bus_conf='<allow user="root"/>'
lab_open
ln -s "$lab_dir/bus" /run/dbus/system_bus_socket
base=$lab_dir/base.qcow2
install -m 444 "$parts/disk.qcow2" "$base"
sum=$(sha256sum <"$base")

# --- The way there ---

client=$lab_dir/client
mkdir -m 700 "$client" "$client/.ssh"
for key in host user; do
    ssh-keygen -q -t ed25519 -N '' -f "$client/.ssh/$key"
done
cat >"$lab_dir/sshd.conf" <<END
HostKey $client/.ssh/host
AuthorizedKeysFile $client/.ssh/user.pub
PermitRootLogin yes
StrictModes no
UsePAM no
END
cat >"$client/.ssh/config" <<END
Host other
    User root
    IdentityFile $client/.ssh/user
    StrictHostKeyChecking accept-new
    ProxyCommand nsenter --target=$$ --net --mount $sshd -i -f $lab_dir/sshd.conf
END

# --- A command in a guest there ---

started=$SECONDS status=0
# shellcheck disable=SC2016  # expanded in the guest
ctl run --inside --timeout="$lab_boots" --get="/root/result:$client/result" \
    disks.0.path="$base" disks.0.format=qcow2 disks.0.overlay=true guest.os=debian13-cloud accelerator="$lab_accelerator" \
    memory=1G --iommu=intel -- sh -c 'test -e /sys/class/iommu/dmar0 || exit 9
cat >/root/result; echo "$1"; exit 7' - 'two  words' >"$lab_dir/said" <<<typed || status=$?
say "run --inside on another host: $((SECONDS - started)) s"
[ "$status" -eq 7 ] || say_die "status $status: $(tail -n 5 "$lab_dir/viommud.log")"
[ "$(cat "$lab_dir/said")" = 'two  words' ] || say_die "the command said: $(cat "$lab_dir/said")"
[ "$(cat "$client/result")" = typed ] || say_die "the file is not out"
[ "$(sha256sum <"$base")" = "$sum" ] || say_die "the image was written"
[ -z "$(made "$lab_dir")" ] || say_die "left: $(made "$lab_dir")"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
