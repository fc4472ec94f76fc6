/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/memory.h"

#include "lib/base/error.h"
#include "lib/base/quantity.h"
#include "lib/plan/build.h"
#include "lib/request/translate.h"

/* What QEMU needs besides the guest's memory: libvirt's own allowance,
 * qemuDomainGetMemLockLimitBytes. */
#define QEMU_OVERHEAD VIOMMU_GIB

static const uint64_t page_sizes[VIOMMU_ARCH_LAST][9] = {
    [VIOMMU_ARCH_X86_64] = {4 * VIOMMU_KIB, 2 * VIOMMU_MIB, VIOMMU_GIB},
    /* Granules of 4, 16 and 64 KiB with their block sizes. */
    [VIOMMU_ARCH_AARCH64] = {4 * VIOMMU_KIB, 16 * VIOMMU_KIB, 64 * VIOMMU_KIB, 2 * VIOMMU_MIB,
                             32 * VIOMMU_MIB, 512 * VIOMMU_MIB, VIOMMU_GIB, 16 * VIOMMU_GIB},
};

static bool page_size_exists(ViommuArch arch, uint64_t bytes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(page_sizes[arch]); i++)
        if (page_sizes[arch][i] == bytes)
            return true;
    return false;
}

/* The pages are the host's, from which QEMU takes the guest's memory, also for a guest of another
 * architecture. */
static bool check_pages(const ViommuPlan *plan, const ViommuHost *host, uint64_t page_bytes, GError **error)
{
    int host_arch = viommu_host_arch(host);
    ViommuArch arch = host_arch == VIOMMU_UNSET ? plan->arch : (ViommuArch)host_arch;
    g_autofree char *page = viommu_quantity_format(page_bytes);
    g_autofree char *ordinary = viommu_quantity_format(viommu_host_likely_page_bytes(host));

    if (!page_size_exists(arch, page_bytes)) {
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                           "memory-backing.page-size '%s' does not exist on %s%s%s", page,
                           viommu_arch_to_string(arch), arch == plan->arch ? "" : ", which this host is",
                           arch == VIOMMU_ARCH_X86_64 ? "; it has 4 KiB, 2 MiB and 1 GiB" : "");
    }
    if (page_bytes < viommu_host_likely_page_bytes(host))
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "memory-backing.page-size '%s' does not exist on this host, whose ordinary pages have '%s'; set it to that",
            page, ordinary);
    if (plan->memory_bytes % page_bytes != 0) {
        g_autofree char *memory = viommu_quantity_format(plan->memory_bytes);

        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "memory '%s' is not a multiple of memory-backing.page-size '%s'", memory, page);
    }
    return true;
}

/* libvirt's daemon may have a lower limit than the host.  @bound UINT64_MAX: the guest needs no
 * limit, so the daemon must have none. */
static bool check_limit(const ViommuHost *host, const char *what, uint64_t bound, GError **error)
{
    uint64_t limit = host->locked_memory_bytes;
    g_autofree char *amount = NULL, *needed = NULL, *allowed = NULL;

    if (limit == VIOMMU_UNSET_NUMBER || bound <= limit)
        return true;
    amount = viommu_quantity_format(bound);
    needed = bound == UINT64_MAX ? g_strdup("unlimited") : g_strconcat(amount, " of", NULL);
    allowed = viommu_quantity_format(limit);
    return viommu_fail(
        error, VIOMMU_ERROR_NOT_SUPPORTED,
        "%s needs %s locked memory (RLIMIT_MEMLOCK), but libvirt%s can let a guest lock at most %s; %s", what,
        needed, host->unprivileged == 1 ? ", which runs as an ordinary user here," : "'s daemon", allowed,
        host->unprivileged == 1
            ? "raise that user's hard limit (memlock in /etc/security/limits.conf, LimitMEMLOCK= in a drop-in of user@.service) and log in again, or use qemu:///system"
            : "give it LimitMEMLOCK=infinity (systemctl edit of its unit), or CAP_SYS_RESOURCE");
}

/* --- The host's memory --- */

static uint64_t saturating_mul_add(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t result = UINT64_MAX;

    (void)viommu_quantity_mul_add(a, b, c, &result);
    return result;
}

/* One pool of huge pages, over all nodes, because QEMU takes them from any node.  False: not
 * known. */
