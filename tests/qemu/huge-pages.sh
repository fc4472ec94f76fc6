#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# huge-pages: a guest whose memory is in this machine's huge pages, and another one for which too
# few are left.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

pool=/proc/sys/vm/nr_hugepages
pages=300 # of 2 MiB; the guest takes 256
mount_at='' pool_before=''

free_pages() {
    awk '$1 == "HugePages_Free:" { print $2 }' /proc/meminfo
}

has_free() {
    [ "$(free_pages)" -eq "$1" ]
}

clean_up() {
    lab_close
    [ -z "$mount_at" ] || umount "$mount_at"
    [ -z "$mount_at" ] || rmdir "$mount_at"
    [ -z "$pool_before" ] || echo "$pool_before" >"$pool"
}

row=x86_64-supported
lab_under_reaper "$@"
lab_prerequisites "$row"
[ "$(id -u)" -eq 0 ] || lab_skip "only root can make huge pages"
[ "$(awk '$1 == "Hugepagesize:" { print $2 $3 }' /proc/meminfo)" = 2048kB ] || lab_skip "huge pages are not of 2 MiB here"
[ "$(cat $pool)" = 0 ] || lab_skip "huge pages are in use here"
trap clean_up EXIT
trap 'exit 130' INT TERM
echo $pages >$pool 2>/dev/null || lab_skip "this machine does not let root make huge pages"
pool_before=0
has_free $pages || lab_skip "this machine has no $((pages * 2)) MiB for huge pages"
mount_at=$(mktemp -d /tmp/viommu-huge.XXXXXX)
mount -t hugetlbfs -o mode=1777 none "$mount_at" || lab_skip "hugetlbfs cannot be mounted here"
# shellcheck disable=SC2034  # for lab_open
lab_qemu_conf="hugetlbfs_mount = \"$mount_at\""
lab_open

request=$(lab_request "$row" viommu.stay)
jq '.["memory-backing"] = {"page-size": "2 MiB"}' "$request" >"$lab_dir/huge.json"
lab_launch "$lab_dir/huge.json" || say_die "the launch failed: $lab_refusal"
lab_wait "$lab_machine" "$lab_console" 120 || say_die "the guest: $lab_problem"
has_free $((pages - 256)) || say_die "the guest runs, but $(free_pages) of $pages pages are free"
say "a guest of 512 MiB has 256 of $pages huge pages"

jq '.name = "second" | .memory = "128 MiB"' "$lab_dir/huge.json" >"$lab_dir/second.json"
status=0
lab_launch "$lab_dir/second.json" || status=$?
[ "$status" -eq 7 ] || say_die "a second guest: status $status instead of 7: $lab_refusal"
words="needs 64 such pages, but other machines have 256 of this host's $pages"
[[ $lab_refusal = *$words* ]] || say_die "'$words' is not in: $lab_refusal"
say "$(jq -r .error.message <<<"$lab_refusal")"

echo 330 >$pool
lab_launch "$lab_dir/second.json" || say_die "with more pages the launch failed: $lab_refusal"
lab_until 10 has_free $((330 - 256 - 64)) || say_die "$(free_pages) pages are free"
lab_ctl kill second
lab_ctl kill "$row" 2>/dev/null || lab_ctl kill "${row/_/-}"
lab_until 10 has_free 330 || say_die "the machines are gone, but only $(free_pages) of 330 pages are free"
say "all pages are free again"
