# SPDX-License-Identifier: LGPL-2.1-or-later
# tap: the common part of viommuctl's tests: runs a command, checks status and output, prints TAP.
# Sourced by bash.

export NO_COLOR=1 LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=0 failures=0

# report NAME GOOD: GOOD is 0 for ok; on failure shows the output of the last command.
report() {
    tests=$((tests + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $tests - $1"
        return
    fi
    failures=$((failures + 1))
    echo "not ok $tests - $1"
    sed 's/^/# out: /' "$work/out"
    sed 's/^/# err: /' "$work/err"
}

# run STATUS NAME PATTERN COMMAND...: PATTERN (extended regular expression) must match the output,
# on either stream.
run() {
    local wanted=$1 name=$2 pattern=$3 status=0
    shift 3
    "$@" >"$work/out" 2>"$work/err" || status=$?
    if [ "$status" -ne "$wanted" ]; then
        report "$name (exit $status, not $wanted)" 1
    elif [ -n "$pattern" ] && ! grep -qE -e "$pattern" "$work/out" "$work/err"; then
        report "$name (does not say '$pattern')" 1
    else
        report "$name" 0
    fi
}

# check NAME COMMAND...: the command must succeed; it may read $work/out and $work/err.
check() {
    local name=$1 status=0
    shift
    "$@" >>"$work/err" 2>&1 || status=1
    report "$name" "$status"
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds, for so long at most.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >>"$work/err" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# json EXPRESSION: a Python expression over j, the JSON that the last command printed.
json() {
    python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(j); sys.exit(not eval(f"({sys.argv[2]})"))' \
        "$work/out" "$1"
}

finish() {
    echo "1..$tests"
    [ "$failures" -eq 0 ]
}
