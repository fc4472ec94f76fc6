#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# inside: a member runs a command in a guest that is made for it: its exit status, its files, and
# nothing that stays, whatever ends first.  With "all", also what takes many boots; with PARTs of
# it, only these.  Run by "host --guest=x86_64-debian13-image inside [all|PART...]", as root, in the
# host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
images=/var/lib/viommu/images
base=/viommu-guests/x86_64-debian13-image/disk.qcow2
boots=600 # seconds in which an emulated guest must be up; a quiet host needs a tenth

# as USER COMMAND...: in the user's home, with a runtime directory, as a session has it.
as() {
    runuser -u "$1" -- env -C "$(getent passwd "$1" | cut -d : -f 6)" XDG_RUNTIME_DIR="/run/user/$(id -u "$1")" "${@:2}"
}

# A guest from the site's image.
request=("disks.0.path=$images/debian13.qcow2" disks.0.format=qcow2 disks.0.overlay=true guest.os=debian13-cloud guest.agent=true
    accelerator=tcg memory=1G --iommu=intel)

# inside OPTION... -- COMMAND...: in such a guest of $owner.
owner=ci
inside() {
    as "$owner" viommuctl --system run "${request[@]}" --timeout="$boots" "$@"
}

# begin NAME OPTION... -- COMMAND...: in the background; its output is in $work/NAME, its process in
# $begun.
begin() {
    local name=$1
    shift
    inside --name="$name" --inside "$@" >"$work/$name" 2>&1 &
    begun=$!
}

# up NAME: the command of begin runs in the guest.
up() {
    until_true "$boots" runs_or_ended "$1"
    check 'the command runs' grep -qx up "$work/$1"
}
runs_or_ended() {
    grep -qx up "$work/$1" || ! kill -0 "$begun"
}

# ends_with STATUS: what begin started.
ends_with() {
    local status=0
    wait "$begun" || status=$?
    echo "ended with $status"
    [ "$status" -eq "$1" ]
}

ctl_pid() {
    pgrep -u ci -f "^viommuctl .*--name=$1 "
}

