#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl at the console of a real guest: a boot sector that greets, and echoes each byte.
#   ctl-console VIOMMUCTL VIOMMUD
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export VIOMMUCTL=$1 VIOMMUD=$2
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/../qemu/lab.sh"
for program in qemu-system-x86_64 dbus-daemon setpriv tini script; do
    command -v "$program" >/dev/null || { echo "1..0 # SKIP $program is not installed"; exit 0; }
done
lab_under_reaper "$@"
# shellcheck source=tests/ctl/tap.sh
. "$here/tap.sh"
trap 'lab_close; rm -rf "$work"' EXIT
lab_open

# The disk: 512 bytes, which the firmware of a PC loads to 0x7c00.
sector() {
    printf '\xba\xf8\x03'         # mov dx, 0x3f8: the first serial port
    printf '\xbe\x80\x7c'         # mov si, 0x7c80
    printf '\x2e\xac'             # greet: cs lodsb
    printf '\x84\xc0\x74\x03'     # test al, al; jz listen
    printf '\xee\xeb\xf7'         # out dx, al; jmp greet
    printf '\xba\xfd\x03\xec'  # listen: mov dx, 0x3fd; in al, dx: the port's state
    printf '\xa8\x01\x74\xf8'     # test al, 1; jz listen
    printf '\xba\xf8\x03\xec\xee' # mov dx, 0x3f8; in al, dx; out dx, al
    printf '\xeb\xf1'             # jmp listen
}
{
    sector
    head -c $((0x80 - $(sector | wc -c))) /dev/zero
    printf 'ready\033[31m\r\n\0'
    head -c $((510 - 0x80 - 13)) /dev/zero
    printf '\x55\xaa'
} >"$work/sector"
"${lab_as[@]}" tee "$lab_dir/disk.raw" <"$work/sector" >/dev/null
truncate -s 1M "$lab_dir/disk.raw"
chmod 755 "$work"
cat >"$work/one.json" <<END
{"name": "one", "arch": "x86_64", "accelerator": "tcg", "memory": "64 MiB", "iommu": {"is-supported": false},
 "boot": {"firmware": "bios"}, "disks": [{"path": "disk.raw", "format": "raw", "bus": "sata"}]}
END
sed 's/disk.raw/no-such-disk/' "$work/one.json" >"$work/lost.json"

# heard FILE WORDS: waits until FILE has them.
heard() { grep -qa -- "$2" "$1"; }
hears() { lab_until 20 heard "$@"; }
# attached NAME COMMAND...: runs COMMAND in the background, with NAME.out and NAME.err; its input is
# descriptor 7.
attach() {
    local name=$1
    shift
    rm -f "$work/$name.in"
    mkfifo "$work/$name.in"
    lab_run "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" &
    attached=$!
    exec 7>"$work/$name.in"
}
to_full() { "$@" >/dev/full; }
# verify_again: earlier output counts as well.
verify_again() { lab_ctl verify one --json --timeout=60; }
# left STATUS: waits until the command has ended with STATUS.
left() {
    local status=0
    wait "$attached" || status=$?
    exec 7>&-
    echo "ended with $status"
    [ "$status" -eq "$1" ]
}

run 2 'a file that is not there' "disks\[0\].path.*$lab_dir/no-such-disk" lab_ctl launch "$work/lost.json"
run 0 'a relative path is one from here' '^one$' lab_ctl launch "$work/one.json"

# Without a terminal: the end of a pipe's input does not end the connection.
attach pipe "$lab_dir/viommuctl" --user console one
check 'what the guest has said is there' hears "$work/pipe.out" ready
printf 'hello' >&7
check 'what is written comes back' hears "$work/pipe.out" hello
exec 7>&-
sleep 0.3
check 'the end of the input is not the end' kill -0 "$attached"
kill "$attached"
check 'a signal is' left 143

# With a terminal.
attach terminal script -qefc "'$lab_dir/viommuctl' --user console one" /dev/null
check 'how to leave is said' hears "$work/terminal.out" "Connected to the console of 'one'; Ctrl-\] leaves."
check 'what was said before, too' hears "$work/terminal.out" hello
printf 'key\003' >&7
check 'every key is the guest'"'"'s' hears "$work/terminal.out" $'key\003'
printf '\035not this' >&7
check 'but one' left 0
check 'and what follows it' bash -c "! grep -qa 'not this' '$work/terminal.out'"

