#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# accelerated: KVM guests of aarch64 behind one and two accelerated SMMUs, and others that have
# devices through iommufd, on a host with two SMMUs.  Run by "host --release=testing
# --machine=aarch64-smmuv3-two --guest=aarch64-devices accelerated", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
nic=$(behind 0000:40:01.0) nvme=$(behind 0000:40:02.0) far=$(behind 0000:80:01.0)
first=52:54:00:00:01:01 third=52:54:00:00:03:01
echo "# nic $nic, nvme $nvme, far $far; up $(cut -d ' ' -f 1 /proc/uptime) s"

# smmus NAME: how many accelerated SMMUs its domain has.
smmus() {
    virsh dumpxml "$(viommuctl show "$1" --json | jq -r .UUID)" | grep -cE "accel=['\"]on"
}

the_host '[.topology.iommus[].kind] == ["smmuv3", "smmuv3"]'
run 0 'it has iommufd' '^true$' sh -c 'viommuctl host --json | jq .topology.iommufd'
iommufd=yes

cell 'accelerated, by choice, two'
verified two any 'viommu.nics=2 viommu.disks=1' "$nic" "$far" "$nvme"
answered two $first $third
check 'the disk has read back what the guest wrote' said two 'nvme: read back'
check 'and the world outside sees it' grep -aq '^written by two' /viommu/nvme.raw
check 'it locks its memory once' locks two 1
run 0 'two SMMUs are accelerated' '^2$' smmus two
ends two
returns "$nic" e1000e
returns "$far" e1000e
returns "$nvme" nvme
shows smmuv3 'chosen, and accelerated: two NICs and an NVMe disk behind two SMMUs, each behind one of the host: pinged; written, read back, seen outside; limits as planned'

cell 'accelerated, by name'
verified fast smmuv3 'viommu.nics=1 viommu.disks=1' "$nic" "$nvme"
answered fast $first
check 'the disk has read back what the guest wrote' said fast 'nvme: read back'
check 'it locks its memory once' locks fast 1
run 0 'one SMMU is accelerated' '^1$' smmus fast
ends fast
returns "$nic" e1000e
returns "$nvme" nvme
shows smmuv3 'accelerated: a NIC and an NVMe disk behind one SMMU: pinged; written, read back; limits as planned'

cell 'iommufd, none'
verified fd-none none 'viommu.nics=2 viommu.disks=1' "$nic" "$far" "$nvme"
answered fd-none $first $third
check 'the disk has read back what the guest wrote' said fd-none 'nvme: read back'
check 'it locks its memory once' locks fd-none 1
ends fd-none
returns "$nic" e1000e
returns "$far" e1000e
returns "$nvme" nvme
shows none 'two NICs behind two SMMUs of the host and an NVMe disk, through iommufd: pinged; written, read back; limits as planned'

cell 'iommufd, virtio'
verified fd-virtio virtio 'viommu.nics=1 viommu.disks=1' "$nic" "$nvme"
answered fd-virtio $first
check 'the disk has read back what the guest wrote' said fd-virtio 'nvme: read back'
check 'it locks what was planned' locks fd-virtio
ends fd-virtio
returns "$nic" e1000e
returns "$nvme" nvme
shows virtio 'a NIC and an NVMe disk through iommufd: pinged; written, read back; limits as planned'

cell 'a container'
iommufd=no
run 3 'through a container no SMMU translates for a device' 'iommufd for every device' launch ci planned < <(request refused smmuv3 '' "$nic")
verified one-virtio virtio 'viommu.nics=1' "$nic"
answered one-virtio $first
check 'it locks what was planned' locks one-virtio
ends one-virtio
returns "$nic" e1000e
shows virtio 'a NIC through a VFIO container, pinged'

run 1 'AppArmor denied viommud nothing' '' denied '"libvirt-viommud"'
run 1 'nor a guest' '' denied 'profile="libvirt-[0-9a-f]{8}-'
shows any 'viommud and guests with devices through iommufd are confined by AppArmor, which denied them nothing'
cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
