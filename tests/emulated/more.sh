#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# more: what would take too long in every run: guests with one device, a virtual function,
# and what viommud refuses, done by hand to see that it fails.  Run by
# "host --machine=x86_64-intel --guest=x86_64-devices more", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
nic=$(behind 0000:00:11.0) nvme=$(behind 0000:00:12.0) igb=$(behind 0000:00:13.0) pair=$(behind 0000:00:14.0)
far=$(behind 0000:40:01.0)
first=52:54:00:00:01:01

the_host '[.topology.iommus[] | [.name, .kind, .width]] == [["dmar0", "intel", 48]]'

cell 'one device, intel'
verified one-intel intel viommu.nics=1 "$nic"
answered one-intel $first
check 'it locks what was planned' locks one-intel
ends one-intel
returns "$nic" e1000e
shows intel 'a NIC, pinged'

cell 'one device, virtio'
verified one-virtio virtio viommu.nics=1 "$nic"
answered one-virtio $first
check 'it locks what was planned' locks one-virtio
ends one-virtio
returns "$nic" e1000e
shows virtio 'a NIC, pinged'

cell 'one device, none'
verified one-none none viommu.nics=1 "$nic"
answered one-none $first
check 'it locks its memory once' locks one-none 1
ends one-none
returns "$nic" e1000e
shows none 'a NIC, pinged; QEMU locks the guest'"'"'s memory once'

cell 'a group of two, none'
verified both none viommu.nics=2 "$pair" "${pair%.0}.1"
answered both 52:54:00:00:05:01 52:54:00:00:05:02
check 'it locks what was planned' locks both 1
ends both
returns "$pair" e1000e
returns "${pair%.0}.1" e1000e
shows none 'two NICs of one group, pinged'

cell 'a virtual function, intel'
echo 2 >"/sys/bus/pci/devices/$igb/sriov_numvfs"
vf=$(basename "$(readlink "/sys/bus/pci/devices/$igb/virtfn0")")
run 0 'the host shows it' "virtual function of $igb" viommuctl host
run 0 'guest vf proves itself' '^vf$' launch root verified < <(request vf intel viommu.nics=1 "$vf")
answered vf 52:54
check 'it locks what was planned' locks vf
run 0 'guest vf is ended' '' viommuctl kill vf
returns "$vf" igbvf
shows intel 'a virtual function of igb, pinged'

cell 'refusals, done all the same'
run 1 'without caching mode' 'caching.mode' by_hand "s/ caching_mode='on'//" hand intel '' "$nic"
shows intel 'without caching mode QEMU refuses the NIC'
run 1 'two devices of one group behind an IOMMU' 'address space' by_hand \
    "s|<features>|&<ioapic driver='qemu'/>|; s|</devices>|<iommu model='intel'><driver intremap='on' caching_mode='on'/></iommu>&|" \
    hand none '' "$pair" "${pair%.0}.1"
shows intel 'two NICs of one group: QEMU refuses them'
run 1 'a limit below what is locked' 'Cannot allocate memory' by_hand \
    "s|<vcpu>|<memtune><hard_limit unit='MiB'>700</hard_limit></memtune>&|" hand intel '' "$nic" "$far" "$nvme"
shows intel 'with a limit below three times its memory a guest with three devices does not start'
for back in "$nic:e1000e" "$far:e1000e" "$nvme:nvme" "$pair:e1000e"; do
    returns "${back%:*}" "${back##*:}"
done

cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
