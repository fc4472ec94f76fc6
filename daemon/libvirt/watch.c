/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch: runs libvirt's event loop, keeps one connection open for events, reopens it when libvirt's
 * daemon has ended, and turns events into news.  Does not know whose domains they are. */
#include "daemon/libvirt/internal.h"

#include <signal.h>

/* --- libvirt's event loop --- */

/* After the stop, libvirt frees removed handles in later rounds of its loop; allow a few. */
#define STOP_ROUNDS  3
#define STOP_TICK_MS 1

static struct {
    GThread *thread;
    int timer;
    int rounds; /* event thread only */
} event_thread;

static void on_tick(int timer, void *opaque)
{
    event_thread.rounds++;
}

static void *run_event_loop(void *data)
{
    while (event_thread.rounds < STOP_ROUNDS)
        if (virEventRunDefaultImpl() < 0)
            virResetLastError();
    virEventRemoveTimeout(event_thread.timer);
    return NULL;
}

GThread *viommu_thread_start(const char *name, GThreadFunc func, void *data, GError **error)
{
    g_autoptr(GError) cause = NULL;
    sigset_t all, before;
    GThread *thread;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread = g_thread_try_new(name, func, data, &cause);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!thread)
        viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot start thread '%s': %s", name, cause->message);
    return thread;
}

bool viommu_event_thread_start(GError **error)
{
    static bool registered;

    if (event_thread.thread)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "libvirt's only event loop is already in use");
    if (!registered && virEventRegisterDefaultImpl() < 0)
        return viommu_libvirt_fail(error, "cannot register an event loop");
    registered = true;
    event_thread.rounds = 0;
    event_thread.timer = virEventAddTimeout(-1, on_tick, NULL, NULL);
    if (event_thread.timer < 0)
        return viommu_libvirt_fail(error, "cannot add a timer to the event loop");
    event_thread.thread = viommu_thread_start("libvirt-events", run_event_loop, NULL, error);
    if (!event_thread.thread)
        virEventRemoveTimeout(event_thread.timer);
    return event_thread.thread;
}

void viommu_event_thread_stop(void)
{
    if (!event_thread.thread)
        return;
    virEventUpdateTimeout(event_thread.timer, STOP_TICK_MS);
    g_thread_join(g_steal_pointer(&event_thread.thread));
}

/* --- Events to news --- */

static const struct {
    int event, detail; /* detail -1: any */
    ViommuNewsKind kind;
    const char *text;
} lifecycle[] = {
    {VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_ADDED, VIOMMU_NEWS_DEFINED, NULL},
    {VIR_DOMAIN_EVENT_STARTED, -1, VIOMMU_NEWS_STARTED, NULL},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, VIOMMU_NEWS_SHUTDOWN,
     "the guest powered off"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, VIOMMU_NEWS_DESTROYED,
     "the guest was destroyed"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, VIOMMU_NEWS_CRASHED, "the guest crashed"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED, VIOMMU_NEWS_CRASHED,
     "QEMU ended without a shutdown"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, VIOMMU_NEWS_DESTROYED,
     "the guest was migrated away"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SAVED, VIOMMU_NEWS_SAVED,
     "the guest was saved to a file"},
    {VIR_DOMAIN_EVENT_STOPPED, -1, VIOMMU_NEWS_DESTROYED, "the guest was stopped"},
    /* libvirt ends a panicked guest next; one that continues in a crash kernel (CRASHLOADED) has
     * not ended. */
    {VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED, VIOMMU_NEWS_PANICKED, "the guest panicked"},
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED, VIOMMU_NEWS_SUSPENDED, NULL},
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_IOERROR, VIOMMU_NEWS_IO_ERROR, NULL},
    {VIR_DOMAIN_EVENT_SUSPENDED, -1, VIOMMU_NEWS_HALTED, NULL},
    {VIR_DOMAIN_EVENT_RESUMED, -1, VIOMMU_NEWS_RESUMED, NULL},
    {VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED, VIOMMU_NEWS_UNDEFINED, NULL},
};

