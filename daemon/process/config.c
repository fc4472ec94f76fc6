/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: the table of keys, their parsers, and the order of files.  Does not know how values are
 * used. */
#include "daemon/process/config-internal.h"

#include <string.h>
#include "lib/base/error.h"
#include "lib/domain/qcow2-header.h"
#include "lib/base/names.h"
#include "lib/base/did-you-mean.h"
#include "lib/base/quantity.h"
#include "lib/request/request.h"

#define PREFIX_MAX        24u
#define CONFIG_FILE       "viommud.conf"
#define AUTO              "auto"
#define IMAGE_DIRECTORIES "/var/lib/libvirt/images;/var/lib/viommu/images"

typedef ViommuConfigRow Key;
typedef ViommuConfigKind Kind;

static const Kind kind_word, kind_size, kind_count, kind_path, kind_paths, kind_auto_size, kind_auto_number,
    kind_prefix;

#define kind_number viommu_config_kind_number
#define kind_name   viommu_config_kind_name

#define LIMIT(name, kind, member)                                                                      \
    {                                                                                                  \
        {"limits", name}, &kind, offsetof(ViommuConfig, limits.member),                                \
            .min = 0, .max = (uint64_t)1 << 62, .bound = offsetof(ViommuConfig, bounds.limits.member), \
    }

static const Key keys[] = {
    {{"iommu", "order"}, &kind_word, offsetof(ViommuConfig, policy.order), .words = &viommu_enum_order},
    {{"machine", "accelerator"},
     &kind_word,
     offsetof(ViommuConfig, policy.accelerator),
     .words = &viommu_enum_accelerator},
    {{"machine", "memory"},
     &kind_size,
     offsetof(ViommuConfig, policy.default_memory_bytes),
     .min = VIOMMU_MIB,
     .max = (uint64_t)1 << 62},
    {{"machine", "vcpus"}, &kind_count, offsetof(ViommuConfig, policy.default_vcpus), .min = 1, .max = 65535},
    {{"machine", "name-prefix"}, &kind_prefix, offsetof(ViommuConfig, name_prefix)},
    {{"console", "directory"}, &kind_path, offsetof(ViommuConfig, console_directory)},
    {{"console", "log-size"},
     &kind_size,
     offsetof(ViommuConfig, console_log_bytes),
     .min = 4 * VIOMMU_KIB,
     .max = VIOMMU_GIB},
    {{"console", "keep-seconds"},
     &kind_number,
     offsetof(ViommuConfig, console_keep_seconds),
     .min = 0,
     .max = UINT32_MAX},
    {{"console", "keep-logs"},
     &kind_number,
     offsetof(ViommuConfig, console_keep_logs),
     .min = 0,
     .max = 1000000},
    {{"console", "total-size"},
     &kind_auto_size,
     offsetof(ViommuConfig, console_total_bytes),
     .min = 0,
     .max = (uint64_t)1 << 62,
     .bound = offsetof(ViommuConfig, bounds.console_log_bytes)},
    {{"daemon", "group"}, &kind_name, offsetof(ViommuConfig, group)},
    {{"daemon", "libvirt-timeout"},
     &kind_number,
     offsetof(ViommuConfig, libvirt_timeout_sec),
     .min = 1,
     .max = 600,
     .old_name = "libvirt-patience"},
    {{"daemon", "verify-timeout"},
     &kind_number,
     offsetof(ViommuConfig, verify_timeout_sec),
     .min = 1,
     .max = VIOMMU_VERIFY_SECONDS_MAX},
    {{"daemon", "workers"}, &kind_number, offsetof(ViommuConfig, workers), .min = 1, .max = 64},
    {{"daemon", "running-launches"},
     &kind_number,
     offsetof(ViommuConfig, running_launches),
     .min = 0,
     .max = 1000},
    {{"daemon", "running-launches-per-user"},
     &kind_number,
     offsetof(ViommuConfig, user_launches),
     .min = 0,
     .max = 1000},
    {{"daemon", "launch-timeout"},
     &kind_number,
     offsetof(ViommuConfig, launch_timeout_sec),
     .min = 1,
     .max = 86400},
    {{"verify", "agent"}, &kind_word, offsetof(ViommuConfig, policy.agent), .words = &viommu_enum_agent_use},
    {{"leases", "max-seconds"},
     &kind_number,
     offsetof(ViommuConfig, lease_max_seconds),
     .min = 0,
     .max = VIOMMU_LEASE_SECONDS_MAX},
    {{"leases", "default-seconds"},
     &kind_number,
     offsetof(ViommuConfig, lease_default_seconds),
     .min = 0,
     .max = VIOMMU_LEASE_SECONDS_MAX},
    {{"leases", "grace"}, &kind_number, offsetof(ViommuConfig, grace_seconds), .min = 0, .max = 3600},
    {{"guests", "confinement"},
     &kind_word,
     offsetof(ViommuConfig, policy.confinement),
     .words = &viommu_enum_confinement},
    {{"files", "timeout"}, &kind_number, offsetof(ViommuConfig, files_timeout_sec), .min = 1, .max = 3600},
    {{"files", "image-directories"}, &kind_paths, offsetof(ViommuConfig, image_directories)},
    LIMIT("machines", kind_number, all[VIOMMU_RESOURCE_MACHINES]),
    LIMIT("machines-per-user", kind_auto_number, user[VIOMMU_RESOURCE_MACHINES]),
    LIMIT("vcpus", kind_auto_number, all[VIOMMU_RESOURCE_VCPUS]),
    LIMIT("vcpus-per-user", kind_auto_number, user[VIOMMU_RESOURCE_VCPUS]),
    LIMIT("memory", kind_auto_size, all[VIOMMU_RESOURCE_MEMORY]),
    LIMIT("memory-per-user", kind_auto_size, user[VIOMMU_RESOURCE_MEMORY]),
    LIMIT("locked-memory", kind_size, all[VIOMMU_RESOURCE_LOCKED_MEMORY]),
    LIMIT("locked-memory-per-user", kind_size, user[VIOMMU_RESOURCE_LOCKED_MEMORY]),
    {{"limits", "locked-memory-reserve"},
     &kind_size,
     offsetof(ViommuConfig, policy.locked_reserve_bytes),
     .min = 0,
     .max = (uint64_t)1 << 62},
    LIMIT("copies", kind_auto_size, all[VIOMMU_RESOURCE_COPIES]),
    LIMIT("copies-per-user", kind_auto_size, user[VIOMMU_RESOURCE_COPIES]),
    LIMIT("pending-launches", kind_number, all[VIOMMU_RESOURCE_PENDING_LAUNCHES]),
    LIMIT("pending-launches-per-user", kind_number, user[VIOMMU_RESOURCE_PENDING_LAUNCHES]),
    {{"devices", "allow"}, &viommu_config_kind_selectors, offsetof(ViommuConfig, site.allow)},
    {{"devices", "take-from-driver"},
     &viommu_config_kind_flag,
     offsetof(ViommuConfig, site.take_from_driver)},
    {{"devices", "drivers"}, &viommu_config_kind_names, offsetof(ViommuConfig, site.drivers)},
    {{"devices", "in-use"}, &viommu_config_kind_in_use, offsetof(ViommuConfig, site.root_takes_used)},
    {{"networks", "user"}, &viommu_config_kind_flag, offsetof(ViommuConfig, site.user_networks)},
    {{"networks", "networks"}, &viommu_config_kind_names, offsetof(ViommuConfig, site.networks)},
    {{"networks", "bridges"}, &viommu_config_kind_names, offsetof(ViommuConfig, site.bridges)},
};
#undef LIMIT

