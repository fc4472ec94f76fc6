/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch-internal: a launch under way, and its steps.  Only for launch.c, which goes from step to
 * step, and for launch-steps.c, which defines them. */
#pragma once

#include "daemon/jobs/launch.h"
#include "daemon/jobs/permit.h"
#include "daemon/process/log.h"
#include "lib/machine/reach.h"
#include "lib/plan/plan.h"

/* In their order. */
typedef enum ViommuLaunchStep {
    VIOMMU_LAUNCH_OPEN,
    VIOMMU_LAUNCH_DIGEST,
    VIOMMU_LAUNCH_PROBE,
    VIOMMU_LAUNCH_PROVE,
    VIOMMU_LAUNCH_PLAN,
    VIOMMU_LAUNCH_DEFINE,
    VIOMMU_LAUNCH_PREPARE,
    VIOMMU_LAUNCH_START,
    VIOMMU_LAUNCH_MARK,
    VIOMMU_LAUNCH_LAST, /* as the next step: the launch has succeeded */
} ViommuLaunchStep;

struct ViommuLaunch {
    ViommuLaunchContext context;
    ViommuLaunchFunc func;
    void *userdata;
    ViommuRequest *request;
    char *name, *uuid;
    uint32_t owner_uid;
    char uid_text[16];
    ViommuPermit permit;
    uint64_t created_usec;
    ViommuLease lease;
    char *client;

    ViommuReader *reader;
    GPtrArray *holders; /* of ViommuHolder; NULL: the request assigns no devices */
    ViommuReach reach;  /* of the guest that was started */
    GArray *vetoes;     /* of ViommuVeto, whose text is owned */
    ViommuPlan *plan;
    ViommuMetadata *metadata;
    char *xml;
    char *late_warning;

    GError *step_error; /* the error of the last step; it becomes the launch's */
    bool unsupported;   /* libvirt does not support the domain */
    GError *error;      /* why the launch fails */
    GPtrArray *reasons;
    int given_up; /* atomic */

    /* Loop thread only; the workers do not look at it: */
    sd_event_source *deadline;
    ViommuLaunchStep step;
    gint64 step_usec;      /* when it began, monotonic */
    ViommuLaunchStep next; /* the one after it; its settle() may choose another */
    ViommuTask *task;      /* the step that runs in a worker; NULL: none */
    bool asking;           /* the step waits for an answer on the loop */
    bool cancelled;
    bool failing;  /* the launch is only being undone */
    bool undoing;  /* the undo runs in a worker */
    bool undone;   /* the undo ended with no step under way, so it is complete */
    bool left;     /* the undo could not remove everything */
    bool hung;     /* it was given up while a step was under way */
    bool told;     /* LAUNCH_FAILED was told */
    bool released; /* the receiver has freed it */
    unsigned held;
};

/* A step begins with work or with ask, or with neither; then settle ends it. */
typedef struct ViommuLaunchStepInfo {
    ViommuWorkFunc work;                  /* on a worker's thread; an error goes into step_error */
    void (*ask)(ViommuLaunch *launch);    /* on the loop; viommu_launch_answered() ends it */
    void (*settle)(ViommuLaunch *launch); /* on the loop, also when step_error is set already */
    ViommuEvent event;                    /* told after success; VIOMMU_EVENT_LAST: none */
    ViommuLaunchStep next;
    bool undo;         /* from here on libvirt may have the domain, even if the step fails */
    const char *name;  /* in docs/ARCHITECTURE.md and in metrics */
    const char *waits; /* what the launch waits for during the step */
} ViommuLaunchStepInfo;

/* The steps of a launch, from the first to the last. */
extern const ViommuLaunchStepInfo viommu_launch_steps[VIOMMU_LAUNCH_LAST];

/** The answer that the present step waited for has arrived, or step_error is set. */
void viommu_launch_answered(ViommuLaunch *launch);
/** Fields of a log line about @launch, which they borrow from. */
ViommuLogFields viommu_launch_log_fields(const ViommuLaunch *launch);
/** Frees the plan and what follows from it. */
void viommu_launch_clear_plan(ViommuLaunch *launch);
