#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# inside: a member runs a command in a guest that is made for it: its exit status, its files, and
# nothing that stays, whatever ends first.  With "all", also what takes many boots.  Run by
# "host --guest=x86_64-debian13-image inside [all]", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
images=/var/lib/viommu/images
base=/viommu-guests/x86_64-debian13-image/disk.qcow2
boots=600 # seconds in which an emulated guest must be up; a quiet host needs a tenth

# as USER COMMAND...: in the user's home, with a runtime directory, as a session has it.
as() {
    runuser -u "$1" -- env -C "/home/$1" XDG_RUNTIME_DIR="/run/user/$(id -u "$1")" "${@:2}"
}

# inside OPTION... -- COMMAND...: in a guest from the site's image.
inside() {
    as ci viommuctl --system run disks.0.path=$images/debian13.qcow2 disks.0.format=qcow2 disks.0.overlay=true guest.os=debian13-cloud \
        guest.agent=true accelerator=tcg memory=1G --iommu=intel --timeout="$boots" "$@"
}

# begin NAME OPTION... -- COMMAND...: in the background; its output is in $work/NAME, its process in
# $begun.
begin() {
    local name=$1
    shift
    inside --name="$name" --inside "$@" >"$work/$name" 2>&1 &
    begun=$!
}

# up NAME: the command of begin runs in the guest.
up() {
    until_true "$boots" runs_or_ended "$1"
    check 'the command runs' grep -qx up "$work/$1"
}
runs_or_ended() {
    grep -qx up "$work/$1" || ! kill -0 "$begun"
}

# ends_with STATUS: what begin started.
ends_with() {
    local status=0
    wait "$begun" || status=$?
    echo "ended with $status"
    [ "$status" -eq "$1" ]
}

ctl_pid() {
    pgrep -u ci -f "^viommuctl .*--name=$1 "
}

