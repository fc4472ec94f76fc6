/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* harness: processes, connections and calls.  Knows no scenario. */
#include "tests/bus/harness.h"

#include <glib/gstdio.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/bus/variant.h"
#include "tests/unit/unit.h"

/* The open harness, because a failed test does not reach harness_free(). */
static Harness *current;

static const char *const ready_options[] = {"--user", "--connect=test:///default", NULL};

static void assert_sd(int r, const char *what)
{
    ck_assert_msg(r >= 0, "%s: %s", what, g_strerror(-r));
}

/* --- Processes --- */

static char *harness_path(Harness *harness, const char *name)
{
    return g_build_filename(harness->directory, name, NULL);
}

static void write_file(Harness *harness, const char *name, const char *text)
{
    g_autofree char *path = harness_path(harness, name);
    g_autoptr(GError) error = NULL;

    ck_assert_msg(g_file_set_contents(path, text, -1, &error), "%s", error ? error->message : "");
}

static char *program(void)
{
    const char *path = g_getenv("VIOMMUD");

    ck_assert_msg(path, "VIOMMUD does not say where viommud is");
    return g_strdup(path);
}

static char **make_environment(Harness *harness)
{
    g_autofree char *config = harness_path(harness, "viommud.conf"), *state = harness_path(harness, "state");
    char **environment = g_get_environ();

    environment = g_environ_unsetenv(environment, VIOMMU_ENV_CONNECT);
    environment = g_environ_setenv(environment, VIOMMU_ENV_CONFIG, config, TRUE);
    environment = g_environ_setenv(environment, "XDG_RUNTIME_DIR", harness->directory, TRUE);
    environment = g_environ_setenv(environment, "STATE_DIRECTORY", state, TRUE);
    environment = g_environ_setenv(environment, "DBUS_SYSTEM_BUS_ADDRESS", harness->address, TRUE);
    return g_environ_setenv(environment, "DBUS_SESSION_BUS_ADDRESS", harness->address, TRUE);
}

static char **make_arguments(const char *const *options)
{
    GPtrArray *arguments = g_ptr_array_new();

    g_ptr_array_add(arguments, program());
    for (; *options; options++)
        g_ptr_array_add(arguments, g_strdup(*options));
    g_ptr_array_add(arguments, NULL);
    return (char **)g_ptr_array_free(arguments, FALSE);
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define OPEN_RULES                                                                          \
    "<type>session</type><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>" \
    "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy>"

static void start_bus(Harness *harness, bool activation, const char *rules)
{
    g_autofree char *config = harness_path(harness, "bus.conf");
    g_autofree char *activate =
        activation ? g_strdup_printf("<servicedir>%s</servicedir>", harness->directory) : g_strdup("");
    g_autofree char *text =
        g_strdup_printf("<busconfig><listen>%s</listen>%s%s</busconfig>", harness->address, activate, rules);
    const char *arguments[] = {"dbus-daemon", "--nofork", "--nopidfile", "--config-file", config, NULL};
    g_auto(GStrv) environment = make_environment(harness);
    g_autoptr(GError) error = NULL;

    write_file(harness, "bus.conf", text);
    ck_assert_msg(g_spawn_async(NULL, (char **)arguments, environment,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                &harness->bus_pid, &error),
                  "%s", error ? error->message : "");
}

static int try_connect(Harness *harness, sd_bus **ret_bus)
{
    sd_bus *bus = NULL;
    int r = sd_bus_new(&bus);

    if (r >= 0)
        r = sd_bus_set_address(bus, harness->address);
    if (r >= 0)
        r = sd_bus_set_bus_client(bus, true);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r >= 0)
        r = sd_bus_get_unique_name(bus, &(const char *){NULL});
    if (r < 0)
        sd_bus_unref(bus);
    else
        *ret_bus = bus;
    return r;
}

sd_bus *harness_connect(Harness *harness)
{
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    sd_bus *bus = NULL;
    int r;

    while ((r = try_connect(harness, &bus)) < 0 && g_get_monotonic_time() < end)
        g_usleep(10000);
    assert_sd(r, "connecting to the bus");
    return bus;
}

