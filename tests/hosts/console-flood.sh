#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# console-flood: guests of one member print without end: what that costs viommud, the disk and other
# users.  Run by "host console-flood", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
logs=/var/log/viommu/console
images=/var/lib/libvirt/images
flooding=12 # seconds

# as USER VERB...
as() {
    runuser -u "$1" -- env -C "/home/$1" viommuctl --system "${@:2}"
}

launch() {  # USER NAME IMAGE
    as "$1" launch --wait=started - <<<"{\"name\": \"$2\", \"accelerator\": \"tcg\", \"memory\": \"64 MiB\",
        \"disks\": [{\"path\": \"$images/$3.raw\", \"format\": \"raw\", \"read-only\": true}]}"
}

# print FILE: makes FILE a raw disk whose boot sector prints without end.
print() {
    truncate -s 1M "$1"
    # mov dx, 0x3f8; next: mov cx, 60; mov al, 'x'; more: out dx, al; loop more; mov al, '\n';
    # out dx, al; jmp next
    printf '\xba\xf8\x03\xb9\x3c\x00\xb0x\xee\xe2\xfd\xb0\x0a\xee\xeb\xf3' | dd of="$1" bs=1 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
}

log_of() {
    viommuctl show "$1" --json | jq -r .ConsoleLog
}

has_printed() {  # NAME BYTES
    [ "$(stat -c %s "$(log_of "$1")")" -ge "$2" ]
}

logs_take() {  # USER
    cat "$logs/$(id -u "$1")"-* 2>/dev/null | wc -c
}

# ticks: the processor time of viommud so far.
ticks() {
    awk '{ print $14 + $15 }' "/proc/$(systemctl show -P MainPID viommud)/stat"
}

# worst_answer SECONDS: the longest time, in ms, of a call to viommud meanwhile.
worst_answer() {
    python3 - "$1" <<'PYTHON'
import subprocess, sys, time
worst, end = 0, time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    begin = time.monotonic()
    subprocess.run(["runuser", "-u", "mate", "--", "busctl", "call", "org.viommu1", "/org/viommu1", "org.freedesktop.DBus.Peer", "Ping"],
                   check=True, timeout=60)
    worst = max(worst, time.monotonic() - begin)
print(round(worst * 1000))
PYTHON
}

for user in ci mate; do
    useradd --create-home "$user"
done
run 0 'viommud is installed' '' tests/hosts/install.sh
usermod -aG viommu ci
usermod -aG viommu mate
mkdir -p /etc/viommud/viommud.conf.d
printf '[console]\nlog-size=256 KiB\ntotal-size=2 MiB\nkeep-logs=3\n' >/etc/viommud/viommud.conf.d/console-flood.conf
run 0 'and started' '' systemctl enable --now viommud
tests/qemu/boot-sector.sh $images/calm.raw
print $images/print.raw

run 0 'mate launches' '^calm$' launch mate calm calm
run 0 'and has a former machine' '^former$' launch mate former calm
for name in calm former; do
    check "'$name' has printed" until_true 60 grep -qa 'viommu boot sector' "$(log_of $name)"
done
run 0 'it is killed' '' as mate kill former
quiet=$(worst_answer 5)
for name in a b c; do
    run 0 'ci launches a guest that prints without end' "^$name\$" launch ci $name print
done
for name in a b c; do
    check "'$name' prints" until_true 60 has_printed $name 200000
done

before=$(ticks) began=$SECONDS
worst=$(worst_answer $flooding)
used=$((($(ticks) - before) * 100 / $(getconf CLK_TCK) / (SECONDS - began)))
echo "# viommud uses $used % of a processor; another user's call takes $worst ms at most, and $quiet ms without the guests"
check 'viommud uses less than half a processor' test "$used" -lt 50
check "another user's call is answered" test "$worst" -lt $((10 * quiet + 1000))
run 0 'mate launches meanwhile' '^more$' launch mate more calm
check 'and is read' until_true 60 grep -qa 'viommu boot sector' "$(log_of more)"
run 0 'and kills' '' timeout 60 runuser -u mate -- viommuctl --system kill more
for name in a b c; do
    check "the log of '$name' is bounded" test "$(stat -c %s "$(log_of $name)")" -le $((257 << 10))
done
check 'viommud has not grown' awk '/^VmHWM/ { exit !($2 < 131072) }' "/proc/$(systemctl show -P MainPID viommud)/status"

# Machine after machine: what is kept of ci's is bounded, and nothing of mate's is lost for it.
for _ in 1 2; do
    for name in a b c; do
        run 0 "'$name' is killed" '' as ci kill $name
        run 0 'and launched again' "^$name\$" launch ci $name print
        check 'it prints' until_true 60 has_printed $name 200000
    done
done
sweeps() {
    [ "$(logs_take ci)" -le $((2 << 20)) ] && [ "$(find $logs -name "$(id -u ci)-*" | wc -l)" -le 6 ]
}
check "ci's logs are bounded in number and size" until_true 120 sweeps
check "mate's log is there" grep -qa 'viommu boot sector' "$(log_of calm)"
run 0 "also of mate's former machine" 'viommu boot sector' as mate console --log former
check 'viommud is the same' test "$(systemctl show -P NRestarts viommud)" -eq 0
for name in a b c calm; do
    run 0 "'$name' is killed" '' viommuctl kill $name
done
finish
