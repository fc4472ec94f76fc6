/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service: makes the parts in their order, and frees them.  Does not know what they do. */
#include "daemon/service.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/libvirt/kvm-proof.h"
#include "daemon/bus/bus.h"
#include "daemon/files/boot-copies.h"
#include "daemon/process/config.h"
#include "daemon/process/host-size.h"
#include "daemon/process/journal.h"
#include "daemon/process/kept.h"
#include "daemon/process/kvm-file.h"
#include "daemon/process/log.h"
#include "daemon/process/loop.h"
#include "daemon/process/metrics-socket.h"
#include "daemon/manager/device-keeper.h"
#include "daemon/manager/manager.h"
#include "daemon/manager/metrics.h"
#include "daemon/manager/readiness.h"
#include "daemon/files/named-image.h"
#include "daemon/files/reader.h"
#include "daemon/process/ready-socket.h"
#include "daemon/process/workers.h"
#include "lib/base/error.h"
#include "lib/base/names.h"

/* Users read the logs only through viommud. */
#define CONSOLE_DIRECTORY_MODE 0700
/* The directory of viommud 0.1.0's logs, on the system bus. */
#define FORMER_CONSOLE_DIRECTORY "/run/viommud/console"
/* The directory of qemu:///system. */
#define NVRAM_DIRECTORY "/var/lib/libvirt/qemu/nvram"

/* The name by which systemd keeps it. */
#define READY_FILE "ready-machines"
/* FileDescriptorName= in conf/viommud-metrics.socket. */
#define METRICS_NAME "metrics"

/* Limits of the end, once no job is under way. */
#define SETTLE_SEC    1u
#define TAKE_DOWN_SEC 2u

typedef struct Service {
    const ViommuServiceOptions *options;
    ViommuConfig *config;
    ViommuFilesSite files;
    char **image_directories;
    char *copies;
    char *state; /* the directory of what viommud has learnt of this host */
    ViommuLoop *loop;
    ViommuWorkers workers;
    ViommuReaders *readers;
    ViommuBackend *backend;
    ViommuKept *kept;
    ViommuReadySocket *ready; /* NULL: guests cannot tell that they are ready */
    GPtrArray *metrics;       /* of ViommuMetricsSocket: one for each socket of systemd's */
    int ready_file;           /* -1: none */
    ViommuManager *manager;
    ViommuBus *bus;
    int status;
    bool has_default_logs; /* the logs are in the default directory */
    bool finished;         /* no job is under way any more */
    /* the loop has ended: the next start learns of later events */
    bool ended;
} Service;

/* --- Step 1: read the configuration --- */

/* On a disk, so that the guests' output does not take the host's memory. */
static char *default_console_directory(bool user)
{
    const char *given = g_getenv("LOGS_DIRECTORY");

    if (user)
        return g_build_filename(g_get_user_runtime_dir(), "viommud", "console", NULL);
    return g_build_filename(given && *given ? given : "/var/log/viommu", "console", NULL);
}

static void set_directories(Service *service)
{
    ViommuConfig *config = service->config;

    if (service->options->console_directory) {
        g_free(config->console_directory);
        config->console_directory = g_strdup(service->options->console_directory);
    } else if (!config->console_directory) {
        config->console_directory = default_console_directory(service->options->user);
        service->has_default_logs = true;
    }
    service->copies = viommu_copies_directory(service->options->user);
    service->state = viommu_kvm_directory(service->options->user);
}

/* The directory of logs of guests that viommud 0.1.0 launched, which may still run; NULL: none, or
 * the logs are not in the default directory. */
static const char *former_consoles(const Service *service)
{
    return service->has_default_logs && !service->options->user ? FORMER_CONSOLE_DIRECTORY : NULL;
}

static bool make_console_directory(const char *path, GError **error)
{
    struct stat info;

    if (g_stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return true; /* the site made it, with the mode that it wants */
    if (g_mkdir_with_parents(path, 0711) < 0 || g_chmod(path, CONSOLE_DIRECTORY_MODE) < 0) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND,
                    "cannot create the directory '%s' for console logs: %s", path, g_strerror(errno));
        return false;
    }
    return true;
}

static bool read_files(Service *service, GError **error)
{
    if (service->options->config) {
        service->config = viommu_config_new();
        if (!viommu_config_load_file(service->config, service->options->config, error))
            return false;
    } else if (!viommu_config_load(service->options->user, &service->config, error)) {
        return false;
    }
    for (guint i = 0; i < service->config->warnings->len; i++)
        viommu_log(LOG_WARNING, NULL, "%s", (char *)g_ptr_array_index(service->config->warnings, i));
    return true;
}

