#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kvm-late: a host on which KVM appears after viommud has started.  Run by "host --vm kvm-late", as
# root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh

request='{"name": "slow", "memory": "64 MiB", "iommu": {"is-supported": true}}'

# The accelerator that the service would choose.
planned() {
    busctl call org.viommu1 /org/viommu1 org.viommu1.Manager Plan 'a{sv}' 1 memory s '64 MiB' | grep -o '"accelerator" s "[a-z]*"'
}

# verdict WORDS: what viommud has logged of KVM last.
verdict() {
    journalctl --no-pager -b -u viommud | grep -E 'KVM works|KVM does not run|not known whether KVM' | tail -n 1 | grep -qE "$1"
}

until_planned() {
    local end=$((SECONDS + 240))
    until [ "$(planned)" = "\"accelerator\" s \"$1\"" ]; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 3
    done
}

run 0 'viommud is installed' '' tests/hosts/install.sh
systemctl stop libvirtd.service
run 0 'the host has no KVM' '' modprobe -r kvm_amd
check 'nor its device' test ! -e /sys/class/misc/kvm
run 0 'viommud is started' '' systemctl start viommud
check 'it plans emulation' until_planned tcg
run 0 'a launch without an accelerator' '^slow$' viommuctl --system launch - <<<"$request"
run 0 'says in its warnings that it is emulated' 'libvirt offers no KVM here' sh -c 'viommuctl show slow --json | jq -r ".Warnings[]"'
run 0 'which is ended' '' viommuctl kill slow
old=$(systemctl show -P MainPID viommud)
run 1 'the service does not see /dev/kvm' '' nsenter --mount --target="$old" test -e /dev/kvm
run 0 'KVM is loaded' '' modprobe kvm_amd
check 'the service plans KVM' until_planned kvm
# In an emulated host that is busy, the guest takes too long to show anything, even without KVM.
check 'and sees that KVM works, or that this host is too slow to show it' until_true 400 verdict 'KVM works|not known whether KVM'
check 'without a restart' test "$(systemctl show -P MainPID viommud)" = "$old"
run 0 'KVM goes again' '' modprobe -r kvm_amd
check 'the service plans emulation again' until_planned tcg
finish
