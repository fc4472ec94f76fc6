#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ready: systemd in KVM guests without an agent tells viommud over vsock that it has booted; what
# others say there is not believed, and a restart of viommud loses nothing.  Run by "host
# --machine=x86_64-intel --guest=x86_64-debian13-agent ready", as root, in the host.
set -u
# shellcheck source=tests/emulated/assign.sh
. tests/emulated/assign.sh
guest=/viommu-guests/x86_64-debian13-agent

# A guest of a member, with a shell of root at its console.  WORDS for its kernel.
booting() {
    jq -n --arg name "$1" --arg files "$guest" --arg words "systemd.volatile=state console=ttyS0 panic=-1 quiet no_timer_check intel_iommu=on
        systemd.debug_shell systemd.default_debug_tty=ttyS0 systemd.mask=qemu-guest-agent.service ${2:-}" '
        {$name, memory: "512 MiB", iommu: {model: "intel"}, guest: {os: "debian13", vsock: true, agent: false},
         disks: [{path: "\($files)/disk", format: "raw", "read-only": true}],
         boot: {kernel: "\($files)/vmlinuz", initrd: "\($files)/initrd", cmdline: ($words | gsub("\\s+"; " "))}}'
}

# property NAME KEY
property() {
    viommuctl show "$1" --json | jq ".$2"
}

is_ready() {
    [ "$(property "$1" Ready)" = true ]
}

is_not_ready() {
    [ "$(property "$1" Ready)" = false ]
}

# uuid NAME: libvirt knows the machine by it.
uuid() {
    property "$1" UUID | tr -d '"'
}

has_no_agent() {
    virsh dumpxml "$(uuid "$1")" >"$work/xml" && grep -q '<vsock' "$work/xml" && ! grep -q guest_agent "$work/xml"
}

is_away() {
    [ "$(systemctl show -P SubState viommud)" = auto-restart ]
}

# tells_ready NUMBER: what a guest types to say so, and then "told NUMBER".
tells_ready() {
    echo "NOTIFY_SOCKET=vsock-stream:2:$port systemd-notify --ready; echo to\"\"ld $1"
}

cell 'the host'
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'vsock' '' modprobe -a vhost_vsock vsock_loopback
useradd --create-home --groups viommu ci
find /usr/bin -name 'qemu-system-*' ! -name qemu-system-x86_64 -delete
mkdir -p /etc/viommud/viommud.conf.d
printf '%s\n' '[daemon]' "ready-timeout=$boots" 'launch-timeout=900' >/etc/viommud/viommud.conf.d/site.conf
run 0 'viommud is started' '' systemctl start viommud

cell 'what AppArmor allows'
run 0 'the plan of a guest with vsock' 'vsock device is outside the IOMMU: .*AppArmor' viommuctl --system plan - < <(booting first)
mkdir -p /etc/apparmor.d/local/abstractions
echo '/dev/vhost-vsock rw,' >>/etc/apparmor.d/local/abstractions/libvirt-qemu
run 0 'viommud is started anew' '' systemctl restart viommud
run 0 'with the rule it is behind it' '' viommuctl --system plan --json - < <(booting first)
check 'says the plan' jq -e '."domain-xml" | test("<vsock.*<driver iommu=.on./>"; "m")' "$work/out"

cell 'a guest tells that it has booted'
# Nobody tells this one where to tell it.
run 0 'a guest that says nothing' '^quiet$' launch ci started < <(booting quiet systemd.import_credentials=no)
run 0 'a guest is ready' '^first$' launch ci ready < <(booting first)
check 'viommud shows that' is_ready first
[ "$failures" -eq 0 ] || { finish; exit 1; }
check 'it has no agent' has_no_agent first
cid=$(property first VsockCid) other=$(property quiet VsockCid)
address=$(virsh dumpxml "$(uuid first)" | sed -n 's/.*vmm.notify_socket=\([^<]*\).*/\1/p' | base64 -d)
port=${address##*:}
echo "# contexts $cid and $other, port $port"
check 'each has its own context' test "$cid" -ge 3 -a "$other" -ge 3 -a "$cid" -ne "$other"
# shellcheck disable=SC2016  # the guest's Perl
check 'it is the one that the guest sees' answers first "context=$cid." \
    'perl -e '\''open F, "</dev/vsock"; $b = pack "L", 0; ioctl F, 0x7b9, $b; print "con", "text=", unpack("L", $b), ".\n"'\'
check 'its vsock device is behind the IOMMU' answers first 'vsock: translated' \
    "ls -d /sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio*/../iommu_group >/dev/null && echo vso\"\"ck: translated"
check 'the guest that says nothing has booted' answers quiet 'quiet: up' 'echo qui""et: up'
check 'but is not ready' is_not_ready quiet
shows intel 'systemd 257 in a guest without an agent tells over vsock, whose device the host'"'"'s AppArmor lets QEMU read and write, that it has booted: wait: ready; each guest has a context (CID) of its own, behind its IOMMU'

cell 'false words'
run 0 'a process of the host says it' '' env NOTIFY_SOCKET="vsock-stream:1:$port" timeout 20 systemd-notify --ready
check 'so does another guest' answers first 'told 1' "$(tells_ready 1)"
sleep 1
check 'that is not believed' is_not_ready quiet
run 10 'nor answered' 'heard nothing of its systemd over vsock' viommuctl wait quiet --for=ready --timeout=5
shows any 'READY over vsock from another guest, or from a process of the host, makes no guest ready'

cell 'viommud is restarted'
run 0 'systemd keeps what viommud has heard' '^2$' systemctl show -P NFileDescriptorStore viommud
run 0 'viommud is restarted' '' systemctl restart viommud
check 'it knows who was ready' until_true 60 is_ready first
run 0 'and answers so' '' viommuctl wait first --for=ready --timeout=5
check 'it knows who was not' is_not_ready quiet
mkdir -p /run/systemd/system/viommud.service.d
printf '[Service]\nRestartSec=60\n' >/run/systemd/system/viommud.service.d/late.conf
systemctl daemon-reload
types quiet "sleep 20; $(tells_ready 2)"
systemctl kill --signal=KILL --kill-who=main viommud
check 'it is away for a minute' until_true 10 is_away
check 'and is back' until_true 180 systemctl -q is-active viommud
check 'what a guest said meanwhile is heard' until_true 60 is_ready quiet
shows any 'what a guest says over vsock while viommud is restarted by systemd is heard afterwards, and who was ready before is known'

cell 'a guest boots again by itself'
virsh event "$(uuid first)" --event reboot --timeout "$boots" >"$work/reboot" 2>&1 &
event=$!
sleep 1
types first 'reboot -f'
wait "$event"
check 'it has reset itself' grep -q reboot "$work/reboot"
run 10 'it is not ready any more' 'heard nothing' viommuctl wait first --for=ready --timeout=1
run 0 'until it tells again' '' viommuctl wait first --for=ready "--timeout=$boots"
shows any 'a guest that boots again by itself is ready when it has told so again'
ends first
ends quiet

run 1 'AppArmor denied viommud nothing' '' denied '"libvirt-viommud"'
cell ''
echo "# up $(cut -d ' ' -f 1 /proc/uptime) s"
finish
