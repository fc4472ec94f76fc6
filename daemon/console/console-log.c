/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-log: opens the file for each write, so that a thousand machines do not hold a thousand
 * open files. */
#include "daemon/console/console-log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"

#define SUFFIX      ".log"
#define UUID_LENGTH 36
#define LEFT_OUT    "\n[viommud: the middle of this log was dropped]\n"

typedef int Fd;
static void fd_clear(Fd *fd)
{
    if (*fd >= 0)
        close(*fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fd, fd_clear)

static bool fail(const char *what, const char *path, int number, GError **error)
{
    return viommu_fail(error, number == ENOENT ? VIOMMU_ERROR_NOT_FOUND : VIOMMU_ERROR_BACKEND,
                       "cannot %s the console log '%s': %s", what, path, g_strerror(number));
}

/* --- Names --- */

typedef struct Parts {
    uint32_t uid;
    char *name; /* owned */
    char uuid[UUID_LENGTH + 1];
} Parts;

static void parts_clear(Parts *parts)
{
    g_free(parts->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parts, parts_clear)

char *viommu_console_log_path(const char *directory, uint32_t uid, const char *name, const char *uuid)
{
    return g_strdup_printf("%s/%u-%s-%s" SUFFIX, directory, uid, name, uuid);
}

static bool parse(const char *file, Parts *ret_parts)
{
    size_t length = strlen(file), rest = UUID_LENGTH + strlen("-" SUFFIX);
    const char *dash = strchr(file, '-');
    g_autofree char *digits = dash ? g_strndup(file, (size_t)(dash - file)) : NULL;
    guint64 uid;

    if (!dash || !g_str_has_suffix(file, SUFFIX) || length < (size_t)(dash + 1 - file) + rest ||
        !g_ascii_string_to_unsigned(digits, 10, 0, UINT32_MAX, &uid, NULL) || file[length - rest] != '-')
        return false;
    g_strlcpy(ret_parts->uuid, file + length - rest + 1, sizeof(ret_parts->uuid));
    if (!g_uuid_string_is_valid(ret_parts->uuid))
        return false;
    ret_parts->uid = (uint32_t)uid;
    ret_parts->name = g_strndup(dash + 1, length - rest - (size_t)(dash + 1 - file));
    return true;
}

/* --- Writing --- */

static bool write_at(int fd, const char *data, size_t size, off_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
        at += n;
    }
    return true;
}

/* Keeps the first half and the last quarter.  *ret_size: the size afterwards. */
static bool leave_out_middle(int fd, uint64_t limit, off_t *ret_size)
{
    off_t head = (off_t)(limit / 2 - strlen(LEFT_OUT)), at = head + (off_t)strlen(LEFT_OUT);
    size_t size = limit / 4;
    g_autofree char *last = g_malloc(size);

    if (pread(fd, last, size, *ret_size - (off_t)size) != (ssize_t)size ||
        !write_at(fd, LEFT_OUT, strlen(LEFT_OUT), head) || !write_at(fd, last, size, at) ||
        ftruncate(fd, at + (off_t)size) < 0)
        return false;
    *ret_size = at + (off_t)size;
    return true;
}

bool viommu_console_log_append(const char *path, uint64_t limit, const void *data, size_t size,
                               GError **error)
{
    g_auto(Fd) fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t most = limit / 4;
    struct stat info;

    if (fd < 0 || fstat(fd, &info) < 0)
        return fail("open", path, errno, error);
    if (size > most) {
        data = (const char *)data + (size - most);
        size = most;
    }
    if ((uint64_t)info.st_size + size > limit && !leave_out_middle(fd, limit, &info.st_size))
        return fail("shorten", path, errno, error);
    return write_at(fd, data, size, info.st_size) || fail("write to", path, errno, error);
}

bool viommu_console_log_open(const char *path, int *ret_fd, GError **error)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return fail("open", path, errno, error);
    *ret_fd = fd;
    return true;
}

/* --- What is there --- */

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);
}

char *viommu_console_log_find(const char *directory, const char *name, const uint32_t *uid)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_autofree char *found = NULL;
    struct timespec newest = {0};

    for (const char *file; dir && (file = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, file, NULL);
        g_auto(Parts) parts = {0};
        struct stat info;

        if (!parse(file, &parts) || (uid && parts.uid != *uid))
            continue;
        /* A user may have named a machine after the UUID of another user's machine. */
        if (g_str_equal(parts.uuid, name))
            return g_steal_pointer(&path);
        if (!g_str_equal(parts.name, name) || g_stat(path, &info) < 0 ||
            (found && !is_newer(&info.st_mtim, &newest)))
            continue;
        newest = info.st_mtim;
        g_free(found);
        found = g_steal_pointer(&path);
    }
    return g_steal_pointer(&found);
}

