#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# verified-by-console: guests that report at their console whether their IOMMU works: proven,
# disproved with the cause, silent, and gone meanwhile.  busctl shows that Verified and
# QueuePosition are signalled.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/lab.sh"

row=x86_64-supported

# answers STATUS JQ_EXPRESSION ARGUMENT...: viommuctl --json ends with STATUS, and the expression
# holds.
answers() {
    local status=0 wanted=$1 expression=$2 answer
    shift 2
    answer=$(lab_ctl "$@" --json 2>>"$lab_dir/viommuctl.log" </dev/null) || status=$?
    if [ "$status" -ne "$wanted" ] || ! jq -e "$expression" <<<"$answer" >/dev/null; then
        say_die "viommuctl $*: ended with $status, not $wanted, or not with $expression: ${answer:0:2000} $(tail -n 5 "$lab_dir/viommud.log")"
    fi
}

# wants WORDS: the path of the row's request with WORDS for the kernel, whose launch waits for the
# proof.
wants() {
    local request
    request=$(lab_request "$row" "$1")
    jq '.wait = "verified"' "$request" >"$lab_dir/wants.json"
    chmod 644 "$lab_dir/wants.json"
    echo "$lab_dir/wants.json"
}

has_ended() {
    [ "$(lab_property "$machine" State)" = stopped ]
}

lab_under_reaper "$@"
lab_prerequisites "$row"
trap lab_close EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2034 # for lab_open
lab_viommud_conf=$'[daemon]\nrunning-launches=1\nverify-timeout=600'
lab_open

# monitored NAME: busctl has shown a change of this property.
monitored() {
    jq -e -n --arg name "$1" '[inputs | select(.member == "PropertiesChanged") | .payload.data[2]] | any(index($name))' \
        "$lab_dir/monitor.log" >/dev/null 2>&1
}

listens() {
    grep -q '^Monitoring bus message stream' "$lab_dir/monitor.err"
}

lab_spawn monitor sh -c "exec busctl --address=unix:path=$lab_dir/bus --json=short monitor org.viommu1 2>$lab_dir/monitor.err"
lab_until 10 listens || say_die "busctl does not monitor the bus: $(cat "$lab_dir/monitor.err")"

# Proven: the launch reports it, and a later question, too.
request=$(wants 'viommu.report viommu.stay')
answers 0 '.State == "running"' launch "$request"
machine=$(jq -r .name "$request")
answers 0 '.by == "console" and .iommus == ["dmar0"] and .groups > 0 and .devices >= .groups' verify "$machine"
answers 0 '.level == "translating" and .outside == [] and (.attributes | index("aw-bits=48")) and (has("note") | not)' verify "$machine"
[[ $(lab_ctl verify "$machine") = *dmar0* ]] || say_die "viommuctl verify does not name the IOMMU"
say "proven: $(lab_ctl verify "$machine")"
lab_until 10 monitored Verified || say_die "busctl has seen no signal of Verified: $(cat "$lab_dir/monitor.log")"
lab_ctl kill "$machine"

# Present, but without translation: said so, unless the request wants more.
request=$(wants 'iommu=pt viommu.isolate viommu.stay')
answers 0 '.State == "running"' launch "$request"
machine=$(jq -r .name "$request")
grep -qx 'isolation none' <(lab_ctl console --log "$machine" | tr -d '\r') || say_die "an IOMMU that translates nothing has stopped a device"
answers 0 '.level == "present" and (.outside | length > 0) and (.note | contains("remove '"'iommu=pt'"'"))' verify "$machine"
lab_ctl kill "$machine"
request=$(wants 'iommu=pt viommu.report viommu.stay')
jq '.verify.level = "translating"' "$request" >"$lab_dir/more.json"
chmod 644 "$lab_dir/more.json"
answers 9 '.error.name == "NotVerified" and (.error.message | contains("is not translating: it leaves DMA of its devices untranslated"))' \
    launch "$lab_dir/more.json"
say 'iommu=pt: present, not translating'

