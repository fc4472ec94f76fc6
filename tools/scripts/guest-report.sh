#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# guest-report: prints what a guest's kernel made of its IOMMU, one "key value" per line.  viommud
# reads this (lib/guest/proof.c).  Runs in the guest: the guest agent runs it, or the guest's own
# boot, with its output at the serial console.  Needs cat, grep and uname.  Changes nothing.
echo "viommu-report begin"
echo "kernel $(uname -r)"
echo "cmdline $(cat /proc/cmdline)"
for unit in /sys/class/iommu/*; do
    [ ! -e "$unit" ] || echo "iommu ${unit##*/}"
done
groups=0
for group in /sys/kernel/iommu_groups/*; do
    [ ! -d "$group" ] || groups=$((groups + 1))
done
echo "groups $groups"
devices=0
for device in /sys/kernel/iommu_groups/*/devices/*; do
    [ ! -e "$device" ] || devices=$((devices + 1))
done
echo "devices $devices"
for table in DMAR IVRS IORT VIOT; do
    [ ! -e "/sys/firmware/acpi/tables/$table" ] || echo "table $table"
done
if [ -d /sys/firmware/acpi/tables ]; then echo "acpi yes"; else echo "acpi no"; fi
if [ -e /proc/device-tree/compatible ]; then echo "devicetree yes"; else echo "devicetree no"; fi
# A built-in driver without a device is not in /sys, but its functions are in kallsyms.
[ ! -d /sys/bus/virtio/drivers/virtio_iommu ] || echo "driver virtio_iommu"
[ ! -d /sys/bus/platform/drivers/arm-smmu-v3 ] || echo "driver arm-smmu-v3"
! grep -q ' intel_iommu_' /proc/kallsyms 2>/dev/null || echo "driver intel-iommu"
! grep -q ' amd_iommu_' /proc/kallsyms 2>/dev/null || echo "driver amd-iommu"
echo "viommu-report end"
