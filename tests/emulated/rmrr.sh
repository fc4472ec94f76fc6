#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# rmrr: a host whose firmware keeps memory for one of two equal NICs: what viommud refuses is done
# by hand, to see that it fails; the other NIC works.  Run by
# "host --release=debian13 --machine=x86_64-rmrr --guest=x86_64-devices rmrr", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
kept=$(behind 0000:00:11.0) nic=$(behind 0000:00:12.0)
echo "# nic $nic, kept $kept; up $(cut -d ' ' -f 1 /proc/uptime) s"

the_host '[.topology.iommus[].kind] == ["intel"]'
echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
run 0 'viommud is started anew' '' systemctl restart viommud

cell 'memory of the firmware'
run 0 'the host has it' 'RMRR 0xfed1c000-0xfed1ffff' viommuctl host
run 3 'so viommud refuses the device' "$kept.*RMRR" launch ci planned < <(request planned intel '' "$kept")
run 3 'and a guest without an IOMMU does not get it either' "$kept.*RMRR" launch ci planned < <(request planned none '' "$kept")
dmesg -C
run 1 'nor is it assigned by hand' 'nvalid argument|not permitted' by_hand "s|</devices>|$(hostdev "$kept")&|" hand none ''
check 'the kernel says why' grep -E 'RMRR|1:1' <(dmesg)
returns "$kept" e1000e
verified one intel viommu.nics=1 "$nic"
answered one 52:54:00:00:02:01
ends one
returns "$nic" e1000e
shows any 'a NIC for which the firmware keeps memory (RMRR): the kernel refuses it, and viommud says why before; another NIC is pinged'

cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
