#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# locked-memory: what the real libvirt lets a guest lock: the plan refuses where libvirt could not
# raise the limit; after the start QEMU's own limit is read.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

lab_under_reaper "$@"
for program in qemu-system-x86_64 dbus-daemon setpriv jq; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
trap lab_close EXIT
trap 'exit 130' INT TERM
lab_open
cat >"$lab_dir/locked.json" <<'END'
{"name": "locked", "arch": "x86_64", "accelerator": "tcg", "memory": "64 MiB", "iommu": {"is-supported": true},
 "memory-backing": {"locked": true, "page-size": "4 KiB"}}
END
chmod 644 "$lab_dir/locked.json"

limit=$(ulimit -Hl)
status=0
lab_launch "$lab_dir/locked.json" || status=$?
if [ "$limit" = unlimited ]; then
    [ "$status" -eq 0 ] || say_die "the launch failed: $lab_refusal"
    pid=$(cat "$lab_dir/libvirt/run/qemu/locked.pid")
    grep -q '^Max locked memory  *unlimited  *unlimited' "/proc/$pid/limits" || say_die "$(grep locked "/proc/$pid/limits")"
    [ "$(lab_ctl show locked --json | jq '.Warnings | length')" = 0 ] || say_die "$(lab_ctl show locked)"
    say "QEMU may lock what it wants"
    exit
fi
[ "$status" -eq 3 ] || say_die "status $status instead of 3: $lab_refusal"
words='memory-backing.locked needs unlimited locked memory'
[[ $lab_refusal = *$words* ]] || say_die "'$words' is not in: $lab_refusal"
say "$(jq -r .error.message <<<"$lab_refusal")"

# A libvirt that seems to have raised the limit, and a QEMU that locks nothing, so that it runs all
# the same.
kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
install -m 755 "$NO_LIMIT" "$lab_dir/no-limit.so"
mkdir "$lab_dir/bin"
cat >"$lab_dir/bin/qemu-system-x86_64" <<END
#!/bin/bash
exec $(command -v qemu-system-x86_64) "\${@/mem-lock=on/mem-lock=off}"
END
chmod -R a+rX,u+x "$lab_dir/bin"
chmod 755 "$lab_dir/bin/qemu-system-x86_64"
lab_environment+=("PATH=$lab_dir/bin:$PATH" "LD_PRELOAD=$lab_dir/no-limit.so")
lab_start_daemon
lab_launch "$lab_dir/locked.json" || say_die "the launch failed: $lab_refusal"
words='of memory (RLIMIT_MEMLOCK), but the plan needs 1088 MiB'
warning=$(lab_ctl show locked --json | jq -r '.Warnings[]' | grep -F "$words") || say_die "no warning: $(lab_ctl show locked)"
say "$warning"
grep -F "machine 'locked': $warning" "$lab_dir/viommud.log" >/dev/null || say_die "it is not in the log: $(cat "$lab_dir/viommud.log")"
# The metadata has it, too.
kill "$lab_daemon"
lab_until 15 lab_daemon_gone || say_die "viommud does not end"
lab_start_daemon
lab_ctl show locked --json | jq -r '.Warnings[]' | grep -F "$words" >/dev/null || say_die "it is forgotten: $(lab_ctl show locked)"
