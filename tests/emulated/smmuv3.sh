#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# smmuv3: KVM guests of aarch64, on a host with an SMMUv3.  Run by "host --release=debian13
# --machine=aarch64-smmuv3 --guest=aarch64-devices smmuv3", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
the_host '[.topology.iommus[].kind] == ["smmuv3"]'
check 'has no iommufd' sh -c '! test -e /dev/iommu'

cell 'smmuv3'
alone by-name smmuv3
ends by-name
shows smmuv3 'a guest under KVM'

cell 'virtio'
alone para virtio
ends para
shows virtio 'a guest under KVM, with UEFI'

cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
