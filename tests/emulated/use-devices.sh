#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# use-devices: guest-init runs this inside a guest, when the test put it there: every network card
# pings the other end of its wire, and every NVMe disk is written, and read past the cache.
# Waits for as many as the kernel's command line says (viommu.nics=, viommu.disks=).
wanted() {
    # shellcheck disable=SC2013  # words
    for word in $(cat /proc/cmdline); do
        case $word in
        "viommu.$1="*) echo "${word#*=}" ;;
        esac
    done
}

# appear NUMBER PATTERN: that many paths match, or 20 s have passed.
appear() {
    tries=0
    # shellcheck disable=SC2086  # patterns
    while [ "$(ls -d $2 2>/dev/null | wc -l)" -lt "${1:-0}" ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
}

appear "$(wanted nics)" '/sys/class/net/eth*'
for nic in /sys/class/net/eth*; do
    [ -e "$nic" ] || continue
    name=${nic##*/}
    busybox ip link set "$name" up
    busybox ip addr add 10.0.2.15/24 dev "$name"
    if busybox ping -c 20 -A -W 2 10.0.2.2 >/dev/null; then
        echo "nic $(cat "$nic/address"): answered"
    else
        echo "nic $(cat "$nic/address"): silent"
    fi
    busybox ip addr flush dev "$name"
    busybox ip link set "$name" down
done

appear "$(wanted disks)" '/sys/block/nvme*'
for disk in /sys/block/nvme*; do
    [ -e "$disk" ] || continue
    name=/dev/${disk##*/}
    text="written by $(wanted words)"
    printf '%-4096s' "$text" | busybox dd of="$name" bs=4096 conv=fsync 2>/dev/null
    echo 3 >/proc/sys/vm/drop_caches
    if [ "$(busybox head -c "${#text}" "$name")" = "$text" ]; then echo "nvme: read back"; else echo "nvme: lost"; fi
done
