#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# guests: kernels and initramfs of the booted guests, made from Debian's packages and kept in a
# cache. Knows apt and the initramfs; does not know viommud, libvirt or the use of a guest.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
report=$here/../../tools/scripts/guest-report.sh
# shellcheck source=tests/qemu/cache.sh
. "$here/cache.sh"

# name, arch, Debian's name for it, release, kernel modules (if the stock kernel has them as
# modules).  A name that ends in -cloud has the kernel of Debian's cloud images.
table='
x86_64-debian11    x86_64   amd64          bullseye  virtio_pci,virtio-rng,virtio-iommu
x86_64-debian12    x86_64   amd64          bookworm  virtio_pci,virtio-rng,virtio-iommu
x86_64-debian13    x86_64   amd64          trixie    virtio_pci,virtio-rng,virtio-iommu
x86_64-vfio        x86_64   amd64          trixie    virtio_pci,virtio-rng,virtio-iommu,vfio_iommu_type1,vfio-pci,e1000e
x86_64-shares      x86_64   amd64          trixie    virtio_pci,virtio-rng,9pnet_virtio,9p
x86_64-devices     x86_64   amd64          trixie    virtio_pci,virtio-rng,virtio-iommu,e1000e,igbvf,nvme
aarch64-devices    aarch64  arm64          trixie    virtio_pci,virtio-rng,virtio-iommu,e1000e,nvme
x86_64-network     x86_64   amd64          trixie    virtio_pci,virtio-rng,virtio-iommu,virtio_net
x86_64-functions   x86_64   amd64          trixie    virtio_pci,virtio-rng,virtio_blk,virtio-iommu,vfio_iommu_type1,vfio-pci,igb,igbvf,nvme
x86_64-testing     x86_64   amd64          testing   virtio_pci,virtio-rng,virtio-iommu
aarch64-debian11   aarch64  arm64          bullseye  virtio_pci,virtio-rng,virtio-iommu
aarch64-debian12   aarch64  arm64          bookworm  virtio_pci,virtio-rng,virtio-iommu
aarch64-debian13   aarch64  arm64          trixie    virtio_pci,virtio-rng,virtio-iommu
aarch64-vfio       aarch64  arm64          trixie    virtio_pci,virtio-rng,virtio-iommu,vfio_iommu_type1,vfio-pci,e1000e
aarch64-testing    aarch64  arm64          testing   virtio_pci,virtio-rng,virtio-iommu
x86_64-debian11-cloud   x86_64   amd64          bullseye  virtio_pci,virtio-rng,virtio-iommu
x86_64-debian12-cloud   x86_64   amd64          bookworm  virtio_pci,virtio-rng,virtio-iommu
x86_64-debian13-cloud   x86_64   amd64          trixie    virtio_pci,virtio-rng,virtio-iommu
x86_64-testing-cloud    x86_64   amd64          testing   virtio_pci,virtio-rng,virtio-iommu
aarch64-debian11-cloud  aarch64  arm64          bullseye  virtio_pci,virtio-rng,virtio-iommu
aarch64-debian12-cloud  aarch64  arm64          bookworm  virtio_pci,virtio-rng,virtio-iommu
aarch64-debian13-cloud  aarch64  arm64          trixie    virtio_pci,virtio-rng,virtio-iommu
aarch64-testing-cloud   aarch64  arm64          testing   virtio_pci,virtio-rng,virtio-iommu
'
recipe=1  # increase it when a name means other files than those in the cache

usage() {
    cat <<END
usage: tests/qemu/guests.sh [NAME...]

Makes the guests (all without a NAME) and prints the directory of each; vmlinuz, initrd and version are in there.
They are kept in \$VIOMMU_CACHE, else \$XDG_CACHE_HOME/viommud, else ~/.cache/viommud:
    $cache

names: $(awk 'NF { printf "%s ", $1 }' <<<"$table")
END
}

# private_apt DIRECTORY RELEASE DEBIAN_ARCH: an apt configuration that shares only keys and proxy
# with the machine's.
private_apt() {
    local directory=$1 release=$2 arch=$3 uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    uri=$(cache_mirror)
    [ -n "$uri" ] || say_die "no Debian mirror found in this machine's apt sources: the guests are Debian kernels"
    [ -r "$keyring" ] || say_die "$keyring is missing: install debian-archive-keyring"
    mkdir -p "$directory"/{lists,cache,parts}/partial
    : >"$directory/status"
    echo "deb [arch=$arch signed-by=$keyring] $uri $release main" >"$directory/sources.list"
    cat >"$directory/apt.conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "$([ "$release" = testing ] && echo false || echo true)";
Acquire::Retries "3";
Dir::Etc::SourceList "$directory/sources.list";
Dir::Etc::SourceParts "$directory/parts";
Dir::State::Lists "$directory/lists";
Dir::State::status "$directory/status";
Dir::Cache "$directory/cache";
END
}

# module_paths TREE MODULE...: the files of the modules and of their dependencies, in the order of
# loading.
module_paths() {
    local tree=$1 module path depends
    shift
    for module in "$@"; do
        # Names in files and in "depends=" differ in - and _.
        path=$(find "$tree" -name "${module//[-_]/[-_]}.ko*" -print -quit)
        [ -n "$path" ] || continue # built in
        depends=$(unpacked "$path" | tr '\0' '\n' | sed -n 's/^depends=//p')
        # shellcheck disable=SC2086  # a list of names
        [ -z "$depends" ] || module_paths "$tree" ${depends//,/ }
        echo "$path"
    done
}

unpacked() {
    case $1 in
    *.xz) xz -dc "$1" ;;
    *.zst) zstd -dc "$1" ;;
    *) cat "$1" ;;
    esac
}

