#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vhost-user: DPDK's testpmd serves the network of a guest, outside its IOMMU and behind it, and
# answers the guest's pings; behind it only if testpmd can translate, else QEMU does not start.
# The guest has no MSI, because QEMU 7.2 ends under TCG when it is used.  Behind the IOMMU, where
# each packet is mapped anew, testpmd answers only some of the pings.
# By hand: needs dpdk-testpmd (Debian: dpdk-dev), or $TESTPMD, a program that takes its options.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"
testpmd=${TESTPMD:-dpdk-testpmd}

# add_run DIRECTORY: what the guest does, behind its initramfs.  The 34th character of a device's
# features is VIRTIO_F_ACCESS_PLATFORM.
add_run() {
    mkdir -p "$1/root/test"
    cat >"$1/root/test/run" <<'END'
#!/bin/sh
for net in /sys/class/net/eth*; do
    features=$(cat "$net/device/features")
    echo "translated=$(echo "$features" | busybox cut -c 34)"
done
busybox ip address add 10.9.9.2/24 dev eth0
busybox ip link set eth0 up
busybox ping -c 10 -w 60 10.9.9.1 >/answers
cat /answers
grep -q 'bytes from' /answers && echo "pinged=yes"
END
    chmod 755 "$1/root/test/run"
    (cd "$1/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >>"$1/initrd"
}

# serve NAME [OPTION]: testpmd listens on a socket of that name, and answers each ping.
serve() {
    lab_spawn "$1" env XDG_RUNTIME_DIR="$lab_dir/home" "$testpmd" --no-huge -m 128 --no-pci --no-shconf --file-prefix="$1" \
        --lcores='(0,1)@0' --vdev "net_vhost0,iface=$lab_dir/home/$1${2:+,$2}" -- \
        --forward-mode=icmpecho --auto-start --no-mlockall --total-num-mbufs=2048 --stats-period=3600
    lab_until 60 test -S "$lab_dir/home/$1" || say_die "testpmd does not listen: $(tail -n 5 "$lab_dir/$1.log")"
}

# request NAME MODEL TRANSLATE: the path of a request whose network is on the socket of that name.
request() {
    jq -n --arg name "$1" --arg dir "$lab_dir" --arg accelerator "$lab_accelerator" --arg model "$2" --argjson translate "$3" \
        '{name: $name, arch: "x86_64", accelerator: $accelerator, memory: "256 MiB", iommu: {model: $model},
          boot: {kernel: "\($dir)/guest/vmlinuz", initrd: "\($dir)/guest/initrd", cmdline: "console=ttyS0 panic=-1 intel_iommu=on iommu.strict=1 pci=nomsi"},
          networks: [{type: "vhostuser", source: "\($dir)/home/\($name)", translate: $translate}]}' >"$lab_dir/$1.json"
    chmod 644 "$lab_dir/$1.json"
    echo "$lab_dir/$1.json"
}

# pinged NAME MODEL TRANSLATED [OPTION]: the guest pings, and its device is translated or not.
pinged() {
    local translate=false
    [ "$3" = 0 ] || translate=true
    serve "$1" "${4:-}"
    lab_launch "$(request "$1" "$2" "$translate")" || say_die "$1: $lab_refusal"
    lab_wait "$lab_machine" "$lab_console" 1200 || say_die "$1: $lab_problem: $(tail -c 2000 "$lab_console")"
    [ "$(lab_fact "$lab_console" translated)" = "$3" ] || say_die "$1: translated: $(lab_fact "$lab_console" translated)"
    [ "$(lab_fact "$lab_console" pinged)" = yes ] || say_die "$1: no answer: $(tail -c 2000 "$lab_console") $(tail -n 20 "$lab_dir/$1.log")"
    lab_ctl stop "$lab_machine" --timeout=20 >/dev/null
    say "$1: pinged"
}

lab_under_reaper "$@"
lab_programs x86_64 "$testpmd"
parts=$("$here/guests.sh" x86_64-network) || lab_skip "the guest's kernel is not in the cache and cannot be downloaded"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
mkdir "$lab_dir/guest"
cp "$parts/vmlinuz" "$parts/initrd" "$lab_dir/guest/"
add_run "$lab_dir/guest"
chmod -R go+rX "$lab_dir/guest"

pinged outside intel 0
pinged behind-intel intel 1 iommu-support=1
pinged behind-virtio virtio 1 iommu-support=1
serve cannot
! lab_launch "$(request cannot intel true)" || say_die "QEMU has started with a program that cannot translate"
[[ $(jq -r .error.message <<<"$lab_refusal") == *'iommu_platform=true is not supported by the device'* ]] ||
    say_die "another refusal: $lab_refusal"
say "cannot: QEMU refuses a program that cannot translate"
