#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# verified-by-agent: a booted Debian proves through its guest agent that its IOMMU is active, and is
# ready when the agent answers; if the IOMMU is off, or the agent does not answer, the error names
# the cause.  Commands run in the guest through its agent; VIOMMU_EXEC_LARGE=1 also gets 20 MB out.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

# request NAME WORDS [JQ]: the path of a request for the Debian with WORDS on its kernel's command
# line, and JQ's changes.
request() {
    jq -n --arg name "$1" --arg parts "$parts" \
        --arg cmdline "systemd.volatile=state console=ttyS0 quiet no_timer_check panic=-1 $2" "
        {name: \$name, arch: \"x86_64\", accelerator: \"$lab_accelerator\", memory: \"512 MiB\", iommu: {\"is-supported\": true},
         guest: {os: \"debian13\", agent: true}, disks: [{path: \"\(\$parts)/disk\", format: \"raw\", \"read-only\": true}],
         boot: {kernel: \"\(\$parts)/vmlinuz\", initrd: \"\(\$parts)/initrd\", cmdline: \$cmdline}} | ${3:-.}" >"$lab_dir/$1.json"
    chmod 644 "$lab_dir/$1.json"
    echo "$lab_dir/$1.json"
}

# die WHAT: shows the end of all output.
die() {
    say "$(tail -n 5 "$lab_dir/viommud.log")"
    [ -z "$lab_console" ] || say "$(tail -n 15 "$lab_console" | tr -d '\r' | tr -c '[:print:]\n' '?')"
    say_die "$*"
}

# refused STATUS PATTERN WORD...: viommuctl WORD... fails with STATUS and a message.
refused() {
    local wanted=$1 pattern=$2 said status=0
    shift 2
    said=$(lab_ctl "$@" 2>&1) || status=$?
    [ "$status" -eq "$wanted" ] || die "viommuctl $*: status $status: $said"
    [[ $said =~ $pattern ]] || die "viommuctl $*: not '$pattern': $said"
    say "${said%%$'\n'*}"
}

lab_under_reaper "$@"
lab_prerequisites x86_64-supported
parts=$("$here/debian.sh") || lab_skip "the Debian guest is not in the cache and cannot be made"
trap lab_close EXIT
trap 'exit 130' INT TERM
# A busy machine boots an emulated guest slowly.
lab_viommud_conf=$'[daemon]\nverify-timeout=600\nready-timeout=600' lab_open
if ! "${lab_as[@]}" test -r "$parts/disk"; then
    cp -r --reflink=auto --sparse=always "$parts" "$lab_dir/"
    parts=$lab_dir/$(basename "$parts")
fi

# --- Proven ---

started=$SECONDS
lab_ctl launch "$(request proven intel_iommu=on '.wait = "verified"')" --json >"$lab_dir/answer" 2>&1 ||
    die "launch with wait: verified: $(cat "$lab_dir/answer")"
lab_console=$(jq -r .ConsoleLog "$lab_dir/answer")
[ "$(jq .Verified "$lab_dir/answer")" = true ] || die "the machine is not Verified: $(cat "$lab_dir/answer")"
say "wait: verified: $((SECONDS - started)) s"
lab_ctl verify proven --json >"$lab_dir/proof" 2>"$lab_dir/words" || die "viommuctl verify: $(cat "$lab_dir/words")"
jq -e '.by == "agent" and .iommus == ["dmar0"] and .groups > 0 and .level == "translating" and .outside == []' "$lab_dir/proof" >/dev/null ||
    die "the proof: $(cat "$lab_dir/proof")"
[ ! -s "$lab_dir/words" ] || die "viommuctl verify says beside the proof: $(cat "$lab_dir/words")"

# --- Commands inside ---

# inside STATUS OUTPUT ERRORS WORD...: viommuctl exec ends like this.
inside() {
    local wanted=$1 output=$2 errors=$3 status=0
    shift 3
    lab_ctl exec proven -- "$@" >"$lab_dir/output" 2>"$lab_dir/errors" || status=$?
    [[ $status -eq $wanted && $(cat "$lab_dir/output") == "$output" && $(cat "$lab_dir/errors") =~ $errors ]] ||
        die "exec $*: status $status: $(head -c 200 "$lab_dir/output") $(head -c 200 "$lab_dir/errors")"
}

# large N: the numbers up to N arrive as they were printed.
large() {
    local began=$SECONDS sum
    lab_ctl exec proven -- seq "$1" >"$lab_dir/large" </dev/null || die "exec seq $1: status $?"
    sum=$(seq "$1" | sha256sum)
    [ "$(sha256sum <"$lab_dir/large")" = "$sum" ] || die "exec seq $1: $(wc -c <"$lab_dir/large") bytes, and not as they were"
    say "exec: $(wc -c <"$lab_dir/large") bytes of output: $((SECONDS - began)) s"
}

inside 0 'a b  c' '^$' sh -c 'echo "$@"' - 'a b ' c </dev/null
inside 7 out '^err$' sh -c 'echo out; echo err >&2; exit 7' </dev/null
inside 137 '' '' sh -c 'kill -9 $$' </dev/null
inside 127 '' '/nonexistent' /nonexistent </dev/null
printf 'first\nsecond\n' | inside 0 $'first\nsecond' '^$' cat
head -c 200000 /dev/zero | inside 0 200000 '^$' wc -c
large 160000
[ -z "${VIOMMU_EXEC_LARGE-}" ] || large 2700000
# Who leaves takes the command along, and nothing is left in the guest.
lab_run timeout 5 "$lab_dir/viommuctl" --user exec proven -- sleep 4321 </dev/null >/dev/null 2>&1 && die "sleep has ended"
for _ in {1..30}; do
    lab_ctl exec proven -- sh -c 'grep -lxz "432[1]" /proc/[0-9]*/cmdline' </dev/null >"$lab_dir/output" 2>/dev/null || break
    sleep 1
done
[ ! -s "$lab_dir/output" ] || die "the command of a caller that left runs on: $(cat "$lab_dir/output")"
lab_ctl exec proven -- sh -c 'for i in 1 2 3 4 5 6 7 8 9; do set -- /var/tmp/viommu-exec.* /tmp/viommu-exec.*; [ $# -gt 2 ] || exit 0; sleep 1; done; echo "$@"' \
    </dev/null >"$lab_dir/output" 2>&1
[ ! -s "$lab_dir/output" ] || die "left in the guest: $(cat "$lab_dir/output")"
lab_ctl verify proven >/dev/null || die "viommuctl verify after these commands fails"
lab_ctl kill proven

# --- Disabled on the guest's own command line ---

# viommud refuses a request that disables the IOMMU; it cannot know the guest's own boot loader.
refused 3 "boot.cmdline has 'intel_iommu=off'" launch "$(request refused intel_iommu=off)"
lab_ctl launch "$(request disabled '' \
    'del(.boot) | .disks = [.disks[0] + {path: "\($parts)/boot-without-iommu"}] + .disks | .wait = "ready"')" --json >"$lab_dir/answer" 2>&1 ||
    die "launch with wait: ready: $(cat "$lab_dir/answer")"
lab_console=$(jq -r .ConsoleLog "$lab_dir/answer")
jq -e '.Ready and (.Verified | not)' "$lab_dir/answer" >/dev/null || die "the machine is not Ready: $(cat "$lab_dir/answer")"
refused 9 'command line disables it: remove .intel_iommu=off.' verify disabled --timeout=300
lab_ctl kill disabled

# --- No agent ---

lab_launch "$(request silent systemd.mask=qemu-guest-agent.service)" || die "launch: $lab_refusal"
refused 9 'package qemu-guest-agent' verify silent --timeout=5
path=/org/viommu1/machine/$(lab_property silent UUID | tr - _)
status=0
said=$("${lab_as[@]}" busctl --address="unix:path=$lab_dir/bus" call org.viommu1 "$path" org.viommu1.Machine AwaitReady t 3 2>&1) || status=$?
[[ $status -ne 0 && $said == *"was not ready after 3 seconds"*"package qemu-guest-agent"* ]] || die "AwaitReady: $said"
lab_ctl kill silent
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
