#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# nested: guest-init runs this inside a guest, when the test put it there: it binds every NIC to
# vfio-pci and opens it from user space.  The kernel refuses an IOMMU that does not remap interrupts
# unless the administrator declares the devices' users trusted.
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