sd_bus *harness_connect_as(Harness *harness, uid_t uid)
{
    sd_bus *bus;

    ck_assert_int_eq(seteuid(uid), 0);
    bus = harness_connect(harness);
    ck_assert_int_eq(seteuid(0), 0);
    return bus;
}

static void free_signal(void *signal)
{
    sd_bus_message_unref(signal);
}

static void write_activation(Harness *harness)
{
    g_autofree char *daemon = program();
    g_autofree char *text = g_strdup_printf(
        "[D-BUS Service]\nName=%s\nExec=%s --user --connect=test:///default\n", VIOMMU_BUS_NAME, daemon);

    write_file(harness, VIOMMU_BUS_NAME ".service", text);
}

static Harness *new_bus(bool activation, const char *rules)
{
    Harness *harness = g_new0(Harness, 1);
    g_autoptr(GError) error = NULL;

    harness->directory = g_dir_make_tmp("viommu-bus-XXXXXX", &error);
    ck_assert_msg(harness->directory, "%s", error ? error->message : "");
    /* Another user may call, too. */
    g_chmod(harness->directory, 0755);
    harness->address = g_strdup_printf("unix:path=%s/bus", harness->directory);
    harness->signals = g_ptr_array_new_with_free_func(free_signal);
    g_assert(!current);
    current = harness;
    harness_configure(harness, "");
    if (activation)
        write_activation(harness);
    start_bus(harness, activation, rules);
    harness->bus = harness_connect(harness);
    return harness;
}

Harness *harness_new(bool activation)
{
    return new_bus(activation, OPEN_RULES);
}

Harness *harness_new_ruled(const char *rules, uid_t daemon_uid)
{
    Harness *harness = new_bus(false, rules);

    harness->daemon_uid = daemon_uid;
    return harness;
}

Harness *harness_new_ready(void)
{
    Harness *harness = harness_new(false);

    harness_start(harness, ready_options);
    return harness;
}

static bool has_owner(Harness *harness)
{
    g_autoptr(sd_bus_message) reply = NULL;
    int owned = 0;
    int r = sd_bus_call_method(harness->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s", VIOMMU_BUS_NAME);

    if (r >= 0)
        r = sd_bus_message_read(reply, "b", &owned);
    assert_sd(r, "asking for the name");
    return owned;
}

static void become(void *uid)
{
    uid_t to = (uid_t)GPOINTER_TO_UINT(uid);

    if (to != 0 && (setgroups(0, NULL) < 0 || setresgid(to, to, to) < 0 || setresuid(to, to, to) < 0))
        _exit(EXIT_FAILURE);
}

/* Another user may not have access to the build directory. */
static char *copy_program(Harness *harness, const char *program)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL, *name = g_path_get_basename(program), *path = harness_path(harness, name);
    gsize length;

    ck_assert_msg(g_file_get_contents(program, &text, &length, &error) &&
                      g_file_set_contents(path, text, (gssize)length, &error),
                  "%s", error ? error->message : "");
    g_chmod(path, 0755);
    return g_steal_pointer(&path);
}

void harness_start(Harness *harness, const char *const *options)
{
    g_auto(GStrv) arguments = make_arguments(options), environment = make_environment(harness);
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(harness->daemon_pid, 0);
    if (harness->daemon_uid != 0) {
        g_autofree char *ours = arguments[0];
        g_autofree char *reader = g_strconcat(ours, "-files", NULL);
        g_autofree char *beside = copy_program(harness, reader);
        arguments[0] = copy_program(harness, ours);
    }
    ck_assert_msg(g_spawn_async(NULL, arguments, environment, G_SPAWN_DO_NOT_REAP_CHILD, become,
                                GUINT_TO_POINTER(harness->daemon_uid), &harness->daemon_pid, &error),
                  "%s", error ? error->message : "");
    while (!has_owner(harness)) {
        ck_assert_msg(waitpid(harness->daemon_pid, NULL, WNOHANG) == 0,
                      "viommud ended instead of taking its name");
        ck_assert_msg(g_get_monotonic_time() < end, "viommud does not take its name");
        g_usleep(5000);
    }
}