static bool find_pool(const ViommuHost *host, uint64_t size_bytes, ViommuHugePages *ret_pool)
{
    const GPtrArray *nodes = host->topology.nodes;
    ViommuHugePages pool = {size_bytes, 0, 0};

    for (guint i = 0; nodes && i < nodes->len; i++) {
        const GPtrArray *pools = ((const ViommuNode *)g_ptr_array_index(nodes, i))->huge_pages;
        for (guint j = 0; pools && j < pools->len; j++) {
            const ViommuHugePages *pages = g_ptr_array_index(pools, j);
            if (pages->size_bytes != size_bytes)
                continue;
            pool.total = saturating_mul_add(pages->total, 1, pool.total);
            pool.free = saturating_mul_add(pages->free, 1, pool.free);
        }
    }
    if (!nodes || nodes->len == 0)
        return false;
    *ret_pool = pool;
    return true;
}

static uint64_t bytes_of_pools(const ViommuHost *host)
{
    const GPtrArray *nodes = host->topology.nodes;
    uint64_t sum = 0;

    for (guint i = 0; nodes && i < nodes->len; i++) {
        const GPtrArray *pools = ((const ViommuNode *)g_ptr_array_index(nodes, i))->huge_pages;
        for (guint j = 0; pools && j < pools->len; j++) {
            const ViommuHugePages *pages = g_ptr_array_index(pools, j);
            if (pages->total != VIOMMU_UNSET_NUMBER)
                sum = saturating_mul_add(pages->total, pages->size_bytes, sum);
        }
    }
    return sum;
}

/* --- The guests' memory --- */

uint64_t viommu_memory_bound(uint64_t memory_bytes, bool locked)
{
    return locked ? saturating_mul_add(memory_bytes, 1, QEMU_OVERHEAD) : 0;
}

uint64_t viommu_memory_hostdev_limit(uint64_t memory_bytes, unsigned n_devices, unsigned n_vdpa,
                                     bool has_iommu, ViommuVersion libvirt)
{
    bool each = viommu_fact_holds(VIOMMU_FACT_MEMLOCK_PER_DEVICE, libvirt, 0);
    unsigned assigned = has_iommu ? n_devices : MIN(n_devices, 1);

    return saturating_mul_add(memory_bytes, each ? assigned + n_vdpa : 1, QEMU_OVERHEAD);
}

ViommuPinned viommu_memory_pinned(uint64_t memory_bytes, uint64_t page_size_bytes, uint64_t memlock_bytes)
{
    ViommuPinned pinned = {.ordinary_bytes = MIN(memlock_bytes, viommu_memory_bound(memory_bytes, true))};

    if (page_size_bytes == 0 || page_size_bytes == VIOMMU_X86_PAGE_BYTES ||
        page_size_bytes == VIOMMU_UNSET_NUMBER)
        return pinned;
    pinned.page_size_bytes = page_size_bytes;
    pinned.huge_bytes = memory_bytes;
    /* Huge pages are always locked: only QEMU's own memory is ordinary. */
    pinned.ordinary_bytes -= MIN(memory_bytes, pinned.ordinary_bytes);
    return pinned;
}

/* "; make more: sysctl vm.nr_hugepages=512": 2 MiB, where it exists, is the default size. */
static char *advise_pages(uint64_t size_bytes, uint64_t count)
{
    if (size_bytes == 2 * VIOMMU_MIB)
        return g_strdup_printf("sysctl vm.nr_hugepages=%" G_GUINT64_FORMAT, count);
    return g_strdup_printf(
        "hugepagesz=%" G_GUINT64_FORMAT "K hugepages=%" G_GUINT64_FORMAT
        " on its kernel's command line, or the number into /sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT
        "kB/nr_hugepages",
        size_bytes / VIOMMU_KIB, count, size_bytes / VIOMMU_KIB);
}

static bool check_pool(const ViommuHost *host, const ViommuPinned *wanted, uint64_t used_bytes,
                       GError **error)
{
    uint64_t page = wanted->page_size_bytes, needed = wanted->huge_bytes / MAX(page, 1);
    uint64_t used = used_bytes / MAX(page, 1);
    g_autofree char *size = NULL, *advice = NULL;
    ViommuHugePages pool;

    if (page == 0 || !find_pool(host, page, &pool))
        return true;
    if (needed <= pool.total && used <= pool.total - needed)
        return true;
    size = viommu_quantity_format(page);
    advice = advise_pages(page, saturating_mul_add(needed, 1, used));
    if (needed > pool.total)
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                           "memory-backing.page-size '%s' needs %" G_GUINT64_FORMAT
                           " such pages, but this host has %" G_GUINT64_FORMAT "; make more: %s",
                           size, needed, pool.total, advice);
    return viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "memory-backing.page-size '%s' needs %" G_GUINT64_FORMAT
                       " such pages, but other machines have %" G_GUINT64_FORMAT
                       " of this host's %" G_GUINT64_FORMAT "; stop one of them first, or make more: %s",
                       size, needed, used, pool.total, advice);
}

