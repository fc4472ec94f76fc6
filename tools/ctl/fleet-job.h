/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fleet-job: one srun and its end: signals go to it, it dies with viommuctl, and its place in the
 * queue is shown.  Knows Slurm's programs; does not know requests. */
#pragma once

#include "tools/ctl/ctl.h"

/** The features of the nodes that Slurm has now, of char **; equal ones once.  Owned,
 *  g_ptr_array_unref().  Fails: UNAVAILABLE, when Slurm does not tell. */
GPtrArray *viommu_ctl_fleet_nodes(GError **error);
/** Whether Slurm would take the job of @words (srun's, NULL-terminated), now or later. */
bool viommu_ctl_fleet_job_fits(char *const *words);
/** Runs @words (srun's, NULL-terminated) with @input as its input, and waits for its end.  @name:
 *  of the job, which no other job of the user has.  The exit status of @ctl is srun's.  Fails:
 *  UNAVAILABLE, when it cannot be run, or when srun ends with 0 and Slurm has cut the job short. */
bool viommu_ctl_fleet_job_run(ViommuCtl *ctl, char **words, const char *name, const char *input,
                              GError **error);
