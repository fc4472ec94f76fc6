/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held-files: the owner of each descriptor, and threads for each user, which start and end as
 * needed. */
#include "daemon/process/held-files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "lib/base/error.h"

/* A share of all descriptors; for small limits, as in tests. */
#define USER_SHARE    16u
#define USER_AT_LEAST 64u

typedef struct User {
    uint32_t uid;
    unsigned held;
    GQueue closing; /* of GINT_TO_POINTER(fd): not yet taken by a thread */
    unsigned n_closers;
    /* when each closer began to close a file; 0: it is not closing */
    gint64 since_usec[VIOMMU_HELD_CLOSERS_MAX];
} User;

static GMutex lock;
static GHashTable *owners; /* descriptor -> User, borrowed */
static GHashTable *users;  /* uid -> User */

static User *find_user(uint32_t uid)
{
    User *user;

    if (!users) {
        users = g_hash_table_new(NULL, NULL);
        owners = g_hash_table_new(NULL, NULL);
    }
    user = g_hash_table_lookup(users, GUINT_TO_POINTER(uid));
    if (!user) {
        user = g_new0(User, 1);
        user->uid = uid;
        g_queue_init(&user->closing);
        g_hash_table_insert(users, GUINT_TO_POINTER(uid), user);
    }
    return user;
}

static void forget_if_idle(User *user)
{
    if (user->held > 0 || user->n_closers > 0)
        return;
    g_hash_table_remove(users, GUINT_TO_POINTER(user->uid));
    g_free(user);
}

/* Holds the lock, except during close(). */
static void close_one(User *user, gint64 *since_usec)
{
    int fd = GPOINTER_TO_INT(g_queue_pop_head(&user->closing));

    *since_usec = g_get_monotonic_time();
    g_mutex_unlock(&lock);
    close(fd);
    g_mutex_lock(&lock);
    *since_usec = 0;
    user->held--;
}

/* Each closer takes a place of its own. */
static gint64 *free_place(User *user)
{
    gint64 *place = user->since_usec;

    while (*place != 0)
        place++;
    return place;
}

static void *run_closer(void *data)
{
    User *user = data;

    g_mutex_lock(&lock);
    while (!g_queue_is_empty(&user->closing))
        close_one(user, free_place(user));
    user->n_closers--;
    forget_if_idle(user);
    g_mutex_unlock(&lock);
    return NULL;
}

/* If no thread can be started, the file is closed with the next one. */
static void start_closer(User *user)
{
    GThread *thread;

    if (user->n_closers >= VIOMMU_HELD_CLOSERS_MAX)
        return;
    thread = g_thread_try_new("closer", run_closer, user, NULL);
    if (!thread)
        return;
    user->n_closers++;
    g_thread_unref(thread);
}

/* Holds the lock. */
static void add(int fd, User *user)
{
    user->held++;
    g_hash_table_insert(owners, GINT_TO_POINTER(fd), user);
}

void viommu_held_add(int fd, uint32_t uid)
{
    g_mutex_lock(&lock);
    add(fd, find_user(uid));
    g_mutex_unlock(&lock);
}

int viommu_held_dup(int fd)
{
    User *user;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    g_mutex_lock(&lock);
    user = owners ? g_hash_table_lookup(owners, GINT_TO_POINTER(fd)) : NULL;
    if (user && copy >= 0)
        add(copy, user);
    g_mutex_unlock(&lock);
    return copy;
}

void viommu_held_add_all(const GArray *fds, uint32_t uid)
{
    for (guint i = 0; i < fds->len; i++)
        viommu_held_add(g_array_index(fds, int, i), uid);
}

void viommu_held_close(int fd)
{
    User *user;

    g_mutex_lock(&lock);
    user = owners ? g_hash_table_lookup(owners, GINT_TO_POINTER(fd)) : NULL;
    if (user) {
        /* Removed first: once it is closed, its number may mean another file. */
        g_hash_table_remove(owners, GINT_TO_POINTER(fd));
        g_queue_push_tail(&user->closing, GINT_TO_POINTER(fd));
        start_closer(user);
    }
    g_mutex_unlock(&lock);
    if (!user)
        close(fd);
}

void viommu_held_clear(void *fd)
{
    if (*(int *)fd >= 0)
        viommu_held_close(*(int *)fd);
}

GArray *viommu_held_array_new(void)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_set_clear_func(fds, viommu_held_clear);
    return fds;
}

static unsigned count_hanging(const User *user)
{
    gint64 begun_before = g_get_monotonic_time() - VIOMMU_HELD_CLOSE_USEC;
    unsigned n = 0;

    for (unsigned i = 0; i < VIOMMU_HELD_CLOSERS_MAX; i++)
        n += user->since_usec[i] != 0 && user->since_usec[i] < begun_before;
    return n;
}

static unsigned share_of_user(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return USER_AT_LEAST;
    return (unsigned)CLAMP(limit.rlim_cur / USER_SHARE, USER_AT_LEAST, G_MAXINT);
}

bool viommu_held_check(uint32_t uid, unsigned n, GError **error)
{
    const User *user;
    unsigned held = 0, hanging = 0, share = share_of_user();

    g_mutex_lock(&lock);
    user = users ? g_hash_table_lookup(users, GUINT_TO_POINTER(uid)) : NULL;
    if (user) {
        held = user->held;
        hanging = count_hanging(user);
    }
    g_mutex_unlock(&lock);
    if (hanging >= VIOMMU_HELD_CLOSERS_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "viommud cannot close %u files of user %u, because their file systems do not respond; send files again when these file systems work or are unmounted",
            held, uid);
    if (held + n > share)
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "pending calls of user %u already hold %u open files, of %u that one user may have (LimitNOFILE= of viommud.service); try again later",
            uid, held, share);
    return true;
}

unsigned viommu_held_count(uint32_t uid)
{
    const User *user;
    unsigned n;

    g_mutex_lock(&lock);
    user = users ? g_hash_table_lookup(users, GUINT_TO_POINTER(uid)) : NULL;
    n = user ? user->held : 0;
    g_mutex_unlock(&lock);
    return n;
}
