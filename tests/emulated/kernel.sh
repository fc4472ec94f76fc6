#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kernel: a kernel with iommufd, which Debian's own do not have, built from the source package of
# Debian testing, on such a host, and kept in a cache.  Knows where it is kept; build-kernel.sh
# builds it.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
packages=linux-source,gcc-aarch64-linux-gnu,flex,bison,bc,libelf-dev,libssl-dev,cpio,kmod,make,xz-utils,rsync
cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/kernels

usage() {
    cat <<END
usage: tests/emulated/kernel.sh aarch64

Builds the kernel that tests/emulated/kernels describes and prints its directory: vmlinuz, and modules, which belongs to
/lib/modules.  A quiet machine with two processors needs about ten minutes.  It is kept, until its description changes, below
    $cache
END
}

case ${1:-} in
aarch64) arch=$1 ;;
-h | --help) usage && exit 0 ;;
*) say_die "which architecture?  See --help" ;;
esac
out=
trap 'say_abandon; [ -z "$out" ] || rm -rf "$out"' EXIT
trap 'exit 130' INT TERM
kernel=$cache/$arch-$(sed '/^ *#/d' "$here/build-kernel.sh" "$here/kernels/common" "$here/kernels/$arch" | sha256sum | cut -c 1-12)
mkdir -p "$cache"
exec 6>"$cache/.$arch.lock"
flock 6
if [ ! -e "$kernel/vmlinuz" ]; then
    out=$(mktemp -d -p "$cache" ".$arch.XXXXXX")
    say_while "kernel of $arch: building it" "$cache/$arch.log" nice "$here/../hosts/host.sh" --release=testing --add="$packages" \
        --out="$out" --time-limit=7200 build-kernel "$arch"
    [ -s "$out/kernel/vmlinuz" ] || say_die "the kernel was not built; see $cache/$arch.log"
    rm -rf "$cache/$arch-"*
    mv "$out/kernel" "$kernel"
fi
echo "$kernel"
