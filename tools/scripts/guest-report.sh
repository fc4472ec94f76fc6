#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# guest-report: what a guest's kernel made of its IOMMU, one "key value" a line; lib/proof reads it.  Runs in the guest: below /bin/sh
# by the guest agent, or in the guest's own start, which shows it at the serial console.  Needs cat, grep and uname.  Changes nothing.
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
# What is built in shows no driver until it has found something; its functions have names all the same.
[ ! -d /sys/bus/virtio/drivers/virtio_iommu ] || echo "driver virtio_iommu"
[ ! -d /sys/bus/platform/drivers/arm-smmu-v3 ] || echo "driver arm-smmu-v3"
! grep -q ' intel_iommu_' /proc/kallsyms 2>/dev/null || echo "driver intel-iommu"
! grep -q ' amd_iommu_' /proc/kallsyms 2>/dev/null || echo "driver amd-iommu"
echo "viommu-report end"
