/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-reader: the process for files, and its children: what they pass on, and what is reported and
 * counted when a child is killed, is stopped, or hangs on a file system that never answers, where
 * signals do not help. */
#include "daemon/files/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "tests/daemon/files/silent.h"
#include "tests/unit/parse-request.h"

#define UUID        "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"
#define UID         1000u
#define TIMEOUT_SEC 1
#define PATIENT_SEC 20
#define WAIT_USEC   (20 * G_TIME_SPAN_SECOND)
#define MANY        2000

static ViommuLoop *loop;
static ViommuReaders *readers;
static char *directory, *copies;
static ViommuFilesSite site;
static pid_t still; /* viommud-files, stopped; 0: it runs */

static char *in_directory(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

static void write_file(const char *name, const char *text)
{
    g_autofree char *path = in_directory(name);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static void begin(uint32_t timeout_sec)
{
    GError *error = NULL;

    unit_assert_ok(viommu_loop_new(&loop, &error), error);
    unit_assert_ok(viommu_readers_new(loop, timeout_sec, timeout_sec, &readers, &error), error);
}

static void set_up(void)
{
    directory = g_dir_make_tmp("viommu-reader-XXXXXX", NULL);
    copies = in_directory("copies");
    site = (ViommuFilesSite){.own = true, .copies = copies};
    write_file("vmlinuz", "a kernel");
    write_file("config", "CONFIG_INTEL_IOMMU=y\n");
    write_file("disk", "a disk");
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    return remove(path);
}

static void go_on(void)
{
    if (still > 0)
        ck_assert_int_eq(kill(still, SIGCONT), 0);
    still = 0;
}

static void take_down(void)
{
    go_on();
    g_clear_pointer(&readers, viommu_readers_free);
    g_clear_pointer(&loop, viommu_loop_free);
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    g_clear_pointer(&directory, g_free);
    g_clear_pointer(&copies, g_free);
}

/* --- Launches --- */

/* DIR stands for the directory. */
static ViommuRequest *parse(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "DIR", -1);
    g_autofree char *whole = g_strjoinv(directory, parts);

    return unit_request(whole);
}

typedef struct Launch {
    ViommuRequest *request;
    ViommuReader *reader;
    GError *error;
    bool good;
} Launch;

static void launch_clear(Launch *launch)
{
    g_clear_pointer(&launch->reader, viommu_reader_free);
    viommu_request_free(g_steal_pointer(&launch->request));
    g_clear_error(&launch->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Launch, launch_clear)

static void begin_launch(Launch *launch, const char *text, uint32_t uid)
{
    const ViommuFilesMachine machine = {uid, UUID, "guest"};

    *launch = (Launch){.request = parse(text)};
    launch->good =
        viommu_reader_new(readers, &site, launch->request, &machine, &launch->reader, &launch->error);
}

static void open_launch(Launch *launch, const char *text)
{
    begin_launch(launch, text, UID);
    unit_assert_ok(launch->good, launch->error);
    launch->good = viommu_reader_open(launch->reader, &launch->error);
}

static void assert_failed(const Launch *launch, ViommuError expected, const char *words)
{
    ck_assert(!launch->good);
    ck_assert(g_error_matches(launch->error, VIOMMU_ERROR, (int)expected));
    ck_assert_msg(strstr(launch->error->message, words), "%s", launch->error->message);
}

#define RAW(name)  "{'path': <'DIR/" name "'>, 'format': <'raw'>, 'read-only': <true>}"
#define DISK(name) "{'disks': <[" RAW(name) "]>}"
#define GOOD       DISK("disk")

static void assert_works(void)
{
    g_auto(Launch) launch = {0};

    open_launch(&launch, GOOD);
    unit_assert_ok(launch.good, launch.error);
}

/* --- Processes --- */

/* Waits for the only child of process @pid. */
static pid_t child_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
    gint64 end = g_get_monotonic_time() + WAIT_USEC;
    pid_t child = 0;

    while (child == 0) {
        g_autofree char *text = NULL;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s: %s", path, g_strerror(errno));
        child = (pid_t)g_ascii_strtoll(text, NULL, 10);
        ck_assert_msg(g_get_monotonic_time() < end, "%d has no child", pid);
        g_usleep(1000);
    }
    return child;
}

/* viommud-files. */
static pid_t reader_process(void)
{
    return child_of(getpid());
}

/* Stops it until go_on(), or until the test ends, which would wait for it. */
static void hold_still(void)
{
    still = reader_process();
    ck_assert_int_eq(kill(still, SIGSTOP), 0);
}

static void turn_until_none_hangs(void)
{
    gint64 end = g_get_monotonic_time() + WAIT_USEC;

    while (viommu_readers_hung(readers, UID) > 0) {
        ck_assert_msg(g_get_monotonic_time() < end, "%u hang", viommu_readers_hung(readers, UID));
        ck_assert_int_ge(sd_event_run(viommu_loop_event(loop), 10000), 0);
    }
}

static bool mount_silent(Silent *silent, bool serves)
{
    g_autofree char *place = in_directory("silent");

    return silent_mount(silent, place, serves);
}

/* --- Tests --- */

START_TEST(what_is_opened_is_handed_over)
{
    g_auto(Launch) launch = {0};
    g_autoptr(ViommuPlan) plan = g_new0(ViommuPlan, 1);
    g_autoptr(GArray) open = NULL;
    ViommuPlanDisk disk = {.target = "vda", .is_open = true};
    const ViommuHandovers *handovers;

    begin(PATIENT_SEC);
    open_launch(&launch, "{'boot': <{'kernel': <'DIR/vmlinuz'>}>, 'disks': <[{'path': <'DIR/disk'>, "
                         "'format': <'raw'>, 'read-only': <true>}]>}");
    unit_assert_ok(launch.good, launch.error);
    handovers = viommu_reader_handovers(launch.reader);
    ck_assert(g_str_has_suffix(handovers->kernel.path, "/vmlinuz"));
    ck_assert_ptr_nonnull(viommu_reader_kernel(launch.reader));
    ck_assert_uint_eq(viommu_reader_size(launch.reader).bytes, 0);
    plan->disks = g_ptr_array_new();
    g_ptr_array_add(plan->disks, &disk);
    open = viommu_reader_open_files(launch.reader, plan);
    ck_assert_uint_eq(open->len, 1);
    {
        const ViommuBackendFile *file = &g_array_index(open, ViommuBackendFile, 0);
        char bytes[16] = "";

        ck_assert_str_eq(file->name, "vda");
        ck_assert_int_eq(pread(file->fd, bytes, sizeof(bytes), 0), strlen("a disk"));
        ck_assert_str_eq(bytes, "a disk");
    }
    viommu_reader_release(launch.reader);
    unit_assert_ok(viommu_reader_prepare(launch.reader, VIOMMU_UNSET_NUMBER, &launch.error), launch.error);
}
END_TEST

/* viommud's request becomes what the process made of its own; a dry run opens nothing. */
START_TEST(an_image_is_merged)
{
    const char *const directories[] = {"/nonexistent", directory, NULL};
    const ViommuFilesMachine none = {UID, NULL, NULL};

    begin(PATIENT_SEC);
    site.image_directories = directories;
    write_file("small.image", "[image]\nfile=disk\nformat=raw\nos=debian13\n");
    for (int dry = 0; dry < 2; dry++) {
        g_auto(Launch) launch = {.request = parse("{'image': <'small'>, 'disks': <[{'bus': <'scsi'>}]>}")};
        const ViommuFilesMachine machine = {UID, UUID, "guest"};
        const ViommuRequestDisk *disk = g_ptr_array_index(launch.request->disks, 0);
        g_autofree char *said = viommu_request_text(launch.request), *still_said = NULL;

        unit_assert_ok(viommu_reader_new(readers, &site, launch.request, dry ? &none : &machine,
                                         &launch.reader, &launch.error),
                       launch.error);
        /* a disk that does not exist is not looked at */
        if (dry)
            write_file("small.image", "[image]\nfile=nowhere\nformat=raw\nos=debian13\n");
        unit_assert_ok(viommu_reader_open(launch.reader, &launch.error), launch.error);
        ck_assert_str_eq(launch.request->guest.os, "debian13");
        ck_assert(g_str_has_suffix(disk->file.path, dry ? "/nowhere" : "/disk") && disk->overlay == 1);
        still_said = viommu_request_text(launch.request);
        ck_assert_str_eq(still_said, said);
        ck_assert_uint_eq(viommu_reader_handovers(launch.reader)->disks->len, !dry);
    }
}
END_TEST

START_TEST(nothing_is_asked_where_nothing_is)
{
    g_auto(Launch) none = {0}, elsewhere = {0};

    begin(PATIENT_SEC);
    /* The process cannot answer. */
    hold_still();
    open_launch(&none, "@a{sv} {}");
    unit_assert_ok(none.good, none.error);
    unit_assert_ok(viommu_reader_prepare(none.reader, VIOMMU_UNSET_NUMBER, &none.error), none.error);
    site.skip = true;
    open_launch(&elsewhere, GOOD);
    unit_assert_ok(elsewhere.good, elsewhere.error);
    ck_assert_ptr_null(viommu_reader_handovers(elsewhere.reader));
    go_on();
}
END_TEST

START_TEST(it_is_started_again)
{
    siginfo_t ended;
    pid_t first;

    begin(PATIENT_SEC);
    assert_works();
    first = reader_process();
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)first, &ended, WEXITED | WNOWAIT), 0);
    assert_works();
    ck_assert_int_ne(reader_process(), first);
}
END_TEST

