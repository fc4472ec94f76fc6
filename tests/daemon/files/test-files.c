/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-files: the files of a request opened for a user's own daemon and for a user of the system's,
 * and each reason to refuse them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "daemon/files/files.h"
#include "lib/base/quantity.h"

#define NOBODY 65534u
#define UUID   "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"

static char *directory, *copies;
static GPtrArray *requests; /* opened files borrow them */

static char *in_directory(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    g_autofree char *path = in_directory(name);

    ck_assert(g_file_set_contents(path, bytes, (gssize)size, NULL));
    ck_assert_int_eq(g_chmod(path, 0644), 0);
}

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A header of version 2 with the backing file @backing (NULL: none); @format NULL: without a
 * format. */
static void write_qcow2(const char *name, const char *backing, const char *format)
{
    uint8_t bytes[4096] = "QFI\xfb";
    const uint32_t at = 1024;

    put32(bytes + 4, 2);
    put32(bytes + 20, 16);
    put32(bytes + 28, 65536);
    if (backing) {
        g_autofree char *path = strchr(backing, '/') ? g_strdup(backing) : in_directory(backing);

        put32(bytes + 12, at);
        put32(bytes + 16, (uint32_t)strlen(path));
        memcpy(bytes + at, path, strlen(path));
    }
    if (format) {
        put32(bytes + 72, 0xe2792aca);
        put32(bytes + 76, (uint32_t)strlen(format));
        memcpy(bytes + 80, format, strlen(format));
    }
    write_file(name, bytes, sizeof(bytes));
}

/* A header of version 3 of an image with an external data file @named; NULL: unnamed. */
static void write_split(const char *name, const char *named)
{
    uint8_t bytes[4096] = "QFI\xfb";

    put32(bytes + 4, 3);
    put32(bytes + 20, 16);
    put32(bytes + 76, 1 << 2);
    put32(bytes + 100, 104);
    if (named) {
        put32(bytes + 104, 0x44415441);
        put32(bytes + 108, (uint32_t)strlen(named));
        memcpy(bytes + 112, named, strlen(named));
    }
    write_file(name, bytes, sizeof(bytes));
}

static void begin(void)
{
    g_autofree char *link = NULL, *fifo = NULL, *target = NULL, *large = NULL;

    /* Where every user may write. */
    directory = g_mkdtemp(g_strdup("/tmp/viommu-files-XXXXXX"));
    ck_assert_int_eq(g_chmod(directory, 0755), 0);
    copies = in_directory("copies");
    requests = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_request_free);
    link = in_directory("link");
    fifo = in_directory("fifo");
    target = in_directory("raw");
    write_file("raw", "data", 4);
    write_file("vmlinuz", "no kernel", 9);
    write_file("config", "CONFIG_INTEL_IOMMU=y\n", 21);
    write_file("empty", "", 0);
    large = in_directory("large");
    write_file("large", "", 0);
    ck_assert_int_eq(truncate(large, 2 << 20), 0);
    write_qcow2("alone", NULL, NULL);
    write_qcow2("middle", "raw", "raw");
    write_qcow2("top", "middle", "qcow2");
    write_qcow2("unsaid", "raw", NULL);
    write_qcow2("odd", "raw", "vmdk");
    write_qcow2("lost", "nowhere", "raw");
    write_qcow2("forged", "raw", "qcow2");
    write_qcow2("itself", "itself", "qcow2");
    write_qcow2("away", "/etc/passwd", "raw");
    write_split("split", target);
    write_split("split-unnamed", NULL);
    write_split("split-relative", "raw");
    write_split("split-lost", "/nowhere/at/all");
    write_split("split-odd", fifo);
    ck_assert_int_eq(symlink(target, link), 0);
    ck_assert_int_eq(mkfifo(fifo, 0644), 0);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    return remove(path);
}

static void end(void)
{
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    g_clear_pointer(&directory, g_free);
    g_clear_pointer(&copies, g_free);
    g_clear_pointer(&requests, g_ptr_array_unref);
}

