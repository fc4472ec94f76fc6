/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl top: what machines take of the host.  On a terminal it is shown anew each second, in
 * the terminal's second screen; elsewhere, and with --once or --json, it is printed once. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/quantity.h"
#include "tools/ctl/machine.h"
#include "tools/ctl/usage.h"

/* viommud keeps an answer for half of that. */
#define INTERVAL_MSEC 1000
#define STATUS_SIGNAL 128
/* Those above the table's first row, that of what does not fit, and the cursor's. */
#define OTHER_LINES 5
#define USUAL_LINES 24

/* The second screen, without the cursor, and long lines cut instead of wrapped. */
#define SCREEN_OPEN  "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_CLOSE "\033[?7h\033[?25h\033[?1049l"
#define SCREEN_CLEAR "\033[H\033[2J"

/* --- The table --- */

static const char *const titles[] = {"NAME",   "STATE", "IOMMU", "CPU",   "RESIDENT",
                                     "MEMORY", "VCPUS", "TIME",  "QUEUE", NULL};
enum {
    NAME,
    STATE,
    MODEL,
    CPU,
    RESIDENT,
    MEMORY,
    VCPUS,
    TIME,
    QUEUE,
    N_COLUMNS
};

static char *mebibytes(uint64_t bytes)
{
    return bytes == VIOMMU_CTL_UNKNOWN ? NULL : g_strdup_printf("%" PRIu64 " MiB", bytes / VIOMMU_MIB);
}

static char *cpu_time(uint64_t nsec)
{
    uint64_t seconds = nsec / G_USEC_PER_SEC / 1000;

    if (nsec == VIOMMU_CTL_UNKNOWN)
        return NULL;
    return g_strdup_printf("%" PRIu64 ":%02u", seconds / 60, (unsigned)(seconds % 60));
}

static void add_row(ViommuTable *table, const ViommuCtlUsage *usage)
{
    char *made[N_COLUMNS] = {NULL};
    const char *cells[N_COLUMNS] = {[NAME] = usage->name, [STATE] = usage->state};

    made[CPU] = usage->cpu_percent < 0 ? NULL : g_strdup_printf("%.0f%%", usage->cpu_percent);
    made[RESIDENT] = mebibytes(usage->resident_bytes);
    made[TIME] = cpu_time(usage->cpu_nsec);
    if (usage->is_known) {
        made[MEMORY] = viommu_quantity_format(usage->memory_bytes);
        made[VCPUS] = g_strdup_printf("%" PRIu64, usage->vcpus);
        made[MODEL] = g_strdup(*usage->model ? usage->model : "none");
    }
    if (usage->queue_position)
        made[QUEUE] = g_strdup_printf("%" PRIu64, usage->queue_position);
    for (int i = MODEL; i < N_COLUMNS; i++)
        cells[i] = made[i];
    viommu_table_add(table, cells, STATE, viommu_ctl_state_style(usage->state));
    for (int i = 0; i < N_COLUMNS; i++)
        g_free(made[i]);
}

/* What a host has of a thing: "3 of 64", or "3" without a limit. */
static char *amount(const ViommuCtlSample *sample, const char *key, bool is_size)
{
    guint64 used = 0, limit = 0;
    g_autofree char *shown = NULL, *most = NULL;

    g_variant_lookup(sample->used, key, "t", &used);
    g_variant_lookup(sample->limits, key, "t", &limit);
    shown = is_size ? viommu_quantity_format(used) : g_strdup_printf("%" G_GUINT64_FORMAT, used);
    most = is_size ? mebibytes(limit) : g_strdup_printf("%" G_GUINT64_FORMAT, limit);
    return limit ? g_strdup_printf("%s of %s", shown, most) : g_steal_pointer(&shown);
}

static void print_head(const ViommuOutput *output, const ViommuCtlSample *sample)
{
    g_autofree char *machines = amount(sample, "machines", false), *vcpus = amount(sample, "vcpus", false);
    g_autofree char *memory = amount(sample, "memory", true);
    g_autofree char *launches = amount(sample, "pending-launches", false);

    viommu_output_format(output, "Machines: %s.  Launches under way: %s.  vCPUs: %s.  Memory: %s.\n",
                         machines, launches, vcpus, memory);
    if (sample->error)
        viommu_output_format(output, "What they take of the host is not known: %s\n", sample->error->message);
    viommu_output_text(output, VIOMMU_STYLE_PLAIN, "\n");
}

static void print_sample(const ViommuOutput *output, const ViommuCtlSample *sample, guint max_rows)
{
    g_autoptr(ViommuTable) table = viommu_table_new(titles, 0);
    guint n = MIN(sample->machines->len, max_rows);

    print_head(output, sample);
    for (guint i = 0; i < n; i++)
        add_row(table, g_ptr_array_index(sample->machines, i));
    viommu_table_print(table, output);
    if (n < sample->machines->len)
        viommu_output_format(output, "and %u more\n", sample->machines->len - n);
}

/* --- JSON --- */

/* An empty maybe is null. */
static GVariant *number_or_nothing(bool is_known, uint64_t number)
{
    return g_variant_new_maybe(G_VARIANT_TYPE_UINT64, is_known ? g_variant_new_uint64(number) : NULL);
}

