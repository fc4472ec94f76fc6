#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# build-modules: builds iommufd, and VFIO with it, as modules for a kernel of Debian, which has been
# built without iommufd.  Run by kernel.sh, as root, in a host of testing that has the packages for
# it in /viommu-added.
set -euo pipefail
version=$1
# On disk: what a host changes elsewhere is in memory.
build=/viommu/out/build out=/viommu/out/kernel/modules/$version/updates/viommu
# make reads these, the compiler those.
options=(CONFIG_IOMMUFD=m CONFIG_IOMMUFD_DRIVER_CORE=m CONFIG_VFIO_DEVICE_CDEV=y)
defines='-DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_IOMMUFD_DRIVER_CORE_MODULE=1 -DCONFIG_VFIO_DEVICE_CDEV=1 -DCONFIG_INTERVAL_TREE_SPAN_ITER=1'

release_of() {
    dpkg-query -W -f '${Version}' "$1"
}

mkdir -p "$build" "$out"
DEBIAN_FRONTEND=noninteractive dpkg --install /viommu-added/*.deb
source=$(dpkg-query -S '/usr/src/linux-source-*.tar.xz' | cut -d : -f 1)
[ "$(release_of "$source")" = "$(release_of "linux-headers-$version")" ] ||
    { echo "not ok - $source is of another release than linux-headers-$version"; exit 1; }
tar -C "$build" --strip-components=1 --wildcards -xf /usr/src/linux-source-*.tar.xz '*/drivers/iommu' '*/drivers/vfio' '*/lib/interval_tree.c'
# Only iommufd uses this part of lib/interval_tree.c, so a kernel without iommufd does not have it.
cat >"$build/drivers/iommu/iommufd/spans.c" - <(sed -n '/^#ifdef CONFIG_INTERVAL_TREE_SPAN_ITER/,/^#endif/ { /^EXPORT_SYMBOL/d; p }' "$build/lib/interval_tree.c") <<<'#include <linux/interval_tree.h>'
sed -i 's/\bviommu\.o$/viommu.o spans.o/' "$build/drivers/iommu/iommufd/Makefile"
echo 'obj-y += iommu/iommufd/ vfio/' >"$build/drivers/Kbuild"
make -C "/usr/src/linux-headers-$version" M="$build/drivers" -j "$(nproc)" "${options[@]}" KCFLAGS="$defines" modules
find "$build/drivers" -name '*.ko' -exec cp {} "$out" \;
rm -rf "$build"
echo "ok - iommufd is built for Linux $version"