# Isolating: the guest's spare device was stopped; virtio devices of all kinds are behind
# the IOMMU; two of four vCPUs are present.
request=$(wants 'viommu.isolate viommu.stay')
jq '.verify.level = "isolating" | .iommu.iotlb = true | .vcpus = 4 | .["vcpus-present"] = 2 | .devices = [{kind: "gpu"}, {kind: "balloon"}, {kind: "keyboard"},
    {kind: "mouse"}, {kind: "tablet"}, {kind: "scsi", ats: true}, {kind: "rng", ats: true}]' "$request" >"$lab_dir/isolating.json"
chmod 644 "$lab_dir/isolating.json"
answers 0 '.State == "running"' launch "$lab_dir/isolating.json"
machine=$(jq -r .name "$request")
grep -qx 'cpus=0-1' <(lab_ctl console --log "$machine" | tr -d '\r') || say_die "the guest does not have two of its four vCPUs"
answers 0 '.level == "isolating" and .devices > 8 and (.attributes | index("iotlb=on")) and (has("note") | not)' verify "$machine"
lab_ctl kill "$machine"
say 'isolating: the IOMMU stopped a device'

# Three launches at once, one of which runs: the queue position of another is signalled when it
# leaves the queue.
request=$(lab_request "$row" viommu.stay)
for name in first second third; do
    jq --arg name "$name" '.name = $name' "$request" >"$lab_dir/$name.json"
    chmod 644 "$lab_dir/$name.json"
    lab_spawn "$name" "$lab_dir/viommuctl" --user launch "$lab_dir/$name.json" --wait=started
done
lab_until 20 monitored QueuePosition || say_die "busctl has seen no signal of QueuePosition: $(cat "$lab_dir/monitor.log")"
all_run() {
    [ "$(lab_ctl list --json | jq '[.[] | select(.state == "running")] | length')" -eq 3 ]
}
lab_until 30 all_run || say_die "three launches: $(lab_ctl list --json)"
for name in first second third; do
    lab_ctl kill "$name"
done
say 'busctl monitor: Verified and QueuePosition are signalled'

# Proven by its last output: the guest powers off right after it.
request=$(wants viommu.report)
answers 0 '.Failure[0] == ""' launch "$request"
lab_until 20 has_ended || say_die "a guest that powers off is $(lab_property "$machine" State)"
lab_ctl kill "$machine"

# Disproved: the kernel is told to leave out what starts every IOMMU, which viommud's planner does
# not know.  The launch is undone.
request=$(wants 'initcall_blacklist=pci_iommu_init viommu.report viommu.stay')
answers 9 '.error.name == "NotVerified" and (.error.message | contains("which is not at work") and contains("its console"))' launch "$request"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind by a launch that was not proven: $left"
say 'not proven: the launch is undone'

# Silent: the call fails after its timeout, and the machine runs on.
request=$(lab_request "$row" viommu.stay)
lab_launch "$request" || say_die "launch: $lab_refusal"
lab_wait "$lab_machine" "$lab_console" 180 || say_die "$lab_problem"
answers 9 '.error.message | contains("guest-report")' verify "$lab_machine" --timeout=2
[ "$(lab_property "$lab_machine" State)" = running ] || say_die "a machine that was asked in vain is $(lab_property "$lab_machine" State)"
say 'silent: said so'

# Gone meanwhile.
lab_spawn asked "$lab_dir/viommuctl" --user verify "$lab_machine"
asked=$lab_pid
sleep 1
kill -0 "$asked" || say_die "nobody waits for the proof: $(cat "$lab_dir/asked.log")"
lab_ctl kill "$lab_machine"
asked_over() { ! kill -0 "$asked" 2>/dev/null; }
lab_until 10 asked_over || say_die 'who asked a guest that is gone waits on'
grep -q "cannot be verified" "$lab_dir/asked.log" || say_die "who asked a guest that is gone hears: $(cat "$lab_dir/asked.log")"
say "gone meanwhile: $(tail -n 1 "$lab_dir/asked.log")"