/* viommud waits for a stopped process until the timeout; the error names a few files; the process
 * continues when it can. */
START_TEST(it_stands_still)
{
    g_auto(Launch) launch = {0};
    g_autofree char *words = NULL;

    begin(TIMEOUT_SEC);
    hold_still();
    open_launch(&launch, "{'boot': <{'kernel': <'DIR/vmlinuz'>, 'initrd': <'DIR/i'>}>, "
                         "'disks': <[" RAW("disk") ", " RAW("d") ", " RAW("e") "]>}");
    words = g_strdup_printf(
        "viommud had not opened and read the files of this request after 1 s: boot.kernel '%s/vmlinuz', "
        "boot.initrd '%s/i', disks[0].path '%s/disk' and others; use files",
        directory, directory, directory);
    assert_failed(&launch, VIOMMU_ERROR_BUSY, words);
    launch_clear(&launch);
    ck_assert_uint_eq(viommu_readers_hung(readers, UID), 0);
    go_on();
    assert_works();
}
END_TEST

START_TEST(more_than_it_can_take)
{
    g_autofree Launch *launches = g_new0(Launch, MANY);
    gint64 end = g_get_monotonic_time() + WAIT_USEC;
    int n = 0;

    begin(PATIENT_SEC);
    hold_still();
    do
        begin_launch(&launches[n], GOOD, UID);
    while (launches[n++].good && n < MANY);
    assert_failed(&launches[n - 1], VIOMMU_ERROR_BUSY, "too many launches begin at the same time; try again");
    while (n > 0)
        launch_clear(&launches[--n]);
    go_on();
    /* The process looks at all of them first. */
    do {
        launch_clear(&launches[0]);
        begin_launch(&launches[0], GOOD, UID);
    } while (!launches[0].good && g_get_monotonic_time() < end);
    unit_assert_ok(launches[0].good && viommu_reader_open(launches[0].reader, &launches[0].error),
                   launches[0].error);
    launch_clear(&launches[0]);
}
END_TEST

