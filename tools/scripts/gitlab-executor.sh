#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# gitlab-executor: the custom executor of GitLab Runner, so that each job runs in a guest of its
# own.  See docs/ci.md.  The variables of a job are its author's words: only two of them reach the
# request.
set -u

usage() {
    cat <<END
usage: gitlab-executor prepare KEY=VALUE...
       gitlab-executor run SCRIPT STAGE
       gitlab-executor cleanup

GitLab Runner calls these as prepare_exec, run_exec and cleanup_exec.  KEY=VALUE... is the request for the guest of each
job, as for "viommuctl launch".  A job may choose its image by "image", and its IOMMU by the variable VIOMMU_MODEL.
END
}

die() {
    echo "gitlab-executor: $*" >&2
    exit "${SYSTEM_FAILURE_EXIT_CODE:-2}"
}

in_guest() {
    viommuctl --system ssh "$machine" --key="$TMPDIR/key" -- "$@"
}

# A server may answer before it has the key: 255 is ssh's own.  Otherwise none answers, or the
# machine is gone.
wait_for_guest() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        in_guest true </dev/null && return
        [ $? -eq 255 ] || return 1
        sleep 2
    done
    return 1
}

prepare() {
    [ -z "${CUSTOM_ENV_CI_JOB_IMAGE:-}" ] || set -- "$@" "--image=$CUSTOM_ENV_CI_JOB_IMAGE"
    [ -z "${CUSTOM_ENV_VIOMMU_MODEL:-}" ] || set -- "$@" "--iommu=$CUSTOM_ENV_VIOMMU_MODEL"
    ssh-keygen -q -t ed25519 -N '' -C "$machine" -f "$TMPDIR/key" </dev/null || die "no key for the guest"
    viommuctl --system launch "$@" --name="$machine" --wait=started \
        networks.0.type=user networks.0.forward=22 seed.ssh-keys="$(cat "$TMPDIR/key.pub")" || die "no guest for this job"
    wait_for_guest || {
        viommuctl --system console --log "$machine" | tail -n 20 >&2
        die "the guest cannot be reached by ssh"
    }
}

# A job's failure, unless the guest was lost.
run() {
    status=0
    in_guest bash <"$1" || status=$?
    [ "$status" -ne 0 ] || return 0
    in_guest true </dev/null || die "the guest was lost"
    [ -z "${BUILD_EXIT_CODE_FILE:-}" ] || echo "$status" >"$BUILD_EXIT_CODE_FILE"
    exit "${BUILD_FAILURE_EXIT_CODE:-1}"
}

case ${1:-} in
prepare | run | cleanup) ;;
*)
    usage
    exit 64
    ;;
esac
# The runner's own directory for the job, the same from prepare to cleanup; its name is the
# machine's.
: "${TMPDIR:?is set by GitLab Runner}"
machine=$(basename "$TMPDIR")
verb=$1
shift
case $verb in
prepare) prepare "$@" ;;
run) run "$@" ;;
cleanup) viommuctl --system kill "$machine" || [ $? -eq 6 ] ;; # 6: there was none
esac
