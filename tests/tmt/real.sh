#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# real: the plugin in the real tmt, by an ordinary user with a viommud of their own: what tmt says
# of plans, and with --guest a run of tests in a guest, its reboot, and its end.
# With --table, it prints the table of docs/tmt.md instead.
#   real [--guest | --table] [VERSION]
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/../qemu/lab.sh"
boots=1200 # seconds in which an emulated guest must be up; a quiet machine needs a tenth

lab_under_reaper "$@"
guest='' table=''
case ${1:-} in
--guest) guest=yes && shift ;;
--table) table=yes && shift ;;
esac
version=${1:-newest}

# tmt_as_user WORD...: tmt, as the guests' user; its output is in $said.
tmt_as_user() {
    local status=0
    lab_run "${tmt[@]}" "$@" >"$lab_dir/said" 2>&1 </dev/null || status=$?
    return "$status"
}

# die WHAT: shows the end of all output.
die() {
    say "$(tail -n 30 "$lab_dir/viommud.log" "$lab_dir/said" 2>&1)"
    say_die "$*"
}

# tmt_says STATUS PATTERN WORD...: tmt ends so, and says so.  STATUS is an expression, too.
tmt_says() {
    local wanted=$1 pattern=$2 status=0
    shift 2
    tmt_as_user "$@" || status=$?
    [[ $status =~ ^$wanted$ ]] || die "tmt $*: status $status, not $wanted"
    grep -qE -e "$pattern" "$lab_dir/said" || die "tmt $*: does not say '$pattern'"
    say "tmt $*: as it should be"
}

# plan NAME HARDWARE: a plan with one test that passes and one that fails.
plan() {
    cat >"$lab_dir/tree/$1.fmf" <<END
summary: A guest with hardware $1
provision:
    how: viommu
    image: debian13
    boot-timeout: $boots
    hardware: $2
discover:
    how: shell
    tests:
    - name: passes
      test: test -e /sys/class/iommu/dmar0
    - name: fails
      test: test -e /sys/class/iommu/none
execute:
    how: tmt
END
}

# boot_id: of the guest's kernel.
boot_id() {
    tmt_says '[01]' '^ *[0-9a-f-]{36}$' run --last -v login --command 'cat /proc/sys/kernel/random/boot_id'
    grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$lab_dir/said" | head -n 1
}

# row HARDWARE: what tmt says of it, with its own plugin for virtual machines and with ours.
row() {
    local ours theirs
    plan row "$1"
    tmt_as_user run --dry plan --name '^/row$' provision || true
    ours=$(sed -n -e 's/^ *iommu: //p' -e 's/^ *viommud cannot provision.*: \(iommu\.\)/refused: \1/p' "$lab_dir/said" | head -n 1)
    sed -i 's/how: viommu/how: virtual/; /boot-timeout/d' "$lab_dir/tree/row.fmf"
    tmt_as_user run --dry plan --name '^/row$' provision || true
    theirs=$(sed -n "s/^ *warn: \(Hardware requirement '[^']*' is not supported\)\.$/warns: \1/p" "$lab_dir/said" | head -n 1)
    echo "| \`$1\` | ${theirs:-nothing} | ${ours:-nothing} |"
}

# machines: those that viommud has, without what "list" says of them.
machines() {
    lab_ctl list --json >"$lab_dir/list" || die "viommuctl list fails"
    jq -r '.[].name' "$lab_dir/list"
}

# nothing_left WHEN: viommud says that it has no machine.
nothing_left() {
    local left
    left=$(machines) || die "$1: viommud does not say which machines it has"
    [ -z "$left" ] || die "$1 left: $left"
}

a_machine_runs() {
    [ -n "$(machines)" ] && [ "$(lab_property "$(machines)" State)" = running ]
}

# interrupted: a tmt that is interrupted while its guest boots; this one never answers.
interrupted() {
    local pid status=0 left
    (exec "${lab_environment[@]}" "${lab_as[@]}" "${tmt[@]}" run plan --name '^/supported$' provision) >"$lab_dir/said" 2>&1 </dev/null &
    pid=$!
    lab_until 60 a_machine_runs || die "tmt in the background launches no machine"
    left=$(lab_property "$(machines)" LeaseEnd)
    left=$((left / 1000000 - $(python3 -c 'import time; print(int(time.clock_gettime(time.CLOCK_BOOTTIME)))')))
    ((left > 0 && left <= 300)) || die "the lease of a guest that boots has $left s left"
    kill "$pid"
    wait "$pid" || status=$?
    [ "$status" -ne 0 ] || die "tmt was interrupted, and succeeded"
    nothing_left "an interrupted tmt"
    say "an interrupted tmt: as it should be"
}