/* @text: of a request; DIR stands for the directory. */
static ViommuFiles *open_files(bool own, const char *text, GError **error)
{
    const char *const directories[] = {directory, NULL};
    static ViommuFilesSite site;
    g_auto(GStrv) parts = g_strsplit(text, "DIR", -1);
    g_autofree char *whole = g_strjoinv(directory, parts);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, whole, NULL, NULL, NULL);
    ViommuRequest *request = tree ? viommu_request_parse(tree, NULL) : NULL;

    site = (ViommuFilesSite){.own = own, .copies = copies, .image_directories = directories};
    ck_assert_msg(request, "%s", whole);
    g_ptr_array_add(requests, request);
    return viommu_files_open(&site, request, &(ViommuFilesMachine){own ? getuid() : NOBODY, UUID, "guest"},
                             error);
}

#define DISK(name, format) \
    "{'disks': <[{'path': <'DIR/" name "'>, 'format': <'" format "'>, 'read-only': <true>}]>}"
#define KERNEL(name) "{'boot': <{'kernel': <'DIR/" name "'>, 'initrd': <'DIR/raw'>}>}"

START_TEST(disks)
{
    for (int own = 0; own < 2; own++) {
        GError *error = NULL;
        g_autoptr(ViommuFiles) raw = open_files(own, DISK("raw", "raw"), &error);
        g_autoptr(ViommuFiles) alone = raw ? open_files(own, DISK("alone", "qcow2"), &error) : NULL;
        /* If other users could replace its data file, a member's image is refused. */
        g_autoptr(ViommuFiles) split = alone && own ? open_files(own, DISK("split", "qcow2"), &error) : NULL;

        ck_assert_msg(alone && (split || !own), "%s", error ? error->message : "");
        ck_assert_int_ge(viommu_files_disk(raw, 0), 0);
        ck_assert_ptr_null(viommu_files_kernel(raw));
    }
}
END_TEST

/* It is nobody else's business where users keep the files that their own QEMU can read. */
START_TEST(a_chain_outside_the_directories)
{
    GError *error = NULL;
    g_autoptr(ViommuFiles) own = open_files(true, DISK("away", "qcow2"), &error);
    const ViommuHandover *disk;

    ck_assert_msg(own, "%s", error ? error->message : "");
    disk = g_ptr_array_index(viommu_files_handovers(own)->disks, 0);
    ck_assert_uint_eq(disk->backing->len, 1);
    ck_assert_str_eq(((const ViommuHandoverBacking *)g_ptr_array_index(disk->backing, 0))->path,
                     "/etc/passwd");
    ck_assert_ptr_null(open_files(false, DISK("away", "qcow2"), &error));
    /* the refusal has the directories in force, and the key */
    ck_assert_msg(strstr(error->message, "[files] image-directories") && strstr(error->message, directory),
                  "%s", error->message);
    g_error_free(error);
}
END_TEST

START_TEST(a_chain)
{
    GError *error = NULL;
    g_autoptr(ViommuFiles) top = open_files(true, DISK("top", "qcow2"), &error);
    const ViommuHandover *disk;

    ck_assert_msg(top, "%s", error ? error->message : "");
    disk = g_ptr_array_index(viommu_files_handovers(top)->disks, 0);
    ck_assert(disk->is_open && g_str_has_suffix(disk->path, "/top"));
    ck_assert_uint_eq(disk->backing->len, 2);
    ck_assert_int_ge(viommu_files_backing(top, 0, 1), 0);
}
END_TEST

/* A user's own daemon passes the kernel by its path; below /tmp others could replace it, so a
 * member's is copied. */
START_TEST(kernels)
{
    for (int own = 0; own < 2; own++) {
        GError *error = NULL;
        g_autoptr(ViommuFiles) files = open_files(own, KERNEL("vmlinuz"), &error);

        ck_assert_msg(files, "%s", error ? error->message : "");
        ck_assert_uint_eq(viommu_files_copied_bytes(files), own ? 0 : 9 + 4);
        ck_assert_int_eq(viommu_files_kernel(files) != NULL, own);
        unit_assert_ok(viommu_files_prepare(files, VIOMMU_UNSET_NUMBER, &error), error);
        ck_assert(g_file_test(viommu_files_handovers(files)->kernel.path, G_FILE_TEST_EXISTS));
    }
}
END_TEST

