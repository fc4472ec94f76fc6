/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placing: on which classes of hosts a request can be launched, and the job of Slurm that asks for
 * one of them.  The planner judges each class; nothing is decided here twice.  Talks to nobody. */
#pragma once

#include "lib/plan/plan.h"

/* Of the word of srun(1) that has the classes to prefer. */
#define VIOMMU_FLEET_PREFER "--prefer="

/* The hosts that decide alike. */
typedef struct ViommuFleetClass {
    char *name;       /* see lib/host/host-class.h */
    char *origin;     /* of the record: a file's name */
    ViommuHost *host; /* as each host of the class is */
} ViommuFleetClass;

/** Of the recorded @host.  Owned.  Fails: INVALID_REQUEST. */
ViommuFleetClass *viommu_fleet_class_new(const char *origin, const ViommuHost *host, GError **error);
void viommu_fleet_class_free(ViommuFleetClass *class);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuFleetClass, viommu_fleet_class_free)

/* What a node must have besides its class. */
typedef struct ViommuFleetDemand {
    GPtrArray *nodes; /* of char **: the features of each node, equal ones once; NULL: not known */
    bool proven;      /* guests of the node have proven the planned model */
} ViommuFleetDemand;

/* What the planner says of one class. */
typedef struct ViommuFleetVerdict {
    const ViommuFleetClass *class; /* borrowed */
    ViommuPlan *plan;              /* NULL: refused */
    GError *error;                 /* of a refusal */
    GPtrArray *reasons;            /* of ViommuReason; NULL: none */
    unsigned rank;                 /* of the plan: the smaller, the earlier is its choice */
    GPtrArray *features;           /* of char *: what a node must have; NULL: refused */
    const char *lacking;           /* no node has it and those before it; NULL: none.  Borrowed */
} ViommuFleetVerdict;

typedef struct ViommuFleetPlacing {
    GPtrArray *verdicts; /* of ViommuFleetVerdict, in the order of the classes */
    unsigned n_possible; /* plans for which there is a node */
    unsigned best;       /* the least rank of these */
} ViommuFleetPlacing;

/** Judges @request on each of @classes (of ViommuFleetClass, borrowed by the result).  KVM is
 *  preferred to emulation, then models in the order of the request, or of @policy.  @demand NULL:
 *  the class is all.  Owned.  Pure. */
ViommuFleetPlacing *viommu_fleet_place(const ViommuRequest *request, const ViommuPolicy *policy,
                                       const GPtrArray *classes, const ViommuFleetDemand *demand);
void viommu_fleet_placing_free(ViommuFleetPlacing *placing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuFleetPlacing, viommu_fleet_placing_free)
/** Whether a class can launch the request, and a scheduler can count what it wants.  Fails with the
 *  reasons of each class: the code of the refusals if they agree, else NOT_SUPPORTED. */
bool viommu_fleet_placing_check(const ViommuFleetPlacing *placing, const ViommuRequest *request,
                                GError **error);
/** Whether a job can go to nodes of the class. */
bool viommu_fleet_is_possible(const ViommuFleetVerdict *verdict);
/** Why not, in a sentence.  Owned, g_free(). */
char *viommu_fleet_verdict_text(const ViommuFleetVerdict *verdict);
/** Whether the plan of @verdict is one of the best that are possible. */
bool viommu_fleet_is_first_choice(const ViommuFleetPlacing *placing, const ViommuFleetVerdict *verdict);
/** A floating a{sv}: class, record, possible; of a plan first-choice, model (null: none) and
 *  accelerator; if it is not possible, message and reasons. */
GVariant *viommu_fleet_verdict_to_variant(const ViommuFleetPlacing *placing,
                                          const ViommuFleetVerdict *verdict);

/** The words of srun(1) that ask for a node of one of the classes that can, with what the request
 *  takes: its processors, memory, pages and devices.  @seconds: the time limit, 0: that of
 *  the site.  NULL-terminated.  Owned, g_strfreev().  @placing was checked. */
char **viommu_fleet_srun_words(const ViommuFleetPlacing *placing, const ViommuRequest *request,
                               uint64_t seconds);