has_state() {
    [ "$(viommuctl list --json | jq -r ".[] | select(.name == \"$1\").state")" = "$2" ]
}

# What a machine may leave: a domain, a QEMU, an overlay or seed, a port.
leftovers() {
    virsh -q list --all --name
    pidof qemu-system-x86_64
    find /var/lib/viommu/boot -mindepth 1
    ss -Hltn 'src 127.0.0.1'
}

# Also those of a viommuctl that was killed, once another one has run.
no_key_is_left() {
    ! find "/run/user/$(id -u ci)/viommu" -name 'key*' 2>/dev/null | tee -a "$work/err" | grep -q .
}

nothing_is_left() {
    [ -z "$(leftovers | grep . | tee -a "$work/err")" ]
}

# is_over NAME: what begin started has ended, and nothing is left.
is_over() {
    check "$1: viommuctl ends" until_true 120 sh -c "! kill -0 $begun"
    check 'and nothing is left' until_true 60 nothing_is_left
    check 'the base is as it was' base_is_as_before
}

base_is_as_before() {
    [ "$(stat -c '%s %Y %U:%G %a' "$images/debian13.qcow2") $(sha256sum <"$images/debian13.qcow2")" = "$before" ]
}

# --- A command, its status and its files, after a failure ---

part_command() {
    as ci ssh-keygen -q -t ed25519 -N '' -f /home/ci/other-key
    # shellcheck disable=SC2016  # expanded in the guest
    begin first --get=/root/result -- sh -c 'echo up; until [ -e go ]; do sleep 1; done
test -e /sys/class/iommu/dmar0 && test ! -t 0 && echo "$1" >result; exit 7' - 'two  words' </dev/null
    up first
    run 0 'another command logs in with the same key' '^root$' as ci viommuctl --system ssh first -- id -un
    run 255 'a wrong key is refused' 'Permission denied' as ci viommuctl --system ssh first --key=/home/ci/other-key -- true
    check 'its agent answers' until_true "$boots" as ci viommuctl --system exec first -- true
    run 7 'a command by the agent' '^by the agent$' as ci viommuctl --system exec first -- sh -c 'echo by the agent; exit 7'
    run 0 'its input' '^typed$' as ci viommuctl --system exec first -- cat <<<typed
    run 4 'not for another member' 'belongs to another user' as other viommuctl --system --no-ask-password exec first -- true
    run 0 'the first may end' '' as ci viommuctl --system ssh first -- touch go
    check 'a command fails in the guest' ends_with 7
    check 'its file is out, and the guest had its IOMMU' grep -qx 'two  words' /home/ci/result
    check 'nothing is left' until_true 60 nothing_is_left
    check 'not even the key' no_key_is_left
    check 'the base is as it was' base_is_as_before
}

# --- What ends before the guest is up ---

part_client() {
    begin client -- true
    check 'a guest boots' until_true 60 has_state client running
    check 'from an overlay, with a seed' test "$(find /var/lib/viommu/boot -mindepth 1 | wc -l)" -ge 2
    kill -KILL "$(ctl_pid client)"
    is_over 'viommuctl is killed'
}

part_early() {
    begin terminal -- true
    check 'a guest boots' until_true 60 has_state terminal running
    kill -INT "$(ctl_pid terminal)"
    is_over 'viommuctl is interrupted'
    check 'no key is left' until_true 20 no_key_is_left
    begin daemon -- true
    check 'a guest boots' until_true 60 has_state daemon running
    systemctl kill --signal=KILL --kill-who=main viommud
    check 'viommud is killed, and the run goes on with the next one' ends_with 0
    is_over 'it'
}

# --- Other exit statuses ---

part_statuses() {
    run 0 'README: the IOMMU is there' '' inside --inside -- sh -c 'test -e /sys/class/iommu/dmar0'
    # shellcheck disable=SC2016  # expanded in the guest
    run 137 'a command that is killed' '' inside --inside -- sh -c 'kill -KILL $$'
    check 'nothing is left' until_true 60 nothing_is_left
}

# --- Four at once ---

part_four() {
    for i in 1 2 3 4; do
        begin "four$i" -- sh -c "echo $i >/root/number; sync; cat /root/number"
        four[i]=$begun
    done
    check 'four boot at once from one base' until_true 120 sh -c '[ "$(viommuctl list | grep -c "four. *running")" -eq 4 ]'
    check 'each at a port of its own' until_true 60 sh -c '[ "$(ss -Hltn "src 127.0.0.1" | wc -l)" -eq 4 ]'
    for i in 1 2 3 4; do
        check "number $i ends" wait "${four[i]}"
        check 'with what it wrote itself' grep -qx "$i" "$work/four$i"
    done
    check 'nothing is left' until_true 60 nothing_is_left
    check 'the base is as it was' base_is_as_before
}

# --- What ends while the command runs ---

part_late() {
    begin victim -- sh -c 'echo up; exec sleep 3600'
    up victim
    pkill -u ci -KILL -x ssh
    is_over 'ssh is killed'
    begin off -- sh -c 'echo up; systemctl poweroff; exec sleep 3600'
    up off
    is_over 'the guest powers off'
    wait "$begun"
    check 'which is not a success' test $? -ne 0
    begin virt -- sh -c 'echo up; sleep 30; echo still here; exit 5'
    up virt
    systemctl kill --signal=KILL --kill-who=main libvirtd
    check 'libvirtd is killed, and the command goes on' until_true 120 grep -qx 'still here' "$work/virt"
    is_over 'it'
    begin qemu -- sh -c 'echo up; exec sleep 3600'
    up qemu
    kill -KILL "$(pidof qemu-system-x86_64)"
    is_over 'QEMU is killed'
    begin late -- sh -c 'echo up; sleep 30; echo still here; exit 5'
    up late
    systemctl kill --signal=KILL --kill-who=main viommud
    check 'viommud is killed, and the command goes on' until_true 120 grep -qx 'still here' "$work/late"
    is_over 'it'
    check 'no key is left' until_true 20 no_key_is_left
}

# --- Directories of the host, which only root may share with guests of the service ---

# shellcheck disable=SC2016  # expanded in the guest
in_share='set -e
test -e /sys/class/iommu/dmar0
mount -t virtiofs work /mnt
echo "found: $(cat /mnt/word), of user $(stat -c %u /mnt/word)"
echo from the guest >/mnt/answer
mkdir /mnt/deep
dd if=/dev/zero of=/mnt/deep/zeros bs=64k count=16 status=none
rm /mnt/word
echo up
mkdir /kept
mount -t virtiofs kept /kept
cat /kept/word
touch /kept/other'

part_directories() {
    local shares=(shares.0.path=/srv/share shares.0.tag=work)
    local failed=32 # mount's status: there is no other tag
    mkdir -p /srv/share /srv/kept
    echo from the host >/srv/share/word
    echo kept >/srv/kept/word
    chown ci: /srv/share/word
    run 4 'a member may share none' 'only root may share directories' inside "${shares[@]}" --inside -- true
    owner=root
    run 0 'the plan says what it means' "share 'work' is outside the IOMMU" \
        as root viommuctl --system plan "${request[@]}" "${shares[@]}"
    # Debian 12 has an older libvirt.
    if [ "$(. /etc/os-release && echo "$VERSION_ID")" -ge 13 ]; then
        shares+=(shares.1.path=/srv/kept shares.1.tag=kept shares.1.read-only=true) failed=1
    fi
    begin directories "${shares[@]}" -- sh -c "$in_share"
    up directories
    check 'then it fails to write where it may only read' ends_with "$failed"
    check "it saw the host's file, and its owner" grep -qx "found: from the host, of user $(id -u ci)" "$work/directories"
    check 'what it wrote is here' grep -qx 'from the guest' /srv/share/answer
    check 'all of it' test "$(stat -c %s /srv/share/deep/zeros)" -eq 1048576
    check "and root's" test "$(stat -c '%U %a' /srv/share/answer)" = 'root 644'
    check 'what it removed is gone' test ! -e /srv/share/word
    if [ "$failed" -eq 1 ]; then
        check 'it read the other directory' grep -qx kept "$work/directories"
        check 'but could not write there' grep -q 'Read-only file system' "$work/directories"
    fi
    check 'nothing is left' until_true 60 nothing_is_left
    check 'not even virtiofsd' until_true 20 sh -c '! pgrep -x virtiofsd'
    check 'the base is as it was' base_is_as_before
    owner=ci
}

# --- passt, where QEMU has no network of its own ---

# without_slirp: libvirt believes that, as it would of RHEL's QEMU.  It has kept what it found in
# QEMU, and asks again only when QEMU or libvirt changes.
without_slirp() {
    systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd
    sed -i '/netdev\.user/d' /var/cache/libvirt/qemu/capabilities/*.xml
    systemctl restart libvirtd viommud
}

# hold_ports: all that viommud may draw, until killed; its process is in $holder.
hold_ports() {
    python3 -c 'import signal, socket
taken = [socket.create_server(("127.0.0.1", port)) for port in range(61000, 65536)]
print("held", flush=True)
signal.pause()' >"$work/holder" &
    holder=$!
    until_true 60 grep -q held "$work/holder"
}

forwards() {
    viommuctl show passt --json | jq -c .Forwards
}

part_passt() {
    local before holder
    if [ "$(. /etc/os-release && echo "$VERSION_ID")" -lt 13 ]; then
        echo '# Debian 12 has a libvirt without passt'
        return
    fi
    run 0 'libvirt answers' '' virsh domcapabilities
    without_slirp
    check 'libvirt knows passt' sh -c 'virsh domcapabilities | grep "<value>passt</value>"'
    check 'and no network of QEMU' sh -c '! virsh domcapabilities | grep -A1 backendType | grep default'
    run 3 'a member is told why there is no network' 'who may not make its socket' inside --inside -- true
    owner=root
    ulimit -n 8192
    hold_ports
    run 8 'all ports are taken' 'Failed to bind port .*Address already in use' inside --inside -- true
    kill "$holder"
    check 'nothing is left' until_true 60 nothing_is_left
    begin passt -- sh -c 'echo up; until [ -e go ]; do sleep 1; done; test -e /sys/class/iommu/dmar0'
    up passt
    check 'passt has the rights of QEMU' test "$(stat -c %U "/proc/$(pgrep -o passt)")" = "$(stat -c %U "/proc/$(pidof qemu-system-x86_64)")"
    before=$(forwards)
    systemctl restart viommud
    check 'a new viommud knows the port' until_true 60 sh -c "[ '$before' = \"\$(viommuctl show passt --json | jq -c .Forwards)\" ]"
    run 0 'which leads to the guest' '^root$' as root viommuctl --system ssh passt -- sh -c 'id -un; touch go'
    check 'its IOMMU is there' ends_with 0
    check 'nothing is left' until_true 60 nothing_is_left
    check 'not even passt' until_true 20 sh -c '! pgrep passt'
    owner=ci
}

# --- The host: a member of the group, and an image of the site ---

for user in ci other; do
    useradd --create-home $user
    install -d -m 700 -o $user "/run/user/$(id -u $user)"
done
install -d -m 700 /run/user/0
# For commands through the agent: every member is trusted with libvirt's daemon here.
mkdir -p /etc/viommud/viommud.conf.d
printf '[verify]\nagent=yes\n' >/etc/viommud/viommud.conf.d/agent.conf
# This host's file systems are in memory, and small: too small for the limits of four overlays.
printf '[limits]\noverlays=64 GiB\noverlays-per-user=32 GiB\n' >/etc/viommud/viommud.conf.d/overlays.conf
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
usermod -aG viommu ci
usermod -aG viommu other
cp --sparse=always $base $images/debian13.qcow2
before="$(stat -c '%s %Y %U:%G %a' $images/debian13.qcow2) $(sha256sum <$images/debian13.qcow2)"

usual=(command client)
case ${1:-} in
'') set -- "${usual[@]}" ;;
all) set -- "${usual[@]}" early statuses four late directories passt ;;
esac
for part; do
    check "there is a part '$part'" declare -F "part_$part" && "part_$part"
done
finish
