#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# attach: a member attaches devices of the host to a KVM guest that runs, on a host with an Intel
# IOMMU: the guest uses them, QEMU locks what is told, no other machine gets them, and they return
# to their drivers.  Run by "host --machine=x86_64-intel --guest=x86_64-devices attach", as root, in
# the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh

attach() {
    runuser -u ci -- viommuctl --system attach "$@"
}

# gives_back NAME ID: asked again, because an emulated guest may need more than viommud waits for.
gives_back() {
    local tries status
    for tries in 1 2 3; do
        status=0
        runuser -u ci -- viommuctl --system detach "$@" || status=$?
        [ "$status" -eq 7 ] || break
        echo "try $tries"
    done
    return "$status"
}

# attached: the ids and addresses of its attached devices, and all that it has of the host.
attached() {
    viommuctl show plug --json | jq -c '[(.Attached | map([.[0], .[2]])), .Hostdevs]'
}

has() {
    [ "$(attached)" = "$1" ]
}

# recorded PATTERN: libvirt keeps it for viommud.
recorded() {
    viommuctl xml plug >"$work/xml" && grep -qE "$1" "$work/xml"
}

nic=$(behind 0000:00:11.0) nvme=$(behind 0000:00:12.0) igb=$(behind 0000:00:13.0) pair=$(behind 0000:00:14.0)
far=$(behind 0000:40:01.0) first=52:54:00:00:01:01
echo "# nic $nic, nvme $nvme, igb $igb, pair $pair, far $far; up $(cut -d ' ' -f 1 /proc/uptime) s"
the_host '[.topology.iommus[] | [.name, .kind, .width]] == [["dmar0", "intel", 48]]'

cell 'a card, attached'
run 0 'a guest with room' '^plug$' launch ci started < <(request plug intel viommu.shell | jq 'del(.hostdevs) | ."hotplug-ports" = 2')
check 'AppArmor confines it' confined "$(pidof "$emulator")"
check 'it has booted' answers plug 'shell: up' 'echo shell"": up'
check 'QEMU locks nothing' test "$(status_kib VmLck)" -eq 0
before=$(limit_kib)
echo "# its limit is $before KiB"
run 0 'its card is attached' '^hostdev1$' attach plug "hostdevs.0.address=$nic"
check 'viommud shows it' has "[[[\"hostdev1\",\"$nic\"]],[\"$nic\"]]"
check 'it locks what was planned' locks plug
check 'the metadata has it, and the driver that gets it back' recorded ":device id=.hostdev1. .*what=.$nic. host-driver=.e1000e."
check 'it has left its driver' has_driver "$nic" vfio-pci
check 'the guest has it in a group' answers plug '8086:0x10d3 in a group' \
    'for d in /sys/bus/pci/devices/*; do [ ! -e $d/iommu_group ] || echo $(cat $d/vendor | sed s/0x//):$(cat $d/device) in a"" group; done'
check 'and uses it' answers plug "nic $first: answered" /test/run
check 'it locks what was planned still' locks plug

cell 'who does not get what'
run 7 'nobody else gets it' plug launch ci planned < <(request second intel '' "$nic")
run 7 'nor it once more' plug attach plug "hostdevs.0.address=$nic"
run 4 'a card that the site does not list' "$igb" attach plug "hostdevs.0.address=$igb"
run 3 'one of a group needs the other' "$pair" attach plug "hostdevs.0.address=$pair"
run 0 'another guest has a card' '^other$' launch ci started < <(request other intel '' "$far" | jq 'del(.boot, .guest)')
run 7 'which this one does not get' other attach plug "hostdevs.0.address=$far"
ends other
returns "$far" e1000e
shows intel 'a NIC attached to a guest that runs, behind its IOMMU with caching mode: in a group, and pinged; limits of locked memory as planned'

cell 'viommud is killed'
systemctl kill --signal=KILL --kill-who=main viommud
check 'viommud is back, and has it' until_true 60 has "[[[\"hostdev1\",\"$nic\"]],[\"$nic\"]]"
run 7 'nobody else gets its card' plug launch ci planned < <(request second intel '' "$nic")

cell 'given back'
run 0 'the guest gives it back' '' gives_back plug hostdev1
check 'viommud shows that' has '[[],[]]'
returns "$nic" e1000e
check 'QEMU may lock as much as before' test "$(limit_kib)" -eq "$before"
check 'the guest does not have it' answers plug 'cards: 0' 'echo cards: $(ls -d /sys/class/net/eth* 2>/dev/null | wc -l)'
run 0 'another guest may have it' '^second$' launch ci started < <(request second intel '' "$nic" | jq 'del(.boot, .guest)')
ends second
returns "$nic" e1000e
run 0 'a disk is attached' '^hostdev1$' attach plug "hostdevs.0.address=$nvme"
check 'the guest has written to it' answers plug 'nvme: read back' /test/run
check 'and the world outside sees it' grep -aq '^written by plug' /viommu/nvme.raw
ends plug
returns "$nvme" nvme
shows intel 'attached devices are known to a viommud that was killed, given back by the guest, and return to their drivers, also when the guest ends'

run 1 'AppArmor denied viommud nothing' '' denied '"libvirt-viommud"'
run 1 'nor a guest' '' denied 'profile="libvirt-[0-9a-f]{8}-'
shows any 'devices are attached and given back under AppArmor, which denied nothing'
cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
