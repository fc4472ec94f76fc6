/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leases: keeps a timer, and walks over the machines when it fires. */
#include "daemon/manager/leases.h"

#include <time.h>
#include "daemon/process/boottime.h"
#include "daemon/process/log.h"

/* A removal that failed because libvirt was away is repeated after this time. */
#define RETRY_USEC (10 * G_USEC_PER_SEC)
/* Leases are in seconds; timers that may be a little late fire together. */
#define ACCURACY_USEC (100 * G_TIME_SPAN_MILLISECOND)

struct ViommuLeases {
    ViommuLoop *loop;
    ViommuRegistry *registry;
    ViommuLeaseFunc func;
    void *userdata;
    sd_event_source *timer; /* NULL: not needed yet */
    uint64_t next_usec;     /* when it fires; UINT64_MAX: never */
};

ViommuLeases *viommu_leases_new(ViommuLoop *loop, ViommuRegistry *registry, ViommuLeaseFunc func,
                                void *userdata)
{
    ViommuLeases *leases = g_new0(ViommuLeases, 1);

    leases->loop = loop;
    leases->registry = registry;
    leases->func = func;
    leases->userdata = userdata;
    leases->next_usec = UINT64_MAX;
    return leases;
}

void viommu_leases_free(ViommuLeases *leases)
{
    if (!leases)
        return;
    sd_event_source_disable_unref(leases->timer);
    g_free(leases);
}

static uint64_t next_of(const ViommuMachine *machine)
{
    return machine->lease_end_usec ? MAX(machine->lease_end_usec, machine->lease_retry_usec) : UINT64_MAX;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void set_timer(ViommuLeases *leases, uint64_t usec)
{
    int r = 0;

    leases->next_usec = usec;
    if (usec == UINT64_MAX)
        return;
    if (!leases->timer)
        r = sd_event_add_time(viommu_loop_event(leases->loop), &leases->timer, CLOCK_BOOTTIME, usec,
                              ACCURACY_USEC, on_timer, leases);
    else if ((r = sd_event_source_set_time(leases->timer, usec)) >= 0)
        r = sd_event_source_set_enabled(leases->timer, SD_EVENT_ONESHOT);
    if (r < 0)
        viommu_log(LOG_ERR, NULL, "Cannot set the timer of the leases: %s", g_strerror(-r));
}

void viommu_leases_watch(ViommuLeases *leases, const ViommuMachine *machine)
{
    uint64_t next = next_of(machine);

    /* If a lease now ends later, the timer fires once in vain. */
    if (next < leases->next_usec)
        set_timer(leases, next);
}

void viommu_leases_end(ViommuLeases *leases, ViommuMachine *machine)
{
    (void)viommu_machine_extend(machine, viommu_boottime_now());
    viommu_machine_retry_lease(machine, machine->lease_end_usec + RETRY_USEC);
    viommu_leases_watch(leases, machine);
}

void viommu_leases_watch_all(ViommuLeases *leases)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(leases->registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        viommu_leases_watch(leases, machine);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuLeases *leases = userdata;
    ViommuRegistryIterator iterator = viommu_registry_iterate(leases->registry);
    g_autoptr(GPtrArray) ended = g_ptr_array_new_with_free_func(g_free);
    uint64_t now = viommu_boottime_now();

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (next_of(machine) <= now) {
            viommu_machine_retry_lease(machine, now + RETRY_USEC);
            g_ptr_array_add(ended, g_strdup(machine->uuid));
        }
    leases->next_usec = UINT64_MAX;
    viommu_leases_watch_all(leases);
    /* By UUID, because the end of one machine may remove another. */
    for (guint i = 0; i < ended->len; i++) {
        ViommuMachine *machine = viommu_registry_by_uuid(leases->registry, ended->pdata[i]);
        if (machine)
            leases->func(machine, leases->userdata);
    }
    return 0;
}
