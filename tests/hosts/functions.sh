#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# functions: a guest with a network of model igb, a disk on nvme and a virtio disk outside its IOMMU
# makes virtual functions, assigns one of them itself, and writes to both disks.  Run by
# "host --release=testing --guest=x86_64-functions functions", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# shellcheck source=tools/scripts/say.sh
. tools/scripts/say.sh

run 0 'meson' '' meson setup build-service --buildtype=release
run 0 'ninja' '' ninja -C build-service
export VIOMMUD=$PWD/build-service/daemon/viommud VIOMMUCTL=$PWD/build-service/tools/viommuctl
# shellcheck source=tests/qemu/lab.sh
. tests/qemu/lab.sh
trap 'lab_close; rm -rf "$work"' EXIT
lab_open

# The guest's task, in archives that are added to its initramfs.
guest=/viommu-guests/x86_64-functions
cc -static -O1 -o "$work/vfio-open" tests/qemu/vfio-open.c
cp "$guest/vmlinuz" "$lab_dir/"
{
    cat "$guest/initrd"
    tests/hosts/add-to-initrd.py "$work/vfio-open" test/vfio-open
    tests/hosts/add-to-initrd.py tests/hosts/functions-task.sh test/run
} >"$lab_dir/initrd"
truncate -s 64M "$lab_dir/nvme.raw" "$lab_dir/outside.raw"
chown libvirt-qemu "$lab_dir"/{vmlinuz,initrd,nvme.raw,outside.raw}

request() {
    jq -n --arg d "$lab_dir" \
        '{name: "functions", arch: "x86_64", accelerator: "tcg", memory: "1 GiB", vcpus: 2, iommu: {model: "intel"},
          boot: {kernel: "\($d)/vmlinuz", initrd: "\($d)/initrd", cmdline: "console=ttyS0 panic=-1 intel_iommu=on no_timer_check"},
          disks: [{path: "\($d)/nvme.raw", format: "raw", bus: "nvme"}, {path: "\($d)/outside.raw", format: "raw", translate: false}],
          networks: [{type: "user", model: "igb"}]}'
}
request >"$lab_dir/functions.json"

run 0 'the plan says which device is outside' 'outside it: *disks.1.' lab_ctl plan "$lab_dir/functions.json"
run 0 'the machine is launched' '' lab_launch "$lab_dir/functions.json"
run 0 'the guest does its task' '' lab_wait functions "$lab_console" 300
tr -d '\r' <"$lab_console" >"$work/told"
outside=$(sed -n 's/^disk //p' "$work/told")
run 0 'the network has virtual functions' '' grep -x 'functions 2' "$work/told"
run 0 'one of them is alone in its group' '' grep -x 'alone 1' "$work/told"
run 0 'a program in the guest takes it' '' grep '^vfio.* is 8086:10ca$' "$work/told"
run 0 'only the disk that is to be outside the IOMMU is outside' "^outside $outside virtio\$" grep '^outside ' "$work/told"
check 'no other device is' [ "$(grep -c '^outside ' "$work/told")" -eq 1 ]
check 'the guest wrote to the disk on nvme' grep -qa 'written by nvme0n1' "$lab_dir/nvme.raw"
check 'the guest wrote to the disk outside' grep -qa 'written by vda' "$lab_dir/outside.raw"
sed -n '/=== viommu guest/,/=== viommu end/s/^/# /p' "$work/told"
finish
