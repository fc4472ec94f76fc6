#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# guest-report: prints what a guest's kernel made of its IOMMU, one "key value" per line.  viommud
# reads this (lib/guest/report.c).  Runs in the guest: the guest agent runs it, or the guest's own
# boot, with its output at the serial console.  Needs cat, grep and uname, and reads the kernel's
# log with dmesg where it may.  Changes nothing; but with --isolate it shows that the IOMMU stops a
# device, for which it takes a spare SATA controller from its driver, and gives it back: that of a
# q35, or one that viommud gave the machine.  This needs dd, sleep and root.

# find_sata: sata is the first SATA controller of the kind that a q35 has and that has no disk.
# Else found says why there is none.
find_sata() {
    found=no-device
    for sata in /sys/bus/pci/devices/*; do
        vendor='' model=''
        { read -r vendor <"$sata/vendor" && read -r model <"$sata/device"; } 2>/dev/null
        [ "$vendor $model" = '0x8086 0x2922' ] || continue
        found=in-use
        for disk in "$sata"/ata*/host*/target*; do
            [ ! -e "$disk" ] || continue 2
        done
        found=yes
        return
    done
}

# With virtio and smmuv3 a device is put into its group when a driver looks at it, even one that
# does not take it.
join_group() {
    [ ! -e "$sata/iommu_group" ] || return 0
    echo virtio-pci >"$sata/driver_override" && echo "${sata##*/}" >/sys/bus/pci/drivers_probe
    echo >"$sata/driver_override"
    [ -e "$sata/iommu_group" ]
}

# port INDEX VALUE: writes a register of the controller through its index and data ports, which /sys
# lets a shell write.  Both are four bytes for printf's %b.
port() {
    printf %b "$1" | dd of="$sata/resource4" bs=4 seek=4 conv=notrunc 2>/dev/null &&
        printf %b "$2" | dd of="$sata/resource4" bs=4 seek=5 conv=notrunc 2>/dev/null
}

# set_command BYTES: the controller's command register.
set_command() {
    printf %b "$1" | dd of="$sata/config" bs=2 seek=2 conv=notrunc 2>/dev/null
}

# Messages of the kernel that an IOMMU stopped the controller at that page.  The drivers of Intel's
# and AMD's print its address, virtio's the number of its endpoint, and that of an SMMU four words:
# a translation fault (0x10) and the endpoint, two others, the page.
faults() {
    at=${sata##*/}
    slot=${at#*:*:} bus=${at#*:}
    endpoint=$((0x${bus%%:*} * 256 + 0x${slot%.*} * 8 + ${slot#*.}))
    dmesg | grep -A 4 -e "${slot%.*}\.${slot#*.}.*badc000" -e "EP $endpoint at 0xbadc000" \
        -e "$(printf 0x%08x00000010 $endpoint)" | grep -c badc000
}

# A controller without a driver has no memory mapped for it.  Its first port is told to use the page
# 0xbadc000 for commands, and started.
forbidden_dma() {
    set_command '\007\0000' && port '\0000\0001\0000\0000' '\0000\0300\0255\0013' &&
        port '\0004\0001\0000\0000' '\0000\0000\0000\0000' &&
        port '\0030\0001\0000\0000' '\0001\0000\0000\0000'
}

isolate() {
    find_sata
    [ "$found" = yes ] || { echo "$found" && return; }
    dmesg >/dev/null 2>&1 || { echo no-log && return; }
    join_group || { echo no-group && return; }
    driver=$(cd "$sata/driver" 2>/dev/null && pwd -P)
    [ -z "$driver" ] || echo "${sata##*/}" >"$driver/unbind"
    before=$(faults) result=none
    forbidden_dma || result=locked
    for _ in 1 2 3 4 5; do
        [ "$result" = none ] || break
        sleep 1
        [ "$(faults)" -le "$before" ] || result=fault
    done
    port '\0030\0001\0000\0000' '\0000\0000\0000\0000'
    set_command '\0003\0000'
    [ -z "$driver" ] || echo "${sata##*/}" >"$driver/bind"
    echo "$result"
}

echo "viommu-report begin"
echo "kernel $(uname -r)"
echo "cmdline $(cat /proc/cmdline)"
# On a busy host an emulated guest takes seconds for each process: the shell reads what it can.
iommus=
for unit in /sys/class/iommu/*; do
    [ -e "$unit" ] || continue
    echo "iommu ${unit##*/}"
    iommus=yes
    for register in intel-iommu/cap intel-iommu/ecap amd-iommu/features; do
        { read -r value <"$unit/$register"; } 2>/dev/null && echo "register ${unit##*/} $register $value"
    done
done
groups=0
for group in /sys/kernel/iommu_groups/*; do
    [ -d "$group" ] || continue
    groups=$((groups + 1))
    { read -r type <"$group/type"; } 2>/dev/null && echo "type $type"
done
echo "groups $groups"
devices=0
for device in /sys/kernel/iommu_groups/*/devices/*; do
    [ ! -e "$device" ] || devices=$((devices + 1))
done
echo "devices $devices"
# Functions whose DMA no IOMMU translates.  Bridges and IOMMUs have no DMA of their own, and with
# virtio and smmuv3 a function is in a group only once it has a driver.
outside=0
for device in /sys/bus/pci/devices/*; do
    address=${device##*/} class='' why=''
    [ "$groups" -gt 0 ] && [ "$outside" -lt 32 ] && read -r class <"$device/class"
    case $class in '' | 0x06* | 0x0806*) continue ;; esac
    if [ ! -e "$device/driver" ] || [ -e "/sys/class/iommu/$address" ]; then continue; fi
    if [ ! -e "$device/iommu_group" ]; then
        why=no-group
    elif { read -r type <"$device/iommu_group/type"; } 2>/dev/null; then
        case $type in DMA | DMA-FQ | blocked) ;; *) why=$type ;; esac
    fi
    # Feature 33 is VIRTIO_F_ACCESS_PLATFORM; without it the device uses physical addresses.
    for features in "$device"/virtio*/features; do
        bits=''
        [ -e "${features%/*}/driver" ] && read -r bits <"$features"
        case $bits in '' | ?????????????????????????????????1*) ;; *) why=virtio ;; esac
    done
    [ -z "$why" ] || { echo "outside $address $why" && outside=$((outside + 1)); }
