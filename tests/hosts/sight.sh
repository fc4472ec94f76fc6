#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sight: confined as the service is, viommuctl says of the host what it says as root outside.
# Run by "host sight", as root, in the host; --release and --vm give other hosts.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
modules=/lib/modules/$(uname -r)

# Only root may read the firmware's tables, and what this user may open is what differs.
same_for_all='del(.topology["iommufd-usable", "vhost-vsock-usable"]) | del(.topology.devices[]?.usable) | if .topology.tables then
    .topology.tables |= map({name}) else . end'

# confined UNIT COMMAND: like the service, but for the command.
confined() {
    systemctl cat viommud.service | sed -e "s|^ExecStart=.*|ExecStart=$2|" -e 's/^Type=.*/Type=oneshot/' -e '/^\(BusName\|Restart.*\|WatchdogSec\)=/d' \
        -e "/^\[Service\]/a StandardOutput=file:/run/viommud-sight/$1" \
        >"/run/systemd/system/$1.service"
    systemctl daemon-reload
    systemctl start "$1.service"
}

# The same, of both.
fact() {
    jq -e "$1" "$work/inside.json" >>"$work/err" && jq -e "$1" "$work/outside.json" >>"$work/err"
}

run 0 'viommud is installed' '' tests/hosts/install.sh
mkdir /run/viommud-sight
# A container has no kernel of its own.
if [ ! -e "$modules" ]; then
    mkdir -p "$modules"
    echo 'kernel/drivers/iommu/iommufd/iommufd.ko.xz:' >"$modules/modules.dep"
    echo 'alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci' >"$modules/modules.alias"
    echo 'vfio vfio/vfio c10:196' >"$modules/modules.devname"
fi
mkdir -p /etc/modprobe.d
echo 'options vfio_iommu_type1 allow_unsafe_interrupts=1 dma_entry_limit=1234' >/etc/modprobe.d/sight.conf

run 0 'root asks outside' '' viommuctl --system host --json
jq -S "$same_for_all" "$work/out" >"$work/outside.json"
run 0 'the user of the service asks inside' '' confined sight-host '/usr/bin/viommuctl --system host --json'
jq -S "$same_for_all" /run/viommud-sight/sight-host >"$work/inside.json"
run 0 'both are told the same' '' diff "$work/outside.json" "$work/inside.json"
check 'of drivers for VFIO' fact '.topology["vfio-drivers"] | length > 0'
check 'of VFIO itself' fact '.topology.vfio'
check 'of iommufd' fact '.topology | has("iommufd") and has("iommufd-loadable")'
check 'of vsock for guests' fact '.topology | has("vhost-vsock")'
check 'of what modprobe would set' fact '.topology["unsafe-interrupts"] and .topology["dma-entry-limit"] == 1234'
run 0 'the command line is visible inside' '' confined sight-line '/bin/cat /proc/cmdline'
run 0 'and the same' '' diff /proc/cmdline /run/viommud-sight/sight-line
run 0 'so are swaps' '' confined sight-swaps '/bin/cat /proc/swaps'
run 0 'and journals of ext4' '' confined sight-journals '/bin/ls /proc/fs'
check 'as outside' sh -c 'ls /proc/fs | diff - /run/viommud-sight/sight-journals'

# --- A guest that viommud does not know ---

planned() {
    busctl --json=short call org.viommu1 /org/viommu1 org.viommu1.Manager Plan 'a{sv}' 1 guest 'a{sv}' 1 os s "$1"
}
mkdir -p /usr/share/osinfo/os/haiku-os.org
echo '<libosinfo><os><short-id>haiku-r1</short-id><name>Haiku R1</name><family>beos</family></os></libosinfo>' \
    >/usr/share/osinfo/os/haiku-os.org/haiku-r1.xml
run 0 'the service is started' '' systemctl start viommud
run 0 'it says what osinfo-db knows of a guest' "osinfo-db knows guest.os 'haiku-r1' as 'Haiku R1' \(beos," planned haiku-r1
run 0 'and plans for one that nobody knows' '"q35"' planned haiku-r9
check 'without a word of it' sh -c "! grep osinfo '$work/out'"

# --- It may see modules, and load none ---

run 0 'the service has a filter of system calls' '^read$|[ ]read( |$)' systemctl show -P SystemCallFilter viommud
check 'with none for modules' sh -c "! grep -qE '(init|finit|delete)_module' '$work/out'"
confined sight-status '/bin/grep ^CapBnd: /proc/self/status'
run 0 'nor has it a capability' '^CapBnd:.0+$' sh -c 'cat /run/viommud-sight/sight-status'
# --- Metrics, over a socket that the service itself could not open ---

metrics() { bash -c 'exec 3<>/dev/tcp/127.0.0.1/9758 && printf "GET /metrics HTTP/1.1\r\n\r\n" >&3 && timeout 10 cat <&3'; }

run 1 'metrics are off' '' metrics
run 0 'a site enables them' '' systemctl enable viommud-metrics.socket
run 0 'and starts both' '' sh -c 'systemctl stop viommud && systemctl start viommud-metrics.socket viommud'
run 0 'Prometheus can read them' '^viommud_connected [01]$' metrics
run 0 'a restart keeps the socket' '' systemctl restart viommud
run 0 'which is served again' '^# EOF' metrics
finish
