/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-use: what the host itself uses a PCI device for, by what is below it in sysfs.  What is
 * not visible counts as a use. */
#include <stdio.h>
#include <string.h>

#include "lib/host/topology-internal.h"
#include "lib/host/topology-use.h"

#define BLOCK   "sys/block"
#define DEVICES "sys/bus/pci/devices"
/* Enough for a host with some ten thousand containers. */
#define TABLE_MAX (16 * 1024 * 1024)
/* More levels of dm, md and bcache than a host has. */
#define DEPTH_MAX 64
#define USES_MAX  16u

/* Names of mounts and devices are foreign text. */
static char *clean(const char *text)
{
    char *copy = g_strndup(text, 128);

    for (char *c = copy; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return copy;
}

void viommu_use_add(ViommuUses *uses, const char *path, const char *format, ...)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    for (char **part = parts; *part; part++) {
        GPtrArray *list = g_hash_table_lookup(uses->by_address, *part);

        if (list && list->len < USES_MAX && !g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL))
            g_ptr_array_add(list, clean(text));
    }
}

/* --- Block devices --- */

/* The devices that a word of mountinfo names: the source, which is several for bcachefs
 * ("/dev/sda:/dev/sdb"), and options such as XFS's "logdev=/dev/sda". */
static void take_mounted(ViommuUses *uses, const char *word, const char *mount)
{
    g_auto(GStrv) parts = g_strsplit_set(word, ":,=", -1);

    for (char **part = parts; *part; part++)
        if (g_str_has_prefix(*part, "/dev/"))
            g_hash_table_insert(uses->mounts, g_path_get_basename(*part), g_strdup(mount));
}

/* "259:2" or "nvme0n1p2" -> the place where it is mounted. */
static bool read_mounts(ViommuUses *uses)
{
    g_auto(GStrv) lines = viommu_root_process_lines(uses->root, "mountinfo", TABLE_MAX);

    for (char **line = lines; line && *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", -1);
        guint n = g_strv_length(words), dash = 6;

        while (dash < n && !g_str_equal(words[dash], "-"))
            dash++;
        if (dash + 2 >= n)
            continue;
        if (!g_hash_table_contains(uses->mounts, words[2]))
            g_hash_table_insert(uses->mounts, g_strdup(words[2]), g_strdup(words[4]));
        /* btrfs and overlays have device numbers of their own. */
        for (guint i = dash + 2; i < n; i++)
            take_mounted(uses, words[i], words[4]);
    }
    return lines != NULL;
}

static void read_swaps(ViommuUses *uses)
{
    g_auto(GStrv) lines = viommu_root_lines(uses->root, "proc/swaps", TABLE_MAX);

    uses->swaps_seen = lines != NULL;
    for (char **line = lines; line && *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 2);

        if (words[0] && g_str_has_prefix(words[0], "/dev/"))
            g_hash_table_add(uses->swaps, g_path_get_basename(words[0]));
    }
}

/* The devices of a mounted btrfs that mountinfo does not name. */
static void read_btrfs(ViommuUses *uses)
{
    g_auto(GStrv) ids = viommu_root_list(uses->root, "sys/fs/btrfs");

    for (size_t i = 0; ids && ids[i]; i++) {
        g_auto(GStrv) names = viommu_root_list(uses->root, "sys/fs/btrfs/%s/devices", ids[i]);

        for (size_t j = 0; names && names[j]; j++)
            g_hash_table_add(uses->btrfs, g_strdup(names[j]));
    }
}

/* The content that udev found: "swap", "zfs_member", "jbd"; NULL: udev has not looked.  Owned. */
static char *content_of(const ViommuUses *uses, const char *number)
{
    g_autofree char *path = g_strdup_printf("run/udev/data/b%s", number);
    g_auto(GStrv) lines = viommu_root_lines(uses->root, path, TABLE_MAX);

    for (char **line = lines; line && *line; line++)
        if (g_str_has_prefix(*line, "E:ID_FS_TYPE="))
            return g_strdup(strchr(*line, '=') + 1);
    return lines ? g_strdup("") : NULL;
}

/* Mounted in any namespace: the directories of these file systems in sysfs name their device. */
static void use_file_system(ViommuUses *uses, const char *path, const char *name)
{
    static const char *const kinds[] = {"ext4", "xfs", "f2fs", "erofs"};

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (viommu_root_exists(uses->root, "sys/fs/%s/%s", kinds[i], name))
            viommu_use_add(uses, path, "%s is mounted somewhere (%s)", name, kinds[i]);
}

