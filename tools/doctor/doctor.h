/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor: what a host lacks for launching guests with an IOMMU that works: one check after the other, each with what was found,
 * how good that is, and what to do.  Looks at files below a root; what libvirt and the bus say it is told.  Prints nothing. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include "daemon/process/config.h"
#include "lib/host/host.h"

typedef enum ViommuHealth {
    VIOMMU_HEALTH_OK,
    VIOMMU_HEALTH_WARNING, /* guests can be launched, but not all, or not well */
    VIOMMU_HEALTH_PROBLEM, /* none can */
    VIOMMU_HEALTH_LAST,
} ViommuHealth;
extern const ViommuEnum viommu_enum_health;

typedef struct ViommuFinding {
    const char *check; /* "kvm"; static */
    ViommuHealth health;
    char *found;  /* one line */
    char *advice; /* what to do; NULL: nothing */
} ViommuFinding;

/* What viommud, where it runs, does not count. */
typedef struct ViommuLeftovers {
    unsigned n_machines; /* in libvirt, that are none */
    GPtrArray *domains;  /* of ViommuDomain: with metadata of viommud's */
    GPtrArray *names;    /* of domains with a machine's name and no such metadata */
    GPtrArray *orphans;  /* of ViommuOrphan: guests that libvirt does not know */
    char *directory;     /* of copied boot files */
    GHashTable *copies;  /* UUID -> uint64_t, bytes: of machines that libvirt does not know */
} ViommuLeftovers;
void viommu_leftovers_free(ViommuLeftovers *leftovers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuLeftovers, viommu_leftovers_free)

/* All borrowed. */
typedef struct ViommuPatient {
    const char *root;     /* where the files are; "/": this machine */
    bool hardware_only;   /* @root is another machine's: nothing but its files is looked at */
    bool system;          /* the system's viommud is meant, not a user's own */
    uid_t uid;            /* who asks */
    ViommuConfig *config; /* or why there is none */
    const GError *config_error;
    const char *uri;        /* of libvirt */
    const ViommuHost *host; /* what libvirt said; NULL: it cannot be asked */
    const GError *libvirt_error;
    const char *daemon_version; /* of the viommud that answers; NULL: none does */
    const GError *daemon_error;
    const char *daemon_trouble;       /* why it has no connection to libvirt; NULL: it has */
    GVariant *limits;                 /* the daemon's property Limits; NULL: not known */
    const ViommuLeftovers *leftovers; /* NULL: not known, or not for who asks to know */
    int polkit; /* flag: is on the bus, or is started when it is called; unset: no bus to ask */
} ViommuPatient;

/** All checks that can be made.  Owned array of ViommuFinding. */
GPtrArray *viommu_doctor_examine(const ViommuPatient *patient);
