/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-version: runs a child process with a deadline, and reads the line that it prints. */
#include "daemon/libvirt/qemu-version.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/error.h"

#define ANSWER_MAX 1024

bool viommu_qemu_version_read(const char *text, ViommuVersion *ret_version)
{
    static const char before[] = " version ";
    const char *start = strstr(text, before);

    if (!start || !g_str_has_prefix(text, "QEMU"))
        return false;
    g_autofree char *word = g_strndup(start + strlen(before), strcspn(start + strlen(before), " \r\n"));
    return viommu_version_parse(word, ret_version);
}

/* Reads until the end of file, a full @answer or the deadline. */
static bool read_answer(int fd, unsigned timeout_ms, char answer[ANSWER_MAX])
{
    gint64 end = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;
    size_t length = 0;

    while (length < ANSWER_MAX - 1) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        gint64 left = (end - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
        ssize_t n;

        if (left <= 0 || (poll(&ready, 1, (int)left) < 0 && errno != EINTR))
            return false;
        if (!ready.revents)
            continue;
        n = read(fd, answer + length, ANSWER_MAX - 1 - length);
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    answer[length] = '\0';
    return true;
}

bool viommu_qemu_version_ask(const char *path, unsigned timeout_ms, ViommuVersion *ret_version,
                             GError **error)
{
    char *const arguments[] = {(char *)path, (char *)"--version", NULL};
    char answer[ANSWER_MAX];
    g_autoptr(GError) cause = NULL;
    GPid child;
    int fd;

    /* With these flags GLib uses posix_spawn(): a process with threads must not fork().  All
     * descriptors of viommud are closed on exec.  viommud reaps the child by its id. */
    if (!g_spawn_async_with_pipes(NULL, (char **)arguments, NULL,
                                  G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_DO_NOT_REAP_CHILD |
                                      G_SPAWN_CLOEXEC_PIPES | G_SPAWN_STDERR_TO_DEV_NULL,
                                  NULL, NULL, &child, NULL, &fd, NULL, &cause))
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot run '%s --version': %s", path,
                           cause->message);
    bool answered = read_answer(fd, timeout_ms, answer);
    close(fd);
    /* The child has answered, or the time is over. */
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (answered && viommu_qemu_version_read(answer, ret_version))
        return true;
    if (answered)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND,
                           "'%s --version' printed '%s', which is not a QEMU version", path,
                           g_strchomp(answer));
    return viommu_fail(error, VIOMMU_ERROR_BACKEND, "'%s --version' did not finish within %u ms", path,
                       timeout_ms);
}