/* A journal that ext4 keeps on a device of its own: nothing is mounted from there, and no directory
 * of sysfs names it.  The journal inside a file system has a number behind its name ("sda1-8"). */
static void use_journal(ViommuUses *uses, const char *path, const char *name, const char *content)
{
    if (viommu_root_exists(uses->root, "proc/fs/jbd2/%s", name))
        viommu_use_add(uses, path, "%s holds the journal of a mounted file system (jbd2)", name);
    else if (!viommu_root_exists(uses->root, "proc/fs") && g_strcmp0(content, "jbd") == 0)
        viommu_use_add(uses, path, "%s is formatted as a journal", name);
}

static void use_content(ViommuUses *uses, const char *path, const char *name, const char *number)
{
    g_autofree char *content = content_of(uses, number);

    use_journal(uses, path, name, content);

    /* A service may not see /proc/swaps. */
    if (!uses->swaps_seen && !content)
        viommu_use_add(uses, path, "%s may be in use as swap, which viommud cannot see", name);
    else if (!uses->swaps_seen && g_str_equal(content, "swap"))
        viommu_use_add(uses, path, "%s is formatted as swap", name);
    /* ZFS does not show as a holder in sysfs. */
    if ((!content || g_str_equal(content, "zfs_member")) && viommu_root_exists(uses->root, "sys/module/zfs"))
        viommu_use_add(uses, path,
                       content ? "%s belongs to a ZFS pool"
                               : "%s may belong to a ZFS pool, which viommud cannot see",
                       name);
}

static void use_holders(ViommuUses *uses, const char *path, const char *name, const char *directory,
                        unsigned depth);

/* Where it is mounted; NULL: nowhere.  @mapped: its name below /dev/mapper, by which a host without
 * udev knows it; NULL: none. */
static const char *mount_of(const ViommuUses *uses, const char *number, const char *name, const char *mapped)
{
    const char *keys[] = {number, name, mapped}, *mount = NULL;

    for (size_t i = 0; !mount && i < G_N_ELEMENTS(keys); i++)
        mount = keys[i] ? g_hash_table_lookup(uses->mounts, keys[i]) : NULL;
    return mount;
}

/* @directory: of the disk or partition @name, in sysfs.  @path: of the hardware. */
static void use_block(ViommuUses *uses, const char *path, const char *name, const char *directory,
                      unsigned depth)
{
    g_autofree char *number = viommu_root_text(uses->root, "%s/dev", directory);
    g_autofree char *mapped = viommu_root_text(uses->root, "%s/dm/name", directory);
    const char *mount = mount_of(uses, number, name, mapped);

    if (mount)
        viommu_use_add(uses, path, "%s is mounted at %s", name, mount);
    else
        use_file_system(uses, path, name);
    if (!mount && !uses->mounts_seen)
        viommu_use_add(uses, path, "%s may be mounted, which viommud cannot see", name);
    if (g_hash_table_contains(uses->btrfs, name))
        viommu_use_add(uses, path, "%s belongs to a mounted btrfs", name);
    if (g_hash_table_contains(uses->swaps, name) || (mapped && g_hash_table_contains(uses->swaps, mapped)))
        viommu_use_add(uses, path, "%s holds swap", name);
    use_content(uses, path, name, number ? number : "");
    if (depth < DEPTH_MAX)
        use_holders(uses, path, name, directory, depth);
}

static void use_holders(ViommuUses *uses, const char *path, const char *name, const char *directory,
                        unsigned depth)
{
    g_auto(GStrv) holders = viommu_root_list(uses->root, "%s/holders", directory);

    for (size_t i = 0; holders && holders[i]; i++) {
        g_autofree char *above = g_strdup_printf(BLOCK "/%s", holders[i]);

        viommu_use_add(uses, path, "%s is part of %s", name, holders[i]);
        /* Several ways can lead to one device. */
        if (!g_hash_table_add(uses->walked, g_strdup(holders[i])))
            continue;
        use_block(uses, path, holders[i], above, depth + 1);
    }
}