# initramfs PARTS OUTPUT: busybox, the modules, guest-init and what it runs.
initramfs() {
    local parts=$1 output=$2 applet
    work=$(mktemp -d -p "$cache" .initramfs.XXXXXX)
    mkdir -p "$work"/root/{bin,dev,proc,sys}
    cp "$parts/busybox" "$work/root/bin/busybox"
    for applet in sh mount insmod cat dd dmesg grep ls wc paste sleep uname poweroff sync; do
        ln -s busybox "$work/root/bin/$applet"
    done
    cp -r "$parts/modules" "$work/root/modules"
    install -m 755 "$here/guest-init.sh" "$work/root/init"
    install -m 755 "$report" "$work/root/bin/guest-report"
    (cd "$work/root" && find . | sort | cpio --quiet -o -H newc -R 0:0 | gzip -9n) >"$work/initrd"
    chmod 644 "$work/initrd"
    mv "$work/initrd" "$output"
    rm -rf "$work"
}

# kernel_packages IMAGE: the package, and those that hold the kernel and its modules in newer
# releases.
kernel_packages() {
    echo "$1"
    apt-cache depends "$1" | awk '$1 == "Depends:" && $2 ~ /^linux-(binary|modules)-/ { print $2 }'
}

# download DIRECTORY PACKAGE...: apt checks the signatures.
download() {
    cd "$1"
    shift
    apt-get -q -o APT::Status-Fd=1 download "$@"
}

# make NAME ARCH DEBIAN_ARCH RELEASE MODULES: fills a directory beside its place, then renames it.
make() {
    local name=$1 debian_arch=$3 release=$4 modules=$5 flavour=$3 log image kernel size
    [[ $name != *-cloud ]] || flavour=cloud-$debian_arch
    work=$(mktemp -d -p "$cache" ".$name.XXXXXX")
    log=$work/log
    private_apt "$work/apt" "$release" "$debian_arch"
    export APT_CONFIG=$work/apt/apt.conf
    say_while "guest $name: package lists of $release" "$log" apt-get -q update
    # The meta package depends on the signed kernel image of today.
    image=$(apt-cache depends "linux-image-$flavour" | awk '$1 == "Depends:" && $2 ~ /^linux-image/ && !found++ { print $2 }')
    [ -n "$image" ] || say_die "guest $name: linux-image-$flavour has no kernel in $release"
    mapfile -t kernel < <(kernel_packages "$image")
    size=$(apt-cache show --no-all-versions "${kernel[@]}" | awk '$1 == "Size:" { sum += $2 } END { print int(sum / 1048576) }')
    mkdir "$work/packages" "$work/tree"
    say_while "guest $name: downloading $image ($size MiB) and busybox-static" "$log" \
        download "$work/packages" "${kernel[@]}" busybox-static
    unset APT_CONFIG
    say_while "guest $name: unpacking" "$log" unpack "$work"
    collect "$work/tree" "$work/parts" "${modules//,/ }"
    rm -rf "${cache:?}/$name-$recipe"
    mv "$work/parts" "$cache/$name-$recipe"
    rm -rf "$work"
}

# collect TREE PARTS "MODULE...": keeps the needed parts of the packages.
collect() {
    local tree=$1 parts=$2 modules=$3 number=10 path
    mkdir -p "$parts/modules"
    # In /boot, or with the modules.
    cp "$(find "$tree/kernel" -name 'vmlinuz*' -type f -print -quit)" "$parts/vmlinuz"
    basename "$(dirname "$(find "$tree/kernel" -path '*/lib/modules/*/kernel' -print -quit)")" >"$parts/version"
    cp "$(find "$tree/busybox" -path '*bin/busybox' -type f -print -quit)" "$parts/busybox"
    # shellcheck disable=SC2086  # a list of names
    for path in $(module_paths "$tree/kernel" $modules | awk '!seen[$0]++'); do
        unpacked "$path" >"$parts/modules/$number-$(basename "${path%%.ko*}").ko"
        number=$((number + 1))
    done
    # QEMU runs as another user: all files must be readable.
    chmod -R u=rwX,go=rX "$parts"
}

unpack() {
    local package
    for package in "$1"/packages/linux-*.deb; do
        dpkg-deb -x "$package" "$1/tree/kernel"
    done
    dpkg-deb -x "$(find "$1/packages" -name 'busybox-static_*.deb')" "$1/tree/busybox"
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
esac
# shellcheck disable=SC2046  # a list of names
[ $# -gt 0 ] || set -- $(awk 'NF { print $1 }' <<<"$table")

work=
trap 'say_abandon; [ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

command -v apt-get >/dev/null || say_die "the guests are made from Debian's packages: apt-get is needed"
cache_lock
for name in "$@"; do
    read -r -a row <<<"$(awk -v name="$name" '$1 == name' <<<"$table")"
    [ "${#row[@]}" -eq 5 ] || say_die "no guest named '$name'; see --help"
    parts=$cache/$name-$recipe
    [ -s "$parts/version" ] || make "${row[@]}"
    initrd=initrd-$(cat "$here/guest-init.sh" "$report" | sha256sum | cut -c 1-12)
    [ -s "$parts/$initrd" ] || initramfs "$parts" "$parts/$initrd"
    ln -sfn "$initrd" "$parts/initrd"
    echo "$parts"
done
