/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/node.h"

#include <unistd.h>

#include "daemon/process/host-size.h"
#include "lib/base/error.h"
#include "lib/fleet/inventory.h"
#include "tools/ctl/image-files.h"
#include "tools/ctl/local-host.h"

VIOMMU_ENUM_DEFINE(inventory, "format of an inventory", VIOMMU_CTL_INVENTORY_LAST, "shell", "placement",
                   "kubernetes", "nomad");

/* Of the images that are there, and whose digest the site says; the others are not told from their
 * namesakes. */
static GPtrArray *known_digests(const ViommuCtl *ctl, const ViommuConfig *config)
{
    GPtrArray *digests = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) files =
        viommu_image_files_list(config->image_directories, viommu_local_is_user(ctl));

    for (guint i = 0; i < files->len; i++) {
        const ViommuImageFile *file = g_ptr_array_index(files, i);
        g_autofree char *path =
            file->image ? g_build_filename(file->directory, file->image->file, NULL) : NULL;

        if (path && file->image->digest && access(path, F_OK) == 0)
            g_ptr_array_add(digests, g_strdup(file->image->digest));
    }
    return digests;
}

/* The processors and images of a recorded host are not known, nor are its site's limits. */
static ViommuFleetNode *make_node(const ViommuCtl *ctl, ViommuConfig *config, const ViommuSite *site,
                                  const ViommuHost *host)
{
    g_autoptr(GPtrArray) digests = ctl->host ? NULL : known_digests(ctl, config);
    ViommuBoundsHost size = {0};
    ViommuFleetNodeInput input = {.host = host, .policy = &config->policy, .site = site, .digests = digests};

    if (!ctl->host) {
        viommu_hostsize_measure("/", "/", true, &size);
        viommu_config_bound(config, &size);
        input.cpus = size.cpus;
        input.most_vcpus = config->bounds.limits.all[VIOMMU_RESOURCE_VCPUS];
        input.most_memory_bytes = config->bounds.limits.all[VIOMMU_RESOURCE_MEMORY];
    }
    return viommu_fleet_node_new(&input);
}

static void print_slurm(const ViommuOutput *output, const ViommuFleetNode *node)
{
    g_autofree char *words = viommu_fleet_node_words(node);

    if (output->json)
        viommu_output_json(viommu_fleet_node_to_variant(node));
    else
        viommu_output_format(output, "%s\n", words);
}

static void print_labels(const ViommuOutput *output, const ViommuFleetNode *node, const char *prefix)
{
    g_autoptr(GVariant) labels = g_variant_ref_sink(viommu_fleet_labels(node, prefix));
    GVariantIter iterator;
    const char *label, *value;

    if (output->json) {
        viommu_output_json(g_steal_pointer(&labels));
        return;
    }
    g_variant_iter_init(&iterator, labels);
    while (g_variant_iter_loop(&iterator, "{&s&s}", &label, &value))
        viommu_output_format(output, "%s=%s\n", label, value);
}

static void print_placement(const ViommuHost *host, const ViommuPolicy *policy, const ViommuFleetNode *node)
{
    viommu_output_json(viommu_fleet_placement(node, host, policy));
}

static int format_of(const ViommuCtl *ctl)
{
    return ctl->format ? viommu_enum_from_string(&viommu_enum_inventory, ctl->format)
                       : VIOMMU_CTL_INVENTORY_SHELL;
}

bool viommu_ctl_counts(const ViommuCtl *ctl)
{
    return format_of(ctl) != VIOMMU_CTL_INVENTORY_SHELL;
}

bool viommu_ctl_print_node(const ViommuCtl *ctl, ViommuConfig *config, const ViommuSite *site,
                           const ViommuHost *host, GError **error)
{
    g_autoptr(ViommuFleetNode) node = NULL;

    if (!host->libvirt)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "a scheduler must know what libvirt can do: omit --root, or add --connect or --host");
    node = make_node(ctl, config, site, host);
    switch ((ViommuCtlInventory)format_of(ctl)) {
    case VIOMMU_CTL_INVENTORY_PLACEMENT:
        print_placement(host, &config->policy, node);
        break;
    case VIOMMU_CTL_INVENTORY_KUBERNETES:
        print_labels(&ctl->output, node, VIOMMU_FLEET_KUBERNETES_PREFIX);
        break;
    case VIOMMU_CTL_INVENTORY_NOMAD:
        print_labels(&ctl->output, node, VIOMMU_FLEET_NOMAD_PREFIX);
        break;
    case VIOMMU_CTL_INVENTORY_SHELL:
    case VIOMMU_CTL_INVENTORY_LAST:
        print_slurm(&ctl->output, node);
    }
    return true;
}
