/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-cache: keeps what a worker has learnt of this host.  Knows the backend's probe, the keeper
 * of the verdict about KVM, and the planner's verdict on a plain request; does not know its
 * users. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/reply.h"
#include "daemon/process/worker.h"
#include "lib/host/host.h"
#include "lib/policy/policy.h"

typedef struct ViommuHostinfo ViommuHostinfo;

/* Each function is called with an outcome that has either the host or the error. */

/* All borrowed. */
typedef struct ViommuHostinfoContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    ViommuWorker *worker, *proofs; /* for probes, and for proofs of KVM */
    const ViommuPolicy *policy;    /* the site's: the models that are offered depend on it */
    const char *directory;         /* of the verdict about KVM */
    unsigned proof_sec;            /* how long its proof is waited for */
} ViommuHostinfoContext;

ViommuHostinfo *viommu_hostinfo_new(const ViommuHostinfoContext *context);
/** No probe and no proof may be in flight: free the workers first. */
void viommu_hostinfo_free(ViommuHostinfo *info);

/** viommud ends: a proof of KVM that is under way ends soon. */
void viommu_hostinfo_end(ViommuHostinfo *info);

/** Calls @func after each probe that found something new. */
void viommu_hostinfo_watch(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);
/** Calls @func at once when the host is known, else after a probe: good enough for a dry run.
 *  What is known for seconds is probed again meanwhile, for the next dry run. */
void viommu_hostinfo_get(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);
/** Probes again, which is cheap when nothing changed, and calls @func with what was learnt after
 *  this call: an emulator may have been upgraded meanwhile, or huge pages may have become free. */
void viommu_hostinfo_refresh(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);

/** Calls @func, maybe at once, when no proof of KVM is under way, or when it takes too long:
 *  viommu_hostinfo_host() then has the verdict that counts. */
void viommu_hostinfo_await_kvm(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata);

/** NULL: not known yet.  Borrowed, until the next probe. */
const ViommuHost *viommu_hostinfo_host(const ViommuHostinfo *info);
/** The models that a plain request for each would get here; empty when the host is not known.
 *  Borrowed. */
char **viommu_hostinfo_models(const ViommuHostinfo *info);
/** The same as traits; see lib/plan/traits.h.  Borrowed. */
char **viommu_hostinfo_traits(const ViommuHostinfo *info);
/** The class of the host (lib/host/host-class.h); "" when the host is not known.  Borrowed. */
const char *viommu_hostinfo_class(const ViommuHostinfo *info);
