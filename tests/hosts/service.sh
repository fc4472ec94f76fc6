#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# service: viommud as a service of a real host, by the README's commands.  Run by "host service", as
# root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
guest_files=/viommu-guests/x86_64-debian13
request='{"name": "guest", "memory": "512 MiB", "iommu": {"is-supported": true}, "boot": {"kernel": "'$guest_files'/vmlinuz",
    "initrd": "'$guest_files'/initrd", "cmdline": "console=ttyS0 panic=-1 viommu.stay"}}'

# shows WORD PROPERTY: a property of the unit, from systemd.
shows() {
    [ "$(systemctl show -P "$2" viommud | tee -a "$work/err")" = "$1" ]
}

pid() {
    systemctl show -P MainPID viommud
}

# call USER MEMBER [SIGNATURE ARGUMENT...]: calls the manager.
call() {
    local user=$1 member=$2
    shift 2
    runuser -u "$user" -- busctl call org.viommu1 /org/viommu1 org.viommu1.Manager "$member" "$@"
}

# The first guest still runs: there is one, and it is the same.
guest_is_there() {
    [ "$(viommuctl list --json | tee -a "$work/err" | jq -r '.[] | "\(.name) \(.state)"')" = 'guest running' ] &&
        [ "$(viommuctl show guest --json | jq -r .UUID)" = "$uuid" ] && [ "$(pidof qemu-system-x86_64)" = "$qemu" ]
}

# --- As README says ---

