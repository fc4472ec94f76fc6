#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# artemis: the service, set up as docs/artemis.md says, and the requests of Artemis' driver for a
# guest that boots in a network of libvirt, until Artemis' key logs in at its address.  Run by "host
# --installed --add=dnsmasq-base --guest=x86_64-debian13-image artemis", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
images=/var/lib/viommu/images
boots=600 # seconds in which an emulated guest must be up; a quiet host needs a tenth
guest=artemis-5f4a2d0e-9a4b-4c1e-8a57-3f1f6a4b7c11
url=http://artemis:secret@127.0.0.1:8009
wanted='{"hw": {"arch": "x86_64", "constraints": {"iommu": {"model-name": "intel"}, "virtualization": {"hypervisor": "qemu"}}}, "os": {"compose": "debian13"}}'

driver() {
    tests/artemis/driver.py "$url" "$@"
}

is_complete() {
    driver update "$guest" "$wanted" | grep -q '"complete"'
}

log_in() {
    ssh -n -i "$work/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20 "root@$address" "$@"
}

run 0 'viommud is installed' '' tests/hosts/install.sh
mkdir -p /etc/viommud/viommud.conf.d
printf '[networks]\nnetworks=default\n' >/etc/viommud/viommud.conf.d/artemis.conf
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
cp "$work/key.pub" PUBLIC-KEYS
echo secret >PASSWORD
mapfile -t commands < <(sed -n '/^## From zero/,/^## /s/^    //p' docs/artemis.md | sed '/daemon-reload/q')
check 'docs/artemis.md has six commands' test ${#commands[@]} -eq 6
for command in "${commands[@]}"; do
    [[ $command == systemctl* ]] || run 0 "docs/artemis.md: $command" '' bash -c "$command"
done

# libvirt has dnsmasq give the addresses, and knows them from its leases.
printf '<network><name>default</name><bridge name="virbr9"/><ip address="192.168.77.1" netmask="255.255.255.0"><dhcp><range start="192.168.77.2" end="192.168.77.9"/></dhcp></ip></network>\n' >"$work/network.xml"
check 'dnsmasq' dpkg --install /viommu-added/*.deb
virsh -q net-destroy default 2>/dev/null
virsh -q net-undefine default 2>/dev/null
check 'a network' virsh -q net-define "$work/network.xml"
check 'which runs' virsh -q net-start default
run 0 'viommud is started' '' systemctl enable --now viommud
mkdir -p "$images"
cp /viommu-guests/x86_64-debian13-image/disk.qcow2 "$images/debian13.qcow2"
run 0 'the image' '' viommuctl image-add "$images/debian13.qcow2" --os=debian13-cloud --seed=cloud-init --agent=yes
run 0 "docs/artemis.md: $command" '' bash -c "$command"
run 0 'systemd-analyze verify' '' systemd-analyze verify viommu-artemis.service
check 'has nothing to say' test ! -s "$work/err"
check 'the service listens' until_true 60 driver metrics
run 0 'systemd-analyze security' 'Overall exposure level' systemd-analyze security --no-pager viommu-artemis.service
exposure=$(sed -n 's/.*Overall exposure level for .*: \([0-9.]*\).*/\1/p' "$work/out")
check "exposure level $exposure is below 3.0" awk -v level="$exposure" 'BEGIN { exit !(level != "" && level < 3.0) }'
run 1 'its user cannot read the password' 'Permission denied' runuser -u viommu-artemis -- cat /etc/viommud/artemis.password
run 0 'can acquire' '"result": true' driver can-acquire "$wanted"
run 0 'acquire' '"state": "pending"' driver acquire "$wanted"
# Another user of viommud takes the name that a later guest of Artemis would have.
useradd --create-home --groups viommu mate
run 0 'a machine of another user' '' runuser -u mate -- viommuctl --system launch name=artemis-0 memory=64M --wait=started
run 0 'is no guest' '"state": "cancel"' driver update artemis-0
run 1 'is not printed' 'HTTP 404' driver console artemis-0
run 1 'is not reset' 'HTTP 404' driver reboot artemis-0
run 0 'is not ended' '' driver release artemis-0
run 0 'is there' 'running' viommuctl show artemis-0
GUESTNAME=0 run 0 'is not handed out' '"state": "cancel"' driver acquire "$wanted"
run 0 'and does not count' '"usage": {"instances": 1,' driver metrics
check 'the guest gets an address' until_true "$boots" is_complete
run 0 'which Artemis is told' '"address": "192.168.77' driver update "$guest" "$wanted"
address=$(sed -n 's/.*"address": "\([^"]*\)".*/\1/p' "$work/out")
check "Artemis' key logs in" until_true "$boots" log_in true
run 0 'the guest has its IOMMU' '^dmar0$' log_in ls /sys/class/iommu
run 0 'what becomes of a reboot' '' log_in cat /proc/sys/kernel/random/boot_id
cp "$work/out" "$work/before"
run 0 'reboot' '' driver reboot "$guest"
boots_again() {
    log_in cat /proc/sys/kernel/random/boot_id >"$work/after" 2>/dev/null && ! cmp -s "$work/before" "$work/after"
}
check 'it has booted again' until_true "$boots" boots_again
run 0 'its console' 'Debian GNU' driver console "$guest"
run 0 'release' '' driver release "$guest"
check 'it is gone' sh -c "! viommuctl list | grep -q $guest"
journalctl -u viommu-artemis --no-pager | tail -n 20 | sed 's/^/# /'
finish
