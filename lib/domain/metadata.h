/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata: what viommud remembers of a machine, as elements in the <metadata> of its domain.
 * schemas/metadata.rng describes it; docs/metadata.md says what later versions may change, and what
 * they must not.
 *
 * The element <machine> carries a version.  A frozen core of it, the attributes owner, phase,
 * lease-end, boot and client, is read of every version; of another version nothing else is.
 * Unknown parts are passed over, and kept by viommu_metadata_change().
 * viommud 0.1.0 refuses an element <machine> with unknown parts.  So later attributes stand in a
 * second element, <additions>, which is written once, with the domain. */
#pragma once

#include <glib.h>
#include "lib/base/enum.h"
#include "lib/machine/lifecycle.h"
#include "lib/plan/plan.h"
#include "lib/base/xml-write.h"

typedef struct ViommuMetadata {
    uint32_t version; /* as it was read */
    /* it is another than ours: only the core is known, all else is 0, NULL or empty */
    bool foreign;
    char *name; /* the machine's; NULL: the domain's is the same */
    /* the domain's, unless it is a copy; NULL: an earlier viommud did not write it */
    char *uuid;
    uint32_t owner_uid;
    /* how far the launch had come when this was written: DEFINING, STARTING, RUNNING, ... */
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
    /* devices that were taken from a driver of the host's, "ADDRESS=DRIVER ..."; NULL: none */
    char *host_drivers;
    char **warnings;
    char **hostdevs;         /* PCI addresses of the assigned devices; never NULL after reading */
    uint64_t created_usec;   /* CLOCK_REALTIME */
    uint64_t lease_end_usec; /* CLOCK_BOOTTIME of the boot; 0: no lease */
    char *boot;              /* the host's boot id, when there is a lease; NULL: none */
    char *client;            /* what it is bound to, as the bus tells it; NULL: nothing */
} ViommuMetadata;

/** What is known of a machine when its domain is about to be defined. Owned. */
ViommuMetadata *viommu_metadata_new(const ViommuPlan *plan, const ViommuRequest *request, uint32_t owner_uid,
                                    uint64_t created_usec);
/** To those that the plan gave. */
void viommu_metadata_add_warning(ViommuMetadata *metadata, const char *text);
void viommu_metadata_free(ViommuMetadata *metadata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuMetadata, viommu_metadata_free)

/** Writes the element <machine>, with its namespace declared on it. */
void viommu_metadata_write(const ViommuMetadata *metadata, ViommuXmlWriter *writer);
/** And the element <additions>, if there are additions. */
void viommu_metadata_write_additions(const ViommuMetadata *metadata, ViommuXmlWriter *writer);
/** The element <machine> alone and without a prefix, as virDomainSetMetadata wants it: libvirt adds
 *  the prefix, and fails when it is declared already. Owned, g_free(). */
char *viommu_metadata_to_xml(const ViommuMetadata *metadata);
/** Reads our elements, as virDomainGetMetadata returns them (without prefixes) or as they stand in
 *  the domain's XML.  @additions: NULL: there is no such element.  Early builds wrote the additions
 *  in <machine>, and are read as well.  Fails: INTERNAL with what is wrong in what is known. */
ViommuMetadata *viommu_metadata_from_xml(const char *xml, const char *additions, GError **error);

/* A change of what stands there. */
typedef struct ViommuMetadataChange {
    ViommuState phase;       /* VIOMMU_STATE_LAST: as it is */
    uint64_t lease_end_usec; /* 0: as it is */
    const char *boot;        /* that lease_end_usec is of */
} ViommuMetadataChange;

/** @xml, the element <machine>, as virDomainGetMetadata returns it, with that change and otherwise
 *  the same, of whatever version, as virDomainSetMetadata wants it. Owned, g_free().  Fails:
 *  INTERNAL, as viommu_metadata_from_xml(). */
char *viommu_metadata_change(const char *xml, const ViommuMetadataChange *change, GError **error);
