#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# names: files that libvirt stores under a domain's name, and that are not viommud's, stay
# unchanged; and machines of other viommud versions are cared for as far as possible.  Run by "host
# names", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# shellcheck source=tests/hosts/members.sh
. tests/hosts/members.sh
state=/var/lib/libvirt/qemu

# as USER VERB...
as() {
    runuser -u "$1" -- viommuctl --system "${@:2}"
}

# launch USER NAME [MORE]: MORE are further keys of the request.
launch() {
    as "$1" launch --wait=started - <<<"{\"name\": \"$2\", \"memory\": \"64 MiB\"${3:+, $3}}"
}

uuid_of() {
    viommuctl show "$1" --json | jq -r .UUID
}

state_of() {
    viommuctl list --json | jq -r ".[] | select(.name == \"$1\").state"
}

is_in_state() {
    [ "$(state_of "$1")" = "$2" ]
}

# More often than systemd allows by itself.
restart() {
    systemctl reset-failed viommud
    systemctl restart viommud
}

# --- The service ---

members_and_service

# --- Files that root, or another user, stored under a name ---

theirs=()
for name in win11 viommu-win11; do
    theirs+=("$state/nvram/${name}_VARS.fd")
done
theirs+=("$state/save/win11.save" "$state/snapshot/win11/one.xml" "$state/checkpoint/win11/one.xml"
    /var/log/libvirt/qemu/win11.log /etc/libvirt/qemu/autostart/win11.xml "$state/channel/target/win11")
for file in "${theirs[@]}"; do
    mkdir -p "$(dirname "$file")"
    echo "root's own" >"$file"
    chmod 640 "$file"
done
# facts: everything about these files that could change.
facts() {
    stat -c '%n %U:%G %a %s %i %Y' "${theirs[@]}" "$state/snapshot/win11" "$state/checkpoint/win11" && sha256sum "${theirs[@]}"
}
facts >"$work/before"
same() {
    facts 2>&1 | diff "$work/before" -
}

run 0 'a member launches a machine of that name, with UEFI' '^win11$' launch ci win11 '"boot": {"firmware": "efi"}'
uuid=$(uuid_of win11)
run 0 'its domain has the prefix' '^viommu-win11' virsh -q domname "$uuid"
domain=$(cat "$work/out")
run 0 'users see the name that was asked for' 'win11 +running' as mate list
check 'and not the other' sh -c "! grep -q viommu-win11 '$work/out'"
run 0 'so does the journal' 'Launched machine' journalctl --no-pager -b -u viommud MACHINE_NAME=win11
# Before 9.0 libvirt removes the variables by the domain's name, so the name has part of the UUID.
nvram=$state/nvram/viommu-${uuid}_VARS.fd
[ "$domain" = viommu-win11 ] || nvram=$state/nvram/viommu-win11-${uuid%%-*}_VARS.fd
check "its firmware's variables are by UUID" test -s "$nvram"
check 'and QEMU has them open' sh -c "tr '\\0' '\\n' </proc/\$(pidof qemu-system-x86_64)/cmdline | grep -F '$nvram'"
check "files that are root's, or a former machine's, are as they were" same
run 0 'it is ended' '' as ci kill win11
check 'its variables are gone with it' test ! -e "$nvram"
check 'nothing of it is left' sh -c "! find $state /etc/libvirt /run/libvirt/qemu | grep -F -e $uuid -e $domain.xml"
check 'and the others are as they were' same
cp /bin/true /home/ci/kernel
run 8 'with a kernel that QEMU does not start' 'cannot start' launch ci win11 '"boot": {"firmware": "efi", "kernel": "/home/ci/kernel"}'
check 'they are, too' same

# --- Names that are taken, and another prefix ---

