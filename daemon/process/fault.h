/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault: points at which a test can kill the daemon, or stop it for a while.  Builds with
 * -Dfaults=enabled or -Dtests=enabled have them; in other builds the macro is empty, and fault.c is
 * not compiled.  Does not know what happens at a point. */
#pragma once

/* Each point, and the acts of tests/crash/killed.sh that pass it.  The test reads this table, and
 * needs one line for each point. */
#define VIOMMU_FAULT_POINTS(POINT)                    \
    POINT(launch_begins, "launch")                    \
    POINT(after_open, "launch overlay")               \
    POINT(after_digest, "overlay")                    \
    POINT(planned, "launch")                          \
    POINT(before_define, "launch")                    \
    POINT(after_define, "launch")                     \
    POINT(after_prepare, "launch overlay")            \
    POINT(before_start, "launch overlay")             \
    POINT(after_start, "launch overlay undo")         \
    POINT(before_mark, "launch")                      \
    POINT(after_mark, "launch")                       \
    POINT(before_answer, "launch")                    \
    POINT(before_undo, "undo")                        \
    POINT(before_stop_mark, "stop expire")            \
    POINT(after_stop_mark, "stop expire")             \
    POINT(before_ask, "stop")                         \
    POINT(after_ask, "stop")                          \
    POINT(before_destroy, "undo stop expire recover") \
    POINT(after_destroy, "undo stop expire recover")  \
    POINT(after_unlink, "undo stop expire recover")   \
    POINT(after_undefine, "undo stop expire recover") \
    POINT(before_extend, "extend")                    \
    POINT(after_extend, "extend")

#ifdef VIOMMU_FAULTS

typedef enum ViommuFaultPoint {
#define POINT(name, acts) VIOMMU_FAULT_##name,
    VIOMMU_FAULT_POINTS(POINT)
#undef POINT
    VIOMMU_FAULT_LAST,
} ViommuFaultPoint;

/** Kills the process silently when $VIOMMU_FAULT is the name of @point, or NAME:N when it is passed
 *  for the Nth time.  The prefix "stop:" stops the process instead, until it is continued. */
void viommu_fault_pass(ViommuFaultPoint point);
#define VIOMMU_FAULT(name) viommu_fault_pass(VIOMMU_FAULT_##name)

#else
#define VIOMMU_FAULT(name) ((void)0)
#endif
