# SPDX-License-Identifier: LGPL-2.1-or-later
# foreign: has this machine's kernel run programs of aarch64, by qemu-user, while an image is made.
# Sourced by bash, after say.sh.  Knows binfmt_misc; does not know the images.

foreign_place=/proc/sys/fs/binfmt_misc
foreign_name=viommu-aarch64-$$
foreign_mounted=
# How such a program begins, and which of these bits count.
foreign_magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
foreign_mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

# foreign_known: the kernel does it already, in a root of their own, too (flag F).
foreign_known() {
    local entry
    for entry in "$foreign_place"/*; do
        # Another run takes its own away when it ends.
        [[ ${entry##*/} != viommu-* ]] || continue
        if grep -qsx "magic ${foreign_magic//'\x'/}" "$entry" && grep -qx enabled "$entry" && grep -q '^flags:.*F' "$entry"; then
            return
        fi
    done
    return 1
}

# foreign_qemu DIRECTORY: prints the path of qemu-user for aarch64, linked statically; if it is not
# installed, it is unpacked to DIRECTORY.
foreign_qemu() {
    local package
    command -v qemu-aarch64-static && return
    for package in qemu-user-static qemu-user; do
        (mkdir -p "$1/$package" && cd "$1/$package" && apt-get -q -o APT::Sandbox::User= download "$package" &&
            dpkg-deb -x "$package"_*.deb .) >&2 || continue
        # Debian 13 has it below the other name.
        find "$1/$package" -path '*/bin/qemu-aarch64*' ! -name '*_be*' -type f | grep . && return
    done
    return 1
}

# foreign_open DIRECTORY: first set foreign_close as a trap.
foreign_open() {
    local qemu
    if [ ! -e "$foreign_place/register" ]; then
        mount -t binfmt_misc binfmt_misc "$foreign_place" 2>/dev/null ||
            say_die "programs of aarch64 cannot run here: binfmt_misc cannot be mounted at $foreign_place"
        foreign_mounted=yes
    fi
    ! foreign_known || return 0
    qemu=$(foreign_qemu "$1" 2>"$1/foreign.log") ||
        say_die "programs of aarch64 cannot run here: qemu-user-static is not installed, and cannot be downloaded: $(tail -n 1 "$1/foreign.log")"
    # F: the kernel opens QEMU now, not in the root of the program.
    printf '%s' ":$foreign_name:M::$foreign_magic:$foreign_mask:$qemu:F" 2>/dev/null >"$foreign_place/register" ||
        say_die "programs of aarch64 cannot run here: the kernel does not take them at $foreign_place/register"
}

foreign_close() {
    [ ! -e "$foreign_place/$foreign_name" ] || echo -1 >"$foreign_place/$foreign_name"
    [ -z "$foreign_mounted" ] || umount "$foreign_place"
    foreign_mounted=
}