/* --- Logs of former versions --- */

/* What a log goes through on its way.  A viommud may be killed, or the disk full, at any point:
 *   1. part is made, of the target and the source; the source counts, and part does not.
 *   2. The source is renamed to taken: from now on part counts.
 *   3. part becomes the target, and taken goes. */
#define PART  ".part"
#define TAKEN ".taken"

typedef struct Move {
    char *source, *taken; /* in the former directory */
    char *part, *target;
} Move;

static void move_clear(Move *move)
{
    g_free(move->source);
    g_free(move->taken);
    g_free(move->part);
    g_free(move->target);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Move, move_clear)

/* False: @file is no log. */
static bool plan_move(const char *from, const char *file, const char *to, Move *ret_move)
{
    g_auto(Parts) parts = {0};
    g_autofree char *same = NULL;

    if (!parse(file, &parts))
        return false;
    same = viommu_console_log_find(to, parts.uuid, &parts.uid);
    ret_move->source = g_build_filename(from, file, NULL);
    ret_move->taken = g_strconcat(ret_move->source, TAKEN, NULL);
    ret_move->target = same ? g_strdup(same) : g_build_filename(to, file, NULL);
    ret_move->part = g_strconcat(ret_move->target, PART, NULL);
    return true;
}

/* A file that does not exist, or is no regular file, adds nothing. */
static bool append_all(const char *from, const char *path, uint64_t limit, struct timespec times[2],
                       GError **error)
{
    g_auto(Fd) fd = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    g_autofree char *data = g_malloc(limit / 4);
    struct stat info;
    ssize_t n;

    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0 || fstat(fd, &info) < 0)
        return fail("open", from, errno, error);
    if (!S_ISREG(info.st_mode))
        return true;
    while ((n = read(fd, data, limit / 4)) > 0)
        if (!viommu_console_log_append(path, limit, data, (size_t)n, error))
            return false;
    times[0] = info.st_atim;
    times[1] = info.st_mtim;
    return n == 0 || fail("read for", path, errno, error);
}

/* The log keeps the time of the source. */
static bool make_part(const Move *move, uint64_t limit, GError **error)
{
    struct timespec times[2] = {{0}, {0}};

    g_unlink(move->part);
    return viommu_console_log_append(move->part, limit, "", 0, error) &&
           append_all(move->target, move->part, limit, times, error) &&
           append_all(move->source, move->part, limit, times, error) &&
           (utimensat(AT_FDCWD, move->part, times, 0) == 0 || fail("date", move->part, errno, error));
}

/* Without a part, an earlier start has done this. */
static bool finish_move(const Move *move, GError **error)
{
    if (g_rename(move->part, move->target) < 0 && errno != ENOENT)
        return fail("move", move->target, errno, error);
    g_unlink(move->taken);
    return true;
}

static bool is_log(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bool take_over(const Move *move, uint64_t limit, GError **error)
{
    if (!is_log(move->source))
        return true;
    if (make_part(move, limit, error) &&
        (g_rename(move->source, move->taken) == 0 || fail("move", move->source, errno, error))) {
        if (finish_move(move, error))
            return true;
        (void)g_rename(move->taken, move->source);
    }
    g_unlink(move->part);
    return false;
}

/* Names in @directory that end in @ending, without it. Owned, of char. */
static GPtrArray *list_names(const char *directory, const char *ending)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

    for (const char *file; dir && (file = g_dir_read_name(dir));)
        if (g_str_has_suffix(file, ending))
            g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(ending)));
    return names;
}

bool viommu_console_log_take_over(const char *from, const char *to, uint64_t limit, GError **error)
{
    g_autoptr(GPtrArray) taken = list_names(from, TAKEN), all = NULL, parts = NULL;
    bool ok = true;

    /* What an earlier start left comes first: there may be a new source beside it. */
    for (guint i = 0; ok && i < taken->len; i++) {
        g_auto(Move) move = {0};

        ok = !plan_move(from, taken->pdata[i], to, &move) || finish_move(&move, error);
    }
    all = list_names(from, "");
    for (guint i = 0; ok && i < all->len; i++) {
        g_auto(Move) move = {0};

        ok = !plan_move(from, all->pdata[i], to, &move) || take_over(&move, limit, error);
    }
    /* Their sources were in memory, and the host was started anew. */
    parts = list_names(to, PART);
    for (guint i = 0; ok && i < parts->len; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s" PART, to, (char *)parts->pdata[i]);

        g_unlink(path);
    }
    return ok;
}

