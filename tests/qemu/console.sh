#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# console: a guest's serial console from its first byte to its last: read, logged within bounds,
# written to by several clients at once, across a restart of viommud, and after a crash of the
# guest.
# shellcheck disable=SC2016  # the quoted text is for the guest's shell
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

log_limit=65536

# Replaces the function of lab.sh that makes the configuration.
lab_start_daemon_with() {
    printf '[console]\ndirectory=%s/console\nlog-size=%s B\n%s\n' "$lab_dir" "$log_limit" "${1:-}" >"$lab_dir/viommud.conf"
    lab_start_daemon
}

kill_daemon() {
    kill "-$1" "$lab_daemon"
    lab_until 20 lab_daemon_gone || say_die "viommud does not end"
}

# attach NAME [LIMIT]: attaches a client; its output is in NAME.out, and descriptor 7 is its input.
attach() {
    rm -f "$lab_dir/in"
    mkfifo "$lab_dir/in"
    chmod 666 "$lab_dir/in"
    lab_spawn attached sh -c "exec '$lab_dir/viommuctl' --user console '$lab_machine' <'$lab_dir/in' >>'$lab_dir/$1.out'"
    attached=$lab_pid
    exec 7>"$lab_dir/in"
}

# said FILE WORDS: a line of the output begins with them.
said() {
    [ -e "$1" ] && grep -qa -- "^$2" <(tr -d '\r' <"$1")
}

# wait_said FILE WORDS SECONDS
wait_said() {
    lab_until "$3" said "$1" "$2" || say_die "'$2' does not come: $(tail -c 300 "$1" | tr -c '[:print:]\n' '?')"
}

ended() {
    ! kill -0 "$1" 2>/dev/null
}

# ends STATUS WORDS ARGUMENT...: viommuctl ends with STATUS and prints WORDS.
ends() {
    local status=0 wanted=$1 words=$2 answer
    shift 2
    answer=$(lab_ctl "$@" 2>&1 </dev/null) || status=$?
    if [ "$status" -ne "$wanted" ] || ! grep -qa -- "$words" <<<"$answer"; then
        say_die "viommuctl $*: ended with $status, not $wanted: ${answer:0:500}"
    fi
}

row=x86_64-supported
lab_under_reaper "$@"
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
kill_daemon TERM
lab_start_daemon_with
request=$(lab_request "$row" viommu.shell)
lab_launch "$request" || say_die "launch: $lab_refusal"
lab_wait "$lab_machine" "$lab_console" 180 || say_die "$lab_problem"

# The beginning is complete, and other users cannot read it.
[[ $(head -c 40 "$lab_console") = '[    0.000000] Linux version'* ]] || say_die "the log begins with: $(head -c 80 "$lab_console")"
[ "$(stat -c %a "$lab_console")" = 600 ] || say_die "the log has the mode $(stat -c %a "$lab_console")"
cmp -s <(lab_ctl console --log "$lab_machine") "$lab_console" || say_die "viommuctl console --log prints something else than the log"

# Input and output.
attach first
echo 'echo $((6 * 7)) is the answer' >&7
wait_said "$lab_dir/first.out" '42 is the answer' 20
said "$lab_dir/first.out" '=== viommu end' || say_die "what was printed before is not shown"
wait_said "$lab_console" '42 is the answer' 1

# From a terminal, and away again.
(sleep 1; printf 'echo $((6 * 8)) at a terminal\r'; sleep 3; printf '\035') |
    lab_run script -qefc "'$lab_dir/viommuctl' --user console '$lab_machine'" /dev/null >"$lab_dir/terminal.out" 2>&1 ||
    say_die "viommuctl ends with $? at a terminal: $(tail -n 3 "$lab_dir/terminal.out")"
grep -qa 'Ctrl-] leaves' "$lab_dir/terminal.out" || say_die "it does not say how to leave"
said "$lab_dir/terminal.out" '48 at a terminal' || say_die "the terminal shows: $(tail -n 3 "$lab_dir/terminal.out")"

# Four clients may be attached, but not a fifth.
for name in second third fourth; do
    lab_spawn "$name" sh -c "sleep 300 | '$lab_dir/viommuctl' --user console '$lab_machine' >'$lab_dir/$name.out'"
    lab_until 10 test -s "$lab_dir/$name.out" || say_die "the $name is not attached"
