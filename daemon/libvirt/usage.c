/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: what running guests take of the host, as libvirt counts it, and the size of a domain. */
#include "daemon/libvirt/internal.h"

#include "lib/base/quantity.h"

/* Not all of libvirt's drivers and versions count it with the statistics. */
static uint64_t cpu_of(const virDomainStatsRecord *record)
{
    unsigned long long nsec;
    virDomainInfo info;

    if (virTypedParamsGetULLong(record->params, record->nparams, "cpu.time", &nsec) == 1)
        return nsec;
    return virDomainGetInfo(record->dom, &info) == 0 ? info.cpuTime : VIOMMU_USAGE_UNKNOWN;
}

static void read_record(GArray *found, const virDomainStatsRecord *record)
{
    ViommuUsage usage = {.cpu_nsec = cpu_of(record), .memory_bytes = VIOMMU_USAGE_UNKNOWN};
    unsigned long long kib;

    if (virTypedParamsGetULLong(record->params, record->nparams, "balloon.rss", &kib) == 1)
        usage.memory_bytes = kib * VIOMMU_KIB;
    if (virDomainGetUUIDString(record->dom, usage.uuid) == 0)
        g_array_append_val(found, usage);
}

/* A QEMU that another call waits for is not asked, so none of them delays the answer. */
static bool read_usage(virConnectPtr connection, void *data, GError **error)
{
    GArray *found = data;
    virDomainStatsRecordPtr *records = NULL;
    int n = virConnectGetAllDomainStats(
        connection, VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON, &records,
        VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);

    if (n < 0)
        return viommu_libvirt_fail(error, "cannot read what guests use");
    g_array_set_size(found, 0);
    for (int i = 0; i < n; i++)
        read_record(found, records[i]);
    virDomainStatsRecordListFree(records);
    return true;
}

GArray *viommu_usage_read(ViommuPool *pool, GError **error)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(ViommuUsage));

    return viommu_pool_call(pool, read_usage, found, true, error) ? g_steal_pointer(&found) : NULL;
}

static bool read_size(virConnectPtr connection, void *data, GError **error)
{
    ViommuDomain *found = data;
    virDomainPtr domain = virDomainLookupByUUIDString(connection, found->uuid);
    virDomainInfo info;
    int r;

    if (!domain)
        return viommu_libvirt_fail(error, "cannot find domain '%s'", found->uuid);
    r = virDomainGetInfo(domain, &info);
    virDomainFree(domain);
    if (r < 0)
        return viommu_libvirt_fail(error, "cannot read the size of domain '%s'", found->uuid);
    found->vcpus = info.nrVirtCpu;
    found->memory_bytes = (uint64_t)info.maxMem * VIOMMU_KIB;
    return true;
}

bool viommu_size_read(ViommuPool *pool, ViommuDomain *domain, GError **error)
{
    return viommu_pool_call(pool, read_size, domain, true, error);
}