int harness_run(Harness *harness, const char *const *options, char **ret_words)
{
    g_auto(GStrv) arguments = make_arguments(options), environment = make_environment(harness);
    g_autoptr(GError) error = NULL;
    int status;

    ck_assert_msg(g_spawn_sync(NULL, arguments, environment, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                               ret_words, &status, &error),
                  "%s", error ? error->message : "");
    return exit_status(status);
}

void harness_signal(Harness *harness, int number)
{
    ck_assert_int_ne(harness->daemon_pid, 0);
    ck_assert_int_eq(kill(harness->daemon_pid, number), 0);
}

int harness_wait_exit(Harness *harness)
{
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    int status;

    while (waitpid(harness->daemon_pid, &status, WNOHANG) == 0) {
        ck_assert_msg(g_get_monotonic_time() < end, "viommud does not end");
        /* Read the bus, or a daemon that sends much waits for this process. */
        if (harness->bus)
            while (sd_bus_process(harness->bus, NULL) > 0)
                ;
        g_usleep(2000);
    }
    harness->daemon_pid = 0;
    return exit_status(status);
}

void harness_configure(Harness *harness, const char *text)
{
    write_file(harness, "viommud.conf", text);
}

void harness_remove_tree(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);

    for (const char *name; directory && (name = g_dir_read_name(directory));) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        harness_remove_tree(child);
    }
    g_remove(path);
}

void harness_free(Harness *harness)
{
    int status = 0;

    if (!harness)
        return;
    if (harness->daemon_pid) {
        harness_signal(harness, SIGTERM);
        status = harness_wait_exit(harness);
    }
    if (harness->libvirt_pid)
        harness_kill_libvirt(harness);
    current = NULL;
    g_ptr_array_unref(harness->signals);
    sd_bus_flush_close_unref(harness->bus);
    kill(harness->bus_pid, SIGTERM);
    waitpid(harness->bus_pid, NULL, 0);
    harness_remove_tree(harness->directory);
    g_free(harness->directory);
    g_free(harness->address);
    g_free(harness);
    ck_assert_int_eq(status, 0);
}

/* --- Calls --- */

sd_bus_message *harness_method(sd_bus *bus, const char *path, const char *interface, const char *member)
{
    sd_bus_message *call = NULL;

    assert_sd(sd_bus_message_new_method_call(bus, &call, VIOMMU_BUS_NAME, path, interface, member), member);
    return call;
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    ((HarnessPending *)userdata)->answer = sd_bus_message_ref(answer);
    return 1;
}

void harness_send(sd_bus *bus, sd_bus_message *call, HarnessPending *ret_pending)
{
    uint64_t usec = 0;

    assert_sd(sd_bus_get_method_call_timeout(bus, &usec), "reading the timeout");
    *ret_pending = (HarnessPending){.bus = bus};
    assert_sd(sd_bus_call_async(bus, NULL, call, on_answer, ret_pending, MAX(usec, HARNESS_PATIENCE_USEC)),
              "sending a call");
    sd_bus_message_unref(call);
}

sd_bus_message *harness_answer(HarnessPending *pending)
{
    while (!pending->answer) {
        int r = sd_bus_process(pending->bus, NULL);
        if (r == 0)
            r = sd_bus_wait(pending->bus, HARNESS_PATIENCE_USEC);
        assert_sd(r, "waiting for a reply");
    }
    return pending->answer;
}

sd_bus_message *harness_exchange(Harness *harness, sd_bus_message *call)
{
    HarnessPending pending;

    harness_send(harness->bus, call, &pending);
    return harness_answer(&pending);
}

