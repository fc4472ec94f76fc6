#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl doctor on made-up machines, with --root; ctl-bus and the suite hosts test what it
# reports of viommud and libvirt.
#   ctl-doctor VIOMMUCTL MAKE_MACHINE
set -u
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "$0")/tap.sh"
ctl=$1 make=$2
host=$work/host

# Makes a new, empty machine.
blank() {
    rm -rf "$host"
    mkdir -p "$host/proc" "$host/sys" "$host/dev/vfio"
}

# says NAME PATTERN: the doctor's table for that machine has the line.
says() {
    run 0 "$1" "$2" "$ctl" doctor --root "$host"
}

# process PID COMMAND LIMIT
process() {
    mkdir "$host/proc/$1"
    echo "$2" >"$host/proc/$1/comm"
    printf 'Limit                     Soft Limit           Hard Limit           Units\nMax locked memory         65536                %-20s bytes\n' \
        "$3" >"$host/proc/$1/limits"
}

blank
says 'a machine with nothing' '^kvm +warning +there is no /dev/kvm'
check 'is told what to do, below' grep -qE '^ +-> enable virtualisation in the firmware' "$work/out"
check 'has no IOMMU of its own' grep -qE '^host-iommu +warning ' "$work/out"
check 'no VFIO' grep -qE '^vfio +warning +there is no /dev/vfio/vfio' "$work/out"
check 'and no iommufd, which is fine' grep -qE '^iommufd +ok ' "$work/out"
check 'and no libvirt to be seen' grep -qE '^locked-memory +ok ' "$work/out"
check 'nothing else is looked at' test "$(grep -c '^[a-z]' "$work/out")" -eq 5
check 'one line of titles' grep -qE '^CHECK +VERDICT +FOUND' "$work/out"
run 0 'as JSON' '"check" : "kvm"' "$ctl" doctor --json --root "$host"
check 'with four keys each' json 'len(j) == 5 and all(set(f) == {"check", "verdict", "found", "advice"} for f in j)
    and {f["verdict"] for f in j} == {"ok", "warning"} and not [f for f in j if f["check"] == "iommufd"][0]["advice"]'

printf 'flags\t\t: fpu vmx ssse3\n' >"$host/proc/cpuinfo"
says 'a processor of Intel' 'modprobe kvm_intel'
printf 'flags\t\t: fpu svm ssse3\n' >"$host/proc/cpuinfo"
says 'a processor of AMD' 'modprobe kvm_amd'
printf 'flags\t\t: fpu hypervisor\n' >"$host/proc/cpuinfo"
says 'a virtual machine' 'enable nested virtualisation on its host'

touch "$host/dev/kvm"
says 'a /dev/kvm that is none' '^kvm +warning +/dev/kvm opens, but cannot create a virtual machine: '
chmod 600 "$host/dev/kvm"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work"
    run 0 'a /dev/kvm of others' '^kvm +warning +/dev/kvm \(mode 0600, group root\) cannot be opened: Permission denied' \
        setpriv --reuid=65534 --clear-groups "$ctl" doctor --root "$host"
fi
touch "$host/dev/vfio/vfio" "$host/dev/iommu"
chmod 666 "$host/dev/vfio/vfio"
says 'VFIO for all' '^vfio +ok +/dev/vfio/vfio exists \(mode 0666, group '
check 'and iommufd' grep -qE '^iommufd +ok +/dev/iommu exists' "$work/out"
chmod 600 "$host/dev/vfio/vfio"
says 'VFIO for root alone' '^vfio +warning .*\(mode 0600, .*not open to all users'

process 7 sh unlimited
process 12 libvirtd unlimited
says 'no limit' '^locked-memory +ok +libvirtd can let guests lock any amount'
rm -r "$host/proc/12"
process 13 virtqemud 67108864
says 'a limit' '^locked-memory +warning +virtqemud can let each guest lock at most 64 MiB'
check 'and how to lift it' grep -q 'systemctl edit virtqemud' "$work/out"
printf 'Name:\tvirtqemud\nUid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n' >"$host/proc/13/status"
says 'a limit that it may raise' '^locked-memory +ok +virtqemud can let guests lock any amount'
rm "$host/proc/13/status"
rm "$host/proc/13/limits"
says 'a limit that cannot be seen' '^locked-memory +warning +you may not read the limit of virtqemud'

for machine in server-two-sockets:ok desktop-idle:warning cloud-guest:warning; do
    rm -rf "$host"
    mkdir "$host"
    "$make" "${machine%:*}" "$host"
    says "the IOMMU of ${machine%:*}" "^host-iommu +${machine#*:} "
done

# reads MACHINE: makes that machine.
reads() {
    rm -rf "$host"
    mkdir "$host"
    "$make" "$1" "$host"
}
reads server-no-remapping
says 'no interrupt remapping' '^host-iommu +warning +this host does not remap interrupts, so the kernel gives no device'
check 'and the word that switches it off' grep -q "remove 'nointremap'" "$work/out"
reads server-unsafe
says 'unsafe interrupts' '^host-iommu +warning +this host does not remap interrupts, and allow_unsafe_interrupts is set'
reads server-iommufd-module
says 'iommufd as a module' '^iommufd +ok +there is no /dev/iommu yet: the kernel has iommufd as a module'
check 'and how to load it' grep -q 'modprobe iommufd' "$work/out"
check 'nothing about interrupts that are remapped' test "$(grep -c '^host-iommu' "$work/out")" -eq 1
run 0 'a terminal' $'\033' env -u NO_COLOR TERM=xterm script -qefc "$(printf '%q ' "$ctl" doctor --root "$host")" /dev/null
run 64 'a recorded host is no patient' 'does not take --host' "$ctl" doctor --host "$host"
finish
