/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: the table of keys, their parsers, and the order of files.  Does not know what the values are for. */
#include "daemon/config.h"

#include <string.h>
#include "lib/error.h"
#include "lib/names.h"
#include "lib/nearest.h"
#include "lib/quantity.h"

#define CONFIG_FILE "viommud.conf"

typedef struct Key Key;
typedef bool (*Parser)(const Key *key, const char *text, void *target, GError **error);

struct Key {
    ViommuConfigKey name;
    Parser parse;
    size_t offset;
    const ViommuEnum *words; /* parse_word */
    uint64_t min, max;       /* parse_size, parse_number */
};

static bool parse_word(const Key *key, const char *text, void *target, GError **error);
static bool parse_size(const Key *key, const char *text, void *target, GError **error);
static bool parse_number(const Key *key, const char *text, void *target, GError **error);
static bool parse_count(const Key *key, const char *text, void *target, GError **error);
static bool parse_path(const Key *key, const char *text, void *target, GError **error);

static const Key keys[] = {
    {{"iommu", "order"}, parse_word, offsetof(ViommuConfig, policy.order), .words = &viommu_enum_order},
    {{"machine", "accelerator"},
     parse_word,
     offsetof(ViommuConfig, policy.accelerator),
     .words = &viommu_enum_accelerator},
    {{"machine", "memory"},
     parse_size,
     offsetof(ViommuConfig, policy.default_memory_bytes),
     .min = VIOMMU_MIB,
     .max = (uint64_t)1 << 62},
    {{"machine", "vcpus"}, parse_count, offsetof(ViommuConfig, policy.default_vcpus), .min = 1, .max = 65535},
    {{"machine", "console-directory"}, parse_path, offsetof(ViommuConfig, console_directory)},
    {{"daemon", "workers"}, parse_number, offsetof(ViommuConfig, workers), .min = 1, .max = 64},
    {{"daemon", "max-machines"},
     parse_number,
     offsetof(ViommuConfig, max_machines),
     .min = 1,
     .max = 1000000},
    {{"daemon", "max-launches"},
     parse_number,
     offsetof(ViommuConfig, max_launches),
     .min = 1,
     .max = 1000000},
};

/* parse_word writes enums of the policy as int. */
G_STATIC_ASSERT(sizeof(ViommuOrder) == sizeof(int) && sizeof(ViommuAccelerator) == sizeof(int));

static bool parse_word(const Key *key, const char *text, void *target, GError **error)
{
    int value = viommu_enum_from_string(key->words, text);

    if (value == VIOMMU_UNSET) {
        g_autofree char *list = viommu_enum_list(key->words);
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is none of %s", text, list);
        return false;
    }
    *(int *)target = value;
    return true;
}

static bool parse_size(const Key *key, const char *text, void *target, GError **error)
{
    uint64_t bytes;

    if (!viommu_quantity_parse(text, &bytes, error))
        return false;
    if (bytes < key->min || bytes > key->max) {
        g_autofree char *min = viommu_quantity_format(key->min), *max = viommu_quantity_format(key->max);
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not between %s and %s", text,
                    min, max);
        return false;
    }
    *(uint64_t *)target = bytes;
    return true;
}

static bool parse_number(const Key *key, const char *text, void *target, GError **error)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, key->min, key->max, &number, NULL)) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST,
                    "'%s' is not a number between %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT, text,
                    key->min, key->max);
        return false;
    }
    *(uint64_t *)target = number;
    return true;
}

static bool parse_count(const Key *key, const char *text, void *target, GError **error)
{
    uint64_t number;

    if (!parse_number(key, text, &number, error))
        return false;
    *(unsigned *)target = (unsigned)number;
    return true;
}

/* Empty takes back what an earlier file said. */
static bool parse_path(const Key *key, const char *text, void *target, GError **error)
{
    char **path = target;

    if (*text && !g_path_is_absolute(text)) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not an absolute path", text);
        return false;
    }
    g_free(*path);
    *path = *text ? g_strdup(text) : NULL;
    return true;
}

static const Key *find_key(const char *group, const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i].name.group, group) && g_str_equal(keys[i].name.key, name))
            return &keys[i];
    return NULL;
}