sd_bus_message *harness_call(Harness *harness, sd_bus_message *call)
{
    g_autofree char *member = g_strdup(sd_bus_message_get_member(call));
    sd_bus_message *answer = harness_exchange(harness, call);
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    ck_assert_msg(!error, "%s: %s: %s", member, error ? error->name : "", error ? error->message : "");
    return answer;
}

static void read_reasons(sd_bus_message *answer, GPtrArray *reasons)
{
    const char *model, *rule, *text;

    assert_sd(sd_bus_message_enter_container(answer, 'a', "(sss)"), "reading reasons");
    while (sd_bus_message_at_end(answer, false) == 0) {
        assert_sd(sd_bus_message_read(answer, "(sss)", &model, &rule, &text), "reading a reason");
        g_ptr_array_add(reasons, g_strjoin(" ", model, rule, text, NULL));
    }
}

HarnessError *harness_call_error(Harness *harness, sd_bus_message *call)
{
    g_autofree char *member = g_strdup(sd_bus_message_get_member(call));
    g_autoptr(sd_bus_message) answer = harness_exchange(harness, call);
    const sd_bus_error *from_bus = sd_bus_message_get_error(answer);
    HarnessError *error = g_new0(HarnessError, 1);

    ck_assert_msg(from_bus, "%s succeeded", member);
    error->name = g_strdup(from_bus->name);
    error->message = g_strdup(from_bus->message);
    error->reasons = g_ptr_array_new_with_free_func(g_free);
    if (g_str_equal(error->name, VIOMMU_ERROR_PREFIX "NotSupported")) {
        assert_sd(sd_bus_message_skip(answer, "s"), "reading an error");
        read_reasons(answer, error->reasons);
    }
    return error;
}

void harness_error_free(HarnessError *error)
{
    g_free(error->name);
    g_free(error->message);
    g_ptr_array_unref(error->reasons);
    g_free(error);
}

void harness_assert_error(const HarnessError *error, const char *name, const char *words)
{
    g_autofree char *full = g_strconcat(VIOMMU_ERROR_PREFIX, name, NULL);

    ck_assert_msg(g_str_equal(error->name, full), "%s: %s, instead of %s", error->name, error->message, full);
    ck_assert_msg(strstr(error->message, words), "'%s' is not in: %s", words, error->message);
}

sd_bus_message *harness_request(sd_bus *bus, const char *member, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    sd_bus_message *call = harness_method(bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, member);

    ck_assert_msg(tree, "%s: %s", text, error ? error->message : "");
    assert_sd(viommu_bus_variant_append(call, tree), text);
    return call;
}

char *harness_launch(Harness *harness, const char *text)
{
    g_autoptr(sd_bus_message) reply = harness_call(harness, harness_request(harness->bus, "Launch", text));
    const char *path;

    assert_sd(sd_bus_message_read(reply, "o", &path), "reading a path");
    return g_strdup(path);
}

char *harness_find(Harness *harness, const char *name)
{
    sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetMachine");
    g_autoptr(sd_bus_message) reply = NULL;
    const char *path;

    ck_assert_int_ge(sd_bus_message_append(call, "s", name), 0);
    reply = harness_call(harness, call);
    ck_assert_int_ge(sd_bus_message_read(reply, "o", &path), 0);
    return g_strdup(path);
}

HarnessError *harness_refused(Harness *harness, const char *member, const char *text)
{
    return harness_call_error(harness, harness_request(harness->bus, member, text));
}

void harness_stop(Harness *harness, const char *path, int seconds)
{
    g_autoptr(sd_bus_message) reply = NULL;
    sd_bus_message *call =
        harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, seconds < 0 ? "Kill" : "Stop");

    if (seconds >= 0)
        assert_sd(sd_bus_message_append(call, "u", (uint32_t)seconds), "appending seconds");
    reply = harness_call(harness, call);
}

