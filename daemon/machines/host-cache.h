/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-cache: keeps what is known of this host, after a worker has asked for it.  Knows the
 * backend's probe and the planner's verdict on a plain request; does not know who wants it. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/reply.h"
#include "daemon/process/worker.h"
#include "lib/host/host.h"
#include "lib/policy/policy.h"

typedef struct ViommuHostinfo ViommuHostinfo;

/* The outcome that each function is called with has either the host or the error. */

/** All borrowed.  @policy is the site's: the models that are offered depend on it. */
ViommuHostinfo *viommu_hostinfo_new(ViommuBackend *backend, ViommuWorker *worker, const ViommuPolicy *policy);
/** No probe may be in flight: free the worker first. */
void viommu_hostinfo_free(ViommuHostinfo *info);

/** @func is called after every probe that found something new. */
void viommu_hostinfo_watch(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);
/** Calls @func at once when the host is known, else when it was asked: good enough for a dry
 *  run. */
void viommu_hostinfo_get(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);
/** Asks again, which is cheap when nothing changed, and calls @func then with what was learnt after
 *  this call: an emulator may have been upgraded meanwhile, or huge pages have become free. */
void viommu_hostinfo_refresh(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);

/** NULL when not known yet. Borrowed, until the next probe. */
const ViommuHost *viommu_hostinfo_host(const ViommuHostinfo *info);
/** The models that a plain request for each would get here; empty when the host is not known.
 *  Borrowed. */
char **viommu_hostinfo_models(const ViommuHostinfo *info);
/** The same as traits, see lib/plan/traits.h. Borrowed. */
char **viommu_hostinfo_traits(const ViommuHostinfo *info);