static void use_disk(ViommuUses *uses, const char *path, const char *name)
{
    g_autofree char *directory = g_strdup_printf(BLOCK "/%s", name);
    g_auto(GStrv) parts = viommu_root_list(uses->root, "%s", directory);

    g_hash_table_remove_all(uses->walked);
    use_block(uses, path, name, directory, 0);
    for (size_t i = 0; parts && parts[i]; i++) {
        g_autofree char *part = g_strdup_printf("%s/%s", directory, parts[i]);

        if (viommu_root_exists(uses->root, "%s/partition", part))
            use_block(uses, path, parts[i], part, 0);
    }
}

/* A disk with several paths is not below its controllers. */
static void use_multipath(ViommuUses *uses, const char *target, const char *disk)
{
    g_autofree char *directory = g_path_get_dirname(target);
    g_autofree char *subsystem = g_path_get_basename(directory);
    g_auto(GStrv) names = viommu_root_list(uses->root, "sys/class/nvme-subsystem/%s", subsystem);

    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *path = viommu_root_target(uses->root, "sys/class/nvme/%s", names[i]);

        if (path)
            use_disk(uses, path, disk);
    }
}

static void use_unlisted(ViommuUses *uses)
{
    const GPtrArray *devices = uses->topology->devices;

    for (guint i = 0; devices && i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (device->class_code >> 16 == 0x01 && device->driver)
            viommu_use_add(uses, device->address, "this host has too many disks to check them all");
    }
}

static void use_disks(ViommuUses *uses)
{
    g_auto(GStrv) names = viommu_root_list(uses->root, BLOCK);

    /* Names beyond the limit of a list are not visible. */
    if (names && g_strv_length(names) >= VIOMMU_ROOT_LIST_MAX)
        use_unlisted(uses);
    uses->mounts_seen = read_mounts(uses);
    read_swaps(uses);
    read_btrfs(uses);
    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *target = viommu_root_target(uses->root, BLOCK "/%s", names[i]);

        if (target && strstr(target, "/nvme-subsystem/"))
            use_multipath(uses, target, names[i]);
        else if (target)
            use_disk(uses, target, names[i]);
    }
}

/* --- Console, keyboards, security --- */

/* All devices of a class that are below a PCI device. */
static void use_class(ViommuUses *uses, const char *class, const char *part, const char *words)
{
    g_autofree char *directory = g_strdup_printf("sys/class/%s", class);
    g_auto(GStrv) names = viommu_root_list(uses->root, "%s", directory);

    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *target = viommu_root_target(uses->root, "%s/%s", directory, names[i]);

        if (target && (!part || strstr(target, part)))
            viommu_use_add(uses, target, "%s %s", names[i], words);
    }
}

/* Disks by NVMe over Fibre Channel are not below their controller in sysfs, so a connected one
 * counts. */
static void use_fibre_channel(ViommuUses *uses)
{
    g_auto(GStrv) names = viommu_root_list(uses->root, "sys/class/fc_host");

    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *state = viommu_root_text(uses->root, "sys/class/fc_host/%s/port_state", names[i]);
        g_autofree char *target = viommu_root_target(uses->root, "sys/class/fc_host/%s", names[i]);

        if (target && g_strcmp0(state, "Online") == 0)
            viommu_use_add(uses, target, "port %s is online (Fibre Channel)", names[i]);
    }
}

/* Virtual devices that a driver made of a device, mostly for guests; they vanish with it. */
static void use_mediated(ViommuUses *uses)
{
    g_auto(GStrv) names = viommu_root_list(uses->root, "sys/bus/mdev/devices");

    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *target = viommu_root_target(uses->root, "sys/bus/mdev/devices/%s", names[i]);

        if (target)
            viommu_use_add(uses, target, "mediated device %s is a part of it", names[i]);
    }
}

/* Consoles of the kernel on a PCI device: on a serial card or a USB adapter. */
static void use_consoles(ViommuUses *uses)
{
    g_autofree char *active = viommu_root_text(uses->root, "sys/class/tty/console/active");
    g_auto(GStrv) names = g_strsplit(active ? active : "", " ", -1);

    for (char **name = names; *name; name++) {
        g_autofree char *target = viommu_root_target(uses->root, "sys/class/tty/%s", *name);

        if (**name && target)
            viommu_use_add(uses, target, "%s is a console of the host", *name);
    }
}

