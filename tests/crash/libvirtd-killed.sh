#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libvirtd-killed: libvirt's daemon is killed and started again at any moment of a launch and of a
# stop.  A lost answer is no failure: viommud asks again by UUID, and does the rest.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

# killed_after MILLISECONDS COMMAND...: kills libvirtd while COMMAND runs; returns its status.
killed_after() {
    local delay=$1 job status=0
    shift
    "$@" >"$lab_dir/command.log" 2>&1 &
    job=$!
    sleep "$(printf '0.%03d' "$delay")"
    kill -KILL "$lab_libvirtd"
    crash_wait_dead "$lab_libvirtd" libvirtd
    crash_start_libvirtd
    wait "$job" || status=$?
    return "$status"
}

# frail CALL WHEN SIGNAL: how libvirtd dies next.
frail() {
    echo "$1 $2 $(kill -l "$3")" >"$lab_dir/frail.new"
    lab_run mv "$lab_dir/frail.new" "$lab_dir/frail"
}

# dies_under COMMAND...: libvirtd dies, and is there again half a second later; returns COMMAND's
# status.
dies_under() {
    local job status=0
    "$@" >"$lab_dir/command.log" 2>&1 &
    job=$!
    crash_wait_dead "$lab_libvirtd" "libvirtd, of '$(cat "$lab_dir/frail")',"
    sleep 0.5
    crash_start_libvirtd
    wait "$job" || status=$?
    return "$status"
}

lab_under_reaper "$@"
crash_prerequisites
# Clients would start another libvirtd.
export LIBVIRT_AUTOSTART=0
crash_open '[daemon]
libvirt-timeout=60'
request=$(crash_request victim)
# Probes the emulators once, so that the launches under test are quick.
crash_launch "$request"
lab_ctl kill victim

for delay in 0 20 50 90 140 200 300; do
    killed_after "$delay" lab_ctl launch "$request" --wait=started ||
        say_die "launch, libvirtd killed after $delay ms: $(cat "$lab_dir/command.log")"
    crash_whole "launch, libvirtd killed after $delay ms"
    [ "$(lab_property victim State)" = running ] || say_die "launch, $delay ms: the machine is '$(lab_property victim State)'"
    killed_after "$delay" lab_ctl kill victim ||
        say_die "kill, libvirtd killed after $delay ms: $(cat "$lab_dir/command.log")"
    crash_nothing_left "kill, libvirtd killed after $delay ms"
done
say "7 launches and 7 stops with a killed libvirtd, each settled"

# --- Before and after each call ---
install -m 755 "$FRAIL_MODULE" "$lab_dir/frail.so"
lab_libvirtd_words=(env "LD_PRELOAD=$lab_dir/frail.so" "FRAIL=$lab_dir/frail")
kill "$lab_libvirtd"
crash_wait_dead "$lab_libvirtd" libvirtd
crash_start_libvirtd
rounds=0
for row in define:before define:after start:before monitor:before start:after resume:before resume:after set-metadata:before set-metadata:after; do
    for signal in KILL TERM; do
        what="launch, SIG$signal ${row#*:} ${row%:*}"
        frail "${row%:*}" "${row#*:}" "$signal"
        dies_under lab_ctl launch "$request" --wait=started || say_die "$what: $(cat "$lab_dir/command.log")"
        crash_whole "$what"
        [ "$(lab_property victim State)" = running ] || say_die "$what: the machine is '$(lab_property victim State)'"
        lab_ctl kill victim
        crash_nothing_left "$what"
        rounds=$((rounds + 1))
    done
done
for row in set-metadata:before set-metadata:after destroy:before destroy:after undefine:before undefine:after; do
    what="kill, SIGKILL ${row#*:} ${row%:*}"
    crash_launch "$request"
    frail "${row%:*}" "${row#*:}" KILL
    dies_under lab_ctl kill victim || say_die "$what: $(cat "$lab_dir/command.log")"
    crash_nothing_left "$what"
    rounds=$((rounds + 1))
done
say "$rounds times killed before or after a call, each settled"
