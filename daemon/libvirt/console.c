/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: reads the guests' serial consoles through libvirt's streams, and writes to them.  Does
 * not know their owners or their contents.
 * libvirt's event thread takes output off the connection at once, because libvirt would buffer it
 * without a bound.  Here it waits in a bounded buffer; what does not fit is dropped and counted.
 * Everything else may block: a guest that does not read its input can block a whole connection,
 * until the keepalive ends it.  So each lane has a connection of its own, and one thread at a time
 * works on it. */
#include "daemon/libvirt/internal.h"

#include "daemon/libvirt/console-lock.h"
#include "lib/domain/console.h"

/* Where libvirt locks terminals; often a link to /run/lock. */
#define LOCKS "/var/lock"
/* Bounds of the output that waits to be taken. */
#define PENDING_MAX     (64 * 1024)
#define PENDING_ALL_MAX (16 * 1024 * 1024)
#define CHUNK_MAX       (16 * 1024)
/* So many lanes may be stuck without harm to others. */
#define THREADS_MAX 16
/* The longest time that a guest's start waits for its console. */
#define OPEN_TIMEOUT_USEC (2 * G_TIME_SPAN_SECOND)
/* A guest in this process that reads no input for so long loses the input. */
#define SEND_TIMEOUT_USEC (2 * G_TIME_SPAN_SECOND)
#define SEND_PAUSE_USEC   (10 * 1000)

typedef struct Lane {
    ViommuConsoles *consoles;
    uint32_t id;
    virConnectPtr connection; /* of the thread that works on the lane */
    /* Under lock: */
    GQueue jobs;  /* of Job */
    bool running; /* a thread works on the lane */
    unsigned n_consoles;
} Lane;

typedef struct Console {
    gatomicrefcount references;
    ViommuConsoles *consoles;
    char uuid[37];
    Lane *lane;
    virStreamPtr stream; /* of the lane's thread, and of the event thread during a callback */
    /* Under lock: */
    ViommuConsoleNews *news; /* output and events to be taken */
    bool told;               /* the receiver knows of them */
    bool settled;            /* it is open, or its opening failed */
    /* it is closed, or a waiting job will close it; then the lane may be freed */
    bool over;
} Console;

typedef struct Job {
    void (*run)(struct Job *job);
    Console *console; /* a reference */
    GBytes *bytes;    /* to send; may be NULL */
} Job;

struct ViommuConsoles {
    ViommuPool *pool;
    ViommuConsoleFunc func;
    void *userdata;
    GThreadPool *threads;
    GMutex lock;
    GCond settled;
    /* Under lock: */
    GHashTable *table; /* UUID -> Console, a reference */
    GHashTable *lanes; /* id -> Lane */
    size_t pending;    /* bytes of all consoles */
};

static Console *console_ref(Console *console)
{
    g_atomic_ref_count_inc(&console->references);
    return console;
}

static void console_unref(void *data)
{
    Console *console = data;

    if (!g_atomic_ref_count_dec(&console->references))
        return;
    viommu_console_news_free(console->news);
    g_free(console);
}

void viommu_console_news_free(ViommuConsoleNews *news)
{
    if (!news)
        return;
    g_byte_array_unref(news->output);
    g_free(news->error);
    g_free(news);
}

/* --- Output and events to be taken --- */

static ViommuConsoleNews *news_of(Console *console)
{
    if (!console->news) {
        console->news = g_new0(ViommuConsoleNews, 1);
        console->news->output = g_byte_array_new();
    }
    return console->news;
}

/* Unlocks, so that the receiver may take at once. */
static void tell_unlocked(ViommuConsoles *consoles, Console *console)
{
    bool tell = !console->told;

    console->told = true;
    g_mutex_unlock(&consoles->lock);
    if (tell)
        consoles->func(console->uuid, consoles->userdata);
}

