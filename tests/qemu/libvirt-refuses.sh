#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libvirt-refuses: libvirt's own answer about a model overrides the table.  Asked beforehand, the
# answer is a verdict like any other.  Given only when the domain is defined, an automatic choice
# takes the next candidate, a model requested by name is refused with libvirt's message, and the
# disagreement is logged.  The test removes devices from libvirt's own record of this QEMU.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# forget FLAG: from now on libvirt believes that the probed emulators lack it.
forget() {
    local records
    kill "$lab_daemon"
    lab_until 15 lab_daemon_gone || say_die "viommud does not end"
    records=$(grep -rlF "<flag name='$1'/>" "$lab_dir/libvirt/cache" || true)
    [ -n "$records" ] || say_die "libvirt's records do not know '$1'"
    # In place: libvirt compares the time of the emulator, not of its record.
    xargs sed -i "/<flag name='$1'\/>/d" <<<"$records"
    lab_start_daemon
}

# ask_facts OPTION...: with an engine of its own, as one directory serves one process, and with the
# daemon's records.
ask_facts() {
    lab_run rm -rf "$lab_dir/facts"
    lab_run sh -c 'mkdir "$2" && cp -rp "$1/etc" "$1/cache" "$2"' sh "$lab_dir/libvirt" "$lab_dir/facts"
    lab_ctl facts --connect="qemu:///embed?root=$lab_dir/facts" "$@"
}

refused() {
    grep -F "libvirt refused IOMMU model '$1'" "$lab_dir/viommud.log" >/dev/null ||
        say_die "the disagreement is not in the log: $(cat "$lab_dir/viommud.log")"
}

row=x86_64-supported
lab_under_reaper "$@"
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
request=$(lab_request "$row")
# A plan makes libvirt probe both emulators and write their records.
lab_run busctl --user call org.viommu1 /org/viommu1 org.viommu1.Manager Plan 'a{sv}' 0 >/dev/null

# --- Answered beforehand ---
facts=$(ask_facts --json)
jq -e '.facts | (.[] | select(.fact == "intel") | .x86_64 == true and (has("aarch64") | not)) and
       (.[] | select(.fact == "smmuv3") | .aarch64 == true)' <<<"$facts" >/dev/null ||
    say_die "libvirt was not asked, or denies what it gives: $facts"
wrong=$(jq -r '.facts[] | select(has("x86_64-contradicts") or has("aarch64-contradicts")) | .fact' <<<"$facts")
[ -z "$wrong" ] || say_die "libvirt contradicts the table: $wrong"
forget intel-iommu
lab_launch "$request" || say_die "launch: $lab_refusal"
model=$(lab_property "$lab_machine" IommuModel)
[ "$model" = virtio ] || say_die "the model is '$model', not virtio, although libvirt denies intel"
lab_ctl kill "$lab_machine"
ask_facts | grep -E '^intel .* no! ' >/dev/null ||
    say_die "the contradiction is not shown"
! grep -F "libvirt refused IOMMU model" "$lab_dir/viommud.log" || say_die "it was tried all the same"

# --- Answered at the definition ---
install -m 755 "$NO_CONVERSION" "$lab_dir/no-conversion.so"
lab_environment+=("LD_PRELOAD=$lab_dir/no-conversion.so")
rm -rf "$lab_dir/libvirt/cache"/*
kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
lab_start_daemon
lab_run busctl --user call org.viommu1 /org/viommu1 org.viommu1.Manager Plan 'a{sv}' 0 >/dev/null
forget intel-iommu.aw-bits

lab_launch "$request" || say_die "launch: $lab_refusal"
model=$(lab_property "$lab_machine" IommuModel)
[ "$model" = virtio ] || say_die "the model is '$model', not virtio, the next candidate"
lab_ctl show "$lab_machine" --json | jq -e 'any(.Warnings[]; contains("libvirt refuses it here"))' >/dev/null ||
    say_die "no warning says that the first candidate was passed over"
refused intel
lab_ctl kill "$lab_machine"

jq '.iommu = {model: "intel"}' "$request" >"$lab_dir/named.json"
status=0
lab_launch "$lab_dir/named.json" || status=$?
[ "$status" -eq 3 ] || say_die "a model that was asked for by name ended with $status, not 3: $lab_refusal"
jq -e '.error | .name == "NotSupported" and (.message | contains("is not supported with this QEMU binary")) and
       any(.reasons[]; .model == "intel" and .rule == "libvirt")' <<<"$lab_refusal" >/dev/null ||
    say_die "libvirt's words are not in the refusal: $lab_refusal"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
say "$(jq -r .error.message <<<"$lab_refusal")"