/* What ordinary guests can lock. */
static uint64_t lockable_bytes(const ViommuHost *host, const ViommuPolicy *policy)
{
    uint64_t kept = saturating_mul_add(bytes_of_pools(host), 1, policy->locked_reserve_bytes);

    return host->memory_bytes > kept ? host->memory_bytes - kept : 0;
}

static bool fail_ordinary(const ViommuHost *host, const ViommuPolicy *policy, uint64_t wanted, uint64_t used,
                          GError **error)
{
    uint64_t huge = bytes_of_pools(host), reserve = policy->locked_reserve_bytes, memory = host->memory_bytes;
    uint64_t room = lockable_bytes(host, policy);
    g_autofree char *need = viommu_quantity_format(wanted), *all = viommu_quantity_format(memory);
    g_autofree char *pools = viommu_quantity_format(huge), *spare = viommu_quantity_format(reserve);
    g_autofree char *taken = viommu_quantity_format(used), *most = viommu_quantity_format(room);

    if (wanted > room)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "memory-backing.locked or hostdevs need %s (with 1 GiB for QEMU), but guests can lock %s here: this host has %s, of which %s are huge pages and [limits] locked-memory-reserve keeps %s; request less memory",
            need, most, all, pools, spare);
    return viommu_fail(
        error, VIOMMU_ERROR_BUSY,
        "memory-backing.locked or hostdevs need %s (with 1 GiB for QEMU), but other machines have locked %s of the %s that guests can lock here; stop one of them first",
        need, taken, most);
}

static bool check_ordinary(const ViommuHost *host, const ViommuPolicy *policy, uint64_t wanted, uint64_t used,
                           GError **error)
{
    uint64_t room = lockable_bytes(host, policy);

    return wanted == 0 || host->memory_bytes == VIOMMU_UNSET_NUMBER ||
           (wanted <= room && used <= room - wanted) || fail_ordinary(host, policy, wanted, used, error);
}

bool viommu_memory_check_room(const ViommuHost *host, const ViommuPolicy *policy, const ViommuPinned *wanted,
                              const ViommuPinned *used, GError **error)
{
    return check_ordinary(host, policy, wanted->ordinary_bytes, used->ordinary_bytes, error) &&
           check_pool(host, wanted, used->huge_bytes, error);
}

bool viommu_memory_check_free(const ViommuHost *host, const ViommuPinned *wanted, uint64_t promised_bytes,
                              GError **error)
{
    uint64_t page = wanted->page_size_bytes, needed = wanted->huge_bytes / MAX(page, 1);
    uint64_t promised = promised_bytes / MAX(page, 1);
    g_autofree char *size = viommu_quantity_format(page), *advice = NULL, *others = NULL;
    ViommuHugePages pool;

    if (page == 0 || !find_pool(host, page, &pool) || (needed <= pool.free && promised <= pool.free - needed))
        return true;
    advice = advise_pages(page, pool.total - MIN(pool.free, pool.total) + promised + needed);
    others = promised ? g_strdup_printf(", %" G_GUINT64_FORMAT " of them for launches under way", promised)
                      : g_strdup("");
    return viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "memory-backing.page-size '%s' needs %" G_GUINT64_FORMAT
                       " such pages, but of this host's %" G_GUINT64_FORMAT " only %" G_GUINT64_FORMAT
                       " are free%s; wait, or make more: %s",
                       size, needed, pool.total, pool.free, others, advice);
}

/* --- The plan --- */

