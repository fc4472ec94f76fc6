#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# failing-start: a guest that QEMU or libvirt cannot start leaves nothing behind, and the caller
# gets their message.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# refused WHAT REQUEST NAME STATUS WORDS: the launch fails as NAME, viommuctl ends with STATUS,
# WORDS are in the message, and nothing is left.
refused() {
    local status=0 left
    lab_launch "$2" || status=$?
    [ "$status" -ne 0 ] || say_die "$1: the launch succeeded"
    [ "$status" -eq "$4" ] || say_die "$1: viommuctl ended with $status, not $4: $lab_refusal"
    [[ $(jq -r .error.name <<<"$lab_refusal") = *$3 ]] || say_die "$1: the error is not $3: $lab_refusal"
    [[ $(jq -r .error.message <<<"$lab_refusal") = *$5* ]] || say_die "$1: '$5' is not in: $lab_refusal"
    left=$(lab_left_behind)
    [ -z "$left" ] || say_die "$1: left behind: $left"
    say "$1: $(jq -r .error.message <<<"$lab_refusal")"
}

# With UEFI, so that an NVRAM file could be left.
row=aarch64-virtio
lab_under_reaper "$@"
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
request=$(lab_request "$row")

: >"$lab_dir/closed"
chmod 000 "$lab_dir/closed"
jq --arg path "$lab_dir/closed" '.boot.kernel = $path' "$request" >"$lab_dir/kernel.json"
refused "a kernel that nobody may read" "$lab_dir/kernel.json" InvalidRequest 2 "boot.kernel '$lab_dir/closed'"

jq --arg path "$lab_dir/nowhere.raw" '.disks = [{path: $path, format: "raw"}]' "$request" >"$lab_dir/disk.json"
refused "a disk that is not there" "$lab_dir/disk.json" InvalidRequest 2 "No such file or directory"

# A qcow2 image with a feature that no QEMU has: only QEMU notices.
lab_run qemu-img create -q -f qcow2 "$lab_dir/console/future.qcow2" 1M
printf '\200' | lab_run dd of="$lab_dir/console/future.qcow2" bs=1 seek=72 conv=notrunc status=none
jq --arg path "$lab_dir/console/future.qcow2" '.disks = [{path: $path, format: "qcow2"}]' "$request" >"$lab_dir/future.json"
refused "a disk that QEMU cannot use" "$lab_dir/future.json" Backend 8 "feature"

# The daemon still works.
lab_boot "$row" || say_die "$row after the failures: $lab_problem"
