/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attach: gives a device to a machine that runs.  What a launch does for all devices is done for
 * this one, by the same code: its file is opened with its owner's rights, in a process of its own;
 * the planner judges it, with the site's policy, the devices of other machines and the host as it
 * is; and devices and networks are judged once more right before libvirt is asked.
 *
 *   step    where          what it does
 *   look    worker         reads the metadata, and the room in the domain
 *   open    worker         opens the file; learns what the owner may, and who has devices
 *   probe   loop, asks     asks libvirt what this host can do
 *   plan    loop           plans; from here on no other machine gets the device
 *   attach  worker         judges once more; records the device; asks libvirt, which asks QEMU
 *
 * A step that fails undoes the steps before it.  If libvirt's answer is lost, the domain's XML
 * tells whether it has the device; if that cannot be read either, the device stays recorded, and
 * device-keeper looks again.  Stands beside the machine's job, and ends when the machine does. */
#pragma once

#include <glib.h>
#include "daemon/files/reader.h"
#include "daemon/libvirt/backend.h"
#include "daemon/machines/admission.h"
#include "daemon/machines/host-cache.h"
#include "daemon/machines/registry.h"
#include "daemon/process/worker.h"
#include "lib/domain/attached.h"
#include "lib/policy/asker.h"

typedef struct ViommuAttach ViommuAttach;

/* All borrowed. */
typedef struct ViommuAttachContext {
    ViommuBackend *backend;
    ViommuWorker *calls;
    ViommuHostinfo *hostinfo;
    const ViommuPolicy *policy;
    ViommuAdmission *admission;
    const ViommuFilesSite *files;
    ViommuReaders *readers;
    ViommuRegistry *registry;
} ViommuAttachContext;

/* What is to be attached. */
typedef struct ViommuAttachOrder {
    GVariant *tree;    /* a{sv}, of viommu_plug_check_tree(); borrowed */
    GArray *fds;       /* taken; NULL: none */
    ViommuAsker asker; /* the machine's owner; copied */
} ViommuAttachOrder;

/** Called once, on the loop; @error NULL: the machine has the device. */
typedef void (*ViommuAttachFunc)(ViommuAttach *attach, const GError *error, void *userdata);

/** Begins; @func is called later.  Owned. */
ViommuAttach *viommu_attach_new(const ViommuAttachContext *context, const ViommuMachine *machine,
                                const ViommuAttachOrder *order, ViommuAttachFunc func, void *userdata);
/** NULL does nothing.  Only from @func on, or when the workers are freed. */
void viommu_attach_free(ViommuAttach *attach);
/** The device's id; NULL: there is none yet. */
const char *viommu_attach_id(const ViommuAttach *attach);
/** All reasons against the device, of ViommuReason; NULL when the planner did not refuse. */
const GPtrArray *viommu_attach_reasons(const ViommuAttach *attach);
/** Whether libvirt has not told what has become of the device. */
bool viommu_attach_is_unknown(const ViommuAttach *attach);
