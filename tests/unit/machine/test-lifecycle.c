/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-lifecycle: each cell of the transition table, rules that hold for the whole table, and
 * recovery. */
#include "tests/unit/unit.h"

#include "lib/machine/lifecycle.h"
#include "lib/domain/recover.h"

/* All transitions; any other event must change nothing. */
static const struct {
    const char *state, *event, *next, *result;
    bool gone;
} expected[] = {
    {"planning", "planned", "defining", "none", false},
    {"planning", "launch-failed", "failed", "failed", false},
    {"planning", "stop-requested", "stopping", "none", false},
    {"planning", "expired", "stopping", "expired", false},
    {"defining", "defined", "starting", "none", false},
    {"defining", "launch-failed", "failed", "failed", false},
    {"defining", "stop-requested", "stopping", "none", false},
    {"defining", "expired", "stopping", "expired", false},
    {"starting", "started", "running", "none", false},
    {"starting", "launch-failed", "failed", "failed", false},
    {"starting", "stop-requested", "stopping", "none", false},
    {"starting", "expired", "stopping", "expired", false},
    {"starting", "guest-ended", "stopped", "shutdown", false},
    {"starting", "guest-crashed", "stopped", "crashed", false},
    {"starting", "guest-panicked", "stopped", "panicked", false},
    {"starting", "guest-saved", "stopped", "saved", false},
    {"running", "stop-requested", "stopping", "none", false},
    {"running", "expired", "stopping", "expired", false},
    {"running", "guest-ended", "stopped", "shutdown", false},
    {"running", "guest-crashed", "stopped", "crashed", false},
    {"running", "guest-panicked", "stopped", "panicked", false},
    {"running", "guest-saved", "stopped", "saved", false},
    {"running", "vanished", "stopped", "lost", true},
    {"stopping", "removed", "stopped", "stopped", true},
    {"stopping", "reaped", "stopped", "expired", true},
    {"stopping", "vanished", "stopped", "stopped", true},
    {"stopping", "stop-failed", "stopped", "none", false},
    {"stopped", "started", "running", "none", false},
    {"stopped", "stop-requested", "stopping", "none", false},
    {"stopped", "expired", "stopping", "expired", false},
    {"stopped", "vanished", "stopped", "none", true},
    {"stopped", "launch-failed", "failed", "failed", false},
    {"failed", "stop-requested", "failed", "none", true},
    {"failed", "expired", "failed", "none", true},
    {"failed", "removed", "failed", "none", true},
};

static int find_expected(int state, int event)
{
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        if (viommu_enum_from_string(&viommu_enum_state, expected[i].state) == state &&
            viommu_enum_from_string(&viommu_enum_event, expected[i].event) == event)
            return (int)i;
    return -1;
}

START_TEST(every_transition)
{
    size_t found = 0;

    for (int state = 0; state < VIOMMU_STATE_LAST; state++) {
        for (int event = 0; event < VIOMMU_EVENT_LAST; event++) {
            ViommuTransition next = {VIOMMU_STATE_LAST, VIOMMU_RESULT_LAST, true};
            bool known = viommu_lifecycle_step((ViommuState)state, (ViommuEvent)event, &next);
            int row = find_expected(state, event);

            ck_assert_msg(known == (row >= 0), "%s in %s", viommu_enum_to_string(&viommu_enum_event, event),
                          viommu_enum_to_string(&viommu_enum_state, state));
            if (!known) {
                ck_assert_int_eq((int)next.state, VIOMMU_STATE_LAST);
                continue;
            }
            found++;
            ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_state, (int)next.state), expected[row].next);
            ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_result, (int)next.result),
                             expected[row].result);
            ck_assert_int_eq(next.gone, expected[row].gone);
        }
    }
    ck_assert_uint_eq(found, G_N_ELEMENTS(expected));
}
END_TEST

/* A machine can be removed from each state: by @first and, when that is done, @second. */
static void check_end(ViommuState state, ViommuEvent first, ViommuEvent second)
{
    ViommuTransition next = {state, VIOMMU_RESULT_NONE, false};

    if (state != VIOMMU_STATE_STOPPING)
        ck_assert(viommu_lifecycle_step(next.state, first, &next));
    if (!next.gone) {
        ck_assert_int_eq((int)next.state, VIOMMU_STATE_STOPPING);
        ck_assert(viommu_lifecycle_step(next.state, second, &next));
    }
    ck_assert(next.gone);
}

