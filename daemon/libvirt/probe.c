/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe: asks libvirt and the emulators what this host can do, and remembers it until one of them
 * changes.  Reads the documents with lib/host/caps; decides nothing. */
#include "daemon/libvirt/internal.h"

#include <string.h>
#include <unistd.h>
#include "daemon/libvirt/host-stamp.h"
#include "daemon/libvirt/qemu-version.h"
#include "lib/host/caps.h"
#include "lib/host/fact-probe.h"
#include "lib/host/proc-limits.h"

/* Emulators print their version within hundredths of a second. */
#define VERSION_TIMEOUT_MS 10000

/* What libvirt's test driver counts as.  It has neither emulators nor domain capabilities: its
 * guests are records, and it accepts those of QEMU. */
#define TEST_DRIVER_TYPE "TEST"
static const struct {
    ViommuArch arch;
    ViommuVersion qemu;
} test_emulators[] = {
    {VIOMMU_ARCH_X86_64, VIOMMU_VERSION_OF(10, 1, 0)},
    {VIOMMU_ARCH_AARCH64, VIOMMU_VERSION_OF(10, 1, 0)},
};

struct ViommuProbe {
    ViommuPool *pool;
    bool local;       /* libvirt runs on this host, so its paths are valid here */
    const char *root; /* of the hardware: the directory read as "/" */
    GMutex lock;
    /* Under lock: */
    GVariant *host; /* a{sv}; NULL: nothing cached */
    char *stamp;    /* of the files that it was learnt from */
    int generation; /* the pool's generation before it was learnt */
};

ViommuProbe *viommu_probe_new(ViommuPool *pool)
{
    ViommuProbe *probe = g_new0(ViommuProbe, 1);

    probe->pool = pool;
    probe->root = "/";
    /* The URI qemu:///system has no server name between the second and the third slash. */
    probe->local = viommu_pool_is_local(pool);
    g_mutex_init(&probe->lock);
    return probe;
}

void viommu_probe_set_root(ViommuProbe *probe, const char *root)
{
    probe->root = root;
}

const char *viommu_probe_root(const ViommuProbe *probe)
{
    return probe->root;
}

void viommu_probe_free(ViommuProbe *probe)
{
    if (!probe)
        return;
    g_clear_pointer(&probe->host, g_variant_unref);
    g_free(probe->stamp);
    g_mutex_clear(&probe->lock);
    g_free(probe);
}

static bool is_kvm(const ViommuEmulator *emulator)
{
    return emulator->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_KVM);
}

/* The version that libvirt reports; for remote hosts, and for an emulator that viommud may not
 * run. */
static ViommuVersion version_from_libvirt(virConnectPtr connection, const ViommuHost *host,
                                          const ViommuEmulator *emulator, const char *machine)
{
    ViommuVersion version = machine ? viommu_caps_machine_version(machine) : 0;
    unsigned long number = 0;

    if (version == 0 && g_strcmp0(emulator->arch_name, host->arch_name) == 0 &&
        virConnectGetVersion(connection, &number) == 0)
        version = number;
    return version;
}

/* Whether libvirt's answer is about @fact, and not about the host: libvirt converts no assigned
 * device where the host has no VFIO. */
static bool has_ground(virConnectPtr connection, ViommuFactId fact, const ViommuEmulator *emulator)
{
    g_autofree char *xml = viommu_fact_probe_ground(fact, emulator), *native = NULL;

    if (!xml)
        return true;
    native = virConnectDomainXMLToNative(connection, "qemu-argv", xml, 0);
    return native != NULL;
}

/* libvirt judges a configuration when it converts it to native arguments, which creates nothing.
 * Other failures tell nothing; then the versions count. */