static bool read_config(Service *service, GError **error)
{
    if (!read_files(service, error))
        return false;
    set_directories(service);
    if (!make_console_directory(service->config->console_directory, error))
        return false;
    return true;
}

/* --- Step 2: open the backend --- */

static const char *choose_uri(const ViommuServiceOptions *options)
{
    const char *from_environment = g_getenv(VIOMMU_ENV_CONNECT);

    if (options->connect)
        return options->connect;
    if (from_environment && *from_environment)
        return from_environment;
    return options->user ? "qemu:///session" : "qemu:///system";
}

typedef struct Posted {
    Service *service;
    ViommuNews news;
} Posted;

static void deliver_news(void *data)
{
    Posted *posted = data;

    if (!posted->service->ended)
        viommu_manager_take_news(posted->service->manager, &posted->news);
    g_free(posted->news.detail);
    g_free(posted);
}

/* Runs on libvirt's event thread. */
static void on_news(const ViommuNews *news, void *userdata)
{
    Service *service = userdata;
    Posted *posted = g_new(Posted, 1);

    *posted = (Posted){service, *news};
    posted->news.detail = g_strdup(news->detail);
    viommu_loop_post(service->loop, deliver_news, posted);
}

static void set_files(Service *service)
{
    service->image_directories = viommu_named_image_directories(
        (const char *const *)service->config->image_directories, service->options->user);
    service->files = (ViommuFilesSite){
        .skip = !viommu_backend_is_local(service->backend),
        .own = service->options->user,
        .copies = service->copies,
        .reserve_bytes = service->config->bounds.reserve_bytes,
        .image_directories = (const char *const *)service->image_directories,
    };
}

static void bound_config(Service *service, bool is_local)
{
    ViommuBoundsHost host;

    viommu_hostsize_measure(service->copies, service->config->console_directory, is_local, &host);
    host.own = service->options->user;
    viommu_config_bound(service->config, &host);
}

typedef struct PostedConsole {
    Service *service;
    char uuid[37];
} PostedConsole;

static void deliver_console(void *data)
{
    g_autofree PostedConsole *posted = data;

    if (!posted->service->ended)
        viommu_manager_take_console(posted->service->manager, posted->uuid);
}

/* Runs on a thread of the backend. */
static void on_console(const char *uuid, void *userdata)
{
    Service *service = userdata;
    PostedConsole *posted = g_new(PostedConsole, 1);

    posted->service = service;
    g_strlcpy(posted->uuid, uuid, sizeof(posted->uuid));
    viommu_loop_post(service->loop, deliver_console, posted);
}

/* libvirt's own directory for firmware variables, which libvirt makes and labels; NULL: not known
 * for this URI. */
static const char *nvram_directory(const char *uri)
{
    return g_str_has_prefix(uri, "qemu") && strstr(uri, ":///system") ? NVRAM_DIRECTORY : NULL;
}

/* A user's own libvirt has only that user's domains, so they need no prefix. */
static void set_names(Service *service)
{
    ViommuPolicy *policy = &service->config->policy;

    if (service->options->user)
        return;
    policy->name_prefix = service->config->name_prefix;
    policy->nvram_directory = nvram_directory(viommu_backend_uri(service->backend));
}

static bool on_told_ready(uint32_t cid, void *userdata)
{
    Service *service = userdata;

    return viommu_manager_told_ready(service->manager, cid);
}

/* Who has told an earlier viommud that it is ready. */
static int ready_file(ViommuKept *kept)
{
    int fd = viommu_kept_take(kept, READY_FILE);

    if (fd >= 0)
        return fd;
    fd = viommu_readiness_file();
    if (fd >= 0)
        viommu_kept_store(READY_FILE, fd);
    return fd;
}

/* Only guests of this host can connect. */
static bool hear_guests(Service *service, GError **error)
{
    ViommuPolicy *policy = &service->config->policy;
    uint32_t port = viommu_policy_ready_port(service->options->user, geteuid());
    int fd = viommu_backend_is_local(service->backend) ? viommu_ready_socket_listen(service->kept, port) : -1;

    policy->ready_port = fd >= 0 ? port : 0;
    service->ready_file = ready_file(service->kept);
    if (fd >= 0)
        service->ready = viommu_ready_socket_new(service->loop, fd, on_told_ready, service, error);
    return fd < 0 || service->ready;
}

static char *metrics_text(void *userdata)
{
    Service *service = userdata;

    return viommu_metrics_text(service->manager);
}

