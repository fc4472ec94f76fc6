#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libvirtd-stopped: libvirt's daemon hangs (SIGSTOP).  viommud still answers from what it knows and
# feeds its watchdog; launches end one by one, with an error that names libvirt; when libvirtd
# continues, everything is reconciled.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

# Stands in for systemd: writes the time of each message that the daemon sends, one per line.
listen() {
    python3 - "$lab_dir/notify" >"$lab_dir/notify.log" <<'END' &
import os, socket, sys, time
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
while True:
    for word in listener.recv(4096).decode().split("\n"):
        print(f"{time.monotonic():.3f} {word}", flush=True)
END
    listener=$!
    lab_until 5 test -S "$lab_dir/notify" || say_die "the listener does not start"
}

# longest_silence: of the watchdog, in milliseconds.
longest_silence() {
    awk '/WATCHDOG=1/ { if (last && $1 - last > most) most = $1 - last; last = $1 } END { printf "%d\n", most * 1000 }' "$lab_dir/notify.log"
}

read_property() {
    lab_run busctl --user --timeout=2 get-property org.viommu1 "$path" org.viommu1.Machine State >/dev/null
}

# read_many: how many microseconds twenty reads take, with the program that reads.
read_many() {
    local i before=${EPOCHREALTIME/./}
    for i in {1..20}; do read_property || say_die "a property is not answered within 2 s"; done
    echo $((${EPOCHREALTIME/./} - before))
}

settled() {
    [ "$(crash_virsh list --all --name | sed '/^$/d')" = victim ] && [ "$(lab_ctl list --json | jq -r '[.[].name] | join(",")')" = victim ]
}

lab_under_reaper "$@"
crash_prerequisites
for program in python3 busctl; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
listener=
crash_open "[daemon]
libvirt-timeout=6"
trap '[ -z "$listener" ] || kill "$listener"; kill -CONT "$lab_libvirtd" 2>/dev/null || true; lab_close' EXIT
kill "$lab_daemon"
crash_wait_dead "$lab_daemon" viommud
listen
# Stands in for systemd.
lab_daemon_words=(env "NOTIFY_SOCKET=$lab_dir/notify" WATCHDOG_USEC=2000000)
lab_start_daemon

crash_launch "$(crash_request victim)"
path=$(lab_run busctl --user --json=short call org.viommu1 /org/viommu1 org.viommu1.Manager GetMachine s victim | jq -r '.data[0]')
before=$(read_many)
kill -STOP "$lab_libvirtd"
launches=()
for i in 1 2 3 4 5 6; do
    lab_ctl launch "$(crash_request "late$i")" --wait=started --json >"$lab_dir/late$i.log" 2>&1 &
    launches+=($!)
done
during=$(read_many)
[ "$(lab_property victim State)" = running ] || say_die "the machine is '$(lab_property victim State)' while libvirtd hangs"
for i in 1 2 3 4 5 6; do
    status=0
    wait "${launches[i - 1]}" || status=$?
    [ "$status" -eq 8 ] || say_die "launch $i ended with $status, not 8: $(cat "$lab_dir/late$i.log")"
    grep libvirt "$lab_dir/late$i.log" >/dev/null || say_die "launch $i does not say who hangs: $(cat "$lab_dir/late$i.log")"
done
after=$(read_many)
silence=$(longest_silence)
[ "$silence" -gt 0 ] && [ "$silence" -lt 2000 ] || say_die "the watchdog was not fed for $silence ms"

# libvirt does only now what it was told before; it is undone.
kill -CONT "$lab_libvirtd"
lab_until 30 settled || say_die "not settled: $(lab_left_behind | paste -s -d ' ')"
crash_launch "$(crash_request again)"
lab_ctl kill again
lab_ctl kill victim
crash_nothing_left "libvirtd went on"
say "20 reads took $before us before, $during and $after us while libvirtd hung; six launches gave up: $(jq -r .error.message "$lab_dir/late6.log")"

# --- viommud ends without waiting for libvirt, whether it has noticed the hang or not ---
for seconds in 0 9; do
    kill -STOP "$lab_libvirtd"
    sleep "$seconds"
    before=$SECONDS
    kill -TERM "$lab_daemon"
    lab_until 25 lab_daemon_gone || say_die "libvirtd has hung for $seconds s, and viommud does not end"
    say "libvirtd has hung for $seconds s: viommud ends within $((SECONDS - before)) s"
    kill -CONT "$lab_libvirtd"
    lab_start_daemon
done
