/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lifecycle: the transition table.  An event without a row means nothing in that state. */
#include "lib/machine/lifecycle.h"

VIOMMU_ENUM_DEFINE(state, "state", VIOMMU_STATE_LAST, "planning", "defining", "starting", "running",
                   "stopping", "stopped", "failed");
VIOMMU_ENUM_DEFINE(result, "result", VIOMMU_RESULT_LAST, "none", "shutdown", "crashed", "panicked", "stopped",
                   "lost", "failed", "expired", "saved");
VIOMMU_ENUM_DEFINE(event, "event", VIOMMU_EVENT_LAST, "planned", "defined", "started", "launch-failed",
                   "stop-requested", "guest-ended", "guest-crashed", "guest-panicked", "vanished", "removed",
                   "stop-failed", "expired", "reaped", "guest-saved");

typedef struct Cell {
    bool known;
    ViommuTransition next;
} Cell;

#define GOES(to)                                         \
    {                                                    \
        true,                                            \
        {                                                \
            VIOMMU_STATE_##to, VIOMMU_RESULT_NONE, false \
        }                                                \
    }
#define ENDS(to, result)                                     \
    {                                                        \
        true,                                                \
        {                                                    \
            VIOMMU_STATE_##to, VIOMMU_RESULT_##result, false \
        }                                                    \
    }
#define GONE(to, result)                                    \
    {                                                       \
        true,                                               \
        {                                                   \
            VIOMMU_STATE_##to, VIOMMU_RESULT_##result, true \
        }                                                   \
    }

/* clang-format off */
static const Cell transitions[VIOMMU_STATE_LAST][VIOMMU_EVENT_LAST] = {
    [VIOMMU_STATE_PLANNING] = {
        [VIOMMU_EVENT_PLANNED]        = GOES(DEFINING),
        [VIOMMU_EVENT_LAUNCH_FAILED]  = ENDS(FAILED, FAILED),
        [VIOMMU_EVENT_STOP_REQUESTED] = GOES(STOPPING),
        [VIOMMU_EVENT_EXPIRED]        = ENDS(STOPPING, EXPIRED),
    },
    [VIOMMU_STATE_DEFINING] = {
        [VIOMMU_EVENT_DEFINED]        = GOES(STARTING),
        [VIOMMU_EVENT_LAUNCH_FAILED]  = ENDS(FAILED, FAILED),
        [VIOMMU_EVENT_STOP_REQUESTED] = GOES(STOPPING),
        [VIOMMU_EVENT_EXPIRED]        = ENDS(STOPPING, EXPIRED),
    },
    [VIOMMU_STATE_STARTING] = {
        [VIOMMU_EVENT_STARTED]        = GOES(RUNNING),
        [VIOMMU_EVENT_LAUNCH_FAILED]  = ENDS(FAILED, FAILED),
        [VIOMMU_EVENT_STOP_REQUESTED] = GOES(STOPPING),
        [VIOMMU_EVENT_EXPIRED]        = ENDS(STOPPING, EXPIRED),
        /* A guest can end before the call that started it returns. */
        [VIOMMU_EVENT_GUEST_ENDED]    = ENDS(STOPPED, SHUTDOWN),
        [VIOMMU_EVENT_GUEST_CRASHED]  = ENDS(STOPPED, CRASHED),
        [VIOMMU_EVENT_GUEST_PANICKED] = ENDS(STOPPED, PANICKED),
        [VIOMMU_EVENT_GUEST_SAVED]    = ENDS(STOPPED, SAVED),
    },
    [VIOMMU_STATE_RUNNING] = {
        [VIOMMU_EVENT_STOP_REQUESTED] = GOES(STOPPING),
        [VIOMMU_EVENT_EXPIRED]        = ENDS(STOPPING, EXPIRED),
        [VIOMMU_EVENT_GUEST_ENDED]    = ENDS(STOPPED, SHUTDOWN),
        [VIOMMU_EVENT_GUEST_CRASHED]  = ENDS(STOPPED, CRASHED),
        [VIOMMU_EVENT_GUEST_PANICKED] = ENDS(STOPPED, PANICKED),
        [VIOMMU_EVENT_GUEST_SAVED]    = ENDS(STOPPED, SAVED),
        [VIOMMU_EVENT_VANISHED]       = GONE(STOPPED, LOST),
    },
    [VIOMMU_STATE_STOPPING] = {
        [VIOMMU_EVENT_REMOVED]        = GONE(STOPPED, STOPPED),
        [VIOMMU_EVENT_REAPED]         = GONE(STOPPED, EXPIRED),
        [VIOMMU_EVENT_VANISHED]       = GONE(STOPPED, STOPPED),
        [VIOMMU_EVENT_STOP_FAILED]    = GOES(STOPPED),
    },
    [VIOMMU_STATE_STOPPED] = {
        /* The domain was started again, but not by viommud. */
        [VIOMMU_EVENT_STARTED]        = GOES(RUNNING),
        [VIOMMU_EVENT_STOP_REQUESTED] = GOES(STOPPING),
        [VIOMMU_EVENT_EXPIRED]        = ENDS(STOPPING, EXPIRED),
        [VIOMMU_EVENT_VANISHED]       = GONE(STOPPED, NONE),
        /* Undoing a launch ends the guest, and libvirt reports that first. */
        [VIOMMU_EVENT_LAUNCH_FAILED]  = ENDS(FAILED, FAILED),
    },
    [VIOMMU_STATE_FAILED] = {
        [VIOMMU_EVENT_STOP_REQUESTED] = GONE(FAILED, NONE),
        [VIOMMU_EVENT_EXPIRED]        = GONE(FAILED, NONE),
        [VIOMMU_EVENT_REMOVED]        = GONE(FAILED, NONE),
        /* The domain vanishes as the launch is undone; the machine stays, so that its error can be
         * read. */
    },
};
/* clang-format on */

bool viommu_lifecycle_step(ViommuState state, ViommuEvent event, ViommuTransition *ret_next)
{
    const Cell *cell = &transitions[state][event];

    if (cell->known)
        *ret_next = cell->next;
    return cell->known;
}
