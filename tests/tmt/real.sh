#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# real: the plugin in the real tmt, by an ordinary user with a viommud of their own: what tmt says
# of plans, and with --guest a run of tests in two guests side by side, their reboot, and their end.
# With --table, it prints the table of docs/tmt.md instead.
#   real [--guest | --table] [VERSION]
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/lab.sh
. "$here/../qemu/lab.sh"

# without_kvm WORD...: goes on with a /dev that has no kvm: testcloud takes KVM where the file is
# there, also when it may not open it.
without_kvm() {
    [ -e /dev/kvm ] || return 0
    [ "$(id -u)" -eq 0 ] || lab_skip "only root can hide /dev/kvm from testcloud, and this machine has it"
    # shellcheck disable=SC2016  # its own words
    exec unshare --mount bash -c 'set -e
        dev=$(mktemp -d)
        mount -t tmpfs -o mode=755 dev "$dev"
        cp -a /dev/{null,zero,full,random,urandom,tty,ptmx,fd,stdin,stdout,stderr} "$dev"
        mkdir "$dev"/{pts,shm}
        mount --bind /dev/pts "$dev/pts"
        mount --bind /dev/shm "$dev/shm"
        mount --move "$dev" /dev
        rmdir "$dev"
        exec "$@"' bash "$0" --table "$@"
}

lab_under_reaper "$@"
guest='' table='' more=''
case ${1:-} in
--guest) guest=yes && shift ;;
--table) table=yes && shift ;;
esac
version=${1:-newest}
[ -z "$table" ] || without_kvm "$@"

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
    boot-timeout: $lab_boots
    hardware: $2
discover:
    how: shell
    tests:
    - name: passes
      test: ls /sys/class/iommu | grep . && ls /sys/kernel/iommu_groups | grep .
    - name: fails
      test: test -e /sys/class/iommu/none
execute:
    how: tmt
END
}

# two_guests NAME: a plan with a guest that has an Intel IOMMU and one that has a virtio IOMMU, and
# the tests of plan().
two_guests() {
    local guest
    plan "$1" '{}'
    {
        sed '/^provision:/,$d' "$lab_dir/tree/$1.fmf"
        echo 'provision:'
        for guest in one:intel two:virtio; do
            printf -- '- {name: %s, how: viommu, image: debian13, boot-timeout: %s, hardware: {iommu: {model-name: %s}}}\n' \
                "${guest%:*}" "$lab_boots" "${guest#*:}"
        done
        sed -n '/^discover:/,$p' "$lab_dir/tree/$1.fmf"
    } >"$lab_dir/tree/plan.new"
    mv "$lab_dir/tree/plan.new" "$lab_dir/tree/$1.fmf"
}

# boot_ids: of the kernels of both guests, one a line.
boot_ids() {
    tmt_says '[01]' '^ *[0-9a-f-]{36}$' run --last -v login --command 'cat /proc/sys/kernel/random/boot_id'
    grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$lab_dir/said" | sort -u
}

# cell HOW HARDWARE: in $cell, what tmt says of the hardware, and what the guest then has: a test
# that tmt runs in the guest prints its /sys/class/iommu.
cell() {
    local how=$1 image=debian13 run=$1 output said has
    rm -rf "$lab_dir/runs/$run"
    [ "$how" = viommu ] || image=$images/debian13.qcow2
    {
        printf 'provision: {how: %s, image: %s, hardware: %s' "$how" "$image" "$2"
        [ "$how" = virtual ] || printf ', boot-timeout: %s' "$lab_boots"
        printf '}\ndiscover: {how: shell, tests: [{name: has, test: "echo class: $(ls /sys/class/iommu)"}]}\nexecute: {how: tmt}\n'
    } >"$lab_dir/tree/cell.fmf"
    tmt_as_user run --id "$run" discover provision execute report cleanup || true
    said=$(sed -n -e 's/^ *iommu: /gives: /p' -e "s/^ *warn: \(Hardware requirement '[^']*' is not supported\)\.$/warns: \1/p" \
        -e 's/^ *viommud cannot provision.*: \(iommu\.\)/refused: \1/p' "$lab_dir/said" | head -n 1)
    output=$(find "$lab_dir/runs/$run" -path '*/execute/data/*' -name output.txt)
    cell="${said:-says nothing}"
    [ -n "$output" ] && grep -q '^class:' "$output" || return 0
    has=$(sed -n 's/^class: \([^ ]\)/\1/p' "$output")
    cell+="; the guest has ${has:-none}"
}

