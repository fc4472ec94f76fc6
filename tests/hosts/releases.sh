#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# releases: running machines outlive an upgrade from the previous release, a downgrade to it, and
# another upgrade.  Run by "host --installed --previous --guest=x86_64-debian13 releases", as root,
# in the host.  No machine here has an assigned device, because a container has no device for VFIO,
# or a TPM, because no request can have one.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
guest_files=/viommu-guests/x86_64-debian13
boot='"memory": "512 MiB", "iommu": {"model": "intel"}, "boot": {"kernel": "'$guest_files'/vmlinuz", "initrd": "'$guest_files'/initrd",
    "cmdline": "console=ttyS0 panic=-1 no_timer_check viommu.report viommu.stay"}'

# as USER VERB...
as() {
    runuser -u "$1" -- viommuctl --system "${@:2}"
}

# launch USER NAME [MORE]: MORE are further keys of the request.  Waits until the machine is
# $phase.
phase=started
launch() {
    as "$1" launch --wait="$phase" - <<<"{\"name\": \"$2\", \"accelerator\": \"tcg\", ${3:-\"memory\": \"64 MiB\"}}"
}

# hold: more launches than may run at once, while libvirtd does not answer: some hang, and the
# others wait in the queue.
hold() {
    local i
    held=()
    libvirtd=$(systemctl show -P MainPID libvirtd)
    kill -STOP "$libvirtd"
    for i in {1..10}; do
        launch root "held$i" >"$work/held$i" 2>&1 &
        held+=($!)
    done
    until_true 20 sh -c "[ \$(viommuctl list --json | jq 'map(select(.name | startswith(\"held\"))) | length') -ge 6 ]"
}

# released: all launches failed, those in the queue because viommud ended.
released() {
    local i refused=0
    kill -CONT "$libvirtd"
    for i in {1..10}; do
        ! wait "${held[i - 1]}" || return 1
        cat "$work/held$i"
        if grep -q 'viommud is' "$work/held$i"; then refused=$((refused + 1)); fi
    done
    [ "$refused" -ge 4 ]
}
nothing_there() {
    viommuctl host >/dev/null && [ "$(viommuctl list --json | jq length)" = 0 ] && [ -z "$(virsh -q list --all --name)" ]
}

property() {
    viommuctl show "$1" --json | jq -r ".$2"
}

# facts: what both releases report of all machines, and nothing may change.
facts() {
    viommuctl list --json | jq -r '.[].name' | while read -r name; do
        viommuctl show "$name" --json | jq -cS '{Name, UUID, State, Owner, Arch, MachineType, Accelerator, VCPUs, Memory,
            MemlockBytes, IommuModel, Hostdevs, Reasons, Warnings, RequestId, LeaseEnd, QueuePosition, Created}'
    done | sort
}

# same_facts FILE [EDIT]: they are unchanged, except for sed's EDIT.
same_facts() {
    facts >"$work/facts"
    diff <(sed -e "${2:-}" "$1" | sort) "$work/facts"
}

# The commands of a package's upgrade.
previous() {
    tar -C /viommu/previous-stage -c . | tar -C / -x --keep-directory-symlink --no-same-owner &&
        env -u DESTDIR MESON_INSTALL_PREFIX=/usr sh /viommu/previous/conf/after-install && changed
}
present() {
    tests/hosts/install.sh && changed
}
changed() {
    since=$(date '+%F %T')
    systemctl daemon-reload
    systemctl reset-failed viommud 2>/dev/null
    systemctl try-restart viommud
}

# runs_build STAGE: that build is running.
runs_build() {
    cmp "/proc/$(systemctl show -P MainPID viommud)/exe" "$1/usr/bin/viommud"
}

# viommud has logged no warning since it was replaced.
says_nothing_bad() {
    journalctl --sync
    journalctl --no-pager -o cat _SYSTEMD_UNIT=viommud.service --since="$since" -p warning >"$work/out"
    ! grep . "$work/out"
}

