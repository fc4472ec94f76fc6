/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-use-net: what the host uses its network ports for, alone and below bonds, VLANs and
 * bridges. sysfs shows the network namespace that it was mounted in: if that is not the host's,
 * each port counts as used. */
#include <string.h>

#include "lib/host/topology-use.h"

#define NET  "sys/class/net"
#define RDMA "sys/class/infiniband"
/* More levels of bonds, VLANs and bridges than a host has. */
#define DEPTH_MAX 64
#define TABLE_MAX (16 * 1024 * 1024)

typedef struct Routes {
    GHashTable *any, *by_default; /* names of ports */
} Routes;

/* The words of a line, without the white space between them.  Owned. */
static char **split_words(const char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
    GPtrArray *taken = g_ptr_array_new();

    for (char **word = words; *word; word++)
        if (**word)
            g_ptr_array_add(taken, g_strdup(*word));
    g_ptr_array_add(taken, NULL);
    return (char **)g_ptr_array_free(taken, FALSE);
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
static void read_routes4(const ViommuRoot *root, Routes *routes)
{
    g_auto(GStrv) lines = viommu_root_process_lines(root, "net/route", TABLE_MAX);

    for (char **line = lines; line && *line && *(line + 1); line++) {
        g_auto(GStrv) words = split_words(*(line + 1));

        if (g_strv_length(words) < 8)
            continue;
        g_hash_table_add(routes->any, g_strdup(words[0]));
        if (g_str_equal(words[1], "00000000") && g_str_equal(words[7], "00000000"))
            g_hash_table_add(routes->by_default, g_strdup(words[0]));
    }
}

/* Destination, its length, source, its length, next hop, metric, counts, flags, port.  Each port
 * that is up has routes to link-local and multicast addresses. */
static void read_routes6(const ViommuRoot *root, Routes *routes)
{
    g_auto(GStrv) lines = viommu_root_process_lines(root, "net/ipv6_route", TABLE_MAX);

    for (char **line = lines; line && *line; line++) {
        g_auto(GStrv) words = split_words(*line);

        if (g_strv_length(words) < 10 || g_str_equal(words[9], "lo") || g_str_has_prefix(words[0], "fe8") ||
            g_str_has_prefix(words[0], "ff"))
            continue;
        g_hash_table_add(routes->any, g_strdup(words[9]));
        if (g_str_equal(words[1], "00"))
            g_hash_table_add(routes->by_default, g_strdup(words[9]));
    }
}

static void use_port(ViommuUses *uses, const Routes *routes, const char *path, const char *port,
                     const char *name, unsigned depth);

/* The bonds, bridges and VLANs above it. */
static void use_uppers(ViommuUses *uses, const Routes *routes, const char *path, const char *port,
                       const char *name, unsigned depth)
{
    g_auto(GStrv) entries = viommu_root_list(uses->root, NET "/%s", name);

    for (size_t i = 0; entries && entries[i]; i++) {
        if (!g_str_has_prefix(entries[i], "upper_"))
            continue;
        viommu_use_add(uses, path, "%s is part of %s", port, entries[i] + strlen("upper_"));
        /* Several ways can lead to one bridge. */
        if (g_hash_table_add(uses->walked, g_strdup(entries[i] + strlen("upper_"))))
            use_port(uses, routes, path, port, entries[i] + strlen("upper_"), depth + 1);
    }
}

/* @port: of the hardware at @path; @name: that port, or a bond, bridge or VLAN above it. */
static void use_port(ViommuUses *uses, const Routes *routes, const char *path, const char *port,
                     const char *name, unsigned depth)
{
    g_autofree char *state = viommu_root_text(uses->root, NET "/%s/operstate", name);
    g_autofree char *through = depth ? g_strdup_printf(" through %s", name) : g_strdup("");
    uint64_t carrier = 0;

    (void)viommu_root_number(uses->root, &carrier, NET "/%s/carrier", name);
    if (g_hash_table_contains(routes->by_default, name))
        viommu_use_add(uses, path, "%s carries the default route%s", port, through);
    else if (g_hash_table_contains(routes->any, name))
        viommu_use_add(uses, path, "%s has routes and an address%s", port, through);
    if (depth == 0 && (g_strcmp0(state, "up") == 0 || carrier == 1))
        viommu_use_add(uses, path, "%s is up", port);
    if (depth < DEPTH_MAX)
        use_uppers(uses, routes, path, port, name, depth);
}

/* Disks and file systems can use an RDMA device whose network port is down, or that has none:
 * InfiniBand. */
static void use_rdma(ViommuUses *uses)
{
    g_auto(GStrv) names = viommu_root_list(uses->root, RDMA);

    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *target = viommu_root_target(uses->root, RDMA "/%s", names[i]);
        g_auto(GStrv) ports = viommu_root_list(uses->root, RDMA "/%s/ports", names[i]);

        for (size_t j = 0; target && ports && ports[j]; j++) {
            g_autofree char *state =
                viommu_root_text(uses->root, RDMA "/%s/ports/%s/state", names[i], ports[j]);

            if (state && strstr(state, "ACTIVE"))
                viommu_use_add(uses, target, "port %s of %s is active (RDMA)", ports[j], names[i]);
        }
    }
}

