#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# passes-through: a guest of lab.sh's table whose kernel passes DMA through (iommu.passthrough=1)
# must not be proven isolating: its spare device is not stopped.  By hand; verified-by-console has
# the same with an Intel IOMMU.
#   passes-through ROW   ($VIOMMUD and $VIOMMUCTL: the programs under test)
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

row=$1
lab_under_reaper "$@"
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_level=isolating
lab_open

reported() {
    grep -q 'viommu-report end' "$lab_console" 2>/dev/null
}

request=$(lab_request "$row" 'iommu.passthrough=1 viommu.stay')
answer=$(lab_ctl launch "$request" --wait=started --json)
lab_machine=$(jq -r .Name <<<"$answer") lab_console=$(jq -r .ConsoleLog <<<"$answer")
lab_until 400 reported || say_die "$row: no report: $(tail -n 15 "$lab_console" | tr -c '[:print:]\n' '?')"
grep -qx 'isolation none' <(tr -d '\r' <"$lab_console") ||
    say_die "$row: the guest's IOMMU stopped a device, or the guest could not try: $(grep -a isolation "$lab_console")"
status=0
said=$(lab_ctl verify "$lab_machine" 2>&1) || status=$?
[[ $status -eq 9 && $said == *"is not isolating: it leaves DMA of its devices untranslated"* ]] ||
    say_die "$row: viommuctl verify: status $status: $said"
say "$row: $said"
