#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# nested: runs inside a guest, by guest-init, when the test put it there: every NIC is bound to vfio-pci and taken from user space.
# An IOMMU that does not remap interrupts is refused by the kernel unless its administrator says that the devices' users are trusted.
case $(cat /proc/cmdline) in
*viommu.trusted*) echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts ;;
esac
for device in /sys/bus/pci/devices/*; do
    [ "$(cat "$device/vendor" "$device/device" | paste -s -d : -)" = 0x8086:0x10d3 ] || continue
    address=${device##*/}
    [ ! -e "$device/driver" ] || echo "$address" >"$device/driver/unbind"
    echo vfio-pci >"$device/driver_override"
    echo "$address" >/sys/bus/pci/drivers_probe
    group=$(busybox readlink "$device/iommu_group")
    /test/vfio-open "${group##*/}" "$address"
done