/* Whether sysfs shows the network namespace of process 1. */
static bool sees_networks(const ViommuRoot *root)
{
    g_auto(GStrv) lines = viommu_root_process_lines(root, "net/dev", TABLE_MAX);

    for (char **line = lines; line && *line; line++) {
        g_autofree char *name = g_strdup(*line);
        char *end = strchr(g_strstrip(name), ':');

        if (!end)
            continue;
        *end = 0;
        if (!viommu_root_exists(root, NET "/%s", name))
            return false;
    }
    return lines != NULL;
}

static bool is_port(const ViommuUses *uses, const ViommuPciDevice *device)
{
    return device->class_code >> 16 == 0x02 ||
           viommu_root_exists(uses->root, "sys/bus/pci/devices/%s/net", device->address);
}

/* @seen: addresses of devices with a port in sysfs; NULL: sysfs shows nothing useful. */
static void use_unseen(ViommuUses *uses, GHashTable *seen)
{
    const GPtrArray *devices = uses->topology->devices;

    for (guint i = 0; devices && i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (seen && g_hash_table_contains(seen, device->address))
            continue;
        if (device->driver && !strstr(device->driver, "vfio") && !g_str_equal(device->driver, "pci-stub") &&
            is_port(uses, device))
            viommu_use_add(uses, device->address,
                           "its network port has driver %s, and viommud cannot see what it is used for",
                           device->driver);
    }
}

static void add_parts(GHashTable *seen, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    for (char **part = parts; *part; part++)
        g_hash_table_add(seen, g_strdup(*part));
}

void viommu_use_networks(ViommuUses *uses)
{
    g_auto(GStrv) names = viommu_root_list(uses->root, NET);
    Routes routes = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                     g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};

    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint n = names ? g_strv_length(names) : 0;

    read_routes4(uses->root, &routes);
    read_routes6(uses->root, &routes);
    for (guint i = 0; i < n; i++) {
        g_autofree char *target = viommu_root_target(uses->root, NET "/%s", names[i]);

        if (!target)
            continue;
        add_parts(seen, target);
        g_hash_table_remove_all(uses->walked);
        use_port(uses, &routes, target, names[i], names[i], 0);
    }
    use_rdma(uses);
    /* A container's port is only in that container's sysfs. */
    if (!sees_networks(uses->root) || n >= VIOMMU_ROOT_LIST_MAX)
        use_unseen(uses, NULL);
    else if (n > 0)
        use_unseen(uses, seen);
    g_hash_table_unref(routes.any);
    g_hash_table_unref(routes.by_default);
}
