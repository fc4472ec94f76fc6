#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# iommufd: KVM guests that have devices through iommufd, without an IOMMU and behind each kind, on a
# host with an Intel IOMMU.  Run by
# "host --release=testing --machine=x86_64-iommufd --guest=x86_64-devices iommufd", as root, in the
# host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
nic=$(behind 0000:00:11.0) nvme=$(behind 0000:00:12.0) other=$(behind 0000:00:13.0)
first=52:54:00:00:01:01 third=52:54:00:00:03:01
echo "# nic $nic, nvme $nvme, other $other; up $(cut -d ' ' -f 1 /proc/uptime) s"

the_host '[.topology.iommus[] | [.name, .kind, .width]] == [["dmar0", "intel", 48]]'
run 0 'it has iommufd' '^true$' sh -c 'viommuctl host --json | jq .topology.iommufd'
iommufd=yes

# least: how many times a guest that translates nothing locks its memory.
for model in intel none virtio; do
    cell "$model"
    least=0
    [ "$model" != none ] || least=1
    verified "fd-$model" $model 'viommu.nics=2 viommu.disks=1' "$nic" "$other" "$nvme"
    answered "fd-$model" $first $third
    check 'the disk has read back what the guest wrote' said "fd-$model" 'nvme: read back'
    check 'it locks what was planned' locks "fd-$model" $least
    ends "fd-$model"
    returns "$nic" e1000e
    returns "$other" e1000e
    returns "$nvme" nvme
done
shows intel 'two NICs and an NVMe disk through iommufd: pinged; written, read back; limits as planned'
shows none 'two NICs and an NVMe disk through iommufd: pinged; written, read back; limits as planned'
shows virtio 'two NICs and an NVMe disk through iommufd: pinged; written, read back; limits as planned'

# Without a kernel the guest stays in its firmware, which leaves the IOMMU alone.
cell 'locked memory'
run 0 'a guest with three devices' '^firmware$' launch ci started < <(request firmware intel '' "$nic" "$other" "$nvme" | jq 'del(.boot, .guest)')
check 'it locks its memory three times, as planned' until_true 60 locks firmware 3
ends firmware
returns "$nic" e1000e
returns "$other" e1000e
returns "$nvme" nvme
shows intel 'QEMU locks the guest'"'"'s memory once for each of three devices until the guest translates, through one iommufd, too'

run 1 'AppArmor denied viommud nothing' '' denied '"libvirt-viommud"'
run 1 'nor a guest' '' denied 'profile="libvirt-[0-9a-f]{8}-'
cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
