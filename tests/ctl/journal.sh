#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a real viommud says of launches: one line for each event of a machine, and of refused
# launches only so many that no user can fill the journal.
#   journal VIOMMUCTL VIOMMUD
set -u
# shellcheck source=tests/ctl/own-bus.sh
. "$(dirname "$0")/own-bus.sh"
trap 'kill "$daemon" 2>/dev/null; wait; rm -rf "$work"' EXIT
daemon=''

# says NUMBER PATTERN: so many lines of viommud match.
says() { [ "$(grep -cE -- "$2" "$work/log")" -eq "$1" ] || { cat "$work/log"; return 1; }; }

check 'viommud starts' start_viommud
run 0 'a machine' '^one$' "$ctl" launch name=one arch=x86_64 memory=64M --iommu
check 'is one line' says 1 "'one'"
check 'which says what it is' says 1 "Launched machine 'one': x86_64 q35, IOMMU intel$"
run 0 'the end of a machine' '' "$ctl" kill one
run 0 'and another one' '' "$ctl" launch name=two arch=x86_64 memory=64M
for i in {1..40}; do
    "$ctl" launch name="bad$i" arch=x86_64 iommu.model=smmuv3 >/dev/null 2>&1
done
check 'of 40 refused launches, ten are told' says 10 "launch: .*smmuv3"
run 0 'a machine is told all the same' '' "$ctl" launch name=three arch=x86_64 memory=64M
check 'with its line' says 1 "Launched machine 'three'"
kill "$daemon"
wait "$daemon"
finish
