/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl console: connects the terminal to a guest's serial console, or prints the console's
 * log. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/printable.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "tools/ctl/machine.h"
#include "tools/ctl/progress.h"
#include "tools/client/error.h"

#define ESCAPE        '\x1d' /* Ctrl-] */
#define STATUS_SIGNAL 128
#define SILENCE_MSEC  1000

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t ended_by;

static void on_signal(int number)
{
    ended_by = number;
}

/* --- The terminal --- */

typedef struct Terminal {
    struct termios before;
    bool raw;
} Terminal;

static void terminal_clear(Terminal *terminal)
{
    if (terminal->raw)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->before);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Terminal, terminal_clear)

/* All keys but one go to the guest. */
static void terminal_open(Terminal *terminal)
{
    struct termios raw;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &terminal->before) < 0)
        return;
    raw = terminal->before;
    cfmakeraw(&raw);
    terminal->raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

/* --- Copying --- */

/* @size 0: the end.  False: @error is set, or the user leaves. */
static bool read_some(int fd, char *buffer, size_t *size, GError **error)
{
    ssize_t n;

    do
        n = read(fd, buffer, *size);
    while (n < 0 && errno == EINTR && !ended_by);
    if (n < 0 && errno != EINTR)
        viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot read: %s", g_strerror(errno));
    *size = n < 0 ? 0 : (size_t)n;
    return n >= 0;
}