/* kind_word has enums of the policy as int. */
G_STATIC_ASSERT(sizeof(ViommuOrder) == sizeof(int) && sizeof(ViommuAccelerator) == sizeof(int) &&
                sizeof(ViommuAgentUse) == sizeof(int) && sizeof(ViommuConfinement) == sizeof(int));

static bool parse_word(const Key *key, const char *text, void *target, GError **error)
{
    int value = viommu_enum_from_string(key->words, text);

    if (value == VIOMMU_UNSET) {
        g_autofree char *list = viommu_enum_list(key->words);
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not one of %s", text, list);
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
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not between %s and %s", text, min,
                           max);
    }
    *(uint64_t *)target = bytes;
    return true;
}

static bool parse_number(const Key *key, const char *text, void *target, GError **error)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, key->min, key->max, &number, NULL))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "'%s' is not a number between %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT, text,
                           key->min, key->max);
    *(uint64_t *)target = number;
    return true;
}

static bool parse_count(const Key *key, const char *text, void *target, GError **error)
{
    uint64_t number = 0;

    if (!parse_number(key, text, &number, error))
        return false;
    *(unsigned *)target = (unsigned)number;
    return true;
}

/* An empty value resets what an earlier file set. */
static bool parse_path(const Key *key, const char *text, void *target, GError **error)
{
    char **path = target;

    if (*text && !g_path_is_absolute(text))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not an absolute path", text);
    g_free(*path);
    *path = *text ? g_strdup(text) : NULL;
    return true;
}

static bool parse_paths(const Key *key, const char *text, void *target, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ";", -1);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    for (char **word = words; *word; word++) {
        if (*g_strstrip(*word) && (!g_path_is_absolute(*word) || viommu_image_goes_up(*word)))
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "'%s' is not an absolute path without '..'", *word);
        if (**word)
            g_ptr_array_add(paths, g_strdup(*word));
    }
    g_ptr_array_add(paths, NULL);
    g_strfreev(*(char ***)target);
    *(char ***)target = (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
    return true;
}

static bool parse_name(const Key *key, const char *text, void *target, GError **error)
{
    char **name = target;

    g_free(*name);
    *name = g_strdup(text);
    return true;
}

