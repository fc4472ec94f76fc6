#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# full: guests of members that fill the file system of all users' overlays.  Run by "host full", as
# root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
copies=/var/lib/viommu/boot
mebibytes=192 reserve=96
limit=$((reserve / 2))

# as USER VERB...
as() {
    runuser -u "$1" -- env -C "/home/$1" viommuctl --system "${@:2}"
}

# launch USER NAME IMAGE: a small machine with an overlay over /images/IMAGE.raw.
launch() {
    as "$1" launch --wait=started - <<<"{\"name\": \"$2\", \"accelerator\": \"tcg\", \"memory\": \"64 MiB\",
        \"disks\": [{\"path\": \"/var/lib/libvirt/images/$3.raw\", \"format\": \"raw\", \"overlay\": true, \"size\": \"1 GiB\"}]}"
}

property() {
    viommuctl show "$1" --json | jq -r "$2"
}

is() {  # NAME STATE
    [ "$(property "$1" .State)" = "$2" ]
}

# fill FILE: makes FILE a raw disk whose boot sector writes to one sector after the other, without
# end.
fill() {
    truncate -s 1M "$1"
    # xor ax, ax; mov ds, ax; next: mov si, 0x7cb0; mov ax, 0x4300; mov dl, 0x80; int 0x13;
    # add dword [0x7cb8], 64; jmp next
    printf '\x31\xc0\x8e\xd8\xbe\xb0\x7c\xb8\x00\x43\xb2\x80\xcd\x13\x66\x83\x06\xb8\x7c\x40\xeb\xee' |
        dd of="$1" bs=1 conv=notrunc status=none
    # What is written: 64 sectors from 1000:0 to sector 2048 and on.
    printf '\x10\x00\x40\x00\x00\x00\x00\x10\x00\x08\x00\x00\x00\x00\x00\x00' |
        dd of="$1" bs=1 seek=176 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
}

free_mebibytes() {
    echo $(($(stat -f -c '%a * %S' "$copies") >> 20))
}

has_room() {  # MEBIBYTES
    [ "$(free_mebibytes)" -gt "$1" ]
}

is_full() {
    ! has_room 1
}

# watch: writes down the least that is free, and whether viommud answers late, until killed.
watch() {
    local least=$mebibytes now
    while :; do
        now=$(free_mebibytes)
        [ "$now" -ge "$least" ] || least=$now
        echo "$least" >"$work/least.new" && mv "$work/least.new" "$work/least"
        timeout 30 runuser -u mate -- viommuctl --system list >/dev/null || echo late >>"$work/late"
    done
}

has_no_overlay() {
    ! find "$copies" -name "$1.overlay-*" | grep -q .
}

overlay_has() {  # UUID MEBIBYTES
    [ "$(du -m "$copies/$1".overlay-* | awk '{ print $1 }')" -ge "$2" ]
}

# inside_has MEBIBYTES: the overlay of the machine "inside".
inside_has() {
    overlay_has "$(property inside .UUID)" "$1"
}

entries() {
    journalctl --no-pager --quiet --output=json -u viommud "$@" | wc -l
}

# --- A service with a small file system for overlays ---

for user in ci mate; do
    useradd --create-home "$user"
done
run 0 'viommud is installed' '' tests/hosts/install.sh
usermod -aG viommu ci
usermod -aG viommu mate
mkdir -p "$copies" /etc/viommud/viommud.conf.d
chown viommu: /var/lib/viommu "$copies"
mount -t tmpfs -o "size=${mebibytes}m,mode=700,uid=$(id -u viommu),gid=$(id -g viommu)" none "$copies"
printf '[limits]\noverlays=0 B\noverlays-per-user=0 B\ndisk-reserve=%s MiB\n' $reserve >/etc/viommud/viommud.conf.d/full.conf
run 0 'viommud is started' '' systemctl enable --now viommud
tests/qemu/boot-sector.sh /var/lib/libvirt/images/calm.raw
fill /var/lib/libvirt/images/fill.raw

# --- One user's guest fills it ---

