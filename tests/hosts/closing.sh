#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# closing: viommud receives files whose server answers everything, but does not let viommud close
# them.  Other users are served.  Run by "host closing", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
mount=/var/lib/viommu/images/slow # that the service sees
limit=10 # seconds in which others must be served; quiet hosts need less than one

# The threads of viommud that close a file.
hanging() {
    grep -lx closer "/proc/$(systemctl show -P MainPID viommud)"/task/*/comm 2>/dev/null | wc -l
}

hang_at_least() {
    [ "$(hanging)" -ge "$1" ]
}

# send USER MEMBER FILE [N]: N calls with it; what viommud says is in $work/sent.
send() {
    runuser -u "$1" -- timeout 20 "$work/caller" file "$2" "$mount/$3" "${4:-1}" >"$work/sent" 2>&1
}

# That of another user.
answers() {
    timeout "$limit" runuser -u mate -- busctl call org.viommu1 /org/viommu1 org.freedesktop.DBus.Peer Ping
}

others_are_served() {
    run 0 "$1: mate is answered" '' answers
    run 0 'mate launches' '^other$' timeout 30 runuser -u mate -- viommuctl --system launch - \
        <<<'{"name": "other", "memory": "64 MiB", "accelerator": "tcg"}'
    run 0 'and kills' '' timeout 30 runuser -u mate -- viommuctl --system kill other
}

useradd --create-home ci
useradd --create-home mate
useradd --create-home third
useradd --create-home stranger
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu mate
usermod -aG viommu third
run 0 'the attacker is compiled' '' cc -D_GNU_SOURCE -Wall -Wextra -Werror -o "$work/slow-files" tests/hosts/slow-files.c
run 0 'and the caller' '' sh -c "cc -Wall -Werror -o '$work/caller' tests/hosts/caller.c \$(pkg-config --cflags --libs libsystemd)"
chmod 755 "$work" "$work/slow-files" "$work/caller"
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
mkdir -p "$mount"
setsid "$work/slow-files" host "$mount" flush &
check 'a server is mounted' until_true 20 mountpoint -q "$mount"
check 'where the service sees it' until_true 20 nsenter --mount --target="$(systemctl show -P MainPID viommud)" test -e "$mount/slow1"

# --- Files that nobody wants are never opened here, so they are not closed either ---

send stranger ListMachines slow1
others_are_served 'a question had a file'
send ci ListMachines slow1 5
others_are_served "a member's questions had one"
check 'viommud does not close them' test "$(hanging)" -eq 0

# --- Files of calls that read them: a thread of their user closes them ---

send stranger Launch slow1
check "a stranger's launch is refused" grep -q "is not in group 'viommu'" "$work/sent"
others_are_served "a stranger's launch had a file"
check 'its close hangs' hang_at_least 1
send ci Launch slow2 4
others_are_served "a member's launches had a file"
send ci Plan slow3
others_are_served "a member's plan had a file"
# libvirt's library closes a disk, too: on the thread of that launch, which hangs.
send third Disk slow4
check 'a launch with a disk hangs' sh -c "viommuctl list | grep -q starting"
others_are_served "libvirt has that member's disk"
sleep 8 # libvirt asks its clients every five seconds whether they are there
others_are_served 'libvirt has asked'
busy() {
    send ci Launch slow1
    grep -q "cannot close .* files of user $(id -u ci), because their file systems do not respond" "$work/sent"
}
check "when all threads of the member hang, the member is told" until_true 20 busy
before=$(hanging)
send ci Launch slow1 40
check 'and sends in vain' grep -c "cannot close" "$work/sent"
check "no thread more hangs (${before:-none})" test "$(hanging)" -eq "$before"
others_are_served 'meanwhile'
run 0 'without a file the member launches' '^plain$' timeout 30 runuser -u ci -- viommuctl --system launch - \
    <<<'{"name": "plain", "memory": "64 MiB", "accelerator": "tcg"}'
run 0 'and kills' '' timeout 30 runuser -u ci -- viommuctl --system kill plain

# --- A restart: the kernel keeps the process, but not what it had from the bus ---

# As every restart: what the kernel keeps must not delay the new viommud.
begin=$EPOCHREALTIME
run 0 'the service is restarted' '' timeout 100 systemctl restart viommud
check "within ten seconds ($(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s)" \
    awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a < 10) }'
others_are_served 'afterwards'
send ci Launch slow1 5
others_are_served 'and with new ones'

# --- The server ends ---

kill -KILL "$(pidof slow-files)"
umount -l "$mount"
echo kernel >"$mount/quick"
chmod 644 "$mount/quick"
served_again() {
    send ci Launch quick
    ! grep 'cannot close' "$work/sent"
}
check 'and the member may send files again' until_true 10 served_again
check 'no thread is left' until_true 10 test "$(hanging)" -eq 0
finish