char *harness_property(Harness *harness, const char *path, const char *interface, const char *name)
{
    sd_bus_message *call = harness_method(harness->bus, path, "org.freedesktop.DBus.Properties", "Get");
    g_autoptr(sd_bus_message) reply = NULL;
    g_autoptr(GVariant) boxed = NULL, value = NULL;
    g_autoptr(GError) error = NULL;

    assert_sd(sd_bus_message_append(call, "ss", interface, name), name);
    reply = harness_call(harness, call);
    ck_assert_msg(viommu_bus_variant_read(reply, &boxed, &error), "%s", error ? error->message : "");
    value = g_variant_get_variant(boxed);
    return g_variant_print(value, TRUE);
}

void harness_assert_property(Harness *harness, const char *path, const char *name, const char *text)
{
    const char *interface = g_str_equal(path, VIOMMU_BUS_PATH) ? VIOMMU_IFACE_MANAGER : VIOMMU_IFACE_MACHINE;
    g_autofree char *value = harness_property(harness, path, interface, name);

    ck_assert_msg(g_str_equal(value, text), "%s is %s, instead of %s", name, value, text);
}

unsigned harness_count(Harness *harness)
{
    g_autoptr(sd_bus_message) reply = harness_call(
        harness, harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines"));
    unsigned count = 0;

    assert_sd(sd_bus_message_enter_container(reply, 'a', "(ssso)"), "reading the list");
    for (; sd_bus_message_at_end(reply, false) == 0; count++)
        assert_sd(sd_bus_message_skip(reply, "(ssso)"), "reading the list");
    return count;
}

/* --- Signals --- */

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    g_ptr_array_add(((Harness *)userdata)->signals, sd_bus_message_ref(signal));
    return 0;
}

void harness_watch(Harness *harness)
{
    assert_sd(sd_bus_match_signal(harness->bus, NULL, VIOMMU_BUS_NAME, NULL, NULL, NULL, on_signal, harness),
              "watching signals");
}

static sd_bus_message *take_signal(Harness *harness, const char *path, const char *member)
{
    while (harness->signals->len > 0) {
        sd_bus_message *signal = g_ptr_array_steal_index(harness->signals, 0);
        if (g_strcmp0(sd_bus_message_get_path(signal), path) == 0 &&
            sd_bus_message_is_signal(signal, NULL, member)) {
            sd_bus_message_rewind(signal, true);
            return signal;
        }
        sd_bus_message_unref(signal);
    }
    return NULL;
}

sd_bus_message *harness_wait_signal(Harness *harness, const char *path, const char *member)
{
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    sd_bus_message *signal;

    while (!(signal = take_signal(harness, path, member))) {
        int r = sd_bus_process(harness->bus, NULL);
        if (r == 0)
            r = sd_bus_wait(harness->bus, G_USEC_PER_SEC);
        assert_sd(r, "waiting for a signal");
        ck_assert_msg(g_get_monotonic_time() < end, "no %s of %s", member, path);
    }
    return signal;
}

void harness_wait_state(Harness *harness, const char *path, const char *state)
{
    g_autofree char *text = g_strdup_printf("'%s'", state);

    for (;;) {
        g_autofree char *now = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "State");
        if (g_str_equal(now, text))
            return;
        sd_bus_message_unref(harness_wait_signal(harness, path, "PropertiesChanged"));
    }
}

/* --- Scenarios --- */

static void clean_up(void)
{
    if (!current)
        return;
    const GPid pids[] = {current->daemon_pid, current->libvirt_pid, current->bus_pid};
    for (size_t i = 0; i < G_N_ELEMENTS(pids); i++)
        if (pids[i])
            kill(pids[i], SIGKILL);
    harness_remove_tree(current->directory);
}

int harness_main(int argc, char **argv, const HarnessScenario *scenarios)
{
    TCase *all = tcase_create("bus");
    bool found = false;

    atexit(clean_up);
    for (; scenarios->name; scenarios++) {
        if (argc > 1 && !g_str_equal(argv[1], scenarios->name))
            continue;
        tcase_add_test(all, *scenarios->test);
        found = true;
    }
    return unit_run_case("bus", all) == EXIT_SUCCESS && found ? EXIT_SUCCESS : EXIT_FAILURE;
}