virsh -q define /dev/stdin <<'END' >/dev/null
<domain type='qemu'><name>viommu-taken</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>
END
run 5 "a domain of the site's is not taken" 'another domain already has this name' launch ci taken
run 0 'it is there' '^viommu-taken$' virsh -q list --all --name
run 0 'doctor tells of it' "leftovers +warning +domain 'viommu-taken' has the name of a machine" viommuctl doctor
virsh -q undefine viommu-taken >/dev/null
run 0 'a machine' '^kept$' launch ci kept
mkdir -p /etc/viommud/viommud.conf.d
printf '[machine]\nname-prefix=site.\n' >/etc/viommud/viommud.conf.d/prefix.conf
run 0 'and another prefix' '' restart
run 0 'the machine is found by its name' 'kept +running' viommuctl list
run 0 'whose domain is as it was' '^viommu-kept$' virsh -q domname "$(uuid_of kept)"
run 5 'it has its name still' "machine 'kept' exists" launch mate kept
run 0 'a new one' '^fresh$' launch ci fresh
run 0 'has the new prefix' '^site\.fresh$' virsh -q domname "$(uuid_of fresh)"
run 0 'it is ended' '' as ci kill fresh
virsh -q dumpxml --inactive viommu-kept | sed -e 's,<name>viommu-kept<,<name>copied<,' -e '/<uuid>/d' >"$work/copied.xml"
run 0 "root copies the other's domain" '' virsh -q define "$work/copied.xml"
run 0 'and its machine is ended, too' '' as ci kill kept
rm /etc/viommud/viommud.conf.d/prefix.conf
run 0 'and the prefix as it was' '' restart
check 'a copy is no machine of its owner' sh -c '! viommuctl list | grep kept'
run 0 'and stays' '^copied$' virsh -q list --all --name
virsh -q undefine copied >/dev/null

# --- Machines of other versions ---

# said EVENT FIELD=VALUE...: the number of entries of that event in the journal since the versions
# were changed.
said() {
    local id
    id=$(awk -v name="VIOMMU_MESSAGE_$1" '$2 == name { gsub("\"", "", $3); print $3 }' daemon/machines/journal-events.h)
    shift
    journalctl --sync
    journalctl --no-pager -b -u viommud -o json "MESSAGE_ID=${id:?}" "$@" | wc -l
}

says() {
    [ "$(said "${@:2}")" -eq "$1" ]
}

record() {
    virsh -q metadata "viommu-$1" https://viommu.org/xmlns/domain/1
}

# edit NAME EDIT: applies sed's EDIT to a machine's record.
edit() {
    virsh -q metadata "viommu-$1" https://viommu.org/xmlns/domain/1 --live --config --key viommu --set "$(record "$1" | sed -e "$2")"
}

# libvirt indents an element when it writes it.
canonical() {
    python3 -c 'import sys, xml.etree.ElementTree as tree; print(tree.canonicalize(sys.stdin.read(), strip_text=True))' |
        sed 's/></>\n</g'
}

# is_as_before NAME ATTRIBUTE...: its record is that in $work/NAME.record, except for the values of
# these attributes.
is_as_before() {
    local edits=() name
    for name in "${@:2}"; do
        edits+=(-e "s/ $name=\"[^\"]*\"/ $name=\"\"/")
    done
    diff <(sed "${edits[@]}" "$work/$1.record" | canonical) <(record "$1" | sed "${edits[@]}" | canonical)
}

# call USER MACHINE METHOD...
call() {
    runuser -u "$1" -- busctl call org.viommu1 "/org/viommu1/machine/$(uuid_of "$2" | tr - _)" org.viommu1.Machine "${@:3}"
}

for name in newer older broken; do
    run 0 "a machine that will be $name" "^$name\$" launch ci "$name"
done
run 0 'one with additions' '^more$' launch ci more '"lease": {"seconds": 900}'
run 0 'one that was not started' '^half$' launch ci half
run 0 'and one with a lease' '^leased$' launch ci leased '"lease": {"seconds": 25}'
run 0 'one as versions without a prefix made it' '^earlier$' launch root earlier
leased=$(uuid_of leased) half=$(uuid_of half) leased_until=$((SECONDS + 25))
systemctl stop viommud
virsh -q destroy viommu-half
additions='0,/ owner=/s// later="\&lt;1\&gt;" owner=/; s,<request>,<later kind="a"><o:part xmlns:o="urn:o">b \&amp; c</o:part></later><request>,'
next='s/version="1"/version="2"/; s/ memory="[^"]*"/ storage="2 GiB"/; s/ fingerprint="[^"]*"//'
edit newer "$next; $additions"
edit leased "$next"
edit older 's/version="1"/version="0"/'
edit more "$additions"
for where in --live --config; do
    virsh -q metadata viommu-earlier https://viommu.org/xmlns/domain/1/additions "$where" --remove
