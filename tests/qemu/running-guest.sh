#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# running-guest: /test/run of the guest of running.sh (busybox).  Tells what it sees of each PCI
# device, as often as that changes, and counts.
seen() {
    for device in /sys/bus/pci/devices/*; do
        group=none
        [ ! -L "$device/iommu_group" ] || group=$(busybox readlink -f "$device/iommu_group")
        echo "${device##*/} $(cat "$device/vendor"):$(cat "$device/device") group ${group##*/}"
    done
}

watch() {
    before=
    n=0
    while sleep 0.2; do
        n=$((n + 1))
        now=$(seen)
        if [ "$now" != "$before" ]; then
            echo "$now" | sed 's/^/seen /'
            for disk in /sys/class/block/vd?; do
                [ ! -e "$disk" ] || echo "disk ${disk##*/} $(cat "$disk/size") $(busybox dd if="/dev/${disk##*/}" bs=16 count=1 2>/dev/null)"
            done
            echo "seen end"
        fi
        before=$now
        [ $((n % 5)) -ne 0 ] || echo "count $n"
    done
}
watch &