typedef struct Log {
    char *path; /* NULL: deleted */
    uint32_t uid;
    time_t written;
    uint64_t bytes;
    bool live; /* of a machine that is there: never deleted */
} Log;

static void clear_log(void *data)
{
    g_free(((Log *)data)->path);
}

/* By owner: the live ones first, then the newest. */
static int compare_logs(const void *a, const void *b)
{
    const Log *one = a, *other = b;

    if (one->uid != other->uid)
        return one->uid < other->uid ? -1 : 1;
    if (one->live != other->live)
        return one->live ? -1 : 1;
    return one->written == other->written ? 0 : one->written > other->written ? -1 : 1;
}

static GArray *list_logs(const char *directory, GHashTable *live)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    GArray *list = g_array_new(FALSE, FALSE, sizeof(Log));

    g_array_set_clear_func(list, clear_log);
    for (const char *file; dir && (file = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, file, NULL);
        g_auto(Parts) parts = {0};
        struct stat info;

        if (!parse(file, &parts) || g_stat(path, &info) < 0)
            continue;
        Log log = {g_steal_pointer(&path), parts.uid, info.st_mtim.tv_sec, (uint64_t)info.st_size,
                   g_hash_table_contains(live, parts.uuid)};
        g_array_append_val(list, log);
    }
    g_array_sort(list, compare_logs);
    return list;
}

/* The logs of one owner: a part of the list, with the oldest last. */
typedef struct Share {
    guint begin, end;
    uint64_t bytes;
} Share;

static int compare_shares(const void *a, const void *b)
{
    const Share *one = a, *other = b;

    return one->bytes == other->bytes ? 0 : one->bytes < other->bytes ? -1 : 1;
}

/* The sizes, smallest first; @list is sorted by owner. */
static GArray *share_out(const GArray *list)
{
    GArray *shares = g_array_new(FALSE, TRUE, sizeof(Share));

    for (guint i = 0; i < list->len; i++) {
        const Log *log = &g_array_index(list, Log, i);
        const Share share = {i, i, 0};

        if (i == 0 || g_array_index(list, Log, i - 1).uid != log->uid)
            g_array_append_val(shares, share);
        g_array_index(shares, Share, shares->len - 1).end = i + 1;
        g_array_index(shares, Share, shares->len - 1).bytes += log->bytes;
    }
    g_array_sort(shares, compare_shares);
    return shares;
}

/* The bound for each owner with which all logs together take at most @bytes; what one owner does
 * not use is left to the others. */
static uint64_t find_level(const GArray *shares, uint64_t bytes)
{
    for (guint i = 0; i < shares->len; i++) {
        uint64_t level = bytes / (shares->len - i), mine = g_array_index(shares, Share, i).bytes;

        if (mine > level)
            return level;
        bytes -= mine;
    }
    return UINT64_MAX;
}

static void delete_log(Log *log)
{
    g_unlink(log->path);
    g_clear_pointer(&log->path, g_free);
    log->bytes = 0;
}

/* Live logs count for their owner alone: a user whose guests print without end does not take the
 * others' share. */
static void sweep_bytes(GArray *list, uint64_t bytes)
{
    g_autoptr(GArray) shares = share_out(list);
    uint64_t level = find_level(shares, bytes);

    for (guint i = 0; i < shares->len; i++) {
        Share *share = &g_array_index(shares, Share, i);

        while (share->bytes > level && share->end > share->begin) {
            Log *log = &g_array_index(list, Log, --share->end);
            share->bytes -= log->bytes;
            if (log->path && !log->live)
                delete_log(log);
        }
    }
}

void viommu_console_log_sweep(const char *directory, const ViommuConsoleLogKeep *keep)
{
    g_autoptr(GArray) list = list_logs(directory, keep->live);
    time_t now = (time_t)(g_get_real_time() / G_USEC_PER_SEC);
    uint64_t of_owner = 0;

    for (guint i = 0; i < list->len; i++) {
        Log *log = &g_array_index(list, Log, i);

        if (i == 0 || g_array_index(list, Log, i - 1).uid != log->uid)
            of_owner = 0;
        if (!log->live && (++of_owner > keep->count || now - log->written > (time_t)keep->seconds))
            delete_log(log);
    }
    if (keep->bytes)
        sweep_bytes(list, keep->bytes);
}
