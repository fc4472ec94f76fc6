/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/machine/pause.h"
#include "tools/client/error.h"

/* The exit statuses of shells. */
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND      127
#define STATUS_SIGNAL         128

/* The command starts with the signal mask that viommuctl was started with. */
static int spawn(char *const *command, char *const *environment, const sigset_t *mask, pid_t *ret_pid)
{
    posix_spawnattr_t attributes;
    int r;

    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    r = posix_spawnp(ret_pid, command[0], NULL, &attributes, command, environment);
    posix_spawnattr_destroy(&attributes);
    return r;
}

/* A terminal also signals the command itself; signals of other processes are passed on. */
void viommu_ctl_child_pass_on(const struct signalfd_siginfo *info, pid_t pid)
{
    bool is_ours = info->ssi_signo == SIGALRM && info->ssi_code == SI_KERNEL;
    bool from_terminal = info->ssi_signo == SIGINT || info->ssi_signo == SIGQUIT;

    if (is_ours)
        kill(pid, SIGKILL);
    else if (info->ssi_signo != SIGCHLD && !(from_terminal && info->ssi_code == SI_KERNEL))
        kill(pid, (int)info->ssi_signo);
}

int viommu_ctl_child_status(int status)
{
    return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static void fill_signals(sigset_t *signals)
{
    static const int ours[] = {SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    sigemptyset(signals);
    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
        sigaddset(signals, ours[i]);
}

int viommu_ctl_child_signals(sigset_t *ret_before)
{
    sigset_t ours;

    fill_signals(&ours);
    sigprocmask(SIG_BLOCK, &ours, ret_before);
    return signalfd(-1, &ours, SFD_CLOEXEC);
}

/* A command that waits for such a guest would wait for ever. */
#define STUCK_SEC 5u

/* False: the guest was not paused meanwhile.  If it waits for the host, @error is set and the
 * command is ended; a guest that a user has suspended runs on when that user resumes it. */
static bool take_pause(ViommuCtl *ctl, ViommuClientWatch *watch, pid_t pid, GError **error)
{
    g_autofree char *reason = NULL, *text = NULL;
    ViommuPause pause;
    int known;

    if (!viommu_client_watch_pause(watch, &reason))
        return false;
    known = reason ? viommu_enum_from_string(&viommu_enum_pause, reason) : -1;
    pause = known < 0 ? VIOMMU_PAUSE_OTHER : (ViommuPause)known;
    /* NULL: the machine is gone, or viommud is; NONE: the guest runs again. */
    if (!reason || *error || pause == VIOMMU_PAUSE_NONE)
        return true;
    text = g_strdup_printf("the guest is paused: %s", viommu_pause_words(pause));
    if (viommu_pause_is_trouble(pause)) {
        viommu_failure_set(error, VIOMMU_FAILURE_PAUSED, "%s", text);
        kill(pid, SIGTERM);
        alarm(STUCK_SEC);
    } else {
        viommu_output_warning(&ctl->output, text);
    }
    return true;
}

/* If the machine disappears first, only a warning is printed: the command may have other work to
 * do. */
static bool machine_stays(ViommuCtl *ctl, const ViommuCtlLaunched *launched, ViommuClientWatch *watch,
                          int signals)
{
    g_autoptr(GError) trouble = NULL;
    bool gone = false;

    if (!viommu_client_watch_wait(watch, signals, &gone, &trouble))
        viommu_output_warning(&ctl->output, trouble->message);
    else if (gone)
        viommu_ctl_launched_lament(ctl, launched, viommu_client_watch_result(watch));
    return !trouble && !gone;
}

/* Sets @error if the guest waits for the host; otherwise the status of the command counts. */
static int wait_for(ViommuCtl *ctl, const ViommuCtlLaunched *launched, pid_t pid, int signals, GError **error)
{
    g_autoptr(ViommuClientWatch) watch = viommu_client_watch(launched->client, launched->path, NULL);
    struct signalfd_siginfo info;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (watch && !machine_stays(ctl, launched, watch, signals))
            g_clear_pointer(&watch, viommu_client_watch_free);
        else if (watch && take_pause(ctl, watch, pid, error))
            continue;
        else if (read(signals, &info, sizeof(info)) == sizeof(info))
            viommu_ctl_child_pass_on(&info, pid);
    }
    alarm(0);
    return viommu_ctl_child_status(status);
}

bool viommu_ctl_child_run(ViommuCtl *ctl, const ViommuCtlLaunched *launched, char *const *command,
                          char *const *environment, GError **error)
{
    g_autoptr(GError) stuck = NULL;
    sigset_t ours, before;
    int signals, r;
    pid_t pid;

    fill_signals(&ours);
    signals = viommu_ctl_child_signals(&before);
    r = signals < 0 ? errno : spawn(command, environment, &before, &pid);
    if (r == 0) {
        ctl->exit_status = wait_for(ctl, launched, pid, signals, &stuck);
    } else {
        ctl->exit_status = r == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
        viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot run '%s': %s", command[0], g_strerror(r));
    }
    if (signals >= 0)
        close(signals);
    /* What the command was told already does not end what comes after it. */
    while (sigtimedwait(&ours, NULL, &(struct timespec){0, 0}) > 0)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (!stuck)
        return r == 0;
    ctl->exit_status = viommu_failure_exit_status(stuck);
    g_propagate_error(error, g_steal_pointer(&stuck));
    return false;
}