done
edit broken 's/ owner="[^"]*"//'
virsh -q metadata viommu-half https://viommu.org/xmlns/domain/1 --config --key viommu \
    --set "$(record half | sed -e "$next; s/phase=\"running\"/phase=\"starting\"/")"
for name in newer older more; do
    record "$name" >"$work/$name.record"
done
check 'additions are there' grep -q 'later="&lt;1&gt;"' "$work/more.record"
printf '[limits]\nmachines-per-user=4\n' >/etc/viommud/viommud.conf.d/limits.conf
run 0 'viommud is back' '' restart

run 0 'one of the next version is listed' 'newer +foreign' as ci list
check 'with a lease, too' grep -q 'leased *foreign' "$work/out"
check 'and one of an older version' grep -q 'older *foreign' "$work/out"
check 'additions of this version change nothing' grep -q 'more *running' "$work/out"
check 'one without a name has its domain'"'"'s' grep -q 'viommu-earlier *running' "$work/out"
check 'what nobody can read is not there' sh -c "! grep -q broken '$work/out'"
check 'nor what was not started, of which all is removed' until_true 20 sh -c "! virsh -q list --all --uuid | grep $half"
check 'the journal tells of the one' says 1 FOREIGN MACHINE_NAME=newer "OWNER_UID=$(id -u ci)"
check 'and of the other' says 1 LEFT_ALONE MACHINE_NAME=viommu-broken
run 0 'another listing' '' systemctl restart libvirtd
check 'is made' until_true 30 sh -c '[ "$(journalctl --no-pager -b -u viommud | grep -c "Connected to libvirt")" -ge 5 ]'
check 'it tells nothing twice' says 1 LEFT_ALONE MACHINE_NAME=viommu-broken
run 0 'what it is, is shown' 'State +foreign' as ci show newer

run 7 'they count for their owner' 'machines-per-user=4' launch ci another
run 0 'not for others' '^another$' launch mate another
as mate kill another >"$work/out" 2>"$work/err"
printf '[limits]\nmemory-per-user=260 MiB\n' >/etc/viommud/viommud.conf.d/limits.conf
restart
run 7 'with their memory' "user $(id -u ci) has 256 MiB" launch ci another
rm /etc/viommud/viommud.conf.d/limits.conf
restart

for method in Reset Suspend Resume OpenConsole Extend:t:60 Verify:t:0 AwaitReady:t:0; do
    IFS=: read -r -a words <<<"$method"
    run 1 "${words[0]} is refused" 'another version of viommud .its metadata has version 2' call ci newer "${words[@]}"
done
run 0 'its owner has its XML' '<name>viommu-newer</name>' call ci newer GetDomainXML
run 1 'another member does not' 'polkit needs a password' call mate newer GetDomainXML
run 1 'nor may he end it' 'polkit needs a password' call mate newer Kill
run 1 'nor may a stranger' 'polkit needs a password' call stranger newer Stop u 0
check 'nothing of it has changed' is_as_before newer
run 0 'its owner may' '' as ci kill newer
check 'and it is gone' sh -c '! virsh -q list --all --name | grep newer'
run 0 'a lease is extended' '' as ci extend more 1200
check 'and the additions are kept' is_as_before more lease-end
call ci older Stop u 60 >"$work/out" 2>"$work/err" &
check 'one is asked to end' until_true 20 sh -c 'virsh -q metadata viommu-older https://viommu.org/xmlns/domain/1 | grep stopping'
check 'its record says so, and all else as before' is_as_before older phase
run 0 'it is' 'older +stopping' as ci list
run 0 'ended at once' '' as ci kill older
wait
check 'the lease is kept' until_true $((leased_until - SECONDS + 40)) sh -c "! virsh -q list --all --uuid | grep $leased"
check 'the journal tells of that' says 1 LEASE_ENDED MACHINE_NAME=leased
run 0 'what nobody can read is left alone' '^viommu-broken$' virsh -q list --name
run 0 'the others are ended' '' as ci kill more
run 0 'all of them' '' as root kill viommu-earlier
finish