static void *open_it(void *data)
{
    Launch *launch = data;

    launch->good = viommu_reader_open(launch->reader, &launch->error);
    return NULL;
}

/* When a child is killed, its launch fails at once, and no other launch does. */
START_TEST(a_child_is_killed_while_it_opens)
{
    g_auto(Silent) silent = {0};
    g_auto(Launch) launch = {0};
    GThread *thread;

    begin(PATIENT_SEC);
    if (!mount_silent(&silent, false))
        return;
    begin_launch(&launch, DISK("silent/file"), UID);
    unit_assert_ok(launch.good, launch.error);
    thread = g_thread_new("open", open_it, &launch);
    g_usleep(100000);
    ck_assert_int_eq(kill(child_of(reader_process()), SIGKILL), 0);
    g_thread_join(thread);
    assert_failed(&launch, VIOMMU_ERROR_INTERNAL, "viommud's process for files failed (");
    assert_failed(&launch, VIOMMU_ERROR_INTERNAL, ") before it had opened and read: disks[0].path '");
    assert_works();
}
END_TEST

START_TEST(a_child_is_killed_before_it_copies)
{
    g_auto(Launch) launch = {0};

    begin(PATIENT_SEC);
    open_launch(&launch, GOOD);
    unit_assert_ok(launch.good, launch.error);
    ck_assert_int_eq(kill(child_of(reader_process()), SIGKILL), 0);
    launch.good = viommu_reader_prepare(launch.reader, VIOMMU_UNSET_NUMBER, &launch.error);
    assert_failed(&launch, VIOMMU_ERROR_INTERNAL, ") before it had prepared: disks[0].path '");
}
END_TEST