static const struct {
    const char *request;
    int code;
    const char *words;
} refusals[] = {
    {DISK("nowhere", "raw"), VIOMMU_ERROR_INVALID_REQUEST, "/nowhere'"},
    {DISK("fifo", "raw"), VIOMMU_ERROR_INVALID_REQUEST, "/fifo'"},
    {DISK("raw", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "qcow2"},
    {DISK("forged", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "/raw'"},
    {DISK("unsaid", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "format"},
    {DISK("odd", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "'vmdk'"},
    {DISK("lost", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "/nowhere'"},
    {DISK("itself", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "/itself'"},
    {DISK("split-unnamed", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "external data file but does not name it"},
    {DISK("split-relative", "qcow2"), VIOMMU_ERROR_POLICY_REFUSED,
     "its data file 'raw' is not an absolute path"},
    {DISK("split-lost", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST,
     "its data file: viommud cannot see '/nowhere'"},
    {DISK("split-odd", "qcow2"), VIOMMU_ERROR_INVALID_REQUEST, "/fifo' is not a regular file"},
    {KERNEL("fifo"), VIOMMU_ERROR_INVALID_REQUEST, "/fifo'"},
    {"{'disks': <[{'path': <'DIR/large'>, 'format': <'raw'>, 'overlay': <true>, 'size': <'1 MiB'>}]>}",
     VIOMMU_ERROR_INVALID_REQUEST, "disks[0].size is 1 MiB, but the guest would see 2 MiB"},
    {"{'disks': <[{'path': <'DIR/large'>, 'format': <'raw'>, 'overlay': <true>, 'size-max': <'1 MiB'>}]>}",
     VIOMMU_ERROR_INVALID_REQUEST, "disks[0].size-max is 1 MiB, but the guest would see 2 MiB"},
    {"{'disks': <[{'path': <'DIR/empty'>, 'format': <'raw'>, 'overlay': <true>}]>}",
     VIOMMU_ERROR_INVALID_REQUEST, "/empty': it is empty"},
};

/* Refused only to users of the system's daemon. */
static const typeof(refusals[0]) refusals_of_members[] = {
    {DISK("link", "raw"), VIOMMU_ERROR_POLICY_REFUSED, "/link'"},
    {DISK("../x", "raw"), VIOMMU_ERROR_POLICY_REFUSED, "'..'"},
    {KERNEL("empty"), VIOMMU_ERROR_INVALID_REQUEST, "boot.kernel"},
    {DISK("top", "qcow2"), VIOMMU_ERROR_POLICY_REFUSED, "/middle'"},
    {DISK("away", "qcow2"), VIOMMU_ERROR_POLICY_REFUSED, "/etc/passwd"},
    {DISK("split-lost", "qcow2"), VIOMMU_ERROR_POLICY_REFUSED, "its data file: '/nowhere/at/all'"},
};

static void assert_refused(bool own, const char *request, int code, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuFiles) files = open_files(own, request, &error);

    ck_assert_msg(!files, "%s", request);
    ck_assert_msg(error->code == code && strstr(error->message, words), "%s: %d: %s", request, error->code,
                  error->message);
}

START_TEST(refused_to_an_own_daemon)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++)
        assert_refused(true, refusals[i].request, refusals[i].code, refusals[i].words);
}
END_TEST

START_TEST(refused_to_a_member)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refusals_of_members); i++)
        assert_refused(false, refusals_of_members[i].request, refusals_of_members[i].code,
                       refusals_of_members[i].words);
}
END_TEST

#define OVER(name, more) \
    "{'disks': <[{'path': <'DIR/" name "'>, 'format': <'qcow2'>, 'overlay': <true>" more "}]>}"

static const ViommuHandover *first_disk(const ViommuFiles *files)
{
    return g_ptr_array_index(viommu_files_handovers(files)->disks, 0);
}

/* The base is only read, by a caller who may only read it; what is made can be told and removed by
 * its name. */
START_TEST(an_overlay)
{
    for (int own = 0; own < 2; own++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuFiles) files = open_files(own, OVER("alone", ", 'size': <'1 MiB'>"), &error);
        g_autoptr(GHashTable) listed = NULL;
        const ViommuCopiesSize *size;
        const ViommuHandover *disk;

        ck_assert_msg(files, "%s", error ? error->message : "");
        disk = first_disk(files);
        ck_assert(disk->is_open && disk->overlay);
        ck_assert_uint_eq(disk->overlay_bytes, 1 << 20);
        ck_assert_int_eq(fcntl(viommu_files_disk(files, 0), F_GETFL) & O_ACCMODE, O_RDONLY);
        ck_assert_ptr_nonnull(viommu_files_state(files, 0));
        unit_assert_ok(viommu_files_prepare(files, VIOMMU_UNSET_NUMBER, &error), error);
        ck_assert_int_eq(fcntl(viommu_files_overlay(files, 0), F_GETFL) & O_ACCMODE, O_RDWR);
        listed = viommu_copies_list(copies);
        size = g_hash_table_lookup(listed, UUID);
        ck_assert(size && size->overlay_bytes == 1 << 20 && size->bytes == 0);
        ck_assert(viommu_copies_remove(copies, UUID, NULL));
        ck_assert(!g_file_test(disk->overlay, G_FILE_TEST_EXISTS));
    }
}
END_TEST

/* DIR/large has 2 MiB. */
START_TEST(an_overlay_within_bounds)
{
    static const struct {
        const char *bounds;
        uint64_t bytes;
    } cases[] = {
        {"'size-min': <'1 MiB'>", 2 * VIOMMU_MIB},
        {"'size-min': <'3 MiB'>", 3 * VIOMMU_MIB},
        {"'size-max': <'3 MiB'>", 2 * VIOMMU_MIB},
        {"'size-min': <'1 MiB'>, 'size-max': <'2 MiB'>", 2 * VIOMMU_MIB},
        {"'size-min': <'3 MiB'>, 'size-max': <'4 MiB'>", 3 * VIOMMU_MIB},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *request = g_strdup_printf(
            "{'disks': <[{'path': <'DIR/large'>, 'format': <'raw'>, 'overlay': <true>, %s}]>}",
            cases[i].bounds);
        g_autoptr(ViommuFiles) files = open_files(true, request, &error);

        ck_assert_msg(files, "%s: %s", cases[i].bounds, error ? error->message : "");
        ck_assert_uint_eq(first_disk(files)->overlay_bytes, cases[i].bytes);
    }
}
END_TEST

/* Its header would have no room for the name of the base. */
START_TEST(an_overlay_of_a_long_path)
{
    g_autofree char *part = g_strnfill(200, 'd');
    g_autofree char *below = g_strjoin("/", part, part, part, part, part, NULL);
    g_autofree char *folder = in_directory(below), *path = g_strconcat(folder, "/raw", NULL);
    g_autofree char *request = g_strdup_printf(
        "{'disks': <[{'path': <'DIR/%s/raw'>, 'format': <'raw'>, 'overlay': <true>}]>}", below);

    ck_assert_int_eq(g_mkdir_with_parents(folder, 0755), 0);
    ck_assert(g_file_set_contents(path, "a disk", -1, NULL));
    assert_refused(true, request, VIOMMU_ERROR_INVALID_REQUEST, "its path has more than 1023 bytes");
}
END_TEST

/* Between the opening and the start. */
static void change(int how)
{
    g_autofree char *path = in_directory("alone"), *other = in_directory("top");

    if (how == 0)
        ck_assert_int_eq(rename(other, path), 0);
    else if (how == 1)
        write_qcow2("alone", "raw", "raw");
    else
        ck_assert_int_eq(truncate(path, 8192), 0);
}

START_TEST(a_base_that_changes)
{
    for (int how = 0; how < 3; how++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuFiles) files = open_files(true, OVER("alone", ", 'size': <'1 MiB'>"), &error);

        ck_assert_msg(files, "%s", error ? error->message : "");
        change(how);
        ck_assert(!viommu_files_prepare(files, VIOMMU_UNSET_NUMBER, &error));
        ck_assert_msg(error->code == VIOMMU_ERROR_BUSY && strstr(error->message, "was written or replaced"),
                      "%s", error->message);
        ck_assert(viommu_copies_remove(copies, UUID, NULL));
    }
}
END_TEST

