#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# directories: a guest mounts directories of the host by 9p, behind its IOMMU: it reads both, writes
# only where it may, and makes no setuid file on the host.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# add_run DIRECTORY: what the guest does, behind its initramfs.
add_run() {
    mkdir -p "$1/root/test"
    cat >"$1/root/test/run" <<'END'
#!/bin/sh
mkdir=busybox\ mkdir
$mkdir /in /out
mount -t 9p -o trans=virtio,version=9p2000.L in /in && echo "mounted=in"
mount -t 9p -o trans=virtio,version=9p2000.L out /out && echo "mounted=out"
echo "read=$(cat /in/words)"
echo no >/in/new 2>/dev/null || echo "refused=in"
cat /in/words >/out/words && busybox chmod 4755 /out/words
echo "mode=$(busybox stat -c %a /out/words)"
for link in /sys/bus/pci/drivers/virtio-pci/*/iommu_group; do
    case $(cat "${link%/*}"/virtio*/device) in
    0x0009) echo "behind=9p" ;;
    esac
done
busybox umount /in /out
END
    chmod 755 "$1/root/test/run"
    (cd "$1/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >>"$1/initrd"
}

told() {
    grep -qa '^=== viommu end ===' "$1"
}

lab_under_reaper "$@"
for program in qemu-system-x86_64 dbus-daemon setpriv jq cpio; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
parts=$("$here/guests.sh" x86_64-shares) || lab_skip "the guest's kernel is not in the cache and cannot be downloaded"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
mkdir "$lab_dir/guest"
cp "$parts/vmlinuz" "$parts/initrd" "$lab_dir/guest/"
add_run "$lab_dir/guest"
chmod -R go+rX "$lab_dir/guest"
lab_run mkdir "$lab_dir/in" "$lab_dir/out"
lab_run sh -c "echo 'of the host' >$lab_dir/in/words"
jq -n --arg dir "$lab_dir" --arg accelerator "$lab_accelerator" \
    '{name: "shares", arch: "x86_64", accelerator: $accelerator, memory: "512 MiB", iommu: {model: "intel"},
      boot: {kernel: "\($dir)/guest/vmlinuz", initrd: "\($dir)/guest/initrd", cmdline: "console=ttyS0 panic=-1 intel_iommu=on"},
      shares: [{path: "\($dir)/in", tag: "in", "read-only": true, type: "9p"}, {path: "\($dir)/out", tag: "out", type: "9p"}]}' \
    >"$lab_dir/shares.json"
chmod 644 "$lab_dir/shares.json"

lab_ctl launch "$lab_dir/shares.json" --wait=started >/dev/null || say_die "a guest with shares: $(tail -n 5 "$lab_dir/viommud.log")"
console=$(lab_ctl show shares --json | jq -r .ConsoleLog)
lab_until 300 told "$console" || say_die "the guest does not tell: $(tail -c 2000 "$console")"
for fact in mounted=in mounted=out 'read=of the host' refused=in mode=4755 behind=9p; do
    grep -qax "$fact" <(tr -d '\r' <"$console") || say_die "the guest does not tell '$fact': $(tail -c 2000 "$console")"
done
[ ! -e "$lab_dir/in/new" ] || say_die "the guest wrote into the directory that it may only read"
[ "$(cat "$lab_dir/out/words")" = 'of the host' ] || say_die "the guest wrote: $(cat "$lab_dir/out/words")"
[ ! -u "$lab_dir/out/words" ] || say_die "the guest made a setuid file: $(ls -l "$lab_dir/out")"
