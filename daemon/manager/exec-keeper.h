/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec-keeper: keeps the commands that run in guests, and limits them.  Sees no bus message.  Loop
 * thread. */
#pragma once

#include "daemon/jobs/exec.h"
#include "daemon/machines/registry.h"
#include "daemon/machines/reply.h"

/* How many commands run at once in the guests of one owner, and in all.  Each has a thread for its
 * caller's descriptors. */
#define VIOMMU_EXECS_PER_OWNER 8u
#define VIOMMU_EXECS_MAX       64u
/* All words of a command with their zeros.  The agent of a guest may hang when it gets more than
 * 150 kB at once, and JSON needs up to six bytes for one. */
#define VIOMMU_EXEC_WORDS_MAX (16u * 1024)

typedef struct ViommuExecKeeper ViommuExecKeeper;

typedef struct ViommuExecKeeperContext {
    ViommuExecContext exec;
    ViommuRegistry *registry; /* borrowed */
} ViommuExecKeeperContext;

/* What a caller wants to run; borrowed but for @fds. */
typedef struct ViommuExecOrder {
    const char *const *argv;
    /* the command's input, output and errors: VIOMMU_RELAY_STREAMS held descriptors that
     * viommu_relay_check() has accepted; the reference is taken */
    GArray *fds;
    const char *caller; /* NULL: it cannot leave */
} ViommuExecOrder;

/** Owned. */
ViommuExecKeeper *viommu_exec_keeper_new(const ViommuExecKeeperContext *context);
/** Free the workers first. */
void viommu_exec_keeper_free(ViommuExecKeeper *keeper);

/** As viommu_manager_exec(), but for the end of viommud. */
void viommu_exec_keeper_run(ViommuExecKeeper *keeper, const ViommuMachine *machine,
                            const ViommuExecOrder *order, const ViommuWaiter *waiter);
/** Kills the commands of @caller. */
void viommu_exec_keeper_caller_gone(ViommuExecKeeper *keeper, const char *caller);
/** The daemon ends: fails all callers.  Their commands go on, and their files stay in the
 *  guests. */
void viommu_exec_keeper_fail_all(ViommuExecKeeper *keeper, const GError *error);
