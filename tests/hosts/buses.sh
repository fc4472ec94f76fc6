#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# buses: boots planned expander buses with an SMMU each, which need libvirt 11.10 and QEMU 10.2:
# tests/qemu/buses.sh on a newer host.  Run by "host --release=testing --guest=aarch64-vfio buses",
# as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh

run 0 'meson' '' meson setup build-service --buildtype=release
run 0 'ninja' '' ninja -C build-service
export VIOMMUD=$PWD/build-service/daemon/viommud VIOMMUCTL=$PWD/build-service/tools/viommuctl VFIO_OPEN=
run 0 'the guest sees an SMMU for each of the planned buses' 'behind smmu3' tests/qemu/buses.sh buses-smmuv3
check 'none was taken away' sh -c "grep -q 'no accel of' '$work/err' && ! grep -q 'one IOMMU for all' '$work/err'"
sed 's/^/# /' "$work/out" "$work/err"
finish