# --- The lab, with tmt ---

for program in qemu-system-x86_64 qemu-img dbus-daemon setpriv jq ssh ssh-keygen rsync; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
venv=$("$here/venv.sh" "$version") || lab_skip "PyPI is not reached, or python3-venv is not installed"
if [ -n "$guest" ]; then
    "$here/../qemu/cloud.sh" x86_64-debian13-image >/dev/null || lab_skip "the Debian image is not in the cache and cannot be made"
fi
trap lab_close EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2034  # of lab.sh
lab_viommud_conf=$'[machine]\naccelerator=tcg'
lab_open
"${lab_as[@]}" mkdir -m 700 "$lab_dir"/{session,runs,tree,planning}
cp -r "$(echo "$venv"/lib/python3*/site-packages)" "$lab_dir/python"
cp -r "$here/../../tools/tmt" "$lab_dir/source"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-index --no-deps --no-build-isolation --upgrade \
    --target="$lab_dir/python" "$lab_dir/source" 2>"$lab_dir/said" || die "the plugin cannot be installed"
images=$lab_dir/home/.local/share/viommud/images
if [ -n "$guest" ]; then
    lab_image x86_64-debian13-image debian13 debian13-cloud
else
    # Nothing boots it.
    "${lab_as[@]}" mkdir -p "$images"
    "${lab_as[@]}" qemu-img create -q -f qcow2 "$images/debian13.qcow2" 2G
    lab_ctl image-add "$images/debian13.qcow2" --os=debian13-cloud --seed=cloud-init --agent=yes >/dev/null
fi
mkdir "$lab_dir/tree/.fmf"
echo 1 >"$lab_dir/tree/.fmf/version"

tmt=(env -C "$lab_dir/tree" PATH="$lab_dir:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    PYTHONPATH="$lab_dir/python" PYTHONDONTWRITEBYTECODE=1 XDG_RUNTIME_DIR="$lab_dir/session"
    VIOMMU_CONNECT="qemu:///embed?root=$lab_dir/planning" TMT_WORKDIR_ROOT="$lab_dir/runs" NO_COLOR=1
    /usr/bin/python3 -m tmt --feeling-safe)

# --- Plans ---

if [ -n "$table" ]; then
    echo "| hardware | \`how: virtual\` | \`how: viommu\` |"
    echo "|---|---|---|"
    row '{iommu: {is-supported: true}}'
    row '{iommu: {model-name: virtio}}'
    row '{iommu: {model-name: "!= virtio"}}'
    row '{iommu: {model-name: smmuv3}}'
    row '{iommu: {is-supported: false}}'
    exit
fi
plan supported '{iommu: {is-supported: true}}'
plan other '{iommu: {model-name: "!= intel"}, memory: ">= 1 GB"}'
plan either '{or: [{iommu: {model-name: smmuv3}}, {cpu: {processors: 2}, iommu: {model-name: "~ int"}}]}'
plan refused '{or: [{iommu: {model-name: smmuv3}}, {tpm: {version: "2.0"}}]}'
tmt_says 0 'pass C000' lint
grep -qE '^(warn|fail) ' "$lab_dir/said" && die "tmt lint is not content"
tmt_says 0 'iommu: virtio' run --dry plan --name '^/(supported|other|either)$' provision
[ "$(grep -c 'iommu: intel' "$lab_dir/said")" -eq 2 ] || die "a dry run does not say the IOMMU of each guest"
tmt_says 2 "'smmuv3' exists only on aarch64.*viommud gives no TPM" run plan --name '^/refused$' provision
nothing_left "refused and dry runs"
[ -n "$guest" ] || interrupted

# --- A guest ---

if [ -n "$guest" ]; then
    rm "$lab_dir"/tree/{other,either,refused}.fmf
    started=$SECONDS
    tmt_says 1 '1 test passed and 1 test failed' run --id one -v discover provision execute report
    say "tmt run: $((SECONDS - started)) s"
    [ -n "$(machines)" ] || die "the guest is gone before its cleanup"
    before=$(boot_id)
    # The failed test may count again.
    tmt_says '[01]' 'Reboot finished' run --last -v reboot --hard
    [ "$(boot_id)" != "$before" ] || die "the guest was not rebooted: it still has the boot id $before"
    tmt_says '[01]' 'still here' run --last -v login --command 'echo still here'
    tmt_says '[01]' 'guest: removed' run --last -v cleanup
    grep -rqs 'Debian GNU' "$lab_dir"/runs/one/*/provision/*/logs || die "no guest log has the console"
fi
nothing_left "the end"
left=$(lab_left_behind)
[ -z "$left" ] || say_die "left behind: $left"
