/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: the defaults, and the files that change them, in their order.  Does not know how values
 * are used. */
#include "daemon/process/config-internal.h"

#include <string.h>
#include "lib/base/did-you-mean.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/base/quantity.h"

#define CONFIG_FILE       "viommud.conf"
#define IMAGE_DIRECTORIES "/var/lib/libvirt/images;/var/lib/viommu/images"

typedef ViommuConfigRow Key;

static const Key *find_key(const char *group, const char *name)
{
    const Key *key;

    for (unsigned i = 0; (key = viommu_config_row(i)); i++)
        if (g_str_equal(key->name.group, group) &&
            (g_str_equal(key->name.key, name) || g_strcmp0(key->old_name, name) == 0))
            return key;
    return NULL;
}

/* The nearest key may stand in another group: "[daemon] order". */
static void warn_unknown(ViommuConfig *config, const char *place, const char *group, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    GString *text = g_string_new(NULL);
    const ViommuConfigKey *key;
    const char *near;

    g_string_printf(text, "%s: [%s] %s: unknown key, ignored", place, group, name);
    for (unsigned i = 0; (key = viommu_config_key(i)); i++)
        g_ptr_array_add(names, (void *)key->key);
    near = viommu_nearest(name, (const char *const *)names->pdata, names->len);
    for (unsigned i = 0; near && (key = viommu_config_key(i)); i++)
        if (key->key == near)
            g_string_append_printf(text, "; did you mean [%s] %s?", key->group, near);
    g_ptr_array_add(config->warnings, g_string_free(text, FALSE));
}

/* A key file that is being read: GKeyFile has the values, the text has the line numbers. */
typedef struct Source {
    const char *path;
    GKeyFile *file;
    char **lines;
} Source;

/* Whether @line is "NAME = ..." */
static bool assigns(const char *line, const char *name)
{
    size_t length = strlen(name);

    return g_str_has_prefix(line, name) && *(line + length + strspn(line + length, " \t")) == '=';
}

/* The line that counts for GKeyFile: the last one of this name in a group of that name. */
static unsigned find_line(const Source *source, const char *group, const char *name)
{
    g_autofree char *head = g_strdup_printf("[%s]", group);
    bool inside = false;
    unsigned found = 0;

    for (unsigned i = 0; source->lines[i]; i++) {
        const char *line = source->lines[i] + strspn(source->lines[i], " \t");
        if (*line == '[')
            inside = g_str_has_prefix(line, head);
        else if (inside && assigns(line, name))
            found = i + 1;
    }
    return found;
}

/* Warns of an old name.  Returns whether to read the key: not if its file sets the new name too. */
static bool warn_renamed(ViommuConfig *config, const Source *source, const char *place, const Key *key)
{
    const ViommuConfigKey *name = &key->name;
    bool both = g_key_file_has_key(source->file, name->group, name->key, NULL);

    g_ptr_array_add(
        config->warnings,
        g_strdup_printf(both ? "%s: [%s] %s: ignored, because this file also sets '%s'; remove the old key"
                             : "%s: [%s] %s: this key is now called '%s'; rename it",
                        place, name->group, key->old_name, name->key));
    return !both;
}

static bool read_key(ViommuConfig *config, const Source *source, const char *group, const char *name,
                     GError **error)
{
    g_autofree char *place = g_strdup_printf("%s:%u", source->path, find_line(source, group, name));
    g_autofree char *text = g_key_file_get_value(source->file, group, name, NULL);
    g_autoptr(GError) local = NULL;
    bool section = viommu_config_is_section(group);
    void *target = NULL;
    const Key *key =
        section ? viommu_config_section_row(config, group, name, &target, &local) : find_key(group, name);

    if (key && g_strcmp0(key->old_name, name) == 0 && !warn_renamed(config, source, place, key))
        return true;
    if (key && !section)
        target = (char *)config + key->offset;
    if (!key && !local) {
        warn_unknown(config, place, group, name);
        return true;
    }
    if (!key || !key->kind->parse(key, g_strstrip(text), target, &local)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&local), "%s: [%s] %s: ", place, group, name);
        return false;
    }
    g_hash_table_insert(config->places, target, g_steal_pointer(&place));
    return true;
}