START_TEST(every_state_has_an_end)
{
    for (int state = 0; state < VIOMMU_STATE_LAST; state++) {
        check_end((ViommuState)state, VIOMMU_EVENT_STOP_REQUESTED, VIOMMU_EVENT_REMOVED);
        check_end((ViommuState)state, VIOMMU_EVENT_EXPIRED, VIOMMU_EVENT_REAPED);
    }
}
END_TEST

START_TEST(the_ordinary_life)
{
    static const ViommuEvent events[] = {
        VIOMMU_EVENT_PLANNED,     VIOMMU_EVENT_DEFINED,        VIOMMU_EVENT_STARTED, VIOMMU_EVENT_STARTED,
        VIOMMU_EVENT_GUEST_ENDED, VIOMMU_EVENT_STOP_REQUESTED, VIOMMU_EVENT_REMOVED};
    ViommuTransition now = {VIOMMU_STATE_PLANNING, VIOMMU_RESULT_NONE, false};

    /* a repeated "started" means nothing */
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
        ck_assert_int_eq(viommu_lifecycle_step(now.state, events[i], &now), i != 3);
    ck_assert(now.gone);
}
END_TEST

static const struct {
    ViommuState phase;
    bool active;
    ViommuRecovery recovery;
    ViommuState state;
} recoveries[] = {
    {VIOMMU_STATE_PLANNING, false, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_PLANNING, true, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_DEFINING, false, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_DEFINING, true, VIOMMU_RECOVERY_ADOPT, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_STARTING, false, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_STARTING, true, VIOMMU_RECOVERY_ADOPT, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_RUNNING, false, VIOMMU_RECOVERY_ADOPT, VIOMMU_STATE_STOPPED},
    {VIOMMU_STATE_RUNNING, true, VIOMMU_RECOVERY_ADOPT, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_STOPPING, false, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_STOPPING, true, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_STOPPED, false, VIOMMU_RECOVERY_ADOPT, VIOMMU_STATE_STOPPED},
    {VIOMMU_STATE_STOPPED, true, VIOMMU_RECOVERY_ADOPT, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_FAILED, false, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_FAILED, true, VIOMMU_RECOVERY_UNDO, VIOMMU_STATE_LAST},
};
G_STATIC_ASSERT(G_N_ELEMENTS(recoveries) == 2 * VIOMMU_STATE_LAST);

START_TEST(every_recovery)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recoveries); i++) {
        ViommuMetadata metadata = {.phase = recoveries[i].phase};
        ViommuState state = VIOMMU_STATE_LAST;

        ck_assert_int_eq((int)viommu_recover_decide(&metadata, recoveries[i].active, false, &state),
                         (int)recoveries[i].recovery);
        ck_assert_int_eq((int)state, (int)recoveries[i].state);
    }
    /* A guest that was never resumed is undone; one that somebody paused later is adopted. */
    for (int phase = 0; phase < VIOMMU_STATE_LAST; phase++) {
        ViommuMetadata metadata = {.phase = (ViommuState)phase};
        ViommuState state = VIOMMU_STATE_LAST;
        bool ran = phase == VIOMMU_STATE_RUNNING || phase == VIOMMU_STATE_STOPPED;

        ck_assert_int_eq((int)viommu_recover_decide(&metadata, true, true, &state),
                         ran ? VIOMMU_RECOVERY_ADOPT : VIOMMU_RECOVERY_UNDO);
    }
    for (int active = 0; active < 2; active++) {
        ViommuState state = VIOMMU_STATE_LAST;

        ck_assert_int_eq((int)viommu_recover_decide(NULL, active, false, &state), VIOMMU_RECOVERY_REPORT);
        ck_assert_int_eq((int)state, VIOMMU_STATE_LAST);
    }
}
END_TEST

UNIT_MAIN("lifecycle", every_transition, every_state_has_an_end, the_ordinary_life, every_recovery)
