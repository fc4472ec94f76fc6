/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-modules: the kernel's support for assigning devices: VFIO, iommufd and their modules,
 * loaded or not, and their parameters. */
#include <string.h>

#include "lib/host/topology-internal.h"

/* modules.alias and modules.dep of a distribution's kernel have several megabytes. */
#define TABLE_MAX (16 * 1024 * 1024)

/* A table below the directory of this kernel's modules, with a newline before its first line; NULL:
 * not visible.  It is read for each plan, and has up to a hundred thousand lines, so it is searched
 * as one text.  Owned. */
static char *module_table(const ViommuRoot *root, const char *name)
{
    g_autofree char *release = viommu_root_release(root);
    g_autofree char *path = g_strdup_printf("lib/modules/%s/%s", release ? release : "", name);
    int unused = 0;
    g_autoptr(GBytes) bytes = release ? viommu_root_bytes(root, path, TABLE_MAX, &unused) : NULL;
    gsize length = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;
    char *text = bytes ? g_malloc(length + 2) : NULL;

    if (!text)
        return NULL;
    text[0] = '\n';
    /* An empty file has no data at all. */
    if (data)
        memcpy(text + 1, data, length);
    text[length + 1] = '\0';
    return text;
}

/* "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci" */
static void read_vfio_drivers(const ViommuRoot *root, ViommuTopology *topology)
{
    static const char beginning[] = "\nalias vfio_pci:";
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *names;
    g_autofree char *table = module_table(root, "modules.alias");

    if (!table)
        return;
    names = g_ptr_array_new();
    for (const char *at = table; names->len < 64 && (at = strstr(at, beginning)); at++) {
        g_autofree char *line = g_strndup(at + 1, strcspn(at + 1, "\n"));
        const char *space = strrchr(line, ' ');

        if (!viommu_fields_is_text(space + 1) || g_hash_table_contains(seen, space + 1))
            continue;
        g_ptr_array_add(names, g_strdup(space + 1));
        g_hash_table_add(seen, g_ptr_array_index(names, names->len - 1));
    }
    if (!g_hash_table_contains(seen, "vfio-pci") && !g_hash_table_contains(seen, "vfio_pci"))
        g_ptr_array_add(names, g_strdup("vfio-pci"));
    g_ptr_array_add(names, NULL);
    topology->vfio_drivers = (char **)g_ptr_array_free(names, FALSE);
}

/* "vfio vfio/vfio c10:196": udev makes these nodes before the module is loaded. */
static bool has_static_node(const char *table, const char *node)
{
    g_autofree char *word = g_strdup_printf(" %s c", node);

    return strstr(table, word) != NULL;
}

/* The class device exists once the module is loaded.  A service may have an almost empty /dev of
 * its own, which says nothing about the kernel; the kernel's tables then do. */
static int device_node(const ViommuRoot *root, const char *node, const char *misc)
{
    g_autofree char *table = NULL;

    if (viommu_root_exists(root, "dev/%s", node) || viommu_root_exists(root, "sys/class/misc/%s", misc))
        return 1;
    if (viommu_root_exists(root, "dev/kmsg"))
        return 0;
    table = module_table(root, "modules.devname");
    return table ? has_static_node(table, node) : VIOMMU_UNSET;
}

/* "kernel/drivers/iommu/iommufd/iommufd.ko.xz: kernel/...": a module, and those that it needs. */
static bool lists_module(const char *table, const char *module)
{
    g_autofree char *file = g_strdup_printf("/%s.ko", module);

    for (const char *at = table; (at = strstr(at, file)); at++) {
        const char *before = at;

        while (*before != ' ' && *before != '\n')
            before--;
        if (*before == '\n')
            return true;
    }
    return false;
}

/* Whether a module is installed, but not loaded. */
static int is_loadable(const ViommuRoot *root, const char *module)
{
    g_autofree char *table = module_table(root, "modules.dep");

    return table ? lists_module(table, module) : VIOMMU_UNSET;
}

/* --- Parameters --- */

/* modprobe treats '-' and '_' as equal. */
static bool is_module(const char *word, const char *module)
{
    g_autofree char *name = g_strdelimit(g_strdup(word), "-", '_');

    return g_str_equal(name, module);
}

/* "options vfio_iommu_type1 allow_unsafe_interrupts=1": the last one counts. Owned. */
static char *option_in_file(const ViommuRoot *root, const char *path, const char *module,
                            const char *parameter)
{
    g_auto(GStrv) lines = viommu_root_lines(root, path, TABLE_MAX);
    g_autofree char *beginning = g_strdup_printf("%s=", parameter);
    char *value = NULL;

    for (char **line = lines; line && *line; line++) {
        g_auto(GStrv) words = g_strsplit_set(g_strstrip(*line), " \t", -1);
        guint n = g_strv_length(words);

        if (n < 3 || !g_str_equal(words[0], "options") || !is_module(words[1], module))
            continue;
        for (guint i = 2; i < n; i++) {
            /* A boolean parameter may be given without a value. */
            bool alone = g_str_equal(words[i], parameter);

            if (!alone && !g_str_has_prefix(words[i], beginning))
                continue;
            g_free(value);
            value = g_strdup(alone ? "1" : words[i] + strlen(beginning));
        }
    }
    return value;
}

