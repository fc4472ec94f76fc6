/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/fleet-job.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "tools/client/error.h"
#include "tools/ctl/child.h"

/* Each look asks Slurm's controller. */
#define LOOK_MSEC 5000

/* An open file with @text, at its beginning; negative: there is none. */
static int input_of(const char *text)
{
    int fd = memfd_create("request", MFD_CLOEXEC);
    size_t length = strlen(text);

    if (fd >= 0 && (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Between fork and exec.  However viommuctl ends, srun ends with it, and Slurm ends the job. */
static void prepare(void *data)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, (const sigset_t *)data, NULL);
}

/* --- Questions --- */

/* A controller that is away does not hold this process up for longer. */
#define QUESTION_SECONDS "10"

/* What @words, a program of Slurm, print; NULL: it failed, or prints nothing in time.  Owned,
 * g_free(). */
static char *ask(const char *const *words, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *out = NULL, *said = NULL;
    g_autoptr(GError) trouble = NULL;
    int status = 0;

    g_ptr_array_add(argv, (void *)"timeout");
    /* The program inherits what this process blocks; nothing blocks SIGKILL. */
    g_ptr_array_add(argv, (void *)"--signal=KILL");
    g_ptr_array_add(argv, (void *)QUESTION_SECONDS);
    for (const char *const *word = words; *word; word++)
        g_ptr_array_add(argv, (void *)*word);
    g_ptr_array_add(argv, NULL);
    if (g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &said, &status,
                     &trouble) &&
        WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return g_steal_pointer(&out);
    viommu_failure_set(
        error, VIOMMU_FAILURE_UNAVAILABLE,
        "%s does not tell: %s; install Slurm's client (Debian: slurm-client), and see whether its controller runs",
        words[0],
        trouble         ? trouble->message
        : said && *said ? g_strchomp(said)
                        : "no answer");
    return NULL;
}

GPtrArray *viommu_ctl_fleet_nodes(GError **error)
{
    static const char *const words[] = {"sinfo", "--noheader", "--format=%f", NULL};
    g_autofree char *out = ask(words, error);
    g_auto(GStrv) lines = out ? g_strsplit(out, "\n", -1) : NULL;
    GPtrArray *nodes = lines ? g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev) : NULL;

    for (char **line = lines; line && *line; line++)
        if (*g_strstrip(*line))
            g_ptr_array_add(nodes, g_strsplit(*line, ",", -1));
    return nodes;
}

bool viommu_ctl_fleet_job_fits(char *const *words)
{
    g_autoptr(GPtrArray) tested = g_ptr_array_new();
    g_autofree char *out = NULL;

    g_ptr_array_add(tested, words[0]);
    g_ptr_array_add(tested, (void *)"--test-only");
    for (char *const *word = words + 1; *word; word++)
        g_ptr_array_add(tested, *word);
    g_ptr_array_add(tested, NULL);
    out = ask((const char *const *)tested->pdata, NULL);
    return out;
}

/* Of this user's job @name: its number, its state and why it waits.  NULL: it is not in the queue,
 * or nobody knows.  Owned, g_strfreev(). */
static char **find_job(const char *name, const char *states)
{
    g_autofree char *user = g_strdup_printf("--user=%u", (unsigned)getuid());
    g_autofree char *named = g_strconcat("--name=", name, NULL);
    const char *const words[] = {"squeue", "--noheader", states, user, named, "--format=%i %t %r", NULL};
    g_autofree char *out = ask(words, NULL);
    g_auto(GStrv) parts = out ? g_strsplit(g_strstrip(out), " ", 3) : NULL;

    return parts && g_strv_length(parts) == 3 ? g_steal_pointer(&parts) : NULL;
}

/* The turn of job @number among those that wait; 0: not known.  The names of other users' jobs, in
 * which anything may be, are not asked for. */
