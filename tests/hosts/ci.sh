#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ci: the texts of docs/ci.md, as CI systems would run them for a member of the group.  With "all",
# also those that only call a script of another section.  Run by
# "host --guest=x86_64-debian13-image ci [all]", as root, in the host.
set -u
# shellcheck source=tests/ctl/tap.sh
. tests/ctl/tap.sh
text=$PWD/tests/hosts/ci-text.py
failure=41 system=42 # of GitLab's executor; today's runner has 1 and 2

# service DIRECTORY OPTION... COMMAND...: as a service of the user runs it, which has no session.
service() {
    systemd-run --quiet --pipe --wait --collect --uid=ci --working-directory="$1" "${@:2}"
}

# begin NAME COMMAND...: in the background; its output is in $work/NAME.
begin() {
    local name=$1
    shift
    "$@" >"$work/$name" 2>&1 &
    begun[$name]=$!
}

# ended NAME STATUS: what begin started ends with this status.
ended() {
    local status=0
    wait "${begun[$1]}" || status=$?
    cp "$work/$1" "$work/out"
    check "$1: status $status is $2" test "$status" -eq "$2"
}

# repository NAME STATUS: whose test sees the IOMMU, and exits with this status.
repository() {
    local directory=/home/ci/$1
    mkdir "$directory"
    "$text" block 'A shell script' >"$directory/in-guest.sh"
    printf '#!/bin/sh\ntest -e /sys/class/iommu/dmar0 && ls -d /sys/kernel/iommu_groups/1\nexit %s\n' "$2" >"$directory/test.sh"
    chmod 755 "$directory"/*.sh
    chown -R ci: "$directory"
}

shows_group() {
    grep -qx /sys/kernel/iommu_groups/1 "/home/ci/$1/result.txt"
}

# --- GitLab Runner, by its executors/custom ---

# executor VERB [SCRIPT STAGE]: as the runner calls it: in the directory of the job, with the job's
# variables.
executor() {
    local words variables
    mapfile -t words < <("$text" executor "$1")
    mapfile -t variables < <("$text" variables)
    service "$job" env TMPDIR="$job" BUILD_FAILURE_EXIT_CODE=$failure SYSTEM_FAILURE_EXIT_CODE=$system BUILD_EXIT_CODE_FILE="$job/status" \
        "${variables[@]}" "${override[@]}" "${words[@]}" "${@:2}"
}

# With a name as the runner draws it.
new_job() {
    job=/tmp/custom-executor$SRANDOM
    install -d -m 700 -o ci "$job"
}

# stage NAME: with the commands of standard input, wrapped as the runner does.
stage() {
    printf '#!/usr/bin/env bash\n\nset -eo pipefail\nset +o noclobber\n: | eval %q\nexit 0\n' "$(cat)" >"$job/script"
    chown ci: "$job/script"
    chmod 700 "$job/script"
    executor run "$job/script" "$1"
}

gitlab() {
    set -e
    executor prepare
    echo 'echo "Running on $(hostname)"' | stage prepare_script
    "$text" job | stage step_script
    echo 'echo before; exit 5; echo after' | stage step_script || echo "status $?, exit code $(cat "$job/status")"
    pkill -KILL -f "^[^ ]*qemu-system-x86_64 .*$(basename "$job")"
    echo true | stage after_script || echo "status $?"
    executor cleanup
}

# --- The host, as the page says ---

declare -A begun
override=()
useradd --create-home ci
# This host's file systems are in memory, and small.
install -d /etc/viommud/viommud.conf.d
printf '[limits]\noverlays=64 GiB\noverlays-per-user=32 GiB\n' >/etc/viommud/viommud.conf.d/overlays.conf
run 0 'viommud is installed' '' tests/hosts/install.sh
run 0 'and started' '' systemctl enable --now viommud
ln -s /viommu-guests/x86_64-debian13-image/disk.qcow2 "$work/debian13.qcow2"
"$text" block 'Set up a host, once' >"$work/set-up"
run 0 'the host is set up' '^debian13 .* intel' env -C "$work" bash -ex "$work/set-up"

# --- Guests, all at once ---

repository shell 7
begin shell service /home/ci/shell sh -c ./in-guest.sh
new_job
begin gitlab gitlab
"$text" block 'busctl alone' >/home/ci/by-bus.sh
begin busctl service /home/ci sh by-bus.sh
if [ "${1:-}" = all ]; then
    repository github 0
    "$text" workflow >"$work/step.sh"
    chmod -R go=rX "$work"
    begin github service /home/ci/github bash -e "$work/step.sh"
    repository jenkins 0
    "$text" pipeline >"$work/script.sh"
    chmod -R go=rX "$work"
    begin jenkins service /home/ci/jenkins sh -xe "$work/script.sh"
fi

# Meanwhile, what needs no guest.
(
    new_job
    override=(CUSTOM_ENV_CI_JOB_IMAGE=another)
    run $system 'a job without a guest is a failure of the system' "'another.image'" executor prepare
    echo "$tests $failures" >"$work/counts"
)
read -r tests failures <"$work/counts"

ended shell 7
check 'its result is out' shows_group shell
ended busctl 0
ended gitlab 0
check 'its commands saw the IOMMU' grep -qx '1' "$work/gitlab"
check 'a failed command is a failure of the job, with its status' grep -qx "status $failure, exit code 5" "$work/gitlab"
check 'before which all ran, and nothing after it' sh -c "grep -qx before '$work/gitlab' && ! grep -qx after '$work/gitlab'"
check 'a lost guest is one of the system' grep -qx "status $system" "$work/gitlab"
for name in github jenkins; do
    [ -n "${begun[$name]:-}" ] || continue
    ended $name 0
    check 'its result is out' shows_group $name
done
check 'no machine is left' test "$(viommuctl list --json)" = '[]'
check 'nor a key of a run' sh -c '! find /tmp -user ci -name key -not -path "/tmp/custom-executor*" | grep .'
finish
