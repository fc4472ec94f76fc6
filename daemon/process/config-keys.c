/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config-keys: the table of keys, and the kinds of their values.  Does not know files. */
#include "daemon/process/config-internal.h"

#include <string.h>
#include "lib/base/error.h"
#include "lib/base/quantity.h"
#include "lib/domain/qcow2-header.h"
#include "lib/request/request.h"

#define PREFIX_MAX 24u
#define AUTO       "auto"

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
    {{"machine", "prove-kvm"}, &viommu_config_kind_flag, offsetof(ViommuConfig, policy.prove_kvm)},
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
    {{"daemon", "ready-timeout"},
     &kind_number,
     offsetof(ViommuConfig, ready_timeout_sec),
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
    {{"files", "digest-timeout"},
     &kind_number,
     offsetof(ViommuConfig, digest_timeout_sec),
     .min = 1,
     .max = 86400},
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
    LIMIT("overlays", kind_auto_size, all[VIOMMU_RESOURCE_OVERLAYS]),
    LIMIT("overlays-per-user", kind_auto_size, user[VIOMMU_RESOURCE_OVERLAYS]),
    {{"limits", "disk-reserve"},
     &kind_auto_size,
     offsetof(ViommuConfig, disk_reserve_bytes),
     .min = 0,
     .max = (uint64_t)1 << 62,
     .bound = offsetof(ViommuConfig, bounds.reserve_bytes)},
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
    {{"fleet", "classes"}, &kind_path, offsetof(ViommuConfig, fleet_classes)},
    {{"fleet", "time-limit"},
     &kind_number,
     offsetof(ViommuConfig, fleet_time_limit_sec),
     .min = 0,
     .max = VIOMMU_LEASE_SECONDS_MAX},
    {{"fleet", "options"}, &kind_name, offsetof(ViommuConfig, fleet_options)},
    {{"fleet", "proven"}, &viommu_config_kind_flag, offsetof(ViommuConfig, fleet_proven)},
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

const ViommuConfigKey *viommu_config_key(unsigned i)
{
    return i < G_N_ELEMENTS(keys) ? &keys[i].name : NULL;
}

const ViommuConfigRow *viommu_config_row(unsigned i)
{
    return i < G_N_ELEMENTS(keys) ? &keys[i] : NULL;
}
