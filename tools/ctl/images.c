/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl images: lists the site's images, and what a request for each would get on this host. */
#include "lib/facts/guest-os.h"
#include "lib/plan/plan.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/image-files.h"
#include "tools/ctl/local-host.h"

static const char *const titles[] = {"IMAGE", "OS", "ARCH", "IOMMU", "FILE", NULL};
#define IOMMU_COLUMN 3

/* What a request for an image gets. */
typedef struct Offer {
    const char *model; /* NULL: not known, or refused.  Static */
    char *refusal;     /* NULL: none */
} Offer;

static ViommuRequest *request_for(const ViommuImageFile *file, GError **error)
{
    g_autoptr(GVariant) tree = g_variant_ref_sink(
        g_variant_new_parsed("{'image': <%s>, 'iommu': <{'is-supported': <true>}>}", file->name));
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, error);

    return request && viommu_site_image_merge(file->image, file->directory, request, error)
               ? g_steal_pointer(&request)
               : NULL;
}

/* @host NULL: it is not known. */
static Offer offer_of(const ViommuImageFile *file, const ViommuConfig *config, const ViommuHost *host)
{
    g_autoptr(GError) error = file->error ? g_error_copy(file->error) : NULL;
    g_autoptr(ViommuRequest) request = error ? NULL : request_for(file, &error);
    ViommuPlanInput input = {.request = request, .host = host, .policy = &config->policy};
    g_autoptr(ViommuPlan) plan = NULL;
    Offer offer = {NULL, NULL};

    if (request && host && viommu_plan_build(&input, &plan, NULL, &error))
        offer.model =
            plan->iommu.model == VIOMMU_MODEL_NONE ? "none" : viommu_model_to_string(plan->iommu.model);
    if (error)
        offer.refusal = g_strdup(error->message);
    return offer;
}

static void add_row(ViommuTable *table, const ViommuImageFile *file, const Offer *offer)
{
    const ViommuSiteImage *image = file->image;
    const char *cells[] = {file->name, image ? image->os : NULL,
                           image ? viommu_enum_to_string(&viommu_enum_arch, image->arch) : NULL,
                           offer->refusal ? "refused" : offer->model, image ? image->file : NULL};

    viommu_table_add(table, cells, IOMMU_COLUMN, offer->refusal ? VIOMMU_STYLE_BAD : VIOMMU_STYLE_GOOD);
}

static void print_table(const ViommuOutput *output, const GPtrArray *files, const Offer *offers)
{
    g_autoptr(ViommuTable) table = viommu_table_new(titles, 0);

    for (guint i = 0; i < files->len; i++)
        add_row(table, g_ptr_array_index(files, i), &offers[i]);
    viommu_table_print(table, output);
    for (guint i = 0; i < files->len; i++)
        if (offers[i].refusal)
            viommu_output_format(output, "\n%s: %s\n", ((const ViommuImageFile *)files->pdata[i])->name,
                                 offers[i].refusal);
}

static void print_json(const GPtrArray *files, const Offer *offers)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < files->len; i++) {
        const ViommuImageFile *file = g_ptr_array_index(files, i);
        GVariantDict row;

        g_variant_dict_init(&row, NULL);
        g_variant_dict_insert(&row, "name", "s", file->name);
        g_variant_dict_insert(&row, "directory", "s", file->directory);
        if (file->image)
            g_variant_dict_insert_value(&row, "image", viommu_site_image_to_variant(file->image));
        g_variant_dict_insert(&row, "model", "ms", offers[i].model);
        g_variant_dict_insert(&row, "refusal", "ms", offers[i].refusal);
        g_variant_builder_add_value(&list, g_variant_dict_end(&row));
    }
    viommu_output_json(g_variant_builder_end(&list));
}

bool viommu_ctl_images(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuConfig) config = viommu_local_config(ctl, error);
    g_autoptr(GPtrArray) files =
        config ? viommu_image_files_list(config->image_directories, viommu_local_is_user(ctl)) : NULL;
    g_autofree Offer *offers = files ? g_new0(Offer, files->len + 1) : NULL;
    g_autoptr(GError) local = NULL;
    g_autoptr(ViommuHost) host = NULL;

    if (!config)
        return false;
    host = viommu_local_host_known(ctl, &local);
    /* The images are there even so. */
    if (!host)
        viommu_output_warning(&ctl->output, local->message);
    for (guint i = 0; i < files->len; i++)
        offers[i] = offer_of(g_ptr_array_index(files, i), config, host);
    if (ctl->output.json)
        print_json(files, offers);
    else
        print_table(&ctl->output, files, offers);
    for (guint i = 0; i < files->len; i++)
        g_free(offers[i].refusal);
    return true;
}
