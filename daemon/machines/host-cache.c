/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-cache: one probe at a time, its waiters, its answer. */
#include "daemon/machines/host-cache.h"

#include "daemon/machines/kvm-keeper.h"
#include "daemon/machines/waiters.h"
#include "lib/host/host-class.h"
#include "lib/plan/offered-models.h"
#include "lib/plan/traits.h"

/* A dry run takes what is known; when that is older, the next dry run has what is new. */
#define FRESH_USEC (5 * G_USEC_PER_SEC)

struct ViommuHostinfo {
    ViommuHostinfoContext context;
    ViommuKvmKeeper *kvm;
    ViommuHost *host;
    char **models, **traits;
    char *class;
    ViommuWaiters *waiters; /* for the probe in flight */
    ViommuWaiters *late;    /* they came after the probe had begun, and wait for the next one */
    bool probing;
    gint64 learnt_usec; /* when the last probe ended */
    ViommuWaiter watcher;
};

typedef struct Probe {
    ViommuHostinfo *info;
    ViommuBackend *backend;
    bool proves;
    ViommuHost *host;
    char *stamp; /* of what a proof of KVM depends on; NULL: nothing to prove */
    GError *error;
} Probe;

static void kvm_changed(void *userdata);

ViommuHostinfo *viommu_hostinfo_new(const ViommuHostinfoContext *context)
{
    ViommuHostinfo *info = g_new0(ViommuHostinfo, 1);

    info->context = *context;
    info->kvm = viommu_kvm_keeper_new(&(ViommuKvmKeeperContext){context->loop, context->proofs,
                                                                context->backend, context->directory,
                                                                context->proof_sec, kvm_changed, info});
    info->models = g_new0(char *, 1);
    info->traits = g_new0(char *, 1);
    info->class = g_strdup("");
    info->waiters = viommu_waiters_new();
    info->late = viommu_waiters_new();
    return info;
}

void viommu_hostinfo_free(ViommuHostinfo *info)
{
    if (!info)
        return;
    g_assert(!info->probing);
    viommu_kvm_keeper_free(info->kvm);
    viommu_host_free(info->host);
    g_strfreev(info->models);
    g_strfreev(info->traits);
    g_free(info->class);
    viommu_waiters_free(info->waiters);
    viommu_waiters_free(info->late);
    g_free(info);
}

void viommu_hostinfo_end(ViommuHostinfo *info)
{
    viommu_kvm_keeper_end(info->kvm);
}

void viommu_hostinfo_watch(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata)
{
    info->watcher = (ViommuWaiter){func, userdata};
}

static void set_offer(ViommuHostinfo *info)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    ViommuOffer offer;
    unsigned models;

    viommu_offer_of_host(info->host, info->context.policy, &offer);
    models = viommu_offer_models(&offer);
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        if (models & (1u << model))
            g_ptr_array_add(names, g_strdup(viommu_model_to_string((ViommuModel)model)));
    g_ptr_array_add(names, NULL);
    g_strfreev(info->models);
    info->models = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
    g_strfreev(info->traits);
    info->traits = viommu_traits(&offer);
}

typedef GVariant *(*Writer)(const ViommuHost *host);

static bool differ(const ViommuHost *before, const ViommuHost *now, Writer write)
{
    g_autoptr(GVariant) old = before ? g_variant_ref_sink(write(before)) : NULL;
    g_autoptr(GVariant) new = g_variant_ref_sink(write(now));

    return !old || !g_variant_equal(old, new);
}

/* Reports hardware only if it changes what is offered: a launch takes huge pages, for example, and
 * that is no news. */