START_TEST(a_seed)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuFiles) files =
        open_files(false, "{'seed': <{'user-data': <'DIR/vmlinuz'>, 'hostname': <'guest-7'>}>}", &error);
    g_autoptr(ViommuFiles) refused = NULL;
    const char *path;

    ck_assert_msg(files, "%s", error ? error->message : "");
    path = viommu_files_handovers(files)->seed.path;
    ck_assert_uint_eq(viommu_files_copied_bytes(files), (1 << 20) + 9);
    unit_assert_ok(viommu_files_prepare(files, VIOMMU_UNSET_NUMBER, &error), error);
    ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
    ck_assert(viommu_copies_remove(copies, UUID, NULL));
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    refused = open_files(true, "{'seed': <{'user-data': <'DIR/fifo'>}>}", &error);
    ck_assert(!refused && strstr(error->message, "/fifo': it is not a regular file"));
}
END_TEST

#define IMAGE "{'image': <'small'>, 'disks': <[{'size': <'4 MiB'>}]>}"

/* A user's own daemon reads it wherever it is; in /tmp, others could replace a member's. */
START_TEST(an_image)
{
    static const char text[] = "[image]\nfile=large\nformat=raw\nagent=yes\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuFiles) files = NULL;
    const ViommuRequest *request;
    g_autofree char *path = in_directory("small.image");
    unsigned where = 7;

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_refused(true, IMAGE, VIOMMU_ERROR_INVALID_REQUEST, "small.image' is not a regular file");
    ck_assert_int_eq(g_unlink(path), 0);
    assert_refused(true, IMAGE, VIOMMU_ERROR_INVALID_REQUEST,
                   "image 'small': no image directory has the file 'small.image'; searched: '/tmp/");
    write_file("small.image", text, strlen(text));
    assert_refused(false, IMAGE, VIOMMU_ERROR_POLICY_REFUSED,
                   "small.image' lies in a directory that users other than root can modify");
    files = open_files(true, IMAGE, &error);
    ck_assert_msg(files, "%s", error ? error->message : "");
    ck_assert_str_eq(viommu_files_image(files, &where)->file, "large");
    ck_assert_uint_eq(where, 0);
    request = g_ptr_array_index(requests, requests->len - 1);
    ck_assert(request->image_is_known && request->guest.agent_offered);
    ck_assert_uint_eq(first_disk(files)->overlay_bytes, 4 << 20);
    ck_assert(g_str_has_suffix(first_disk(files)->path, "/large"));
}
END_TEST

