/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-log: the entries that the journal gets, at a socket in journald's place, and the lines on
 * standard error. */
#include "daemon/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/unit/unit.h"

#define SOCKET "/run/systemd/journal/socket"
#define UUID   "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"

static int journal = -1; /* the socket in journald's place; -1: not possible here */

/* Takes journald's place, in a /run of its own. */
static bool be_journald(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/run", "tmpfs", 0, "mode=755") < 0 ||
        g_mkdir_with_parents("/run/systemd/journal", 0755) < 0)
        return false;
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(journal, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    close(journal);
    journal = -1;
    return false;
}

/* The next entry, as sd_journal_sendv() writes it. */
static void assert_entry(const char *entry, gsize size)
{
    char bytes[16384] = "";
    ssize_t n = recv(journal, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);

    ck_assert_msg(n == (ssize_t)size && memcmp(bytes, entry, size) == 0, "%s", bytes);
}

#define assert_said(entry) assert_entry(entry, sizeof(entry) - 1)

START_TEST(the_journal)
{
    static const char *const rules[] = {"eim", "caching-mode", NULL};
    const ViommuLogFields all = {"0123456789abcdef0123456789abcdef", "one", UUID, "1000", "Busy", rules};
    const ViommuLogFields one = {.machine_name = "two"};
    g_autoptr(GError) error = g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BUSY, "try again");
    char byte;

    if (journal < 0)
        return;
    ck_assert(viommu_log_set_target("journal"));
    ck_assert_str_eq(viommu_log_target(), "journal");
    viommu_log(LOG_NOTICE, &all, "said %d", 7);
    assert_said("MESSAGE=said 7\nPRIORITY=5\nSYSLOG_IDENTIFIER=viommud\n"
                "MESSAGE_ID=0123456789abcdef0123456789abcdef\nMACHINE_NAME=one\nMACHINE_UUID=" UUID "\n"
                "OWNER_UID=1000\nERROR_NAME=Busy\nRULE=eim\nRULE=caching-mode\n");
    viommu_log(LOG_ERR, NULL, "bare");
    assert_said("MESSAGE=bare\nPRIORITY=3\nSYSLOG_IDENTIFIER=viommud\n");
    /* Two lines are one entry: their length comes before them. */
    viommu_log(LOG_ERR, NULL, "a\nb");
    assert_said("MESSAGE\n\3\0\0\0\0\0\0\0a\nb\nPRIORITY=3\nSYSLOG_IDENTIFIER=viommud\n");
    viommu_log_error(LOG_WARNING, &one, error, "a launch");
    assert_said("MESSAGE=a launch: try again\nPRIORITY=4\nSYSLOG_IDENTIFIER=viommud\nMACHINE_NAME=two\n"
                "ERROR_NAME=org.viommu1.Error.Busy\n");
    viommu_log(LOG_DEBUG, &one, "dropped");
    ck_assert_int_lt(recv(journal, &byte, 1, MSG_DONTWAIT), 0);
    ck_assert(!viommu_log_set_target("nowhere"));
    ck_assert_str_eq(viommu_log_target(), "journal");
}
END_TEST

START_TEST(standard_error)
{
    const ViommuLogFields fields = {.machine_name = "two"};
    int before = dup(STDERR_FILENO), ends[2];
    char bytes[4096] = "";

    ck_assert(viommu_log_set_target("console"));
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    viommu_log(LOG_WARNING, &fields, "a\nb");
    viommu_log(LOG_DEBUG, &fields, "dropped");
    viommu_log_set_priority(LOG_DEBUG);
    viommu_log(LOG_DEBUG, &fields, "heard");
    viommu_log_set_priority(LOG_INFO);
    ck_assert_int_eq(dup2(before, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_gt(read(ends[0], bytes, sizeof(bytes) - 1), 0);
    ck_assert_str_eq(bytes, "warning: a\n  b\ndebug: heard\n");
    close(before);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    static const TTest *tests[2];
    int status;

    if (!be_journald())
        g_print("skipped: the_journal: no /run of its own: %s\n", g_strerror(errno));
    tests[0] = the_journal;
    tests[1] = standard_error;
    status = unit_run("log", tests, G_N_ELEMENTS(tests));
    if (journal >= 0)
        close(journal);
    return status;
}