done
ends 7 'already has . connections' console "$lab_machine"
slow=$(pgrep -P "$lab_pid" viommuctl)
kill -STOP "$slow"

# A guest floods its console: the log keeps its bound, a client that reads gets all of it, one that
# does not is disconnected, and calls are answered.
echo 'l=0123456789; for i in 1 2 3 4 5; do l=$l$l; done' >&7
echo 'i=0; while [ $i -lt 1500 ]; do echo $l $i; i=$((i + 1)); done; echo the $((2 * 2))th end' >&7
while ! said "$lab_dir/first.out" 'the 4th end'; do
    [ "$(stat -c %s "$lab_console")" -le "$log_limit" ] || say_die "the log has $(stat -c %s "$lab_console") bytes"
    lab_until 1 lab_ctl list >/dev/null || say_die "viommud does not answer"
    ! ended "$attached" || say_die "the one who reads was cut off: $(tail -n 3 "$lab_dir/attached.log")"
done
[ "$(grep -ca '^0123456789' "$lab_dir/first.out")" -eq 1500 ] || say_die "of 1500 lines came $(grep -ca '^0123456789' "$lab_dir/first.out")"
[ "$(stat -c %s "$lab_console")" -le "$log_limit" ] || say_die "the log has $(stat -c %s "$lab_console") bytes"
[[ $(head -c 40 "$lab_console") = '[    0.000000] Linux version'* ]] || say_die "the beginning of the log is lost"
said "$lab_console" 'the 4th end' || say_die "the end of the log is lost"
said "$lab_console" '\[viommud: the middle of this log was dropped' || say_die "the log does not tell what is left out"
kill -CONT "$slow"
lab_until 10 grep -qa 'not read fast enough' "$lab_dir/fourth.log" || say_die "the one who does not read is not cut off"

# viommud dies, and another one continues.
kill_daemon KILL
lab_until 10 ended "$attached" || say_die "the console outlives viommud"
lab_start_daemon_with
lab_until 10 said "$lab_console" '\[viommud: the console was not read for a while' || say_die "after the restart the console is not read"
attach again
echo 'echo $((6 * 9)) is another' >&7
wait_said "$lab_dir/again.out" '54 is another' 20
wait_said "$lab_console" '54 is another' 1

# The guest dies: its last lines are in the error.
echo 'echo its $((1 + 1)) last words' >&7
wait_said "$lab_dir/again.out" 'its 2 last words' 20
kill -KILL "$(lab_processes | grep -vxF -e "$lab_daemon" -e "$attached" -e "${lab_children[0]}" | while read -r pid; do
    ! grep -qa qemu-system "/proc/$pid/cmdline" || echo "$pid"
done)"
lab_until 10 lab_ended || say_die "the machine is '$(lab_property "$lab_machine" State)'"
[ "$(lab_property "$lab_machine" Result)" = crashed ] || say_die "the Result is '$(lab_property "$lab_machine" Result)'"
failure=$(lab_ctl show "$lab_machine" --json | jq -c .Failure)
[[ $failure = *'its 2 last words'* ]] || say_die "Failure is $failure"
[[ $failure != *"$(printf '\\u001b')"* ]] || say_die "there are terminal sequences in $failure"
grep -qa 'its 2 last words' "$lab_dir/viommud.log" || say_die "the journal does not have the last words"
lab_until 5 ended "$attached" || say_die "the console outlives the guest"
ends 7 'is stopped' console "$lab_machine"

# The log stays for as long as the site says.
lab_ctl kill "$lab_machine" || say_die "kill: $(tail -n 3 "$lab_dir/viommud.log")"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
ends 0 'its 2 last words' console --log "$lab_machine"
ends 6 'no console log' console --log nobody
kill_daemon TERM
lab_start_daemon_with 'keep-logs=0'
lab_until 10 test ! -e "$lab_console" || say_die "the log is kept for ever"
say "read from its first word to its last, $(wc -c <"$lab_dir/first.out") bytes to who reads, within $log_limit bytes in the log"
