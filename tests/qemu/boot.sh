#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# boot: launches one guest of lab.sh's table with a real viommud, libvirt and QEMU: it shows the
# requested IOMMU, its end is noticed, and nothing of it is left.  "viommuctl host" must also find
# in the guest's own files what the guest saw.
#   boot ROW [LEVEL]   ($VIOMMUD and $VIOMMUCTL: the programs under test)
# With LEVEL the guest also proves it; "isolating": its IOMMU stops a device.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# expect WHAT JQ_EXPRESSION: must hold for the guest as a recorded host.
expect() {
    jq -e --arg model "$lab_model" --arg class "$lab_class" "$2" "$lab_dir/hardware.json" >/dev/null ||
        say_die "$row: viommuctl host on the guest's files: $1: $(cat "$lab_dir/hardware.json")"
}

check_hardware() {
    local used=0
    mkdir "$lab_dir/hardware"
    base64 -d <<<"$lab_hardware" | tar -xz -C "$lab_dir/hardware"
    "$VIOMMUCTL" host --root="$lab_dir/hardware" --json >"$lab_dir/hardware.json"
    [ "$lab_groups" -eq 0 ] || used=1
    grep -qx "VIRT_IOMMU_USED=$used" <("$VIOMMUCTL" host --root="$lab_dir/hardware" --inventory) ||
        say_die "$row: VIRT_IOMMU_USED is not $used: $(cat "$lab_dir/hardware.json")"
    expect "the IOMMUs are not '$lab_class'" '[.topology.iommus[]?.name] | join(",") == $class'
    expect 'the kind is not the model' 'all(.topology.iommus[]?; .kind == $model)'
    expect 'no width' 'all(.topology.iommus[]?; .kind != "intel" or .width == 39 or .width == 48)'
    expect 'no devices' '.topology.devices | length > 0'
    expect 'a group without an IOMMU' 'all(.topology.devices[]; (.group == null) == (.iommu == null))'
    expect 'the table' '{intel: "DMAR", virtio: "VIOT"}[$model] as $name |
        $name == null or any(.topology.tables[]?; .name == $name and .state == "good" and .units == 1)'
}

row=$1
lab_under_reaper "$@"
lab_prerequisites "$1"
# shellcheck disable=SC2034 # for lab.sh
lab_level=${2:-} lab_viommud_conf=$'[daemon]\nverify-timeout=600'
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open

lab_boot "$1" || {
    say "$1: $lab_problem"
    say "${lab_console_end:-}"
    say_die "$(tail -n 20 "$lab_dir/viommud.log")"
}
say "$1: model $lab_model, /sys/class/iommu '${lab_class:--}', groups ${lab_groups:--}, ${lab_seconds:--} s $lab_problem"

left=$(lab_left_behind)
[ -z "$left" ] || say_die "$1: left behind: $left"
[ "${lab_model#!}" != "$lab_model" ] || check_hardware