static GVariant *machine_as_json(const ViommuCtlUsage *usage)
{
    const struct {
        const char *key;
        bool is_known;
        uint64_t value;
    } numbers[] = {
        {"cpu-nsec", usage->cpu_nsec != VIOMMU_CTL_UNKNOWN, usage->cpu_nsec},
        {"resident-bytes", usage->resident_bytes != VIOMMU_CTL_UNKNOWN, usage->resident_bytes},
        {"memory-bytes", usage->is_known, usage->memory_bytes},
        {"vcpus", usage->is_known, usage->vcpus},
        {"queue-position", usage->is_known, usage->queue_position},
    };
    GVariantBuilder object;

    g_variant_builder_init(&object, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&object, "{sv}", "name", g_variant_new_string(usage->name));
    g_variant_builder_add(&object, "{sv}", "state", g_variant_new_string(usage->state));
    g_variant_builder_add(&object, "{sv}", "model", g_variant_new_string(usage->model));
    g_variant_builder_add(
        &object, "{sv}", "cpu-percent",
        g_variant_new_maybe(G_VARIANT_TYPE_DOUBLE,
                            usage->cpu_percent < 0 ? NULL : g_variant_new_double(usage->cpu_percent)));
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_variant_builder_add(&object, "{sv}", numbers[i].key,
                              number_or_nothing(numbers[i].is_known, numbers[i].value));
    return g_variant_builder_end(&object);
}

static void print_json(const ViommuCtlSample *sample)
{
    GVariantBuilder object, machines;

    g_variant_builder_init(&machines, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < sample->machines->len; i++)
        g_variant_builder_add_value(&machines, machine_as_json(g_ptr_array_index(sample->machines, i)));
    g_variant_builder_init(&object, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&object, "{sv}", "used", sample->used);
    g_variant_builder_add(&object, "{sv}", "limits", sample->limits);
    g_variant_builder_add(&object, "{sv}", "machines", g_variant_builder_end(&machines));
    viommu_output_json(g_variant_builder_end(&object));
}

/* --- Once --- */

static bool print_once(ViommuCtl *ctl, ViommuClient *client, GError **error)
{
    g_autoptr(ViommuCtlSample) sample = viommu_ctl_sample_take(client, NULL, error);

    if (sample && viommu_ctl_sample_has_usage(sample)) {
        g_autoptr(ViommuCtlSample) before = g_steal_pointer(&sample);

        g_usleep(INTERVAL_MSEC * G_TIME_SPAN_MILLISECOND);
        sample = viommu_ctl_sample_take(client, before, error);
    }
    if (!sample)
        return false;
    if (ctl->output.json)
        print_json(sample);
    else
        print_sample(&ctl->output, sample, G_MAXUINT);
    return true;
}

/* --- The screen --- */

static volatile sig_atomic_t ended_by;

static void on_signal(int number)
{
    ended_by = number;
}

/* Interrupts poll(): the screen has another size. */
static void on_resize(int number)
{
}

typedef struct Screen {
    struct termios before;
    bool opened;
} Screen;

static void screen_clear(Screen *screen)
{
    if (!screen->opened)
        return;
    fputs(SCREEN_CLOSE, stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Screen, screen_clear)

/* Keys are read one by one and not shown; Ctrl-C still is a signal.  A suspended viommuctl would
 * leave the shell on the second screen. */
static bool screen_open(Screen *screen)
{
    static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct termios keys;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &screen->before) < 0)
        return false;
    keys = screen->before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;
    for (size_t i = 0; i < G_N_ELEMENTS(ending_signals); i++)
        sigaction(ending_signals[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGWINCH, &(struct sigaction){.sa_handler = on_resize}, NULL);
    screen->opened = tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys) == 0;
    if (screen->opened)
        fputs(SCREEN_OPEN, stdout);
    return screen->opened;
}

static guint screen_rows(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
        size.ws_row = USUAL_LINES;
    return size.ws_row > OTHER_LINES ? size.ws_row - (guint)OTHER_LINES : 1;
}

/* False: the user leaves, or the terminal is gone. */
static bool wait_for_key(void)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key;

    if (ended_by)
        return false;
    if (poll(&keys, 1, INTERVAL_MSEC) <= 0)
        return !ended_by;
    return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

static bool follow(ViommuCtl *ctl, ViommuClient *client, GError **error)
{
    g_autoptr(ViommuCtlSample) sample = NULL;

    do {
        ViommuCtlSample *next = viommu_ctl_sample_take(client, sample, error);

        if (!next && ended_by)
            g_clear_error(error);
        if (!next)
            return ended_by != 0;
        viommu_ctl_sample_free(sample);
        sample = next;
        fputs(SCREEN_CLEAR, stdout);
        print_sample(&ctl->output, sample, screen_rows());
        if (!viommu_output_finish(error))
            return false;
    } while (wait_for_key());
    return true;
}

static bool show(ViommuCtl *ctl, ViommuClient *client, GError **error)
{
    g_auto(Screen) screen = {.opened = false};

    if (!screen_open(&screen))
        return print_once(ctl, client, error);
    if (!follow(ctl, client, error))
        return false;
    /* Ctrl-C is the way out, as q is. */
    if (ended_by && ended_by != SIGINT)
        ctl->exit_status = STATUS_SIGNAL + ended_by;
    return true;
}

bool viommu_ctl_top(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);

    if (!client)
        return false;
    return ctl->once || ctl->output.json || !ctl->output.terminal ? print_once(ctl, client, error)
                                                                  : show(ctl, client, error);
}