/* False: it cannot be made here. */
static bool open_overlay(Launch *launch)
{
    g_autofree char *program = g_find_program_in_path("qemu-img");

    if (!program) {
        g_print("skipped: an overlay: qemu-img is not installed here\n");
        return false;
    }
    begin(PATIENT_SEC);
    open_launch(launch, "{'disks': <[{'path': <'DIR/disk'>, 'format': <'raw'>, 'overlay': <true>}]>}");
    unit_assert_ok(launch->good, launch->error);
    return true;
}

/* Threads close what the process no longer needs. */
static void await_held(unsigned n)
{
    for (gint64 end = g_get_monotonic_time() + PATIENT_SEC * G_USEC_PER_SEC; viommu_held_count(UID) != n;) {
        ck_assert_msg(g_get_monotonic_time() < end, "%u are held", viommu_held_count(UID));
        g_usleep(1000);
    }
}

/* The process may be in a stranger's hands, so the descriptor that it calls an overlay is closed
 * like one of its user. */
START_TEST(an_overlay_is_held)
{
    g_auto(Launch) launch = {0};

    if (!open_overlay(&launch))
        return;
    /* the disk */
    await_held(1);
    unit_assert_ok(viommu_reader_prepare(launch.reader, VIOMMU_UNSET_NUMBER, &launch.error), launch.error);
    await_held(2);
    viommu_reader_release(launch.reader);
    await_held(0);
}
END_TEST

/* The process for files sees that qemu-img fails, and why. */
START_TEST(an_overlay_that_cannot_be_made)
{
    g_auto(Launch) launch = {0};

    if (!open_overlay(&launch))
        return;
    ck_assert_int_eq(g_rmdir(copies), 0);
    launch.good = viommu_reader_prepare(launch.reader, VIOMMU_UNSET_NUMBER, &launch.error);
    assert_failed(&launch, VIOMMU_ERROR_BACKEND, "qemu-img cannot make the overlay '");
}
END_TEST

static bool recall(Launch *launch)
{
    bool known = false;

    launch->good = viommu_reader_recall(launch->reader, &known, &launch->error);
    return known;
}

/* An image is read once; when it is changed, its digest is computed again. */
START_TEST(digests_are_remembered)
{
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "a disk", -1);
    g_autofree char *text = g_strdup_printf(
        "{'disks': <[{'path': <'DIR/disk'>, 'format': <'raw'>, 'digest': <'sha256:%s'>}]>}", digest);

    begin(PATIENT_SEC);
    for (int i = 0; i < 3; i++) {
        g_auto(Launch) launch = {0};

        if (i == 2)
            write_file("disk", "changed");
        open_launch(&launch, text);
        unit_assert_ok(launch.good, launch.error);
        ck_assert_int_eq(recall(&launch), i == 1);
        if (i == 1)
            continue;
        unit_assert_ok(viommu_reader_digest(launch.reader, &launch.error), launch.error);
        ck_assert_int_eq(recall(&launch), i == 0);
        ck_assert_int_eq(launch.good, i == 0);
        if (i == 2)
            assert_failed(&launch, VIOMMU_ERROR_INVALID_REQUEST, "it is another image, or was changed");
    }
}
END_TEST

