#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kvm-proof: viommud sees whether this machine's own /dev/kvm runs guests, chooses accordingly, and
# remembers it.  Skipped without root or without a /dev/kvm that can be opened.
#
# kvm-proof.sh hang | stuck: also, a QEMU that hangs with KVM, and with "stuck" cannot be killed,
# holds up no other launch.  This waits for two minutes and more; docs/HACKING.md has the command.
set -euo pipefail
export LC_ALL=C.UTF-8
mode=${1:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

qemu=/usr/bin/qemu-system-x86_64
[ "$(id -u)" -eq 0 ] || lab_skip "only root can open /dev/kvm to the guests' user"
[ "$(uname -m)" = x86_64 ] || lab_skip "viommud has no guest of its own for $(uname -m)"
if ! [ -c /dev/kvm ] || ! { : <>/dev/kvm; } 2>/dev/null; then lab_skip "this machine has no /dev/kvm that can be opened"; fi
[ -x "$qemu" ] || lab_skip "$qemu is not installed"
# The mounts below are this script's alone.
if [ -z "${KVM_PROOF_MOUNTS:-}" ]; then
    unshare --mount true 2>/dev/null || lab_skip "this user may not make mounts of its own"
    KVM_PROOF_MOUNTS=1 exec unshare --mount --propagation=private "$BASH" "$0" "$@"
fi
lab_under_reaper "$@"

# verdict: what viommud's log says of KVM last.
verdict() {
    grep -aE 'KVM works|KVM does not run guests|not known whether KVM' "$lab_dir/viommud.log" | tail -n 1
}

knows() {
    [ -n "$(verdict)" ]
}

# last_proof: a sum of what libvirt has logged of viommud's own guest, with the time of its start.
last_proof() {
    cksum "$lab_dir/libvirt/log/qemu/kvm-proof-of-viommud.log"
}

# launch NAME MORE: a guest of the host's own architecture.
launch() {
    echo "{\"name\": \"$1\", \"memory\": \"64 MiB\"$2}" >"$lab_dir/$1.json"
    lab_launch "$lab_dir/$1.json"
}

# expect NAME ACCELERATOR: the machine has it.
expect() {
    [ "$(lab_property "$1" Accelerator)" = "$2" ] || say_die "machine $1 has the accelerator $(lab_property "$1" Accelerator), not $2"
}

# nothing_left: of viommud's own guest.
nothing_left() {
    ! pgrep -f 'guest=kvm-proof-of-viommud' >/dev/null && [ ! -e "$lab_dir/home/.local/share/viommud/kvm-guest.rom" ]
}

restart_daemon() {
    kill "$lab_daemon"
    lab_until 15 lab_daemon_gone || say_die "viommud does not end"
    : >"$lab_dir/viommud.log"
    lab_start_daemon
}

# freeze: sets $frozen to a directory; who writes a file there waits, and cannot be killed.
freeze() {
    truncate -s 8M "$lab_dir/frozen.raw"
    mkfs.ext4 -q "$lab_dir/frozen.raw"
    mkdir "$lab_dir/frozen"
    mount -o loop "$lab_dir/frozen.raw" "$lab_dir/frozen"
    install -m 666 /dev/null "$lab_dir/frozen/file"
    frozen=$lab_dir/frozen
    fsfreeze --freeze "$frozen"
}

close() {
    if [ -n "${frozen:-}" ]; then
        fsfreeze --unfreeze "$frozen" 2>/dev/null || true
        sleep 1
        umount "$frozen" || umount --lazy "$frozen" || true
    fi
    lab_close
}

trap close EXIT
trap 'exit 130' INT TERM

# --- As this machine is ---

node=$(mktemp -u /dev/shm/viommu-kvm.XXXXXX)
mknod -m 666 "$node" c "$((0x$(stat -c %t /dev/kvm)))" "$((0x$(stat -c %T /dev/kvm)))"
mount --bind "$node" /dev/kvm
rm -f "$node"
lab_open
lab_until 180 knows || say_die "viommud has no verdict about KVM: $(cat "$lab_dir/viommud.log")"
[ "$(grep -cE 'KVM works|KVM does not run guests|not known whether KVM' "$lab_dir/viommud.log")" = 1 ] || say_die "the verdict is logged more than once"
say "$(verdict)"
file=$lab_dir/home/.local/share/viommud/kvm-verdict
case $(verdict) in
*'KVM works'*)
    kvm=works
    launch auto '' || say_die "a launch fails: $lab_refusal"
    expect auto kvm
    ;;
