#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bounds: how much one user can take of a host without any settings, what becomes of copies,
# overlays and seeds, how much the user can write to the journal, and what is left when the user
# leaves the group.  Run by "host bounds", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
# shellcheck source=tests/hosts/members.sh
. tests/hosts/members.sh
guest_files=/viommu-guests/x86_64-debian13
manager='org.viommu1 /org/viommu1 org.viommu1.Manager'
conf=/etc/viommud/viommud.conf.d
copies=/var/lib/viommu/boot
logs=/var/log/viommu/console

# as USER VERB...
as() {
    runuser -u "$1" -- env -C "/home/$1" viommuctl --system "${@:2}"
}

# launch USER NAME [MORE]: MORE are further keys of the request.
launch() {
    as "$1" launch --wait=started - <<<"{\"name\": \"$2\"${3:+, $3}}"
}

# configure TEXT: writes the settings and restarts viommud, more often than systemd allows by
# itself.
configure() {
    mkdir -p "$conf"
    printf '%b' "$1" >"$conf/bounds.conf"
    systemctl reset-failed viommud
    systemctl restart viommud
}

limit() {
    # shellcheck disable=SC2086  # three words
    busctl get-property --json=short $manager Limits | jq ".data[\"$1\"].data"
}

state_of() {
    viommuctl list --json | jq -r ".[] | select(.name == \"$1\").state"
}

is_in_state() {
    [ "$(state_of "$1")" = "$2" ]
}

# entries FIELD=VALUE...: the number of such entries in the journal.
entries() {
    journalctl --no-pager --quiet --output=json -u viommud "$@" | wc -l
}

# is_about FIELD=VALUE WORDS: the journal has such an entry with these words.
is_about() {
    journalctl --no-pager --quiet -u viommud "$1" | grep -E "$2"
}

copies_take() {
    du -k "$copies" | awk '{ print $1 }'
}

nothing_is_copied() {
    [ -z "$(ls "$copies")" ]
}

# --- The service ---

members_and_service
# shellcheck disable=SC2046  # words for the compiler
run 0 'the caller is built' '' cc -std=gnu11 -o /usr/local/bin/caller tests/hosts/caller.c $(pkg-config --cflags --libs libsystemd)

# --- Bounds without settings ---

memory=$(awk '/^MemTotal/ { printf "%.0f", $2 * 1024 }' /proc/meminfo) cpus=$(nproc --all)
check 'a user has 64 machines at most' test "$(limit machines-per-user)" -eq 64
check 'all users have no more memory than the host' test "$(limit memory)" -gt 0 -a "$(limit memory)" -lt "$memory"
check 'one user a half of it' test "$(limit memory-per-user)" -eq $(($(limit memory) / 2))
check 'vCPUs are bounded' test "$(limit vcpus)" -eq $((16 * cpus)) -a "$(limit vcpus-per-user)" -eq $((8 * cpus))
check 'and copies' test "$(limit copies)" -gt 0 -a "$(limit copies-per-user)" -gt 0
run 0 'the settings say how' 'in force: .* MiB|GiB \(this host.s memory' viommud --print-config
run 0 'so does the doctor' '^limits +ok +each user may have 64 machines' viommuctl doctor
run 4 'more memory than one user may have' 'limits. memory-per-user is .*; request less' launch ci large "\"memory\": \"$((memory / 1024)) KiB\""
run 4 'more vCPUs' 'limits. vcpus-per-user is .*; request less' launch ci wide "\"vcpus\": $((8 * cpus + 1)), \"memory\": \"64 MiB\""

# --- Copies ---

runuser -u ci -- cp $guest_files/vmlinuz $guest_files/initrd /home/ci
runuser -u ci -- truncate -s 1500M /home/ci/initrd
boot='"memory": "768 MiB", "boot": {"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "console=ttyS0 panic=-1"}'
run 2 'a file of 1500 MiB is not copied' 'larger than 512 MiB' launch ci sparse "$boot"
check 'nothing of it is there' nothing_is_copied
data=$(stat -c %s $guest_files/initrd)
runuser -u ci -- truncate -s $((data + (100 << 20))) /home/ci/initrd
configure '[limits]\ncopies-per-user=200 MiB\nmachines-per-user=2\n[console]\nlog-size=64 KiB\ntotal-size=256 KiB\n'
run 0 'a sparse one is' '^sparse$' launch ci sparse "$boot"
check 'and takes what its data takes' test "$(copies_take)" -lt $(((data + $(stat -c %s $guest_files/vmlinuz)) / 1024 + (20 << 10)))
run 7 'a second one is too much' 'copied kernels and initrds, and .* more would exceed .limits. copies-per-user=200 MiB' launch ci second "$boot"
check 'the guest ends' until_true 120 is_in_state sparse stopped
check 'and its copies are gone, while its machine is there' until_true 20 nothing_is_copied
run 0 'so there is room for the next' '^second$' launch ci second "$boot"
run 7 'machines of one user are counted, stopped ones too' 'would exceed .limits. machines-per-user=2' launch ci third '"memory": "64 MiB"'
run 0 'another user has room' '^theirs$' launch mate theirs '"memory": "64 MiB"'
run 0 'copies go with a machine that is killed' '' as ci kill second
check 'all of them' until_true 20 nothing_is_copied
run 0 'as its machine' '' as ci kill sparse
run 0 'and the other one' '' as mate kill theirs

# --- Overlays: members boot from root's image, and from one that only its owner can read ---

image=/var/lib/libvirt/images/base.raw
tests/qemu/boot-sector.sh "$image"
tests/qemu/boot-sector.sh /home/ci/own.raw
chown ci: /home/ci/own.raw
chmod 400 /home/ci/own.raw
before=$(sha256sum "$image" /home/ci/own.raw; stat -c '%s %a %u %g %Y' "$image" /home/ci/own.raw)

