#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# cloud: disks as Debian's cloud images are: they boot by themselves, with BIOS or UEFI, and take
# users, keys and host keys from cloud-init.  mmdebstrap makes them once, in a cache beside the
# other guests.  Does not know viommud or libvirt.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/qemu/bootstrap.sh
. "$here/bootstrap.sh"
# shellcheck source=tests/qemu/foreign.sh
. "$here/foreign.sh"

# name, release, Debian's name for its architecture
table='
x86_64-debian12-image   bookworm  amd64
x86_64-debian13-image   trixie    amd64
aarch64-debian13-image  trixie    arm64
'
recipe=2  # increase it when the disk changes

# As in Debian's own images, which have more of what is not named here.
packages=initramfs-tools,zstd,systemd-sysv,udev,dbus,netbase,iproute2,cloud-init,cloud-guest-utils
packages+=,openssh-server,sudo,rsync,qemu-guest-agent,dosfstools,mtools,e2fsprogs,grub-common

# By architecture: packages in addition, GRUB's name for its UEFI, the file that this starts, words
# for the kernel.  no_timer_check: an emulated timer comes late on a busy host, and the kernel would
# panic.  arm64.nopauth: an emulated processor takes long to sign pointers.
arches='
amd64  linux-image-cloud-amd64,grub-pc-bin,grub-efi-amd64-bin  x86_64-efi  BOOTX64.EFI   console=ttyS0,115200   no_timer_check
arm64  linux-image-cloud-arm64,grub-efi-arm64-bin              arm64-efi   BOOTAA64.EFI  console=ttyAMA0,115200 arm64.nopauth
'

# In addition to those that no guest here needs.
masked=(apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer getty@tty1.service motd-news.timer systemd-networkd-wait-online.service)

usage() {
    cat <<END
usage: tests/qemu/cloud.sh NAME...

Makes the images and prints the directory of each; disk.qcow2, never written to, is in there.  They are kept in
\$VIOMMU_CACHE, else \$XDG_CACHE_HOME/viommud, else ~/.cache/viommud:
    $cache

names: $(awk 'NF { printf "%s ", $1 }' <<<"$table")
END
}

# The drivers of the disk, as a list: finding out what a machine may have takes longer.
initramfs_hook() {
    cat <<'END'
mkdir -p "$1/etc/initramfs-tools/conf.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/modules"
printf '%s\n' virtio_pci virtio_iommu virtio_blk virtio_scsi sd_mod ext4 >"$1/etc/initramfs-tools/modules"
END
}

# Debian's images have this file, too, with other modules.  Here are those that a seed may speak to,
# and one kind of host key: each takes a second or more on an emulated processor.
cloud_config() {
    cat <<'END'
system_info:
  default_user: {name: debian, gecos: Debian, groups: [adm, sudo], lock_passwd: true, shell: /bin/bash, sudo: ["ALL=(ALL) NOPASSWD:ALL"]}
manage_etc_hosts: true
ssh_genkeytypes: [ed25519]
cloud_init_modules: [bootcmd, write_files, growpart, resizefs, set_hostname, update_etc_hosts, users_groups, ssh]
cloud_config_modules: [set_passwords, runcmd]
cloud_final_modules: [write_files_deferred, scripts_user, final_message]
END
}

# The root is found by its UUID, since a seed may be the first disk.
loader_config() {
    cat <<END
search.fs_uuid $uuid root
linux /vmlinuz root=UUID=$uuid ro console=tty0 consoleblank=0 $words quiet
initrd /initrd.img
boot
END
}