/* A stopped child is ended, too. */
START_TEST(a_child_stands_still_when_it_is_to_copy)
{
    g_auto(Launch) launch = {0};

    begin(TIMEOUT_SEC);
    open_launch(&launch, GOOD);
    unit_assert_ok(launch.good, launch.error);
    ck_assert_int_eq(kill(child_of(reader_process()), SIGSTOP), 0);
    launch.good = viommu_reader_prepare(launch.reader, VIOMMU_UNSET_NUMBER, &launch.error);
    assert_failed(&launch, VIOMMU_ERROR_BUSY, "viommud had not prepared the files of this request after 1 s");
    launch_clear(&launch);
    turn_until_none_hangs();
}
END_TEST

/* A user may have so many hanging children, and no more; other users are not affected, and all
 * continues with the file system. */
START_TEST(a_disk_that_never_answers)
{
    g_auto(Silent) silent = {0};
    g_auto(Launch) refused = {0}, other = {0};

    begin(TIMEOUT_SEC);
    if (!mount_silent(&silent, true))
        return;
    for (unsigned i = 0; i < VIOMMU_READERS_HUNG_MAX; i++) {
        g_auto(Launch) launch = {0};

        open_launch(&launch, DISK("silent/file"));
        assert_failed(&launch, VIOMMU_ERROR_BUSY, "/silent/file'; use files on a file system that responds");
        launch_clear(&launch);
        ck_assert_uint_eq(viommu_readers_hung(readers, UID), i + 1);
        ck_assert_uint_eq(viommu_readers_hung(readers, UID + 1), 0);
    }
    begin_launch(&refused, GOOD, UID);
    assert_failed(&refused, VIOMMU_ERROR_BUSY,
                  "4 processes of viommud hang on files of user 1000, whose file systems do not respond");
    begin_launch(&other, GOOD, UID + 1);
    unit_assert_ok(other.good && viommu_reader_open(other.reader, &other.error), other.error);
    silent_end(&silent);
    turn_until_none_hangs();
    assert_works();
}
END_TEST

/* At the end of viommud, hanging children are left behind. */
START_TEST(the_end_waits_for_none)
{
    g_auto(Silent) silent = {0};
    g_auto(Launch) launch = {0};

    begin(TIMEOUT_SEC);
    if (!mount_silent(&silent, true))
        return;
    open_launch(&launch, DISK("silent/file"));
    ck_assert(!launch.good);
    launch_clear(&launch);
    ck_assert_uint_eq(viommu_readers_hung(readers, UID), 1);
    g_clear_pointer(&readers, viommu_readers_free);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("reader");

    /* Mounts are invisible to others. */
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        g_print("no mount namespace of its own: %s\n", g_strerror(errno));
    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_set_timeout(all, 120);
    tcase_add_test(all, what_is_opened_is_handed_over);
    tcase_add_test(all, an_image_is_merged);
    tcase_add_test(all, nothing_is_asked_where_nothing_is);
    tcase_add_test(all, it_is_started_again);
    tcase_add_test(all, it_stands_still);
    tcase_add_test(all, more_than_it_can_take);
    tcase_add_test(all, a_child_is_killed_while_it_opens);
    tcase_add_test(all, a_child_is_killed_before_it_copies);
    tcase_add_test(all, an_overlay_is_held);
    tcase_add_test(all, an_overlay_that_cannot_be_made);
    tcase_add_test(all, digests_are_remembered);
    tcase_add_test(all, a_child_stands_still_when_it_is_to_copy);
    tcase_add_test(all, a_disk_that_never_answers);
    tcase_add_test(all, the_end_waits_for_none);
    return unit_run_case("reader", all);
}
