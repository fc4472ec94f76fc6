/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loop: the one thread that owns every object.  Handles signals, the watchdog and sd_notify, and
 * takes work from other threads.  Knows nothing of machines, libvirt or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

typedef struct ViommuLoop ViommuLoop;

/** Runs on the loop thread. */
typedef void (*ViommuLoopFunc)(void *data);

/** Call it on the loop thread before any other thread exists: it blocks SIGTERM, SIGINT and SIGHUP,
 *  which later threads inherit.  Feeds systemd's watchdog if systemd wants that.  Fails:
 *  INTERNAL. */
bool viommu_loop_new(ViommuLoop **ret_loop, GError **error);
/** Runs what is still posted, so that no data is lost, then frees the loop.  Free all workers
 *  first. */
void viommu_loop_free(ViommuLoop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuLoop, viommu_loop_free)

/** For timers and for sd_bus_attach_event().  Borrowed. */
sd_event *viommu_loop_event(ViommuLoop *loop);

/** Runs @func(@data) on the loop, in the order of posting.  Any thread; never blocks.  @func never
 *  runs within the present dispatch, even if the loop itself posts it. */
void viommu_loop_post(ViommuLoop *loop, ViommuLoopFunc func, void *data);
/** Runs what is posted now, and what that posts, until nothing is left.  For the end, when the loop
 *  no longer runs.  Loop thread. */
void viommu_loop_drain(ViommuLoop *loop);

/** Calls @func once, at the first SIGTERM or SIGINT, or at viommu_loop_stop().  @func begins an
 *  orderly end, and viommu_loop_exit() completes it.  A second signal ends the loop at once;
 *  without @func the first signal does.  SIGHUP is ignored. */
void viommu_loop_on_stop(ViommuLoop *loop, ViommuLoopFunc func, void *data);
/** Acts like a SIGTERM.  Loop thread. */
void viommu_loop_stop(ViommuLoop *loop);

/** Tells systemd READY=1 with @status.  Loop thread. */
void viommu_loop_notify_ready(ViommuLoop *loop, const char *status);
/** Tells systemd that the end needs up to @seconds from now; systemd kills a process that needs
 *  longer. */
void viommu_loop_notify_stop_time(ViommuLoop *loop, unsigned seconds);
/** Tells systemd the one-line status that systemctl shows. */
void viommu_loop_notify_status(ViommuLoop *loop, const char *status);

/** Dispatches until viommu_loop_exit(); returns its status, or a negative errno. */
int viommu_loop_run(ViommuLoop *loop);
void viommu_loop_exit(ViommuLoop *loop, int status);