*'KVM does not run guests'*)
    kvm=broken
    launch auto '' || say_die "a launch fails: $lab_refusal"
    expect auto tcg
    lab_ctl show auto --json | jq -e '.Warnings | any(contains("KVM does not run guests on this host: "))' >/dev/null ||
        say_die "the warnings do not say why: $(lab_ctl show auto --json | jq -c .Warnings)"
    if launch named ', "accelerator": "kvm"'; then say_die "a launch with KVM by name is not refused"; fi
    [[ $(jq -r .error.message <<<"$lab_refusal") = *'KVM does not run guests on this host'*"use 'tcg'"* ]] ||
        say_die "the refusal says something else: $lab_refusal"
    ;;
*) say_die "nothing was found out about KVM" ;;
esac
grep -qx "$kvm" "$file" || say_die "the verdict is not kept: $(cat "$file")"
lab_until 20 nothing_left || say_die "something of viommud's own guest is left"

before=$(last_proof)
restart_daemon
lab_until 60 knows || say_die "the next viommud has no verdict"
[ "$(last_proof)" = "$before" ] || say_die "the next viommud has proven KVM again"
echo "viommud kvm-verdict 1" >"$file"
restart_daemon
lab_until 120 knows || say_die "with a broken file there is no verdict"
[ "$(last_proof)" != "$before" ] || say_die "a broken file was believed"
say "the verdict '$kvm' is remembered"

# proven_again FILE SCRIPT: a viommud that finds FILE changed by sed proves KVM anew.
proven_again() {
    before=$(last_proof)
    sed "$2" "$1" >"$lab_dir/changed"
    ! cmp -s "$1" "$lab_dir/changed" || say_die "$1 has no such line: $2"
    mount --bind "$lab_dir/changed" "$1"
    restart_daemon
    lab_until 120 knows || say_die "there is no verdict with another $1"
    umount "$1"
    [ "$(last_proof)" != "$before" ] || say_die "the verdict was believed, though $1 has changed"
}
if grep -q ^microcode /proc/cpuinfo; then proven_again /proc/cpuinfo '1,/^$/s/^microcode.*/microcode: 0x1/'; fi
proven_again /proc/sys/kernel/random/boot_id 's/^......../00000000/'

# --- A QEMU that hangs with KVM, before it answers libvirt ---

[ -n "$mode" ] || exit 0
hang='exec sleep 1000'
if [ "$mode" = stuck ]; then
    freeze
    hang="echo >$frozen/file"
fi

# QEMU looks for its files beside its own directory.
mkdir -p "$lab_dir/usr/bin"
ln -s /usr/lib /usr/share "$lab_dir/usr"
install -m 755 "$qemu" "$lab_dir/usr/bin/qemu"
cat >"$lab_dir/hangs" <<END
#!/bin/sh
case "\$*" in
*guest=kvm-proof-of-viommud*'-accel kvm'* | *guest=kvm-proof-of-viommud*accel=kvm*) $hang ;;
esac
exec "$lab_dir/usr/bin/qemu" "\$@"
END
chmod 755 "$lab_dir/hangs"
mount --bind "$lab_dir/hangs" "$qemu"
: >"$lab_dir/viommud.log"
# The first launch looks at the host, and waits for no verdict.
began=$SECONDS
launch tcg ', "accelerator": "tcg"' || say_die "a launch without KVM fails: $lab_refusal"
say "while QEMU hangs with KVM, a launch without KVM takes $((SECONDS - began)) s"
if knows; then say_die "the launch has waited for the verdict: $(verdict)"; fi
launch waits '' || say_die "a launch fails: $lab_refusal"
expect waits tcg
say "and one that leaves the accelerator open $((SECONDS - began)) s; it is emulated"
words='within 120 s'
[ "$mode" != stuck ] || words='could not be killed'
lab_until 180 grep -q "did not start .* $words" "$file" || say_die "the hang is not the verdict: $(cat "$file" "$lab_dir/viommud.log")"
[ "$(grep -cF "$(verdict)" "$lab_dir/viommud.log")" = 1 ] || say_die "the verdict is logged more than once"
say "$(verdict)"
if [ "$mode" = stuck ]; then
    # viommud goes on, and ends in time.
    launch more '' || say_die "a launch fails beside the QEMU that is stuck: $lab_refusal"
    lab_ctl kill more >/dev/null
    restart_daemon
    fsfreeze --unfreeze "$frozen"
fi
lab_until 30 nothing_left || say_die "the QEMU that hung is left"
