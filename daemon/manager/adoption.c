/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adoption: keeps a timer, and a count of the parts under way. */
#include "daemon/manager/adoption.h"

#include <glib.h>
#include <time.h>
#include "daemon/process/log.h"

/* libvirt may be slow when viommud starts.  Before the connection is made, the daemon may hang;
 * afterwards, learning about the host takes time. */
#define CONNECT_TIMEOUT_SEC 3
#define ADOPT_TIMEOUT_SEC   6

struct ViommuAdoption {
    ViommuLoop *loop;
    ViommuLoopFunc func; /* NULL: not waiting */
    void *userdata;
    sd_event_source *timeout;
    bool connected;
    unsigned parts; /* under way */
};

ViommuAdoption *viommu_adoption_new(ViommuLoop *loop)
{
    ViommuAdoption *adoption = g_new0(ViommuAdoption, 1);

    adoption->loop = loop;
    return adoption;
}

static void end_timeout(ViommuAdoption *adoption)
{
    adoption->timeout = sd_event_source_disable_unref(adoption->timeout);
}

void viommu_adoption_free(ViommuAdoption *adoption)
{
    if (!adoption)
        return;
    end_timeout(adoption);
    g_free(adoption);
}

void viommu_adoption_finish(ViommuAdoption *adoption)
{
    ViommuLoopFunc func = adoption->func;

    viommu_adoption_cancel(adoption);
    if (func)
        func(adoption->userdata);
}

void viommu_adoption_cancel(ViommuAdoption *adoption)
{
    adoption->func = NULL;
    end_timeout(adoption);
}

static int on_adoption_too_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
    viommu_log(LOG_WARNING, NULL, "libvirt is slow to reply; its machines are found later");
    viommu_adoption_finish(userdata);
    return 0;
}

static int start_timeout(ViommuAdoption *adoption, unsigned seconds, sd_event_time_handler_t handler)
{
    end_timeout(adoption);
    return sd_event_add_time_relative(viommu_loop_event(adoption->loop), &adoption->timeout, CLOCK_MONOTONIC,
                                      seconds * G_USEC_PER_SEC, 0, handler, adoption);
}

static int on_connection_too_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuAdoption *adoption = userdata;

    if (adoption->connected && start_timeout(adoption, ADOPT_TIMEOUT_SEC, on_adoption_too_slow) >= 0)
        return 0;
    return on_adoption_too_slow(source, usec, adoption);
}

void viommu_adoption_begin(ViommuAdoption *adoption, ViommuLoopFunc func, void *userdata)
{
    adoption->func = func;
    adoption->userdata = userdata;
    if (start_timeout(adoption, CONNECT_TIMEOUT_SEC, on_connection_too_slow) < 0)
        viommu_adoption_finish(adoption);
}

void viommu_adoption_connected(ViommuAdoption *adoption, unsigned parts)
{
    adoption->connected = true;
    adoption->parts += parts;
}

void viommu_adoption_part_done(ViommuAdoption *adoption)
{
    if (--adoption->parts == 0)
        viommu_adoption_finish(adoption);
}
