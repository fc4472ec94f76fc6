/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-modules: the kernel's support for assigning devices: VFIO, iommufd and their modules,
 * loaded or not, and their parameters. */
#include <string.h>

#include "lib/host/topology-internal.h"

/* modules.alias and modules.dep of a distribution's kernel have several megabytes. */
#define TABLE_MAX (16 * 1024 * 1024)

/* Lines of a file below the directory of this kernel's modules; NULL: not visible.  Owned. */
static char **module_table(const ViommuRoot *root, const char *name)
{
    g_autofree char *release = viommu_root_release(root);
    g_autofree char *path = g_strdup_printf("lib/modules/%s/%s", release ? release : "", name);

    return release ? viommu_root_lines(root, path, TABLE_MAX) : NULL;
}

/* "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci" */
static void read_vfio_drivers(const ViommuRoot *root, ViommuTopology *topology)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *names;
    g_auto(GStrv) lines = module_table(root, "modules.alias");

    if (!lines)
        return;
    names = g_ptr_array_new();
    for (char **line = lines; *line && names->len < 64; line++) {
        const char *name = g_str_has_prefix(*line, "alias vfio_pci:") ? strrchr(*line, ' ') + 1 : NULL;

        if (name && viommu_fields_is_text(name) && !g_hash_table_contains(seen, name)) {
            g_ptr_array_add(names, g_strdup(name));
            g_hash_table_add(seen, g_ptr_array_index(names, names->len - 1));
        }
    }
    if (!g_hash_table_contains(seen, "vfio-pci") && !g_hash_table_contains(seen, "vfio_pci"))
        g_ptr_array_add(names, g_strdup("vfio-pci"));
    g_ptr_array_add(names, NULL);
    topology->vfio_drivers = (char **)g_ptr_array_free(names, FALSE);
}

/* A service may have an almost empty /dev of its own, which says nothing about the kernel.  The
 * node exists before the module is loaded, the class device only afterwards. */
static int device_node(const ViommuRoot *root, const char *node, const char *misc)
{
    if (viommu_root_exists(root, "dev/%s", node) || viommu_root_exists(root, "sys/class/misc/%s", misc))
        return 1;
    return viommu_root_exists(root, "dev/kmsg") ? 0 : VIOMMU_UNSET;
}

/* "kernel/drivers/iommu/iommufd/iommufd.ko.xz: kernel/..." */
static bool lists_module(char **lines, const char *module)
{
    g_autofree char *file = g_strdup_printf("%s.ko", module);

    for (char **line = lines; line && *line; line++) {
        g_auto(GStrv) words = g_strsplit_set(*line, ": ", 2);
        g_autofree char *name = words[0] ? g_path_get_basename(words[0]) : NULL;

        if (name && g_str_has_prefix(name, file))
            return true;
    }
    return false;
}

/* Whether a module is installed, but not loaded. */
static int is_loadable(const ViommuRoot *root, const char *module)
{
    g_auto(GStrv) lines = module_table(root, "modules.dep");

    return lines ? lists_module(lines, module) : VIOMMU_UNSET;
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

/* The value that modprobe will set when the module is loaded.  Owned; NULL: none. */
static char *option_for_later(const ViommuRoot *root, const char *module, const char *parameter)
{
    static const char *const directories[] = {"etc/modprobe.d", "run/modprobe.d", "lib/modprobe.d"};
    char *value = NULL;

    for (size_t i = 0; !value && i < G_N_ELEMENTS(directories); i++) {
        g_auto(GStrv) names = viommu_root_list(root, "%s", directories[i]);

        for (size_t j = 0; !value && names && names[j]; j++) {
            g_autofree char *path = g_build_filename(directories[i], names[j], NULL);

            if (g_str_has_suffix(names[j], ".conf"))
                value = option_in_file(root, path, module, parameter);
        }
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
    topology->unsafe_interrupts = flag_of(root, "vfio_iommu_type1", "allow_unsafe_interrupts");
    topology->iommufd_unsafe_interrupts = flag_of(root, "iommufd", "allow_unsafe_interrupts");
    if (limit && g_ascii_string_to_unsigned(limit, 10, 0, UINT32_MAX, &number, NULL))
        topology->dma_entry_limit = number;
}
