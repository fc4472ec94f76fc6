/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysroot: reads small files below a directory.  Knows no file of the hardware by name. */
#include "lib/host/sysroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/enum.h"
#include "lib/base/error.h"

struct ViommuRoot {
    int fd;
    bool confined; /* links must not lead out of it */
};

/* The path of a call with a format. */
#define PATH_OF(path, format)                   \
    g_autofree char *path = NULL;               \
    va_list arguments;                          \
    va_start(arguments, format);                \
    path = g_strdup_vprintf(format, arguments); \
    va_end(arguments)

ViommuRoot *viommu_root_open(const char *path, GError **error)
{
    ViommuRoot *root;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        viommu_fail(error, VIOMMU_ERROR_NOT_FOUND, "cannot open directory '%s': %s", path, g_strerror(errno));
        return NULL;
    }
    root = g_new0(ViommuRoot, 1);
    root->fd = fd;
    root->confined = !g_str_equal(path, "/");
    return root;
}

void viommu_root_close(ViommuRoot *root)
{
    if (!root)
        return;
    close(root->fd);
    g_free(root);
}

/* Never wait for a file that is a pipe or a terminal. */
static int open_below(const ViommuRoot *root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

    if (flags & O_PATH)
        how.flags &= ~(uint64_t)(O_NONBLOCK | O_NOCTTY);
    if (!root->confined)
        return openat(root->fd, path, (int)how.flags);
    /* While anything on this machine is renamed, a path with ".." fails with EAGAIN: try again. */
    for (int tries = 0; tries < 10000; tries++) {
        int fd = (int)syscall(__NR_openat2, root->fd, path, &how, sizeof how);

        if (fd >= 0 || errno != EAGAIN)
            return fd;
    }
    return -1;
}

/* Files of /sys do not report their size.  Returns the number of bytes, at most @max; negative:
 * errno. */
static ssize_t read_all(int fd, char *buffer, size_t max)
{
    struct stat st;
    size_t length = 0;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    while (length < max && (n = read(fd, buffer + length, max - length)) != 0) {
        if (n < 0 && errno != EINTR)
            return -errno;
        length += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)length;
}

char **viommu_root_process_lines(const ViommuRoot *root, const char *name, size_t max)
{
    static const char *const places[] = {"proc/1", "proc/self", "proc"};

    for (size_t i = 0; i < (root->confined ? G_N_ELEMENTS(places) : 1); i++) {
        g_autofree char *path = g_build_filename(places[i], name, NULL);
        char **lines = viommu_root_lines(root, path, max);

        if (lines)
            return lines;
    }
    return NULL;
}

GBytes *viommu_root_bytes(const ViommuRoot *root, const char *path, size_t max, int *ret_errno)
{
    int fd = open_below(root, path, O_RDONLY);
    g_autofree char *buffer = NULL;
    ssize_t length;

    if (fd < 0) {
        *ret_errno = errno;
        return NULL;
    }
    buffer = g_malloc(max + 1);
    length = read_all(fd, buffer, max + 1);
    close(fd);
    if (length < 0 || (size_t)length > max) {
        *ret_errno = length < 0 ? (int)-length : EFBIG;
        return NULL;
    }
    return g_bytes_new(buffer, (size_t)length);
}

static char *read_text(const ViommuRoot *root, const char *path)
{
    int unused = 0;
    g_autoptr(GBytes) bytes = viommu_root_bytes(root, path, VIOMMU_ROOT_TEXT_MAX, &unused);
    size_t length = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;

    /* An empty file has no data at all. */
    if (!data || memchr(data, 0, length) || !g_utf8_validate(data, (gssize)length, NULL))
        return NULL;
    return g_strchomp(g_strndup(data, length));
}

char *viommu_root_text(const ViommuRoot *root, const char *format, ...)
{
    PATH_OF(path, format);
    return read_text(root, path);
}

char *viommu_root_release(const ViommuRoot *root)
{
    char *release = read_text(root, "proc/sys/kernel/osrelease");
    struct utsname name;

    return release || root->confined || uname(&name) < 0 ? release : g_strdup(name.release);
}

bool viommu_root_number(const ViommuRoot *root, uint64_t *ret_number, const char *format, ...)
{
    g_autofree char *text = NULL;
    bool hexadecimal;
    PATH_OF(path, format);

    text = read_text(root, path);
    if (!text)
        return false;
    hexadecimal = g_str_has_prefix(text, "0x");
    return g_ascii_string_to_unsigned(text + (hexadecimal ? 2 : 0), hexadecimal ? 16 : 10, 0, G_MAXUINT64 - 1,
                                      ret_number, NULL);
}

static char *read_link(const ViommuRoot *root, const char *path)
{
    char target[1024];
    ssize_t length;
    int fd;

    fd = open_below(root, path, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    length = readlinkat(fd, "", target, sizeof target);
    close(fd);
    if (length <= 0 || (size_t)length == sizeof target || !g_utf8_validate(target, length, NULL))
        return NULL;
    target[length] = 0;
    return g_strdup(target);
}

char *viommu_root_link(const ViommuRoot *root, const char *format, ...)
{
    g_autofree char *target = NULL;
    PATH_OF(path, format);

    target = read_link(root, path);
    return target ? g_path_get_basename(target) : NULL;
}

char *viommu_root_target(const ViommuRoot *root, const char *format, ...)
{
    PATH_OF(path, format);

    return read_link(root, path);
}

char **viommu_root_lines(const ViommuRoot *root, const char *path, size_t max)
{
    int reason;
    g_autoptr(GBytes) bytes = viommu_root_bytes(root, path, max, &reason);
    g_autofree char *text = NULL;
    const char *data;
    size_t length;

    if (!bytes)
        return NULL;
    /* An empty file has no data at all. */
    data = g_bytes_get_data(bytes, &length);
    text = g_strndup(data ? data : "", length);
    return g_strsplit(text, "\n", -1);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **viommu_root_list(const ViommuRoot *root, const char *format, ...)
{
    GPtrArray *names;
    DIR *directory;
    int fd;
    PATH_OF(path, format);

    fd = open_below(root, path, O_RDONLY | O_DIRECTORY);
    directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    names = g_ptr_array_new();
    for (struct dirent *entry; names->len < VIOMMU_ROOT_LIST_MAX && (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && g_utf8_validate(entry->d_name, -1, NULL))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    closedir(directory);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

bool viommu_root_exists(const ViommuRoot *root, const char *format, ...)
{
    int fd;
    PATH_OF(path, format);

    fd = open_below(root, path, O_PATH | O_NOFOLLOW);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int viommu_root_usable(const ViommuRoot *root, const char *format, ...)
{
    struct stat st;
    int fd, usable = VIOMMU_UNSET;
    PATH_OF(path, format);

    /* Opening a device may have an effect; its attributes do not need that. */
    fd = open_below(root, path, O_PATH);
    if (fd < 0)
        return errno == EACCES ? 0 : VIOMMU_UNSET;
    if (fstat(fd, &st) == 0) {
        g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", fd);

        usable = faccessat(AT_FDCWD, self, R_OK | W_OK, AT_EACCESS) == 0;
    }
    close(fd);
    return usable;
}
