/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-files: which files a request may name, and what libvirt gets, as seen in the domain's
 * XML. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "daemon/bus/variant.h"
#include "tests/bus/world.h"

static char *make_kernel(const char *directory, const char *name, uid_t uid, mode_t mode)
{
    return world_file(directory, name, "a kernel", strlen("a kernel"), uid, mode);
}

/* A qcow2 header of version 2 that names a backing file of format qcow2, or of @format. */
static char *make_qcow2(const char *directory, const char *name, const char *backing, const char *format)
{
    uint8_t bytes[1024] = "QFI\xfb";

    bytes[7] = 2;
    bytes[23] = 16;
    if (format) {
        memcpy(&bytes[72], "\xe2\x79\x2a\xca", 4);
        bytes[79] = (uint8_t)strlen(format);
        memcpy(&bytes[80], format, strlen(format));
    }
    if (backing) {
        bytes[14] = 1;
        bytes[19] = (uint8_t)strlen(backing);
        memcpy(&bytes[256], backing, strlen(backing));
    }
    return world_file(directory, name, (const char *)bytes, sizeof(bytes), PEOPLE_MEMBER, 0644);
}

/* --- Requests and their results --- */

/* The path of the kernel in @xml. Owned. */
static char *kernel_in(const char *xml)
{
    const char *start = strstr(xml, "<kernel>");

    ck_assert_msg(start, "no kernel in %s", xml);
    start += strlen("<kernel>");
    return g_strndup(start, strcspn(start, "<"));
}

#define KERNEL "{'arch': <'x86_64'>, 'boot': <{'kernel': <%s>}>}"
#define DISK   "{'arch': <'x86_64'>, 'disks': <[{'path': <%s>, 'format': <'%s'>}]>}"

static char *quoted(const char *path)
{
    return g_strdup_printf("'%s'", path);
}

static char *handle(int fd)
{
    return g_strdup_printf("handle %d", fd);
}

/* @value of boot.kernel: a path or a handle; freed. */
static void kernel_refused(World *world, const char *name, const char *words, char *value)
{
    world_refused(world, name, words, KERNEL, value);
    g_free(value);
}

static void disk_refused(World *world, const char *name, const char *words, char *value, const char *format)
{
    world_refused(world, name, words, DISK, value, format);
    g_free(value);
}

/* --- Paths --- */

START_TEST(by_path)
{
    g_auto(World) world = world_new();
    g_autofree char *kernel = make_kernel(world.fixed, "kernel", 0, 0644);
    g_autofree char *secret = make_kernel(world.fixed, "secret", 0, 0600);
    g_autofree char *link = g_build_filename(world.fixed, "link", NULL);
    g_autofree char *closed = g_build_filename(world.fixed, "closed", NULL);
    g_autofree char *value = quoted(kernel), *xml = world_launched(&world, NULL, KERNEL, value);
    g_autofree char *copy = kernel_in(xml);

    /* libvirt would give the original file to QEMU's user. */
    ck_assert_msg(strstr(copy, "/state/boot/"), "%s", copy);
    kernel_refused(&world, "PolicyRefused", "user 65534 may not read '", quoted(secret));
    ck_assert_int_eq(symlink(world.fixed, link), 0);
    kernel_refused(&world, "PolicyRefused", "/link' is a symbolic link",
                   g_strdup_printf("'%s/kernel'", link));
    kernel_refused(&world, "PolicyRefused", "/link' is a symbolic link", quoted(link));
    kernel_refused(&world, "PolicyRefused", "contains '..'",
                   g_strdup_printf("'%s/../viommu/kernel'", world.fixed));
    kernel_refused(&world, "InvalidRequest",
                   "boot.kernel '/run/nobody/kernel': viommud cannot see '/run/nobody'",
                   quoted("/run/nobody/kernel"));
    kernel_refused(&world, "InvalidRequest", "not a regular file", quoted(world.fixed));
    kernel_refused(&world, "InvalidRequest", "not a regular file", quoted("/dev/null"));
    ck_assert_int_eq(g_mkdir(closed, 0711), 0);
    ck_assert_int_eq(g_chmod(closed, 0700), 0);
    kernel_refused(&world, "PolicyRefused", "user 65534 may not search '",
                   g_strdup_printf("'%s/kernel'", closed));
}
END_TEST

