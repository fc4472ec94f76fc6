# SPDX-License-Identifier: LGPL-2.1-or-later
# say: progress messages of the scripts: lines in a pipe, one live line on a terminal.  Sourced by
# bash. Everything goes to stderr.  Knows nothing about packages, guests or machines.

say_pid=

# say TEXT: prints a line that stays.
say() {
    say_clear
    printf '%s\n' "$*" >&2
}

# say_live TEXT: prints a line that the next line replaces.  Prints nothing in a pipe.
say_live() {
    local columns
    [ -t 2 ] || return 0
    columns=$(stty size <&2 2>/dev/null | cut -d ' ' -f 2)
    [ "${columns:-0}" -gt 1 ] || columns=80
    printf '\r\033[K%.*s' "$((columns - 1))" "$*" >&2
}

say_clear() {
    [ ! -t 2 ] || printf '\r\033[K' >&2
}

# say_die TEXT: prints an error and ends the script.
say_die() {
    say "${0##*/}: $*"
    exit 1
}

# say_while TEXT LOG COMMAND...: runs COMMAND with its output in LOG.  Prints TEXT, and from time to
# time (on a terminal continuously) the progress.  When COMMAND fails, prints the end of LOG and
# returns the status.
say_while() {
    local text=$1 log=$2 started=$SECONDS told=$SECONDS status=0
    shift 2
    [ -t 2 ] || say "$text"
    "$@" >"$log" 2>&1 </dev/null &
    say_pid=$!
    while kill -0 "$say_pid" 2>/dev/null; do
        say_live "$text ($((SECONDS - started)) s) $(say_progress "$log")"
        if [ ! -t 2 ] && [ $((SECONDS - told)) -ge 15 ]; then
            say "    $((SECONDS - started)) s: $(say_progress "$log")"
            told=$SECONDS
        fi
        sleep 0.25
    done
    wait "$say_pid" || status=$?
    say_pid=
    if [ "$status" -ne 0 ]; then
        say "$text: failed with status $status; the end of $log:"
        tail -n 25 "$log" | sed 's/^/    /' >&2
    elif [ -t 2 ]; then
        say "$text ($((SECONDS - started)) s)"
    fi
    return "$status"
}

# The last line of a log.  Status lines of apt and dpkg (APT::Status-Fd) are made readable.
say_progress() {
    tail -c 300 "$1" | tr '\r' '\n' | grep . | tail -n 1 |
        sed -E 's/^(dl|pm)status:[^:]*:([0-9]+)[^:]*:/\2 %: /' || true
}

# say_abandon: for the script's exit trap: ends the command that say_while waits for.
say_abandon() {
    [ -z "$say_pid" ] || kill "$say_pid" 2>/dev/null || true
    say_pid=
}
