# SPDX-License-Identifier: LGPL-2.1-or-later
# words: what administrators of a real host are told.  Sourced by "service", while the machine
# "guest" runs.
# shellcheck shell=bash disable=SC2154  # "service" sets uuid, work and others

# said EVENT [FIELD=VALUE...]: the last entry of that event in viommud's journal, as JSON.
said() {
    local id
    id=$(awk -v name="VIOMMU_MESSAGE_$1" '$2 == name { gsub("\"", "", $3); print $3 }' daemon/machines/journal-events.h)
    shift
    journalctl --sync
    journalctl --no-pager -b -u viommud -o json "MESSAGE_ID=${id:?}" "$@" | tail -n 1 | tee "$work/out" 2>>"$work/err"
}

# tells FILTER EVENT [FIELD=VALUE...]: jq's FILTER, on that entry.
tells() {
    local filter=$1
    shift
    # Also without any entry.
    said "$@" | jq -es "first | $filter" >>"$work/err"
}

# forge NAME UUID EDIT: a domain like that of "guest", with another name and sed's EDIT of viommud's
# metadata.
forge() {
    virsh dumpxml --inactive viommu-guest | sed -e "s,<name>viommu-guest</name>,<name>viommu-$1</name>," \
        -e "/<viommu[a-z-]*:/s,name=\"guest\",name=\"$1\"," -e "s,$uuid,$2," -e "$3" >"$work/forged.xml"
    virsh define "$work/forged.xml"
}

# --- The journal ---

check 'the launch is in the journal' tells ".MACHINE_UUID == \"$uuid\" and .OWNER_UID == \"0\"" LAUNCHED MACHINE_NAME=guest
check 'so is finding it again' tells ".MACHINE_UUID == \"$uuid\" and .OWNER_UID == \"0\"" FOUND MACHINE_NAME=guest
run 3 'a refusal' smmuv3 runuser -u ci -- viommuctl --system launch - <<<'{"name": "no", "iommu": {"model": "smmuv3"}}'
check 'is in the journal with who, what and why' tells \
    ".OWNER_UID == \"$(id -u ci)\" and .ERROR_NAME == \"org.viommu1.Error.NotSupported\" and (.RULE | index(\"arch\")) == 0" REFUSED MACHINE_NAME=no
run 0 'and explained' 'Subject: The launch of a virtual machine was refused' journalctl --no-pager -x -b -u viommud MACHINE_NAME=no
check 'in words about this one' grep -q "refused a launch of the user with the UID $(id -u ci)" "$work/out"
run 0 'a machine with a short lease' '^brief$' viommuctl launch --lease=8 - <<<'{"name": "brief", "memory": "256 MiB"}'
check 'its end is in the journal' until_true 20 tells '.OWNER_UID == "0"' LEASE_ENDED MACHINE_NAME=brief
check 'and it is gone' until_true 20 sh -c '! viommuctl list | grep -q brief'
run 0 'a domain that a launch left halfway' '' forge half 11111111-2222-4333-8444-555555555555 's/phase="running"/phase="defining"/'
run 0 'and one that nobody can read' '' forge odd 21111111-2222-4333-8444-555555555555 '/<viommu:/s/owner="[0-9]*"//'
run 0 'a start' '' systemctl restart viommud
check 'removes the one, and says so' until_true 20 tells '.OWNER_UID == "0"' UNDONE MACHINE_NAME=half
check 'leaves the other, and says so' until_true 20 tells '.MACHINE_UUID | startswith("2111")' LEFT_ALONE MACHINE_NAME=viommu-odd
run 0 'libvirt has that still' '^viommu-odd$' virsh -q list --all --name
check 'and not the first' sh -c "! grep -q half '$work/out'"
run 0 'as the catalogue says' '' virsh undefine --nvram viommu-odd
check 'the guest is still there' guest_is_there

# --- Its level ---

run 0 'the level of the log' '^info$' systemctl service-log-level viommud.service
run 0 'is set' '' systemctl service-log-level viommud.service debug
run 0 'and was' '^debug$' systemctl service-log-level viommud.service
run 1 'a member may not' "may not change viommud's settings" runuser -u ci -- systemctl service-log-level viommud.service info
run 0 'and back' '' systemctl service-log-level viommud.service info
run 0 'it goes to the journal' '^journal$' systemctl service-log-target viommud.service

# --- The doctor ---

run 0 'doctor finds no problem' '^viommud +ok ' viommuctl doctor
for check in settings polkit group libvirt emulator firmware locked-memory; do
    check "and says something of $check" grep -qE "^$check +(ok|warning) " "$work/out"
done
run 1 'a stranger lacks the group' "^group +problem +you are not in group 'viommu'" runuser -u stranger -- viommuctl doctor
check 'and may not ask libvirt, but viommud' grep -qE '^libvirt +warning .*accepts viommud, but not you' "$work/out"
run 0 'a member lacks nothing' '^group +ok ' runuser -u ci -- viommuctl doctor
run 0 'without viommud' '' systemctl mask --runtime --now viommud
run 1 'doctor finds that' '^viommud +problem ' viommuctl doctor --system
run 0 'and with it' '' systemctl unmask --runtime viommud

# --- Another host, which is this one, through a program in place of ssh, as the user "ci" ---

mkdir "$work/bin"
cat >"$work/bin/ssh" <<'END'
#!/bin/sh
exec runuser -u ci -- systemd-stdio-bridge
END
chmod 755 "$work/bin/ssh"
far() {
    PATH=$work/bin:$PATH viommuctl --host=elsewhere "$@"
}
run 0 "another machine's list" '^guest +running' far list
run 0 'a launch there' '^distant$' far launch --wait=started - <<<'{"name": "distant", "memory": "256 MiB"}'
run 0 'whose owner is the user there' "\"Owner\" : $(id -u ci)," viommuctl show distant --json
run 4 "root's machine is not that user's" 'polkit needs a password' far reset guest
run 0 'and its end' '' far kill distant

# --- A password on the terminal, asked for by viommuctl's own agent ---

# types PASSWORD USER COMMAND...: in a session on a terminal of its own; types the password at the
# prompt.
types() {
    local password=$1 user=$2
    shift 2
    rm -f "$work/typescript"
    {
        # Between its prompt and the end of the echo, the agent discards input.
        until_true 10 grep -qs 'Password:' "$work/typescript" && sleep 0.5 && echo "$password"
        sleep 3
    } | script -qefc "runuser -l $user --session-command='$*'" "$work/typescript"
}
chpasswd <<<'root:not-a-secret'
run 0 "root's password opens root's machine" 'AUTHENTICATION COMPLETE' types not-a-secret mate viommuctl --system reset guest
check 'the agent is gone' sh -c '! pidof pkttyagent'
run 4 'no password is asked for' 'polkit needs a password' types not-a-secret mate viommuctl --system --no-ask-password reset guest
