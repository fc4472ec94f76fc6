/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/listener.h"

#include <time.h>
#include <unistd.h>
#include "lib/base/error.h"

#define REST_USEC (50 * G_TIME_SPAN_MILLISECOND)

struct ViommuListener {
    int fd;
    unsigned most;
    sd_event_source *input, *rest;
    ViommuListenerFunc func;
    void *userdata;
};

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    ViommuListener *listener = userdata;

    for (unsigned i = 0; i < listener->most && listener->func(fd, listener->userdata); i++)
        ;
    /* Whatever accept4() has said: another try at once might fail again without end. */
    (void)sd_event_source_set_enabled(listener->input, SD_EVENT_OFF);
    (void)sd_event_source_set_time_relative(listener->rest, REST_USEC);
    (void)sd_event_source_set_enabled(listener->rest, SD_EVENT_ONESHOT);
    return 0;
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuListener *listener = userdata;

    return sd_event_source_set_enabled(listener->input, SD_EVENT_ON);
}

ViommuListener *viommu_listener_new(ViommuLoop *loop, int fd, unsigned most, const char *for_what,
                                    ViommuListenerFunc func, void *userdata, GError **error)
{
    ViommuListener *listener = g_new0(ViommuListener, 1);
    sd_event *event = viommu_loop_event(loop);
    int r;

    *listener = (ViommuListener){.fd = fd, .most = most, .func = func, .userdata = userdata};
    r = sd_event_add_io(event, &listener->input, fd, EPOLLIN, on_connection, listener);
    if (r >= 0)
        r = sd_event_add_time_relative(event, &listener->rest, CLOCK_MONOTONIC, REST_USEC, 0, on_rested,
                                       listener);
    if (r >= 0)
        return listener;
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot listen %s: %s", for_what, g_strerror(-r));
    viommu_listener_free(listener);
    return NULL;
}

void viommu_listener_free(ViommuListener *listener)
{
    if (!listener)
        return;
    sd_event_source_disable_unref(listener->input);
    sd_event_source_disable_unref(listener->rest);
    close(listener->fd);
    g_free(listener);
}
