/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/beaker-system.h"

#include <string.h>
#include <sys/utsname.h>

#include "lib/base/quantity.h"
#include "lib/host/sysroot.h"
#include "lib/request/beaker-judge.h"

#define CPUINFO_MAX ((size_t)16 << 20) /* of a machine with thousands of CPUs */
#define SECTOR      512u               /* of /sys/block, whatever the disk has */

/* The lines of /proc/cpuinfo that are facts, of its first CPU. */
static const struct {
    const char *line, *element;
} cpu_lines[] = {
    {"vendor_id", "cpu/vendor"},      {"cpu family", "cpu/family"}, {"model", "cpu/model"},
    {"model name", "cpu/model_name"}, {"stepping", "cpu/stepping"},
};

static void add_number(GPtrArray *facts, const char *element, uint64_t number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    viommu_beaker_facts_add(facts, element, text);
}

/* Its hypervisor's name is not among the flags, so only that there is none is known. */
static void add_flags(GPtrArray *facts, const char *value)
{
    g_auto(GStrv) flags = g_strsplit(value, " ", -1);

    for (char **flag = flags; *flag; flag++)
        if (**flag)
            viommu_beaker_facts_add(facts, "cpu/flag", *flag);
    if (!g_strv_contains((const char *const *)flags, "hypervisor"))
        viommu_beaker_facts_add(facts, "hypervisor", "");
}

typedef struct Cpus {
    GHashTable *sockets; /* the ids */
    uint64_t n, cores;   /* cores: of one socket */
} Cpus;

static void add_cpu_line(GPtrArray *facts, Cpus *cpus, const char *name, const char *value)
{
    if (g_str_equal(name, "processor") && g_ascii_isdigit(*value))
        cpus->n++;
    else if (g_str_equal(name, "physical id"))
        g_hash_table_add(cpus->sockets, g_strdup(value));
    else if (g_str_equal(name, "cpu cores"))
        cpus->cores = g_ascii_strtoull(value, NULL, 10);
    else if (g_str_equal(name, "flags") && !viommu_beaker_facts_has(facts, "cpu/flag"))
        add_flags(facts, value);
    for (size_t i = 0; i < G_N_ELEMENTS(cpu_lines); i++)
        if (g_str_equal(name, cpu_lines[i].line) && !viommu_beaker_facts_has(facts, cpu_lines[i].element))
            viommu_beaker_facts_add(facts, cpu_lines[i].element, value);
}

static void add_cpus(GPtrArray *facts, const ViommuRoot *root)
{
    g_auto(GStrv) lines = viommu_root_lines(root, "proc/cpuinfo", CPUINFO_MAX);
    g_autoptr(GHashTable) sockets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Cpus cpus = {sockets, 0, 0};

    for (char **line = lines; line && *line; line++) {
        char *colon = strchr(*line, ':');

        if (!colon || !g_utf8_validate(*line, -1, NULL))
            continue;
        *colon = '\0';
        add_cpu_line(facts, &cpus, g_strstrip(*line), g_strstrip(colon + 1));
    }
    if (cpus.n > 0)
        add_number(facts, "cpu/processors", cpus.n);
    if (g_hash_table_size(sockets) == 0)
        return;
    add_number(facts, "cpu/sockets", g_hash_table_size(sockets));
    if (cpus.cores > 0)
        add_number(facts, "cpu/cores", cpus.cores * g_hash_table_size(sockets));
}

/* Disks that can be taken out are none of the inventory, and neither is what has no device. */
static void add_disks(GPtrArray *facts, const ViommuRoot *root)
{
    g_auto(GStrv) names = viommu_root_list(root, "sys/block");
    uint64_t n = 0, removable, sectors;

    for (char **name = names; name && *name; name++) {
        if (!viommu_root_exists(root, "sys/block/%s/device", *name) ||
            (viommu_root_number(root, &removable, "sys/block/%s/removable", *name) && removable != 0) ||
            !viommu_root_number(root, &sectors, "sys/block/%s/size", *name) || sectors == 0)
            continue;
        n++;
        add_number(facts, "disk/size", sectors * SECTOR);
    }
    if (names)
        add_number(facts, "key_value NR_DISKS", n);
}

/* All of it, as the kernel counts it: also what is set aside as huge pages. */
static void add_memory(GPtrArray *facts, const ViommuRoot *root)
{
    g_autofree char *text = viommu_root_text(root, "proc/meminfo");
    uint64_t kib = text && g_str_has_prefix(text, "MemTotal:") ? g_ascii_strtoull(text + 9, NULL, 10) : 0;

    if (kib > 0)
        add_number(facts, "memory", kib / (VIOMMU_MIB / VIOMMU_KIB));
}

static void add_host(GPtrArray *facts, const ViommuHost *host)
{
    static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD"};
    const ViommuTopology *topology = &host->topology;
    g_autofree char *reason = NULL;

    viommu_beaker_facts_add(facts, "arch", host->arch_name);
    if (host->memory_bytes != VIOMMU_UNSET_NUMBER && !viommu_beaker_facts_has(facts, "memory"))
        add_number(facts, "memory", host->memory_bytes / VIOMMU_MIB);
    if (!topology->present)
        return;
    add_number(facts, "key_value VIRT_IOMMU",
               viommu_topology_judge(topology, &reason) != VIOMMU_IOMMU_USE_NONE);
    if (topology->nodes && topology->nodes->len > 0)
        add_number(facts, "numa_node_count", topology->nodes->len);
    if (topology->cpu_vendor != VIOMMU_UNSET && !viommu_beaker_facts_has(facts, "cpu/vendor"))
        viommu_beaker_facts_add(facts, "cpu/vendor", vendors[topology->cpu_vendor]);
}

GPtrArray *viommu_ctl_beaker_facts(const ViommuCtl *ctl, const ViommuHost *host)
{
    bool is_here = !ctl->host && host->topology.present;
    GPtrArray *facts = viommu_beaker_facts_new();
    g_autoptr(ViommuRoot) root = NULL;
    struct utsname name;

    if (is_here || ctl->root)
        root = viommu_root_open(ctl->root ? ctl->root : "/", NULL);
    if (root) {
        add_cpus(facts, root);
        add_memory(facts, root);
        add_disks(facts, root);
    }
    add_host(facts, host);
    if (is_here && !ctl->root && !host->arch_name && uname(&name) == 0)
        viommu_beaker_facts_add(facts, "arch", name.machine);
    return facts;
}