run 0 'mate launches' '^calm$' launch mate calm calm
run 0 'so does ci' '^own$' launch ci own calm
watch &
watcher=$!
run 0 'and a guest that writes without end' '^fills$' launch ci fills fill
uuid=$(property fills .UUID)
check 'its guest ends' until_true 300 is fills stopped
check 'and its room comes back' until_true 30 has_room $reserve
check 'as its overlay is gone' until_true 30 has_no_overlay "$uuid"
check 'its owner reads why' sh -c "runuser -u ci -- viommuctl --system show fills | grep -E 'viommud ended the guest, because less than half of .limits. disk-reserve=$reserve MiB was free'"
check 'and others do not' sh -c "! runuser -u mate -- viommuctl --system show fills --json | grep -q disk-reserve"
evicted() {
    [ "$(entries MESSAGE_ID=a94e1e0f4c0b4b7e8f4f7d0b7c8a2d19 MACHINE_NAME=fills)" -eq 1 ]
}
check 'the journal has it' until_true 20 evicted
check 'no other guest has ended' test "$(entries MESSAGE_ID=a94e1e0f4c0b4b7e8f4f7d0b7c8a2d19)" -eq 1
check "the other user's guest runs" is calm running
check "and the same user's other one" is own running
run 0 'others launch' '^next$' launch mate next calm
kill $watcher
echo "# the least that was free: $(cat "$work/least") MiB, of $limit MiB that guests may not use"
check 'the file system was never full' test "$(cat "$work/least")" -gt 0
check 'viommud answered all the time' test ! -e "$work/late"
run 0 'the machine that is left is removed' '' as ci kill fills

# --- Two users at once, and one with several ---

for name in mate:a ci:b ci:c; do
    run 0 "${name%:*} launches such a guest" '' launch "${name%:*}" "${name#*:}" fill
done
for name in a b c; do
    check "'$name' ends" until_true 300 is $name stopped
done
check 'there is room' until_true 30 has_room $reserve
for name in calm own next; do
    check "'$name' runs" is $name running
done
for name in a b c; do
    run 0 "'$name' is removed" '' viommuctl kill $name
done

# --- Something else fills it ---

run 0 'ci launches a guest that writes' '^paused$' launch ci paused fill
uuid=$(property paused .UUID)
as ci run --name=inside --inside accelerator=tcg memory=64M disks.0.path=/var/lib/libvirt/images/fill.raw disks.0.format=raw \
    disks.0.overlay=true disks.0.size=1G -- true >"$work/inside" 2>&1 &
inside=$!
check 'it has written' until_true 60 overlay_has "$uuid" 1
check 'so has that of a run, which waits for ssh' until_true 60 inside_has 1
fallocate -l $(($(stat -f -c '%a * %S' "$copies"))) "$copies/other" || dd if=/dev/zero of="$copies/other" bs=1M status=none
check 'the file system is full' is_full
check 'its guest pauses' until_true 60 is paused paused
check 'for that' test "$(property paused .PauseReason)" = disk-full
check 'the run ends instead of waiting' until_true 60 sh -c "! kill -0 $inside"
wait "$inside"
check 'its status is that of a paused guest' test $? -eq 71
check 'and it says why' grep -q 'the guest is paused: disk full' "$work/inside"
check 'its machine is gone' until_true 20 sh -c '! viommuctl list | grep -qw inside'
check 'viommud warns' until_true 20 sh -c "journalctl --no-pager -qu viommud | grep -E 'less than half of .limits. disk-reserve=.* free, and something else'"
run 7 'nobody launches' 'disk-reserve=.* stays free' launch mate refused calm
for name in calm own next; do
    check "'$name' runs" is $name running
done
rm "$copies/other"
check 'with room again the guest runs on by itself' until_true 20 is paused running
check 'and others launch' until_true 20 launch mate later calm
check 'until it has filled its share' until_true 300 is paused stopped

# --- A member stops the QEMU that is to end ---

run 0 'ci launches once more' '^stuck$' launch ci stuck fill
pid=$(pgrep -f 'guest=[^ ,]*stuck,')
check 'it has written' until_true 60 overlay_has "$(property stuck .UUID)" 16
check 'its owner can stop QEMU' runuser -u ci -- kill -STOP "$pid"
run 1 'but not take the overlay out of it' 'PermissionError' runuser -u ci -- python3 -c 'import os, sys
pid = int(sys.argv[1])
print([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")])' "$pid"
run 1 'nor a descriptor' 'Operation not permitted' runuser -u ci -- python3 -c 'import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pidfd_getfd, at = 438, os.pidfd_open(int(sys.argv[1]))
taken = [fd for fd in range(64) if libc.syscall(pidfd_getfd, at, fd, 0) >= 0]
sys.exit(f"taken: {taken}" if taken else os.strerror(ctypes.get_errno()))' "$pid"
fallocate -l $(($(stat -f -c '%a * %S' "$copies") - ((limit - 4) << 20))) "$copies/other" || echo '# no fallocate here'
check 'when there is too little room, its guest ends all the same' until_true 60 is stuck stopped
rm -f "$copies/other"
check 'and its room comes back' until_true 30 has_room $reserve
for name in calm own next later; do
    check "'$name' runs" is $name running
    run 0 "and is killed" '' viommuctl kill $name
done
nothing_is_left() {
    [ -z "$(ls "$copies")" ]
}
for name in paused stuck; do
    run 0 "'$name' is removed" '' as ci kill $name
done
check 'nothing is left' until_true 20 nothing_is_left
finish