/* Off, unless the site has enabled the unit, which may have several sockets. */
static bool serve_metrics(Service *service, GError **error)
{
    int fd;

    service->metrics = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_metrics_socket_free);
    while ((fd = viommu_kept_take(service->kept, METRICS_NAME)) >= 0) {
        ViommuMetricsSocket *socket =
            viommu_metrics_socket_new(service->loop, fd, metrics_text, service, error);

        if (!socket)
            return false;
        g_ptr_array_add(service->metrics, socket);
    }
    return true;
}

/* One user's launches leave room for other users' launches; a user's own daemon has no other
 * users. */
static void set_shares(Service *service)
{
    ViommuConfig *config = service->config;
    uint64_t running = config->running_launches ? config->running_launches : config->workers;

    if (!config->user_launches && !service->options->user)
        config->user_launches = MAX(running / 2, 1);
}

static bool make_workers(Service *service, unsigned *ret_connections, GError **error)
{
    const ViommuWorkersSizes sizes = {.threads = (unsigned)service->config->workers,
                                      .agents = VIOMMU_BACKEND_AGENTS,
                                      .launches_per_user = (unsigned)service->config->user_launches,
                                      .one_user = service->options->user};

    /* Each thread has its own connection, also a thread that hangs, so no thread waits for
     * another. */
    *ret_connections = viommu_workers_callers(&sizes);
    return viommu_workers_new(service->loop, &sizes, &service->workers, error);
}

static bool open_backend(Service *service, GError **error)
{
    ViommuManagerContext context;
    ViommuBusContext bus;
    unsigned n_connections;

    set_shares(service);
    service->kept = viommu_kept_new();
    if (!viommu_readers_new(service->loop, (uint32_t)service->config->files_timeout_sec,
                            (uint32_t)service->config->digest_timeout_sec, &service->readers, error) ||
        !make_workers(service, &n_connections, error) ||
        !viommu_backend_new(choose_uri(service->options), n_connections, &service->backend, error))
        return false;
    viommu_backend_set_timeout(service->backend, (unsigned)service->config->libvirt_timeout_sec);
    if (service->options->root)
        viommu_backend_set_root(service->backend, service->options->root);
    viommu_journal_open(service->loop);
    bound_config(service, viommu_backend_is_local(service->backend));
    set_files(service);
    set_names(service);
    if (!hear_guests(service, error))
        return false;
    context = (ViommuManagerContext){service->loop,
                                     service->workers,
                                     service->backend,
                                     service->config,
                                     &service->files,
                                     service->readers,
                                     viommu_backend_watch_consoles(service->backend, on_console, service),
                                     former_consoles(service),
                                     service->state,
                                     VIOMMU_KVM_PROOF_SEC,
                                     VIOMMU_DETACH_SEC,
                                     service->ready_file};
    service->manager = viommu_manager_new(&context);
    /* The objects exist before the first machine is found; the bus name is taken afterwards. */
    bus = (ViommuBusContext){service->loop, service->manager, service->workers.accounts,
                             service->options->user ? NULL : service->config->group};
    return viommu_bus_new(&bus, &service->bus, error) && serve_metrics(service, error) &&
           viommu_backend_watch(service->backend, on_news, service, error);
}

/* --- Steps 3 to 5: adopt the machines, take the name, be ready --- */

static void fail(Service *service, const GError *error, const char *what)
{
    viommu_log_error(LOG_ERR, NULL, error, what);
    service->status = viommu_error_info(error)->exit_status;
}

/* @error: where the error is when @ok is false. */
static bool check(Service *service, bool ok, GError **error, const char *what)
{
    if (!ok)
        fail(service, *error, what);
    return ok;
}

static void be_ready(Service *service)
{
    viommu_loop_notify_ready(service->loop, "Ready");
    viommu_log(LOG_INFO, NULL, "Ready, with %u machines",
               viommu_registry_count(viommu_manager_registry(service->manager)));
}

static void on_named(const GError *error, void *data)
{
    Service *service = data;

    if (!error) {
        be_ready(service);
        return;
    }
    fail(service, error, "taking the bus name");
    viommu_loop_stop(service->loop);
}

static void take_name(void *data)
{
    Service *service = data;

    viommu_bus_take_name(service->bus, on_named, service);
}

static void adopt_machines(Service *service)
{
    viommu_manager_adopt_all(service->manager, take_name, service);
}

/* --- The end --- */

