/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-kept: descriptors that systemd gives back, and those that it gets. */
#include "daemon/process/kept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "tests/unit/unit.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* As systemd starts it: @n descriptors by these names. */
static void give(unsigned n, const char *names)
{
    g_autofree char *pid = g_strdup_printf("%d", getpid()), *number = g_strdup_printf("%u", n);

    for (unsigned i = 0; i < n; i++)
        (void)dup2(STDERR_FILENO, SD_LISTEN_FDS_START + (int)i);
    g_setenv("LISTEN_PID", pid, TRUE);
    g_setenv("LISTEN_FDS", number, TRUE);
    g_setenv("LISTEN_FDNAMES", names, TRUE);
}

/* In a process of its own: the test's own descriptors have these numbers. */
static bool takes_what_is_given(void)
{
    ViommuKept *kept;
    bool good;

    give(3, "one:other:one");
    kept = viommu_kept_new();
    good = !g_getenv("LISTEN_FDS") && fcntl(SD_LISTEN_FDS_START, F_GETFD) == FD_CLOEXEC &&
           viommu_kept_take(kept, "none") == -1 && viommu_kept_take(kept, "one") == SD_LISTEN_FDS_START &&
           viommu_kept_take(kept, "one") == SD_LISTEN_FDS_START + 2 && viommu_kept_take(kept, "one") == -1;
    viommu_kept_free(kept);
    return good && is_open(SD_LISTEN_FDS_START) && is_open(SD_LISTEN_FDS_START + 2) &&
           !is_open(SD_LISTEN_FDS_START + 1);
}

START_TEST(given)
{
    int status = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(takes_what_is_given() ? EXIT_SUCCESS : EXIT_FAILURE);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(without_systemd)
{
    ViommuKept *kept = viommu_kept_new();

    ck_assert_int_eq(viommu_kept_take(kept, "one"), -1);
    viommu_kept_free(kept);
    viommu_kept_store("one", STDERR_FILENO);
}
END_TEST

START_TEST(stored)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_autofree char *name = g_strdup_printf("@viommu-test-kept-%d", getpid());
    char text[64] = "", control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct iovec data = {text, sizeof(text) - 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

    memcpy(address.sun_path + 1, name + 1, strlen(name + 1));
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    g_setenv("NOTIFY_SOCKET", name, TRUE);
    viommu_kept_store("one", STDERR_FILENO);
    ck_assert_int_gt((int)recvmsg(manager, &message, MSG_DONTWAIT), 0);
    ck_assert_str_eq(text, "FDSTORE=1\nFDNAME=one");
    ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
    ck_assert_int_eq(CMSG_FIRSTHDR(&message)->cmsg_type, SCM_RIGHTS);
    close(manager);
}
END_TEST

UNIT_MAIN("kept", given, without_systemd, stored)
