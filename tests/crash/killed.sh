#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# killed: kills viommud at each point of daemon/process/fault.h that an act passes, and starts it
# again: then there is a complete machine, exactly once, or none.  Usage: killed ACT
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/crash/lab.sh
. "$here/lab.sh"

# points ACT: the points that it passes, in order.
points() {
    sed -n 's/^ *POINT(\([a-z_]*\), "\([a-z ]*\)").*/\1 \2/p' "$here/../../daemon/process/fault.h" |
        awk -v act="$1" '{ for (i = 2; i <= NF; i++) if ($i == act) print $1 }'
}

# restart [POINT]: ends viommud and starts it again, to die at POINT.
restart() {
    kill -KILL "$lab_daemon" 2>/dev/null || true
    crash_wait_dead "$lab_daemon" viommud
    lab_daemon_words=()
    [ $# -eq 0 ] || lab_daemon_words=(env "VIOMMU_FAULT=$1")
    lab_start_daemon
}

# dies POINT: a point that is not passed is an error of the table, or of the act.
dies() {
    lab_until 20 lab_daemon_gone || say_die "viommud does not pass '$1' in the act '$act'"
}

removed() {
    [ -z "$(lab_left_behind)" ]
}

# Each act leaves nothing at its end.

# A running guest is kept, though its launch was interrupted; otherwise nothing is left.  The same
# request again gives one machine.
act_launch() {
    local request
    request=$(crash_request "$1" '. + {lease: {seconds: 3600}, "request-id": .name}')
    restart "$1"
    ! lab_launch "$request" || say_die "$1: the launch succeeded"
    dies "$1"
    restart
    case $1 in
    after_start | before_mark | after_mark | before_answer) crash_whole "$1" ;;
    *) lab_until 30 removed || say_die "$1: left behind: $(lab_left_behind)" ;;
    esac
    crash_launch "$request"
    crash_whole "$1, launched again"
    [ "$(lab_property "$lab_machine" LeaseEnd)" -gt 0 ] || say_die "$1: the lease is lost"
    lab_ctl kill "$lab_machine"
    crash_nothing_left "$1, killed"
}

# With an overlay and a seed, and an image to read: no file is left, and the image is as it was.
act_overlay() {
    local request base=$lab_dir/base.raw before
    [ -e "$base" ] || lab_run truncate -s 1M "$base"
    # another digest each time: the daemon that dies has not read this image
    lab_run bash -c 'echo "$1" >>"$2"' - "$1" "$base"
    before=$(stat -c '%s %a %u %Y %Z' "$base"; sha256sum "$base")
    request=$(crash_request "$1" ". + {seed: {hostname: \"guest\"}, disks: [{path: \"$base\", format: \"raw\", overlay: true,
        digest: \"sha256:$(sha256sum "$base" | cut -d ' ' -f 1)\"}]}")
    restart "$1"
    ! lab_launch "$request" || say_die "$1: the launch succeeded"
    dies "$1"
    restart
    if [ "$1" = after_start ]; then
        crash_whole "$1"
        lab_ctl kill "${1//_/-}"
    fi
    lab_until 30 removed || say_die "$1: left behind: $(lab_left_behind)"
    [ "$(stat -c '%s %a %u %Y %Z' "$base"; sha256sum "$base")" = "$before" ] || say_die "$1: the image has changed"
}

# A start that fails, because the NVRAM has no room.
act_undo() {
    chmod 500 "$lab_state/nvram"
    restart "$1"
    ! lab_launch "$(crash_request "$1" .)" || say_die "$1: the launch succeeded"
    dies "$1"
    restart
    chmod 700 "$lab_state/nvram"
    lab_until 30 removed || say_die "$1: left behind: $(lab_left_behind)"
}

# A stop begins when the record says so, not before.
act_stop() {
    restart "$1"
    crash_launch "$(crash_request "$1" .)"
    ! lab_ctl stop "$lab_machine" --timeout=1 2>/dev/null || say_die "$1: the stop succeeded"
    dies "$1"
    restart
    if [ "$1" = before_stop_mark ]; then
        crash_whole "$1"
        lab_ctl stop "$lab_machine" --timeout=0
    fi
    lab_until 30 removed || say_die "$1: left behind: $(lab_left_behind)"
}

# A machine whose lease ended meanwhile ends at once.  On a slow machine a launch may take longer
# than a lease lasts.
act_expire() {
    local seconds
    for seconds in 1 6 36; do
        restart "$1"
        if lab_launch "$(crash_request "$1" ". + {lease: {seconds: $seconds}}")" || lab_daemon_gone; then break; fi
    done
    dies "$1"
    restart
    lab_until 30 removed || say_die "$1: left behind: $(lab_left_behind)"
}

# Interrupts the clean-up after an interrupted launch.
act_recover() {
    restart before_start
    ! lab_launch "$(crash_request "$1" .)" || say_die "$1: the launch succeeded"
    dies before_start
    lab_spawn viommud env "VIOMMU_FAULT=$1" "$lab_dir/viommud" --user --connect="$lab_uri"
    lab_daemon=$lab_pid
    dies "$1"
    restart
    lab_until 30 removed || say_die "$1: left behind: $(lab_left_behind)"
}

# The lease ends at its old end or at its new one; the machine is not touched.
act_extend() {
    local before after
    restart "$1"
    crash_launch "$(crash_request "$1" '. + {lease: {seconds: 1000}}')"
    before=$(lab_property "$lab_machine" LeaseEnd)
    ! lab_ctl extend "$lab_machine" 9000 2>/dev/null || say_die "$1: the extension succeeded"
    dies "$1"
    restart
    crash_whole "$1"
    after=$(lab_property "$lab_machine" LeaseEnd)
    if [ "$1" = before_extend ]; then
        [ "$after" = "$before" ] || say_die "$1: the lease ended at $before, and now at $after"
    else
        [ "$after" -gt "$((before + 7000000000))" ] || say_die "$1: the lease still ends at $after, not 8000 s later"
    fi
    lab_ctl kill "$lab_machine"
}

act=$1
lab_under_reaper "$@"
crash_prerequisites
[ -n "$(points "$act")" ] || say_die "no point is passed in the act '$act'"
crash_open
for point in $(points "$act"); do
    started=${EPOCHREALTIME/./}
    "act_$act" "$point"
    crash_nothing_left "$point"
    say "$act, killed at $point: $(((${EPOCHREALTIME/./} - started) / 1000)) ms"
done
