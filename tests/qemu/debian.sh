#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# debian: a Debian with systemd, udev and qemu-guest-agent, as a guest that boots from a disk.
# mmdebstrap makes it once, in a cache beside those of "guests".  Does not know viommud or libvirt.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/qemu/bootstrap.sh
. "$here/bootstrap.sh"

release=trixie
name=x86_64-debian13-agent
recipe=5  # increase it when the disk changes

own_words='systemd.volatile=state console=ttyS0 quiet no_timer_check intel_iommu=off'

# What a machine that only answers its agent can do without, too.
masked=(
    getty.target getty@tty1.service serial-getty@ttyS0.service systemd-logind.service systemd-modules-load.service
    systemd-network-generator.service systemd-random-seed.service systemd-remount-fs.service systemd-sysctl.service
    systemd-sysusers.service systemd-tmpfiles-clean.timer systemd-tmpfiles-setup-dev-early.service
    systemd-tmpfiles-setup-dev.service systemd-udev-load-credentials.service systemd-user-sessions.service
)

usage() {
    cat <<END
usage: tests/qemu/debian.sh

Makes a Debian of the release $release with qemu-guest-agent and prints its directory; vmlinuz, initrd and disk (raw, ext4,
never written to) are in there.  Kernel command line: systemd.volatile=state
boot-without-iommu is a disk with a boot loader whose configuration switches the IOMMU off; the other is the second disk then.
It is kept in \$VIOMMU_CACHE, else \$XDG_CACHE_HOME/viommud, else ~/.cache/viommud:
    $cache
END
}

# The initramfs of the guest's own tools is not used, but made, quickly.
initramfs_hook() {
    cat <<'END'
mkdir -p "$1/etc/initramfs-tools/conf.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/guest"
END
}

# This initramfs replaces it and takes a third of the time: it loads the drivers of the disk, and
# changes to its root.
guest_init() {
    cat <<'END'
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
for module in /modules/*; do busybox insmod "$module"; done
until [ -b "${disk:=/dev/vda}" ]; do busybox sleep 0.1; done
busybox mount -t ext4 -o ro "$disk" /root
busybox mount -o move /dev /root/dev
exec busybox switch_root /root /sbin/init "$@"
END
}

# A disk without a file system: GRUB, then, where GRUB looks for them, kernel and initramfs.  The
# command line is not visible from outside.
loader_hook() {
    cat <<END
blocks() { echo \$((\$(stat -c %s $work/parts/\$1) / 512 + 1)); }
cat >boot/grub.cfg <<GRUB
linux (hd0)2048+\$(blocks vmlinuz) disk=/dev/vdb $own_words
initrd (hd0)\$((2048 + \$(blocks vmlinuz)))+\$(blocks initrd)
boot
GRUB
chroot . grub-mkimage -O i386-pc -p / -c /boot/grub.cfg -o /boot/core.img biosdisk linux boot
boot=$work/parts/boot-without-iommu
cat usr/lib/grub/i386-pc/boot.img boot/core.img >\$boot
truncate -s \$((2048 * 512)) \$boot
cat $work/parts/vmlinuz >>\$boot
truncate -s \$(((2048 + \$(blocks vmlinuz)) * 512)) \$boot
cat $work/parts/initrd >>\$boot
truncate -s %1M \$boot
END
}

# At the end: removes what is not needed, and turns the tree into the disk.  Here, because only
# mmdebstrap sees the files' true owners.
disk_hook() {
    cat <<END
set -e
cp "\$1"/boot/vmlinuz-* $work/parts/vmlinuz
basename "\$1"/lib/modules/* >$work/parts/version
for unit in ${bootstrap_masked[*]} ${masked[*]}; do ln -sf /dev/null "\$1/etc/systemd/system/\$unit"; done
ln -sf /lib/systemd/system/multi-user.target "\$1/etc/systemd/system/default.target"
# A machine with its own name that has been set up before: no first boot.
echo 0123456789abcdef0123456789abcdef >"\$1/etc/machine-id"
echo guest >"\$1/etc/hostname"
touch "\$1/etc/.updated" "\$1/var/.updated"
cd "\$1"
cp usr/bin/busybox $work/initramfs/bin/
# systemd tells once that it has booted, which may be before udev loads the driver of vsock.
chroot . modprobe -S "\$(cat $work/parts/version)" -a --show-depends virtio_pci virtio_blk ext4 \
    vmw_vsock_virtio_transport |
    awk '\$1 == "insmod" && !seen[\$2]++ { print \$2 }' |
    while read -r module; do xz -dc ".\$module" >$work/initramfs/modules/\$((10 + \$(ls $work/initramfs/modules | wc -l))).ko; done
(cd $work/initramfs && find . | cpio --quiet -o -H newc -R 0:0) >$work/parts/initrd
$(loader_hook)
rm -rf usr/lib/grub boot/* var/lib/apt var/lib/dpkg var/cache/* var/log/* usr/lib/udev/hwdb.bin usr/share/zoneinfo usr/share/info
find lib/modules/*/kernel/ -name '*.ko*' ! -name 'virtio*' ! -name '*serial*' ! -name '*vsock.ko*' ! -name 'vmw_vsock_virtio*' -delete
chroot . depmod "\$(cat $work/parts/version)"
# Without the mounts in it.
mkdir $work/tree
mount --bind . $work/tree
truncate -s 512M $work/parts/disk
/sbin/mkfs.ext4 -q -O ^has_journal,^resize_inode -m 0 -L guest -U 00000000-0000-4000-8000-000000000000 -d $work/tree $work/parts/disk
umount $work/tree
END
}

make() {
    bootstrap_begin
    mkdir -p "$work"/initramfs/{bin,dev,modules,root}
    guest_init >"$work/initramfs/init"
    chmod 755 "$work/initramfs/init"
    bootstrap "$name" "$release" amd64 linux-image-amd64,systemd-sysv,udev,qemu-guest-agent,busybox-static,grub-pc-bin \
        --variant=essential --essential-hook="$(initramfs_hook)" --customize-hook="$(disk_hook)"
    bootstrap_end "$name-$recipe"
}

bootstrap_open "$@"
[ -s "$cache/$name-$recipe/disk" ] || make
echo "$cache/$name-$recipe"
