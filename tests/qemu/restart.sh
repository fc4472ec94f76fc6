#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# restart: a viommud that is killed while a guest runs finds the guest again, with its forwarded
# port, and can end it.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

state_is() {
    [ "$(lab_property "$lab_machine" State)" = "$1" ]
}

# The port of this host that leads to port 22 of the guest; empty: none.
port() {
    lab_ctl show "$lab_machine" --json | jq -r '.Forwards[] | select(.[0] == 22 and .[1] == "127.0.0.1") | .[2]'
}

# QEMU accepts the connection, whatever listens in the guest.
port_is_open() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

has_port() {
    [ -n "$(port)" ]
}

row=x86_64-supported
lab_under_reaper "$@"
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
request=$(lab_request "$row" viommu.stay)
with_port=$(jq '.networks = [{type: "user", forward: [22]}]' "$request")
echo "$with_port" >"$request"

lab_launch "$request" || say_die "launch: $lab_refusal"
lab_wait "$lab_machine" "$lab_console" 180 || say_die "$lab_problem"
opened=$(port)
[ -n "$opened" ] || say_die "no port is forwarded: $(lab_ctl show "$lab_machine" --json)"
port_is_open "$opened" || say_die "nothing listens at port $opened"
before=$(lab_ctl show "$lab_machine" --json | jq -S 'del(.Progress)')
qemu=$(lab_processes | grep -vxF -e "$lab_daemon" -e "${lab_children[0]}")

kill -KILL "$lab_daemon"
lab_until 5 lab_daemon_gone || say_die "viommud is not killed"
kill -0 "$qemu" || say_die "the guest died with viommud"
lab_start_daemon
lab_until 10 state_is running || say_die "after the restart the machine is '$(lab_property "$lab_machine" State)'"
lab_until 10 has_port || say_die "after the restart no port is known"
after=$(lab_ctl show "$lab_machine" --json | jq -S 'del(.Progress)')
[ "$before" = "$after" ] || say_die "the machine came back changed: $(diff <(echo "$before") <(echo "$after"))"

# The guest ignores its power button, so the stop ends it after a second.
lab_ctl stop "$lab_machine" --timeout=1 || say_die "stop: $(tail -n 3 "$lab_dir/viommud.log")"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
! kill -0 "$qemu" 2>/dev/null || say_die "QEMU still runs"
! port_is_open "$opened" || say_die "something still listens at port $opened"
say "found again after SIGKILL, unchanged, with port $opened, and ended"