/* An access control list may allow less than the mode: here it denies user 65534 everything. */
START_TEST(access_list)
{
    static const uint8_t list[] = {2, 0,   0,   0,   1,   0,   6,    0, 255, 255, 255, 255, 2,   0,    0,
                                   0, 254, 255, 0,   0,   4,   0,    4, 0,   255, 255, 255, 255, 0x10, 0,
                                   4, 0,   255, 255, 255, 255, 0x20, 0, 4,   0,   255, 255, 255, 255};
    g_auto(World) world = world_new();
    g_autofree char *kernel = make_kernel(world.fixed, "kernel", 0, 0644);

    if (setxattr(kernel, "system.posix_acl_access", list, sizeof(list), 0) == 0)
        kernel_refused(&world, "PolicyRefused", "has an access control list", quoted(kernel));
    else
        ck_assert_msg(errno == EOPNOTSUPP, "%s", g_strerror(errno));
}
END_TEST

START_TEST(rights_to_write)
{
    g_auto(World) world = world_new();
    g_autofree char *others = make_kernel(world.fixed, "others.raw", 0, 0644);
    g_autofree char *mine = make_kernel(world.fixed, "mine.raw", PEOPLE_MEMBER, 0600);
    g_autofree char *not_mine = make_kernel(world.fixed, "not-mine.raw", PEOPLE_MEMBER, 0066);
    g_autofree char *value = quoted(mine), *xml = world_launched(&world, NULL, DISK, value, "raw");
    g_autofree char *read_only = world_launched(
        &world, NULL,
        "{'arch': <'x86_64'>, 'disks': <[{'path': <'%s'>, 'format': <'raw'>, 'read-only': <true>}]>}",
        others);

    world_assert_has(xml, "<source file='%s'", mine);
    world_assert_has(read_only, "<source file='%s'", others);
    disk_refused(&world, "PolicyRefused", "may not read and write '", quoted(others), "raw");
    /* The owner's bits count, although other users have more rights. */
    disk_refused(&world, "PolicyRefused", "may not read and write '", quoted(not_mine), "raw");
    disk_refused(&world, "InvalidRequest", "neither a regular file nor a block device", quoted("/dev/null"),
                 "raw");
}
END_TEST

/* A device node whose device may not exist: what is passed by its path is not opened. */
START_TEST(block_device)
{
    g_auto(World) world = world_new();
    g_autofree char *path = g_build_filename(world.fixed, "disk", NULL), *value = quoted(path), *xml = NULL;

    if (mknod(path, S_IFBLK | 0600, makedev(7, 200)) < 0) {
        printf("not tested, as nodes cannot be made here: %s\n", g_strerror(errno));
        return;
    }
    disk_refused(&world, "PolicyRefused", "may not read and write '", quoted(path), "raw");
    ck_assert_int_eq(chown(path, PEOPLE_MEMBER, PEOPLE_MEMBER), 0);
    xml = world_launched(&world, NULL, DISK, value, "raw");
    world_assert_has(xml, "<disk type='block'");
    world_assert_has(xml, "<source dev='%s'", path);
}
END_TEST

/* --- Copies --- */

