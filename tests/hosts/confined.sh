#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# confined: viommud and its guests on a host whose kernel has AppArmor.  Run by "host --vm
# confined", as root, in the host.  The guests are emulated inside an emulated host, so they are
# started, but not waited for.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh

# profile_of PID: the profile that AppArmor shows for it.
profile_of() {
    cat "/proc/$1/attr/current"
}

uuid_of() {
    viommuctl show "$1" --json | jq -r .UUID
}

run 0 'the kernel has AppArmor' apparmor cat /sys/kernel/security/lsm
run 0 'libvirt confines its guests by it' '<model>apparmor</model>' virsh capabilities
run 0 'viommud is installed' 'Loading the AppArmor profile' tests/hosts/install.sh
useradd --create-home ci
usermod -aG viommu ci
chmod 700 /home/ci
run 0 'it is started' '' systemctl start viommud
run 0 'confined by its own profile' '^libvirt-viommud \(enforce\)' profile_of "$(systemctl show -P MainPID viommud)"
run 0 'it has reached libvirt' '^s "[0-9]+\.' busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager LibvirtVersion

# --- Guests with files of their owner, in a directory closed to others ---

head -c 1M /dev/zero >/home/ci/disk.raw
cp /boot/vmlinuz-* /home/ci/vmlinuz
cp /boot/initrd.img-* /home/ci/initrd
chown -R ci /home/ci
run 0 'a member launches with files from home' '^own$' runuser -u ci -- env -C /home/ci viommuctl --system launch - <<<'{"name": "own",
    "memory": "128 MiB", "iommu": {"is-supported": true}, "boot": {"kernel": "vmlinuz", "initrd": "initrd"},
    "disks": [{"path": "disk.raw", "format": "raw"}]}'
run 0 'with KVM, which is not for everybody' '^660 kvm$' stat -c '%a %G' /dev/kvm
run 0 'in which the guest runs' '"kvm"' sh -c 'viommuctl show own --json | jq .Accelerator'
run 0 'because viommud has seen that KVM works' 'KVM works' sh -c 'journalctl --sync; journalctl --no-pager -b -u viommud'
run 0 'the guest is confined' "^libvirt-$(uuid_of own) \(enforce\)" profile_of "$(pidof qemu-system-x86_64)"
run 0 'it has the rights of its owner' '^ci$' stat -c %U "/proc/$(pidof qemu-system-x86_64)"
run 0 'AppArmor lets it open its disk' disk.raw grep home/ci "/etc/apparmor.d/libvirt/libvirt-$(uuid_of own).files"
run 1 'AppArmor lets it open no other file of its owner' '' grep -v disk.raw <(grep home/ci "/etc/apparmor.d/libvirt/libvirt-$(uuid_of own).files")
run 0 'a site may require the confinement' '' sh -c 'mkdir -p /etc/viommud; printf "[guests]\nconfinement=required\n" >/etc/viommud/viommud.conf'
run 0 'viommud comes back' '' systemctl restart viommud
run 0 'and finds it' 'own +running +intel' viommuctl list
run 0 'the owner ends it' '' runuser -u ci -- viommuctl --system kill own
check 'nothing is left of it' sh -c '! pidof qemu-system-x86_64 && ! ls /var/lib/viommu/boot | grep .'

# --- Huge pages: libvirt makes a directory in them for QEMU's user ---

pages=40 # of 2 MiB; the guest has 32 of them
free_pages() {
    sed -n 's/^HugePages_Free: *//p' /proc/meminfo
}
echo "$pages" >/proc/sys/vm/nr_hugepages
if [ "$(free_pages)" -eq "$pages" ]; then
    run 0 'a member launches with huge pages' '^huge$' runuser -u ci -- viommuctl --system launch - <<<'{"name": "huge",
        "memory": "64 MiB", "memory-backing": {"page-size": "2 MiB"}}'
    pid=$(pidof qemu-system-x86_64)
    run 0 'QEMU has the rights of its owner' '^ci$' stat -c %U "/proc/$pid"
    run 0 'and is confined' "^libvirt-$(uuid_of huge) \(enforce\)" profile_of "$pid"
    run 0 'the memory is in the directory that libvirt made' '/dev/hugepages/libvirt/qemu/' cat "/proc/$pid/maps"
    run 0 'which is its owner'"'"'s' '^ci$' find /dev/hugepages/libvirt/qemu -mindepth 1 -maxdepth 1 -name '*huge*' -printf '%u\n'
    run 0 'all of it' '^8$' free_pages
    run 0 'a second one is refused' 'vm.nr_hugepages=' sh -c '! runuser -u ci -- viommuctl --system launch - <<END
{"name": "more", "memory": "64 MiB", "memory-backing": {"page-size": "2 MiB"}}
END'
    run 0 'the owner ends it' '' runuser -u ci -- viommuctl --system kill huge
    run 0 'all pages are free again' "^$pages\$" free_pages
else
    echo "# SKIP huge pages: the kernel gives $(free_pages) of $pages"
fi
echo 0 >/proc/sys/vm/nr_hugepages

# --- An overlay and a seed, over an image of root ---

head -c 1M /dev/zero >/var/lib/viommu/images/base.raw
run 0 'a member launches over an image of root, with a seed' '^over$' runuser -u ci -- viommuctl --system launch - <<<'{"name": "over",
    "memory": "64 MiB", "disks": [{"path": "/var/lib/viommu/images/base.raw", "format": "raw", "overlay": true, "size": "16 MiB"}],
    "seed": {"hostname": "over"}}'
run 0 'QEMU has the rights of its owner' '^ci$' stat -c %U "/proc/$(pidof qemu-system-x86_64)"
run 0 'and is confined' "^libvirt-$(uuid_of over) \(enforce\)" profile_of "$(pidof qemu-system-x86_64)"
check 'it has an overlay and a seed' test "$(find /var/lib/viommu/boot -type f | wc -l)" -eq 2
run 0 'the owner ends it' '' runuser -u ci -- viommuctl --system kill over
check 'and both are gone' sh -c '! ls /var/lib/viommu/boot | grep .'

# --- Files by their path, and the doctor ---

run 0 'a disk is named by its path' '^o "/' runuser -u ci -- busctl --timeout=180 call org.viommu1 /org/viommu1 org.viommu1.Manager Launch 'a{sv}' 3 \
    name s path memory s '64 MiB' disks 'aa{sv}' 1 3 path s "$(cp /home/ci/disk.raw /var/lib/viommu/images && echo /var/lib/viommu/images/disk.raw)" \
    format s raw read-only b true
run 0 'that one is ended, too' '' runuser -u ci -- viommuctl --system kill path
run 0 'doctor finds no fault in it' 'viommud +ok' viommuctl doctor
run 0 'and says what confines guests' 'ok +AppArmor confines each guest' viommuctl doctor

# --- What AppArmor denied ---

run 0 'Linux would let strangers lock consoles' '1777' stat -L -c %a /var/lock
run 1 'viommud has read each console' '' sh -c "journalctl --sync; journalctl --no-pager -b -u viommud | grep 'console is not read'"

run 1 'viommud was denied nothing' '' sh -c "dmesg | grep 'apparmor=\"DENIED\"' | grep -m 5 '\"libvirt-viommud\"'"
run 1 'nor was a guest' '' sh -c "dmesg | grep 'apparmor=\"DENIED\"' | grep -E -m 5 'profile=\"libvirt-[0-9a-f]{8}-'"
finish
