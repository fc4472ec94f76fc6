#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# poor: a host whose IOMMU is narrow and remaps no interrupts: what viommud refuses there is done
# by hand, to see that it fails; the rest works.  Run by "host --machine=x86_64-poor
# --guest=x86_64-devices poor", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
nic=$(behind 0000:00:11.0)
echo "# nic $nic; up $(cut -d ' ' -f 1 /proc/uptime) s"

the_host '[.topology.iommus[] | [.name, .kind, .width]] == [["dmar0", "intel", 39]]'
run 0 'remaps no interrupts' 'interrupt remapping: no' viommuctl host

cell 'interrupt remapping'
run 3 'so no device is assigned' 'interrupt' launch ci planned < <(request no intel '' "$nic")
run 1 'nor is it by hand' 'Operation not permitted' by_hand "s|</devices>|$(hostdev "$nic")&|" hand none ''
returns "$nic" e1000e
shows any 'without interrupt remapping the kernel refuses the NIC, and viommud says why before'
echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
run 0 'viommud is started anew' '' systemctl restart viommud
run 0 'the host' '' viommuctl host --json
cp "$work/out" /viommu/out/unsafe.json
verified narrow intel viommu.nics=1 "$nic"
answered narrow 52:54:00:00:01:01
run 0 'the plan warns of it' 'interrupt' sh -c 'viommuctl show narrow --json | jq -r ".Warnings[]"'
ends narrow
returns "$nic" e1000e
shows intel 'with allow_unsafe_interrupts, 39 bits: a NIC, pinged'

cell 'refusals, done all the same'
run 3 'a wider IOMMU than the host has' '39' launch ci planned < <(request wide intel '' "$nic" | jq '.iommu["aw-bits"] = 48')
run 1 'by hand' 'aw.bits' by_hand "s/aw_bits='39'/aw_bits='48'/" hand intel '' "$nic"
shows intel '48 bits behind a host IOMMU of 39: QEMU refuses the NIC'
run 4 'more memory than the host has' 'request less' launch root planned < <(request big none '' "$nic" | jq '.memory = "4 GiB"')
run 1 'by hand' 'terminated|closed|allocate' by_hand "s|<memory unit='KiB'>[0-9]*|<memory unit='KiB'>4194304|" hand none '' "$nic"
shows none 'more memory than the host has: the guest does not start'
returns "$nic" e1000e

cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
