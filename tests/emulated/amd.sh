#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# amd: KVM guests with each IOMMU on a host with an AMD IOMMU, and devices that a member of the
# group assigns to them.  Run by
# "host --release=testing --machine=x86_64-amd --guest=x86_64-devices amd", as root, in the host.
#   amd         everything
#   amd quick   a guest with the same kind of IOMMU, and one with devices
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
nic=$(behind 0000:00:11.0) nvme=$(behind 0000:00:12.0) first=52:54:00:00:01:01

the_host '[.topology.iommus[].kind] == ["amd"]'
run 0 'remaps interrupts' 'interrupt remapping: yes' viommuctl host

cell 'amd'
alone by-name amd
check 'its kernel remaps interrupts' shown by-name '.interrupts | startswith("remapped")'
ends by-name
shows amd 'a guest under KVM, with interrupt remapping'

cell 'assigned'
verified one-intel intel 'viommu.nics=1 viommu.disks=1' "$nic" "$nvme"
answered one-intel $first
check 'the disk has read back what the guest wrote' said one-intel 'nvme: read back'
check 'it locks what was planned' locks one-intel
ends one-intel
returns "$nic" e1000e
returns "$nvme" nvme
shows intel 'a NIC and an NVMe disk: pinged; written, read back'

if [ "${1-}" = quick ]; then
    cell ''
    finish
    exit
fi

cell 'assigned, none'
verified one-none none 'viommu.nics=1 viommu.disks=1' "$nic" "$nvme"
answered one-none $first
check 'the disk has read back what the guest wrote' said one-none 'nvme: read back'
check 'it locks its memory once' locks one-none 1
ends one-none
returns "$nic" e1000e
returns "$nvme" nvme
shows none 'a NIC and an NVMe disk: pinged; written, read back'

cell '288 vCPUs'
alone many intel '.vcpus = 288 | ."vcpus-present" = 2 | .memory = "1 GiB"'
check 'has EIM' shown many '.attributes | index("eim=on")'
check 'and its kernel uses it' shown many '.interrupts == "remapped-x2apic"'
ends many
shows intel '288 vCPUs, of which two are present: interrupts are remapped in x2apic mode (EIM)'

cell 'virtio'
alone para virtio
ends para
shows virtio 'a guest under KVM'

cell 'none'
alone bare none
ends bare
shows none 'a guest under KVM'

cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
