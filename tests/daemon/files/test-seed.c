/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-seed: seeds are made, and read back by libarchive and json-glib. */
#include "daemon/files/seed.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/unit.h"

#define UUID "0b4a2a3a-4c07-4c4b-9c3b-2f9d3f3d3a01"
/* Where ISO 9660 has its label. */
#define LABEL_AT (16 * 2048 + 40)

static const char *const keys[] = {"ssh-ed25519 AAAAC3Nz a \"quoted\" comment: #1", "ssh-rsa AAAAB3 \xc3\xa9",
                                   NULL};

static char *directory, *path;

static void set_up(void)
{
    directory = g_dir_make_tmp("viommu-seed-XXXXXX", NULL);
    ck_assert_ptr_nonnull(directory);
    path = g_build_filename(directory, "seed", NULL);
}

static void take_down(void)
{
    g_unlink(path);
    g_rmdir(directory);
    g_clear_pointer(&directory, g_free);
    g_clear_pointer(&path, g_free);
}

/* The file @name of the disk; NULL: it has none. */
static char *file_of_disk(const char *name)
{
    struct archive *disk = archive_read_new();
    struct archive_entry *entry;
    char *text = NULL;

    archive_read_support_format_iso9660(disk);
    ck_assert_int_eq(archive_read_open_filename(disk, path, 2048), ARCHIVE_OK);
    while (!text && archive_read_next_header(disk, &entry) == ARCHIVE_OK) {
        size_t size = (size_t)archive_entry_size(entry);

        if (!g_str_equal(archive_entry_pathname(entry), name))
            continue;
        text = g_malloc0(size + 1);
        ck_assert_int_eq(archive_read_data(disk, text, size), (la_ssize_t)size);
    }
    archive_read_free(disk);
    return text;
}

static void make(const ViommuSeed *seed)
{
    g_autoptr(GError) error = NULL;
    struct stat info;

    unit_assert_ok(viommu_seed_make(seed, path, &error), error);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 07777, 0600);
}

static JsonNode *read_json(const char *text)
{
    g_autoptr(GError) error = NULL;
    JsonNode *node = json_from_string(text, &error);

    ck_assert_msg(node, "%s: %s", error ? error->message : "", text);
    return node;
}

/* What @path of JSONPath finds in @text, as one line. */
static void assert_has(const char *text, const char *expression, const char *expected)
{
    g_autoptr(JsonNode) root = read_json(text);
    g_autoptr(JsonNode) found = json_path_query(expression, root, NULL);
    g_autofree char *line = found ? json_to_string(found, FALSE) : NULL;

    ck_assert_pstr_eq(line, expected);
}

START_TEST(a_disk)
{
    for (int i = 0; i < 2; i++) {
        const ViommuSeed seed = {
            .instance = UUID, .hostname = "guest-7", .user = i ? "root" : "debian", .ssh_keys = keys};
        g_autofree char *bytes = NULL, *meta = NULL, *user = NULL;
        const char *json;
        gsize size;

        make(&seed);
        ck_assert(g_file_get_contents(path, &bytes, &size, NULL) && size > LABEL_AT + 32);
        ck_assert_msg(g_ascii_strncasecmp(bytes + LABEL_AT, "cidata   ", 9) == 0, "%.32s", bytes + LABEL_AT);
        ck_assert_uint_lt(size, 1 << 20);
        meta = file_of_disk("meta-data");
        assert_has(meta, "$['instance-id']", "[\"" UUID "\"]");
        assert_has(meta, "$['local-hostname']", "[\"guest-7\"]");
        user = file_of_disk("user-data");
        ck_assert(g_str_has_prefix(user, "#cloud-config\n"));
        json = strchr(user, '\n');
        assert_has(json, "$.ssh_pwauth", "[false]");
        assert_has(json, "$.users[0].name", i ? "[\"root\"]" : "[\"debian\"]");
        assert_has(json, "$.users[0].lock_passwd", i ? "[false]" : "[true]");
        assert_has(json, "$.disable_root", i ? "[false]" : "[]");
        assert_has(json, "$.users[0].ssh_authorized_keys",
                   "[[\"ssh-ed25519 AAAAC3Nz a \\\"quoted\\\" comment: #1\",\"ssh-rsa AAAAB3 \xc3\xa9\"]]");
        g_unlink(path);
    }
}
END_TEST

/* Without keys and data the guest still learns its name. */
START_TEST(a_name_alone)
{
    const ViommuSeed seed = {.instance = UUID, .hostname = "guest-7", .user = "root"};
    g_autofree char *meta = NULL, *user = NULL;

    make(&seed);
    meta = file_of_disk("meta-data");
    assert_has(meta, "$['local-hostname']", "[\"guest-7\"]");
    user = file_of_disk("user-data");
    assert_has(strchr(user, '\n'), "$.users", "[]");
}
END_TEST

START_TEST(the_owners_own)
{
    static const char data[] = "#!/bin/sh\necho \xff it is not JSON\n";
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, strlen(data));
    const ViommuSeed seed = {.instance = UUID, .hostname = "guest-7", .user = "root", .data = bytes};
    g_autofree char *user = NULL;
    g_autoptr(GError) error = NULL;

    make(&seed);
    user = file_of_disk("user-data");
    ck_assert_str_eq(user, data);
    /* what exists is not written over */
    ck_assert(!viommu_seed_make(&seed, path, &error));
    ck_assert_msg(error->code == VIOMMU_ERROR_BACKEND && strstr(error->message, "File exists"), "%s",
                  error->message);
}
END_TEST

START_TEST(for_ignition)
{
    const ViommuSeed seed = {
        .is_ignition = true, .instance = UUID, .hostname = "guest-7", .user = "core", .ssh_keys = keys};
    g_autofree char *text = NULL;

    make(&seed);
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    assert_has(text, "$.ignition.version", "[\"3.0.0\"]");
    assert_has(text, "$.passwd.users[0].name", "[\"core\"]");
    assert_has(text, "$.passwd.users[0].sshAuthorizedKeys[1]", "[\"ssh-rsa AAAAB3 \xc3\xa9\"]");
    assert_has(text, "$.storage.files[0].contents.source", "[\"data:,guest-7%0A\"]");
}
END_TEST

static const struct {
    size_t bytes;
    const char *words; /* NULL: it is taken */
} sizes[] = {
    {1, NULL},
    {VIOMMU_SEED_DATA_MAX, NULL},
    {VIOMMU_SEED_DATA_MAX + 1,
     "it is larger than 1 MiB, the limit of user-data; have the guest fetch the rest"},
    {0, "it is empty"},
};

START_TEST(sizes_of_data)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *text = g_strnfill(sizes[i].bytes, 'x');
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = NULL;
        int fd;

        ck_assert(g_file_set_contents(path, text, (gssize)sizes[i].bytes, NULL));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        bytes = viommu_seed_read_data(fd, &error);
        close(fd);
        if (sizes[i].words)
            unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, sizes[i].words);
        else
            ck_assert(bytes && g_bytes_get_size(bytes) == sizes[i].bytes);
    }
}
END_TEST

START_TEST(no_file)
{
    g_autoptr(GError) error = NULL;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    ck_assert_ptr_null(viommu_seed_read_data(fd, &error));
    close(fd);
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not a regular file");
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("seed");

    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, a_disk);
    tcase_add_test(all, a_name_alone);
    tcase_add_test(all, the_owners_own);
    tcase_add_test(all, for_ignition);
    tcase_add_test(all, sizes_of_data);
    tcase_add_test(all, no_file);
    return unit_run_case("seed", all);
}