/* It may be as long as allowed, and no longer. */
START_TEST(a_long_image)
{
    g_autofree char *text = g_strnfill(VIOMMU_SITE_IMAGE_TEXT_MAX + 1, '\n');
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuFiles) files = NULL;

    memcpy(text, "[image]\nfile=raw\nformat=raw\n", strlen("[image]\nfile=raw\nformat=raw\n"));
    write_file("small.image", text, VIOMMU_SITE_IMAGE_TEXT_MAX + 1);
    assert_refused(true, "{'image': <'small'>}", VIOMMU_ERROR_INVALID_REQUEST,
                   "it has more than 65536 bytes");
    write_file("small.image", text, VIOMMU_SITE_IMAGE_TEXT_MAX);
    files = open_files(true, "{'image': <'small'>}", &error);
    ck_assert_msg(files, "%s", error ? error->message : "");
}
END_TEST

START_TEST(not_looked_at)
{
    const ViommuFilesSite site = {.skip = true};
    g_autoptr(GVariant) tree = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    g_autoptr(ViommuFiles) files =
        viommu_files_open(&site, request, &(ViommuFilesMachine){1000, UUID, "guest"}, NULL);

    ck_assert(files && !viommu_files_handovers(files));
}
END_TEST

/* A request's disk, read-only, whose file is open as @fd. */
static ViommuFiles *open_descriptor(const char *path, int fd, GError **error)
{
    static const ViommuFilesSite site = {.copies = NULL};
    g_autofree char *text =
        g_strdup_printf("{'disks': <[{'path': <'%s'>, 'format': <'raw'>, 'read-only': <true>}]>}", path);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    int sent = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    ck_assert(request && sent >= 0);
    request->fds = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_append_val(request->fds, sent);
    ((ViommuRequestDisk *)g_ptr_array_index(request->disks, 0))->file.handle = 0;
    return viommu_files_open(&site, request, &(ViommuFilesMachine){NOBODY, UUID, "guest"}, error);
}

