/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* variant: a function that reads any type, and one that writes it.  Does not know what the values
 * mean. */
#include "daemon/bus/variant.h"

#include <errno.h>
#include <string.h>
#include "daemon/bus/arrivals.h"
#include "daemon/files/mounts.h"
#include "daemon/process/held-files.h"
#include "lib/base/error.h"

/* A number costs memory, too, as a GVariant of its own. */
#define BASIC_COST 16

typedef struct Reader {
    sd_bus_message *message;
    size_t bytes_left;
    GArray *fds; /* NULL: file descriptors are refused */
    bool host_only;
    ViommuMounts *mounts; /* of the host; NULL: not read yet.  Owned */
    GError **error;
} Reader;

static GVariant *read_value(Reader *reader, unsigned depth);

static bool broken(Reader *reader, int r)
{
    return viommu_fail(reader->error, VIOMMU_ERROR_INTERNAL, "cannot read the message: %s", g_strerror(-r));
}

static bool spend(Reader *reader, size_t bytes)
{
    if (bytes > reader->bytes_left) {
        return viommu_fail(reader->error, VIOMMU_ERROR_INVALID_REQUEST, "the request is larger than %u KiB",
                           VIOMMU_BUS_BYTES_MAX / 1024);
    }
    reader->bytes_left -= bytes;
    return true;
}

static GVariant *new_basic(char type, const void *value)
{
    switch (type) {
    case SD_BUS_TYPE_BYTE:
        return g_variant_new_byte(*(const uint8_t *)value);
    case SD_BUS_TYPE_BOOLEAN:
        return g_variant_new_boolean(*(const int *)value);
    case SD_BUS_TYPE_INT16:
        return g_variant_new_int16(*(const int16_t *)value);
    case SD_BUS_TYPE_UINT16:
        return g_variant_new_uint16(*(const uint16_t *)value);
    case SD_BUS_TYPE_INT32:
        return g_variant_new_int32(*(const int32_t *)value);
    case SD_BUS_TYPE_UINT32:
        return g_variant_new_uint32(*(const uint32_t *)value);
    case SD_BUS_TYPE_INT64:
        return g_variant_new_int64(*(const int64_t *)value);
    case SD_BUS_TYPE_UINT64:
        return g_variant_new_uint64(*(const uint64_t *)value);
    case SD_BUS_TYPE_DOUBLE:
        return g_variant_new_double(*(const double *)value);
    default:
        return NULL;
    }
}

static GVariant *new_text(char type, const char *text)
{
    switch (type) {
    case SD_BUS_TYPE_STRING:
        return g_variant_new_string(text);
    case SD_BUS_TYPE_OBJECT_PATH:
        return g_variant_new_object_path(text);
    default:
        return g_variant_new_signature(text);
    }
}

static GVariant *read_text(Reader *reader, char type)
{
    const char *text;
    int r = sd_bus_message_read_basic(reader->message, type, &text);

    if (r < 0) {
        broken(reader, r);
        return NULL;
    }
    return spend(reader, BASIC_COST + strlen(text)) ? new_text(type, text) : NULL;
}

/* The kernel's name for the file; a descriptor of another kind has a name without "/" at its
 * beginning. */
static char *link_of(int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);

    return g_file_read_link(link, NULL);
}

/* For messages and for the machine's metadata; "?" replaces characters that these cannot hold. */
static char *name_of(const char *name)
{
    char *valid = g_utf8_make_valid(name && *name ? name : "?", -1);

    for (char *at = valid; *at; at++)
        if (g_ascii_iscntrl(*at))
            *at = '?';
    return valid;
}

/* As early as possible: a file that never answers must not be asked anything more. */
static bool check_place(Reader *reader, int fd, const char *name)
{
    if (!reader->host_only)
        return true;
    if (!name || name[0] != '/') {
        return viommu_fail(
            reader->error, VIOMMU_ERROR_POLICY_REFUSED,
            "file descriptor %u does not refer to a file ('%.64s'); open a file or a block device",
            reader->fds->len, name ? name : "?");
    }
    if (!reader->mounts)
        reader->mounts = viommu_mounts_of_host(reader->error);
    if (reader->mounts && viommu_mounts_check(reader->mounts, fd, reader->error))
        return true;
    g_prefix_error(reader->error, "file descriptor %u '%.512s': ", reader->fds->len, name);
    return false;
}

