#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# buses: boots what is planned for the assigned devices of a recorded host, with emulated devices in
# their places (tests/qemu/emulate.py): libvirt, QEMU and the guest accept the expander buses and
# root ports, and the guest's groups show the separation (tests/qemu/seen.py).  The guest also
# assigns the devices: it binds them to vfio-pci and opens them from user space.
#   buses ROW   ($VIOMMUCTL: the program under test, $VFIO_OPEN: opens a device inside the guest)
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# An Intel IOMMU and an SMMU remap interrupts; for virtio-iommu on x86 the guest's administrator
# must declare the devices' users trusted.
# Columns: name, recorded host, kernel, words for it, devices, the rest of the request
rows='
buses-intel   server-two-sockets  x86_64-vfio   intel_iommu=on,no_timer_check  0000:3b:00.1,0000:3c:00.0,0000:b0:00.0  .iommu={model:"intel"}
buses-virtio  server-two-sockets  x86_64-vfio   viommu.trusted                 0000:3b:00.1,0000:3c:00.0,0000:b0:00.0  .iommu={model:"virtio"}
buses-smmuv3  server-arm          aarch64-vfio  -                              0005:01:00.0,000d:01:00.0,000d:02:00.0  .iommu={model:"smmuv3"}|.hostdevs[].iommufd="yes"|.boot.firmware="efi"
'

# libvirt alone boots it, any libvirt, so viommud is not needed.
lab_start_daemon() {
    uri="qemu:///embed?root=$lab_dir/libvirt"
}

# request PARTS: the request for viommuctl plan.
request() {
    local arch=${kernel%%-*} console=ttyS0
    [ "$arch" = x86_64 ] || console=ttyAMA0
    [ "$words" = - ] && words=
    jq -n --arg arch "$arch" --arg parts "$1" --arg cmdline "console=$console panic=-1 ${words//,/ }" --arg devices "$devices" \
        '{name: "buses", arch: $arch, vcpus: 2, memory: "1 GiB", guest: {drivers: ["intel", "smmuv3", "virtio"]},
          boot: {kernel: "\($parts)/vmlinuz", initrd: "\($parts)/initrd", cmdline: $cmdline},
          hostdevs: [$devices / "," | .[] | {address: .}]} | '"$rest"
}

# add_nested DIRECTORY: adds an archive with the guest's task to its initramfs.
add_nested() {
    mkdir -p "$1/root/test"
    install -m 755 "$here/nested.sh" "$1/root/test/run"
    install -m 755 "$VFIO_OPEN" "$1/root/test/vfio-open"
    (cd "$1/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >>"$1/initrd"
}

# at_least WANTED FOUND: compares versions.
at_least() {
    printf '%s\n' "$1" "$2" | sort -C -V
}

# The embedded engine lives as long as virsh, which waits for the guest's end.
printed() {
    grep -qa '^=== viommu end ===' "$console" 2>/dev/null || grep -q '^error:' "$lab_dir/virsh.log" || ! kill -0 "$lab_pid" 2>/dev/null
}

name=$1
read -r _ recorded kernel words devices rest <<<"$(awk -v name="$name" '$1 == name' <<<"$rows")"
[ -n "${rest:-}" ] || say_die "no row named '$name'"
nested=
[ "${kernel%%-*}" != "$(uname -m)" ] || nested=1
lab_under_reaper "$@"
for program in "qemu-system-${kernel%%-*}" virsh dbus-daemon setpriv jq python3 ${nested:+cpio}; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
host=$here/../golden/hosts/machine-$recorded.json
# A host of tests/hosts has the initramfs already.
parts=/viommu-guests/$kernel
[ -d "$parts" ] || parts=$("$here/guests.sh" "$kernel") || lab_skip "the guest's kernel is not in the cache and cannot be downloaded"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open

console=$lab_dir/console/buses
mkdir "$lab_dir/guest"
cp "$parts/vmlinuz" "$parts/initrd" "$lab_dir/guest/"
[ -z "$nested" ] || add_nested "$lab_dir/guest"
request "$lab_dir/guest" >"$lab_dir/request.json"
"$VIOMMUCTL" plan --host="$host" --json "$lab_dir/request.json" >"$lab_dir/plan.json" || say_die "$(jq -r .error.message "$lab_dir/plan.json")"
jq -r '."domain-xml"' "$lab_dir/plan.json" >"$lab_dir/planned.xml"
iommus=several
{ at_least 11.10 "$(virsh --version)" && at_least 10.2 "$("qemu-system-${kernel%%-*}" --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')"; } ||
    iommus=one-iommu
"$here/emulate.py" "$console" "$iommus" <"$lab_dir/planned.xml" >"$lab_dir/domain.xml"

lab_spawn virsh virsh -c "$uri" "create $lab_dir/domain.xml; event --event lifecycle --loop --timeout 300"
lab_until ${T:-240} printed || say_die "the guest does not tell: $(cat "$lab_dir/virsh.log") $(tail -c 2000 "$console")"
tr -d '\r' <"$console" >"$lab_dir/told"
grep -q '^=== viommu end ===' "$lab_dir/told" || say_die "the guest does not start, or ends: $(cat "$lab_dir/virsh.log") $(tail -c 2000 "$lab_dir/told")"

mkdir "$lab_dir/hardware"
lab_archive "$console" | base64 -d | tar -xz -C "$lab_dir/hardware"
"$here/seen.py" "$lab_dir/planned.xml" "$lab_dir/domain.xml" "$host" "$lab_dir/hardware" || say_die "$name: not as planned"

# docs/passthrough.md shows one of these guests; the numbers of its groups vary.
documented() {
    sed -n '/^    guest# viommuctl host/,/^$/{/guest#/d; s/^    //p}' "$here/../../docs/passthrough.md"
}
[ "$name" != buses-intel ] ||
    diff <(documented | sed 's/group [0-9]*/group/') \
        <("$VIOMMUCTL" host --root="$lab_dir/hardware" | grep --no-group-separator -B1 8086:10d3 | sed 's/group [0-9]*/group/') >&2 ||
    say_die "docs/passthrough.md shows another guest"
[ -n "$nested" ] || {
    say "no VFIO in this guest: what takes a device is for $(uname -m)"
    exit 0
}
taken=$(grep '^vfio' "$lab_dir/told") || say_die "$name: the guest has not tried VFIO"
say "$taken"
[ "$(grep -c ' is 8086:10d3$' <<<"$taken")" -eq "$(tr , '
' <<<"$devices" | wc -l)" ] || say_die "$name: the guest could not take its devices"
