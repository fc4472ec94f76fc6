#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# metadata: libvirt has hundreds of domains whose viommud record somebody has edited; and a lease
# ends with the host's boot.  Run by "host metadata", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh

launch() {
    runuser -u "$1" -- timeout 60 viommuctl --system launch - <<<"{\"name\": \"$2\", \"memory\": \"64 MiB\", \"accelerator\": \"tcg\"$3}"
}

is_clean() {
    python3 -c 'import sys
for path in sys.argv[1:]:
    odd = [c for c in open(path, "rb").read().decode() if not (c.isprintable() or c in "\n\t")]
    sys.exit(f"{path}: {odd}") if odd else None' "$work/out" "$work/err"
}

# lives WHAT: viommud has not ended, and serves.
lives() {
    check "$1: viommud runs" test "$(systemctl show -P NRestarts viommud) $(systemctl is-active viommud)" = "0 active"
    run 0 'a member launches' '^other$' launch mate other ''
    run 0 'and kills' '' runuser -u mate -- viommuctl --system kill other
    run 0 'a list is printed' 'keeper +running' runuser -u mate -- timeout 20 viommuctl --system list
    check 'which is clean' is_clean
    run 0 'one for programs' '' timeout 20 viommuctl list --json
    check 'is JSON' python3 -m json.tool "$work/out"
    timeout 60 viommuctl doctor >"$work/out" 2>"$work/err"
    check 'doctor prints nothing that steers a terminal' is_clean
    journalctl --no-pager -o cat -u viommud >"$work/out" 2>"$work/err"
    check 'nor does the journal' is_clean
    check "the machine's owner has it" test "$(runuser -u ci -- viommuctl --system show keeper --json | jq -r .State)" = running
}

useradd --create-home ci
useradd --create-home mate
run 0 'viommud is installed' '' tests/hosts/install.sh
mkdir -p /etc/viommud/viommud.conf.d
# All of these count, as if they were machines.
printf '[limits]\nmachines=100000\nmachines-per-user=100000\nmemory=1000 GiB\nvcpus=100000\n' >/etc/viommud/viommud.conf.d/limits.conf
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu mate
run 0 'a machine' '^keeper$' launch ci keeper ', "lease": {"seconds": 3600}, "request-id": "one", "iommu": {"is-supported": true}'
run 0 'its domain' '' virsh -q dumpxml --inactive viommu-keeper
cp "$work/out" "$work/keeper.xml"
run 0 'is edited' '' tests/hosts/edit-metadata.py "$work/keeper.xml" "$work/edits"
for file in "$work"/edits/*; do
    virsh -q define "$file" >/dev/null 2>>"$work/refused"
done
echo "# $(find "$work/edits" -type f | wc -l) edits"
check 'hundreds are defined' test "$(virsh -q list --all --name | grep -c viommu-edit)" -gt 200
lives 'while it runs'
run 0 'viommud begins anew' '' systemctl restart viommud
lives 'after a restart'
check 'without growing' awk '/^VmHWM/ { print; exit !($2 < 262144) }' "/proc/$(systemctl show -P MainPID viommud)/status"
echo "# $(virsh -q list --all --name | grep -c viommu-edit) of them are left"
# --- The same with a guest that runs ---

record() {
    virsh -q metadata viommu-keeper https://viommu.org/xmlns/domain/1
}
set_record() {
    virsh -q metadata viommu-keeper https://viommu.org/xmlns/domain/1 --live --config --key viommu --set "$1" >/dev/null
}
before=$(record)
for attribute in version owner phase lease-end; do
    for value in '' x -1 99999999999999999999 "$(id -u mate)"; do
        [ "$attribute $value" != "lease-end $(id -u mate)" ] || continue # that one is over
        systemctl stop viommud
        set_record "$(sed "s/ $attribute=.[^\"']*./ $attribute=\"$value\"/" <<<"$before")"
        systemctl start viommud
        run 0 "$attribute is '$value': viommud lists" '' timeout 20 viommuctl list
        check 'the guest runs on' sh -c 'virsh -q list --name | grep -q viommu-keeper'
    done
done
systemctl stop viommud
set_record "$before"
systemctl start viommud
run 0 'as it was, it is listed' 'keeper +running' viommuctl list

# --- The host was booted again, and somebody started the guest before viommud ---

additions() {
    virsh -q metadata viommu-keeper https://viommu.org/xmlns/domain/1/additions
}
# As the service sees it: in a container it may be that of the container, or of the whole machine.
boot=$(nsenter -m -t "$(systemctl show -P MainPID viommud)" cat /proc/sys/kernel/random/boot_id | tr -d -)
check "its lease is of the host's boot" grep -q "host-boot=.$boot" <(additions)
check 'where the previous release looks, there are zeros' grep -q ' boot=.0\{32\}' <(record)
earlier=$(additions | sed "s/$boot/$(printf '%032d' 1)/")
systemctl stop viommud
virsh -q metadata viommu-keeper https://viommu.org/xmlns/domain/1/additions --live --config --key viommu-additions --set "$earlier" >/dev/null
systemctl start viommud
check 'a lease of another boot has ended' until_true 30 sh -c '! virsh -q list --all --name | grep -q viommu-keeper'
finish
