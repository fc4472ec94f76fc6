#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# slow: what one user provides never answers: files, a server, QEMU, libvirtd.  Other users are
# served meanwhile, and the service can be restarted.  Run by "host slow", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# the service sees it; only root can write to the directories above it
mount=/var/lib/viommu/images/slow
limit=30  # seconds in which other users must be served; quiet hosts need less than one

# request NAME [JSON]: a small machine.
request() {
    printf '{"name": "%s", "memory": "64 MiB", "accelerator": "tcg"%s}' "$1" "${2:+, $2}"
}

# launch USER NAME [JSON]
launch() {
    request "$2" "${3:-}" | runuser -u "$1" -- timeout "${seconds:-120}" viommuctl --system launch -
}

# begin USER NAME [JSON]: a launch in the background; its output is in $work/NAME.
begin() {
    launch "$@" >"$work/$2" 2>&1 &
}

# Waits for begin's launch of NAME; its status.
said() {
    until_true "$3" grep -Eq "$2" "$work/$1" || { sed 's/^/# /' "$work/$1"; return 1; }
}

has_state() {
    viommuctl list | grep -Eq "^$1 +$2"
}

is_gone() {
    ! viommuctl list | grep -Eq "^$1 " && ! virsh -q list --all --name | grep -q "$1"
}

# The process ids of viommud's children that the kernel does not let end.
hanging() {
    local directory
    for directory in /proc/[0-9]*; do
        if grep -qx viommud-files "$directory/comm" 2>/dev/null && grep -q '^State:.D' "$directory/status" 2>/dev/null; then
            echo "${directory#/proc/}"
        fi
    done
}

nothing_hangs() {
    [ -z "$(hanging)" ]
}

something_hangs() {
    [ -n "$(hanging)" ]
}

# is_empty: no machine, domain or copy.
is_empty() {
    [ "$(viommuctl list | wc -l)" -le 1 ] && ! virsh -q list --all --name | grep -q . && [ -z "$(ls /var/lib/viommu/boot)" ]
}

others_are_served() {
    seconds=$limit run 0 "$1: mate launches" '^other$' launch mate other
    run 0 'and lists' 'other +running' timeout $limit runuser -u mate -- viommuctl --system list
    run 0 'and kills' '' timeout $limit runuser -u mate -- viommuctl --system kill other
}

# A restart by systemd takes at most ten seconds.
restarts() {
    local begin=$EPOCHREALTIME
    run 0 "$1: the service is restarted" '' timeout 60 systemctl restart viommud
    check "within ten seconds ($(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s)" \
        awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a < 10) }'
    check 'and active' systemctl is-active -q viommud
}

# stop_process PID: stops it with SIGSTOP
stopped=
stop_process() {
    stopped="$stopped $1"
    kill -STOP "$1"
}

useradd --create-home ci
useradd --create-home mate
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu mate
mkdir -p /etc/viommud/viommud.conf.d
printf '[files]\ntimeout=3\n[daemon]\nlaunch-timeout=15\n' >/etc/viommud/viommud.conf.d/slow.conf
run 0 'with short deadlines' '' systemctl restart viommud
run 0 'the attacker is compiled' '' cc -D_GNU_SOURCE -Wall -Wextra -Werror -o "$work/slow-files" tests/hosts/slow-files.c
chmod 755 "$work" "$work/slow-files"
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
chmod 666 /dev/fuse

# --- The names of libvirt's terminal locks, in a directory that all users can write to ---

# locks COMMAND: as nobody, on the names of the next terminals' locks.
locks() {
    local n
    for n in $(seq 0 15); do
        runuser -u nobody -- sh -c "$1" - "/var/lock/LCK.._pts_$n"
    done
}
run 0 'a FIFO has the name of each lock' '' locks 'mkfifo -m 666 "$1"'
others_are_served "a stranger has the names of libvirt's locks"
run 0 'libvirt lists' '' timeout $limit virsh -q list --all
check 'root is told what to delete' grep -q "which user $(id -u nobody) created" <(journalctl --sync && journalctl --no-pager -b -u viommud)
run 0 'with a console that is not read yet' '^unread$' launch mate unread
# at_console [OPTION]: for four seconds, on a terminal.
at_console() {
    sleep 4 | runuser -u mate -- script -qefc \
        "timeout --foreground --preserve-status -s INT 4 viommuctl --system ${1:-} console unread" /dev/null
}
run 130 'who is at its console is told why it is not read' 'warning: .*which user [0-9]+ created' at_console
check 'and for how long' grep -Eq 'waiting for the console \.\.\. [2-4] s' "$work/out"
run 130 'with --json nothing is said of it' 'Connected to the console' at_console --json
check 'of waiting' sh -c "! grep -Eq 'waiting for|warning' '$work/out' '$work/err'"
run 124 'in a pipe nothing is said' '' sh -c 'sleep 4 | runuser -u mate -- timeout 3 viommuctl --system console unread 2>&1'
check 'of it' test ! -s "$work/out"
run 0 'it is deleted' '' sh -c 'rm /var/lock/LCK.._pts_*'
check 'then libvirt has its lock, and the console is read' until_true 60 sh -c \
    '[ "$(stat -c %U /var/lock/LCK.._pts_*)" = root ]'
