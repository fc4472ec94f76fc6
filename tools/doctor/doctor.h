/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor: checks what a host lacks for launching guests whose IOMMU works.  Each check gives
 * findings with a verdict and an advice.  Reads files below a root; the caller passes what libvirt
 * and the bus say.  Prints nothing. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include "daemon/process/config.h"
#include "lib/host/host.h"

typedef enum ViommuHealth {
    VIOMMU_HEALTH_OK,
    VIOMMU_HEALTH_WARNING, /* guests can be launched, but not all, or not well */
    VIOMMU_HEALTH_PROBLEM, /* no guest can be launched */
    VIOMMU_HEALTH_LAST,
} ViommuHealth;
extern const ViommuEnum viommu_enum_health;

typedef struct ViommuFinding {
    const char *check; /* "kvm"; static */
    ViommuHealth health;
    char *found;  /* one line */
    char *advice; /* what to do; NULL: nothing */
} ViommuFinding;

/* What is left over where viommud runs. */
typedef struct ViommuLeftovers {
    unsigned n_machines; /* in libvirt, without a machine of viommud */
    GPtrArray *domains;  /* of ViommuDomain: those with viommud's metadata */
    GPtrArray *names;    /* of domains with a machine's name and no such metadata */
    GPtrArray *orphans;  /* of ViommuOrphan: guests that libvirt does not know */
    char *directory;     /* of copied boot files */
    GHashTable *copies;  /* UUID -> ViommuCopiesSize: of machines that libvirt does not know */
} ViommuLeftovers;
void viommu_leftovers_free(ViommuLeftovers *leftovers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuLeftovers, viommu_leftovers_free)

/* All borrowed. */
typedef struct ViommuPatient {
    const char *root;     /* of the files; "/": this machine */
    bool hardware_only;   /* @root is of another machine: check only its files */
    bool system;          /* examine the system's viommud, not a user's own */
    uid_t uid;            /* of the caller */
    ViommuConfig *config; /* NULL: see config_error */
    const GError *config_error;
    const char *uri;        /* of libvirt */
    const ViommuHost *host; /* what libvirt reports; NULL: see libvirt_error */
    const GError *libvirt_error;
    const char *daemon_version; /* of the running viommud; NULL: see daemon_error */
    const GError *daemon_error;
    const char *daemon_trouble;       /* why it is not connected to libvirt; NULL: it is */
    GVariant *limits;                 /* the daemon's property Limits; NULL: unknown */
    const ViommuLeftovers *leftovers; /* NULL: unknown, or hidden from the caller */
    int polkit;                       /* flag: it runs or can be started; unset: there is no bus */
} ViommuPatient;

/** Makes all possible checks.  Owned array of ViommuFinding. */
GPtrArray *viommu_doctor_examine(const ViommuPatient *patient);