static int compare_files(const void *a, const void *b)
{
    g_autofree char *one = g_path_get_basename(*(char *const *)a);
    g_autofree char *other = g_path_get_basename(*(char *const *)b);

    return strcmp(one, other);
}

/* modprobe's files in the order in which it reads them: by their names, whatever the directory; of
 * two with the same name, the one in the first directory (modprobe.d(5)).  Owned. */
static GPtrArray *list_files(const ViommuRoot *root)
{
    static const char *const directories[] = {"etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d",
                                              "usr/lib/modprobe.d", "lib/modprobe.d"};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);

    for (size_t i = 0; i < G_N_ELEMENTS(directories); i++) {
        g_auto(GStrv) names = viommu_root_list(root, "%s", directories[i]);

        for (size_t j = 0; names && names[j]; j++)
            if (g_str_has_suffix(names[j], ".conf") && g_hash_table_add(seen, g_strdup(names[j])))
                g_ptr_array_add(paths, g_build_filename(directories[i], names[j], NULL));
    }
    g_ptr_array_sort(paths, compare_files);
    return paths;
}

/* The value that modprobe will set when the module is loaded: the last one.  Owned; NULL: none. */
static char *option_for_later(const ViommuRoot *root, const char *module, const char *parameter)
{
    g_autoptr(GPtrArray) paths = list_files(root);
    char *value = NULL;

    for (guint i = 0; i < paths->len; i++) {
        char *found = option_in_file(root, g_ptr_array_index(paths, i), module, parameter);

        if (!found)
            continue;
        g_free(value);
        value = found;
    }
    return value;
}

/* The value that is set, or will be when the module is loaded.  Owned; NULL: the module's default,
 * or not known. */
static char *parameter_of(const ViommuRoot *root, const char *module, const char *parameter)
{
    char *value = viommu_root_text(root, "sys/module/%s/parameters/%s", module, parameter);

    return value ? value : option_for_later(root, module, parameter);
}

/* Reads a boolean parameter like the kernel. */
static int flag_of(const ViommuRoot *root, const char *module, const char *parameter)
{
    g_autofree char *value = parameter_of(root, module, parameter);

    if (!value || !*value)
        return VIOMMU_UNSET;
    if (strchr("yYtT1", value[0]) || g_ascii_strcasecmp(value, "on") == 0)
        return 1;
    return strchr("nNfF0", value[0]) || g_ascii_strcasecmp(value, "off") == 0 ? 0 : VIOMMU_UNSET;
}

#define GUEST_RULES     "etc/apparmor.d/local/abstractions/libvirt-qemu"
#define GUEST_RULES_MAX (1u << 20)

#define VSOCK "/dev/vhost-vsock"

/* A rule is a path, in quotes or not, and its rights: "/dev/vhost-vsock rw,".  VIOMMU_UNSET: it
 * says nothing of the device.  One that denies it stands before all others. */
static int judge_rule(const char *rule)
{
    g_auto(GStrv) words = g_strsplit_set(rule, " \t\",", -1);
    const char *path = NULL, *rights = NULL;

    for (char **word = words; *word; word++)
        if (**word && path && !rights)
            rights = *word;
        else if (**word && !path)
            path = *word;
    if (rights && g_str_equal(path, VSOCK))
        return strchr(rights, 'r') && strchr(rights, 'w') ? 1 : VIOMMU_UNSET;
    return path && *path != '#' && g_strv_contains((const char *const *)words, "deny") &&
                   g_strv_contains((const char *const *)words, VSOCK)
               ? 0
               : VIOMMU_UNSET;
}

/* What the administrator adds to libvirt's rules for all guests. */
static int vsock_rule(const ViommuRoot *root)
{
    g_auto(GStrv) lines = viommu_root_lines(root, GUEST_RULES, GUEST_RULES_MAX);
    int allowed = lines ? 0 : VIOMMU_UNSET;

    for (char **line = lines; line && *line; line++) {
        int said = judge_rule(*line);

        if (said == 0)
            return 0;
        allowed = said == 1 ? 1 : allowed;
    }
    return allowed;
}

void viommu_topology_read_modules(const ViommuRoot *root, ViommuTopology *topology)
{
    g_autofree char *limit = parameter_of(root, "vfio_iommu_type1", "dma_entry_limit");
    guint64 number;

    read_vfio_drivers(root, topology);
    topology->vfio = device_node(root, "vfio/vfio", "vfio");
    topology->iommufd = device_node(root, "iommu", "iommu");
    topology->iommufd_usable = viommu_root_usable(root, "dev/iommu");
    if (topology->iommufd != 1)
        topology->iommufd_loadable = is_loadable(root, "iommufd");
    topology->vhost_vsock = device_node(root, "vhost-vsock", "vhost-vsock");
    topology->vhost_vsock_usable = viommu_root_usable(root, "dev/vhost-vsock");
    topology->vhost_vsock_rule = vsock_rule(root);
    topology->unsafe_interrupts = flag_of(root, "vfio_iommu_type1", "allow_unsafe_interrupts");
    topology->iommufd_unsafe_interrupts = flag_of(root, "iommufd", "allow_unsafe_interrupts");
    if (limit && g_ascii_string_to_unsigned(limit, 10, 0, UINT32_MAX, &number, NULL))
        topology->dma_entry_limit = number;
}
