/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loop: sd-event with a queue to which other threads may append. */
#include "daemon/process/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "lib/base/error.h"

static const int handled_signals[] = {SIGTERM, SIGINT, SIGHUP};

typedef struct Post {
    ViommuLoopFunc func;
    void *data;
} Post;

struct ViommuLoop {
    sd_event *event;
    sd_event_source *posted;
    int wake_fd;
    GMutex lock;
    GQueue queue; /* of Post, under lock */
    ViommuLoopFunc stop;
    void *stop_data;
    bool stopping;
};

static bool take_posts(ViommuLoop *loop, GQueue *ret_posts)
{
    g_mutex_lock(&loop->lock);
    *ret_posts = loop->queue;
    g_queue_init(&loop->queue);
    g_mutex_unlock(&loop->lock);
    return ret_posts->length > 0;
}

static bool run_posts(ViommuLoop *loop)
{
    GQueue posts;

    if (!take_posts(loop, &posts))
        return false;
    for (Post *post; (post = g_queue_pop_head(&posts)); g_free(post))
        post->func(post->data);
    return true;
}

static int on_posted(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    eventfd_t count;

    (void)eventfd_read(fd, &count);
    run_posts(userdata);
    return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    if (info->ssi_signo != SIGHUP)
        viommu_loop_stop(userdata);
    return 0;
}

static int add_sources(ViommuLoop *loop)
{
    sigset_t set;
    int r;

    /* libvirt may write to a socket whose other end has just closed. */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < G_N_ELEMENTS(handled_signals); i++)
        sigaddset(&set, handled_signals[i]);
    r = -pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(handled_signals); i++)
        r = sd_event_add_signal(loop->event, NULL, handled_signals[i], on_signal, loop);
    if (r < 0)
        return r;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return -errno;
    r = sd_event_add_io(loop->event, &loop->posted, loop->wake_fd, EPOLLIN, on_posted, loop);
    if (r < 0)
        return r;
    return sd_event_set_watchdog(loop->event, true);
}

bool viommu_loop_new(ViommuLoop **ret_loop, GError **error)
{
    g_autoptr(ViommuLoop) loop = g_new0(ViommuLoop, 1);
    int r;

    loop->wake_fd = -1;
    g_mutex_init(&loop->lock);
    g_queue_init(&loop->queue);
    r = sd_event_new(&loop->event);
    if (r >= 0)
        r = add_sources(loop);
    if (r < 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot set up the event loop: %s", g_strerror(-r));
    *ret_loop = g_steal_pointer(&loop);
    return true;
}

void viommu_loop_free(ViommuLoop *loop)
{
    if (!loop)
        return;
    viommu_loop_drain(loop);
    sd_event_source_unref(loop->posted);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    sd_event_unref(loop->event);
    g_mutex_clear(&loop->lock);
    g_free(loop);
}

sd_event *viommu_loop_event(ViommuLoop *loop)
{
    return loop->event;
}

void viommu_loop_post(ViommuLoop *loop, ViommuLoopFunc func, void *data)
{
    Post *post = g_new(Post, 1);
    bool first;

    *post = (Post){func, data};
    g_mutex_lock(&loop->lock);
    first = loop->queue.length == 0;
    g_queue_push_tail(&loop->queue, post);
    /* Under the lock: as soon as the loop has seen this post, it may be freed. */
    if (first)
        (void)eventfd_write(loop->wake_fd, 1);
    g_mutex_unlock(&loop->lock);
}

void viommu_loop_drain(ViommuLoop *loop)
{
    while (run_posts(loop))
        ;
}

void viommu_loop_on_stop(ViommuLoop *loop, ViommuLoopFunc func, void *data)
{
    loop->stop = func;
    loop->stop_data = data;
}

void viommu_loop_stop(ViommuLoop *loop)
{
    if (loop->stopping) {
        viommu_loop_exit(loop, EXIT_FAILURE);
        return;
    }
    loop->stopping = true;
    (void)sd_notify(false, "STOPPING=1\nSTATUS=Stopping");
    if (loop->stop)
        loop->stop(loop->stop_data);
    else
        viommu_loop_exit(loop, EXIT_SUCCESS);
}

void viommu_loop_notify_ready(ViommuLoop *loop, const char *status)
{
    (void)sd_notifyf(false, "READY=1\nSTATUS=%s", status);
}

void viommu_loop_notify_stop_time(ViommuLoop *loop, unsigned seconds)
{
    (void)sd_notifyf(false, "EXTEND_TIMEOUT_USEC=%llu", seconds * (unsigned long long)G_USEC_PER_SEC);
}

void viommu_loop_notify_status(ViommuLoop *loop, const char *status)
{
    (void)sd_notifyf(false, "STATUS=%s", status);
}

int viommu_loop_run(ViommuLoop *loop)
{
    return sd_event_loop(loop->event);
}

void viommu_loop_exit(ViommuLoop *loop, int status)
{
    (void)sd_event_exit(loop->event, status);
}
