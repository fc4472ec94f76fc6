/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-evictions: guests that fill the file system of overlays, a real one of 64 MiB. */
#include "tests/daemon/fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>
#include "daemon/files/boot-copies.h"
#include "daemon/manager/evictions.h"

#define ONE   "{'name': <'one'>}"
#define TWO   "{'name': <'two'>}"
#define MIB   ((size_t)1 << 20)
#define LIMIT (24 * MIB) /* must be free while guests run */
#define NEVER (3 * G_USEC_PER_SEC)

/* Once, before there are threads, which inherit it.  False: this user may not mount. */
static bool mount_own(void)
{
    static bool tried, own;

    if (!tried)
        own = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    tried = true;
    return own;
}

/* False: it cannot be tested here. */
static bool begin_with(Fixture *fixture, bool own, uint64_t reserve_bytes)
{
    if (!mount_own()) {
        g_print("skipped: evictions: only root may mount a file system\n");
        return false;
    }
    fixture_begin(fixture);
    fixture->files.own = own;
    fixture->config->bounds.reserve_bytes = reserve_bytes;
    ck_assert_int_eq(g_mkdir_with_parents(fixture->copies, 0700), 0);
    ck_assert_int_eq(mount("none", fixture->copies, "tmpfs", 0, "size=64m"), 0);
    fixture_manage(fixture);
    return true;
}

static bool begin(Fixture *fixture)
{
    return begin_with(fixture, false, 2 * LIMIT);
}

static void end(Fixture *fixture)
{
    g_autofree char *copies = g_strdup(fixture->copies);

    (void)umount2(copies, MNT_DETACH);
    fixture_end(fixture);
}

