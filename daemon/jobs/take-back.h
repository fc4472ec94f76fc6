/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* take-back: checks whether the host has back the devices that a guest took from their drivers,
 * when that guest has ended or never came up.  libvirt gives them back; this module looks, and says
 * which are missing.  Does not know why the guest has ended. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/worker.h"

/** What domain @uuid had taken, as its metadata says; before it is undefined.  NULL: nothing, or it
 *  is not known.  Blocks. Owned. */
char *viommu_take_back_list(ViommuBackend *backend, const char *uuid);
/** What of that the host has not got back, in words, when its guest has ended; what other guests
 *  have by now is not missed.  NULL: nothing is missing.  Blocks, a moment longer when something
 *  is. Owned. */
char *viommu_take_back_look(ViommuBackend *backend, const char *taken);
/** Both for a domain that is still there, in a thread of @worker; what is missing is told in the
 *  journal.  Loop thread. */
void viommu_take_back_begin(ViommuWorker *worker, ViommuBackend *backend,
                            const ViommuJournalSubject *subject);