# A wait on a terminal is shown, with the guest's last line; in a pipe, and with --json, it is not.
# waiting WORD...: runs viommuctl with these words on a terminal of 40 columns.
waiting() {
    lab_run script -qefc "stty cols 40; '$lab_dir/viommuctl' --user $*" /dev/null >"$work/out" 2>"$work/err" </dev/null
}
"${lab_as[@]}" cp "$lab_dir/disk.raw" "$lab_dir/two.raw"
attach launch script -qefc "'$lab_dir/viommuctl' --user launch '$work/one.json' disks.0.path=two.raw --iommu=intel --name=two --wait=verified" /dev/null
check 'a launch shows its wait and the console' hears "$work/launch.out" 'launching \.\.\. [0-9]* s: ready'
run 0 'its guest is ended' '' lab_ctl kill two
check 'which ends the launch' left 7
waiting verify one --timeout=2
check 'a verification, too' grep -qaP '\x1b\[Klooking inside \.\.\. 1 s: [a-z]+' "$work/out"
attach long "$lab_dir/viommuctl" --user console one
printf '%0100d\n' 0 >&7
check 'a long line' hears "$work/long.out" 0000
kill "$attached"
check 'is printed' left 143
waiting verify one --timeout=2
check 'on one line of the terminal' grep -qaP '\x1b\[Klooking inside \.\.\. 1 s: .{15}\r' "$work/out"
waiting verify one --timeout=2 --json
check 'with JSON there is only the answer' bash -c "grep -qa NotVerified '$work/out' && ! grep -qa 'looking inside' '$work/out'"
run 9 'in a pipe there is only the answer' '^viommuctl: ' lab_ctl verify one --timeout=2
check 'nothing else' bash -c "! grep -qa 'looking inside' '$work/err'"

# A guest proves its IOMMU by a report that it prints; this guest prints what it is sent.
lab_run "$lab_dir/viommuctl" --user verify one --timeout=60 >"$work/out" 2>"$work/err" &
verifying=$!
sleep 0.5
attach report "$lab_dir/viommuctl" --user console one
printf 'viommu-report begin\nkernel 6.1\nacpi yes\ndevicetree no\ngroups 0\nviommu-report end\n' >&7
check 'verify' wait "$verifying"
check 'says what there is' grep -q '^one: no IOMMU, as planned; 0 groups with 0 devices (Linux 6.1, by its console)' "$work/out"
kill "$attached"
check 'and the console is left' left 143
run 64 'a time that is none' "timeout='soon' is not a number" lab_ctl verify one --timeout=soon
run 2 'more time than anybody has' '99999 seconds are more than' lab_ctl verify one --timeout=99999
run 0 'verify again, as JSON' '"by"' verify_again
check 'by the same console' json 'j["by"] == "console" and j["kernel"] == "6.1" and j["groups"] == 0'

# The log.
run 0 'the log' 'hello' lab_ctl console --log one
check 'all of it, as it came' grep -qaP 'ready\x1b\[31m' "$work/out"
lab_run script -qefc "'$lab_dir/viommuctl' --user console --log one" /dev/null >"$work/out" 2>"$work/err" </dev/null
check 'on a terminal nothing that steers it' bash -c "grep -qa ready '$work/out' && ! grep -qaP '\x1b' '$work/out'"
lab_run script -qefc "'$lab_dir/viommuctl' --user console --log --raw one" /dev/null >"$work/out" 2>"$work/err" </dev/null
check 'unless it is asked for' grep -qaP 'ready\x1b\[31m' "$work/out"
run 74 'output that cannot be written' 'cannot write' to_full lab_ctl console --log one

# A port of this host leads to the guest, which has no ssh server.
"${lab_as[@]}" cp "$lab_dir/disk.raw" "$lab_dir/three.raw"
reached=("$work/one.json" disks.0.path=three.raw --name=three networks.0.type=user networks.0.forward=22)
# shellcheck disable=SC2016 # for the inner shell
run 0 'the port for a command beside the guest' '^127\.0\.0\.1 [1-9][0-9]+$' \
    lab_ctl run "${reached[@]}" -- sh -c 'echo "$VIOMMU_ADDRESS $VIOMMU_SSH_PORT"'
run 0 'a machine with a port' '^three$' lab_ctl launch "${reached[@]}"
run 75 'a guest without an ssh server' 'no ssh server answers at 127\.0\.0\.1 port [0-9]+ within 2 seconds' \
    lab_ctl ssh three --timeout=2 -- true
run 0 'how other programs would reach it' '^  Port [1-9][0-9]+$' lab_ctl ssh-config three
run 3 'a guest without an agent is never ready' '^viommuctl: ' lab_ctl wait three --for=ready --timeout=2
run 0 'it is ended' '' lab_ctl kill three
run 75 'nor can a command run inside' 'no ssh server answers at 127\.0\.0\.1 port [0-9]+ within 10 seconds' \
    lab_ctl run --inside --timeout=10 "${reached[@]}" -- true
check 'which shows what the guest said' grep -q ready "$work/err"
run 6 'and leaves no machine' "'three'" lab_ctl show three

# The end.
attach last "$lab_dir/viommuctl" --user console one
check 'at the console again' hears "$work/last.out" ready
run 0 'the machine is ended' '' lab_ctl kill one
check 'which ends the console well' left 0
run 6 'no machine, no console' "'one'" lab_ctl console one
run 0 'its log stays' 'hello' lab_ctl console --log one
run 6 'a log that there never was' 'never' lab_ctl console --log never
finish
