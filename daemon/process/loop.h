/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loop: the one thread that owns every object.  Signals, watchdog, sd_notify, and a way for other threads to hand work
 * over.  Knows nothing of machines, libvirt or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

typedef struct ViommuLoop ViommuLoop;

/** Runs on the loop thread. */
typedef void (*ViommuLoopFunc)(void *data);

/** To be called on the loop thread before any other thread exists: it blocks SIGTERM, SIGINT and SIGHUP, which every
 *  later thread inherits.  Feeds systemd's watchdog when it is asked for.  Fails: INTERNAL. */
bool viommu_loop_new(ViommuLoop **ret_loop, GError **error);
/** Runs what is still posted, so that nobody's data is lost, then frees.  All workers must be gone. */
void viommu_loop_free(ViommuLoop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuLoop, viommu_loop_free)

/** For timers and for sd_bus_attach_event(). Borrowed. */
sd_event *viommu_loop_event(ViommuLoop *loop);

/** Runs @func(@data) on the loop, in the order of posting.  Any thread; never blocks; not before the present dispatch
 *  is over, even when called on the loop itself. */
void viommu_loop_post(ViommuLoop *loop, ViommuLoopFunc func, void *data);
/** Runs now what is posted, and what that posts, until nothing is left: for the end, when nobody dispatches any more.
 *  Loop thread. */
void viommu_loop_drain(ViommuLoop *loop);

/** @func is called once, at the first SIGTERM or SIGINT (or viommu_loop_stop()): begin an orderly end, and call
 *  viommu_loop_exit() when done.  A second signal ends the loop at once.  Without @func the first one does.
 *  SIGHUP is ignored. */
void viommu_loop_on_stop(ViommuLoop *loop, ViommuLoopFunc func, void *data);
/** As if SIGTERM had come. Loop thread. */
void viommu_loop_stop(ViommuLoop *loop);

/** Tells systemd READY=1 with @status. Loop thread. */
void viommu_loop_notify_ready(ViommuLoop *loop, const char *status);
/** Tells systemd the one-line status that systemctl shows. */
void viommu_loop_notify_status(ViommuLoop *loop, const char *status);

/** Dispatches until viommu_loop_exit(); returns its status, or a negative errno. */
int viommu_loop_run(ViommuLoop *loop);
void viommu_loop_exit(ViommuLoop *loop, int status);