# over PATH: a request's keys for a disk over PATH, and a seed.
over() {
    echo "\"accelerator\": \"tcg\", \"memory\": \"64 MiB\", \"disks\": [{\"path\": \"$1\", \"format\": \"raw\", \"overlay\": true, \"size\": \"1 GiB\"}],
        \"seed\": {\"hostname\": \"guest\"}"
}

boots() {
    grep -qa 'viommu boot sector' "$(viommuctl show "$1" --json | jq -r .ConsoleLog)"
}

images_are_as_before() {
    [ "$(sha256sum "$image" /home/ci/own.raw; stat -c '%s %a %u %g %Y' "$image" /home/ci/own.raw)" = "$before" ]
}

configure ''
run 0 'a member launches a guest over an image of root' '^of-root$' launch ci of-root "$(over "$image")"
run 0 'another one over the same' '^too$' launch mate too "$(over "$image")"
run 0 'and the first over an own one' '^own$' launch ci own "$(over /home/ci/own.raw)"
for name in of-root too own; do
    check "the guest '$name' boots" until_true 60 boots "$name"
done
check 'there are three overlays and three seeds' test "$(find "$copies" -type f | wc -l)" -eq 6
check 'no user can read them' test -z "$(find "$copies" -type f -perm /077)"
configure '[limits]\noverlays-per-user=2 GiB\n[console]\nlog-size=64 KiB\ntotal-size=256 KiB\n'
run 7 'a restarted viommud counts them' '2 GiB of overlays, and 1 GiB more would exceed .limits. overlays-per-user=2 GiB' launch ci more "$(over "$image")"
for name in of-root too own; do
    run 0 "'$name' is killed" '' viommuctl kill "$name"
done
check 'nothing of them is left' until_true 20 nothing_is_copied
check 'the images are as they were' images_are_as_before

# --- Logs ---

check 'what guests print is on a disk' test -n "$(ls "$logs")"
run 0 'for nobody else to see' '^700 viommu$' stat -c '%a %U' "$logs"
uid=$(id -u mate)
for i in $(seq 1 9); do
    setpriv --reuid=viommu --regid=viommu --clear-groups dd if=/dev/zero of="$logs/$uid-old-00000000-0000-4000-8000-00000000000$i.log" bs=1K count=60 status=none
done
run 0 'a restart' '' systemctl restart viommud
logs_fit() {
    [ "$(cat "$logs"/* | wc -c)" -le $((256 << 10)) ]
}
check 'all of it fits into the total' until_true 20 logs_fit
check 'of the user with the most some is gone' sh -c "[ \$(ls $logs | grep -c '^$uid-old') -lt 9 ]"
check 'and of the other nothing' sh -c "ls $logs | grep '^$(id -u ci)-sparse-'"

# --- The journal ---

run 0 'journald does not bound the unit' '^0$' systemctl show -P LogRateLimitIntervalUSec viommud
run 0 'a stranger calls 30000 times' '^30000 refused$' runuser -u stranger -- caller flood 30000
run 0 'a member launches' '^unlogged$' launch ci unlogged '"memory": "64 MiB"'
run 0 'and kills' '' as ci kill unlogged
check 'the launch is in the journal' until_true 20 is_about MACHINE_NAME=unlogged "Launched machine 'unlogged'"
check 'and the end' until_true 20 is_about MACHINE_NAME=unlogged "Stopped machine 'unlogged'"
check "the stranger has few entries" test "$(entries OWNER_UID="$(id -u stranger)")" -le 15
check 'some, though' test "$(entries OWNER_UID="$(id -u stranger)")" -ge 5
check 'at a low priority' test "$(entries OWNER_UID="$(id -u stranger)" PRIORITY=5)" -eq 0
configure '[limits]\nmachines-per-user=1\n'
before=$(entries OWNER_UID="$(id -u ci)")
run 0 'a member calls too often' '^1999 refused$' runuser -u ci -- caller flood 2000
check 'who has few entries, too' test "$(entries OWNER_UID="$(id -u ci)")" -le $((before + 20))
run 4 'another one is refused' 'limits. memory-per-user is .*; request less' launch mate large "\"memory\": \"$((memory / 1024)) KiB\""
check 'which is written all the same' until_true 20 is_about OWNER_UID="$(id -u mate)" 'limits. memory-per-user'

# --- An old connection ---

configure '[leases]\nmax-seconds=600\n'
mkfifo "$work/in"
runuser -u ci -- caller hold <"$work/in" >"$work/held" 2>&1 &
exec 7>"$work/in"
echo >&7
check 'a member launches on a connection' until_true 60 grep -x launched "$work/held"
run 0 'leaves the group' '' gpasswd -d ci viommu
echo >&7
check 'and launches no more on it' until_true 60 grep -x org.viommu1.Error.PolicyRefused "$work/held"
run 0 'comes back' '' usermod -aG viommu ci
exec 7>&-
# A refusal is remembered for a second.
check 'and may launch again' until_true 20 launch ci short '"memory": "64 MiB"'
run 4 'a lease that is too long' 'leases. max-seconds is 600; request less' as ci launch --lease=601 - <<<'{"name": "long", "memory": "64 MiB"}'
check 'who asks for none gets the longest' sh -c "viommuctl show short --json | jq -e '.LeaseEnd > 0 and (.Warnings | tostring | test(\"lease of 600 seconds\"))'"
check 'what was left out is counted' until_true 90 is_about MESSAGE_ID=2b6e2c2f1f0b4c3c8f6d5f0c6a7e9d14 '[0-9]{3,} refused launches'
finish
