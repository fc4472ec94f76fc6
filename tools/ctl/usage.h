/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: all machines, and what each takes of its host, from two answers of libvirt.  Does not
 * print. */
#pragma once

#include "tools/client/client.h"

/* What is not known: of a machine of another user, or of one that does not run. */
#define VIOMMU_CTL_UNKNOWN UINT64_MAX

typedef struct ViommuCtlUsage {
    char *name, *state;
    const char *model; /* interned; "": none, or not known */
    bool is_known;     /* a machine of the caller, or the caller is root */
    /* of known ones; position 0: it does not wait */
    uint64_t vcpus, memory_bytes, queue_position;
    uint64_t cpu_nsec;       /* of its QEMU, since the start */
    uint64_t resident_bytes; /* memory of its QEMU */
    uint64_t asked_usec;     /* when libvirt told so, by the monotonic clock of its host */
    double cpu_percent;      /* of one CPU, since the sample before; negative: not known */
} ViommuCtlUsage;

typedef struct ViommuCtlSample {
    GPtrArray *machines;     /* of ViommuCtlUsage; what takes most CPU time comes first */
    GHashTable *by_name;     /* the same; borrowed */
    GVariant *used, *limits; /* of the host: a{sv} by the keys of [limits] */
    GError *error;           /* why the usage is not known; NULL: it is */
} ViommuCtlSample;
void viommu_ctl_sample_free(ViommuCtlSample *sample);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuCtlSample, viommu_ctl_sample_free)

/** Asks viommud.  @before: an earlier sample; NULL: none.  Owned.  Fails like
 *  viommu_client_call(). */
ViommuCtlSample *viommu_ctl_sample_take(ViommuClient *client, const ViommuCtlSample *before, GError **error);
/** Whether libvirt told the usage of a machine: only then does a second sample tell more. */
bool viommu_ctl_sample_has_usage(const ViommuCtlSample *sample);
