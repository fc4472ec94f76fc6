/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch-internal: a launch under way, and its steps.  Only for launch.c, which goes from step to
 * step, and for launch-steps.c, which says what they do. */
#pragma once

#include "daemon/jobs/launch.h"
#include "daemon/jobs/permit.h"
#include "daemon/process/log.h"
#include "lib/plan/plan.h"

/* In their order. */
typedef enum ViommuLaunchStep {
    VIOMMU_LAUNCH_OPEN,
    VIOMMU_LAUNCH_PROBE,
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
    GPtrArray *holders; /* of ViommuHolder; NULL: no devices are asked for */
    GArray *forwards;   /* of ViommuForward; NULL: none */
    GArray *vetoes;     /* of ViommuVeto, whose text is owned */
    ViommuPlan *plan;
    ViommuMetadata *metadata;
    char *xml;
    char *late_warning;

    GError *step_error; /* of the step that just ran; it becomes the error */
    bool unsupported;   /* libvirt says that it cannot be */
    GError *error;      /* why it all ends */
    GPtrArray *reasons;
    int given_up; /* atomic */

    /* Loop thread only; the workers do not look at it: */
    sd_event_source *deadline;
    ViommuLaunchStep step;
    ViommuLaunchStep next; /* the one after it; its settle() may choose another */
    ViommuTask *task;      /* of the step that is under way in a worker; NULL: none is */
    bool asking;           /* what step asks for on the loop is under way */
    bool cancelled;
    bool failing;  /* it is undone, and nothing goes on but that */
    bool undoing;  /* in a worker */
    bool undone;   /* with no step under way: nothing comes after it */
    bool left;     /* what it made could not be removed */
    bool hung;     /* it was given up while a step was under way, and counts as such */
    bool told;     /* LAUNCH_FAILED */
    bool released; /* the receiver has freed it */
    unsigned held;
};

/* A step is begun by work or by ask, or by neither; then it is settled. */
typedef struct ViommuLaunchStepInfo {
    ViommuWorkFunc work;                  /* on a worker's thread; an error goes into step_error */
    void (*ask)(ViommuLaunch *launch);    /* on the loop; viommu_launch_answered() ends it */
    void (*settle)(ViommuLaunch *launch); /* on the loop, also when step_error is set already */
    ViommuEvent event;                    /* told when it went well; VIOMMU_EVENT_LAST: none */
    ViommuLaunchStep next;
    bool undo;         /* from here on libvirt may have the domain, also when the step fails */
    const char *waits; /* for what, as long as it is under way */
} ViommuLaunchStepInfo;

/* The steps of a launch, from the first to the last: how a launch proceeds. */
extern const ViommuLaunchStepInfo viommu_launch_steps[VIOMMU_LAUNCH_LAST];

/** What the present step asked for is there, or step_error is set. */
void viommu_launch_answered(ViommuLaunch *launch);
/** Fields of a line about @launch, which they borrow from. */
ViommuLogFields viommu_launch_log_fields(const ViommuLaunch *launch);
/** Frees the plan and what follows from it. */
void viommu_launch_clear_plan(ViommuLaunch *launch);
