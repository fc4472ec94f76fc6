#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# by-hand: what "viommuctl run --inside" does, by the tools that one would use without it.  Prints
# how long the guest has been up when the command runs in it.  Run by tests/bench/run, as the user
# of the guests.
#   by-hand.sh DIRECTORY BASE DOMAIN
# DOMAIN: XML of viommuctl plan, for an overlay of BASE, a seed and a port.
set -euo pipefail
directory=$1 base=$2 domain=$3
name=by-hand

virsh() {
    command virsh -q -c qemu:///session "$@"
}

login() {
    ssh -F none -i "$directory/key" -p "$port" -o BatchMode=yes -o LogLevel=ERROR -o ConnectTimeout=60 \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@127.0.0.1 "$@" </dev/null
}

has_banner() {
    local line=
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    read -r -t 5 line <&3 || true
    exec 3>&-
    [[ $line = SSH-* ]]
}

tidy() {
    virsh destroy $name >/dev/null || true
    virsh undefine $name >/dev/null || true
    rm -rf "$directory"
}

trap tidy EXIT
mkdir -m 700 "$directory"
ssh-keygen -q -t ed25519 -N '' -f "$directory/key"
qemu-img create -q -f qcow2 -F qcow2 -b "$base" "$directory/overlay"
echo "instance-id: $$" >"$directory/meta-data"
printf '#cloud-config\ndisable_root: false\nusers:\n  - name: root\n    ssh_authorized_keys: ["%s"]\n' "$(cat "$directory/key.pub")" \
    >"$directory/user-data"
bsdtar -C "$directory" --format=iso9660 --options volume-id=cidata,joliet,rockridge=useful -cf "$directory/seed" meta-data user-data
sed -e "s|'[^']*\.vda'|'$directory/overlay'|; s|'[^']*\.seed'|'$directory/seed'|" \
    -e "s|<name>.*</name>|<name>$name</name>|; /<uuid>/d" "$domain" >"$directory/domain"
virsh define "$directory/domain" >/dev/null
virsh start $name >/dev/null
virsh qemu-monitor-command $name --hmp 'hostfwd_add hostnet0 tcp:127.0.0.1:0-:22' >/dev/null
port=$(virsh qemu-monitor-command $name --hmp 'info usernet' | awk '/HOST_FORWARD/ { print $4; exit }')
until has_banner 2>/dev/null; do sleep 0.2; done
# A server may answer before the guest has the key.
until login cat /proc/uptime; do sleep 0.5; done
