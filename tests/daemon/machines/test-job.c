/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-job: a machine's one job and the stop after it; each waiting caller is answered. */
#include "tests/unit/unit.h"

#include "daemon/machines/job.h"
#include "lib/base/error.h"

static unsigned freed, told;

static void free_work(void *work)
{
    ck_assert_ptr_eq(work, &freed);
    freed++;
}

static void hear(const ViommuOutcome *outcome, void *userdata)
{
    told++;
    ck_assert_int_eq(outcome->error ? outcome->error->code : -1, *(const int *)userdata);
}

static void wait_for(ViommuJob *job, const int *code)
{
    const ViommuWaiter waiter = {hear, (void *)code};

    viommu_waiters_add(job->waiters, &waiter);
}

static ViommuMachine *machine_with(ViommuJobKind kind)
{
    ViommuMachine *machine = viommu_machine_new("one", "11111111-1111-4111-8111-111111111111", 1000);

    viommu_machine_add_job(machine, viommu_job_new(kind));
    return machine;
}

static ViommuJob *add_stop(ViommuMachine *machine, uint32_t seconds)
{
    ViommuJob *stop = viommu_job_new_stop(&(ViommuEnding){.seconds = seconds});

    viommu_machine_add_job(machine, stop);
    return stop;
}

/* What each kind means for the machine, alone and with a stop after it. */
static const struct {
    ViommuJobKind kind;
    bool busy;
} kinds[VIOMMU_JOB_LAST] = {{VIOMMU_JOB_LAUNCH, true}, {VIOMMU_JOB_LEASE, false}, {VIOMMU_JOB_STOP, true}};

START_TEST(each_kind)
{
    for (int i = 0; i < VIOMMU_JOB_LAST; i++) {
        g_autoptr(ViommuMachine) machine = machine_with(kinds[i].kind);

        ck_assert_int_eq((int)kinds[i].kind, i);
        ck_assert(viommu_machine_is_busy(machine) == kinds[i].busy);
        viommu_job_set_work(machine->job, &freed, free_work);
        for (int other = 0; other < VIOMMU_JOB_LAST; other++)
            ck_assert_ptr_eq(viommu_job_work(machine->job, (ViommuJobKind)other),
                             other == i ? (void *)&freed : NULL);
        ck_assert_ptr_eq(viommu_job_stop(machine->job), i == VIOMMU_JOB_STOP ? machine->job : NULL);
    }
    ck_assert_uint_eq(freed, VIOMMU_JOB_LAST);
    ck_assert_ptr_null(viommu_job_work(NULL, VIOMMU_JOB_STOP));
    ck_assert_ptr_null(viommu_job_stop(NULL));
}
END_TEST

START_TEST(at_rest)
{
    g_autoptr(ViommuMachine) machine = machine_with(VIOMMU_JOB_LEASE);
    g_autoptr(ViommuJob) job = viommu_machine_end_job(machine);

    ck_assert(!viommu_machine_is_busy(machine));
    ck_assert_ptr_null(viommu_machine_end_job(machine));
}
END_TEST

START_TEST(a_stop_comes_after)
{
    g_autoptr(ViommuMachine) machine = machine_with(VIOMMU_JOB_LEASE);
    ViommuJob *stop = add_stop(machine, 10);
    g_autoptr(ViommuJob) lease = NULL;

    ck_assert(viommu_machine_is_busy(machine));
    ck_assert_ptr_eq(viommu_job_stop(machine->job), stop);
    ck_assert_ptr_null(viommu_job_work(machine->job, VIOMMU_JOB_STOP));
    viommu_job_shorten(stop, 20);
    ck_assert_uint_eq(stop->ending.seconds, 10);
    viommu_job_shorten(stop, 5);
    ck_assert_uint_eq(stop->ending.seconds, 5);
    lease = viommu_machine_end_job(machine);
    ck_assert_int_eq((int)lease->kind, VIOMMU_JOB_LEASE);
    ck_assert_ptr_eq(machine->job, stop);
}
END_TEST

START_TEST(work_is_replaced)
{
    g_autoptr(ViommuJob) job = viommu_job_new(VIOMMU_JOB_LEASE);

    freed = 0;
    viommu_job_set_work(job, &freed, free_work);
    viommu_job_set_work(job, &freed, free_work);
    ck_assert_uint_eq(freed, 1);
}
END_TEST

/* A domain vanishes while a job is under way for it. */
START_TEST(nobody_is_forgotten)
{
    static const int gone = VIOMMU_ERROR_NOT_FOUND, busy = VIOMMU_ERROR_BUSY, well = -1;
    g_autoptr(ViommuMachine) machine = machine_with(VIOMMU_JOB_LEASE);
    g_autoptr(GError) error = g_error_new_literal(VIOMMU_ERROR, VIOMMU_ERROR_BUSY, "viommud ends");
    ViommuJob *stop = add_stop(machine, 10);

    told = 0;
    wait_for(machine->job, &well);
    viommu_job_answer(machine->job, &(ViommuOutcome){.error = NULL});
    ck_assert(machine->job->answered && !stop->answered);
    wait_for(machine->job, &busy);
    wait_for(stop, &busy);
    viommu_job_fail(machine->job, error);
    ck_assert_uint_eq(told, 3);
    wait_for(machine->job, &gone);
    wait_for(stop, &gone);
    g_clear_pointer(&machine, viommu_machine_free);
    ck_assert_uint_eq(told, 5);
}
END_TEST

UNIT_MAIN("job", each_kind, at_rest, a_stop_comes_after, work_is_replaced, nobody_is_forgotten)
