/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: passes boot.kernel, boot.initrd, seed.user-data and the disks' paths to a function that
 * returns the new value. */
#include "tools/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>
#include "lib/base/error.h"

/* The system bus allows this many per message; further files are sent as paths. */
#define FDS_MAX 16

/* The new value for @path; floating. NULL: an error. */
typedef GVariant *(*MapFunc)(const char *path, bool writable, void *data, GError **error);

typedef struct Map {
    MapFunc func;
    void *data;
    bool directories; /* also those of shares, which stay paths */
} Map;

static bool map_key(const Map *map, GVariantDict *dict, const char *key, bool writable, GError **error)
{
    g_autofree char *path = NULL;
    GVariant *mapped;

    if (!g_variant_dict_lookup(dict, key, "s", &path))
        return true;
    mapped = map->func(path, writable, map->data, error);
    if (mapped)
        g_variant_dict_insert_value(dict, key, mapped);
    else
        g_prefix_error(error, "%s ", key);
    return mapped;
}

/* Floating. */
static GVariant *map_boot(const Map *map, GVariant *boot, GError **error)
{
    GVariantDict dict;
    bool ok;

    g_variant_dict_init(&dict, boot);
    ok = map_key(map, &dict, "kernel", false, error) && map_key(map, &dict, "initrd", false, error);
    if (ok)
        return g_variant_dict_end(&dict);
    g_prefix_error(error, "boot.");
    g_variant_dict_clear(&dict);
    return NULL;
}

/* Floating. */
static GVariant *map_seed(const Map *map, GVariant *seed, GError **error)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, seed);
    if (map_key(map, &dict, "user-data", false, error))
        return g_variant_dict_end(&dict);
    g_prefix_error(error, "seed.");
    g_variant_dict_clear(&dict);
    return NULL;
}

/* The guest of an overlay does not write to the image. */
static GVariant *map_disk(const Map *map, GVariant *disk, GError **error)
{
    GVariantDict dict;
    gboolean read_only = FALSE, overlay = FALSE;
    bool ok;

    g_variant_dict_init(&dict, disk);
    g_variant_dict_lookup(&dict, "read-only", "b", &read_only);
    g_variant_dict_lookup(&dict, "overlay", "b", &overlay);
    ok = map_key(map, &dict, "path", !read_only && !overlay, error);
    if (ok)
        return g_variant_dict_end(&dict);
    g_variant_dict_clear(&dict);
    return NULL;
}

static GVariant *map_share(const Map *map, GVariant *share, GError **error)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, share);
    if (!map->directories || map_key(map, &dict, "path", false, error))
        return g_variant_dict_end(&dict);
    g_variant_dict_clear(&dict);
    return NULL;
}

/* A list of dictionaries; @name is that of the list, for errors. */
static GVariant *map_list(const Map *map, GVariant *list, const char *name,
                          GVariant *(*each)(const Map *map, GVariant *entry, GError **error), GError **error)
{
    g_auto(GVariantBuilder) result = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));

    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
        g_autoptr(GVariant) entry = g_variant_get_variant(boxed);
        GVariant *mapped = g_variant_is_of_type(entry, G_VARIANT_TYPE_VARDICT) ? each(map, entry, error)
                                                                               : g_variant_ref(entry);

        if (!mapped) {
            g_prefix_error(error, "%s[%" G_GSIZE_FORMAT "].", name, i);
            return NULL;
        }
        g_variant_builder_add(&result, "v", mapped);
        if (mapped == entry)
            g_variant_unref(mapped);
    }
    return g_variant_builder_end(&result);
}

static GVariant *map_disks(const Map *map, GVariant *disks, GError **error)
{
    return map_list(map, disks, "disks", map_disk, error);
}

static GVariant *map_shares(const Map *map, GVariant *shares, GError **error)
{
    return map_list(map, shares, "shares", map_share, error);
}

/* The tree is that of a JSON file: dictionaries are a{sv}, lists are av. */
static GVariant *map_request(GVariant *request, const Map *map, GError **error)
{
    static const struct {
        const char *key, *type;
        GVariant *(*map)(const Map *map, GVariant *value, GError **error);
    } parts[] = {{"boot", "a{sv}", map_boot},
                 {"disks", "av", map_disks},
                 {"seed", "a{sv}", map_seed},
                 {"shares", "av", map_shares}};
    GVariantDict dict;

    g_variant_dict_init(&dict, request);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autoptr(GVariant) value =
            g_variant_dict_lookup_value(&dict, parts[i].key, G_VARIANT_TYPE(parts[i].type));
        GVariant *mapped = value ? parts[i].map(map, value, error) : NULL;

        if (value && !mapped) {
            g_variant_dict_clear(&dict);
            return NULL;
        }
        if (mapped)
            g_variant_dict_insert_value(&dict, parts[i].key, mapped);
    }
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static GVariant *make_absolute(const char *path, bool writable, void *data, GError **error)
{
    g_autofree char *here = *path && !g_path_is_absolute(path) ? g_get_current_dir() : NULL;

    return here ? g_variant_new_take_string(g_build_filename(here, path, NULL)) : g_variant_new_string(path);
}

GVariant *viommu_ctl_files_absolute(GVariant *request)
{
    return map_request(request, &(Map){make_absolute, NULL, true}, NULL);
}

static GVariant *open_file(const char *path, bool writable, void *data, GError **error)
{
    GArray *fds = data;
    int fd;

    if (fds->len == FDS_MAX)
        return g_variant_new_string(path);
    fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' cannot be opened%s: %s", path,
                    writable ? " for reading and writing" : "", g_strerror(errno));
        return NULL;
    }
    g_array_append_val(fds, fd);
    return g_variant_new_handle(fd);
}

static void close_fd(void *fd)
{
    close(*(int *)fd);
}

GVariant *viommu_ctl_files_open(GVariant *request, GArray **ret_fds, GError **error)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
    GVariant *opened;

    g_array_set_clear_func(fds, close_fd);
    opened = map_request(request, &(Map){open_file, fds, false}, error);
    if (opened)
        *ret_fds = g_steal_pointer(&fds);
    return opened;
}
