#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hostile-guest: guests that attack through their agents and consoles, and one whose QEMU libvirt
# has forgotten.  Run by "host hostile-guest", as root, in the host, whose libvirt (9.0) crashes on
# a deeply nested reply of an agent.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
kernel=/viommu-guests/x86_64-debian13/vmlinuz

# launch USER NAME AGENT WORDS: AGENT is true or false.
launch() {
    runuser -u "$1" -- viommuctl --system launch --wait=started - <<<"{\"name\": \"$2\", \"memory\": \"192 MiB\",
        \"iommu\": {\"is-supported\": true}, \"guest\": {\"agent\": $3}, \"boot\": {\"kernel\": \"$kernel\", \"initrd\": \"/srv/initrd\",
        \"cmdline\": \"console=ttyS0 panic=-1 viommu.stay $4\"}}"
}

verify() {
    runuser -u "$1" -- viommuctl --system verify "$2" --timeout="$3"
}

# said NAME TEXT: at its console.
said() {
    viommuctl console --log "$1" | grep -aqF "$2"
}

deaths() {
    [ "$(systemctl show -P NRestarts libvirtd | tee -a "$work/err")" = "$1" ]
}

libvirtd_is_up() {
    virsh -c qemu:///system -q list >/dev/null
}

restart() {
    printf '[verify]\nagent=%s\n' "$1" >/etc/viommud/viommud.conf.d/agent.conf
    systemctl restart viommud
}

# No character of $work/out or $work/err steers a terminal.
is_clean() {
    python3 -c 'import sys
for path in sys.argv[1:]:
    text = open(path, "rb").read().replace(b"\r\n", b"\n")
    odd = [c for c in text.decode() if not (c.isprintable() or c in "\n\t")]
    sys.exit(f"{path}: {odd}") if odd else None' "$work/out" "$work/err"
}

# --- The host and its users ---

run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
mkdir -p /etc/viommud/viommud.conf.d
users='ci mate u1 u2 u3 u4 u5 u6'
for user in $users; do
    useradd --create-home --groups viommu "$user"
done
gcc -static -O1 -Wall -o "$work/agent" tests/hosts/hostile-agent.c
tests/hosts/add-to-initrd.py "$work/agent" test/run | cat /viommu-guests/x86_64-debian13/initrd - >/srv/initrd

# --- Without settings: users other than root get no agent channel, because this libvirt crashes on
# unasked messages there ---

run 4 "a member's guest gets no agent's channel" '\[verify\] agent=yes' launch ci asked true viommu.agent=honest
run 0 'without one it runs' '^plain$' launch ci plain false viommu.report
run 0 'root gets one' '^roots$' viommuctl launch - --wait=started <<<'{"name": "roots", "memory": "64 MiB", "guest": {"agent": true}}'
run 0 'which is warned of emulation' 'runs under TCG' viommuctl show roots
run 0 'and ended' '' viommuctl kill roots

# --- With the site's permission: each agent is asked once, and two of each user at most ---

run 0 'the site allows agents' '' restart yes
for row in ci:one:nested ci:two:nested-status ci:three:honest mate:good:honest u1:silent:silent u2:endless:endless-lines \
    u3:output:big-output u4:large:too-big u5:deep:nested,3000 u6:wrong:wrong-id mate:tricks:series \
    mate:broken2:broken,2 mate:broken5:broken,5; do
    IFS=: read -r user name mode <<<"$row"
    run 0 "a guest that is $mode" "^$name\$" launch "$user" "$name" true "viommu.agent=$mode"
done
for name in one two three good silent endless output large deep wrong tricks broken2 broken5; do
    check "$name has come so far" until_true 120 said "$name" 'agent: '
done
run 0 "its neighbour's agent is asked, and answers" 'dmar0' verify mate good 60
# All at once, each with another attack.
for row in u1:silent u2:endless u3:output u4:large u5:deep u6:wrong; do
    verify "${row%:*}" "${row#*:}" 25 >"/tmp/verify-${row#*:}" 2>&1 &
done
started=$SECONDS
run 0 'and while odd agents are asked, the neighbour is served' 'dmar0' verify mate good 60
check 'soon' test $((SECONDS - started)) -lt 15
wait
run 1 'none of them proved anything' '' grep -l dmar0 /tmp/verify-silent /tmp/verify-endless /tmp/verify-output /tmp/verify-large /tmp/verify-deep /tmp/verify-wrong
check 'libvirtd has lived through these' deaths 0
check 'and viommud, too' test "$(systemctl show -P NRestarts viommud)" = 0
check 'without growing' awk '/^VmHWM/ { exit !($2 < 131072) }' "/proc/$(systemctl show -P MainPID viommud)/status"
for name in silent endless output large deep wrong; do
    viommuctl kill "$name"