const ViommuConfigKey *viommu_config_key(unsigned i)
{
    return i < G_N_ELEMENTS(keys) ? &keys[i].name : NULL;
}

/* The nearest key may stand in another group: "[daemon] order". */
static void warn_unknown(ViommuConfig *config, const char *path, const char *group, const char *name)
{
    const char *names[G_N_ELEMENTS(keys)];
    GString *text = g_string_new(NULL);

    g_string_printf(text, "%s: [%s] %s: unknown key, ignored", path, group, name);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        names[i] = keys[i].name.key;
    const char *near = viommu_nearest(name, names, G_N_ELEMENTS(names));
    for (size_t i = 0; near && i < G_N_ELEMENTS(keys); i++)
        if (keys[i].name.key == near)
            g_string_append_printf(text, "; there is [%s] %s", keys[i].name.group, near);
    g_ptr_array_add(config->warnings, g_string_free(text, FALSE));
}

static bool read_group(ViommuConfig *config, GKeyFile *file, const char *path, const char *group,
                       GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);

    for (size_t i = 0; names && names[i]; i++) {
        const Key *key = find_key(group, names[i]);
        if (!key) {
            warn_unknown(config, path, group, names[i]);
            continue;
        }
        g_autofree char *text = g_key_file_get_value(file, group, names[i], NULL);
        if (!key->parse(key, g_strstrip(text), (char *)config + key->offset, error)) {
            g_prefix_error(error, "%s: [%s] %s: ", path, group, names[i]);
            return false;
        }
    }
    return true;
}

static bool read_file(ViommuConfig *config, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) cause = NULL;

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &cause)) {
        bool missing = g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        g_set_error(error, VIOMMU_ERROR, missing ? VIOMMU_ERROR_NOT_FOUND : VIOMMU_ERROR_INVALID_REQUEST,
                    "%s: %s", path, cause->message);
        return false;
    }
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (size_t i = 0; groups[i]; i++)
        if (!read_group(config, file, path, groups[i], error))
            return false;
    return true;
}

bool viommu_config_load_file(ViommuConfig *config, const char *path, GError **error)
{
    if (!read_file(config, path, error))
        return false;
    config->policy.console_directory = config->console_directory;
    return true;
}

static bool load_if_there(ViommuConfig *config, const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (viommu_config_load_file(config, path, &cause) ||
        g_error_matches(cause, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool load_drop_ins(ViommuConfig *config, const char *directory, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".conf"))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    for (unsigned i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(directory, names->pdata[i], NULL);
        if (!load_if_there(config, path, error))
            return false;
    }
    return true;
}

static bool load_all(ViommuConfig *config, bool user, GError **error)
{
    g_autofree char *users = g_build_filename(g_get_user_config_dir(), "viommud", CONFIG_FILE, NULL);

    return load_if_there(config, VIOMMU_VENDOR_DIR "/" CONFIG_FILE, error) &&
           load_if_there(config, VIOMMU_SITE_DIR "/" CONFIG_FILE, error) &&
           load_drop_ins(config, VIOMMU_SITE_DIR "/" CONFIG_FILE ".d", error) &&
           (!user || load_if_there(config, users, error));
}

ViommuConfig *viommu_config_new(void)
{
    ViommuConfig *config = g_new0(ViommuConfig, 1);

    viommu_policy_init(&config->policy);
    config->workers = 4;
    config->max_machines = 1024;
    config->max_launches = 64;
    config->warnings = g_ptr_array_new_with_free_func(g_free);
    return config;
}

void viommu_config_free(ViommuConfig *config)
{
    if (!config)
        return;
    g_free(config->console_directory);
    g_ptr_array_unref(config->warnings);
    g_free(config);
}

bool viommu_config_load(bool user, ViommuConfig **ret_config, GError **error)
{
    g_autoptr(ViommuConfig) config = viommu_config_new();
    const char *only = g_getenv(VIOMMU_ENV_CONFIG);
    bool ok = only && *only ? viommu_config_load_file(config, only, error) : load_all(config, user, error);

    if (ok)
        *ret_config = g_steal_pointer(&config);
    return ok;
}