static GVariant *read_fd(Reader *reader)
{
    g_autofree char *link = NULL, *name = NULL;
    int fd, r;

    if (!reader->fds) {
        viommu_fail(reader->error, VIOMMU_ERROR_INVALID_REQUEST, "a file descriptor is not accepted here");
        return NULL;
    }
    /* A message may repeat a descriptor any number of times. */
    if (reader->fds->len == VIOMMU_BUS_FILES_MAX) {
        viommu_fail(reader->error, VIOMMU_ERROR_INVALID_REQUEST,
                    "the request has more than %u file descriptors", VIOMMU_BUS_FILES_MAX);
        return NULL;
    }
    r = sd_bus_message_read_basic(reader->message, SD_BUS_TYPE_UNIX_FD, &fd);
    if (r < 0) {
        broken(reader, r);
        return NULL;
    }
    fd = viommu_arrivals_find(fd, reader->error);
    if (fd < 0)
        return NULL;
    fd = viommu_held_dup(fd);
    if (fd < 0) {
        viommu_fail(reader->error, VIOMMU_ERROR_BUSY,
                    "viommud cannot keep the file descriptor: %s; try again later", g_strerror(errno));
        return NULL;
    }
    link = link_of(fd);
    name = name_of(link);
    g_array_append_val(reader->fds, fd);
    if (!check_place(reader, fd, link ? name : NULL))
        return NULL;
    if (!spend(reader, BASIC_COST + strlen(name)))
        return NULL;
    return g_variant_new("(sh)", name, (gint32)reader->fds->len - 1);
}

static GVariant *read_basic(Reader *reader, char type)
{
    union {
        uint64_t number;
        double real;
    } value = {.number = 0};
    int r;

    if (type == SD_BUS_TYPE_UNIX_FD)
        return read_fd(reader);
    if (strchr("sog", type))
        return read_text(reader, type);
    if (!spend(reader, BASIC_COST))
        return NULL;
    r = sd_bus_message_read_basic(reader->message, type, &value);
    if (r < 0) {
        broken(reader, r);
        return NULL;
    }
    return new_basic(type, &value);
}

/* The type of a container in GVariant's notation. */
static char *container_type(char type, const char *contents)
{
    switch (type) {
    case SD_BUS_TYPE_ARRAY:
        return g_strconcat("a", contents, NULL);
    case SD_BUS_TYPE_STRUCT:
        return g_strconcat("(", contents, ")", NULL);
    case SD_BUS_TYPE_DICT_ENTRY:
        return g_strconcat("{", contents, "}", NULL);
    default:
        return g_strdup("v");
    }
}

static bool read_children(Reader *reader, GVariantBuilder *builder, unsigned depth)
{
    int r;

    while ((r = sd_bus_message_at_end(reader->message, false)) == 0) {
        GVariant *child = read_value(reader, depth);
        if (!child)
            return false;
        g_variant_builder_add_value(builder, child);
    }
    return r > 0 || broken(reader, r);
}

/* A descriptor becomes a value of another type, which only fits into a variant. */
static bool check_contents(Reader *reader, char type, const char *contents)
{
    if (type == SD_BUS_TYPE_VARIANT || !strchr(contents, SD_BUS_TYPE_UNIX_FD))
        return true;
    return viommu_fail(
        reader->error, VIOMMU_ERROR_INVALID_REQUEST,
        "a value of type '%s' contains a file descriptor; pass each file descriptor as the value of its key, in a dictionary of type a{sv}",
        contents);
}

static GVariant *read_container(Reader *reader, char type, const char *contents, unsigned depth)
{
    g_autofree char *own_contents = g_strdup(contents), *name = container_type(type, contents);
    g_auto(GVariantBuilder) builder;
    int r;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(name));
    if (!check_contents(reader, type, contents))
        return NULL;
    if (depth >= VIOMMU_BUS_DEPTH_MAX) {
        viommu_fail(reader->error, VIOMMU_ERROR_INVALID_REQUEST,
                    "the request is nested deeper than %u levels", VIOMMU_BUS_DEPTH_MAX);
        return NULL;
    }
    if (!spend(reader, BASIC_COST))
        return NULL;
    r = sd_bus_message_enter_container(reader->message, type, own_contents);
    if (r < 0) {
        broken(reader, r);
        return NULL;
    }
    if (!read_children(reader, &builder, depth + 1))
        return NULL;
    r = sd_bus_message_exit_container(reader->message);
    if (r < 0) {
        broken(reader, r);
        return NULL;
    }
    return g_variant_builder_end(&builder);
}

/* The recursion is bounded by VIOMMU_BUS_DEPTH_MAX.  Returns a floating value, or NULL with the
 * error set. */
static GVariant *read_value(Reader *reader, unsigned depth)
{
    const char *contents;
    char type;
    int r = sd_bus_message_peek_type(reader->message, &type, &contents);

    if (r <= 0) {
        broken(reader, r < 0 ? r : -ENXIO);
        return NULL;
    }
    return contents ? read_container(reader, type, contents, depth) : read_basic(reader, type);
}

static bool read_tree(sd_bus_message *message, GArray *fds, bool host_only, GVariant **ret_tree,
                      GError **error)
{
    Reader reader = {message, VIOMMU_BUS_BYTES_MAX, fds, host_only, NULL, error};
    GVariant *tree = read_value(&reader, 0);

    viommu_mounts_free(reader.mounts);
    if (!tree)
        return false;
    *ret_tree = g_variant_ref_sink(tree);
    return true;
}

