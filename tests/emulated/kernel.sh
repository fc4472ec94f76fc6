#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernel: a kernel with iommufd, which Debian's own do not have, built from the source package of
# Debian testing, on such a host, and kept in a cache.  Knows where it is kept; build-kernel.sh and
# build-modules.sh build it.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/kernels

usage() {
    cat <<END
usage: tests/emulated/kernel.sh aarch64
       tests/emulated/kernel.sh x86_64 VERSION

Builds what a kernel with iommufd needs and prints its directory:
aarch64  a small kernel, vmlinuz, that tests/emulated/kernels describes.  A quiet machine with two processors needs about ten
         minutes.
x86_64   modules for Debian's kernel of that version.  One minute.
The directory modules in it belongs to /lib/modules.  It is kept, until its description changes, below
    $cache
END
}

case ${1:-},${2:-} in
aarch64,)
    script=build-kernel kinds=("$here/kernels/common" "$here/kernels/aarch64") made=vmlinuz
    packages=linux-source,gcc-aarch64-linux-gnu,flex,bison,bc,libelf-dev,libssl-dev,cpio,kmod,make,xz-utils,rsync
    ;;
x86_64,?*)
    script=build-modules kinds=() made=modules
    packages=linux-source,linux-headers-$2,make,xz-utils
    ;;
-h,* | --help,*) usage && exit 0 ;;
*) say_die "which architecture?  See --help" ;;
esac
arch=$1
out=
trap 'say_abandon; [ -z "$out" ] || rm -rf "$out"' EXIT
trap 'exit 130' INT TERM
kernel=$cache/$arch-${2:+$2-}$(sed '/^ *#/d' "$here/$script.sh" "${kinds[@]}" | sha256sum | cut -c 1-12)
mkdir -p "$cache"
exec 6>"$cache/.$arch.lock"
flock 6
if [ ! -e "$kernel/$made" ]; then
    out=$(mktemp -d -p "$cache" ".$arch.XXXXXX")
    say_while "kernel of $arch: building it" "$cache/$arch.log" nice "$here/../hosts/host.sh" --release=testing --add="$packages" \
        --out="$out" --time-limit=7200 "$script" "${2:-$arch}"
    [ -e "$out/kernel/$made" ] || say_die "the kernel was not built; see $cache/$arch.log"
    rm -rf "$cache/$arch-"*
    mv "$out/kernel" "$kernel"
fi
echo "$kernel"
