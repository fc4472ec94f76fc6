#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# build-kernel: builds a kernel of tests/emulated/kernels from Debian's source package.  Run by
# kernel.sh, as root, in a host of testing that has the packages for it in /viommu-added.
set -euo pipefail
arch=$1
kernels=$PWD/tests/emulated/kernels
# On disk: what a host changes elsewhere is in memory.
build=/viommu/out/build out=/viommu/out/kernel
declare -A words=([aarch64]='ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-' [x86_64]='ARCH=x86_64') images=([aarch64]=arm64/boot/Image [x86_64]=x86/boot/bzImage)
export KBUILD_BUILD_USER=viommu KBUILD_BUILD_HOST=viommu

# build TARGET...
build() {
    # shellcheck disable=SC2086  # a list of words
    make -C "$build"/linux-source-* ${words[$arch]} O="$build/objects" -j "$(nproc)" "$@"
}

mkdir -p "$build/objects" "$out/modules"
DEBIAN_FRONTEND=noninteractive dpkg --install /viommu-added/*.deb
tar -C "$build" -xf /usr/src/linux-source-*.tar.xz
# QEMU's SMMU cannot force accesses to be coherent (S2FWB), and its IORT does not say that the root
# complex keeps them coherent (CANWBS), which QEMU's does.  Without one of them the kernel
# accelerates no SMMU of a guest, so this kernel takes each IORT as if it said so.
sed -i '/^static bool iort_pci_rc_supports_canwbs/,/^}/ s/return .*;/return true;/' "$build"/linux-source-*/drivers/acpi/arm64/iort.c
grep -A 9 '^static bool iort_pci_rc_supports_canwbs' "$build"/linux-source-*/drivers/acpi/arm64/iort.c | grep 'return true;'
cat "$kernels/common" "$kernels/$arch" >"$build/wanted"
build KCONFIG_ALLCONFIG="$build/wanted" allnoconfig
# An option that this Linux names otherwise would be missing without a word.
missing=$(grep '^CONFIG_' "$build/wanted" | grep -vxFf "$build/objects/.config" || true)
[ -z "$missing" ] || { echo "not ok - Linux does not take these: $missing"; exit 1; }
build "$(basename "${images[$arch]}")"
cp "$build/objects/arch/${images[$arch]}" "$out/vmlinuz"
# No modules, but a table of those that are built in, for modprobe and viommud.
version=$(cat "$build/objects/include/config/kernel.release")
mkdir -p "$build/installed/usr/lib/modules/$version"
ln -s usr/lib "$build/installed/lib"
cp "$build/objects"/modules.builtin{,.modinfo} "$build/installed/lib/modules/$version"
: >"$build/installed/lib/modules/$version/modules.order"
depmod -b "$build/installed" "$version"
cp -r "$build/installed/usr/lib/modules/." "$out/modules"
cp "$build/objects/.config" "$out/config"
rm -rf "$build"
echo "ok - the kernel of $arch is built"
