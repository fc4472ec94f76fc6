/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata: what viommud stores about a machine, as elements in the <metadata> of its domain.
 * schemas/metadata.rng describes them; docs/metadata.md has the rules for later versions.
 * The element <machine> has a version.  The attributes owner, phase, lease-end, boot and client are
 * its frozen core, which is read in any version; the rest is read only in this version. Unknown
 * parts are skipped, and viommu_metadata_change() keeps them. viommud 0.1.0 refuses an element
 * <machine> with unknown parts, so later attributes stand in a second element, <additions>, which
 * is written once, with the domain. */
#pragma once

#include <glib.h>
#include "lib/base/enum.h"
#include "lib/machine/lifecycle.h"
#include "lib/plan/plan.h"
#include "lib/base/xml-write.h"

typedef struct ViommuMetadata {
    uint32_t version; /* as read */
    /* the version is not ours: only the core is known; the rest is 0, NULL or empty */
    bool foreign;
    char *name; /* of the machine; NULL: the domain's name */
    /* of the domain; a copy of the domain has another.  NULL: written by an earlier viommud */
    char *uuid;
    uint32_t owner_uid;
    /* the progress of the launch when this was written: DEFINING, STARTING, RUNNING, ... */
    ViommuState phase;
    char *request_id;  /* NULL: none */
    char *fingerprint; /* of the request: 64 hexadecimal digits */
    char *request;     /* canonical text */
    ViommuArch arch;
    char *machine;
    ViommuAccelerator accelerator;
    ViommuModel model; /* VIOMMU_MODEL_NONE: no IOMMU */
    uint64_t vcpus, memory_bytes, memlock_bytes;
    uint64_t page_size_bytes; /* 0: ordinary pages */
    char **reasons;           /* why the model was chosen; never NULL after reading */
    /* devices taken from drivers of the host, "ADDRESS=DRIVER ..."; NULL: none */
    char *host_drivers;
    /* what libvirt knows of the running guest, viommu_reach_kinds_from_text(); NULL: nothing */
    char *reach;
    char *seed_user; /* who takes the keys of the seed; NULL: it has none */
    /* what the guest must show of its IOMMU, viommu_plan_report_proof(); NULL: not known, or there
     * is none */
    char *proof;
    char **warnings;
    char **hostdevs;         /* PCI addresses of the assigned devices; never NULL after reading */
    uint64_t created_usec;   /* CLOCK_REALTIME */
    uint64_t lease_end_usec; /* CLOCK_BOOTTIME of the boot; 0: no lease */
    char *boot;              /* the host's boot id; all zeros: host_boot has it; NULL: no lease */
    char *host_boot;         /* NULL: there is no lease, or boot has the id, or it is not known */
    char *client; /* the client's name on the bus, if the machine is bound to it; NULL: it is not */
} ViommuMetadata;

/** What is known of a machine just before its domain is defined.  Owned. */
ViommuMetadata *viommu_metadata_new(const ViommuPlan *plan, const ViommuRequest *request, uint32_t owner_uid,
                                    uint64_t created_usec);
/** Adds reasons to those of the plan. */
void viommu_metadata_add_warning(ViommuMetadata *metadata, const char *text);
void viommu_metadata_free(ViommuMetadata *metadata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuMetadata, viommu_metadata_free)

/** Writes the element <machine>, which declares its namespace. */
void viommu_metadata_write(const ViommuMetadata *metadata, ViommuXmlWriter *writer);
/** Writes the element <additions>, if there are additions. */
void viommu_metadata_write_additions(const ViommuMetadata *metadata, ViommuXmlWriter *writer);
/** The element <machine> alone and without a prefix, as virDomainSetMetadata() wants it: libvirt
 *  adds the prefix, and fails when it is already declared.  Owned, g_free(). */
char *viommu_metadata_to_xml(const ViommuMetadata *metadata);
/** Reads viommud's elements as virDomainGetMetadata() returns them (without prefixes), or as they
 *  are in the domain's XML.  @additions: NULL: there is no such element.  Early builds wrote the
 *  additions into <machine>, and are read, too.  Fails: INTERNAL, and names the known part that is
 *  wrong. */
ViommuMetadata *viommu_metadata_from_xml(const char *xml, const char *additions, GError **error);

/* A change of the stored metadata. */
typedef struct ViommuMetadataChange {
    ViommuState phase;       /* VIOMMU_STATE_LAST: keep it */
    uint64_t lease_end_usec; /* 0: keep it */
    /* the boot that lease_end_usec belongs to; not written where zeros stand for it */
    const char *boot;
} ViommuMetadataChange;

/** Applies the change to @xml, the element <machine> of any version as virDomainGetMetadata()
 *  returns it, and keeps the rest.  The result is as virDomainSetMetadata() wants it.  Owned,
 *  g_free(). Fails: INTERNAL, like viommu_metadata_from_xml(). */
char *viommu_metadata_change(const char *xml, const ViommuMetadataChange *change, GError **error);
