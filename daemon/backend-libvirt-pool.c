/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend-libvirt-pool: connections that are opened on demand, checked when lent, and replaced when dead; and the
 * translation of libvirt's errors.  Does not know what the connections are used for. */
#include "daemon/backend-libvirt.h"

#include <string.h>

/* libvirtd that is stuck for this long counts as gone; it answers from its event loop, not from a worker. */
#define KEEPALIVE_INTERVAL_SEC 5
#define KEEPALIVE_COUNT        6

/* A daemon that was just killed may still take a new connection and drop it; its successor is there in a moment. */
#define REOPEN_ATTEMPTS  3
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
        g_set_error(error, VIOMMU_ERROR, viommu_libvirt_error_code(last->code), "%s: libvirt: %s (error %d)",
                    prefix, last->message, last->code);
    else
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "%s: libvirt gives no reason", prefix);
    return false;
}

struct ViommuPool {
    char *uri;
    unsigned size;
    GMutex lock;
    GCond returned;
    /* Under lock: */
    GQueue idle;        /* of virConnectPtr */
    unsigned n_open;    /* idle and lent */
    virConnectPtr only; /* the test driver's */
    int generation;     /* atomic */
};

ViommuPool *viommu_pool_new(const char *uri, unsigned size)
{
    ViommuPool *pool = g_new0(ViommuPool, 1);

    pool->uri = g_strdup(uri);
    pool->size = MAX(size, 1);
    g_mutex_init(&pool->lock);
    g_cond_init(&pool->returned);
    g_queue_init(&pool->idle);
    return pool;
}

void viommu_pool_free(ViommuPool *pool)
{
    if (!pool)
        return;
    g_assert(pool->n_open == pool->idle.length);
    for (virConnectPtr connection; (connection = g_queue_pop_head(&pool->idle));)
        virConnectClose(connection);
    if (pool->only)
        virConnectClose(pool->only);
    g_cond_clear(&pool->returned);
    g_mutex_clear(&pool->lock);
    g_free(pool->uri);
    g_free(pool);
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

/* libvirt's words name a socket; a person wants to know what to start. */
static void advise(const char *uri, GError **error)
{
    char *words;

    if (!error || !*error || !(g_str_has_prefix(uri, "qemu:///s")))
        return;
    words = g_strdup_printf(
        "%s; start libvirt's daemon (systemctl start libvirtd, or virtqemud), or name another engine: "
        "--connect='qemu:///embed?root=DIR' needs no daemon",
        (*error)->message);
    g_free((*error)->message);
    (*error)->message = words;
}

static virConnectPtr open_connection(ViommuPool *pool, GError **error)
{
    virConnectPtr connection = virConnectOpen(pool->uri);

    if (!connection) {
        viommu_libvirt_fail(error, "cannot connect to '%s'", pool->uri);
        advise(pool->uri, error);
        return NULL;
    }
    /* Drivers inside this process have nobody to keep alive and say so. */
    if (virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL_SEC, KEEPALIVE_COUNT) < 0)
        virResetLastError();
    return connection;
}

/* Each connection to test:///FILE is a world of its own, and test:///default forgets all when the last one closes:
 * there is one for everybody, which the driver allows. */
static bool is_shared(const ViommuPool *pool)
{
    return g_str_has_prefix(pool->uri, "test:");
}

static virConnectPtr open_shared(ViommuPool *pool, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);

    if (!pool->only)
        pool->only = open_connection(pool, error);
    if (pool->only)
        virConnectRef(pool->only);
    return pool->only;
}

virConnectPtr viommu_pool_open(ViommuPool *pool, GError **error)
{
    return is_shared(pool) ? open_shared(pool, error) : open_connection(pool, error);
}

/* NULL with a slot reserved: the caller opens one. */
static virConnectPtr take_idle(ViommuPool *pool)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);

    while (pool->idle.length == 0 && pool->n_open == pool->size)
        g_cond_wait(&pool->returned, &pool->lock);
    if (pool->idle.length > 0)
        return g_queue_pop_head(&pool->idle);
    pool->n_open++;
    return NULL;
}

static void give_up_slot(ViommuPool *pool)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool->lock);

    pool->n_open--;
    g_cond_signal(&pool->returned);
}

/* In place of @dead. */
static virConnectPtr reopen(ViommuPool *pool, virConnectPtr dead, GError **error)
{
    g_autoptr(GError) cause = NULL;

    virConnectClose(dead);
    viommu_pool_bump(pool);
    for (int attempt = 1;; attempt++) {
        g_clear_error(&cause);
        virConnectPtr connection = open_connection(pool, &cause);
        if (connection)
            return connection;
        if (attempt == REOPEN_ATTEMPTS)
            break;
        g_usleep(REOPEN_WAIT_USEC);
    }
    g_propagate_error(error, g_steal_pointer(&cause));
    return NULL;
}

static virConnectPtr borrow(ViommuPool *pool, GError **error)
{
    virConnectPtr connection;

    if (is_shared(pool))
        return open_shared(pool, error);
    connection = take_idle(pool);
    if (!connection)
        connection = open_connection(pool, error);
    else if (virConnectIsAlive(connection) !=
             1) /* costs no round trip: the event thread has seen the socket close */
        connection = reopen(pool, connection, error);
    if (!connection)
        give_up_slot(pool);
    return connection;
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