/* By virConnectCloseReason. */
static const char *const close_reasons[] = {
    "libvirt's connection failed",
    "libvirt's daemon ended",
    "libvirt's daemon did not answer in time",
    "the connection was closed",
};

struct ViommuWatch {
    ViommuPool *pool;
    ViommuNewsFunc func;
    void *userdata;
    GThread *thread;
    GMutex lock;
    GCond changed;
    /* Under lock: */
    bool stopping, opening;
    const char *closed; /* the reason; NULL while the connection is open */
};

static void tell(ViommuWatch *watch, ViommuNewsKind kind, const char *uuid, const char *detail)
{
    ViommuNews news = {.kind = kind, .detail = (char *)detail};

    g_strlcpy(news.uuid, uuid, sizeof news.uuid);
    watch->func(&news, watch->userdata);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *opaque)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    for (size_t i = 0; i < G_N_ELEMENTS(lifecycle); i++) {
        if (lifecycle[i].event != event || (lifecycle[i].detail >= 0 && lifecycle[i].detail != detail))
            continue;
        if (virDomainGetUUIDString(domain, uuid) == 0)
            tell(opaque, lifecycle[i].kind, uuid, lifecycle[i].text);
        break;
    }
    return 0;
}

static void on_reboot(virConnectPtr connection, virDomainPtr domain, void *opaque)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virDomainGetUUIDString(domain, uuid) == 0)
        tell(opaque, VIOMMU_NEWS_REBOOTED, uuid, NULL);
}

static void tell_of_device(ViommuWatch *watch, ViommuNewsKind kind, virDomainPtr domain, const char *alias)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virDomainGetUUIDString(domain, uuid) == 0)
        tell(watch, kind, uuid, alias);
}

static void on_device_removed(virConnectPtr connection, virDomainPtr domain, const char *alias, void *opaque)
{
    tell_of_device(opaque, VIOMMU_NEWS_DEVICE_REMOVED, domain, alias);
}

static void on_device_kept(virConnectPtr connection, virDomainPtr domain, const char *alias, void *opaque)
{
    tell_of_device(opaque, VIOMMU_NEWS_DEVICE_KEPT, domain, alias);
}

static void on_close(virConnectPtr connection, int reason, void *opaque)
{
    ViommuWatch *watch = opaque;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);

    watch->closed = close_reasons[(unsigned)reason < G_N_ELEMENTS(close_reasons) ? reason : 0];
    g_cond_signal(&watch->changed);
}

/* --- The event connection.  It has a thread of its own, because its opening may block for long
 * (libvirt's daemon hangs, or must be started first) while the event loop has to serve the other
 * connections. --- */

/* The daemon restarts within seconds; one that is not there need not be asked each second. */
#define QUICK_ATTEMPTS 10
#define QUICK_WAIT_SEC 1
#define SLOW_WAIT_SEC  10

/* What is received.  A driver may not have the events after the first; then something is less
 * exact, or a call that waits for one ends with its time. */
static const struct {
    int id;
    virConnectDomainEventGenericCallback func;
} received[] = {
    {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
    {VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot)},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device_removed)},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, VIR_DOMAIN_EVENT_CALLBACK(on_device_kept)},
};

typedef struct Events {
    virConnectPtr connection;
    int callbacks[G_N_ELEMENTS(received)]; /* negative: not received */
} Events;

static bool open_events(ViommuWatch *watch, Events *ret_events, GError **error)
{
    Events events = {.connection = viommu_pool_open(watch->pool, error)};

    if (!events.connection)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(received); i++) {
        events.callbacks[i] = virConnectDomainEventRegisterAny(events.connection, NULL, received[i].id,
                                                               received[i].func, watch, NULL);
        if (events.callbacks[i] >= 0)
            continue;
        if (i == 0) {
            viommu_libvirt_fail(error, "cannot receive events");
            virConnectClose(events.connection);
            return false;
        }
        virResetLastError();
    }
    /* Connections to drivers in this process never close. */
    if (virConnectRegisterCloseCallback(events.connection, on_close, watch, NULL) < 0)
        virResetLastError();
    *ret_events = events;
    return true;
}