static void take_host(ViommuHostinfo *info, ViommuHost *host)
{
    viommu_host_set_kvm(host, viommu_kvm_keeper_verdict(info->kvm));
    bool news = differ(info->host, host, viommu_host_software_to_variant);
    g_auto(GStrv) models = NULL, traits = NULL;
    g_autofree char *class = NULL;

    if (!news && !differ(info->host, host, viommu_host_to_variant)) {
        viommu_host_free(host);
        return;
    }
    viommu_host_free(info->host);
    info->host = host;
    models = g_strdupv(info->models);
    traits = g_strdupv(info->traits);
    class = info->class;
    set_offer(info);
    info->class = viommu_host_class(host);
    news = news || !g_str_equal(class, info->class) ||
           !g_strv_equal((const char *const *)models, (const char *const *)info->models) ||
           !g_strv_equal((const char *const *)traits, (const char *const *)info->traits);
    if (news && info->watcher.func)
        viommu_waiter_answer(&info->watcher, &(ViommuOutcome){.host = info->host});
}

/* The host is the same but for the verdict. */
static void kvm_changed(void *userdata)
{
    ViommuHostinfo *info = userdata;
    g_autoptr(GVariant) tree = info->host ? g_variant_ref_sink(viommu_host_to_variant(info->host)) : NULL;
    ViommuHost *again = tree ? viommu_host_from_variant(tree, NULL) : NULL;

    if (again)
        take_host(info, again);
}

static void probe_work(void *data)
{
    Probe *probe = data;

    probe->host = viommu_backend_probe(probe->backend, &probe->error);
    if (probe->host && probe->proves)
        probe->stamp = viommu_backend_kvm_stamp(probe->backend, probe->host);
}

static void probe_done(void *data);

static void begin_probe(ViommuHostinfo *info)
{
    Probe *probe = g_new0(Probe, 1);

    info->probing = true;
    probe->info = info;
    probe->backend = info->context.backend;
    probe->proves = info->context.policy->prove_kvm;
    viommu_worker_run(info->context.worker, VIOMMU_WORKER_NOBODY, probe_work, probe_done, probe);
}

static void look_at_kvm(ViommuHostinfo *info, const Probe *probe)
{
    int arch = viommu_host_arch(probe->host);
    const ViommuEmulator *own = probe->stamp ? viommu_host_emulator(probe->host, (ViommuArch)arch) : NULL;

    viommu_kvm_keeper_look(info->kvm, probe->stamp, own ? own->path : NULL);
}

static void probe_done(void *data)
{
    Probe *probe = data;
    ViommuHostinfo *info = probe->info;
    g_autoptr(ViommuWaiters) waiters = info->waiters;
    g_autoptr(GError) error = probe->error;

    info->probing = false;
    info->learnt_usec = g_get_monotonic_time();
    info->waiters = info->late;
    info->late = viommu_waiters_new();
    if (viommu_waiters_count(info->waiters) > 0)
        begin_probe(info);
    if (probe->host) {
        look_at_kvm(info, probe);
        take_host(info, probe->host);
    }
    g_free(probe->stamp);
    g_free(probe);
    viommu_waiters_answer(waiters, &(ViommuOutcome){.error = error, .host = error ? NULL : info->host});
}

void viommu_hostinfo_refresh(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata)
{
    const ViommuWaiter waiter = {func, userdata};

    viommu_waiters_add(info->probing ? info->late : info->waiters, &waiter);
    if (!info->probing)
        begin_probe(info);
}

void viommu_hostinfo_get(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata)
{
    if (!info->host) {
        viommu_hostinfo_refresh(info, func, userdata);
        return;
    }
    if (!info->probing && g_get_monotonic_time() - info->learnt_usec > FRESH_USEC)
        begin_probe(info);
    func(&(ViommuOutcome){.host = info->host}, userdata);
}

void viommu_hostinfo_await_kvm(ViommuHostinfo *info, ViommuOutcomeFunc func, void *userdata)
{
    viommu_kvm_keeper_await(info->kvm, func, userdata);
}

const ViommuHost *viommu_hostinfo_host(const ViommuHostinfo *info)
{
    return info->host;
}

char **viommu_hostinfo_models(const ViommuHostinfo *info)
{
    return info->models;
}

char **viommu_hostinfo_traits(const ViommuHostinfo *info)
{
    return info->traits;
}

const char *viommu_hostinfo_class(const ViommuHostinfo *info)
{
    return info->class;
}
