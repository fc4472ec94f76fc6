#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# viommuctl events beside a real viommud that launches, ends, and starts again.
#   ctl-events VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/own-bus.sh"
trap 'kill "$daemon" "$lines" "$objects" 2>/dev/null; wait; rm -rf "$work"' EXIT
daemon='' lines='' objects=''

# told FILE PATTERN: waits for a line.
told() {
    for _ in {1..100}; do
        grep -qE -- "$2" "$work/$1" && return
        sleep 0.05
    done
    return 1
}

run 69 'events of nobody' 'neither on the session bus' "$ctl" events
start_viommud
run 0 'a machine that is there before' '^old$' "$ctl" launch name=old arch=x86_64 memory=64M
"$ctl" events >"$work/lines" 2>"$work/lines.err" &
lines=$!
"$ctl" events --json >"$work/objects" 2>"$work/objects.err" &
objects=$!
check 'the title' told lines '^TIME +MACHINE +EVENT$'
# Nothing tells when both follow the bus: a machine of their own does.
for _ in {1..100}; do
    "$ctl" run name=probe arch=x86_64 memory=64M -- true
    told lines ' probe +removed' && told objects probe && break
done >/dev/null 2>&1
run 0 'a launch' '^new$' "$ctl" launch name=new arch=x86_64 memory=64M --iommu --lease=1000
check 'is a line' told lines '^[0-9:]{8}  new +added$'
check 'with each state' told lines '^[0-9:]{8}  new +State running$'
run 0 'a longer lease' '' "$ctl" extend new 2000
check 'is a line, too' told lines '^[0-9:]{8}  new +LeaseEnd [0-9]+$'
run 0 'the end of a machine' '' "$ctl" kill old
check 'is a line' told lines ' old +removed$'
check 'after its result' told lines ' old +Result stopped$'
kill "$daemon"
wait "$daemon"
check 'the end of viommud, too' told lines ' - +viommud-stopped$'
start_viommud
check 'and its start' told lines ' - +viommud-started$'
run 0 'a launch by the new one' '^newer$' "$ctl" launch name=newer arch=x86_64 memory=64M
check 'is seen as well' told objects 'newer'
kill "$objects"
wait "$objects"
[ $? -eq 143 ]
report 'a signal ends it' $?
cp "$work/objects" "$work/out"
check 'each line is an object' python3 - "$work/objects" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
mine = [line for line in lines if line.get("machine") == "new"]
assert all(type(line["time"]) is int and line["event"] for line in lines), lines
assert mine[0]["event"] == "added" and mine[0]["path"].startswith("/org/viommu1/machine/"), mine
changed = {line["property"]: line["value"] for line in mine if line["event"] == "changed"}
assert changed["State"] == "running" and changed["LeaseEnd"] > 0, changed
assert mine[0]["value"]["IommuModel"] == "intel", mine
order = [line["event"] for line in lines if "machine" not in line]
assert order == ["viommud-stopped", "viommud-started"], order
assert [line["event"] for line in lines if line.get("machine") == "old"][-1] == "removed"
END
check 'and nothing else is said' test ! -s "$work/objects.err" -a ! -s "$work/lines.err"
finish
