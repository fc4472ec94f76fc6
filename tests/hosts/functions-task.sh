#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# functions-task: guest-init runs this inside the guest of functions.sh.
for device in /sys/bus/pci/devices/*; do
    [ "$(cat "$device/vendor" "$device/device" | paste -s -d : -)" = 0x8086:0x10c9 ] || continue
    echo 2 >"$device/sriov_numvfs"
    echo "functions $(cat "$device/sriov_numvfs")"
    function=$(busybox readlink -f "$device/virtfn0")
    [ ! -e "$function/driver" ] || echo "${function##*/}" >"$function/driver/unbind"
    echo vfio-pci >"$function/driver_override"
    echo "${function##*/}" >/sys/bus/pci/drivers_probe
    group=$(busybox readlink -f "$function/iommu_group")
    echo "alone $(busybox ls "$group/devices" | wc -l)"
    /test/vfio-open "${group##*/}" "${function##*/}"
done
for disk in nvme0n1 vda; do
    echo "written by $disk" >"/dev/$disk"
    sync
done
guest-report | grep '^outside'
# The only virtio disk; its controller's address, to compare.
disk=$(busybox readlink -f /sys/block/vda/device/..)
echo "disk ${disk##*/}"