static void use_monitors(ViommuUses *uses)
{
    g_auto(GStrv) names = viommu_root_list(uses->root, "sys/class/drm");

    for (size_t i = 0; names && names[i]; i++) {
        g_autofree char *status = viommu_root_text(uses->root, "sys/class/drm/%s/status", names[i]);
        g_autofree char *enabled = viommu_root_text(uses->root, "sys/class/drm/%s/enabled", names[i]);
        g_autofree char *target = viommu_root_target(uses->root, "sys/class/drm/%s", names[i]);

        if (target && (g_strcmp0(status, "connected") == 0 || g_strcmp0(enabled, "enabled") == 0))
            viommu_use_add(uses, target, "%s has a monitor", names[i]);
    }
}

static bool is_vfio(const ViommuPciDevice *device)
{
    return device->driver && strstr(device->driver, "vfio");
}

static void use_device(ViommuUses *uses, const ViommuPciDevice *device)
{
    g_auto(GStrv) entries = viommu_root_list(uses->root, DEVICES "/%s", device->address);
    uint64_t boot_vga = 0;

    if (viommu_pci_device_is_unknown(device))
        viommu_use_add(uses, device->address, "viommud cannot see what it is");
    if (viommu_root_number(uses->root, &boot_vga, DEVICES "/%s/boot_vga", device->address) && boot_vga == 1 &&
        !is_vfio(device))
        viommu_use_add(uses, device->address, "it is the display that the host booted with");
    if (device->class_code >> 8 == 0x0c07 && device->driver && !is_vfio(device))
        viommu_use_add(uses, device->address, "it connects to the host's management controller (IPMI)");
    for (size_t i = 0; entries && entries[i]; i++) {
        g_autofree char *function = NULL, *driver = NULL;

        if (!g_str_has_prefix(entries[i], "virtfn"))
            continue;
        function = viommu_root_link(uses->root, DEVICES "/%s/%s", device->address, entries[i]);
        driver = function ? viommu_root_link(uses->root, DEVICES "/%s/driver", function) : NULL;
        if (driver)
            viommu_use_add(uses, device->address, "its virtual function %s is used by driver %s", function,
                           driver);
    }
}

/* --- All of it --- */

static GHashTable *new_table(GDestroyNotify free_value)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);
}

static void take(ViommuPciDevice *device, GPtrArray *list)
{
    if (list->len == 0)
        return;
    device->uses = g_new0(char *, list->len + 1);
    for (guint i = 0; i < list->len; i++)
        device->uses[i] = g_strdup(g_ptr_array_index(list, i));
}

void viommu_topology_read_uses(const ViommuRoot *root, ViommuTopology *topology)
{
    ViommuUses uses = {.root = root,
                       .topology = topology,
                       .by_address = new_table((GDestroyNotify)g_ptr_array_unref),
                       .mounts = new_table(g_free),
                       .swaps = new_table(NULL),
                       .btrfs = new_table(NULL),
                       .walked = new_table(NULL)};
    guint n = topology->devices ? topology->devices->len : 0;

    for (guint i = 0; i < n; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(topology->devices, i);

        /* Uses below a bridge belong to the devices there. */
        if (!viommu_pci_device_is_bridge(device))
            g_hash_table_insert(uses.by_address, g_strdup(device->address),
                                g_ptr_array_new_with_free_func(g_free));
    }
    use_disks(&uses);
    viommu_use_networks(&uses);
    use_fibre_channel(&uses);
    use_mediated(&uses);
    use_consoles(&uses);
    use_monitors(&uses);
    use_class(&uses, "graphics", NULL, "is a framebuffer of the host's console");
    use_class(&uses, "input", "/usb", "is a keyboard or another input device of the host");
    use_class(&uses, "tpm", NULL, "is the host's TPM");
    for (guint i = 0; i < n; i++)
        use_device(&uses, g_ptr_array_index(topology->devices, i));
    for (guint i = 0; i < n; i++) {
        ViommuPciDevice *device = g_ptr_array_index(topology->devices, i);
        GPtrArray *list = g_hash_table_lookup(uses.by_address, device->address);

        if (list)
            take(device, list);
    }
    g_hash_table_unref(uses.by_address);
    g_hash_table_unref(uses.mounts);
    g_hash_table_unref(uses.swaps);
    g_hash_table_unref(uses.btrfs);
    g_hash_table_unref(uses.walked);
}