run 0 'no name is free for others while it is' 'denied|exists|not permitted' sh -c \
    'runuser -u nobody -- mkfifo /var/lock/LCK.._pts_* 2>&1 || true'
run 0 'it is killed' '' timeout $limit runuser -u mate -- viommuctl --system kill unread
check 'and nothing stays' until_true 10 sh -c '! ls /var/lock/LCK.._pts_* 2>/dev/null'

# --- Files of a member, below an overlay that the member can mount ---

# attack WHAT JSON: a launch of ci in a namespace of its own, with WHAT on ci's file system; the
# server stays until let_go.
attack() {
    printf '#!/bin/sh\nfor i in 1 2 3; do timeout 60 viommuctl --system launch - <<END &\n%s\nEND\ndone; wait\n' \
        "$(request '' "$2" | sed 's/"name": "", //')" >"$work/attack"
    chmod 755 "$work/attack"
    rm -rf /tmp/slow "${work:?}/$1"
    runuser -u ci -- setsid "$work/slow-files" member /tmp/slow read "$work/attack" >"$work/$1" 2>&1 &
}

let_go() {
    local directory
    for directory in /proc/[0-9]*; do
        if grep -qx slow-files "$directory/comm" 2>/dev/null; then kill -KILL "${directory#/proc/}" 2>/dev/null; fi
    done
    wait
    check "$1: nothing is left that hangs" until_true 20 nothing_hangs
}

over=/tmp/slow/over
for attacked in "kernel|\"boot\": {\"kernel\": \"$over/slow\$i\"}" "initrd|\"boot\": {\"kernel\": \"/viommu-guests/x86_64-debian13/vmlinuz\", \"initrd\": \"$over/slow\$i\"}" \
    "disk|\"disks\": [{\"path\": \"$over/slow\$i\", \"format\": \"raw\", \"read-only\": true}]" \
    "image|\"disks\": [{\"path\": \"$over/slow\$i\", \"format\": \"qcow2\", \"read-only\": true}]" \
    "base|\"disks\": [{\"path\": \"$over/slow\$i\", \"format\": \"raw\", \"overlay\": true}]" \
    "digest|\"disks\": [{\"path\": \"$over/slow\$i\", \"format\": \"raw\", \"overlay\": true, \"digest\": \"sha256:$(printf '%064d' 0)\"}]" \
    "user-data|\"seed\": {\"user-data\": \"$over/slow\$i\"}"; do
    what=${attacked%%|*}
    attack "$what" "${attacked#*|}"
    others_are_served "a $what on a file system of ci's"
    check 'ci is told in time' said "$what" '^viommuctl: [^i]' 30
    # shellcheck disable=SC2016  # expanded by the shell in the host
    check 'and has no machine' sh -c '[ "$(viommuctl list | wc -l)" -le 1 ]'
    [ "$what" = initrd ] || restarts "with such a $what"
    let_go "$what"
    check "with a $what: nothing of it is left" until_true 60 is_empty
done

# --- A stopped server of the host ---