static void ask_facts(virConnectPtr connection, ViommuEmulator *emulator)
{
    for (unsigned fact = 0; fact < VIOMMU_FACT_LAST; fact++) {
        const char *shows = NULL;
        g_autofree char *xml = viommu_fact_probe((ViommuFactId)fact, emulator, &shows), *native = NULL;

        if (!xml || !has_ground(connection, (ViommuFactId)fact, emulator))
            continue;
        native = virConnectDomainXMLToNative(connection, "qemu-argv", xml, 0);
        if (native && strstr(native, shows))
            emulator->accepts |= VIOMMU_BIT(fact);
        else if (native || viommu_libvirt_last_unsupported())
            emulator->refuses |= VIOMMU_BIT(fact);
    }
}

static bool probe_emulator(ViommuProbe *probe, virConnectPtr connection, const ViommuHost *host,
                           ViommuEmulator *emulator, GError **error)
{
    g_autofree char *xml = NULL, *machine = NULL;

    if (emulator->arch == VIOMMU_UNSET)
        return true;
    xml = virConnectGetDomainCapabilities(connection, emulator->path, emulator->arch_name,
                                          viommu_arch_default_machine((ViommuArch)emulator->arch),
                                          is_kvm(emulator) ? "kvm" : "qemu", 0);
    if (!xml && virConnectIsAlive(connection) != 1)
        return viommu_libvirt_fail(error, "cannot read the domain capabilities of '%s'", emulator->path);
    /* libvirt knows the emulator but cannot ask it: the emulator is broken, or has no such machine.
     * The planner then goes by its version alone. */
    if (xml && !viommu_caps_read_domain(emulator, xml, &machine, error))
        return false;
    if (!probe->local || !emulator->path ||
        !viommu_qemu_version_ask(emulator->path, VERSION_TIMEOUT_MS, &emulator->qemu, NULL))
        emulator->qemu = version_from_libvirt(connection, host, emulator, machine);
    if (xml)
        ask_facts(connection, emulator);
    return true;
}

/* The test driver has memory, but reports it only in virNodeInfo. */
static void pretend_emulators(virConnectPtr connection, ViommuHost *host)
{
    virNodeInfo node;

    if (virNodeGetInfo(connection, &node) == 0)
        host->memory_bytes = (uint64_t)node.memory * 1024;
    host->arch_name = g_strdup(viommu_arch_to_string(test_emulators[0].arch));
    for (size_t i = 0; i < G_N_ELEMENTS(test_emulators); i++) {
        ViommuEmulator *emulator = viommu_host_add_emulator(host);
        emulator->arch = (int)test_emulators[i].arch;
        emulator->arch_name = g_strdup(viommu_arch_to_string(test_emulators[i].arch));
        emulator->qemu = test_emulators[i].qemu;
        emulator->accelerators = VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG);
    }
}

static bool ask_emulators(ViommuProbe *probe, virConnectPtr connection, ViommuHost *host, GError **error)
{
    g_autofree char *xml = virConnectGetCapabilities(connection);

    if (!xml)
        return viommu_libvirt_fail(error, "cannot read the host's capabilities");
    if (!viommu_caps_read(host, xml, error))
        return false;
    for (unsigned i = 0; i < host->emulators->len; i++)
        if (!probe_emulator(probe, connection, host, host->emulators->pdata[i], error))
            return false;
    return true;
}

typedef struct Ask {
    ViommuProbe *probe;
    ViommuHost *host; /* owned */
    int generation;
} Ask;

/* Left unset when libvirt does not report it.  virNodeGetInfo() always answers, but adds up NUMA
 * cells, whose size misses memory that was hotplugged: 5.3 of 23.5 GiB on one machine. */
static void ask_memory(virConnectPtr connection, ViommuHost *host)
{
    g_autofree virNodeMemoryStats *stats = NULL;
    int n = 0;

    if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0) < 0 || n <= 0)
        return;
    stats = g_new0(virNodeMemoryStats, (gsize)n);
    if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &n, 0) < 0)
        return;
    for (int i = 0; i < n; i++)
        if (g_str_equal(stats[i].field, VIR_NODE_MEMORY_STATS_TOTAL))
            host->memory_bytes = (uint64_t)stats[i].value * 1024;
}

