#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# epilog: removes the machines that a job launched without a bond to its own life: those of its user
# with the request-id slurm-JOBID, or slurm-JOBID and "-" and anything.  For Epilog= of
# slurm.conf(5), as root on each node.  "viommuctl run" and "launch --bind=client" need it not.
set -u
[ -n "${SLURM_JOB_ID-}" ] && [ -n "${SLURM_JOB_UID-}" ] || exit 0
property() {
    busctl get-property org.viommu1 "$1" org.viommu1.Machine "$2" 2>/dev/null
}
busctl --list tree org.viommu1 2>/dev/null | grep '^/org/viommu1/machine/' | while read -r machine; do
    case $(property "$machine" RequestId) in
    "s \"slurm-$SLURM_JOB_ID\"" | "s \"slurm-$SLURM_JOB_ID-"*) ;;
    *) continue ;;
    esac
    [ "$(property "$machine" Owner)" = "u $SLURM_JOB_UID" ] || continue
    busctl call org.viommu1 "$machine" org.viommu1.Machine Kill
done
exit 0
