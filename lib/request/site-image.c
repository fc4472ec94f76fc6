/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site-image: a table of the keys, and a function for each default of a request. */
#include "lib/request/site-image.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/fields.h"
#include "lib/request/request-check.h"
#include "lib/request/seed-check.h"

#define GROUP "image"

static const ViommuField image_fields[] = {
    {"file", VIOMMU_FIELD_STRING, offsetof(ViommuSiteImage, file), .required = true},
    {"format", VIOMMU_FIELD_ENUM, offsetof(ViommuSiteImage, format), .words = &viommu_enum_disk_format,
     .required = true},
    {"os", VIOMMU_FIELD_STRING, offsetof(ViommuSiteImage, os)},
    {"arch", VIOMMU_FIELD_ENUM, offsetof(ViommuSiteImage, arch), .words = &viommu_enum_arch},
    {"firmware", VIOMMU_FIELD_ENUM, offsetof(ViommuSiteImage, firmware), .words = &viommu_enum_firmware},
    {"user", VIOMMU_FIELD_STRING, offsetof(ViommuSiteImage, user)},
    {"agent", VIOMMU_FIELD_FLAG, offsetof(ViommuSiteImage, agent)},
    {"seed", VIOMMU_FIELD_ENUM, offsetof(ViommuSiteImage, seed), .words = &viommu_enum_seed_by},
    {"digest", VIOMMU_FIELD_STRING, offsetof(ViommuSiteImage, digest)},
};
static const ViommuFields image_table = {image_fields, G_N_ELEMENTS(image_fields), sizeof(ViommuSiteImage),
                                         -1};

char *viommu_site_image_file_name(const char *name)
{
    return g_strconcat(name, VIOMMU_SITE_IMAGE_SUFFIX, NULL);
}

void viommu_site_image_free(ViommuSiteImage *image)
{
    if (!image)
        return;
    viommu_fields_clear(&image_table, image);
    g_free(image);
}

GVariant *viommu_site_image_to_variant(const ViommuSiteImage *image)
{
    return viommu_fields_write(&image_table, image);
}

static bool check(const ViommuSiteImage *image, GError **error)
{
    if (strchr(image->file, '/') || g_str_equal(image->file, ".") || g_str_equal(image->file, ".."))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "file '%s' is not the name of a file in the same directory; write the name alone, without '/'",
            image->file);
    if (image->user && !viommu_seed_user_is_valid(image->user))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "user '%.64s' is not a valid name of a user",
                           image->user);
    if (image->digest && !viommu_request_digest_is_valid(image->digest))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "digest '%.80s' is not valid; write 'sha256:' and the 64 hexadecimal digits that sha256sum prints, in lower case",
            image->digest);
    return true;
}

ViommuSiteImage *viommu_site_image_from_variant(GVariant *tree, GError **error)
{
    g_autoptr(ViommuSiteImage) image = g_new0(ViommuSiteImage, 1);

    viommu_fields_init(&image_table, image);
    if (!viommu_fields_read(&image_table, tree, "", image, error) || !check(image, error))
        return NULL;
    return g_steal_pointer(&image);
}

/* --- The text --- */

static bool is_flag(const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(image_fields); i++)
        if (image_fields[i].kind == VIOMMU_FIELD_FLAG && g_str_equal(image_fields[i].key, key))
            return true;
    return false;
}

/* Floating; NULL: an error. */
static GVariant *read_value(const char *key, const char *text, GError **error)
{
    if (!is_flag(key))
        return g_variant_new_string(text);
    if (g_str_equal(text, "yes") || g_str_equal(text, "no"))
        return g_variant_new_boolean(g_str_equal(text, "yes"));
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s '%.64s' is not known; use yes or no", key, text);
    return NULL;
}

static bool check_groups(GKeyFile *file, GError **error)
{
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

    if (!groups[0])
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "there is no group [" GROUP "]");
    for (char **group = groups; *group; group++)
        if (!g_str_equal(*group, GROUP))
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "group [%.64s] is not known; the only group is [" GROUP "]", *group);
    return true;
}

/* Floating; NULL: an error. */
static GVariant *read_tree(GKeyFile *file, char **keys, GError **error)
{
    g_auto(GVariantBuilder) tree = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    for (char **key = keys; *key; key++) {
        g_autofree char *text = g_key_file_get_string(file, GROUP, *key, error);
        GVariant *value;

        if (!text)
            return NULL;
        value = read_value(*key, text, error);
        if (!value)
            return NULL;
        g_variant_builder_add(&tree, "{sv}", *key, value);
    }
    return g_variant_builder_end(&tree);
}

