/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plug: what is asked of a machine that runs, and what its domain's XML says of the room for one
 * more device.  The planner judges the device as part of a request that is the machine's own, with
 * its present IOMMU, and has this device alone.  Pure; knows no libvirt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/domain/attached.h"
#include "lib/domain/metadata.h"
#include "lib/plan/plan.h"
#include "lib/request/request.h"

/* The room of a running domain. */
typedef struct ViommuPlugRoom {
    /* PCI Express: a device needs a free root port; false: libvirt finds a slot */
    bool has_ports;
    unsigned port;    /* the first free one, as a bus of the guest; 0: there is none */
    char **targets;   /* of its disks */
    char **ids;       /* of the attached devices that it has */
    bool has_scsi;    /* a SCSI controller */
    char *model;      /* of its IOMMU; NULL: none */
    bool is_mirrored; /* caching_mode is on: the IOMMU reports what the guest maps */
    uint64_t aw_bits; /* of its IOMMU; VIOMMU_UNSET_NUMBER: not said */
} ViommuPlugRoom;

void viommu_plug_room_clear(ViommuPlugRoom *room);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuPlugRoom, viommu_plug_room_clear)
/** Reads the XML of a running domain.  Fails: BACKEND. */
bool viommu_plug_room_read(const char *xml, ViommuPlugRoom *ret_room, GError **error);

/** Whether @tree, a{sv} of a caller, is a request for one device: the list 'disks', 'networks' or
 *  'hostdevs' with one entry, and nothing else.  Fails: INVALID_REQUEST. */
bool viommu_plug_check_tree(GVariant *tree, ViommuAttachedKind *ret_kind, GError **error);
/** The request for the machine of @metadata, with the device of @tree alone: a{sv}.  Owned.  Fails:
 *  INTERNAL, when the request in the metadata cannot be read. */
GVariant *viommu_plug_request(const ViommuMetadata *metadata, GVariant *tree, GError **error);
/** Whether @request, of that tree, asks for what a machine can get while it runs.  Fails:
 *  NOT_SUPPORTED. */
bool viommu_plug_check_request(const ViommuRequest *request, GError **error);
/** Whether the machine @name has room for the only device of @plan.  Fails: NOT_SUPPORTED, for
 *  what this machine cannot have; BUSY, when it has no free port. */
bool viommu_plug_check_room(const char *name, const ViommuPlan *plan, const ViommuPlugRoom *room,
                            GError **error);
/** The bus of the guest for that device; 0: libvirt chooses a place. */
unsigned viommu_plug_bus(const ViommuPlan *plan, const ViommuPlugRoom *room);
/** What is recorded of the only device of @plan, as @id.  Owned. */
ViommuAttached *viommu_plug_record(const ViommuRequest *request, const ViommuPlan *plan, const char *id);