static void keep_output(ViommuConsoles *consoles, Console *console, const char *data, size_t size)
{
    ViommuConsoleNews *news;
    size_t room;

    g_mutex_lock(&consoles->lock);
    news = news_of(console);
    room = MIN(PENDING_MAX - news->output->len, PENDING_ALL_MAX - consoles->pending);
    if (size > room)
        news->lost += size - room;
    g_byte_array_append(news->output, (const guint8 *)data, (guint)MIN(size, room));
    consoles->pending += MIN(size, room);
    tell_unlocked(consoles, console);
}

ViommuConsoleNews *viommu_consoles_take(ViommuConsoles *consoles, const char *uuid)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&consoles->lock);
    Console *console = g_hash_table_lookup(consoles->table, uuid);
    ViommuConsoleNews *news;

    if (!console || !console->news)
        return NULL;
    news = g_steal_pointer(&console->news);
    consoles->pending -= news->output->len;
    console->told = false;
    if (news->ended)
        g_hash_table_remove(consoles->table, uuid);
    return news;
}

/* --- Lanes --- */

static void push_job(Console *console, void (*run)(Job *job), GBytes *bytes)
{
    Lane *lane = console->lane;
    Job *job = g_new(Job, 1);

    *job = (Job){run, console_ref(console), bytes};
    g_queue_push_tail(&lane->jobs, job);
    if (!lane->running)
        g_thread_pool_push(lane->consoles->threads, lane, NULL);
    lane->running = true;
}

static void free_lane(Lane *lane)
{
    if (lane->connection)
        virConnectClose(lane->connection);
    g_free(lane);
}

/* NULL: no job is left, and the lane may be freed. */
static Job *next_job(Lane *lane)
{
    ViommuConsoles *consoles = lane->consoles;
    Job *job;
    bool empty;

    g_mutex_lock(&consoles->lock);
    job = g_queue_pop_head(&lane->jobs);
    lane->running = job != NULL;
    empty = !job && lane->n_consoles == 0;
    if (empty)
        g_hash_table_remove(consoles->lanes, GUINT_TO_POINTER(lane->id));
    g_mutex_unlock(&consoles->lock);
    if (empty)
        free_lane(lane);
    return job;
}

static void run_lane(void *data, void *unused)
{
    Job *job;

    while ((job = next_job(data))) {
        job->run(job);
        console_unref(job->console);
        if (job->bytes)
            g_bytes_unref(job->bytes);
        g_free(job);
    }
    virResetLastError();
}

/* --- The jobs --- */

static void job_close(Job *job)
{
    Console *console = job->console;
    ViommuConsoles *consoles = console->consoles;

    if (console->stream) {
        virStreamAbort(console->stream);
        virStreamFree(g_steal_pointer(&console->stream));
    }
    g_mutex_lock(&consoles->lock);
    console->lane->n_consoles--;
    g_mutex_unlock(&consoles->lock);
}

/* @error NULL: the guest closed it.  Its lane closes the stream. */
static void end_console(Console *console, const char *error)
{
    ViommuConsoles *consoles = console->consoles;
    ViommuConsoleNews *news;

    g_mutex_lock(&consoles->lock);
    console->settled = true;
    g_cond_broadcast(&consoles->settled);
    if (console->over) {
        g_mutex_unlock(&consoles->lock);
        return;
    }
    console->over = true;
    news = news_of(console);
    news->ended = true;
    news->error = g_strdup(error);
    push_job(console, job_close, NULL);
    tell_unlocked(consoles, console);
}

/* Runs on libvirt's event thread. */
static void on_stream(virStreamPtr stream, int events, void *opaque)
{
    static char buffer[CHUNK_MAX];
    Console *console = opaque;
    int n = -2;

    if (events & VIR_STREAM_EVENT_READABLE)
        n = virStreamRecv(stream, buffer, sizeof(buffer));
    if (n > 0) {
        keep_output(console->consoles, console, buffer, (size_t)n);
        return;
    }
    if (n == -2 && !(events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)))
        return;
    virStreamEventRemoveCallback(stream);
    end_console(console, n == -1 ? "libvirt's stream broke" : NULL);
    virResetLastError();
}

