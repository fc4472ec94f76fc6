/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl: the options and words that a verb of viommuctl gets.  One file per verb or family of
 * verbs. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/enum.h"
#include "tools/client/output.h"

/* What "wait" waits for. */
typedef enum ViommuCtlGoal {
    VIOMMU_CTL_GOAL_STARTED,
    VIOMMU_CTL_GOAL_READY, /* the agent of the guest answers */
    VIOMMU_CTL_GOAL_VERIFIED,
    VIOMMU_CTL_GOAL_ENDED,
    VIOMMU_CTL_GOAL_LAST,
} ViommuCtlGoal;
extern const ViommuEnum viommu_enum_goal;

typedef struct ViommuCtl {
    /* Options; NULL or false when not given. */
    const char *image, *iommu, *memory, *vcpus; /* @iommu: empty without a value */
    const char *wait, *name, *request_id, *timeout, *host, *order, *connect, *lease, *bind, *root;
    const char *images;                /* plan: the only image directory */
    const char *classes;               /* of --fleet: the directory of recorded hosts */
    const char *tmt;                   /* a file with a hardware requirement of tmt */
    const char *beaker;                /* plan: a job of Beaker */
    const char *goal;                  /* wait: a word of viommu_enum_goal */
    const char *login, *key, *address; /* ssh, ssh-config; @login: image-add, too */
    GPtrArray *gets;                   /* run --inside: PATH[:LOCAL], borrowed; NULL: none */
    const char *os, *format, *arch, *firmware, *agent, *seed; /* image-add; @os: lint, too */
    bool inside;                                              /* run */
    bool needs_started; /* the request waits until the guest runs, or longer */
    bool once;          /* top */
    bool fix;           /* lint */
    bool log;           /* console */
    bool raw;           /* console --log */
    bool user, system, json, xml, inventory, no_color, no_ask_password, help, version;
    bool keys;  /* help keys */
    bool slurm; /* host */
    bool dot;   /* plan, host */
    bool fleet; /* launch, run, plan */
    /* The words after the verb, as many as the verb's row allows. */
    char **words;
    int n_words;
    char **command; /* the words of a command to run, NULL-terminated; NULL: none */
    ViommuOutput output;
    int exit_status;   /* of the command that "run" ran, or of what "lint" and "doctor" found */
    GVariant *reasons; /* aa{sv}: the reasons of a refusal, set by a verb that fails; owned */
} ViommuCtl;

/** Does the work of the verb and prints the result. main() prints @error and derives the exit
 *  status from it. */
typedef bool (*ViommuCtlVerb)(ViommuCtl *ctl, GError **error);

/* With a daemon. */
bool viommu_ctl_launch(ViommuCtl *ctl, GError **error);
bool viommu_ctl_run(ViommuCtl *ctl, GError **error);
bool viommu_ctl_wait(ViommuCtl *ctl, GError **error);
bool viommu_ctl_ssh(ViommuCtl *ctl, GError **error);
bool viommu_ctl_ssh_config(ViommuCtl *ctl, GError **error);
bool viommu_ctl_exec(ViommuCtl *ctl, GError **error);
bool viommu_ctl_events(ViommuCtl *ctl, GError **error);
bool viommu_ctl_extend(ViommuCtl *ctl, GError **error);
bool viommu_ctl_list(ViommuCtl *ctl, GError **error);
bool viommu_ctl_top(ViommuCtl *ctl, GError **error);
bool viommu_ctl_show(ViommuCtl *ctl, GError **error);
bool viommu_ctl_stop(ViommuCtl *ctl, GError **error);
bool viommu_ctl_kill(ViommuCtl *ctl, GError **error);
bool viommu_ctl_reset(ViommuCtl *ctl, GError **error);
bool viommu_ctl_suspend(ViommuCtl *ctl, GError **error);
bool viommu_ctl_resume(ViommuCtl *ctl, GError **error);
bool viommu_ctl_attach(ViommuCtl *ctl, GError **error);
bool viommu_ctl_detach(ViommuCtl *ctl, GError **error);
bool viommu_ctl_xml(ViommuCtl *ctl, GError **error);
bool viommu_ctl_verify(ViommuCtl *ctl, GError **error);
bool viommu_ctl_console(ViommuCtl *ctl, GError **error);
/* Without one. */
bool viommu_ctl_plan(ViommuCtl *ctl, GError **error);
bool viommu_ctl_lint(ViommuCtl *ctl, GError **error);
bool viommu_ctl_host(ViommuCtl *ctl, GError **error);
bool viommu_ctl_doctor(ViommuCtl *ctl, GError **error);
bool viommu_ctl_facts(ViommuCtl *ctl, GError **error);
bool viommu_ctl_images(ViommuCtl *ctl, GError **error);
bool viommu_ctl_image_add(ViommuCtl *ctl, GError **error);
