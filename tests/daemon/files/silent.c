/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/files/silent.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void answer(int fd, uint64_t unique, int code, const void *data, size_t size)
{
    uint8_t bytes[1024];
    const struct fuse_out_header header = {(uint32_t)(sizeof(header) + size), code, unique};

    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), data, size);
    if (write(fd, bytes, sizeof(header) + size) < 0)
        g_printerr("FUSE: %s\n", g_strerror(errno));
}

static struct fuse_attr attributes_of(uint64_t node)
{
    return (struct fuse_attr){.ino = node,
                              .size = 4096,
                              .nlink = 1,
                              .mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644};
}

static void serve(int fd, const struct fuse_in_header *question, const void *in)
{
    const struct fuse_init_out hello = {.major = FUSE_KERNEL_VERSION,
                                        .minor = MIN(((const struct fuse_init_in *)in)->minor, 31),
                                        .max_write = 4096};
    const struct fuse_attr_out attributes = {.attr_valid = 60, .attr = attributes_of(question->nodeid)};
    const struct fuse_entry_out entry = {
        .nodeid = 2, .entry_valid = 60, .attr_valid = 60, .attr = attributes_of(2)};
    const struct fuse_open_out open = {0};

    if (question->opcode == FUSE_INIT)
        answer(fd, question->unique, 0, &hello, sizeof(hello));
    else if (question->opcode == FUSE_GETATTR)
        answer(fd, question->unique, 0, &attributes, sizeof(attributes));
    else if (question->opcode == FUSE_LOOKUP)
        answer(fd, question->unique, 0, &entry, sizeof(entry));
    else if (question->opcode == FUSE_OPEN)
        answer(fd, question->unique, 0, &open, sizeof(open));
    else if (question->opcode != FUSE_READ && question->opcode != FUSE_FORGET &&
             question->opcode != FUSE_INTERRUPT)
        answer(fd, question->unique, -ENOSYS, "", 0);
}

static void *serve_all(void *data)
{
    const Silent *silent = data;
    g_autofree uint8_t *bytes = g_malloc(65536);

    while (read(silent->fd, bytes, 65536) >= (ssize_t)sizeof(struct fuse_in_header))
        serve(silent->fd, (const void *)bytes, bytes + sizeof(struct fuse_in_header));
    return NULL;
}

bool silent_mount(Silent *silent, const char *place, bool serves)
{
    g_autofree char *options = NULL;

    *silent = (Silent){.place = g_strdup(place), .fd = open("/dev/fuse", O_RDWR | O_CLOEXEC)};
    options = g_strdup_printf("fd=%d,rootmode=40000,user_id=0,group_id=0", silent->fd);
    ck_assert_int_eq(g_mkdir(silent->place, 0755), 0);
    if (silent->fd < 0 || mount("silent", silent->place, "fuse", 0, options) < 0) {
        g_print("skipped: no file system by FUSE: %s\n", g_strerror(errno));
        return false;
    }
    if (serves)
        silent->thread = g_thread_new("silent", serve_all, silent);
    return true;
}

/* The kernel closes the connection when it is unmounted. */
void silent_end(Silent *silent)
{
    if (!silent->place)
        return;
    if (umount2(silent->place, MNT_FORCE | MNT_DETACH) == 0 && silent->thread)
        g_thread_join(silent->thread);
    if (silent->fd >= 0)
        close(silent->fd);
    g_rmdir(silent->place);
    g_clear_pointer(&silent->place, g_free);
}
