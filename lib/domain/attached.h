/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attached: the devices that a machine got while it runs, and the element <attached> of its
 * domain's metadata, which records them: what an earlier viommud does not know it ignores, and what
 * changes <machine> does not touch it.  Whether the guest has a recorded device, its XML tells:
 * viommud writes the record before it attaches a device, and again after a device is gone.  Knows
 * no libvirt. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include "lib/base/enum.h"

typedef enum ViommuAttachedKind {
    VIOMMU_ATTACHED_DISK,
    VIOMMU_ATTACHED_NETWORK,
    VIOMMU_ATTACHED_HOSTDEV,
    VIOMMU_ATTACHED_LAST,
} ViommuAttachedKind;
extern const ViommuEnum viommu_enum_attached;

/* No machine has more. */
#define VIOMMU_ATTACHED_MAX 32u

/* A device's alias in the domain's XML is this and its id. */
#define VIOMMU_ATTACHED_ALIAS "ua-viommu-"

typedef struct ViommuAttached {
    char *id; /* "disk1" */
    ViommuAttachedKind kind;
    /* of a disk its file, as requested; of a network its type, or its source; of a device of the
     * host its PCI address */
    char *what;
    char *host_driver;      /* that a device of the host was taken from; NULL: none */
    uint64_t memlock_bytes; /* what QEMU may have to lock because of it; 0: nothing */
} ViommuAttached;

void viommu_attached_free(ViommuAttached *attached);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuAttached, viommu_attached_free)
/** Owned. */
ViommuAttached *viommu_attached_copy(const ViommuAttached *attached);

/** An empty list of ViommuAttached.  Owned. */
GPtrArray *viommu_attached_list_new(void);
/** The device @id of @list (NULL: an empty one); NULL: there is none.  Borrowed. */
ViommuAttached *viommu_attached_find(const GPtrArray *list, const char *id);
/** Takes the device @id out of @list.  Owned; NULL: there is none. */
ViommuAttached *viommu_attached_take(GPtrArray *list, const char *id);
/** An id for a new device of @kind, "disk1", that is not among @taken (ended by NULL), and that no
 *  device of @list has.  Owned. */
char *viommu_attached_new_id(const GPtrArray *list, char *const *taken, ViommuAttachedKind kind);
/** "0000:01:00.0=e1000e ...", as in the metadata: the devices of @list that were taken from drivers
 *  of the host.  Owned; NULL: none. */
char *viommu_attached_host_drivers(const GPtrArray *list);

/** The element, as virDomainSetMetadata() wants it.  Owned; NULL: @list is empty, and there is no
 *  element. */
char *viommu_attached_to_xml(const GPtrArray *list);
/** Reads the element as virDomainGetMetadata() returns it.  A list; owned.  Fails: INTERNAL, also
 *  for the element of another version, and names what is wrong. */
GPtrArray *viommu_attached_from_xml(const char *xml, GError **error);