static bool write_all(int fd, const char *data, size_t size, GError **error)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR && !ended_by)
            continue;
        if (n < 0)
            return viommu_failure_set(error, VIOMMU_FAILURE_OUTPUT, "cannot write: %s", g_strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* A guest's output must not steer the terminal.  If a piece ends inside a control sequence, the
 * rest of the sequence is shown as text; it cannot act, because each piece is cleaned for
 * itself. */
static bool write_clean(const char *data, size_t size, GError **error)
{
    g_autofree char *text = viommu_console_text_clean_bytes(data, size);

    return write_all(STDOUT_FILENO, text, strlen(text), error);
}

static bool copy_log(int fd, bool raw, GError **error)
{
    char buffer[8192];
    size_t size = sizeof(buffer);

    while (read_some(fd, buffer, &size, error)) {
        if (size == 0)
            return true;
        if (raw ? !write_all(STDOUT_FILENO, buffer, size, error) : !write_clean(buffer, size, error))
            return false;
        size = sizeof(buffer);
    }
    return false;
}

typedef enum Copied {
    COPIED_MORE,
    COPIED_END,  /* the guest or the daemon ended */
    COPIED_LEFT, /* the user left */
    COPIED_FAILED,
} Copied;

static Copied copy_output(int console, GError **error)
{
    char buffer[8192];
    size_t size = sizeof(buffer);

    if (!read_some(console, buffer, &size, error))
        return ended_by ? COPIED_LEFT : COPIED_FAILED;
    if (size == 0)
        return COPIED_END;
    return write_all(STDOUT_FILENO, buffer, size, error) ? COPIED_MORE : COPIED_FAILED;
}

/* *ret_over: there is no more input, but stay connected. */
static Copied copy_input(int console, bool terminal, bool *ret_over, GError **error)
{
    char buffer[1024];
    size_t size = sizeof(buffer);
    const char *escape;

    if (!read_some(STDIN_FILENO, buffer, &size, error))
        return ended_by ? COPIED_LEFT : COPIED_FAILED;
    *ret_over = size == 0;
    escape = terminal ? memchr(buffer, ESCAPE, size) : NULL;
    if (escape)
        size = (size_t)(escape - buffer);
    /* The other end is closed: the output shows why. */
    if (!write_all(console, buffer, size, NULL))
        *ret_over = true;
    return escape ? COPIED_LEFT : COPIED_MORE;
}

/* A console without output so far. */
typedef struct Silence {
    ViommuCtl *ctl;
    ViommuClient *client;
    const char *path;
    bool broken;
    gint64 begin;
    char *told; /* the problem that was told last; NULL: none */
} Silence;

/* A guest may print nothing for long; but if viommud cannot read its console, waiting is
 * useless. */
static void tell_silence(Silence *silence)
{
    g_autoptr(GVariant) properties =
        viommu_ctl_machine_properties(silence->ctl, silence->client, silence->path, NULL);
    ViommuCtlProgress progress = {.output = &silence->ctl->output, .what = "waiting for the console"};
    const char *problem = "";

    if (properties)
        g_variant_lookup(properties, "ConsoleProblem", "&s", &problem);
    viommu_output_progress_end(&silence->ctl->output);
    if (!*problem || !viommu_output_shows_progress(&silence->ctl->output))
        return;
    /* Whole, as it says what to do; the line of progress is cut. */
    if (g_strcmp0(problem, silence->told) != 0) {
        viommu_output_warning(&silence->ctl->output, problem);
        g_free(silence->told);
        silence->told = g_strdup(problem);
    }
    viommu_ctl_progress((uint64_t)(g_get_monotonic_time() - silence->begin), &progress);
}

static void break_silence(Silence *silence)
{
    if (!silence->broken)
        viommu_output_progress_end(&silence->ctl->output);
    silence->broken = true;
}

static Copied copy_both(int console, bool terminal, Silence *silence, GError **error)
{
    struct pollfd fds[] = {{.fd = console, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    Copied copied = COPIED_MORE;
    bool over = false;

    while (copied == COPIED_MORE && !ended_by) {
        int n = poll(fds, G_N_ELEMENTS(fds), silence->broken ? -1 : SILENCE_MSEC);

        if (n == 0)
            tell_silence(silence);
        if (n <= 0)
            continue;
        if (fds[0].revents) {
            break_silence(silence);
            copied = copy_output(console, error);
        }
        if (copied == COPIED_MORE && fds[1].revents)
            copied = copy_input(console, terminal, &over, error);
        if (over)
            fds[1].fd = -1;
    }
    return copied;
}

/* --- The verb --- */

static bool print_log(ViommuCtl *ctl, GError **error)
{
    ViommuClientCall call = {
        .path = VIOMMU_BUS_PATH, .interface = VIOMMU_IFACE_MANAGER, .method = "OpenConsoleLog"};
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);
    bool good;
    int fd;

    if (!client)
        return false;
    call.arguments = g_variant_new("(s)", ctl->words[0]);
    if (!viommu_client_call_fd(client, &call, &fd, error))
        return false;
    good = copy_log(fd, ctl->raw || !ctl->output.terminal, error);
    close(fd);
    return good;
}

static bool check_ended(ViommuCtl *ctl, ViommuClient *client, const char *path, GError **error)
{
    g_autoptr(GVariant) properties = viommu_ctl_machine_properties(ctl, client, path, NULL);
    const char *state = "";

    if (properties)
        g_variant_lookup(properties, "State", "&s", &state);
    if (!g_str_equal(state, "running"))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_BUSY,
        "lost the console of '%s': its output was not read fast enough, or viommud ended; try again",
        ctl->words[0]);
}

static bool be_at_console(ViommuCtl *ctl, int fd, Silence *silence, bool *ret_ended, GError **error)
{
    g_auto(Terminal) terminal = {.raw = false};
    Copied copied;

    for (size_t i = 0; i < G_N_ELEMENTS(ending_signals); i++)
        sigaction(ending_signals[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    signal(SIGPIPE, SIG_IGN);
    terminal_open(&terminal);
    if (terminal.raw)
        fprintf(stderr, "Connected to the console of '%s'; Ctrl-] leaves.\r\n", ctl->words[0]);
    copied = copy_both(fd, terminal.raw, silence, error);
    break_silence(silence);
    if (terminal.raw)
        fputs("\r\n", stderr);
    if (ended_by)
        ctl->exit_status = STATUS_SIGNAL + ended_by;
    *ret_ended = copied == COPIED_END;
    return copied != COPIED_FAILED;
}

bool viommu_ctl_console(ViommuCtl *ctl, GError **error)
{
    ViommuClientCall call = {.interface = VIOMMU_IFACE_MACHINE, .method = "OpenConsole"};
    g_autoptr(ViommuClient) client = NULL;
    g_autofree char *path = NULL;
    bool ended = false, good;
    Silence silence;
    int fd;

    if (ctl->log)
        return print_log(ctl, error);
    client = viommu_ctl_connect(ctl, error);
    path = client ? viommu_ctl_find_machine(ctl, client, error) : NULL;
    call.path = path;
    if (!path || !viommu_client_call_fd(client, &call, &fd, error))
        return false;
    silence = (Silence){.ctl = ctl,
                        .client = client,
                        .path = path,
                        .broken = !ctl->output.terminal_error || ctl->output.json,
                        .begin = g_get_monotonic_time()};
    good = be_at_console(ctl, fd, &silence, &ended, error);
    close(fd);
    g_free(silence.told);
    return good && (!ended || check_ended(ctl, client, path, error));
}
