#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# record-metadata: prints what the previous release writes into its machines' domains, for
# tests/unit/data/metadata-VERSION.  Run by "host --previous --out=DIRECTORY record-metadata", as
# root, in the host.
set -euo pipefail
tar -C /viommu/previous-stage -c . | tar -C / -x --keep-directory-symlink --no-same-owner
env -u DESTDIR MESON_INSTALL_PREFIX=/usr sh /viommu/previous/conf/after-install
useradd --create-home ci
usermod -aG viommu ci
systemctl enable --now viommud

# record NAME PART: PART has further keys of the request, or is empty.
record() {
    local uuid
    runuser -u ci -- viommuctl --system launch --wait=started - <<<"{\"name\": \"$1\", \"memory\": \"64 MiB\", \"accelerator\": \"tcg\"$2}"
    uuid=$(viommuctl show "$1" --json | jq -r .UUID)
    if [ "$1" = extended ]; then
        runuser -u ci -- viommuctl --system extend "$1" 7200
    fi
    virsh -q metadata "$uuid" https://viommu.org/xmlns/domain/1 >"/viommu/out/$1.xml"
}
record plain ''
record intel ', "iommu": {"model": "intel"}, "vcpus": 2'
record asked ', "request-id": "build 17 <a&b>", "boot": {"firmware": "efi"}'
record leased ', "lease": {"seconds": 3600}'
record extended ', "lease": {"seconds": 3600}'
record warned ', "iommu": {"model": "virtio"}, "arch": "aarch64"'
runuser -u ci -- viommuctl --system launch --bind=client --wait=started - <<<'{"name": "bound", "memory": "64 MiB", "accelerator": "tcg"}' &
until virsh -q metadata bound https://viommu.org/xmlns/domain/1 2>/dev/null | grep 'phase="running"'; do sleep 0.2; done
virsh -q metadata bound https://viommu.org/xmlns/domain/1 >/viommu/out/bound.xml
kill %1