done
# Every agent that is being asked when libvirtd crashes is suspected, too: the last of these
# questions ends first.
run 0 'the neighbour once more' 'dmar0' verify mate good 60

# One after the other, until its agent is honest.
run 0 'an agent that has tried all else' 'dmar0' verify mate tricks 200
check 'tried every answer to a command' said tricks 'agent: trick 14'
check 'and every report' said tricks 'agent: status 9'
for name in broken2 broken5; do
    run 9 "$name replies with no JSON" '' verify mate "$name" 5
    viommuctl kill "$name"
done
run 0 'the journal has all of it' '' journalctl --no-pager -o cat -u viommud
check 'and steers nothing' is_clean
check 'libvirtd has lived through these, too' deaths 0
viommuctl kill tricks

run 9 "an agent's nested answer ends libvirtd" 'its agent is no longer asked' verify ci one 8
check 'once' deaths 1
check 'it is back' until_true 30 libvirtd_is_up
run 9 'asked for again, the agent is not asked' 'its agent is no longer asked' verify ci one 5
run 9 'nor for root' 'its agent is no longer asked' viommuctl verify one --timeout=3
check 'so libvirtd lives' deaths 1
run 0 'the machine says so' 'agent is no longer asked' viommuctl show one
run 0 'and the journal' "agent of machine 'one' is no longer asked" journalctl --no-pager -u viommud MACHINE_NAME=one
run 0 'the neighbour is served' 'dmar0' verify mate good 60
run 9 'the second guest of that user does it, too' 'its agent is no longer asked' verify ci two 8
check 'once' deaths 2
check 'and it is back' until_true 30 libvirtd_is_up
run 9 'the third is not asked' "of its owner's guests are no longer asked" verify ci three 5
check 'so libvirtd lives' deaths 2
run 0 'a report at the console still counts' 'by its console|dmar0' verify ci plain 60
run 0 'another one launches' '^later$' launch mate later true viommu.agent=honest
check 'and starts' until_true 120 said later 'agent: honest'
run 0 'and is proven' 'dmar0' verify mate later 60
run 0 'without any agents' '' restart no
run 9 'none is asked' 'agent=no' verify mate later 2
run 4 'and none is given' 'agent=no' launch mate more true viommu.agent=honest
for name in one two three good later; do
    viommuctl kill "$name"
done

# --- The output of a guest ---

run 0 'a guest that steers terminals' '^screen$' launch ci screen false viommu.agent=escapes
check 'has printed' until_true 120 said screen END-OF-ESCAPES
run 0 'a log is raw in a pipe' 'PWNED' viommuctl console --log screen
check 'to the byte' grep -qaP '\x1b\]0;PWNED' "$work/out"
run 0 'it is clean at a terminal' 'END-OF-ESCAPES' script -qec 'viommuctl console --log screen' /dev/null
check 'all of it' is_clean
run 0 'but with --raw' 'PWNED' script -qec 'viommuctl console --log --raw screen' /dev/null
check 'as asked for' grep -qaP '\x1b\]0;PWNED' "$work/out"
for how in 'show screen' 'show screen --json' 'list' 'list --json' 'verify screen --timeout=1' 'verify screen --timeout=1 --json'; do
    # Its own progress is on standard error.
    script -qec "viommuctl $how 2>/dev/null" /dev/null >"$work/out" 2>"$work/err"
    check "viommuctl $how" is_clean
done
viommuctl verify screen --timeout=1 >"$work/out" 2>"$work/err"
check 'an error' is_clean
journalctl --no-pager -o cat -u viommud >"$work/out" 2>&1
check 'and the journal' is_clean

# --- A guest that libvirt has forgotten ---

domain=$(virsh -q list --name | grep plain)
qemu=$(cat "/run/libvirt/qemu/$domain.pid")
systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd 2>/dev/null
: >"/etc/libvirt/qemu/$domain.xml"
: >"/run/libvirt/qemu/$domain.xml"
systemctl start libvirtd
told() {
    journalctl --no-pager -u viommud MACHINE_NAME=plain | grep "has forgotten machine 'plain'.*kill $qemu"
}
check 'it is told, with its process' until_true 60 told
run 5 'its name is not free' "runs on as process $qemu" launch mate plain false ''
run 0 'viommud begins anew' '' systemctl restart viommud
check 'it is told again' until_true 60 sh -c "[ \$(journalctl --no-pager -u viommud MACHINE_NAME=plain | grep -c 'has forgotten machine') -ge 2 ]"
run 0 'doctor tells of it, too' "leftovers +warning .* runs on as process $qemu, but libvirt does not know it" viommuctl doctor
run 5 'and its name is still not free' "runs on as process $qemu" launch mate plain false ''
kill "$qemu"
check 'root ends it' until_true 30 sh -c "! kill -0 $qemu"
run 0 'and the name is free' '^plain$' launch mate plain false ''
finish