gone() {
    ! virsh -q list --all --uuid | grep -F "$1"
}

prints_its_facts() {
    until_true 200 grep -a '=== viommu end' "$(property "$1" ConsoleLog)"
}

# begin_bound NAME: a machine that ends with its client, which is process $bound.
begin_bound() {
    runuser -u ci -- viommuctl --system launch --bind=client --wait=started - \
        <<<"{\"name\": \"$1\", \"accelerator\": \"tcg\", \"memory\": \"64 MiB\"}" >"$work/bound" 2>&1 &
    bound=$!
    until_true 60 test -s "$work/bound"
}

nvram_of() {
    virsh -q dumpxml "$(property "$1" UUID)" | sed -n 's,.*<nvram[^>]*>\(.*\)</nvram>.*,\1,p'
}

# --- The previous release, and its machines ---

for user in ci mate; do
    useradd --create-home "$user"
done
run 0 'the previous release is installed' '' previous
run 0 'and started' '' systemctl enable --now viommud
check 'it is that one' runs_build /viommu/previous-stage
for user in ci mate; do
    usermod -aG viommu "$user"
done
run 0 'a machine of root' '^rooted$' launch root rooted
run 0 'one of a member' '^plain$' launch ci plain
phase=verified run 0 'one with an IOMMU and a kernel, which proves itself' '^booted$' launch ci booted "$boot"
run 0 'one with UEFI, and its variables' '^efi$' launch ci efi '"memory": "64 MiB", "boot": {"firmware": "efi"}, "request-id": "once"'
run 0 'one with a lease' '^leased$' launch ci leased '"memory": "64 MiB", "lease": {"seconds": 900}'
run 0 'which is extended' '' as ci extend leased 1800
run 0 'one of another member' '^others$' launch mate others
check 'one that is bound to a client' begin_bound bound
bound_uuid=$(property bound UUID)
run 0 'one whose guest has ended' '^ended$' launch ci ended
virsh -q destroy "$(property ended UUID)"
check 'it has' until_true 20 sh -c 'viommuctl list | grep "ended *stopped"'
check 'the kernel runs' prints_its_facts booted
run 0 'one with a short lease' '^short$' launch ci short '"memory": "64 MiB", "lease": {"seconds": 45}'
short=$(property short UUID) short_until=$((SECONDS + 45)) nvram=$(nvram_of efi)
check 'the variables are there' test -s "$nvram"
former=$(property booted ConsoleLog)
facts >"$work/first"
check 'nine machines' test "$(wc -l <"$work/first")" -eq 9

# --- Upgrade ---

run 0 'this release takes its place' '' present
check 'it runs' runs_build /viommu/stage
check 'all machines are as they were' same_facts "$work/first"
check 'and nothing is wrong' says_nothing_bad
run 0 'the console log has moved' 'var/log/viommu' property booted ConsoleLog
check 'from the former directory' until_true 20 test ! -e "$former"
check 'with what was printed before' grep -a '=== viommu end' "$(property booted ConsoleLog)"
run 0 'the same request is answered with the same machine' '^efi$' \
    launch ci efi '"memory": "64 MiB", "boot": {"firmware": "efi"}, "request-id": "once"'
run 0 'the lease is extended' '' as ci extend leased 3600
run 0 'its owner sees what is stored' 'machine .*version=' as ci xml leased
run 4 'another member may not end a machine' 'polkit needs a password' as mate kill plain
run 0 'its owner may' '' as ci kill plain
kill "$bound"
check 'the bound one goes with its client' until_true 30 gone "$bound_uuid"
run 0 'the ended one is removed' '' as ci kill ended
check 'the short lease ends its machine' until_true $((short_until - SECONDS + 40)) gone "$short"

# --- Machines of this release ---