done
echo "untranslated $outside"
interrupts=
for chip in /sys/kernel/irq/*/chip_name; do
    name=''
    { read -r name <"$chip"; } 2>/dev/null
    case $name in '') ;; IR-*) interrupts=remapped && break ;; *) interrupts=direct ;; esac
done
# Elsewhere interrupts are remapped by other hardware.
[ "$interrupts" != direct ] || case $(uname -m) in x86_64 | i?86) ;; *) interrupts='' ;; esac
[ -z "$interrupts" ] || echo "interrupts $interrupts"
# The mode in which interrupts are remapped: AMD's driver names only x2apic, and Intel's uses it
# only with a CPU that has it, and without nox2apic.
print_log() {
    mode=''
    while read -r line; do
        echo "log $line"
        case $line in
        *'in x2apic mode'* | *'X2APIC enabled'*) mode=x2apic ;;
        *'in xapic mode'*) mode=xapic ;;
        *'Interrupt remapping enabled'*) mode=${mode:-xapic} ;;
        esac
    done
    [ "$interrupts" = remapped ] || return 0
    [ -n "$mode" ] || [ -e /sys/class/iommu/ivhd0 ] || grep -q ' x2apic' /proc/cpuinfo || mode=xapic
    [ -z "$mode" ] || echo "mode $mode"
}
if [ -n "$iommus" ] || [ "$interrupts" = remapped ]; then
    dmesg 2>/dev/null | grep -m 16 -e 'DMAR-IR: Enabled IRQ remapping in' \
        -e 'AMD-Vi: X2APIC enabled' -e 'AMD-Vi: Interrupt remapping enabled' \
        -e 'virtio_iommu .*: input address:' -e 'virtio_iommu .*: page mask:' | print_log
fi
[ "${1:-}" != --isolate ] || echo "isolation $(isolate 2>/dev/null)"
for table in DMAR IVRS IORT VIOT; do
    [ ! -e "/sys/firmware/acpi/tables/$table" ] || echo "table $table"
done
if [ -d /sys/firmware/acpi/tables ]; then echo "acpi yes"; else echo "acpi no"; fi
if [ -e /proc/device-tree/compatible ]; then echo "devicetree yes"; else echo "devicetree no"; fi
# Drivers matter where there is no IOMMU.  A built-in one without a device is not in /sys, but its
# functions are in kallsyms.
[ ! -d /sys/bus/virtio/drivers/virtio_iommu ] || echo "driver virtio_iommu"
[ ! -d /sys/bus/platform/drivers/arm-smmu-v3 ] || echo "driver arm-smmu-v3"
[ -n "$iommus" ] || ! grep -q ' intel_iommu_' /proc/kallsyms 2>/dev/null || echo "driver intel-iommu"
[ -n "$iommus" ] || ! grep -q ' amd_iommu_' /proc/kallsyms 2>/dev/null || echo "driver amd-iommu"
echo "viommu-report end"
