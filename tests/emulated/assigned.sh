#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# assigned: KVM guests to which a member of the group assigns devices of the host, on a host with an
# Intel IOMMU: a guest uses its devices, QEMU locks what was planned, and the devices return to
# their drivers.  Run by "host --machine=x86_64-intel --guest=x86_64-devices assigned", as root, in
# the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh

# verdict WORDS: what viommud has logged.
verdict() {
    journalctl --no-pager -b -u viommud | grep -qF "$1"
}

nic=$(behind 0000:00:11.0) nvme=$(behind 0000:00:12.0) pair=$(behind 0000:00:14.0) far=$(behind 0000:40:01.0)
first=52:54:00:00:01:01 fourth=52:54:00:00:04:01
echo "# nic $nic, nvme $nvme, pair $pair, far $far; up $(cut -d ' ' -f 1 /proc/uptime) s"
the_host '[.topology.iommus[] | [.name, .kind, .width]] == [["dmar0", "intel", 48]]'
check 'confined by its AppArmor profile' confined "$(systemctl show -P MainPID viommud)"
run 0 'the plan' '' viommuctl --system plan --json - < <(request nic intel '' "$nic")
check 'takes KVM' jq -e '.accelerator == "kvm"' "$work/out"
check 'viommud has seen that KVM works' until_true 300 verdict 'KVM works'
journalctl --no-pager -b -u viommud -u libvirtd -o short-monotonic | sed 's/^/# /' | tail -n 20
run 0 'and viommuctl knows it' '^works$' sh -c 'viommuctl host --json | jq -r .kvm'
run 0 'so does doctor' 'kvm +ok +KVM runs guests' viommuctl doctor
check 'nothing is left of the guest that showed it' sh -c '! virsh -q list --all --name | grep . && ! ls /var/lib/viommu | grep rom'

cell 'three devices, intel'
verified three intel 'viommu.nics=2 viommu.disks=1' "$nic" "$far" "$nvme"
answered three $first $fourth
check 'the disk has read back what the guest wrote' said three 'nvme: read back'
check 'and the world outside sees it' grep -aq '^written by three' /viommu/nvme.raw
check 'it locks what was planned' locks three
check 'AppArmor confines it' confined "$(pidof qemu-system-x86_64)"
ends three
returns "$nic" e1000e
returns "$far" e1000e
returns "$nvme" nvme
shows intel 'two NICs of two root complexes and an NVMe disk, behind one IOMMU with interrupt remapping, EIM and caching mode: pinged; written, read back, seen outside'

cell 'a group of two'
run 3 'one of a group needs the other' "$pair" launch ci planned < <(request half none '' "$pair")
run 3 'an IOMMU gives each its own addresses' group launch ci planned < <(request half intel '' "$pair" "${pair%.0}.1")

# --- Ends of every kind.  Without a kernel the guest stays in its firmware, which leaves the IOMMU
# alone: until the guest translates, each device has all of its memory.

cell 'three devices in the firmware, and crashes'
run 0 'a guest with three devices' '^crash$' launch ci started < <(request crash intel '' "$nic" "$far" "$nvme" | jq 'del(.boot, .guest)')
check 'it locks its memory three times, as planned' until_true 60 locks crash 3
systemctl kill --signal=KILL --kill-who=main viommud
check 'viommud is back, and has it' until_true 60 sh -c 'viommuctl list | grep -q "crash *running"'
run 7 'nobody else gets its card' crash launch ci planned < <(request second intel '' "$nic")
kill -KILL "$(pidof qemu-system-x86_64)"
returns "$nic" e1000e
returns "$far" e1000e
returns "$nvme" nvme
shows intel 'QEMU locks the guest'"'"'s memory once for each of three devices until the guest translates; limits as planned'
shows intel 'viommud killed, then QEMU: the devices go back to their drivers'

cell 'libvirtd crashes'
run 0 'a guest with a card' '^libvirt$' launch ci started < <(request libvirt intel '' "$nic" | jq 'del(.boot, .guest)')
systemctl kill --signal=KILL --kill-who=main libvirtd
check 'libvirtd is back, and has it' until_true 120 sh -c 'virsh -q list --name | grep -q libvirt'
ends libvirt
returns "$nic" e1000e
shows intel 'libvirtd killed: the guest runs on, and its NIC goes back to its driver'

run 1 'AppArmor denied viommud nothing' '' denied '"libvirt-viommud"'
run 1 'nor a guest' '' denied 'profile="libvirt-[0-9a-f]{8}-'
shows any 'viommud and guests with devices are confined by AppArmor, which denied them nothing'
cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