run 0 'this release launches, too: for root' '^new-rooted$' launch root new-rooted
run 0 'for a member' '^new-plain$' launch ci new-plain
phase=verified run 0 'with a kernel, which proves itself' '^new-booted$' launch ci new-booted "$boot"
run 0 'with UEFI' '^new-efi$' launch ci new-efi '"memory": "64 MiB", "boot": {"firmware": "efi"}, "request-id": "twice"'
run 0 'with a lease' '^new-leased$' launch ci new-leased '"memory": "64 MiB", "lease": {"seconds": 900}'
check 'bound to a client' begin_bound new-bound
new_bound_uuid=$(property new-bound UUID)
check 'its kernel runs' prints_its_facts new-booted
run 0 'with a short lease' '^new-short$' launch ci new-short '"memory": "64 MiB", "lease": {"seconds": 40}'
new_short=$(property new-short UUID) short_until=$((SECONDS + 40)) new_nvram=$(nvram_of new-efi) kernels=$(ls /var/lib/viommu/boot | wc -l)
facts >"$work/second"
check 'twelve machines' test "$(wc -l <"$work/second")" -eq 12

# --- Downgrade ---

run 0 'the previous release takes its place' '' previous
check 'it runs' runs_build /viommu/previous-stage
check 'all machines are as they were, under the names of their domains' same_facts "$work/second" 's/"Name":"new-/"Name":"viommu-new-/'
check 'and nothing is wrong' says_nothing_bad
check 'copies of kernels are as many as before' test "$(ls /var/lib/viommu/boot | wc -l)" -eq "$kernels"
run 0 'a lease is extended' '' as ci extend viommu-new-leased 1200
run 4 'another member may not end a machine' '' as mate kill viommu-new-plain
run 0 'its owner may' '' as ci kill viommu-new-plain
kill "$bound"
check 'the bound one goes with its client' until_true 30 gone "$new_bound_uuid"
check 'the short lease ends its machine' until_true $((short_until - SECONDS + 40)) gone "$new_short"
run 0 'a machine of the previous release, once more' '^again$' launch ci again
facts >"$work/third"

# --- Upgrade again ---

run 0 'this release takes its place' '' present
check 'it runs' runs_build /viommu/stage
check 'all machines are as they were, under their own names' same_facts "$work/third" 's/"Name":"viommu-new-/"Name":"new-/'
check 'and nothing is wrong' says_nothing_bad
check 'its console log is whole' grep -a '=== viommu end' "$(property new-booted ConsoleLog)"
check 'one machine has one log' until_true 20 sh -c "[ \$(ls /var/log/viommu/console /run/viommud/console | grep -c $(property new-booted UUID)) = 1 ]"
for name in rooted booted efi leased others new-rooted new-booted new-efi new-leased again; do
    run 0 "$name is ended" '' viommuctl kill "$name"
done
run 0 'no machine is left' '^0$' sh -c 'viommuctl list --json | jq length'
check 'nor a domain' test -z "$(virsh -q list --all --name)"
check 'nor variables of its firmware' test ! -e "$nvram" -a ! -e "$new_nvram"
check 'nor a copy' until_true 20 sh -c '[ -z "$(ls /var/lib/viommu/boot)" ]'

# --- Replaced while launches hang and wait ---

for release in previous present; do
    check "launches wait when the $release release takes its place" hold
    run 0 "it does: $release" '' "$release"
    check 'they fail' released
done
# The previous release may leave a domain that libvirt defines after it has looked.
check 'nothing comes of them' until_true 30 nothing_there

# --- Configuration ---

mkdir -p /etc/viommud/viommud.conf.d
later=/etc/viommud/viommud.conf.d/later.conf
printf '[limits]\ncopies=1 GiB\n' >"$later"
run 0 'this release takes a key of its own' 'copies=1 GiB' viommud --print-config
run 0 'the previous release takes its place' '' previous
check 'it runs' runs_build /viommu/previous-stage
check 'and warns of the key' grep -q "$later.*copies" <(journalctl --sync; journalctl --no-pager -o cat -u viommud --since="$since")
printf '[limits]\nvcpus=auto\n' >"$later"
run 2 'it refuses a value that it does not know, and says where' "$later:2:.*vcpus.*auto" viommud --print-config
finish
