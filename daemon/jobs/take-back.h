/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* take-back: checks whether devices that a guest took from their drivers are back, when the guest
 * has ended or never started.  libvirt returns them; this module looks, and reports which are
 * missing.  Does not know why the guest ended. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/worker.h"

/** The devices that domain @uuid took, from its metadata; call it before the domain is undefined.
 *  NULL: none, or not known.  Blocks.  Owned. */
char *viommu_take_back_list(ViommuBackend *backend, const char *uuid);
/** Those devices that the host has not got back, as text, after the guest has ended; devices that
 *  other guests have now are not missing.  NULL: none.  Blocks, a moment longer when one is
 *  missing. Owned. */
char *viommu_take_back_look(ViommuBackend *backend, const char *taken);
/** Both for a domain that still exists, in a thread of @worker; the journal names missing devices.
 *  Loop thread. */
void viommu_take_back_begin(ViommuWorker *worker, ViommuBackend *backend,
                            const ViommuJournalSubject *subject);
