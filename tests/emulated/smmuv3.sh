#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# smmuv3: KVM guests of aarch64, and devices that a member of the group assigns to them, on a host
# with an SMMUv3 whose kernel has no iommufd.  Run by "host --release=debian13
# --machine=aarch64-smmuv3 --guest=aarch64-devices smmuv3", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
nic=$(behind 0000:00:11.0) nvme=$(behind 0000:00:12.0) other=$(behind 0000:00:13.0)
first=52:54:00:00:01:01

the_host '[.topology.iommus[].kind] == ["smmuv3"]'
check 'has no iommufd' sh -c '! test -e /dev/iommu'

cell 'smmuv3'
alone by-name smmuv3
ends by-name
shows smmuv3 'a guest under KVM'

cell 'virtio'
alone para virtio
ends para
shows virtio 'a guest under KVM, with UEFI'

cell 'none'
alone bare none
ends bare
shows none 'a guest under KVM'

cell 'assigned, none'
verified one-none none 'viommu.nics=1 viommu.disks=1' "$nic" "$nvme"
answered one-none $first
check 'the disk has read back what the guest wrote' said one-none 'nvme: read back'
check 'it locks its memory once' locks one-none 1
ends one-none
returns "$nic" e1000e
returns "$nvme" nvme
shows none 'a NIC and an NVMe disk: pinged; written, read back; QEMU locks the guest'"'"'s memory once'

cell 'assigned, virtio'
verified one-virtio virtio 'viommu.nics=2 viommu.disks=1' "$nic" "$other" "$nvme"
answered one-virtio $first 52:54:00:00:03:01
check 'the disk has read back what the guest wrote' said one-virtio 'nvme: read back'
check 'and the world outside sees it' grep -aq '^written by one-virtio' /viommu/nvme.raw
check 'it locks what was planned' locks one-virtio
ends one-virtio
returns "$nic" e1000e
returns "$nvme" nvme
shows virtio 'two NICs and an NVMe disk: pinged; written, read back, seen outside'

cell 'assigned, smmuv3'
run 3 'smmuv3 that is not accelerated translates for no device of the host' 'smmuv3' launch ci planned < <(request refused smmuv3 '' "$nic")
run 1 'QEMU says so, too' 'MAP notifier|not currently supported' by_hand "s|</devices>|$(hostdev "$nic")&|" hand smmuv3 ''
returns "$nic" e1000e
shows smmuv3 'not accelerated: QEMU refuses the NIC'

cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