bool viommu_bus_variant_read(sd_bus_message *message, GVariant **ret_tree, GError **error)
{
    return read_tree(message, NULL, false, ret_tree, error);
}

bool viommu_bus_variant_read_files(sd_bus_message *message, bool host_only, GVariant **ret_tree,
                                   GArray **ret_fds, GError **error)
{
    g_autoptr(GArray) fds = viommu_held_array_new();

    if (!read_tree(message, fds, host_only, ret_tree, error))
        return false;
    *ret_fds = g_steal_pointer(&fds);
    return true;
}

static bool measure_values(sd_bus_message *message, unsigned depth, size_t *bytes);

static bool measure_container(sd_bus_message *message, char type, const char *contents, unsigned depth,
                              size_t *bytes)
{
    /* The name of a type costs its letters. */
    g_autofree char *own_contents = g_strdup(contents);

    *bytes += strlen(own_contents);
    return depth < VIOMMU_BUS_DEPTH_MAX && sd_bus_message_enter_container(message, type, own_contents) >= 0 &&
           measure_values(message, depth + 1, bytes) && sd_bus_message_exit_container(message) >= 0;
}

static bool measure_basic(sd_bus_message *message, char type, size_t *bytes)
{
    union {
        const char *text;
        uint64_t number;
    } value;

    if (sd_bus_message_read_basic(message, type, &value) < 0)
        return false;
    if (strchr("sog", type))
        *bytes += strlen(value.text);
    return true;
}

/* The recursion is bounded by VIOMMU_BUS_DEPTH_MAX, and the work by VIOMMU_BUS_BYTES_MAX. */
static bool measure_values(sd_bus_message *message, unsigned depth, size_t *bytes)
{
    const char *contents;
    char type;
    int r;

    while ((r = sd_bus_message_peek_type(message, &type, &contents)) > 0) {
        *bytes += BASIC_COST;
        if (*bytes > VIOMMU_BUS_BYTES_MAX)
            return false;
        if (contents ? !measure_container(message, type, contents, depth, bytes)
                     : !measure_basic(message, type, bytes))
            return false;
    }
    return r == 0 && *bytes <= VIOMMU_BUS_BYTES_MAX;
}

bool viommu_bus_variant_measure(sd_bus_message *message, size_t *ret_bytes)
{
    const char *path = sd_bus_message_get_path(message);
    bool measured;

    *ret_bytes = path ? strlen(path) : 0;
    measured = sd_bus_message_rewind(message, true) >= 0 && measure_values(message, 0, ret_bytes);
    return sd_bus_message_rewind(message, true) >= 0 && measured;
}

static int append_basic(sd_bus_message *message, GVariant *value)
{
    union {
        uint64_t number;
        int truth;
    } buffer = {.number = 0};
    char type = (char)g_variant_classify(value);

    if (strchr("sog", type))
        return sd_bus_message_append_basic(message, type, g_variant_get_string(value, NULL));
    if (type == SD_BUS_TYPE_BOOLEAN)
        buffer.truth = g_variant_get_boolean(value);
    else
        g_variant_store(value, &buffer);
    return sd_bus_message_append_basic(message, type, &buffer);
}

static int append_children(sd_bus_message *message, GVariant *value)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
        r = viommu_bus_variant_append(message, child);
    }
    return r;
}

static int append_container(sd_bus_message *message, char type, const char *contents, GVariant *value)
{
    int r = sd_bus_message_open_container(message, type, contents);

    if (r >= 0)
        r = append_children(message, value);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* The bus has no maybe type. */
static int append_maybe(sd_bus_message *message, GVariant *value)
{
    g_autoptr(GVariant) child = g_variant_get_maybe(value);

    if (!g_variant_is_of_type(value, G_VARIANT_TYPE("ms")))
        return -EINVAL;
    return sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING,
                                       child ? g_variant_get_string(child, NULL) : "");
}

int viommu_bus_variant_append(sd_bus_message *message, GVariant *value)
{
    const char *type = g_variant_get_type_string(value);
    g_autofree char *inside = type[1] ? g_strndup(type + 1, strlen(type) - 2) : NULL;
    g_autoptr(GVariant) child = NULL;

    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_VARIANT:
        child = g_variant_get_variant(value);
        type = g_variant_get_type_string(child);
        return append_container(message, SD_BUS_TYPE_VARIANT, *type == 'm' ? type + 1 : type, value);
    case G_VARIANT_CLASS_ARRAY:
        return append_container(message, SD_BUS_TYPE_ARRAY, type + 1, value);
    case G_VARIANT_CLASS_TUPLE:
        return append_container(message, SD_BUS_TYPE_STRUCT, inside, value);
    case G_VARIANT_CLASS_DICT_ENTRY:
        return append_container(message, SD_BUS_TYPE_DICT_ENTRY, inside, value);
    case G_VARIANT_CLASS_MAYBE:
        return append_maybe(message, value);
    default:
        return append_basic(message, value);
    }
}