has_state() {
    [ "$(viommuctl list --json | jq -r ".[] | select(.name == \"$1\").state")" = "$2" ]
}

# What a machine may leave: a domain, a QEMU, an overlay or seed, a port.
leftovers() {
    virsh -q list --all --name
    pidof qemu-system-x86_64
    find /var/lib/viommu/boot -mindepth 1
    ss -Hltn 'src 127.0.0.1'
}

# Also those of a viommuctl that was killed, once another one has run.
no_key_is_left() {
    ! find "/run/user/$(id -u ci)/viommu" -name 'key*' 2>/dev/null | tee -a "$work/err" | grep -q .
}

nothing_is_left() {
    [ -z "$(leftovers | grep . | tee -a "$work/err")" ]
}

# is_over NAME: what begin started has ended, and nothing is left.
is_over() {
    check "$1: viommuctl ends" until_true 120 sh -c "! kill -0 $begun"
    check 'and nothing is left' until_true 60 nothing_is_left
    check 'the base is as it was' base_is_as_before
}

base_is_as_before() {
    [ "$(stat -c '%s %Y %U:%G %a' "$images/debian13.qcow2") $(sha256sum <"$images/debian13.qcow2")" = "$before" ]
}

# --- The host: a member of the group, and an image of the site ---

for user in ci other; do
    useradd --create-home $user
    install -d -m 700 -o $user "/run/user/$(id -u $user)"
done
# For commands through the agent: every member is trusted with libvirt's daemon here.
mkdir -p /etc/viommud/viommud.conf.d
printf '[verify]\nagent=yes\n' >/etc/viommud/viommud.conf.d/agent.conf
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu other
cp --sparse=always $base $images/debian13.qcow2
before="$(stat -c '%s %Y %U:%G %a' $images/debian13.qcow2) $(sha256sum <$images/debian13.qcow2)"

# --- A command, its status and its files, after a failure ---

as ci ssh-keygen -q -t ed25519 -N '' -f /home/ci/other-key
# shellcheck disable=SC2016  # expanded in the guest
begin first --get=/root/result -- sh -c 'echo up; until [ -e go ]; do sleep 1; done
test -e /sys/class/iommu/dmar0 && test ! -t 0 && echo "$1" >result; exit 7' - 'two  words' </dev/null
up first
run 0 'another command logs in with the same key' '^root$' as ci viommuctl --system ssh first -- id -un
run 255 'a wrong key is refused' 'Permission denied' as ci viommuctl --system ssh first --key=/home/ci/other-key -- true
check 'its agent answers' until_true "$boots" as ci viommuctl --system exec first -- true
run 7 'a command by the agent' '^by the agent$' as ci viommuctl --system exec first -- sh -c 'echo by the agent; exit 7'
run 0 'its input' '^typed$' as ci viommuctl --system exec first -- cat <<<typed
run 4 'not for another member' 'belongs to another user' as other viommuctl --system --no-ask-password exec first -- true
run 0 'the first may end' '' as ci viommuctl --system ssh first -- touch go
check 'a command fails in the guest' ends_with 7
check 'its file is out, and the guest had its IOMMU' grep -qx 'two  words' /home/ci/result
check 'nothing is left' until_true 60 nothing_is_left
check 'not even the key' no_key_is_left
check 'the base is as it was' base_is_as_before

# --- What ends before the guest is up ---

begin client -- true
check 'a guest boots' until_true 60 has_state client running
check 'from an overlay, with a seed' test "$(find /var/lib/viommu/boot -mindepth 1 | wc -l)" -ge 2
kill -KILL "$(ctl_pid client)"
is_over 'viommuctl is killed'
[ "${1:-}" = all ] || {
    finish
    exit
}

# --- With "all" ---

begin terminal -- true
check 'a guest boots' until_true 60 has_state terminal running
kill -INT "$(ctl_pid terminal)"
is_over 'viommuctl is interrupted'
check 'no key is left' until_true 20 no_key_is_left
begin daemon -- true
check 'a guest boots' until_true 60 has_state daemon running
systemctl kill --signal=KILL --kill-who=main viommud
is_over 'viommud is killed'
run 0 'README: the IOMMU is there' '' inside --inside -- sh -c 'test -e /sys/class/iommu/dmar0'
# shellcheck disable=SC2016  # expanded in the guest
run 137 'a command that is killed' '' inside --inside -- sh -c 'kill -KILL $$'
check 'nothing is left' until_true 60 nothing_is_left

for i in 1 2 3 4; do
    begin "four$i" -- sh -c "echo $i >/root/number; sync; cat /root/number"
    four[i]=$begun
done
check 'four boot at once from one base' until_true 120 sh -c '[ "$(viommuctl list | grep -c "four. *running")" -eq 4 ]'
check 'each at a port of its own' until_true 60 sh -c '[ "$(ss -Hltn "src 127.0.0.1" | wc -l)" -eq 4 ]'
for i in 1 2 3 4; do
    check "number $i ends" wait "${four[i]}"
    check 'with what it wrote itself' grep -qx "$i" "$work/four$i"
done
check 'nothing is left' until_true 60 nothing_is_left
check 'the base is as it was' base_is_as_before

begin victim -- sh -c 'echo up; exec sleep 3600'
up victim
pkill -u ci -KILL -x ssh
is_over 'ssh is killed'
begin off -- sh -c 'echo up; systemctl poweroff; exec sleep 3600'
up off
is_over 'the guest powers off'
wait "$begun"
check 'which is not a success' test $? -ne 0
begin virt -- sh -c 'echo up; sleep 30; echo still here; exit 5'
up virt
systemctl kill --signal=KILL --kill-who=main libvirtd
check 'libvirtd is killed, and the command goes on' until_true 120 grep -qx 'still here' "$work/virt"
is_over 'it'
begin qemu -- sh -c 'echo up; exec sleep 3600'
up qemu
kill -KILL "$(pidof qemu-system-x86_64)"
is_over 'QEMU is killed'
begin late -- sh -c 'echo up; exec sleep 3600'
up late
systemctl kill --signal=KILL --kill-who=main viommud
is_over 'viommud is killed while the command runs'
check 'no key is left' until_true 20 no_key_is_left
finish
