#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# networks: the kernel of a host with AppArmor serves a guest's network behind its IOMMU (vhost): it
# asks QEMU what the guest's addresses mean.  Run by
# "host --machine=x86_64-intel --guest=x86_64-network networks", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
guest=/viommu-guests/x86_64-network

# uses_vhost: the only QEMU does.
uses_vhost() {
    find "/proc/$(pidof qemu-system-x86_64)/fd" -lname /dev/vhost-net | grep -q .
}

the_host '[.topology.iommus[] | [.name, .kind, .width]] == [["dmar0", "intel", 48]]'
ip link add br0 type bridge
ip addr add 10.0.2.2/24 dev br0
ip link set br0 up

for model in intel virtio; do
    cell "a network, $model"
    run 0 'a guest proves itself' "^one-$model\$" launch root verified < <(request "one-$model" "$model" viommu.nics=1 |
        jq '.networks = [{type: "bridge", source: "br0"}]')
    check 'the kernel serves its network' uses_vhost
    check 'which is pinged' said "one-$model" ': answered'
    run 0 'the guest is ended' '' viommuctl kill "one-$model"
done
shows intel 'a network of virtio that the host'"'"'s kernel serves (vhost): pinged'
shows virtio 'a network of virtio that the host'"'"'s kernel serves (vhost): pinged'
run 1 'AppArmor denied a guest nothing' '' denied 'profile="libvirt-[0-9a-f]{8}-'
cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
