/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed: texts by json-glib (JSON is YAML, too), the disk by libarchive. */
#include "daemon/files/seed.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"

#define ROOT "root"
/* cloud-init looks for this label. */
#define OPTIONS "iso9660:volume-id=cidata,iso9660:joliet,iso9660:rockridge=useful"
/* What Ignition since 2.0 reads; user-data of the owner may have another version. */
#define IGNITION_VERSION "3.0.0"

/* --- Texts --- */

static void add_string(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, value);
}

static void add_flag(JsonBuilder *builder, const char *name, bool value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

static void add_keys(JsonBuilder *builder, const char *name, const char *const *keys)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (; keys && *keys; keys++)
        json_builder_add_string_value(builder, *keys);
    json_builder_end_array(builder);
}

/* @before: what must precede it. */
static GBytes *finish(JsonBuilder *builder, const char *before)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autofree char *text = json_to_string(root, TRUE);
    char *whole = g_strconcat(before, text, "\n", NULL);

    return g_bytes_new_take(whole, strlen(whole));
}

/* root has an account and keeps its password as it is; any other user gets an account without one,
 * and may become root, for whom the key is. */
static void add_user(JsonBuilder *builder, const ViommuSeed *seed)
{
    bool is_root = g_str_equal(seed->user, ROOT);

    json_builder_begin_object(builder);
    add_string(builder, "name", seed->user);
    add_flag(builder, "lock_passwd", !is_root);
    if (!is_root) {
        add_string(builder, "shell", "/bin/bash");
        add_string(builder, "sudo", "ALL=(ALL) NOPASSWD:ALL");
    }
    add_keys(builder, "ssh_authorized_keys", seed->ssh_keys);
    json_builder_end_object(builder);
}

/* Each user of the host can reach a port of the guest, so no password may open it. */
static GBytes *cloud_config(const ViommuSeed *seed)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    add_flag(builder, "ssh_pwauth", false);
    if (seed->ssh_keys) {
        if (g_str_equal(seed->user, ROOT))
            add_flag(builder, "disable_root", false);
        json_builder_set_member_name(builder, "users");
        json_builder_begin_array(builder);
        add_user(builder, seed);
        json_builder_end_array(builder);
    }
    json_builder_end_object(builder);
    return finish(builder, "#cloud-config\n");
}

static void add_hostname_file(JsonBuilder *builder, const char *hostname)
{
    g_autofree char *escaped = g_uri_escape_string(hostname, NULL, FALSE);
    g_autofree char *source = g_strconcat("data:,", escaped, "%0A", NULL);

    json_builder_begin_object(builder);
    add_string(builder, "path", "/etc/hostname");
    add_flag(builder, "overwrite", true);
    json_builder_set_member_name(builder, "mode");
    json_builder_add_int_value(builder, 0644);
    json_builder_set_member_name(builder, "contents");
    json_builder_begin_object(builder);
    add_string(builder, "source", source);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
}

static GBytes *ignition(const ViommuSeed *seed)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "ignition");
    json_builder_begin_object(builder);
    add_string(builder, "version", IGNITION_VERSION);
    json_builder_end_object(builder);
    if (seed->ssh_keys) {
        json_builder_set_member_name(builder, "passwd");
        json_builder_begin_object(builder);
        json_builder_set_member_name(builder, "users");
        json_builder_begin_array(builder);
        json_builder_begin_object(builder);
        add_string(builder, "name", seed->user);
        add_keys(builder, "sshAuthorizedKeys", seed->ssh_keys);
        json_builder_end_object(builder);
        json_builder_end_array(builder);
        json_builder_end_object(builder);
    }
    json_builder_set_member_name(builder, "storage");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "files");
    json_builder_begin_array(builder);
    add_hostname_file(builder, seed->hostname);
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
    return finish(builder, "");
}

GBytes *viommu_seed_user_data(const ViommuSeed *seed)
{
    if (seed->data)
        return g_bytes_ref(seed->data);
    return seed->is_ignition ? ignition(seed) : cloud_config(seed);
}

static GBytes *meta_data(const ViommuSeed *seed)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    add_string(builder, "instance-id", seed->instance);
    add_string(builder, "local-hostname", seed->hostname);
    json_builder_end_object(builder);
    return finish(builder, "");
}

GBytes *viommu_seed_read_data(int fd, GError **error)
{
    g_autofree char *bytes = g_malloc(VIOMMU_SEED_DATA_MAX + 1);
    struct stat info;
    size_t size = 0;
    ssize_t n = 0;

    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not a regular file");
        return NULL;
    }
    while (size <= VIOMMU_SEED_DATA_MAX &&
           (n = pread(fd, bytes + size, VIOMMU_SEED_DATA_MAX + 1 - size, (off_t)size)) > 0)
        size += (size_t)n;
    if (n < 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot read it: %s", g_strerror(errno));
    else if (size == 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is empty");
    else if (size > VIOMMU_SEED_DATA_MAX)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "it is larger than 1 MiB, the limit of user-data; have the guest fetch the rest");
    else
        return g_bytes_new(bytes, size);
    return NULL;
}

/* --- The file --- */

static bool add_file(struct archive *disk, const char *name, GBytes *bytes)
{
    struct archive_entry *entry = archive_entry_new();
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    bool ok;

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0400);
    archive_entry_set_size(entry, (la_int64_t)size);
    ok = archive_write_header(disk, entry) == ARCHIVE_OK &&
         archive_write_data(disk, data, size) == (la_ssize_t)size;
    archive_entry_free(entry);
    return ok;
}

/* libarchive collects the disk in a file of TMPDIR without a name, before it writes it. */
static bool write_disk(int fd, const ViommuSeed *seed, GError **error)
{
    g_autoptr(GBytes) meta = meta_data(seed), user = viommu_seed_user_data(seed);
    struct archive *disk = archive_write_new();
    bool ok = archive_write_set_format_iso9660(disk) == ARCHIVE_OK &&
              archive_write_set_options(disk, OPTIONS) == ARCHIVE_OK &&
              archive_write_open_fd(disk, fd) == ARCHIVE_OK && add_file(disk, "meta-data", meta) &&
              add_file(disk, "user-data", user) && archive_write_close(disk) == ARCHIVE_OK;

    if (!ok)
        viommu_fail(error, VIOMMU_ERROR_BACKEND, "%s", archive_error_string(disk));
    archive_write_free(disk);
    return ok;
}

static bool write_bytes(int fd, const ViommuSeed *seed, GError **error)
{
    g_autoptr(GBytes) bytes = viommu_seed_user_data(seed);
    gsize size;
    const char *at = g_bytes_get_data(bytes, &size);

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return viommu_fail(error, VIOMMU_ERROR_BACKEND, "%s", g_strerror(errno));
        at += n;
        size -= (gsize)n;
    }
    return true;
}

bool viommu_seed_make(const ViommuSeed *seed, const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok;

    if (fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot create the seed '%s': %s", path,
                           g_strerror(errno));
    ok = seed->is_ignition ? write_bytes(fd, seed, error) : write_disk(fd, seed, error);
    /* Some file systems report only now that they had no room. */
    if (close(fd) < 0 && ok)
        ok = viommu_fail(error, VIOMMU_ERROR_BACKEND, "%s", g_strerror(errno));
    if (!ok)
        g_prefix_error(error, "cannot write the seed '%s': ", path);
    return ok;
}
