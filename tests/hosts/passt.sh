#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# passt: what AppArmor lets passt do for guests, of root and of a user's own viommud.  Run by "host
# --vm --release=debian13 passt", as root, in the host.  The guests boot nothing.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
ci=1000
session=(runuser -u ci -- env -C /home/ci HOME=/home/ci "XDG_RUNTIME_DIR=/run/user/$ci" "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$ci/bus")

# profile_of PID: the profile that AppArmor shows for it.
profile_of() {
    cat "/proc/$1/attr/current"
}

passt_pid() {
    pgrep -ox 'passt|passt.avx2'
}

# without_slirp DIRECTORY: libvirt, which does not run, believes that QEMU has no network of its
# own: it has kept there what it found.
without_slirp() {
    sed -i '/netdev\.user/d' "$1"/capabilities/*.xml
}

# guest_of PROFILE USER CTL...: its passt has that profile and that user.
guest_of() {
    local profile=$1 user=$2
    shift 2
    run 0 'a guest with a network of passt' '^own$' "$@" launch --name=own memory=64M accelerator=tcg iommu.is-supported=true \
        networks.0.type=user networks.0.forward=22
    run 0 'passt is confined' "$profile" profile_of "$(passt_pid)"
    run 0 'it has the rights of QEMU' "^$user $user\$" echo "$(stat -c %U "/proc/$(passt_pid)")" "$(stat -c %U "/proc/$(pidof qemu-system-x86_64)")"
    run 0 'it has the port' "127.0.0.1:$("$@" show own --json | jq '.Forwards[0][2]') " ss -Hltn
    run 0 'the guest ends' '' "$@" kill own
    check 'passt ends with it' until_true 60 sh -c '! pgrep passt'
    run 1 'AppArmor denied passt nothing' '' sh -c "dmesg | grep 'apparmor=\"DENIED\"' | grep passt"
}

useradd --create-home --uid=$ci ci
install -d -m 700 -o ci /run/user/$ci
run 0 'the kernel has AppArmor' apparmor cat /sys/kernel/security/lsm
run 0 'viommud is installed' 'Loading the AppArmor profile' tests/hosts/install.sh

run 0 "root's libvirt answers" '' virsh domcapabilities
systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd
without_slirp /var/cache/libvirt/qemu
systemctl start libvirtd viommud
guest_of '^libvirt-[-0-9a-f]*//passt \(enforce\)' libvirt-qemu viommuctl --system

"${session[@]}" dbus-daemon --session --nofork --nopidfile --address="unix:path=/run/user/$ci/bus" &
run 0 "a user's own libvirt answers" '' "${session[@]}" virsh -c qemu:///session domcapabilities
pkill -u ci -x libvirtd
check 'and ends' until_true 60 sh -c '! pgrep -u ci libvirtd'
without_slirp /home/ci/.cache/libvirt/qemu/cache
# The bus starts viommud.
check 'their viommud answers' until_true 120 "${session[@]}" viommuctl --user list
guest_of '^passt \(enforce\)' ci "${session[@]}" viommuctl --user
finish
