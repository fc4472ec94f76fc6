/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool: opens connections on demand, checks each when it is lent, and replaces broken ones; also
 * translates libvirt's errors.  Does not know the purpose of the connections. */
#include "daemon/libvirt/internal.h"

#include <string.h>
#include "daemon/process/config.h"

/* The number of keepalive messages within the timeout; libvirtd answers them from its event loop,
 * not from a worker. */
#define KEEPALIVE_COUNT 5

#define REOPEN_WAIT_USEC (200 * 1000)

static const struct {
    int virt_code;
    ViommuError code;
} error_codes[] = {
    {VIR_ERR_NO_DOMAIN, VIOMMU_ERROR_NOT_FOUND},
    {VIR_ERR_DOM_EXIST, VIOMMU_ERROR_EXISTS},
    {VIR_ERR_RESOURCE_BUSY, VIOMMU_ERROR_BUSY},
    {VIR_ERR_OPERATION_TIMEOUT, VIOMMU_ERROR_BUSY},
};

ViommuError viommu_libvirt_error_code(int virt_code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(error_codes); i++)
        if (error_codes[i].virt_code == virt_code)
            return error_codes[i].code;
    return VIOMMU_ERROR_BACKEND;
}

bool viommu_libvirt_last_unsupported(void)
{
    static const int codes[] = {VIR_ERR_CONFIG_UNSUPPORTED, VIR_ERR_XML_ERROR, VIR_ERR_XML_DETAIL,
                                VIR_ERR_XML_INVALID_SCHEMA};
    int last = viommu_libvirt_last_code();

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (codes[i] == last)
            return true;
    return false;
}

int viommu_libvirt_last_code(void)
{
    virErrorPtr last = virGetLastError();

    return last ? last->code : VIR_ERR_OK;
}

bool viommu_libvirt_fail(GError **error, const char *what, ...)
{
    virErrorPtr last = virGetLastError();
    g_autofree char *prefix = NULL;
    va_list args;

    va_start(args, what);
    prefix = g_strdup_vprintf(what, args);
    va_end(args);
    if (last)
        return viommu_fail(error, viommu_libvirt_error_code(last->code), "%s: libvirt: %s (error %d)", prefix,
                           last->message, last->code);
    return viommu_fail(error, VIOMMU_ERROR_BACKEND, "%s: libvirt gave no reason", prefix);
}

struct ViommuPool {
    char *uri;
    unsigned size;
    unsigned timeout_sec;
    GMutex lock;
    GCond returned;
    /* Under lock: */
    GQueue idle;        /* of virConnectPtr, not lent */
    unsigned n_open;    /* idle, lent, and being opened */
    virConnectPtr only; /* the one connection of the test driver */
    bool was_there;     /* libvirt's daemon has answered once */
    /* since when libvirt's daemon does not answer, by the monotonic clock; 0: it does, as far as is
     * known */
    gint64 missing_usec;
    int generation; /* atomic */
};

ViommuPool *viommu_pool_new(const char *uri, unsigned size)
{
    ViommuPool *pool = g_new0(ViommuPool, 1);

    pool->uri = g_strdup(uri);
    pool->size = MAX(size, 1);
    pool->timeout_sec = VIOMMU_CONFIG_LIBVIRT_TIMEOUT_SEC;
    g_mutex_init(&pool->lock);
    g_cond_init(&pool->returned);
    g_queue_init(&pool->idle);
    return pool;
}

void viommu_pool_free(ViommuPool *pool)
{
    bool opening;

    if (!pool)
        return;
    for (virConnectPtr connection; (connection = g_queue_pop_head(&pool->idle)); pool->n_open--)
        virConnectClose(connection);
    if (pool->only)
        virConnectClose(pool->only);
    g_mutex_lock(&pool->lock);
    opening = pool->n_open > 0;
    g_mutex_unlock(&pool->lock);
    /* A thread that hangs in an opening may still return and use the pool. */
    if (opening)
        return;
    g_cond_clear(&pool->returned);
    g_mutex_clear(&pool->lock);
    g_free(pool->uri);
    g_free(pool);
}

void viommu_pool_set_timeout(ViommuPool *pool, unsigned seconds)
{
    pool->timeout_sec = MAX(seconds, 1);
}

const char *viommu_pool_uri(const ViommuPool *pool)
{
    return pool->uri;
}

bool viommu_pool_is_local(const ViommuPool *pool)
{
    return strstr(pool->uri, ":///") != NULL;
}

int viommu_pool_generation(ViommuPool *pool)
{
    return g_atomic_int_get(&pool->generation);
}