START_TEST(copied)
{
    g_auto(World) world = world_new();
    g_autofree char *kernel = make_kernel(world.own, "kernel", PEOPLE_MEMBER, 0644);
    g_autofree char *empty = world_file(world.own, "empty", "", 0, PEOPLE_MEMBER, 0644);
    g_autofree char *value = quoted(kernel), *path = NULL, *copy = NULL, *bytes = NULL;
    g_autofree char *xml = world_launched(&world, &path, KERNEL, value);
    struct stat info;

    copy = kernel_in(xml);
    ck_assert_msg(g_str_has_prefix(copy, world.harness->directory) && strstr(copy, "/state/boot/"), "%s",
                  copy);
    ck_assert(g_file_get_contents(copy, &bytes, NULL, NULL));
    ck_assert_str_eq(bytes, "a kernel");
    ck_assert_int_eq(stat(copy, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    /* The metadata names the requested file. */
    world_assert_has(xml, "%s", kernel);
    people_allow(world.member, people_on_machine(world.member, path, "Kill"));
    ck_assert_int_lt(stat(copy, &info), 0);
    kernel_refused(&world, "InvalidRequest", "it is empty", quoted(empty));
}
END_TEST

static bool is_gone(const char *path)
{
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;

    while (g_file_test(path, G_FILE_TEST_EXISTS) && g_get_monotonic_time() < end)
        g_usleep(10000);
    return !g_file_test(path, G_FILE_TEST_EXISTS);
}

START_TEST(swept)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *directory = g_build_filename(harness->directory, "state", "boot", NULL);
    g_autofree char *orphan = NULL, *other = NULL;

    ck_assert_int_eq(g_mkdir_with_parents(directory, 0711), 0);
    orphan = make_kernel(directory, "6695eb01-f6a4-8304-79aa-97f2502e193f.initrd", 0, 0600);
    other = make_kernel(directory, "README", 0, 0600);
    harness_start(harness, (const char *const[]){"--user", "--connect=test:///default", NULL});
    ck_assert(is_gone(orphan));
    ck_assert(g_file_test(other, G_FILE_TEST_EXISTS));
}
END_TEST

/* --- File descriptors --- */

START_TEST(by_descriptor)
{
    static const char *const dry[] = {"Plan", "Check"};
    g_auto(World) world = world_new();
    g_autofree char *kernel = make_kernel(world.fixed, "kernel", 0, 0600);
    g_autofree char *moving = make_kernel(world.own, "moving", PEOPLE_MEMBER, 0600);
    int fd = open(kernel, O_RDONLY | O_CLOEXEC), own = open(moving, O_RDONLY | O_CLOEXEC);
    g_autofree char *first = handle(fd), *second = handle(own);
    g_autofree char *xml = world_launched(&world, NULL, KERNEL, first),
                    *other = world_launched(&world, NULL, KERNEL, second);
    g_autofree char *copy = kernel_in(other), *fixed = kernel_in(xml);

    ck_assert(fd >= 0 && own >= 0);
    ck_assert_msg(strstr(fixed, "/state/boot/"), "%s", fixed);
    ck_assert_msg(strstr(copy, "/state/boot/"), "%s", copy);
    /* The metadata names the file, not a number. */
    world_assert_has(other, "%s", moving);
    ck_assert(!strstr(other, "handle"));
    for (size_t i = 0; i < G_N_ELEMENTS(dry); i++) {
        g_autofree char *request = g_strdup_printf("{'boot': <{'kernel': <%s>}>}", first);
        people_allow(world.member, harness_request(world.member, dry[i], request));
    }
    close(fd);
    close(own);
}
END_TEST

START_TEST(wrong_descriptors)
{
    g_auto(World) world = world_new();
    g_autofree char *path = make_kernel(world.own, "a\nb", PEOPLE_MEMBER, 0644);
    int inspect = open(path, O_PATH | O_CLOEXEC), write = open(path, O_WRONLY | O_CLOEXEC);
    int read = open(path, O_RDONLY | O_CLOEXEC), ends[2];

    ck_assert(inspect >= 0 && write >= 0 && read >= 0 && pipe(ends) == 0);
    kernel_refused(&world, "PolicyRefused", "not open for reading", handle(inspect));
    kernel_refused(&world, "PolicyRefused", "not open for reading", handle(write));
    kernel_refused(&world, "PolicyRefused", "does not refer to a file", handle(ends[0]));
    disk_refused(&world, "PolicyRefused", "a?b': the file descriptor is not open for reading and writing",
                 handle(read), "raw");
    world_refused(&world, "InvalidRequest", "boot.cmdline must be a string, but is a file descriptor",
                  "{'boot': <{'kernel': <handle %d>, 'cmdline': <handle %d>}>}", read, read);
    close(inspect);
    close(write);
    close(read);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* --- Images --- */

START_TEST(chain)
{
    g_auto(World) world = world_new();
    g_autofree char *base = make_kernel(world.fixed, "base.raw", 0, 0644);
    g_autofree char *middle = make_qcow2(world.fixed, "middle.qcow2", "base.raw", "raw");
    g_autofree char *top = make_qcow2(world.fixed, "top.qcow2", middle, "qcow2");
    g_autofree char *alone = make_qcow2(world.fixed, "alone.qcow2", NULL, NULL);
    g_autofree char *forged = make_qcow2(world.fixed, "forged.raw", "/etc/shadow", "raw");
    g_autofree char *top_value = quoted(top), *alone_value = quoted(alone), *forged_value = quoted(forged);
    g_autofree char *xml = world_launched(&world, NULL, DISK, top_value, "qcow2");
    g_autofree char *lone = world_launched(&world, NULL, DISK, alone_value, "qcow2");
    g_autofree char *raw = world_launched(&world, NULL, DISK, forged_value, "raw");

    world_assert_has(xml, "<source file='%s'", base);
    world_assert_has(xml, "<source file='%s'", middle);
    world_assert_has(xml, "<backingStore/>");
    world_assert_has(lone, "<backingStore/>");
    /* Whatever its bytes say. */
    world_assert_has(raw, "type='raw'");
    ck_assert(!strstr(raw, "shadow"));
}
END_TEST

/* The largest request: more files than Linux passes with one message; the rest is sent as paths. */
START_TEST(many_chains)
{
    g_auto(World) world = world_new();
    g_autofree char *below = NULL, *request = NULL, *xml = NULL;
    g_autoptr(GString) disks = g_string_new(NULL);
    unsigned n = 0;

    for (unsigned i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("layer%u", i);
        char *layer = make_qcow2(world.fixed, name, below, below ? "qcow2" : NULL);

        g_free(below);
        below = layer;
    }
    for (unsigned i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("disk%u", i);
        g_autofree char *disk = make_qcow2(world.fixed, name, below, "qcow2");

        g_string_append_printf(disks, "%s{'path': <'%s'>, 'format': <'qcow2'>}", i > 0 ? ", " : "", disk);
    }
    xml = world_launched(&world, NULL, "{'arch': <'x86_64'>, 'disks': <[%s]>}", disks->str);
    for (const char *at = xml; (at = strstr(at, "/layer")); at++)
        n++;
    ck_assert_uint_eq(n, 256);
}
END_TEST

/* What the header of an image may not name. */
static const struct {
    const char *backing, *format, *error, *words;
} forgeries[] = {
    {"/etc/shadow", "raw", "PolicyRefused",
     "'/etc/shadow' is not in any directory of [files] image-directories"},
    {"../../etc/shadow", "raw", "PolicyRefused", "has '..'"},
    {"json:{\"driver\":\"file\"}", "raw", "PolicyRefused", "is not a plain path"},
    {"nbd://host/disk", "raw", "PolicyRefused", "is not a plain path"},
    {"link", "raw", "PolicyRefused", "is a symbolic link"},
    {"secret", "raw", "PolicyRefused", "user 65534 may not read"},
    {"open/file", "raw", "PolicyRefused", "a directory that users other than root can modify"},
    {"base", NULL, "InvalidRequest", "does not name the format of its backing file"},
    {"base", "vmdk", "InvalidRequest", "format 'vmdk'"},
    {"base", "qcow2", "InvalidRequest", "/base': it is not a qcow2 image"},
    {"image", "qcow2", "InvalidRequest", "its backing chain is longer than 16 files"},
};

START_TEST(forged_headers)
{
    g_auto(World) world = world_new();
    g_autofree char *base = make_kernel(world.fixed, "base", PEOPLE_MEMBER, 0644);
    g_autofree char *secret = make_kernel(world.fixed, "secret", 0, 0600);
    g_autofree char *link = g_build_filename(world.fixed, "link", NULL);
    g_autofree char *directory = g_build_filename(world.fixed, "open", NULL), *inside = NULL;

    ck_assert_int_eq(symlink("/etc/shadow", link), 0);
    ck_assert_int_eq(g_mkdir(directory, 0777), 0);
    ck_assert_int_eq(g_chmod(directory, 0777), 0);
    inside = make_kernel(directory, "file", 0, 0644);
    for (size_t i = 0; i < G_N_ELEMENTS(forgeries); i++) {
        g_autofree char *image = make_qcow2(world.fixed, "image", forgeries[i].backing, forgeries[i].format);

        disk_refused(&world, forgeries[i].error, forgeries[i].words, quoted(image), "qcow2");
    }
    disk_refused(&world, "InvalidRequest", "it is not a qcow2 image", quoted(base), "qcow2");
}
END_TEST

/* --- A link that comes and goes --- */

/* libvirt only ever gets the caller's own file, however the name changes meanwhile. */
START_TEST(swapped)
{
    g_auto(World) world = world_new();
    g_autofree char *secret = world_file(world.fixed, "secret", "root's", strlen("root's"), 0, 0600);
    g_autofree char *mine = make_kernel(world.own, "mine", PEOPLE_MEMBER, 0644);
    g_autofree char *name = g_build_filename(world.own, "name", NULL), *value = quoted(name);
    g_autofree char *next = g_build_filename(world.own, "next", NULL);
    g_autofree char *text = g_strdup_printf(KERNEL, value);
    unsigned taken = 0, refusals = 0;

    for (unsigned i = 0; i < 60 || !taken || !refusals; i++) {
        HarnessPending pending;
        g_autoptr(sd_bus_message) answer = NULL;

        ck_assert_uint_lt(i, 30000);
        harness_send(world.member, harness_request(world.member, "Launch", text), &pending);
        for (unsigned turn = 0; !pending.answer; turn++) {
            g_unlink(next);
            ck_assert_int_eq(turn % 2 ? symlink(secret, next) : link(mine, next), 0);
            ck_assert_int_eq(g_rename(next, name), 0);
            while (sd_bus_process(world.member, NULL) > 0)
                ;
        }
        answer = harness_answer(&pending);
        if (sd_bus_message_is_method_error(answer, NULL)) {
            refusals++;
        } else {
            g_autofree char *xml = NULL, *copy = NULL, *bytes = NULL;
            const char *path;

            ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
            xml = world_xml(&world, path);
            copy = kernel_in(xml);
            ck_assert(g_file_get_contents(copy, &bytes, NULL, NULL));
            ck_assert_str_eq(bytes, "a kernel");
            ck_assert_str_ne(copy, name);
            people_allow(world.member, people_on_machine(world.member, path, "Kill"));
            taken++;
        }
    }
    printf("%u launches taken, %u refused\n", taken, refusals);
}
END_TEST

/* A list without files is ignored. */
START_TEST(none)
{
    g_auto(World) world = world_new();
    g_autofree char *xml = world_launched(&world, NULL, "{'arch': <'x86_64'>, 'disks': <@aa{sv} []>%s}", "");

    ck_assert_ptr_null(strstr(xml, "<disk"));
}
END_TEST

/* --- A user's own viommud --- */

/* The program is executed through a descriptor, but shows its name in the process list. */
static void assert_process_is_named(const Harness *harness)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/task/%d/children", harness->daemon_pid, harness->daemon_pid);
    g_autofree char *children = NULL, *comm = NULL, *name = NULL;

    ck_assert(g_file_get_contents(path, &children, NULL, NULL));
    comm = g_strdup_printf("/proc/%s/comm", g_strstrip(children));
    ck_assert_msg(g_file_get_contents(comm, &name, NULL, NULL), "no %s", comm);
    ck_assert_str_eq(name, "viommud-files\n");
}

START_TEST(own_daemon)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *kernel = make_kernel(harness->directory, "kernel", geteuid(), 0600);
    g_autofree char *link = g_build_filename(harness->directory, "link", NULL), *request = NULL, *path = NULL;
    g_autoptr(HarnessError) missing = NULL;

    ck_assert_int_eq(symlink(kernel, link), 0);
    request = g_strdup_printf("{'arch': <'x86_64'>, 'boot': <{'kernel': <'%s'>}>}", link);
    path = harness_launch(harness, request);
    missing = harness_refused(harness, "Launch", "{'boot': <{'kernel': <'/nonexistent'>}>}");
    harness_assert_error(missing, "InvalidRequest",
                         "boot.kernel '/nonexistent': viommud cannot open it: No such file or directory");
    assert_process_is_named(harness);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"files-by-path", &by_path},
    {"files-access-list", &access_list},
    {"files-rights-to-write", &rights_to_write},
    {"files-block-device", &block_device},
    {"files-copied", &copied},
    {"files-swept", &swept},
    {"files-by-descriptor", &by_descriptor},
    {"files-wrong-descriptors", &wrong_descriptors},
    {"files-chain", &chain},
    {"files-many-chains", &many_chains},
    {"files-forged-headers", &forged_headers},
    {"files-swapped", &swapped},
    {"files-none", &none},
    {"files-own-daemon", &own_daemon},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
