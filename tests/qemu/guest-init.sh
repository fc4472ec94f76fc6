#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# guest-init: /init of the test guests (busybox).  Prints what the guest sees of its IOMMU, then
# powers off.  lab.sh reads the blocks between the marker lines: the files that lib/host/topology
# reads of a host, as an archive, then facts.
export PATH=/bin
mount -t devtmpfs dev /dev 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sys /sys
# The kernel opened no console, because devtmpfs was not there yet; and its messages must not break
# the lines of this script.
exec 0</dev/console 1>/dev/console 2>&1
echo 1 >/proc/sys/kernel/printk

for module in /modules/*.ko; do
    [ -e "$module" ] && insmod "$module"
done

# Hundreds of emulated CPUs take minutes to start, and the kernel often dies of it: with maxcpus=1
# and this word only the first and the last one start.
# shellcheck disable=SC2013  # words
for word in $(cat /proc/cmdline); do
    case $word in
    viommu.cpu=*) echo 1 >"/sys/devices/system/cpu/cpu${word#*=}/online" ;;
    esac
done

joined() {
    # shellcheck disable=SC2012  # names of devices: no odd characters
    ls "$1" 2>/dev/null | paste -s -d , -
}

count() {
    # shellcheck disable=SC2012
    ls /sys/kernel/iommu_groups 2>/dev/null | wc -l
}

# Groups appear when drivers bind: wait until there are some, and their number was the same twice.
last=-1
same=0
tries=0
while [ "$tries" -lt 30 ]; do
    now=$(count)
    if [ "$now" = "$last" ]; then same=$((same + 1)); else same=0; fi
    last=$now
    if [ "$same" -ge 2 ] && { [ "$now" -gt 0 ] || [ "$tries" -ge 15 ]; }; then break; fi
    tries=$((tries + 1))
    sleep 0.2
done

tables=
for table in DMAR VIOT IORT IVRS; do
    [ -e "/sys/firmware/acpi/tables/$table" ] && tables="${tables:+$tables,}$table"
done

# keep PATH...: adds files and links to the archive; files of /sys do not tell their size to tar.
keep() {
    for path; do
        if [ -L "$path" ]; then
            mkdir -p "/archive${path%/*}"
            busybox cp -P "$path" "/archive$path"
        elif [ -f "$path" ]; then
            mkdir -p "/archive${path%/*}"
            cat "$path" >"/archive$path"
        fi
    done
}

keep /proc/cmdline /sys/devices/system/node/node*/meminfo
mkdir -p /archive/sys/firmware
[ ! -d /sys/firmware/acpi/tables ] || mkdir -p /archive/sys/firmware/acpi/tables
for table in DMAR VIOT IORT IVRS; do
    keep "/sys/firmware/acpi/tables/$table"
done
for link in /sys/bus/pci/devices/* /sys/class/iommu/*; do
    [ -L "$link" ] || continue
    place=$(busybox readlink -f "$link")
    keep "$link" "$place/vendor" "$place/device" "$place/class" "$place/numa_node" "$place/driver" "$place/iommu" \
        "$place/iommu_group" "$place"/intel-iommu/cap "$place"/amd-iommu/features
    [ ! -L "$place/device" ] || keep "$(busybox readlink -f "$place/device")/driver"
done
echo
echo "=== viommu hardware ==="
busybox tar -C /archive -c -f - . | busybox gzip | busybox base64
echo "=== viommu hardware end ==="

echo "=== viommu guest ==="
echo "kernel=$(uname -r)"
echo "arch=$(uname -m)"
echo "cpus=$(cat /sys/devices/system/cpu/online)"
echo "cmdline=$(cat /proc/cmdline)"
echo "iommu=$(joined /sys/class/iommu)"
echo "groups=$(count)"
echo "tables=$tables"
echo "pci=$(joined /sys/bus/pci/devices)"
# What a test put there for its guest to do.
[ ! -x /test/run ] || /test/run
echo "=== viommu end ==="

# For tests that want a proof by the console.
case $(cat /proc/cmdline) in
*viommu.isolate*) guest-report --isolate ;;
*viommu.report*) guest-report ;;
esac

# For tests that need a guest that stays, or want to talk to it.
case $(cat /proc/cmdline) in
*viommu.shell*) PS1='guest> ' exec sh -i ;;
*viommu.stay*) sleep 600 ;;
esac
sync
sleep 0.1
poweroff -f