static bool read_groups(ViommuConfig *config, const Source *source, GError **error)
{
    g_auto(GStrv) groups = g_key_file_get_groups(source->file, NULL);

    for (size_t i = 0; groups[i]; i++) {
        g_auto(GStrv) names = g_key_file_get_keys(source->file, groups[i], NULL, NULL);
        for (size_t j = 0; names && names[j]; j++)
            if (!read_key(config, source, groups[i], names[j], error))
                return false;
    }
    return true;
}

/* GKeyFile accepts any bytes as raw values; they would reach messages, the journal and the bus. */
static bool check_text(const char *text, size_t length, GError **error)
{
    const char *bad;
    unsigned line = 1;

    if (g_utf8_validate_len(text, length, &bad))
        return true;
    for (const char *at = text; at < bad; at++)
        line += *at == '\n';
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_UNKNOWN_ENCODING, "line %u is not UTF-8 text",
                line);
    return false;
}

bool viommu_config_load_file(ViommuConfig *config, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = NULL;
    size_t length;

    if (!g_file_get_contents(path, &text, &length, &cause) || !check_text(text, length, &cause) ||
        !g_key_file_load_from_data(file, text, length, G_KEY_FILE_NONE, &cause)) {
        bool missing = g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        return viommu_fail(error, missing ? VIOMMU_ERROR_NOT_FOUND : VIOMMU_ERROR_INVALID_REQUEST, "%s: %s",
                           path, cause->message);
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    return read_groups(config, &(Source){path, file, lines}, error);
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

static const ViommuResource bounded[] = {VIOMMU_RESOURCE_VCPUS, VIOMMU_RESOURCE_MEMORY,
                                         VIOMMU_RESOURCE_COPIES, VIOMMU_RESOURCE_OVERLAYS};

ViommuConfig *viommu_config_new(void)
{
    ViommuConfig *config = g_new0(ViommuConfig, 1);

    viommu_policy_init(&config->policy);
    config->name_prefix = g_strdup("viommu-");
    viommu_site_init(&config->site);
    config->policy.site = &config->site;
    config->group = g_strdup("viommu");
    config->fleet_options = g_strdup("");
    config->image_directories = g_strsplit(IMAGE_DIRECTORIES, ";", -1);
    config->workers = 4;
    config->libvirt_timeout_sec = VIOMMU_CONFIG_LIBVIRT_TIMEOUT_SEC;
    config->ready_timeout_sec = 300;
    config->verify_timeout_sec = 180;
    config->launch_timeout_sec = 300;
    config->files_timeout_sec = 30;
    config->digest_timeout_sec = 240;
    config->disk_reserve_bytes = VIOMMU_LIMIT_AUTO;
    config->console_log_bytes = VIOMMU_MIB;
    config->console_keep_seconds = 24 * 60 * 60;
    config->console_keep_logs = 100;
    config->console_total_bytes = VIOMMU_LIMIT_AUTO;
    config->limits.all[VIOMMU_RESOURCE_MACHINES] = 1024;
    config->limits.user[VIOMMU_RESOURCE_MACHINES] = VIOMMU_LIMIT_AUTO;
    for (size_t i = 0; i < G_N_ELEMENTS(bounded); i++)
        config->limits.all[bounded[i]] = config->limits.user[bounded[i]] = VIOMMU_LIMIT_AUTO;
    config->limits.all[VIOMMU_RESOURCE_PENDING_LAUNCHES] = 1024;
    config->limits.user[VIOMMU_RESOURCE_PENDING_LAUNCHES] = 512;
    config->warnings = g_ptr_array_new_with_free_func(g_free);
    config->places = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return config;
}

void viommu_config_free(ViommuConfig *config)
{
    if (!config)
        return;
    g_free(config->console_directory);
    g_free(config->name_prefix);
    g_free(config->group);
    g_free(config->fleet_classes);
    g_free(config->fleet_options);
    g_strfreev(config->image_directories);
    viommu_site_clear(&config->site);
    g_ptr_array_unref(config->warnings);
    g_hash_table_unref(config->places);
    g_free(config);
}

bool viommu_config_load(bool user, ViommuConfig **ret_config, GError **error)
{
    g_autoptr(ViommuConfig) config = viommu_config_new();
    const char *only = g_getenv(VIOMMU_ENV_CONFIG);
    bool ok = only && *only ? viommu_config_load_file(config, only, error) : load_all(config, user, error);

    if (ok) {
        viommu_config_check_sections(config);
        *ret_config = g_steal_pointer(&config);
    }
    return ok;
}
