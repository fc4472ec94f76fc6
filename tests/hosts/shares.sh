#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shares: one member has more stopped QEMUs than viommud has threads of a kind, and calls viommud
# for each of them.  Other users are served.  Run by "host shares", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
still=6  # machines; there are four threads of each kind here
limit=15 # seconds in which others must be served; libvirt waits for a QEMU longer

as() {
    local user=$1
    shift
    runuser -u "$user" -- timeout "$limit" viommuctl --system "$@"
}

# launch USER NAME
launch() {
    as "$1" launch - <<<"{\"name\": \"$2\", \"memory\": \"32 MiB\", \"accelerator\": \"tcg\", \"lease\": {\"seconds\": 900}}"
}

# serve WHAT: each kind of thread is asked for mate.
serve() {
    run 0 "$1: mate launches" '^other$' launch mate other
    run 0 'and resets' '' as mate reset other
    run 0 'and extends' '' as mate extend other 60
    run 0 'and reads what libvirt has' '<domain' as mate xml other
    run 0 'and is asked to power off, and killed' '' as mate stop --timeout=1 other
    run 0 'and a second machine is launched' '^other$' launch mate other
    run 0 'and killed' '' as mate kill other
}

useradd --create-home ci
useradd --create-home mate
run 0 'viommud is installed' '' tests/hosts/install.sh
mkdir -p /etc/viommud/viommud.conf.d
printf '[daemon]\nworkers=4\n' >/etc/viommud/viommud.conf.d/shares.conf
run 0 'and started with four threads of each kind' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu mate
for i in $(seq $still); do
    run 0 "machine $i of ci" '' launch ci "still$i"
done
serve 'while they run'
for process in $(pidof qemu-system-x86_64); do kill -STOP "$process"; done
check 'all stand still' until_true 10 sh -c "[ \$(cat /proc/[0-9]*/status | grep -c '^State:.T') -ge $still ]"
# ask VERB NAME...: as ci, in the background.
ask() {
    runuser -u ci -- timeout 60 viommuctl --system "$@" >/dev/null 2>&1 &
}
for i in $(seq $still); do
    ask reset "still$i"
    ask xml "still$i"
    ask extend "still$i" 60
    ask stop --timeout=40 "still$i"
done
sleep 2
serve 'when none of them responds'
wait
# A stop of above may end a machine at any moment, so the kill may find none.
for i in $(seq $still); do
    timeout 60 viommuctl kill "still$i" >/dev/null 2>&1
    check "machine $i is gone" until_true 20 sh -c "! virsh -q list --name | grep -q still$i"
done
finish