static unsigned turn_of(const char *number)
{
    static const char *const words[] = {"squeue",      "--noheader",  "--states=PD",
                                        "--sort=-p,i", "--format=%i", NULL};
    g_autofree char *out = ask(words, NULL);
    g_auto(GStrv) lines = out ? g_strsplit(out, "\n", -1) : NULL;

    for (unsigned i = 0; lines && lines[i]; i++)
        if (g_str_equal(g_strstrip(lines[i]), number))
            return i + 1;
    return 0;
}

/* "waits at Slurm: 3 in the queue, Resources".  False: the job has begun, and waits no more. */
static bool show_place(ViommuCtl *ctl, const char *name)
{
    g_auto(GStrv) job = find_job(name, "--states=PD,CF,R");
    bool waits = job && g_str_equal(job[1], "PD");
    unsigned turn = waits ? turn_of(job[0]) : 0;
    g_autofree char *place =
        turn ? g_strdup_printf("waits at Slurm: %u in the queue, %s", turn, job[2]) : NULL;

    if (place)
        viommu_output_progress(&ctl->output, place);
    else
        viommu_output_progress_end(&ctl->output);
    return !job || waits;
}

/* srun ends with 0, too, when the node of its job has failed, and when the command of a job that is
 * cut short ends with 0.  If Slurm knows the job no more, or its controller is away, it is taken to
 * have ended well. */
static bool check_end(const char *name, GError **error)
{
    /* Boot failure, deadline, node failure, out of memory, pending again, preempted, timeout.  Of
     * others, such as a job that completes (CG), the reason tells; who cancels a job (CA), as one
     * that holds a machine, knows it. */
    static const char *const cut_short[] = {"BF", "DL", "NF", "OOM", "PD", "PR", "TO", NULL};
    g_auto(GStrv) job = find_job(name, "--states=all");

    if (!job || g_str_equal(job[1], "CD") ||
        (g_str_equal(job[2], "None") && !g_strv_contains(cut_short, job[1])))
        return true;
    return viommu_failure_set(
        error, VIOMMU_FAILURE_UNAVAILABLE,
        "job %s did not end by itself: Slurm's state is %s, with reason %s, so what it was for may not be done; run it again",
        job[0], job[1], job[2]);
}

/* The status of waitpid(). */
static int wait_for(ViommuCtl *ctl, pid_t pid, int signals, const char *name)
{
    bool shows = viommu_output_shows_progress(&ctl->output);
    struct signalfd_siginfo info;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct pollfd watched = {.fd = signals, .events = POLLIN};

        if (poll(&watched, 1, shows ? LOOK_MSEC : -1) == 0)
            shows = show_place(ctl, name);
        else if (read(signals, &info, sizeof(info)) == sizeof(info))
            viommu_ctl_child_pass_on(&info, pid);
    }
    viommu_output_progress_end(&ctl->output);
    return status;
}

static bool take_status(ViommuCtl *ctl, int status, const char *name, GError **error)
{
    ctl->exit_status = viommu_ctl_child_status(status);
    return ctl->exit_status != 0 || check_end(name, error);
}

bool viommu_ctl_fleet_job_run(ViommuCtl *ctl, char **words, const char *name, const char *input,
                              GError **error)
{
    const GSpawnFlags flags = G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD;
    g_autoptr(GError) trouble = NULL;
    int fd = input_of(input), signals;
    bool good = false;
    sigset_t before;
    GPid pid;

    if (fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot keep the request for srun: %s",
                           g_strerror(errno));
    signals = viommu_ctl_child_signals(&before);
    if (signals >= 0 &&
        g_spawn_async_with_fds(NULL, words, NULL, flags, prepare, &before, &pid, fd, -1, -1, &trouble))
        good = take_status(ctl, wait_for(ctl, pid, signals, name), name, error);
    else
        viommu_failure_set(error, VIOMMU_FAILURE_UNAVAILABLE,
                           "cannot run srun: %s; install Slurm's client (Debian: slurm-client)",
                           trouble ? trouble->message : g_strerror(errno));
    close(fd);
    if (signals >= 0)
        close(signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return good;
}