bool viommu_plan_settle_memory(ViommuPlanBuild *build, GError **error)
{
    static const ViommuPinned nothing = {.huge_bytes = 0};
    const ViommuRequest *request = build->request;
    const ViommuPolicy *policy = build->input->policy;
    const ViommuHost *host = build->input->host;
    uint64_t page = request->memory_backing.page_size_bytes;
    ViommuPlan *plan = build->plan;
    ViommuPinned pinned;

    build->rule = VIOMMU_RULE_MEMORY;
    plan->memory_bytes =
        request->memory_bytes == VIOMMU_UNSET_NUMBER ? policy->default_memory_bytes : request->memory_bytes;
    plan->locked = request->memory_backing.locked == 1 || plan->launch_security.locks;
    if (!viommu_plan_settle_memory_max(build, error))
        return false;
    build->rule = VIOMMU_RULE_MEMORY;
    if (page != VIOMMU_UNSET_NUMBER && !check_pages(plan, host, page, error))
        return false;
    if (page == viommu_host_likely_page_bytes(host))
        page = 0;
    plan->memlock_bytes =
        viommu_memory_bound(plan->memory_max_bytes, plan->locked || plan->placement.devices->len > 0 ||
                                                        viommu_request_count_vdpa(request) > 0);
    plan->memlock_start_bytes = plan->memlock_bytes;
    pinned = viommu_memory_pinned(plan->memory_max_bytes, page, plan->memlock_bytes);
    /* For libvirt the system's own page size means "no huge pages", so it is not written. */
    plan->page_size_bytes = pinned.page_size_bytes;
    if (!viommu_memory_check_room(host, policy, &pinned, &nothing, error) ||
        (plan->locked &&
         !check_limit(host, plan->launch_security.locks ? "launch-security" : "memory-backing.locked",
                      UINT64_MAX, error)))
        return false;
    if (request->memory_bytes == VIOMMU_UNSET_NUMBER)
        viommu_plan_note(build, "memory %" G_GUINT64_FORMAT " MiB by default", plan->memory_bytes >> 20);
    return true;
}

/* What the memory is locked for: "2 assigned devices behind an IOMMU", "1 network of vDPA". */
static char *describe_lockers(unsigned n, unsigned vdpa, bool has_iommu)
{
    g_autofree char *devices = n == 0 ? NULL
                                      : g_strdup_printf("%u assigned device%s %s an IOMMU", n,
                                                        n == 1 ? "" : "s", has_iommu ? "behind" : "without");
    g_autofree char *networks =
        vdpa == 0 ? NULL : g_strdup_printf("%u network%s of vDPA", vdpa, vdpa == 1 ? "" : "s");

    return !networks  ? g_steal_pointer(&devices)
           : !devices ? g_steal_pointer(&networks)
                      : g_strconcat(devices, " with ", networks, NULL);
}

bool viommu_plan_settle_memlock(ViommuPlanBuild *build, GError **error)
{
    const ViommuHost *host = build->input->host;
    ViommuPlan *plan = build->plan;
    bool has_iommu = plan->iommu.model != VIOMMU_MODEL_NONE;
    unsigned added = plan->placement.devices->len, vdpa = viommu_request_count_vdpa(build->request);
    unsigned n = added ? added + build->input->n_hostdevs : 0;
    g_autofree char *what = NULL;

    if ((added == 0 && vdpa == 0) || plan->locked)
        return true;
    what = describe_lockers(n, vdpa, has_iommu);
    build->rule = VIOMMU_RULE_MEMLOCK;
    plan->memlock_bytes =
        viommu_memory_hostdev_limit(plan->memory_max_bytes, n, vdpa, has_iommu, host->libvirt);
    /* libvirt counts a virtio-mem device as a whole, and DIMMs when they are plugged in. */
    plan->memlock_start_bytes =
        plan->memory_hotplug == VIOMMU_MEMORY_HOTPLUG_DIMM
            ? viommu_memory_hostdev_limit(plan->memory_bytes, n, vdpa, has_iommu, host->libvirt)
            : plan->memlock_bytes;
    return check_limit(host, what, plan->memlock_bytes, error);
}

char *viommu_memory_compare_limit(const ViommuPlan *plan, uint64_t live_bytes)
{
    g_autofree char *live = NULL, *planned = NULL;

    if (live_bytes >= plan->memlock_start_bytes)
        return NULL;
    live = viommu_quantity_format(live_bytes);
    planned = viommu_quantity_format(plan->memlock_start_bytes);
    return g_strdup_printf(
        "QEMU may lock %s of memory (RLIMIT_MEMLOCK), but the plan needs %s: this libvirt calculates another limit; the guest may fail with \"Cannot allocate memory\"",
        live, planned);
}
