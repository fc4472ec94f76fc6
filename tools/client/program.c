/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program: a pipe for what it says, and a look each moment at whether it has ended: a child of it
 * may hold the pipe longer. */
#include "tools/client/program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX 4096
/* Until the end is noticed of a program that closed its pipe, or left it to a child. */
#define LOOK_MSEC 20

typedef struct Run {
    pid_t pid;
    int pipe; /* -1: it is at its end */
    GString *said;
    gint64 asked; /* when it was asked last whether it goes on */
} Run;

/* Everything is read, so that the program does not wait. */
static void hear(Run *run)
{
    char piece[1024];
    ssize_t n = read(run->pipe, piece, sizeof(piece));

    if (n > 0)
        g_string_append_len(run->said, piece, MIN(n, (ssize_t)(SAID_MAX - run->said->len)));
    if (n > 0 || (n < 0 && errno == EINTR))
        return;
    close(run->pipe);
    run->pipe = -1;
}

static void wait_a_moment(Run *run)
{
    struct pollfd polled = {.fd = run->pipe, .events = POLLIN};

    if (poll(&polled, 1, LOOK_MSEC) > 0)
        hear(run);
}

static bool goes_on(Run *run, const ViommuProgramTurn *turn)
{
    gint64 now = g_get_monotonic_time();

    if (!turn || now - run->asked < G_TIME_SPAN_SECOND)
        return true;
    run->asked = now;
    return turn->goes_on(turn->userdata);
}

/* What it said last may still be in the pipe. */
static void hear_rest(Run *run)
{
    struct pollfd polled = {.fd = run->pipe, .events = POLLIN};

    while (run->pipe >= 0 && poll(&polled, 1, 0) > 0) {
        hear(run);
        polled.fd = run->pipe;
    }
}

int viommu_program_run(char *const *words, const ViommuProgramTurn *turn, char **ret_said)
{
    g_autoptr(GError) trouble = NULL;
    Run run = {.asked = g_get_monotonic_time()};
    int status = 0;

    if (!g_spawn_async_with_pipes(NULL, (char **)words, NULL,
                                  G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                                      G_SPAWN_DO_NOT_REAP_CHILD,
                                  NULL, NULL, &run.pid, NULL, NULL, &run.pipe, &trouble)) {
        *ret_said = g_strdup(trouble->message);
        return VIOMMU_PROGRAM_NO_STATUS;
    }
    run.said = g_string_new(NULL);
    while (waitpid(run.pid, &status, WNOHANG) == 0) {
        wait_a_moment(&run);
        if (!goes_on(&run, turn))
            kill(run.pid, SIGKILL);
    }
    hear_rest(&run);
    if (run.pipe >= 0)
        close(run.pipe);
    *ret_said = g_strchomp(g_string_free(run.said, FALSE));
    return WIFEXITED(status) ? WEXITSTATUS(status) : VIOMMU_PROGRAM_NO_STATUS;
}
