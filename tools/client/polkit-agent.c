/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/polkit-agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* If polkit does not run, the call itself fails and says so. */
#define TIMEOUT_MSEC 5000
/* The number of the descriptor in the agent. */
#define NOTIFY_FD "3"

struct ViommuAgent {
    pid_t pid;
};

static bool spawn(int notify, pid_t *ret_pid)
{
    /* As a fallback: an agent of the desktop takes precedence. */
    const char *const argv[] = {"pkttyagent", "--notify-fd", NOTIFY_FD, "--fallback", NULL};
    posix_spawn_file_actions_t actions;
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, notify, NOTIFY_FD[0] - '0');
    r = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r == 0;
}

/* The agent closes its end when it is registered, or when it ends. */
static void wait_closed(int fd)
{
    struct pollfd waited = {.fd = fd, .events = 0};

    while (poll(&waited, 1, TIMEOUT_MSEC) < 0 && errno == EINTR)
        ;
}

ViommuAgent *viommu_agent_start(void)
{
    ViommuAgent *agent = NULL;
    int ends[2];
    pid_t pid;

    if (!isatty(STDIN_FILENO) || pipe2(ends, O_CLOEXEC) < 0)
        return NULL;
    if (spawn(ends[1], &pid)) {
        agent = g_new0(ViommuAgent, 1);
        agent->pid = pid;
    }
    close(ends[1]);
    if (agent)
        wait_closed(ends[0]);
    close(ends[0]);
    return agent;
}

void viommu_agent_stop(ViommuAgent *agent)
{
    if (!agent)
        return;
    /* The agent restores the terminal, and the terminal may have stopped it. */
    kill(agent->pid, SIGTERM);
    kill(agent->pid, SIGCONT);
    while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    g_free(agent);
}