/* Also what GKeyFile says is a fault of the file. */
static bool load(GKeyFile *file, const char *text, size_t size, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (size > VIOMMU_SITE_IMAGE_TEXT_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it has more than %u bytes",
                           VIOMMU_SITE_IMAGE_TEXT_MAX);
    if (memchr(text, 0, size) || !g_utf8_validate(text, (gssize)size, NULL))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not text in UTF-8");
    if (!g_key_file_load_from_data(file, text, size, G_KEY_FILE_KEEP_TRANSLATIONS, &local))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s", local->message);
    return check_groups(file, error);
}

ViommuSiteImage *viommu_site_image_parse(const char *text, size_t size, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GVariant) tree = NULL;
    g_autoptr(GError) local = NULL;
    g_auto(GStrv) keys = NULL;

    if (!load(file, text, size, error))
        return NULL;
    keys = g_key_file_get_keys(file, GROUP, NULL, NULL);
    tree = read_tree(file, keys, &local);
    if (tree) {
        g_variant_ref_sink(tree);
        return viommu_site_image_from_variant(tree, error);
    }
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s", local->message);
    return NULL;
}

char *viommu_site_image_print(const ViommuSiteImage *image)
{
    g_autoptr(GVariant) tree = g_variant_ref_sink(viommu_site_image_to_variant(image));
    g_autoptr(GKeyFile) file = g_key_file_new();
    GVariantIter iterator;
    GVariant *value;
    const char *key;

    g_variant_iter_init(&iterator, tree);
    while (g_variant_iter_next(&iterator, "{&sv}", &key, &value)) {
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
            g_key_file_set_string(file, GROUP, key, g_variant_get_boolean(value) ? "yes" : "no");
        else
            g_key_file_set_string(file, GROUP, key, g_variant_get_string(value, NULL));
        g_variant_unref(value);
    }
    return g_key_file_to_data(file, NULL, NULL);
}

/* --- The request --- */

static ViommuRequestDisk *first_disk(ViommuRequest *request)
{
    if (!request->disks)
        request->disks = g_ptr_array_new();
    if (request->disks->len == 0)
        g_ptr_array_add(request->disks, viommu_request_disk_new());
    return g_ptr_array_index(request->disks, 0);
}

static bool merge_disk(const ViommuSiteImage *image, const char *directory, ViommuRequest *request,
                       GError **error)
{
    ViommuRequestDisk *disk = first_disk(request);

    if (image->digest && disk->digest && !g_str_equal(image->digest, disk->digest))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "disks[0].digest contradicts image '%s', whose digest is %s; omit it, or use another image",
            request->image, image->digest);
    disk->file.path = g_build_filename(directory, image->file, NULL);
    disk->format = image->format;
    disk->overlay = 1;
    if (!disk->digest)
        disk->digest = g_strdup(image->digest);
    return true;
}

static bool merge_arch(const ViommuSiteImage *image, ViommuRequest *request, GError **error)
{
    const char *arch = viommu_enum_to_string(&viommu_enum_arch, image->arch);

    if (arch && request->arch && !g_str_equal(arch, request->arch))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "arch '%s' contradicts image '%s', which is for %s; omit one of the two",
                           request->arch, request->image, arch);
    if (!request->arch)
        request->arch = g_strdup(arch);
    return true;
}

/* An agent that the request does not ask for gets its channel where the site allows that. */
static void merge_guest(const ViommuSiteImage *image, ViommuRequest *request)
{
    if (!request->guest.os)
        request->guest.os = g_strdup(image->os);
    if (request->boot.firmware == VIOMMU_UNSET)
        request->boot.firmware = image->firmware;
    if (request->guest.agent != VIOMMU_UNSET || image->agent == VIOMMU_UNSET)
        return;
    if (image->agent == 1)
        request->guest.agent_offered = true;
    else
        request->guest.agent = 0;
}

static void merge_seed(const ViommuSiteImage *image, ViommuRequest *request)
{
    ViommuRequestSeed *seed = &request->seed;

    if (!seed->present)
        return;
    if (seed->by == VIOMMU_UNSET)
        seed->by = image->seed;
    if (!seed->user && seed->ssh_keys && seed->by != VIOMMU_SEED_BY_CREDENTIALS)
        seed->user = g_strdup(image->user);
}

bool viommu_site_image_merge(const ViommuSiteImage *image, const char *directory, ViommuRequest *request,
                             GError **error)
{
    request->text = viommu_request_text(request);
    request->image_is_known = true;
    if (!merge_disk(image, directory, request, error) || !merge_arch(image, request, error))
        return false;
    merge_guest(image, request);
    merge_seed(image, request);
    if (viommu_request_check(request, error))
        return true;
    g_prefix_error(error, "with the defaults of image '%s': ", request->image);
    return false;
}
