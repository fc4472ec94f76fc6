#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bus-lost: without its bus viommud ends with a failure, so that it is started again; guests run on,
# and are found again.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

lab_under_reaper "$@"
crash_prerequisites
# A file gets the exit status, because no other process waits for it.
# shellcheck disable=SC2016  # expanded by that shell
lab_daemon_words=(sh -c 'status=0; "$@" || status=$?; echo $status >"$HOME/status"' sh)
# A session's libvirtd would end with the session's bus.
lab_libvirtd_words=(env -u DBUS_SESSION_BUS_ADDRESS)
crash_open
crash_launch "$(crash_request victim '. + {lease: {seconds: 3600}}')"
before=$(lab_ctl show victim --json | jq -S 'del(.Progress)')
guest=$(crash_guests)

# During a launch, too.
lab_ctl launch "$(crash_request late)" --wait=started >/dev/null 2>&1 &
kill -KILL "${lab_children[0]}"
lab_until 30 lab_daemon_gone || say_die "the bus is gone, and viommud does not end"
[ "$(cat "$lab_dir/home/status")" = 1 ] || say_die "viommud ended with $(cat "$lab_dir/home/status"), not 1"
wait
[ "$(crash_guests | grep -x "$guest")" = "$guest" ] || say_die "the guest ended with the bus"

rm -f "$lab_dir/bus"
lab_spawn bus dbus-daemon --nofork --nopidfile --config-file="$lab_dir/bus.conf"
lab_until 10 test -S "$lab_dir/bus" || say_die "dbus-daemon does not start"
lab_start_daemon
# The other launch has ended, with a machine or without.
lab_ctl kill late 2>/dev/null || true
crash_whole "the bus came back"
after=$(lab_ctl show victim --json | jq -S 'del(.Progress)')
[ "$before" = "$after" ] || say_die "the machine came back changed: $(diff <(echo "$before") <(echo "$after"))"
lab_ctl kill victim
crash_nothing_left "the bus came back"
say "ended with 1, the guest ran on and was found again"