# loader_hook: the disk's first MiB, and the file system that UEFI looks at.
loader_hook() {
    cat <<END
cat >loader/config <<GRUB
$(loader_config)
GRUB
chroot . grub-mkimage -O $format -p / -c /loader/config -o /loader/efi part_msdos ext2 search_fs_uuid linux boot
chroot . mkfs.vfat -C /loader/esp $((esp_mib << 10)) >/dev/null
chroot . mmd -i /loader/esp ::EFI ::EFI/BOOT
chroot . mcopy -i /loader/esp /loader/efi ::EFI/BOOT/$file
truncate -s ${total_mib}M loader/disk
printf '%s\n' 'label: dos' 'start=1MiB, size=${esp_mib}MiB, type=ef' 'type=83, bootable' | chroot . sfdisk -q /loader/disk
if [ -d usr/lib/grub/i386-pc ]; then
    chroot . grub-mkimage -O i386-pc -p / -c /loader/config -o /loader/core biosdisk part_msdos ext2 search_fs_uuid linux boot
    dd if=usr/lib/grub/i386-pc/boot.img of=loader/disk bs=440 count=1 conv=notrunc status=none
    dd if=loader/core of=loader/disk bs=512 seek=1 conv=notrunc status=none
fi
dd if=loader/esp of=loader/disk bs=1M seek=1 conv=notrunc status=none
mv loader $work/loader
END
}

# At the end: removes what the first boot makes, and turns the tree into a disk.  Here, because only
# mmdebstrap sees the files' true owners.
disk_hook() {
    cat <<END
set -e
cd "\$1"
mkdir loader
cat >etc/cloud/cloud.cfg.d/01_debian_cloud.cfg <<CONFIG
$(cloud_config)
CONFIG
for unit in ${bootstrap_masked[*]} ${masked[*]}; do ln -sf /dev/null "etc/systemd/system/\$unit"; done
chroot . systemctl enable -q systemd-networkd
echo 'UUID=$uuid / ext4 rw,discard,errors=remount-ro 0 0' >etc/fstab
echo localhost >etc/hostname
# QEMU's own network has it.
echo nameserver 10.0.2.3 >etc/resolv.conf
: >etc/machine-id
touch etc/.updated var/.updated
$(loader_hook)
rm -rf etc/ssh/ssh_host_*_key* usr/lib/grub var/lib/apt/lists/* var/cache/apt/*.bin var/log/*.log usr/lib/udev/hwdb.bin
# Without the mounts in it.
mkdir $work/tree
mount --bind . $work/tree
truncate -s $((total_mib - esp_mib - 1))M $work/root
/sbin/mkfs.ext4 -q -U $uuid -d $work/tree $work/root
umount $work/tree
dd if=$work/root of=$work/loader/disk bs=1M seek=$((esp_mib + 1)) conv=notrunc,sparse status=none
END
}

# make NAME RELEASE ARCH
make() {
    local arch=$3 added format file words options=() uuid=00000000-0000-4000-8000-000000000001 esp_mib=16 total_mib=2048
    read -r _ added format file words <<<"$(awk -v arch="$arch" '$1 == arch' <<<"$arches")"
    bootstrap_begin
    if [ "$arch" != "$(dpkg --print-architecture)" ]; then
        [ "$arch" = arm64 ] || say_die "an image of $arch is made on $arch only"
        foreign_open "$work"
        # mmdebstrap would ask arch-test.
        options=(--skip=check/qemu)
    fi
    bootstrap "$1" "$2" "$arch" "$added,$packages" --variant=apt "${options[@]}" \
        --essential-hook="$(initramfs_hook)" --customize-hook="$(disk_hook)"
    qemu-img convert -O qcow2 "$work/loader/disk" "$work/parts/disk.qcow2"
    foreign_close
    bootstrap_end "$1-$recipe"
}

bootstrap_open "$@"
trap 'say_abandon; foreign_close; [ -z "$work" ] || rm -rf "$work"' EXIT
for name in "$@"; do
    read -r -a row <<<"$(awk -v name="$name" '$1 == name' <<<"$table")"
    [ "${#row[@]}" -eq 3 ] || say_die "no image named '$name'; see --help"
    [ -s "$cache/$name-$recipe/disk.qcow2" ] || make "${row[@]}"
    echo "$cache/$name-$recipe"
done