static void close_events(const Events *events)
{
    /* Each holds a reference to the connection; on a broken one they fail at once, but release
     * it. */
    virConnectUnregisterCloseCallback(events->connection, on_close);
    for (size_t i = 0; i < G_N_ELEMENTS(received); i++)
        if (events->callbacks[i] >= 0)
            virConnectDomainEventDeregisterAny(events->connection, events->callbacks[i]);
    virConnectClose(events->connection);
    virResetLastError();
}

/* Waits until the connection ends; false when the watch is to stop. */
static bool wait_closed(ViommuWatch *watch, const char **ret_reason)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);

    while (!watch->stopping && !watch->closed)
        g_cond_wait(&watch->changed, &watch->lock);
    *ret_reason = watch->closed;
    watch->closed = NULL;
    return !watch->stopping;
}

static bool wait_before_attempt(ViommuWatch *watch, unsigned attempt)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);
    unsigned seconds = attempt <= QUICK_ATTEMPTS ? QUICK_WAIT_SEC : SLOW_WAIT_SEC;
    gint64 end = g_get_monotonic_time() + seconds * G_TIME_SPAN_SECOND;

    while (!watch->stopping && g_cond_wait_until(&watch->changed, &watch->lock, end))
        ;
    return !watch->stopping;
}

static void set_opening(ViommuWatch *watch, bool opening)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);

    watch->opening = opening;
}

bool viommu_watch_is_opening(ViommuWatch *watch)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);

    return watch->opening;
}

/* Opens the connection, however long that takes; false when the watch is to stop.  @told: the
 * receiver already knows that there is no connection. */
static bool connect_events(ViommuWatch *watch, bool told, Events *ret_events)
{
    for (unsigned attempt = 1;; attempt++) {
        g_autoptr(GError) error = NULL;

        set_opening(watch, true);
        bool open = open_events(watch, ret_events, &error);
        set_opening(watch, false);
        if (open)
            return true;
        if (!told)
            tell(watch, VIOMMU_NEWS_DISCONNECTED, "", error->message);
        told = true;
        if (!wait_before_attempt(watch, attempt))
            return false;
    }
}

static void *run_watch(void *data)
{
    ViommuWatch *watch = data;
    Events events;
    const char *reason;

    for (bool told = false; connect_events(watch, told, &events); told = true) {
        tell(watch, VIOMMU_NEWS_CONNECTED, "", NULL);
        bool again = wait_closed(watch, &reason);
        close_events(&events);
        if (!again)
            break;
        viommu_pool_bump(watch->pool);
        tell(watch, VIOMMU_NEWS_DISCONNECTED, "", reason);
    }
    return NULL;
}

ViommuWatch *viommu_watch_new(ViommuPool *pool, ViommuNewsFunc func, void *userdata, GError **error)
{
    ViommuWatch *watch = g_new0(ViommuWatch, 1);

    watch->pool = pool;
    watch->func = func;
    watch->userdata = userdata;
    g_mutex_init(&watch->lock);
    g_cond_init(&watch->changed);
    watch->thread = viommu_thread_start("libvirt-watch", run_watch, watch, error);
    if (!watch->thread)
        viommu_watch_free(g_steal_pointer(&watch));
    return watch;
}

void viommu_watch_stop(ViommuWatch *watch)
{
    if (!watch || !watch->thread)
        return;
    g_mutex_lock(&watch->lock);
    watch->stopping = true;
    g_cond_signal(&watch->changed);
    g_mutex_unlock(&watch->lock);
    g_thread_join(g_steal_pointer(&watch->thread));
}

void viommu_watch_free(ViommuWatch *watch)
{
    if (!watch)
        return;
    g_cond_clear(&watch->changed);
    g_mutex_clear(&watch->lock);
    g_free(watch);
}