/* QEMU needs a descriptor with exactly the requested access: the file is opened again, which fails
 * where the user may not open it. */
START_TEST(open_for_more_than_is_wanted)
{
    g_autofree char *path = in_directory("raw");
    g_autoptr(ViommuFiles) given = NULL;
    g_autoptr(GError) error = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC), kept;

    given = open_descriptor(path, fd, &error);
    ck_assert_msg(given, "%s", error ? error->message : "");
    kept = viommu_files_disk(given, 0);
    ck_assert_int_eq(fcntl(kept, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
}
END_TEST

static const struct {
    int flags;
    const char *words;
} useless[] = {
    {O_WRONLY, "the file descriptor is not open for reading"},
    {O_PATH, "the file descriptor is not open for reading"},
};

START_TEST(open_for_something_else)
{
    g_autofree char *path = in_directory("raw");

    for (size_t i = 0; i < G_N_ELEMENTS(useless); i++) {
        g_autoptr(GError) error = NULL;
        int fd = open(path, useless[i].flags | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_ptr_null(open_descriptor(path, fd, &error));
        close(fd);
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED));
        ck_assert_msg(strstr(error->message, useless[i].words), "%s", error->message);
    }
}
END_TEST

/* QEMU opens a device by its path, with the user's rights: an open descriptor is not enough. */
START_TEST(an_open_device)
{
    g_autofree char *node = in_directory("device");
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuFiles) refused = NULL, given = NULL;
    const ViommuHandover *disk;
    int fd = mknod(node, S_IFBLK | 0600, makedev(7, 0)) == 0 ? open(node, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        printf("not tested, as no loop device can be opened here: %s\n", g_strerror(errno));
        return;
    }
    refused = open_descriptor(node, fd, &error);
    ck_assert(!refused && error);
    ck_assert_int_eq(error->code, VIOMMU_ERROR_POLICY_REFUSED);
    /* All users may create files in its directory, so the kernel's name is used. */
    ck_assert_msg(strstr(error->message, "QEMU would open block device '/dev/loop0' with the rights of user"),
                  "%s", error->message);
    ck_assert_int_eq(chown(node, NOBODY, 0), 0);
    given = open_descriptor(node, fd, NULL);
    ck_assert_ptr_nonnull(given);
    disk = g_ptr_array_index(viommu_files_handovers(given)->disks, 0);
    ck_assert(disk->is_block && disk->is_fixed && !disk->is_open);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("files");

    tcase_add_checked_fixture(all, begin, end);
    tcase_add_test(all, disks);
    tcase_add_test(all, a_chain);
    tcase_add_test(all, a_chain_outside_the_directories);
    tcase_add_test(all, kernels);
    tcase_add_test(all, refused_to_an_own_daemon);
    tcase_add_test(all, refused_to_a_member);
    tcase_add_test(all, an_overlay);
    tcase_add_test(all, an_overlay_of_a_long_path);
    tcase_add_test(all, an_overlay_within_bounds);
    tcase_add_test(all, a_base_that_changes);
    tcase_add_test(all, a_seed);
    tcase_add_test(all, an_image);
    tcase_add_test(all, a_long_image);
    tcase_add_test(all, not_looked_at);
    tcase_add_test(all, an_open_device);
    tcase_add_test(all, open_for_more_than_is_wanted);
    tcase_add_test(all, open_for_something_else);
    return unit_run_case("files", all);
}