void viommu_pool_bump(ViommuPool *pool)
{
    g_atomic_int_inc(&pool->generation);
}

/* libvirt's message names a socket; a user needs to know which service to start. */
static void advise(const char *uri, GError **error)
{
    char *words;

    if (!error || !*error || !(g_str_has_prefix(uri, "qemu:///s")))
        return;
    words = g_strdup_printf(
        "%s; start libvirt's daemon (systemctl start libvirtd, or virtqemud), or use another engine: --connect='qemu:///embed?root=DIR' needs no daemon",
        (*error)->message);
    g_free((*error)->message);
    (*error)->message = words;
}

static virConnectPtr open_in_place(ViommuPool *pool, GError **error)
{
    virConnectPtr connection = virConnectOpen(pool->uri);
    int interval = (int)MAX(pool->timeout_sec / (KEEPALIVE_COUNT + 1), 1);

    if (!connection) {
        viommu_libvirt_fail(error, "cannot connect to '%s'", pool->uri);
        advise(pool->uri, error);
        return NULL;
    }
    /* A driver in this process reports that it has no keepalive. */
    if (virConnectSetKeepAlive(connection, interval, KEEPALIVE_COUNT) < 0)
        virResetLastError();
    return connection;
}

/* An opening under way.  virConnectOpen() never returns when the daemon hangs, and the keepalive
 * works only on an open connection.  So a thread of its own opens it, and the waiting caller gives
 * up in time.  The thread stays, and with it its slot in the pool, which bounds the number of such
 * threads. */
typedef struct Opening {
    ViommuPool *pool;
    int references; /* atomic: one of the thread, one of the waiting caller */
    GMutex lock;
    GCond done;
    /* Under lock: */
    bool is_done, abandoned;
    virConnectPtr connection;
    GError *error;
} Opening;

static void opening_unref(Opening *opening)
{
    if (!g_atomic_int_dec_and_test(&opening->references))
        return;
    g_clear_error(&opening->error);
    g_cond_clear(&opening->done);
    g_mutex_clear(&opening->lock);
    g_free(opening);
}

static void give_up_slot(ViommuPool *pool)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);

    pool->n_open--;
    g_cond_signal(&pool->returned);
}

static void *run_opening(void *data)
{
    Opening *opening = data;
    g_autoptr(GError) error = NULL;
    virConnectPtr connection = open_in_place(opening->pool, &error);
    bool abandoned;

    g_mutex_lock(&opening->lock);
    abandoned = opening->abandoned;
    if (!abandoned) {
        opening->is_done = true;
        opening->connection = connection;
        opening->error = g_steal_pointer(&error);
        g_cond_signal(&opening->done);
    }
    g_mutex_unlock(&opening->lock);
    if (abandoned) {
        if (connection)
            virConnectClose(connection);
        give_up_slot(opening->pool);
    }
    opening_unref(opening);
    return NULL;
}

/* *ret_slot_kept: a thread that still hangs keeps the slot. */
static virConnectPtr wait_for_opening(Opening *opening, bool *ret_slot_kept, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&opening->lock);
    gint64 end = g_get_monotonic_time() + opening->pool->timeout_sec * G_TIME_SPAN_SECOND;

    while (!opening->is_done && g_cond_wait_until(&opening->done, &opening->lock, end))
        ;
    if (!opening->is_done) {
        opening->abandoned = *ret_slot_kept = true;
        viommu_fail(
            error, VIOMMU_ERROR_BACKEND,
            "libvirt's daemon at '%s' accepts connections but did not reply within %u s; check its state (systemctl status libvirtd, or virtqemud)",
            opening->pool->uri, opening->pool->timeout_sec);
        return NULL;
    }
    if (opening->error)
        g_propagate_error(error, g_steal_pointer(&opening->error));
    return opening->connection;
}

/* Only another process can hang; and one thread must open all connections to a driver in this
 * process. */
static bool is_remote(const ViommuPool *pool)
{
    return !g_str_has_prefix(pool->uri, "test:") && !strstr(pool->uri, "/embed");
}

static virConnectPtr open_connection(ViommuPool *pool, bool *ret_slot_kept, GError **error)
{
    Opening *opening;
    GThread *thread;
    virConnectPtr connection;

    if (!is_remote(pool))
        return open_in_place(pool, error);
    opening = g_new0(Opening, 1);
    opening->pool = pool;
    opening->references = 2;
    g_mutex_init(&opening->lock);
    g_cond_init(&opening->done);
    thread = viommu_thread_start("libvirt-open", run_opening, opening, error);
    if (!thread) {
        opening_unref(opening);
        opening_unref(opening);
        return NULL;
    }
    g_thread_unref(thread);
    connection = wait_for_opening(opening, ret_slot_kept, error);
    opening_unref(opening);
    return connection;
}

