#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# plugged: a member attaches devices to a machine that runs, with the service as installed: nothing
# that a launch would not have given, and files keep their owners.  Run by "host plugged", as root,
# in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# shellcheck source=tests/hosts/members.sh
. tests/hosts/members.sh

as() {
    runuser -u "$1" -- viommuctl --system "${@:2}"
}

# disk USER PATH [KEY=VALUE...]: attaches it to machine 'guest', as a file that viommuctl opens.
disk() {
    as "$1" attach guest "disks.0.path=$2" disks.0.format=raw "${@:3}"
}

# by_path USER PATH READ_ONLY: likewise, by its path alone.
by_path() {
    runuser -u "$1" -- busctl --allow-interactive-authorization=no call org.viommu1 "$object" org.viommu1.Machine AttachDevice \
        'a{sv}' 1 disks 'aa{sv}' 1 3 path s "$2" format s raw read-only b "$3"
}

attached() {
    as ci show guest --json | jq -r '[.Attached[][0]] | join(" ")'
}

members_and_service
run 0 'a machine with room for devices' '^guest$' as ci launch name=guest memory=64M accelerator=tcg hotplug-ports=4 iommu.model=intel --wait=started
object=/org/viommu1/machine/$(as ci show guest --json | jq -r .UUID | tr - _)

# --- Files ---

for user in ci mate; do
    head -c 1M /dev/zero >"/home/$user/$user.raw"
    chown "$user:" "/home/$user/$user.raw"
    chmod 600 "/home/$user/$user.raw"
    chmod 700 "/home/$user"
done
before=$(stat -c '%U %G %a' /home/*/*.raw /etc/shadow /etc/passwd /usr/bin/su)
# See the fact open-disk-attached.
takes_open=$(printf '%s\n' 11.3.0 "$(virsh version | sed -n 's/^Using library: libvirt //p')" | sort -CV && echo yes)
if [ "$takes_open" ]; then
    run 0 "the member's own file" '^disk1$' disk ci /home/ci/ci.raw
    check 'which libvirt got open' sh -c "runuser -u ci -- viommuctl --system xml guest | grep -q fdgroup"
    qemu=$(pgrep -f 'guest=viommu-guest,')
    check 'QEMU is ci' test "$(stat -c %U "/proc/$qemu")" = ci
    check 'and has it open' sh -c "ls -l /proc/$qemu/fd | grep -q ' /home/ci/ci.raw'"
    all='disk1 disk2 network1' next=disk2
else
    run 3 "the member's own file, which others could replace" 'needs libvirt 11.3' disk ci /home/ci/ci.raw
    all='disk1 network1' next=disk1
fi
run 2 "another member's file is closed to viommuctl" 'ermission denied' disk ci /home/mate/mate.raw
run 1 'and to viommud' 'may not|cannot|not allow' by_path ci /home/mate/mate.raw true
run 1 "root's file" 'may not|cannot|not allow' by_path ci /etc/shadow true
run 1 'a file that all may read, to be written' 'may not|cannot|not allow' by_path ci /etc/passwd false
run 4 'a file of /proc' 'proc' disk ci /proc/self/mem disks.0.read-only=true
run 0 'a file that all may read' "^$next\$" disk ci /usr/bin/su disks.0.read-only=true
check 'no file has another owner or mode' test "$(stat -c '%U %G %a' /home/*/*.raw /etc/shadow /etc/passwd /usr/bin/su)" = "$before"

# --- Devices and networks ---

run 4 'a network that the site does not list' "'default'" as ci attach guest networks.0.type=network networks.0.source=default
run 4 'a bridge' "'br0'" as ci attach guest networks.0.type=bridge networks.0.source=br0
run 4 'a device that the site does not list' '0000:00:02.0' as ci --no-ask-password attach guest hostdevs.0.address=0000:00:02.0
run 0 'a network of QEMU' '^network1$' as ci attach guest networks.0.type=user
check 'all are there' test "$(attached)" = "$all"

# --- Other users ---

run 4 'another member attaches nothing' 'only its owner may attach' disk mate /home/mate/mate.raw
run 4 'nor does root' 'only its owner may attach' viommuctl --system attach guest disks.0.path=/etc/shadow disks.0.format=raw disks.0.read-only=true
run 4 'nor a stranger' 'only its owner may attach|not in group' disk stranger /usr/bin/su disks.0.read-only=true
run 4 'another member detaches nothing' 'polkit' as mate --no-ask-password detach guest disk1
run 4 'nor suspends it' 'polkit' as mate --no-ask-password suspend guest
check 'others do not see what is attached' sh -c "! runuser -u mate -- viommuctl --system show guest --json | grep -q Attached"

# --- A restart, and the end ---

run 0 'a restart of the service' '' systemctl restart viommud
has_all() {
    [ "$(attached)" = "$all" ]
}
check 'finds them' until_true 20 has_all
run 7 'a guest without a kernel gives nothing back' "has not given back device 'network1'" as ci detach guest network1
check 'and keeps it' test "$(attached)" = "$all"
gpasswd -d ci viommu >/dev/null
run 4 'who has left the group attaches nothing' 'not in group' disk ci /usr/bin/su disks.0.read-only=true
usermod -aG viommu ci
run 0 'root ends the machine' '' viommuctl --system kill guest
check 'no file has another owner or mode' test "$(stat -c '%U %G %a' /home/*/*.raw /etc/shadow /etc/passwd /usr/bin/su)" = "$before"
finish
