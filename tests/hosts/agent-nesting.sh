#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# agent-nesting: a libvirt that survives deeply nested replies of a guest's agent (row agent-nesting
# of lib/facts/facts.c).  Run by "host agent-nesting", as root, in a host of a release with such a
# libvirt.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
guest=/viommu-guests/x86_64-debian13

# said TEXT: at the guest's console.
said() {
    local end=$((SECONDS + $1))
    until viommuctl console --log nested 2>>"$work/err" | grep -aqF "$2"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

run 0 'viommud is installed' '' tests/hosts/install.sh
useradd --create-home --groups viommu ci
gcc -static -O1 -Wall -o "$work/agent" tests/hosts/hostile-agent.c
tests/hosts/add-to-initrd.py "$work/agent" test/run | cat "$guest/initrd" - >/srv/initrd
run 0 'it is started' '' systemctl start viommud

# --- Its systemd would give the service a /sys of its own ---

pid=$(systemctl show -P MainPID viommud)
run 0 'a port of the host' '' ip link add port9 type bridge
in_service() {
    nsenter -t "$pid" -m -S "$(id -u viommu)" "$@"
}
check 'the service has a network of its own' test "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/1/ns/net)"
check 'and sees the port' in_service test -e /sys/class/net/port9
check 'with its device' in_service sh -c 'test -e /sys/devices/virtual/net/port9'
run 1 'but changes nothing there' 'Read-only file system' in_service touch /sys/class/net/port9/mtu

run 0 "a member's guest has its agent's channel" '^nested$' runuser -u ci -- viommuctl --system launch --wait=started - <<<'{"name": "nested",
    "memory": "192 MiB", "iommu": {"is-supported": true}, "guest": {"agent": true}, "boot": {"kernel": "'$guest'/vmlinuz",
    "initrd": "/srv/initrd", "cmdline": "console=ttyS0 panic=-1 viommu.stay viommu.agent=nested"}}'
check 'its agent is there' said 120 'agent: '
daemon=$(pidof libvirtd)
run 9 'it is asked, and nests its answer' '' runuser -u ci -- viommuctl --system verify nested --timeout=20
check 'the answer was given' said 10 'agent: asked: '
check 'libvirtd is still the same' test "$(pidof libvirtd)" = "$daemon"
run 0 'and answers' 'nested' virsh -q list
run 0 'the guest is ended' '' runuser -u ci -- viommuctl --system kill nested
finish