static void write_file(const Fixture *fixture, const char *name, size_t mebibytes)
{
    g_autofree char *path = g_build_filename(fixture->copies, name, NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(posix_fallocate(fd, 0, (off_t)(mebibytes * MIB)), 0);
    close(fd);
}

static char *overlay_of(const char *uuid)
{
    g_autofree char *path = viommu_copies_overlay_path("", uuid, 0, 1 << 30);

    return g_strdup(path + 1);
}

static void write_overlay(const Fixture *fixture, const char *uuid, size_t mebibytes)
{
    g_autofree char *name = overlay_of(uuid);

    write_file(fixture, name, mebibytes);
}

/* A guest whose overlay takes so much. */
static const ViommuMachine *launch(Fixture *fixture, const char *request, size_t mebibytes)
{
    const ViommuMachine *machine = fixture_machine(fixture, request);

    write_overlay(fixture, machine->uuid, mebibytes);
    return machine;
}

/* As after a restart, viommud learns of the files by a listing. */
static void list(Fixture *fixture)
{
    fake_tell(VIOMMU_NEWS_DISCONNECTED, "", "gone");
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_turn(fixture);
}

static void run(Fixture *fixture, gint64 usec)
{
    for (gint64 end = g_get_monotonic_time() + usec; g_get_monotonic_time() < end;)
        fixture_turn(fixture);
}

static bool has_overlay(const Fixture *fixture, const char *uuid)
{
    g_autofree char *name = overlay_of(uuid), *path = g_build_filename(fixture->copies, name, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* The guest that takes most ends, its room comes back, and its owner can read why. */
START_TEST(the_largest_ends)
{
    Fixture fixture;
    const ViommuMachine *one, *two;

    if (!begin(&fixture))
        return;
    one = launch(&fixture, ONE, 4);
    two = launch(&fixture, TWO, 40);
    list(&fixture);
    fixture_await(&fixture, two->state == VIOMMU_STATE_STOPPED);
    fixture_await(&fixture, !has_overlay(&fixture, two->uuid));
    ck_assert_str_eq(two->failure_name, "org.viommu1.Error.Backend");
    ck_assert_ptr_nonnull(strstr(two->failure_text, "viommud ended the guest, because less than half"));
    ck_assert_ptr_nonnull(strstr(two->failure_text, "took 40 MiB; launch it again"));
    run(&fixture, NEVER);
    ck_assert_int_eq(one->state, VIOMMU_STATE_RUNNING);
    ck_assert_uint_eq(fake_calls(FAKE_DESTROY), 1);
    end(&fixture);
}
END_TEST

/* Overlays grow at any time: nothing but their files tells of it. */
START_TEST(it_grows)
{
    Fixture fixture;
    const ViommuMachine *one;

    if (!begin(&fixture))
        return;
    one = launch(&fixture, ONE, 30);
    list(&fixture);
    run(&fixture, NEVER);
    ck_assert_int_eq(one->state, VIOMMU_STATE_RUNNING);
    write_overlay(&fixture, one->uuid, 50);
    fixture_await(&fixture, one->state == VIOMMU_STATE_STOPPED);
    end(&fixture);
}
END_TEST

START_TEST(something_else_fills_it)
{
    Fixture fixture;
    const ViommuMachine *one;

    if (!begin(&fixture))
        return;
    one = launch(&fixture, ONE, 4);
    write_file(&fixture, "other", 50);
    list(&fixture);
    run(&fixture, NEVER);
    ck_assert_int_eq(one->state, VIOMMU_STATE_RUNNING);
    ck_assert_uint_eq(fake_calls(FAKE_DESTROY), 0);
    end(&fixture);
}
END_TEST

/* A guest whose end takes long has its time, and no other one ends meanwhile. */
START_TEST(one_after_the_other)
{
    Fixture fixture;
    const ViommuMachine *one, *two;

    if (!begin(&fixture))
        return;
    one = launch(&fixture, ONE, 20);
    two = launch(&fixture, TWO, 24);
    fake_hold(FAKE_DESTROY);
    list(&fixture);
    fixture_await(&fixture, fake_hanging(FAKE_DESTROY) == 1);
    run(&fixture, NEVER);
    ck_assert_uint_eq(fake_hanging(FAKE_DESTROY), 1);
    fake_release(FAKE_DESTROY);
    fixture_await(&fixture, two->state == VIOMMU_STATE_STOPPED);
    ck_assert_int_eq(one->state, VIOMMU_STATE_RUNNING);
    end(&fixture);
}
END_TEST

/* libvirt cannot end it, and is asked again when its time is over; no other guest ends for it. */
START_TEST(it_cannot_be_ended)
{
    Fixture fixture;
    const ViommuMachine *two;

    if (!begin(&fixture))
        return;
    (void)launch(&fixture, ONE, 20);
    two = launch(&fixture, TWO, 24);
    fake_fail(FAKE_DESTROY, 1, VIOMMU_ERROR_BACKEND, "QEMU hangs");
    list(&fixture);
    fixture_await(&fixture, fake_calls(FAKE_DESTROY) == 1);
    run(&fixture, VIOMMU_EVICTIONS_END_SEC / 2 * G_USEC_PER_SEC);
    ck_assert_uint_eq(fake_calls(FAKE_DESTROY), 1);
    run(&fixture, VIOMMU_EVICTIONS_END_SEC / 2 * G_USEC_PER_SEC);
    fixture_await(&fixture, two->state == VIOMMU_STATE_STOPPED);
    ck_assert_uint_eq(fake_calls(FAKE_DESTROY), 2);
    end(&fixture);
}
END_TEST

/* It is being stopped, and its guest has time to power off: that time is over. */
START_TEST(a_stop_is_hurried)
{
    Fixture fixture;
    Answer stop = {0};
    const ViommuMachine *one;

    if (!begin(&fixture))
        return;
    one = launch(&fixture, ONE, 4);
    list(&fixture);
    fixture_settle(&fixture);
    fixture_begin_stop(&fixture, "one", 600, &stop);
    run(&fixture, NEVER);
    ck_assert_uint_eq(stop.n, 0);
    write_overlay(&fixture, one->uuid, 44);
    fixture_await(&fixture, stop.n == 1);
    assert_went_well(&stop);
    answer_clear(&stop);
    end(&fixture);
}
END_TEST

/* Guests of others that paused meanwhile run on when there is room again, once: another disk of
 * theirs may be full. */
START_TEST(paused_ones_run_on)
{
    Fixture fixture;
    const ViommuMachine *one, *two;

    if (!begin(&fixture))
        return;
    one = launch(&fixture, ONE, 4);
    two = launch(&fixture, TWO, 40);
    fake_find(one->uuid)->pause = VIOMMU_PAUSE_DISK_FULL;
    fake_tell(VIOMMU_NEWS_IO_ERROR, one->uuid, NULL);
    fixture_await(&fixture, one->pause == VIOMMU_PAUSE_DISK_FULL);
    list(&fixture);
    fixture_await(&fixture, two->state == VIOMMU_STATE_STOPPED);
    fixture_await(&fixture, one->pause == VIOMMU_PAUSE_NONE);
    fake_find(one->uuid)->pause = VIOMMU_PAUSE_DISK_FULL;
    fake_tell(VIOMMU_NEWS_IO_ERROR, one->uuid, NULL);
    fixture_await(&fixture, one->pause == VIOMMU_PAUSE_DISK_FULL);
    run(&fixture, NEVER);
    ck_assert_uint_eq(fake_calls(FAKE_RESUME), 1);
    ck_assert_int_eq(one->pause, VIOMMU_PAUSE_DISK_FULL);
    end(&fixture);
}
END_TEST

static void never(bool own, uint64_t reserve_bytes)
{
    Fixture fixture;
    const ViommuMachine *one;

    if (!begin_with(&fixture, own, reserve_bytes))
        return;
    one = launch(&fixture, ONE, 44);
    list(&fixture);
    run(&fixture, NEVER);
    ck_assert_int_eq(one->state, VIOMMU_STATE_RUNNING);
    end(&fixture);
}

START_TEST(in_a_users_own_viommud)
{
    never(true, 2 * LIMIT);
}
END_TEST

START_TEST(without_a_reserve)
{
    never(false, 0);
}
END_TEST

UNIT_MAIN("evictions", the_largest_ends, it_grows, something_else_fills_it, one_after_the_other,
          it_cannot_be_ended, a_stop_is_hurried, paused_ones_run_on, in_a_users_own_viommud,
          without_a_reserve)
