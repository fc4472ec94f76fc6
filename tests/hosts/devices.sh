#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# devices: the site decides which users may have devices and networks of a real host, with the
# service as installed.  The PCI devices are made up, below a directory that the service reads in
# place of "/".  Run by "host devices", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# shellcheck source=tests/hosts/members.sh
. tests/hosts/members.sh
hardware=/srv/hardware
site=/etc/viommud/viommud.conf.d/site.conf

# call USER MEMBER SIGNATURE ARGUMENT...: calls the manager, without an authentication agent.
call() {
    runuser -u "$1" -- busctl --allow-interactive-authorization=no call org.viommu1 /org/viommu1 org.viommu1.Manager "${@:2}"
}

# plan USER KEY VALUE [KEY VALUE]: a plan with one device.
plan() {
    local user=$1 words=()
    shift
    while [ $# -gt 0 ]; do
        words+=("$1" s "$2")
        shift 2
    done
    call "$user" Plan 'a{sv}' 2 arch s x86_64 hostdevs 'aa{sv}' 1 $((${#words[@]} / 3)) "${words[@]}"
}

# network USER TYPE SOURCE: a plan with one network.
network() {
    call "$1" Plan 'a{sv}' 2 arch s x86_64 networks 'aa{sv}' 1 2 type s "$2" source s "$3"
}

# launch USER HOSTDEV: with viommuctl; HOSTDEV is JSON.
launch() {
    runuser -u "$1" -- viommuctl --system launch - <<<"{\"arch\": \"x86_64\", \"memory\": \"64 MiB\", \"hostdevs\": [$2]}"
}

# passes NAME COMMAND...: policy does not refuse it.  The host may allow no locked memory, which is
# checked later.
passes() {
    local name=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq 0 ] || ! grep -q 'of locked memory' "$work/err" || status=0
    report "$name" "$status"
}

# silent: the output mentions none of this host's devices.
silent() {
    ! grep -E '0000:0[2346]:00|nvme|i40e|nouveau|mounted' "$work/out" "$work/err"
}

settle() {
    systemctl daemon-reload
    systemctl reset-failed viommud 2>/dev/null
    systemctl restart viommud
}

# write FILE TEXT
write() {
    mkdir -p "$hardware/$(dirname "$1")"
    printf '%s\n' "$2" >"$hardware/$1"
}

# device ADDRESS VENDOR DEVICE CLASS GROUP [DRIVER]
device() {
    local place=sys/devices/pci0000:00/$1
    write "$place/vendor" "0x$2"
    write "$place/device" "0x$3"
    write "$place/class" "0x$4"
    mkdir -p "$hardware/sys/bus/pci/devices" "$hardware/sys/kernel/iommu_groups/$5/devices"
    ln -s "../../../devices/pci0000:00/$1" "$hardware/sys/bus/pci/devices/$1"
    ln -s "../../../kernel/iommu_groups/$5" "$hardware/$place/iommu_group"
    [ -z "${6:-}" ] || { mkdir -p "$hardware/sys/bus/pci/drivers/$6" && ln -s "../../../bus/pci/drivers/$6" "$hardware/$place/driver"; }
}

members_and_service
groupadd ml
systemctl restart viommud

# --- This host as it is: no IOMMU; a user with no permission learns only that ---

for user in ci stranger; do
    run 1 "$user may have no device, on a host without IOMMU" 'is not among the devices that this site offers' plan "$user" address 0000:01:00.0
    check 'and learns nothing of it' silent
done
run 4 'a launch is refused by policy' 'is not among the devices that this site offers' launch ci '{"address": "0000:01:00.0"}'
run 1 'root is told what the host lacks' "hostdevs need the host's own IOMMU" plan root address 0000:01:00.0
run 1 'no network of libvirt' '\[networks\] networks in viommud.conf' network ci network default
run 1 'no bridge' '\[networks\] bridges in viommud.conf' network ci bridge br0
run 0 'type user is for everybody' '' call ci Plan 'a{sv}' 2 arch s x86_64 networks 'aa{sv}' 1 1 type s user
run 0 'root has any network' '' network root bridge br0

pid=$(systemctl show -P MainPID viommud)
run 0 'the service sees what process 1 has mounted' ' - ' nsenter -t "$pid" -m -S "$(id -u viommu)" cat /proc/1/mountinfo
check 'it has a network of its own' test "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/1/ns/net)"
run 0 'and sees the one of process 1' 'lo:' nsenter -t "$pid" -m -S "$(id -u viommu)" cat /proc/1/net/dev

# sees_ports: the service's /sys has each port of process 1's network; sysfs shows the network that
# it was mounted in.
sees_ports() {
    virsh -q net-start bridged && sed -n 's/^ *\([^ :]*\):.*/\1/p' /proc/1/net/dev >"$work/ports" && grep -q virbr9 "$work/ports" || return 1
    while read -r port; do
        nsenter -t "$pid" -m -n test -e "/sys/class/net/$port" || return 1
    done <"$work/ports"
}
printf "<network><name>bridged</name><bridge name='virbr9'/></network>\n" >"$work/network.xml"
virsh -q net-define "$work/network.xml"
check 'with what the kernel says of its ports' sees_ports

# --- A host with devices ---

write sys/firmware/acpi/tables/FACP x
write proc/sys/kernel/osrelease 6.12.43
write dev/vfio/vfio ''
device 0000:01:00.0 8086 1572 020000 1 vfio-pci
device 0000:02:00.0 144d a808 010802 2 nvme
device 0000:03:00.0 10de 1eb8 030200 3
device 0000:04:00.0 8086 1573 020000 4 i40e
device 0000:07:00.0 8086 1573 020000 7 i40e
device 0000:05:00.0 10de 2330 030200 5 vfio-pci
device 0000:05:00.1 10de 22a3 040300 5 vfio-pci
device 0000:06:00.0 1a03 2000 030000 6
device 0000:06:00.1 10de 22a4 040300 6
write sys/devices/pci0000:00/0000:06:00.0/boot_vga 1
write sys/devices/pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1/dev 259:0
write sys/devices/pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1/nvme0n1p2/dev 259:2
write sys/devices/pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1/nvme0n1p2/partition 2
write sys/devices/pci0000:00/0000:04:00.0/net/eth7/operstate down
write sys/devices/pci0000:00/0000:07:00.0/net/eth8/operstate down
mkdir -p "$hardware/sys/block" "$hardware/sys/class/net"
ln -s ../devices/pci0000:00/0000:02:00.0/nvme/nvme0/nvme0n1 "$hardware/sys/block/nvme0n1"
ln -s ../../devices/pci0000:00/0000:04:00.0/net/eth7 "$hardware/sys/class/net/eth7"
ln -s ../../devices/pci0000:00/0000:07:00.0/net/eth8 "$hardware/sys/class/net/eth8"
write proc/1/mountinfo '22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw'
write proc/swaps Filename
write proc/1/net/dev "$(printf '  eth7: 0\n  eth8: 0')"
write proc/1/net/route "$(printf 'Iface\neth7\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000')"
write lib/modules/6.12.43/modules.alias 'alias vfio_pci:v000015B3d* mlx5_vfio_pci'
mkdir -p /etc/systemd/system/viommud.service.d /etc/viommud/viommud.conf.d
daemon=$(systemctl cat viommud | sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' | head -n 1)
# A recording is read with openat2(), so that no link leads out of it; RestrictSUIDSGID= forbids
# that call.
printf '[Service]\nRestrictSUIDSGID=no\nExecStart=\nExecStart=%s --system --root=%s\n' "$daemon" "$hardware" >/etc/systemd/system/viommud.service.d/root.conf
settle

for user in ci stranger; do
    for asked in 'address 0000:01:00.0' 'address 0000:02:00.0' 'address 0000:77:00.0' 'vendor 144d device a808' 'name gpus'; do
        # shellcheck disable=SC2086  # words
        run 1 "$user may not have $asked" 'is not among the devices that this site offers' plan "$user" $asked
        check 'and learns nothing' silent
    done
done
run 1 'root may not have the disk of the root file system' 'in use by the host itself: nvme0n1p2 is mounted at /;' plan root address 0000:02:00.0
run 1 'nor the only way into the network' 'eth7 carries the default route' plan root address 0000:04:00.0
run 1 'nor what shares a group with the display, which has no driver' "shares IOMMU group 6 with '0000:06:00.0', which is in use by the host itself: it is the display" plan root address 0000:06:00.1
run 4 'nor by a launch' 'nvme0n1p2 is mounted at /' launch root '{"address": "0000:02:00.0"}'
passes 'root may have what is free' plan root address 0000:03:00.0
run 1 'root names no driver but those made for VFIO' 'is not a VFIO driver' plan root address 0000:01:00.0 driver e1000e

# --- What an administrator permits once ---

run 0 'polkit knows the action' 'auth_admin$' pkaction --verbose --action-id org.viommu1.assign-device
check 'and keeps no yes' bash -c "! grep -q auth_admin_keep '$work/out'"
for asked in 0000:03:00.0 0000:04:00.0 0000:77:00.0; do
    run 1 "$asked needs an administrator's leave" 'assign-device would allow it: polkit needs a password' call ci Launch 'a{sv}' 2 arch s x86_64 hostdevs 'aa{sv}' 1 1 address s "$asked"
    check 'which tells nothing of it' silent
done
printf '{"name": "granted", "arch": "x86_64", "memory": "64 MiB", "hostdevs": [{"address": "%s"}]}\n' 0000:04:00.0 >"$work/used.json"
printf '{"name": "granted", "arch": "x86_64", "memory": "64 MiB", "hostdevs": [{"address": "%s"}]}\n' 0000:03:00.0 >"$work/free.json"
chmod 755 "$work"
chpasswd <<<'root:open-sesame'
question="to assign the host device 0000:04:00.0 \(ID 8086:1573, driver i40e\) to the virtual machine 'granted' of the user with the UID $(id -u ci)"
run 4 'polkit asks, with what is to be given' "$question" tests/hosts/ask.py ci open-sesame '' viommuctl --system launch "$work/used.json"
check 'but what the host uses nobody gives away' grep -q 'eth7 carries the default route' "$work/out"
run 4 'with a wrong password' 'assign-device would allow it: polkit' tests/hosts/ask.py ci open-barley '' viommuctl --system launch "$work/used.json"
check 'nothing is said of it' bash -c "! grep -q 'eth7' '$work/out'"
mkdir -p /etc/polkit-1/rules.d
cat >/etc/polkit-1/rules.d/10-assign.rules <<'END'
polkit.addRule(function(action, subject) {
    if (action.id == "org.viommu1.assign-device" && subject.user == "ci" && action.lookup("address") == "0000:03:00.0" &&
        action.lookup("machine") == "granted" && action.lookup("vendor") == "10de" && action.lookup("device") == "1eb8" && action.lookup("driver") == "none")
        return polkit.Result.YES;
});
END
# granted: the site's rule permits it; libvirt, which sees the real host, has no such device.
granted() {
    runuser -u ci -- viommuctl --system launch "$work/free.json" >"$work/out" 2>"$work/err"
    ! grep -qE 'is not among|polkit' "$work/err"
}
check "with the site's leave no password is asked for" until_true 10 granted
run 4 'for that device only' 'polkit needs a password' runuser -u ci -- viommuctl --system launch "$work/used.json"
sed 's/granted/other/' "$work/free.json" >"$work/other.json"
run 4 'and that machine' 'polkit needs a password' runuser -u ci -- viommuctl --system launch "$work/other.json"
run 4 'another member has no such leave' 'polkit needs a password' runuser -u mate -- viommuctl --system launch "$work/free.json"
rm /etc/polkit-1/rules.d/10-assign.rules

# --- What the site lists ---

cat >"$site" <<'END'
[devices]
allow=8086:1572;8086:1573;144d:a808;10de:2330;10de:22a4;gpus
[device gpus]
match=10de:1eb8
group=ml
per-user=1
[networks]
networks=inside;lab;pool;listed!;ghost
END
settle
passes 'a listed device' plan ci address 0000:01:00.0
run 1 'not to an outsider' 'user [0-9]+ may have no device of this host' plan stranger address 0000:01:00.0
run 1 'nobody takes the disk of the root file system' 'take-from-driver=no' plan ci address 0000:02:00.0
run 1 'nor a port of the host by its driver' 'take-from-driver=no' plan ci address 0000:04:00.0
run 1 'nor a driver of any kind' 'is not a VFIO driver' plan ci address 0000:01:00.0 driver kvm
run 1 'nor a group with a device that is kept for others' 'shares IOMMU group 5 with a device that this site keeps for others' plan ci address 0000:05:00.0
check 'which is not named' bash -c "! grep -q 0000:05:00.1 $work/err"
run 1 'nor a group with a device that the host uses' 'shares IOMMU group 6 with a device that the host itself uses' plan ci address 0000:06:00.1
check 'which is not named either' bash -c "! grep -q 0000:06:00.0 $work/err"
run 1 'nor one of them by its kind' 'of 10de:2330, but this host can assign 0' plan ci vendor 10de device 2330
run 1 'a name is for its group' 'is not among the devices that this site offers' plan ci name gpus
check 'and its devices are not named' bash -c "! grep -q 0000:03:00 $work/err"
run 1 'by whatever words' 'is not among the devices that this site offers' plan ci address 0000:03:00.0
usermod -aG ml ci
passes 'a member of the group may ask by the name' plan ci name gpus
run 1 'another may not' 'is not among' plan mate name gpus
run 4 'nobody has more than his part' 'each user may have 1' launch ci '{"name": "gpus", "count": 2}'
printf '[devices]\ntake-from-driver=yes\nin-use=root\n' >/etc/viommud/viommud.conf.d/take.conf
settle
run 1 'a driver may be taken from, but a mounted disk is nobody'"'"'s' "in use by the host itself: nvme0n1p2 is mounted at /; ask this host's administrator" plan ci address 0000:02:00.0
run 1 'nor the way into the network' 'in use by the host itself: eth7 carries the default route' plan ci address 0000:04:00.0
passes 'but a port that is idle is a member'"'"'s' plan ci address 0000:07:00.0
passes 'root may insist where the site says so' plan root address 0000:02:00.0
run 0 'what is in force is printed with its origin' 'take.conf:2' "$daemon" --print-config
check 'the sections as well' grep -A 2 '^\[device gpus\]' "$work/out"

viommuctl doctor >"$work/out" 2>"$work/err"
check 'doctor says what is listed for whom' grep -qE "^site +ok +'gpus' \(10de:1eb8\) is for members of group ml, at most 1 per user" "$work/out"
check 'and that root may take what the host uses' grep -qE '^site +warning +root may assign devices' "$work/out"
run 0 'host says what the host uses' 'in use by the host: nvme0n1p2 is mounted at /' viommuctl host --root "$hardware"
check 'and what others than root may have' grep -qE '0000:01:00.0 .*, available to users other than root' "$work/out"

# --- Networks are judged by where they lead ---

define() {
    printf '%s\n' "$1" >"$work/network.xml"
    virsh -q net-define "$work/network.xml"
}
check 'networks are defined' define "<network><name>inside</name><forward mode='nat'/><bridge name='virbr7'/><ip address='192.168.77.1' netmask='255.255.255.0'/></network>"
check 'one on a bridge' define "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/></network>"
check 'one on a bridge that is listed' define "<network><name>listed</name><forward mode='bridge'/><bridge name='br0'/></network>"
check 'a pool of devices' define "<network><name>pool</name><forward mode='hostdev' managed='yes'><pf dev='eth7'/></forward></network>"
run 0 'NAT is libvirt'"'"'s own' '' network ci network inside
run 1 'a bridge of the host is not' "forward mode 'bridge'" network ci network lab
run 1 'a pool of devices is not' "forward mode 'hostdev'" network ci network pool
run 0 'unless the site insists' '' network ci network listed
run 1 'one that is not there' 'libvirt does not report' network ci network ghost
run 1 'whose name tries to be more' 'is not among the libvirt networks' network ci network 'listed!'
run 0 'root names any' '' network root network pool
virsh -q net-undefine inside
check 'the listed one leads elsewhere now' define "<network><name>inside</name><forward mode='hostdev' managed='yes'><pf dev='eth7'/></forward></network>"
run 1 'and is judged anew' "forward mode 'hostdev'" network ci network inside
user_network() {
    call "$1" Plan 'a{sv}' 2 arch s x86_64 networks 'aa{sv}' 1 1 type s user
}
run 0 'type user is for members until the site says otherwise' '' user_network ci
printf '[networks]\nuser=no\n' >/etc/viommud/viommud.conf.d/user.conf
settle
run 1 "QEMU's own network can be kept for root, too" '\[networks\] user=no' user_network ci
run 0 'who has it all the same' '' user_network root

finish