static bool connect_lane(Lane *lane, GError **error)
{
    /* The streams of a dead connection learn of its end themselves, and reference it until they are
     * closed. */
    if (lane->connection && virConnectIsAlive(lane->connection) != 1)
        virConnectClose(g_steal_pointer(&lane->connection));
    if (!lane->connection)
        lane->connection = viommu_pool_open(lane->consoles->pool, error);
    return lane->connection;
}

/* libvirt's daemon must not read a stranger's file while it opens the terminal. */
static bool take_lock(const Console *console, virDomainPtr domain, char **ret_lock, GError **error)
{
    bool local = viommu_pool_is_local(console->consoles->pool);
    g_autofree char *xml = local ? virDomainGetXMLDesc(domain, 0) : NULL;
    g_autofree char *terminal = xml ? viommu_domain_console_terminal(xml) : NULL;

    return !terminal || viommu_console_lock_take(LOCKS, terminal, ret_lock, error);
}

static bool open_console_of(const Console *console, virDomainPtr domain, virStreamPtr stream, GError **error)
{
    char *lock = NULL;
    bool ok = take_lock(console, domain, &lock, error);

    if (!ok) {
        g_prefix_error(error, "cannot open the console of domain '%s': ", console->uuid);
        return false;
    }
    ok = virDomainOpenConsole(domain, NULL, stream, 0) == 0;
    if (!ok)
        viommu_libvirt_fail(error, "cannot open the console of domain '%s'", console->uuid);
    viommu_console_lock_release(lock);
    return ok;
}

static bool open_stream(Console *console, virStreamPtr *ret_stream, GError **error)
{
    virDomainPtr domain = NULL;
    virStreamPtr stream = NULL;
    bool ok;

    if (!connect_lane(console->lane, error))
        return false;
    domain = virDomainLookupByUUIDString(console->lane->connection, console->uuid);
    stream = domain ? virStreamNew(console->lane->connection, VIR_STREAM_NONBLOCK) : NULL;
    if (!stream)
        viommu_libvirt_fail(error, "cannot open the console of domain '%s'", console->uuid);
    ok = stream && open_console_of(console, domain, stream, error);
    if (ok)
        *ret_stream = stream;
    if (!ok && stream)
        virStreamFree(stream);
    if (domain)
        virDomainFree(domain);
    return ok;
}

static void settle_open(Console *console)
{
    ViommuConsoles *consoles = console->consoles;

    g_mutex_lock(&consoles->lock);
    console->settled = true;
    g_cond_broadcast(&consoles->settled);
    news_of(console)->opened = true;
    tell_unlocked(consoles, console);
}

static void job_open(Job *job)
{
    const int events = VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_HANGUP | VIR_STREAM_EVENT_ERROR;
    Console *console = job->console;
    g_autoptr(GError) error = NULL;

    if (!open_stream(console, &console->stream, &error)) {
        end_console(console, error->message);
        return;
    }
    settle_open(console);
    /* The callback's reference; the callback may be running when it is removed. */
    console_ref(console);
    if (virStreamEventAddCallback(console->stream, events, on_stream, console, console_unref) == 0)
        return;
    console_unref(console);
    viommu_libvirt_fail(&error, "cannot watch the console of domain '%s'", console->uuid);
    end_console(console, error->message);
}

/* Only drivers in this process ever report that the stream would block; libvirt's daemon
 * buffers. */
static void send_all(virStreamPtr stream, const char *data, size_t size)
{
    gint64 end = g_get_monotonic_time() + SEND_TIMEOUT_USEC;

    while (size > 0 && g_get_monotonic_time() < end) {
        int n = virStreamSend(stream, data, size);

        if (n == -1)
            return;
        if (n == -2) {
            g_usleep(SEND_PAUSE_USEC);
            continue;
        }
        data += n;
        size -= (size_t)n;
        end = g_get_monotonic_time() + SEND_TIMEOUT_USEC;
    }
}

static void job_send(Job *job)
{
    Console *console = job->console;
    ViommuConsoles *consoles = console->consoles;
    size_t size;
    const char *data = g_bytes_get_data(job->bytes, &size);

    if (console->stream)
        send_all(console->stream, data, size);
    g_mutex_lock(&consoles->lock);
    news_of(console)->sent = true;
    tell_unlocked(consoles, console);
}