/* Each connection to test:///FILE has domains of its own, and test:///default forgets all domains
 * when its last connection closes: so all callers share one, which the driver allows. */
static bool is_shared(const ViommuPool *pool)
{
    return g_str_has_prefix(pool->uri, "test:");
}

static virConnectPtr open_shared(ViommuPool *pool, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);

    if (!pool->only)
        pool->only = open_in_place(pool, error);
    if (pool->only)
        virConnectRef(pool->only);
    return pool->only;
}

virConnectPtr viommu_pool_open(ViommuPool *pool, GError **error)
{
    return is_shared(pool) ? open_shared(pool, error) : open_in_place(pool, error);
}

/* *ret_connection NULL: a slot is reserved, and the caller opens a connection. */
static bool take_idle(ViommuPool *pool, virConnectPtr *ret_connection, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);
    gint64 end = g_get_monotonic_time() + 2 * pool->timeout_sec * G_TIME_SPAN_SECOND;

    while (pool->idle.length == 0 && pool->n_open == pool->size)
        if (!g_cond_wait_until(&pool->returned, &pool->lock, end))
            return viommu_fail(
                error, VIOMMU_ERROR_BACKEND,
                "libvirt's daemon at '%s' does not reply: all %u connections wait for it; check its state (systemctl status libvirtd, or virtqemud)",
                pool->uri, pool->size);
    *ret_connection = g_queue_pop_head(&pool->idle);
    pool->n_open += !*ret_connection;
    return true;
}

/* --- A daemon that is restarting --- */

static void note_there(ViommuPool *pool)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);

    pool->was_there = true;
    pool->missing_usec = 0;
}

/* Whether waiting is worth it: the daemon answered before, and not too long ago. */
static bool is_restarting(ViommuPool *pool)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);
    gint64 now = g_get_monotonic_time();

    if (!pool->missing_usec)
        pool->missing_usec = now;
    return pool->was_there && now - pool->missing_usec < pool->timeout_sec * G_TIME_SPAN_SECOND;
}

/* The caller holds a slot, which is given up on failure, unless a thread keeps it. */
static virConnectPtr open_patiently(ViommuPool *pool, GError **error)
{
    for (;;) {
        g_autoptr(GError) cause = NULL;
        bool slot_kept = false;
        virConnectPtr connection = open_connection(pool, &slot_kept, &cause);

        if (connection) {
            note_there(pool);
            return connection;
        }
        if (slot_kept || !is_restarting(pool)) {
            if (!slot_kept)
                give_up_slot(pool);
            g_propagate_error(error, g_steal_pointer(&cause));
            return NULL;
        }
        g_usleep(REOPEN_WAIT_USEC);
    }
}

static virConnectPtr borrow(ViommuPool *pool, GError **error)
{
    virConnectPtr connection = NULL;

    if (is_shared(pool))
        return open_shared(pool, error);
    if (!take_idle(pool, &connection, error))
        return NULL;
    /* This costs no round trip: the event thread has seen the socket close. */
    if (connection && virConnectIsAlive(connection) == 1)
        return connection;
    if (connection) {
        virConnectClose(connection);
        viommu_pool_bump(pool);
    }
    return open_patiently(pool, error);
}

static void give_back(ViommuPool *pool, virConnectPtr connection)
{
    if (is_shared(pool)) {
        virConnectClose(connection);
        return;
    }
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);
    g_queue_push_head(&pool->idle, connection);
    g_cond_signal(&pool->returned);
}

/* When the connection breaks during a call, the daemon may have acted or not.  Calls that may be
 * repeated look at what exists, by UUID, and do the rest.  There is no third try, in case the call
 * itself makes the daemon crash. */
bool viommu_pool_call(ViommuPool *pool, ViommuPoolFunc func, void *data, bool again, GError **error)
{
    for (;; again = false) {
        g_autoptr(GError) cause = NULL;
        virConnectPtr connection = borrow(pool, error);
        if (!connection)
            return false;
        bool ok = func(connection, data, &cause);
        bool alive = virConnectIsAlive(connection) == 1;
        give_back(pool, connection);
        if (ok)
            return true;
        if (!alive && again)
            continue;
        if (!alive)
            g_prefix_error(&cause, "the connection to libvirt broke: ");
        g_propagate_error(error, g_steal_pointer(&cause));
        return false;
    }
}