/* The process whose limits each QEMU inherits: viommud with the embedded engine, else libvirt's
 * daemon, which may not be visible.  A user's own daemon, if it does not run yet, is started by
 * viommud and inherits its limits. */
static void ask_limits(const ViommuProbe *probe, ViommuHost *host)
{
    const char *uri = viommu_pool_uri(probe->pool);
    bool embedded = strstr(uri, ":///embed"), own = embedded || strstr(uri, ":///session");
    uint64_t pid = embedded ? 0 : viommu_process_find_libvirt("/", own ? geteuid() : 0, NULL), limit;

    if (!probe->local)
        return;
    if (own && geteuid() != 0)
        host->unprivileged = 1;
    if (own && pid == 0)
        pid = (uint64_t)getpid();
    limit = pid ? viommu_process_lockable("/", pid) : VIOMMU_UNSET_NUMBER;
    if (limit != VIOMMU_PROCESS_UNLIMITED)
        host->locked_memory_bytes = limit;
}

static bool ask_host(virConnectPtr connection, void *data, GError **error)
{
    Ask *ask = data;
    g_autoptr(ViommuHost) host = viommu_host_new();
    unsigned long version;

    /* Read before the questions: when the daemon ends between two of them, the answer is already
     * stale. */
    ask->generation = viommu_pool_generation(ask->probe->pool);
    if (virConnectGetLibVersion(connection, &version) < 0)
        return viommu_libvirt_fail(error, "cannot read libvirt's version");
    host->libvirt = version;
    ask_memory(connection, host);
    if (g_strcmp0(virConnectGetType(connection), TEST_DRIVER_TYPE) == 0)
        pretend_emulators(connection, host);
    else if (!ask_emulators(ask->probe, connection, host, error))
        return false;
    else
        ask_limits(ask->probe, host);
    ask->host = g_steal_pointer(&host);
    return true;
}

/* libvirt itself is not included: a new libvirt means a new daemon, which changes the pool's
 * generation. */
static char *make_stamp(const ViommuProbe *probe, const ViommuHost *host)
{
    return probe->local ? viommu_host_stamp("/", host, g_get_monotonic_time()) : g_strdup("");
}

static ViommuHost *cached_host(ViommuProbe *probe)
{
    g_autoptr(ViommuHost) host = NULL;
    g_autofree char *stamp = NULL;

    if (!probe->host || probe->generation != viommu_pool_generation(probe->pool))
        return NULL;
    host = viommu_host_from_variant(probe->host, NULL);
    stamp = host ? make_stamp(probe, host) : NULL;
    return g_strcmp0(stamp, probe->stamp) == 0 ? g_steal_pointer(&host) : NULL;
}

static void remember(ViommuProbe *probe, const ViommuHost *host, int generation)
{
    g_clear_pointer(&probe->host, g_variant_unref);
    probe->host = g_variant_ref_sink(viommu_host_to_variant(host));
    g_free(probe->stamp);
    probe->stamp = make_stamp(probe, host);
    probe->generation = generation;
}

/* Never cached: drivers are bound and devices plugged in at any time, and reading takes about a
 * millisecond. */
bool viommu_probe_topology(const ViommuProbe *probe, ViommuTopology *topology, GError **error)
{
    return !probe->local || viommu_topology_read(probe->root, topology, error);
}

ViommuHost *viommu_probe_host(ViommuProbe *probe, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&probe->lock);
    g_autoptr(ViommuHost) host = cached_host(probe);
    Ask ask = {.probe = probe};

    if (!host) {
        if (!viommu_pool_call(probe->pool, ask_host, &ask, true, error))
            return NULL;
        remember(probe, ask.host, ask.generation);
        host = ask.host;
    }
    return viommu_probe_topology(probe, &host->topology, error) ? g_steal_pointer(&host) : NULL;
}