mkdir -p "$mount"
setsid "$work/slow-files" host "$mount" read &
check 'a server is mounted' until_true 20 mountpoint -q "$mount"
check 'where the service sees it' until_true 20 nsenter --mount --target="$(systemctl show -P MainPID viommud)" test -e "$mount/slow1"
# By its path, and without viommuctl, which would send a descriptor.
by_path() {
    runuser -u ci -- busctl --timeout=60 call org.viommu1 /org/viommu1 org.viommu1.Manager Launch 'a{sv}' 1 "$@"
}
kernel=(boot 'a{sv}' 1 kernel s "$mount/slow1") disk=(disks 'aa{sv}' 1 3 path s "$mount/slow2" format s raw read-only b true)
run 1 'a kernel on it' "had not opened and read the files of this request after 3 s: boot.kernel '$mount/slow1'" by_path "${kernel[@]}"
run 1 'a disk on it' "had not opened and read the files of this request after 3 s: disks.0..path '$mount/slow2'" by_path "${disk[@]}"
check 'its process hangs' until_true 10 something_hangs
others_are_served 'with files of a server that has stopped'
restarts 'with such processes'
check 'they are still there' something_hangs
ci_is_refused() {
    by_path "${kernel[@]}" 2>&1 | grep '4 processes of viommud hang on files of user'
}
check 'at four of them ci is refused' until_true 60 ci_is_refused
others_are_served 'beside them'
let_go 'the server'
umount -l "$mount" 2>/dev/null
check 'ci launches again' until_true 20 launch ci again
run 0 'and kills' '' runuser -u ci -- viommuctl --system kill again

# --- A QEMU that is stopped ---

run 0 'a machine of ci' '^stopped$' launch ci stopped
stop_process "$(pidof qemu-system-x86_64)"
timeout 120 runuser -u ci -- viommuctl --system stop --timeout=20 stopped >"$work/stop" 2>&1 &
others_are_served 'a QEMU is stopped, and asked to power off'
run 0 'its owner kills it' '' timeout 60 runuser -u ci -- viommuctl --system kill stopped
check 'it is gone' is_gone stopped
run 0 'one with a lease' '^leased$' launch ci leased '"lease": {"seconds": 5}'
stop_process "$(pidof qemu-system-x86_64)"
restarts 'with it'
check 'it ends with its lease' until_true 60 is_gone leased
wait

# --- A QEMU that hangs in its start ---

emulator=/usr/bin/qemu-system-x86_64
mv $emulator $emulator.real
cat >$emulator <<END
#!/bin/bash
case "\$*" in *guest=viommu-hangs*|*guest=hangs*) kill -STOP \$\$ ;; esac
exec -a $emulator $emulator.real "\$@"
END
chmod 755 $emulator
launch mate first >/dev/null  # libvirt asks the new program for its capabilities
run 0 'the emulator is replaced' '' runuser -u mate -- viommuctl --system kill first
for i in 1 2 3; do begin ci hangs$i; done
check 'two launches of ci hang' until_true 60 sh -c "[ \$(viommuctl list | grep -c 'hangs. *starting') -eq 2 ]"
check 'his third one waits' sh -c "viommuctl list | grep -q 'hangs. *planning'"
others_are_served 'QEMUs hang in their start'
starting=$(viommuctl list | awk '/starting/ { print $1; exit }')
run 0 'root kills one' '' timeout 60 viommuctl kill "$starting"
check 'who waits for it is told' said "$starting" 'was stopped while it was being launched' 30
check 'and nothing of it is left' until_true 30 is_gone "$starting"
check 'the others are given up' until_true 90 sh -c "! viommuctl list | grep -q hangs"
check 'with what viommud waited for' grep -Eq "not launched within 15 s .*viommud waited for libvirt and QEMU" "$work"/hangs[123]
check 'and nothing is left' until_true 60 sh -c '! virsh -q list --all --name | grep -q . && ! pidof qemu-system-x86_64'
begin ci hangs4
check 'one more hangs' until_true 60 has_state hangs4 starting
restarts 'with it'
check 'it is removed' until_true 60 is_gone hangs4
wait
mv $emulator.real $emulator

# --- libvirtd is stopped ---

run 0 'a machine of root' '^roots$' launch root roots
stop_process "$(pidof libvirtd)"
begin ci late
timeout 60 viommuctl kill roots >"$work/kill" 2>&1 &
check 'a list is answered' until_true 10 sh -c 'timeout 5 viommuctl list | grep roots'
restarts 'libvirtd is stopped, a launch and a kill wait'
restarts 'while nothing is under way'
for process in $stopped; do kill -CONT "$process" 2>/dev/null; done
wait
check 'when it goes on, its machine is found' until_true 60 has_state roots running
others_are_served 'afterwards'
check 'nothing of the launch is left' until_true 30 is_gone late
run 0 'and root kills' '' timeout 60 viommuctl kill roots
run 0 'libvirt is asked' '' virsh -q list --all --name
check 'and has nothing' sh -c "! grep -q . '$work/out'"
run 0 'nor are there copies' '^0$' sh -c 'ls /var/lib/viommu/boot | wc -l'
finish