useradd --create-home ci
useradd --create-home mate
useradd --create-home stranger
mapfile -t commands < <(sed -n '/^## Run it as a service/,/^## /s/^    //p' README.md)
check 'README has five commands' test ${#commands[@]} -eq 5
for command in "${commands[@]}"; do
    run 0 "README: $command" '' bash -c "$command"
done
run 0 "README's machine runs" 'first +running +intel' viommuctl list
run 0 'and is stopped' '' viommuctl kill first

# --- The unit ---

run 0 'systemd-analyze verify' '' systemd-analyze verify viommud.service
check 'has nothing to say' test ! -s "$work/err"
run 0 'it is enabled' '^enabled$' systemctl is-enabled viommud
run 0 'it has a user of its own' '^viommu$' stat -c %U "/proc/$(pid)"
run 0 'root has capabilities' '^CapBnd:' grep -E '^Cap[A-Za-z]+:.*[1-9a-f]' /proc/1/status
run 1 'the service has none' '' grep -E '^Cap[A-Za-z]+:.*[1-9a-f]' "/proc/$(pid)/status"
run 0 'systemd-analyze security' 'Overall exposure level' systemd-analyze security --no-pager viommud
exposure=$(sed -n 's/.*Overall exposure level for viommud.service: \([0-9.]*\).*/\1/p' "$work/out")
check "exposure level $exposure is below 2.0" awk -v level="$exposure" 'BEGIN { exit !(level != "" && level < 2.0) }'
check 'the watchdog is set' shows 30s WatchdogUSec

# --- What is installed ---

run 0 'staging for a package' '' env DESTDIR=/tmp/staged meson install --no-rebuild -C build-service
(cd /tmp/staged && find . -type f ! -path '*/examples/*' | sed 's/^\.//' | sort) >"$work/installed"
run 0 'everything is in its place' '' diff "$work/installed" tests/hosts/installed
run 1 'no fault point is in it' '' grep -a VIOMMU_FAULT /tmp/staged/usr/bin/viommud

# --- Activation ---

run 0 'stopping it' '' systemctl stop viommud
check 'it is down' shows inactive ActiveState
run 0 'a call activates it' '^s "[0-9]' busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager Version
check 'through systemd' shows active ActiveState
run 0 'it has reached libvirt' '^s "[0-9]+\.' busctl get-property org.viommu1 /org/viommu1 org.viommu1.Manager LibvirtVersion

# --- A guest, and viommud that ends and starts ---

run 0 'a launch' '^guest$' viommuctl launch --wait=started - <<<"$request"
uuid=$(viommuctl show guest --json | jq -r .UUID) qemu=$(pidof qemu-system-x86_64)
console=$(viommuctl show guest --json | jq -r .ConsoleLog)
check 'the guest prints its facts' until_true 90 grep -a '=== viommu end' "$console"
run 0 'it has an IOMMU' '^iommu=dmar0' grep -a '^iommu=' "$console"
run 0 'and groups' '^groups=[1-9]' grep -a '^groups=' "$console"
check 'it runs as a user of libvirt, not of the service' test "$(stat -c %U "/proc/$qemu")" = libvirt-qemu
# As the service itself would compare it with the plan.
run 0 'the service sees what its QEMU may lock' 'Max locked memory' nsenter --mount --target="$(pid)" setpriv --reuid=viommu --clear-groups \
    cat "/proc/$qemu/limits"
run 0 'a restart' '' systemctl restart viommud
check 'the guest is found again' guest_is_there
old=$(pid)
kill -KILL "$old"
check 'killed, it is started again' until_true 20 sh -c \
    "[ \$(systemctl show -P MainPID viommud) -ne $old ] && systemctl is-active viommud"
check 'systemd counts one restart' shows 1 NRestarts
check 'the guest is still there' guest_is_there

mkdir -p /run/systemd/system/viommud.service.d
printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/viommud.service.d/quick.conf
systemctl daemon-reload
run 0 'with a quick watchdog' '' systemctl restart viommud
old=$(pid)
sleep 5
check 'the loop feeds it' test "$(pid)" = "$old"
kill -STOP "$old"
check 'hung, it is started again' until_true 20 sh -c \
    "[ \$(systemctl show -P MainPID viommud) -ne $old ] && systemctl is-active viommud"
check 'with the guest' guest_is_there
rm -r /run/systemd/system/viommud.service.d
systemctl daemon-reload
run 0 'without the quick watchdog' '' systemctl restart viommud

# --- Which users may call ---

run 1 'a stranger may not launch' "not in group 'viommu'" call stranger Launch 'a{sv}' 0
for method in Stop:u:0 Kill Reset Suspend Resume Extend:t:9 OpenConsole Verify:t:0 AwaitReady:t:0 GetDomainXML; do
    IFS=: read -r -a words <<<"$method"
    run 1 "nor call ${words[0]}" 'polkit needs a password' runuser -u stranger -- busctl call org.viommu1 \
        "/org/viommu1/machine/${uuid//-/_}" org.viommu1.Machine "${words[@]}"
done
run 0 'a stranger may list' 'a\(ssso\) 1 "guest"' call stranger ListMachines
run 0 'and plan' '"domain-xml"' call stranger Plan 'a{sv}' 0
run 0 'and read properties' '^s "running"' runuser -u stranger -- busctl get-property org.viommu1 \
    "/org/viommu1/machine/${uuid//-/_}" org.viommu1.Machine State
run 1 'nobody may call what is not named' 'Sender is not authorized|Access denied' busctl call org.viommu1 /org/viommu1 \
    org.viommu1.Manager Frobnicate
run 1 'or set properties' 'not writable' busctl set-property org.viommu1 /org/viommu1 \
    org.viommu1.Manager Version s x
run 1 'or take the name' 'denied|not allowed' runuser -u stranger -- busctl call org.freedesktop.DBus \
    /org/freedesktop/DBus org.freedesktop.DBus RequestName su org.viommu1 0
# --- Members of the group, and each other's machines ---

run 0 'a member launches' '^theirs$' runuser -u ci -- viommuctl --system launch --wait=started - \
    <<<"${request/'"guest"'/'"theirs"'}"
run 0 'and plans, though libvirt refuses the member' '"model" : "intel"' runuser -u ci -- viommuctl --system --json plan - \
    <<<"$request"
run 8 'which it does' 'cannot ask libvirt at qemu:///system' runuser -u ci -- viommuctl --system plan --connect=qemu:///system - \
    <<<"$request"
theirs=/org/viommu1/machine/$(viommuctl show theirs --json | jq -r .UUID | tr - _)
run 0 'and owns it' "^u $(id -u ci)\$" busctl get-property org.viommu1 "$theirs" org.viommu1.Machine Owner

# --- Its console ---

log_of() {
    runuser -u "$1" -- viommuctl --system console --log theirs
}
check 'the owner reads what it printed' until_true 60 sh -c 'runuser -u ci -- viommuctl --system console --log theirs | grep -a "Linux version"'
usermod -aG viommu mate
run 6 'another member does not' 'of yours' log_of mate
run 1 'nor is at its console' 'polkit needs a password' runuser -u mate -- busctl call org.viommu1 "$theirs" org.viommu1.Machine OpenConsole
run 1 'nor opens the file' 'Permission denied' runuser -u mate -- cat "$(viommuctl show theirs --json | jq -r .ConsoleLog)"
run 0 'the owner is at its console' 'Linux version|\[ +[0-9]+\.[0-9]+\]|viommu' runuser -u ci -- sh -c 'timeout 5 viommuctl --system console theirs </dev/null | cat'

run 0 'another member sees it' 'theirs +running' runuser -u mate -- viommuctl --system list
run 1 'but may not stop it' 'polkit needs a password' runuser -u mate -- busctl call org.viommu1 "$theirs" org.viommu1.Machine Kill
run 1 "nor may the owner stop root's" 'polkit needs a password' runuser -u ci -- busctl call org.viommu1 \
    "/org/viommu1/machine/${uuid//-/_}" org.viommu1.Machine Kill
run 0 'polkit knows the action' 'of other users' pkaction --verbose --action-id org.viommu1.manage-all
mkdir -p /etc/polkit-1/rules.d
cat >/etc/polkit-1/rules.d/10-mate.rules <<'END'
polkit.addRule(function(action, subject) {
    if (action.id == "org.viommu1.manage-all" && subject.user == "mate" && action.lookup("machine") == "theirs")
        return polkit.Result.YES;
});
END
check "with the site's leave" until_true 10 runuser -u mate -- busctl call org.viommu1 "$theirs" org.viommu1.Machine Reset
run 1 'for that machine only' 'polkit needs a password' runuser -u mate -- busctl call org.viommu1 \
    "/org/viommu1/machine/${uuid//-/_}" org.viommu1.Machine Reset
run 0 'the owner stops it' '' runuser -u ci -- viommuctl --system kill theirs
run 0 'and still reads what it printed' 'Linux version' log_of ci
check 'the other guest is not disturbed' guest_is_there
# shellcheck source=tests/hosts/passwords.sh
. tests/hosts/passwords.sh
run 0 "viommud is started on a user's bus, too" '^s "[0-9]' runuser -u ci -- dbus-run-session -- \
    busctl --user get-property org.viommu1 /org/viommu1 org.viommu1.Manager Version

# --- What administrators are told ---

# shellcheck source=tests/hosts/words.sh
. tests/hosts/words.sh

# --- Files of a member that viommud cannot see, or that the member could replace ---

own_says() {
    viommuctl console --log own | grep -a "$1"
}
chmod 700 /home/ci
runuser -u ci -- tests/qemu/boot-sector.sh /home/ci/disk.raw
runuser -u ci -- cp $guest_files/vmlinuz $guest_files/initrd /home/ci
run 0 'a member launches from a disk at home' '^own$' runuser -u ci -- env -C /home/ci viommuctl --system launch - \
    <<<'{"name": "own", "memory": "64 MiB", "disks": [{"path": "disk.raw", "format": "raw"}]}'
check 'it boots' until_true 60 own_says 'viommu boot sector'
check 'as an open file' sh -c "tr '\\0' '\\n' </proc/\$(cat /run/libvirt/qemu/viommu-own.pid)/cmdline | grep '^{.*/dev/fdset/'"
check 'that stays the owner'"'"'s' test "$(stat -c %U /home/ci/disk.raw)" = ci
check 'and can be written to' until_true 20 sh -c \
    'dd if=/home/ci/disk.raw bs=512 skip=1 count=1 status=none | cmp -n 512 - /home/ci/disk.raw'
run 0 'and is stopped' '' runuser -u ci -- viommuctl --system kill own
run 0 'with a kernel from home' '^own$' runuser -u ci -- env -C /home/ci viommuctl --system launch - <<<'{"name": "own",
    "memory": "512 MiB", "boot": {"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "console=ttyS0 panic=-1 viommu.stay"}}'
check 'it boots, too' until_true 90 own_says '=== viommu end'
copied=$(viommuctl show own --json | jq -r .UUID)
run 0 'from copies' '^2$' sh -c "ls /var/lib/viommu/boot | grep -c '^$copied'"
run 0 'and is stopped' '' runuser -u ci -- viommuctl --system kill own
run 1 'which are gone with it' '^0$' sh -c "ls /var/lib/viommu/boot | grep -c '^$copied'"
run 1 'by its path it is refused' "viommud cannot search '/home.*file descriptor" \
    call ci Launch 'a{sv}' 1 boot 'a{sv}' 1 kernel s /home/ci/vmlinuz
run 1 "and so is root's file" "user $(id -u ci) may not read '/etc/shadow'" \
    call ci Launch 'a{sv}' 1 boot 'a{sv}' 1 kernel s /etc/shadow
tests/qemu/boot-sector.sh /var/lib/viommu/images/ci.raw /etc/shadow
chown ci /var/lib/viommu/images/ci.raw
run 0 "an image in the site's directory" '^o "/' \
    call ci Launch 'a{sv}' 2 name s own disks 'aa{sv}' 1 2 path s /var/lib/viommu/images/ci.raw format s raw
check 'boots, whatever its header says' until_true 60 own_says 'viommu boot sector'
run 0 'and is stopped' '' runuser -u ci -- viommuctl --system kill own
chown ci /var/lib/viommu/images/ci.raw
run 1 'as qcow2 it is refused' "'/etc/shadow' is not in any directory" \
    call ci Launch 'a{sv}' 1 disks 'aa{sv}' 1 2 path s /var/lib/viommu/images/ci.raw format s qcow2

# --- The end of the guest ---

run 0 'the guest is stopped' '' viommuctl kill guest
run 0 'libvirt is asked' '' virsh -q list --all --name
check 'and has nothing left' sh -c "! grep -q . '$work/out'"
run 0 'what it printed is kept' '=== viommu end' viommuctl console --log guest
check 'nor a QEMU' sh -c '! pidof qemu-system-x86_64'

# --- Settings and documents ---

mkdir -p /etc/viommud/viommud.conf.d
printf '[daemon]\ngroup=games\n' >/etc/viommud/viommud.conf.d/group.conf
usermod -aG games stranger
run 0 'another group of the configuration' '' systemctl restart viommud
run 0 'its members launch' '^new$' runuser -u stranger -- viommuctl --system launch - <<<'{"name": "new", "memory": "64 MiB"}'
run 0 'and manage their own' '' runuser -u stranger -- viommuctl --system kill new
run 4 'members of the other do not' "not in group 'games'" runuser -u ci -- viommuctl --system launch - <<<'{"memory": "64 MiB"}'
rm /etc/viommud/viommud.conf.d/group.conf
printf '[machine]\nvcpus=3\n\n[daemon]\nwrokers=5\n' >/etc/viommud/viommud.conf.d/test.conf
run 0 'settings of a drop-in' '^# /etc/viommud/viommud.conf.d/test.conf:2$' viommud --print-config
check 'with its value' grep -qx 'vcpus=3' "$work/out"
check 'and settings of the vendor' grep -qx '# /usr/lib/viommud/viommud.conf:[0-9]*' "$work/out"
run 0 'unknown keys with their line' 'viommud.conf.d/test.conf:5: \[daemon\] wrokers: unknown key' viommud --print-config
run 0 'the daemon reads it too' '' systemctl restart viommud
run 0 'and reports it in the journal' 'test.conf:5: \[daemon\] wrokers' journalctl --no-pager -b -u viommud
for page in viommud.8 viommuctl.1 viommud.conf.5 viommu-request.5 org.viommu1.5; do
    run 0 "manual page $page" "^/usr/share/man/man${page##*.}/$page" man -w "${page##*.}" "${page%.*}"
done
run 0 'org.viommu1(5) has the interfaces' '<method name="GetDomainXML">' man -P cat 5 org.viommu1
run 0 'bash completion is where bash looks' '' bash -n /usr/share/bash-completion/completions/viommuctl
# shellcheck disable=SC2016  # zsh's own
run 0 'zsh finds its completion' '_viommuctl' zsh -fc 'autoload -U compinit && compinit -u && print $_comps[viommuctl]'
# shellcheck disable=SC2016
run 0 'and completes' '^list +-- List all machines' zsh -fc 'zmodload zsh/zpty; zpty -b z zsh -f -i; zpty -w z "autoload -U compinit; compinit -u; PS1="
    zpty -w -n z "viommuctl l"$'"'\\t\\t'"'; sleep 2; zpty -r z text; while zpty -rt z more; do text+=$more; done; print -r -- ${text//$'"'\\r'"'/}'
finish