# row HARDWARE: with tmt's own plugin for virtual machines, and with ours.
row() {
    local theirs
    cell virtual "$1"
    theirs=$cell
    cell viommu "$1"
    echo "| \`$1\` | $theirs | $cell |"
}

# machines: those that viommud has, without what "list" says of them.
machines() {
    lab_ctl list --json >"$lab_dir/list" || die "viommuctl list fails"
    jq -r '.[].name' "$lab_dir/list"
}

# made: what viommud has made of files for machines, and tmt of keys.
made() {
    find "$lab_dir" -path "$lab_dir/python" -prune -o \( -path '*/boot/*' -o -path "$lab_dir/runs/*/id_ed25519*" \) -type f -print
}

# take_ports: remembers the ports that are forwarded to the guests, in $ports.
take_ports() {
    local machine
    ports=
    for machine in $(machines); do
        lab_ctl show "$machine" --json >"$lab_dir/show" || die "viommuctl show fails"
        ports+=" $(jq -r '.Forwards[] | .[2]' "$lab_dir/show")"
    done
    [ "$(wc -w <<<"$ports")" -eq "$1" ] || die "not $1 ports are forwarded: $ports"
    for port in $ports; do listens "$port" || die "nobody listens at port $port"; done
}

listens() {
    (exec 7<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# nothing_left WHEN: viommud has no machine, and no file, key or port of one is left.
nothing_left() {
    local left port
    left=$(machines) || die "$1: viommud does not say which machines it has"
    [ -z "$left" ] || die "$1 left: $left"
    left=$(made)
    [ -z "$left" ] || die "$1 left: $left"
    for port in ${ports:-}; do ! listens "$port" || die "$1 left a process at port $port"; done
    left=$(lab_left_behind)
    [ -z "$left" ] || die "$1 left: $left"
}

two_machines_run() {
    local machine
    [ "$(machines | wc -l)" -eq 2 ] || return 1
    for machine in $(machines); do [ "$(lab_property "$machine" State)" = running ] || return 1; done
}

# interrupted: a tmt that is interrupted while its two guests boot; these never answer.
interrupted() {
    two_guests interrupted
    local pid status=0 left machine
    (exec "${lab_environment[@]}" "${lab_as[@]}" "${tmt[@]}" run plan --name '^/interrupted$' provision) >"$lab_dir/said" 2>&1 </dev/null &
    pid=$!
    lab_until 60 two_machines_run || die "tmt in the background does not launch two machines side by side"
    [ "$(made | grep -c overlay)" -eq 2 ] && [ "$(made | grep -c '/id_ed25519$')" -eq 2 ] || die "not two overlays and two keys: $(made)"
    take_ports 2
    left=$(lab_property "$(machines | head -n 1)" LeaseEnd)
    left=$((left / 1000000 - $(python3 -c 'import time; print(int(time.clock_gettime(time.CLOCK_BOOTTIME)))')))
    ((left > 0 && left <= 300)) || die "the lease of a guest that boots has $left s left"
    kill "$pid"
    wait "$pid" || status=$?
    [ "$status" -ne 0 ] || die "tmt was interrupted, and succeeded"
    if [ -e "$lab_dir/python/tmt/utils/signals.py" ]; then
        nothing_left "an interrupted tmt"
    else # before 1.43: it ends at once, and leaves its guests to their leases, and their keys
        for machine in $(machines); do lab_ctl kill "$machine" >/dev/null; done
        rm -rf "$lab_dir"/runs/*/interrupted
    fi
    say "an interrupted tmt: as it should be"
}

# end_session: what the session's libvirtd has started, and which outlives it.
end_session() {
    [ -d "$lab_dir/session/libvirt" ] || return 0
    # shellcheck disable=SC2038  # numbers of processes, not names
    find "$lab_dir/session/libvirt" \( -name 'lib*d.pid' -o -name virtlogd.pid -o -path '*/qemu/run/*.pid' ! -name driver.pid \) -exec cat {} \; -exec echo \; |
        xargs -r kill || :
}

# --- The lab, with tmt ---

for program in qemu-system-x86_64 qemu-img dbus-daemon setpriv jq ssh ssh-keygen rsync; do
    command -v "$program" >/dev/null || lab_skip "$program is not installed"
done
if [ -n "$table" ]; then
    for program in libvirtd genisoimage setfacl; do
        path=$(command -v "$program") || lab_skip "$program is not installed, and testcloud needs it"
        more+=:$(dirname "$path")
    done
    guest=yes version+=-virtual
fi
venv=$("$here/venv.sh" "$version") || lab_skip "PyPI is not reached, or python3-venv is not installed"
if [ -n "$guest" ]; then
    "$here/../qemu/cloud.sh" x86_64-debian13-image >/dev/null || lab_skip "the Debian image is not in the cache and cannot be made"
fi
trap 'end_session; lab_close' EXIT
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

tmt=(env -C "$lab_dir/tree" PATH="$lab_dir:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin$more"
    PYTHONPATH="$lab_dir/python" PYTHONDONTWRITEBYTECODE=1 XDG_RUNTIME_DIR="$lab_dir/session"
    VIOMMU_CONNECT="qemu:///embed?root=$lab_dir/planning" TMT_WORKDIR_ROOT="$lab_dir/runs" NO_COLOR=1
    /usr/bin/python3 -m tmt --feeling-safe)

# --- Plans ---

if [ -n "$table" ]; then
    lab_spawn libvirtd env XDG_RUNTIME_DIR="$lab_dir/session" libvirtd
    lab_until 60 test -S "$lab_dir/session/libvirt/libvirt-sock" || die "libvirtd does not start: $(tail -n 5 "$lab_dir/libvirtd.log")"
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
cleanup=cleanup keep=
[ -e "$lab_dir/python/tmt/steps/cleanup" ] || cleanup=finish # before 1.56
if grep -rqs "'tmt.resources'" "$lab_dir/python/tmt/utils"; then
    tmt_says 0 'pass C000' lint
    ! grep -qE '^(warn|fail) ' "$lab_dir/said" || die "tmt lint is not content"
else # before 1.63: it takes no schema from a plugin, and removes a guest's log, too
    keep=--keep
    tmt_says '[01]' '(warn|fail) C000 fmf node failed schema validation' lint
fi
tmt_says 0 'iommu: virtio' run --dry plan --name '^/(supported|other|either)$' provision
[ "$(grep -c 'iommu: intel' "$lab_dir/said")" -eq 2 ] || die "a dry run does not say the IOMMU of each guest"
tmt_says 2 "'smmuv3' exists only on aarch64.*viommud gives no TPM" run plan --name '^/refused$' provision
nothing_left "refused and dry runs"
[ -n "$guest" ] || interrupted

# --- A guest ---

if [ -n "$guest" ]; then
    rm "$lab_dir"/tree/{other,either,refused}.fmf
    started=$SECONDS
    two_guests supported
    tmt_says 1 '2 tests passed and 2 tests failed' run --id one -v discover provision execute report
    say "tmt run: $((SECONDS - started)) s"
    two_machines_run || die "a guest is gone before its cleanup"
    [ "$(for machine in $(machines); do lab_property "$machine" IommuModel; done | sort | xargs)" = 'intel virtio' ] ||
        die "the guests do not have the IOMMUs of their requirements"
    take_ports 2
    before=$(boot_ids)
    # The failed test may count again.
    tmt_says '[01]' 'Reboot finished' run --last -v reboot --hard
    after=$(boot_ids)
    [ "$(sort -u <<<"$before"$'\n'"$after" | wc -l)" -eq 4 ] || die "not both guests were rebooted: boot ids $before, and then $after"
    tmt_says '[01]' 'still here' run --last -v login --command 'echo still here'
    tmt_says '[01]' 'guest: removed' run --last ${keep:+"$keep"} -v "$cleanup"
    grep -rqs 'Debian GNU' "$lab_dir"/runs/one/*/provision/*/logs || die "no guest log has the console"
fi
nothing_left "the end"