/* At the end: callers no longer receive news. */
static void job_drop(Job *job)
{
    if (job->console->stream)
        virStreamEventRemoveCallback(job->console->stream);
    job_close(job);
}

/* --- The calls --- */

static Lane *find_lane(ViommuConsoles *consoles, uint32_t id)
{
    Lane *lane = g_hash_table_lookup(consoles->lanes, GUINT_TO_POINTER(id));

    if (lane)
        return lane;
    lane = g_new0(Lane, 1);
    lane->consoles = consoles;
    lane->id = id;
    g_queue_init(&lane->jobs);
    g_hash_table_insert(consoles->lanes, GUINT_TO_POINTER(id), lane);
    return lane;
}

/* Locked.  Borrowed. */
static Console *open_console(ViommuConsoles *consoles, const char *uuid, uint32_t lane)
{
    Console *console = g_hash_table_lookup(consoles->table, uuid);

    if (console)
        return console;
    console = g_new0(Console, 1);
    g_atomic_ref_count_init(&console->references);
    console->consoles = consoles;
    g_strlcpy(console->uuid, uuid, sizeof(console->uuid));
    console->lane = find_lane(consoles, lane);
    console->lane->n_consoles++;
    g_hash_table_insert(consoles->table, console->uuid, console);
    push_job(console, job_open, NULL);
    return console;
}

void viommu_consoles_open(ViommuConsoles *consoles, const char *uuid, uint32_t lane)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&consoles->lock);

    open_console(consoles, uuid, lane);
}

void viommu_consoles_open_now(ViommuConsoles *consoles, const char *uuid, uint32_t lane)
{
    gint64 end = g_get_monotonic_time() + OPEN_TIMEOUT_USEC;
    Console *console;

    g_mutex_lock(&consoles->lock);
    console = console_ref(open_console(consoles, uuid, lane));
    while (!console->settled && g_cond_wait_until(&consoles->settled, &consoles->lock, end))
        ;
    g_mutex_unlock(&consoles->lock);
    console_unref(console);
}

void viommu_consoles_send(ViommuConsoles *consoles, const char *uuid, GBytes *bytes)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&consoles->lock);
    Console *console = g_hash_table_lookup(consoles->table, uuid);

    if (console && !console->over)
        push_job(console, job_send, bytes);
    else
        g_bytes_unref(bytes);
}

ViommuConsoles *viommu_consoles_new(ViommuPool *pool, ViommuConsoleFunc func, void *userdata)
{
    ViommuConsoles *consoles = g_new0(ViommuConsoles, 1);

    consoles->pool = pool;
    consoles->func = func;
    consoles->userdata = userdata;
    consoles->table = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, console_unref);
    consoles->lanes = g_hash_table_new(NULL, NULL);
    consoles->threads = g_thread_pool_new(run_lane, NULL, THREADS_MAX, FALSE, NULL);
    g_mutex_init(&consoles->lock);
    g_cond_init(&consoles->settled);
    return consoles;
}

static void drop_all(ViommuConsoles *consoles)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&consoles->lock);
    GHashTableIter iterator;
    void *value;

    g_hash_table_iter_init(&iterator, consoles->table);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        Console *console = value;

        console->told = true;
        if (!console->over)
            push_job(console, job_drop, NULL);
        console->over = true;
    }
}

void viommu_consoles_stop(ViommuConsoles *consoles)
{
    if (!consoles)
        return;
    drop_all(consoles);
    /* Waits for the lanes; the last job of each closes its connection. */
    g_thread_pool_free(g_steal_pointer(&consoles->threads), FALSE, TRUE);
}

void viommu_consoles_free(ViommuConsoles *consoles)
{
    if (!consoles)
        return;
    g_hash_table_unref(consoles->table);
    g_hash_table_unref(consoles->lanes);
    g_cond_clear(&consoles->settled);
    g_mutex_clear(&consoles->lock);
    g_free(consoles);
}
