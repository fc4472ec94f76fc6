#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# upgrade: QEMU, then libvirt are upgraded while viommud and its guests run; the next plans and
# launches use the new versions.  Run by "host --newer=bookworm-backports:qemu,seabios,libvirt
# upgrade", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
guest_files=/viommu-guests/x86_64-debian13
old_qemu='7\.2\.' old_libvirt='9\.0\.0' new_qemu='10\.0\.' new_libvirt='11\.3\.0'

# request NAME IOMMU [CMDLINE]
request() {
    cat <<END
{"name": "$1", "arch": "x86_64", "accelerator": "tcg", "memory": "512 MiB", "iommu": {"model": "intel", $2},
 "boot": {"kernel": "$guest_files/vmlinuz", "initrd": "$guest_files/initrd",
          "cmdline": "console=ttyS0 panic=-1 no_timer_check ${3:-}"}}
END
}

# launch NAME IOMMU [CMDLINE]
launch() {
    request "$@" | viommuctl launch --wait=started -
}

plan() {
    request "$@" | viommuctl plan -
}

# prints PATTERN NAME: within the time of an emulated guest on a busy machine.
prints() {
    local end=$((SECONDS + 200)) console
    console=$(viommuctl show "$2" --json | jq -er .ConsoleLog) || return 1
    until grep -a '=== viommu end' "$console"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.5
    done
    tr -d '\r' <"$console" | grep -aE "$1"
}

# versions QEMU_X86_64 QEMU_AARCH64 LIBVIRT: patterns for viommud's versions of this host; without
# an emulator, empty.
versions() {
    viommuctl host --json | jq -r '[.emulators[] | {(.arch): .qemu}] | add | "\(.x86_64) \(.aarch64 // "")"' >"$work/out"
    viommuctl host --json | jq -r .libvirt >>"$work/out"
    grep -qE "^$1[0-9]+ $2[0-9]*$" "$work/out" && grep -qE "^$3$" "$work/out"
}

# installs FILE...
installs() {
    DEBIAN_FRONTEND=noninteractive apt-get -qy -o Dpkg::Options::=--force-confold --no-install-recommends install "$@"
}

# The daemon is the same and was not restarted, and its guests still run.
same_daemon() {
    [ "$(systemctl show -P MainPID viommud)" = "$daemon" ] && systemctl is-active viommud
}
# guests_are TEXT: the names of the running guests.
guests_are() {
    [ "$(viommuctl list --json | tee "$work/out" | jq -r '[.[] | select(.state == "running") | .name] | sort | join(" ")')" = "$1" ]
}

for command in 'meson setup build-service --prefix=/usr --buildtype=release' 'ninja -C build-service' \
    'meson install --no-rebuild -C build-service' 'systemctl enable --now viommud'; do
    run 0 "$command" '' sh -c "$command"
done
daemon=$(systemctl show -P MainPID viommud)
without='"dma-translation": false' with='"eim": true'

# --- As installed ---

check 'the versions of this release' versions "$old_qemu" "$old_qemu" "$old_libvirt"
run 3 'its QEMU cannot give EIM' 'eim.*EIM needs libvirt 3\.4 and QEMU 9\.0 or newer, but this host has libvirt 9.* and QEMU 7\.2' launch eim "$with"
run 3 'its libvirt knows no dma-translation' 'needs libvirt 10\.7.*has libvirt 9\.0\.0' launch remapper "$without"
run 0 'a guest of the old QEMU' '^old$' launch old '"intremap": true' viommu.stay

# --- QEMU ---

run 0 'one emulator is removed' 'Removing qemu-system-arm' apt-get -qy remove qemu-system-arm
run 3 'the next launch cannot have it' aarch64 viommuctl launch - <<<'{"arch": "aarch64"}'
check 'the other is as it was' versions "$old_qemu" '' "$old_libvirt"
run 0 'QEMU is upgraded' 'qemu-system-x86 .*10\.0' installs /viommu-newer/qemu-*.deb /viommu-newer/seabios_*.deb
run 0 'the next launch has EIM' '^eim$' launch eim "$with"
check 'the versions of both emulators are the new ones' versions "$new_qemu" "$new_qemu" "$old_libvirt"
run 0 'the property HostFacts says the same' '"qemu" s "10\.0\.' busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager HostFacts
run 0 'libvirt itself is asked anew, and contradicts no fact' '^intel-eim-tcg ' viommuctl facts
check 'no fact is contradicted' sh -c "! grep -E '(yes|no)!' '$work/out'"
run 0 'the guest with EIM prints its facts' '^iommu=dmar0' prints '^iommu=' eim
run 0 'QEMU was given it' 'eim"?[=:]"?(on|true)' cat /var/log/libvirt/qemu/viommu-eim.log
run 3 'the old libvirt still knows no dma-translation' 'needs libvirt 10\.7.*has libvirt 9\.0\.0' plan remapper "$without"
check 'all this is one viommud' same_daemon

# --- libvirt ---

run 0 'libvirt is upgraded' 'libvirt-daemon .*11\.3' installs /viommu-newer/*.deb
run 0 'the next launch has no DMA translation' '^remapper$' launch remapper "$without" viommu.stay
check 'the version of libvirt is the new one' versions "$new_qemu" "$new_qemu" "$new_libvirt"
run 0 'the property LibvirtVersion says the same' '^s "11\.3\.0"$' busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager LibvirtVersion
check 'no fact is contradicted' sh -c '! viommuctl facts | grep -E "(yes|no)!"'
run 0 'the guest shows that its IOMMU only remaps' '^groups=0$' prints '^groups=' remapper
run 0 'QEMU was given it' 'dma-translation"?[=:]"?(off|false)' cat /var/log/libvirt/qemu/viommu-remapper.log
check 'the guest of the old QEMU has outlived both' guests_are 'old remapper'
run 0 'and ends when it is told' '' viommuctl kill old
check 'the other guest is still there' guests_are remapper
check 'all this was one viommud' same_daemon
finish
