/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec: runs one command in a guest, through its agent, step by step.  Each step is a short task of
 * the worker for agents, and asks as agent-trust allows.  What the command prints waits in files of
 * the guest until the caller reads it.  Runs on the loop.  Does not know clients or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/agent-trust.h"
#include "daemon/machines/machine.h"
#include "daemon/process/loop.h"
#include "daemon/process/relay.h"
#include "daemon/process/worker.h"

typedef struct ViommuExec ViommuExec;

/* What it uses; all borrowed. */
typedef struct ViommuExecContext {
    ViommuLoop *loop;
    ViommuWorker *askers;
    ViommuBackend *backend;
    ViommuAgents *agents;
} ViommuExecContext;

typedef struct ViommuExecCalls {
    /* the machine in its present state; NULL: it is gone.  Borrowed. */
    ViommuMachine *(*find)(const char *uuid, void *userdata);
    /* the agent of @machine is no longer asked, as of ViommuVerifyBroke */
    void (*broke)(ViommuMachine *machine, const GError *error, void *userdata);
    /* called once: the command has exited with @status, or @error says why it is not known.
     * BUSY: the machine does not run, or its agent does not answer; NOT_SUPPORTED: it has none
     * that may run commands. */
    void (*done)(ViommuExec *exec, int status, const GError *error, void *userdata);
    /* called once, after done: nothing of the command is left in the guest, or cannot be removed.
     * The receiver frees @exec. */
    void (*gone)(ViommuExec *exec, void *userdata);
    void *userdata;
} ViommuExecCalls;

/* What is run. */
typedef struct ViommuExecAim {
    const char *uuid;
    const char *const *argv;
    ViommuRelay *relay; /* taken, also on failure */
} ViommuExecAim;

/** Owned.  Fails: INTERNAL. */
ViommuExec *viommu_exec_new(const ViommuExecContext *context, const ViommuExecAim *aim,
                            const ViommuExecCalls *calls, GError **error);
/** Kills the command, and answers with @error.  Nothing happens after it was answered. */
void viommu_exec_abort(ViommuExec *exec, const GError *error);
/** May be called early; a step that is under way ends by itself, and the command stays. */
void viommu_exec_free(ViommuExec *exec);