static void on_ended(bool finished, void *data)
{
    Service *service = data;

    service->finished = finished;
    if (finished)
        viommu_loop_notify_stop_time(service->loop, SETTLE_SEC + TAKE_DOWN_SEC);
    else
        viommu_log(LOG_WARNING, NULL,
                   "Some operations did not end in time; the next start completes or undoes them");
    g_clear_pointer(&service->bus, viommu_bus_free);
    viommu_loop_exit(service->loop, service->status);
}

static void on_stop(void *data)
{
    Service *service = data;

    viommu_manager_end(service->manager, on_ended, service);
    if (service->bus) /* a job is under way */
        viommu_loop_notify_stop_time(service->loop, VIOMMU_MANAGER_END_SEC + 1);
}

/* Workers first, as they may still use the backend; then the backend, whose
 * thread posts to the loop. */
static void take_down(Service *service)
{
    service->ended = true;
    viommu_workers_clear(&service->workers);
    g_clear_pointer(&service->bus, viommu_bus_free);
    g_clear_pointer(&service->backend, viommu_backend_free);
    g_clear_pointer(&service->metrics, g_ptr_array_unref);
    if (service->loop)
        viommu_loop_drain(service->loop);
    g_clear_pointer(&service->manager, viommu_manager_free);
    g_clear_pointer(&service->readers, viommu_readers_free);
    g_clear_pointer(&service->image_directories, g_strfreev);
    viommu_journal_close();
    g_clear_pointer(&service->ready, viommu_ready_socket_free);
    g_clear_pointer(&service->kept, viommu_kept_free);
    if (service->ready_file >= 0)
        close(service->ready_file);
    g_clear_pointer(&service->loop, viommu_loop_free);
    g_clear_pointer(&service->config, viommu_config_free);
    g_clear_pointer(&service->copies, g_free);
    g_clear_pointer(&service->state, g_free);
}

/* Waits for the tasks in workers, which belong to no job and are usually short. */
static bool settle_workers(Service *service)
{
    return viommu_workers_settle(&service->workers, g_get_monotonic_time() + SETTLE_SEC * G_USEC_PER_SEC);
}

static volatile sig_atomic_t exit_status;

static void on_alarm(int signal)
{
    _exit(exit_status);
}

/* Closing a connection calls libvirt's daemon, or writes to the bus, once more; each may hang. */
static void bound_take_down(int status)
{
    exit_status = status;
    signal(SIGALRM, on_alarm);
    alarm(TAKE_DOWN_SEC);
}

static int run(Service *service)
{
    int r = viommu_loop_run(service->loop);

    service->ended = true;
    if (r < 0 || (r == 0 && !service->finished))
        r = EXIT_FAILURE;
    /* A thread that hangs in libvirt would block the end.  Nothing is lost: the metadata records
     * the jobs under way. */
    if (!service->finished || viommu_backend_hangs(service->backend) || !settle_workers(service)) {
        bound_take_down(r);
        g_clear_pointer(&service->bus, viommu_bus_free);
        _exit(r);
    }
    bound_take_down(r);
    return r;
}

/* The default directories are not among the settings unless a file names them. */
static char *print_config(Service *service)
{
    g_autofree char *logs = g_strdup(service->config->console_directory);
    char *text;

    set_directories(service);
    bound_config(service, true);
    g_free(service->config->console_directory);
    service->config->console_directory = g_steal_pointer(&logs);
    text = viommu_config_print(service->config);
    return text;
}

int viommu_service_print_config(const ViommuServiceOptions *options)
{
    Service service = {.options = options, .ready_file = -1};
    g_autoptr(GError) error = NULL;

    if (check(&service, read_files(&service, &error), &error, "reading the configuration")) {
        g_autofree char *text = print_config(&service);
        if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
            viommu_log(LOG_ERR, NULL, "cannot write to standard output: %s", g_strerror(errno));
            service.status = EXIT_FAILURE;
        }
    }
    take_down(&service);
    return service.status;
}

int viommu_service_run(const ViommuServiceOptions *options)
{
    Service service = {.options = options, .ready_file = -1};
    g_autoptr(GError) error = NULL;
    int status;

    if (check(&service, read_config(&service, &error), &error, "reading the configuration") &&
        check(&service, viommu_loop_new(&service.loop, &error), &error, "starting") &&
        check(&service, open_backend(&service, &error), &error, "opening the backend and the bus")) {
        viommu_loop_on_stop(service.loop, on_stop, &service);
        adopt_machines(&service);
        status = run(&service);
    } else {
        status = service.status;
    }
    take_down(&service);
    return status;
}