/* The prefix becomes part of the names of domains and files. */
static bool parse_prefix(const Key *key, const char *text, void *target, GError **error)
{
    size_t length = strlen(text);

    if (length == 0 || length > PREFIX_MAX || !g_ascii_isalnum(*text) ||
        strspn(text, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.") != length)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "'%s' is not a prefix: use 1 to %u letters, digits, '-', '_' and '.', beginning with a letter or a digit",
            text, PREFIX_MAX);
    return parse_name(key, text, target, error);
}

/* "auto", or a value that @other accepts. */
static bool parse_auto(const Key *key, const char *text, void *target,
                       bool (*other)(const Key *, const char *, void *, GError **), GError **error)
{
    if (!g_str_equal(text, AUTO)) {
        if (other(key, text, target, error))
            return true;
        g_prefix_error(error, "neither '" AUTO "' nor a valid value: ");
        return false;
    }
    *(uint64_t *)target = VIOMMU_LIMIT_AUTO;
    return true;
}

static bool parse_auto_size(const Key *key, const char *text, void *target, GError **error)
{
    return parse_auto(key, text, target, parse_size, error);
}

static bool parse_auto_number(const Key *key, const char *text, void *target, GError **error)
{
    return parse_auto(key, text, target, parse_number, error);
}

static char *format_word(const Key *key, const void *value)
{
    return g_strdup(viommu_enum_to_string(key->words, *(const int *)value));
}

static char *format_size(const Key *key, const void *value)
{
    return viommu_quantity_format(*(const uint64_t *)value);
}

static char *format_number(const Key *key, const void *value)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT, *(const uint64_t *)value);
}

static char *format_auto_size(const Key *key, const void *value)
{
    return *(const uint64_t *)value == VIOMMU_LIMIT_AUTO ? g_strdup(AUTO) : format_size(key, value);
}

static char *format_auto_number(const Key *key, const void *value)
{
    return *(const uint64_t *)value == VIOMMU_LIMIT_AUTO ? g_strdup(AUTO) : format_number(key, value);
}

static char *format_count(const Key *key, const void *value)
{
    return g_strdup_printf("%u", *(const unsigned *)value);
}

static char *format_path(const Key *key, const void *value)
{
    const char *path = *(char *const *)value;

    return g_strdup(path ? path : "");
}

static char *format_paths(const Key *key, const void *value)
{
    return g_strjoinv(";", *(char **const *)value);
}

static char *format_name(const Key *key, const void *value)
{
    return g_strdup(*(char *const *)value);
}

static const Kind kind_word = {parse_word, format_word};
static const Kind kind_size = {parse_size, format_size};
const Kind kind_number = {parse_number, format_number};
static const Kind kind_count = {parse_count, format_count};
static const Kind kind_path = {parse_path, format_path};
static const Kind kind_paths = {parse_paths, format_paths};
static const Kind kind_prefix = {parse_prefix, format_name};
static const Kind kind_auto_size = {parse_auto_size, format_auto_size};
static const Kind kind_auto_number = {parse_auto_number, format_auto_number};
const Kind kind_name = {parse_name, format_name};

static const Key *find_key(const char *group, const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i].name.group, group) &&
            (g_str_equal(keys[i].name.key, name) || g_strcmp0(keys[i].old_name, name) == 0))
            return &keys[i];
    return NULL;
}

const ViommuConfigKey *viommu_config_key(unsigned i)
{
    return i < G_N_ELEMENTS(keys) ? &keys[i].name : NULL;
}

const ViommuConfigRow *viommu_config_row(unsigned i)
{
    return i < G_N_ELEMENTS(keys) ? &keys[i] : NULL;
}

/* The nearest key may stand in another group: "[daemon] order". */
static void warn_unknown(ViommuConfig *config, const char *place, const char *group, const char *name)
{
    const char *names[G_N_ELEMENTS(keys)];
    GString *text = g_string_new(NULL);

    g_string_printf(text, "%s: [%s] %s: unknown key, ignored", place, group, name);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        names[i] = keys[i].name.key;
    const char *near = viommu_nearest(name, names, G_N_ELEMENTS(names));
    for (size_t i = 0; near && i < G_N_ELEMENTS(keys); i++)
        if (keys[i].name.key == near)
            g_string_append_printf(text, "; did you mean [%s] %s?", keys[i].name.group, near);
    g_ptr_array_add(config->warnings, g_string_free(text, FALSE));
}

/* A key file as it is being read: GKeyFile knows values, the text knows lines. */
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

/* The line that counts: the last one of this name in a group of that name, as GKeyFile has it. */
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
                                         VIOMMU_RESOURCE_COPIES};

ViommuConfig *viommu_config_new(void)
{
    ViommuConfig *config = g_new0(ViommuConfig, 1);

    viommu_policy_init(&config->policy);
    config->name_prefix = g_strdup("viommu-");
    viommu_site_init(&config->site);
    config->policy.site = &config->site;
    config->group = g_strdup("viommu");
    config->image_directories = g_strsplit(IMAGE_DIRECTORIES, ";", -1);
    config->workers = 4;
    config->libvirt_timeout_sec = VIOMMU_CONFIG_LIBVIRT_TIMEOUT_SEC;
    config->verify_timeout_sec = 180;
    config->launch_timeout_sec = 300;
    config->files_timeout_sec = 30;
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
