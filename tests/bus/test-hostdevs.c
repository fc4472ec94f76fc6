/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-hostdevs: a device belongs to one guest at a time, for all users, and is free when that
 * guest has ended.  The hardware is made up; the guests are records of libvirt's test driver. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/libvirt/backend.h"
#include "lib/domain/held-devices.h"
#include "tests/bus/harness.h"
#include "tests/machines/machine.h"
#include "tests/unit/unit.h"

#define KIND  "'vendor': <'8086'>, 'device': <'1572'>"
#define FIRST "0000:01:00.0"
#define TAKEN "0000:04:00.0"

#define ASKING(name, hostdev)                                                                                \
    "{'name': <'" name "'>, 'arch': <'x86_64'>, 'memory': <'64 MiB'>, 'iommu': <{'is-supported': <true>}>, " \
    "'hostdevs': <[{" hostdev "}]>}"
#define ANY(name)         ASKING(name, KIND)
#define AT(name, address) ASKING(name, "'address': <'" address "'>")

/* Two of a kind, each alone in its group, two of another kind in one group, and one with a host
 * driver. */
static const HostDevice devices[] = {
    {FIRST, 0x8086, 0x1572, 0x020000, "vfio-pci", "0000:00:1c.0", "dmar0", 6, 0, NULL},
    {"0000:02:00.0", 0x8086, 0x1572, 0x020000, "vfio-pci", "0000:00:1c.1", "dmar0", 7, 0, NULL},
    {"0000:03:00.0", 0x10de, 0x1f36, 0x030000, NULL, "0000:00:1c.2", "dmar0", 8, 0, NULL},
    {"0000:03:00.1", 0x10de, 0x10f9, 0x040300, NULL, "0000:00:1c.2", "dmar0", 8, 0, NULL},
    {TAKEN, 0x8086, 0x10fb, 0x020000, "ixgbe", "0000:00:1c.3", "dmar0", 9, 0, NULL},
};

/* Starts a viommud for @uri, on that hardware. */
static void start(Harness *harness, const char *uri)
{
    g_autofree char *root = g_build_filename(harness->directory, "hardware", NULL);
    g_autofree char *connect = g_strconcat("--connect=", uri, NULL),
                    *option = g_strconcat("--root=", root, NULL);
    const char *const options[] = {"--user", connect, option, NULL};
    const Host host = {root};

    if (!g_file_test(root, G_FILE_TEST_EXISTS))
        host_add_assignable(&host, devices, G_N_ELEMENTS(devices));
    /* The test driver's host has 3 GiB, and each of these guests may lock a bit more than one. */
    harness_configure(harness, "[limits]\nlocked-memory-reserve=0 B\n");
    harness_start(harness, options);
}

/* The one device of a machine, which its domain and the bus agree on.  Owned. */
static char *device_of(Harness *harness, const char *path)
{
    g_autoptr(sd_bus_message) reply =
        harness_call(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "GetDomainXML"));
    g_autofree char *told = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "Hostdevs"),
                    *expected = NULL;
    g_auto(GStrv) hostdevs = NULL;
    const char *xml;

    ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
    hostdevs = viommu_domain_hostdevs(xml, NULL);
    ck_assert_uint_eq(g_strv_length(hostdevs), 1);
    expected = g_strdup_printf("['%s']", hostdevs[0]);
    ck_assert_str_eq(told, expected);
    return g_strdup(hostdevs[0]);
}

static void assert_refused(Harness *harness, const char *request, const char *words)
{
    g_autoptr(HarnessError) error = harness_refused(harness, "Launch", request);

    harness_assert_error(error, "Busy", words);
}

START_TEST(claimed)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *first = NULL, *mate = NULL, *again = NULL, *device = NULL;

    start(harness, "test:///default");
    first = harness_launch(harness, AT("first", FIRST));
    device = device_of(harness, first);
    ck_assert_str_eq(device, FIRST);
    assert_refused(harness, AT("second", FIRST),
                   "hostdevs[0].address '" FIRST "' is in use by machine 'first'; stop it first");
    mate = harness_launch(harness, AT("mate", "0000:03:00.1"));
    assert_refused(
        harness, AT("other", "0000:03:00.0"),
        "'0000:03:00.0' is in IOMMU group 8 with '0000:03:00.1', which is in use by machine 'mate'");
    harness_stop(harness, first, 0);
    again = harness_launch(harness, AT("second", FIRST));
    ck_assert_uint_eq(harness_count(harness), 2);
}
END_TEST

/* The device is free when the guest has ended, even while the machine exists. */
START_TEST(free_when_ended)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *first = NULL, *second = NULL, *uuid = NULL;
    ViommuBackend *backend = NULL;
    g_autoptr(GError) error = NULL;

    start(harness, uri);
    harness_watch(harness);
    first = harness_launch(harness, AT("first", FIRST));
    uuid = harness_property(harness, first, VIOMMU_IFACE_MACHINE, "UUID");
    unit_assert_ok(viommu_backend_new(uri, 1, &backend, &error), error);
    uuid[strlen(uuid) - 1] = 0;
    unit_assert_ok(viommu_backend_destroy(backend, uuid + 1, &error), error);
    harness_wait_state(harness, first, "stopped");
    second = harness_launch(harness, AT("second", FIRST));
    viommu_backend_free(backend);
}
END_TEST

/* Four launches want one of two devices. */
START_TEST(race)
{
    static const char *const requests[] = {ANY("a"), ANY("b"), ANY("c"), ANY("d")};
    g_autoptr(Harness) harness = harness_new(false);
    HarnessPending pending[G_N_ELEMENTS(requests)];
    g_autofree char *taken = NULL;
    unsigned won = 0, busy = 0;

    start(harness, "test:///default");
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", requests[i]), &pending[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        const sd_bus_error *error = sd_bus_message_get_error(answer);
        g_autofree char *device = NULL;
        const char *path;

        if (error) {
            ck_assert_str_eq(error->name, VIOMMU_ERROR_PREFIX "Busy");
            ck_assert_msg(strstr(error->message,
                                 "requests 1 of 8086:1572, but this host can assign 0 now; in use: "
                                 "0000:01:00.0 by machine '"),
                          "%s", error->message);
            busy++;
            continue;
        }
        ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
        device = device_of(harness, path);
        ck_assert_str_ne(device, taken ? taken : "");
        g_free(taken);
        taken = g_steal_pointer(&device);
        won++;
    }
    ck_assert_uint_eq(won, 2);
    ck_assert_uint_eq(busy, 2);
}
END_TEST

/* A failed launch, here by a name that libvirt already has, returns its devices. */
START_TEST(free_when_failed)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autoptr(HarnessError) error = NULL;
    g_autofree char *path = NULL;

    start(harness, "test:///default");
    /* libvirt's test driver has a domain of this name. */
    error = harness_refused(harness, "Launch", AT("test", FIRST));
    harness_assert_error(error, "Exists", "another domain already has this name");
    path = harness_launch(harness, AT("first", FIRST));
}
END_TEST

/* Waits until it has reached the point of VIOMMU_FAULT. */
static void wait_stopped(const Harness *harness)
{
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    int status = 0;

    while (waitpid(harness->daemon_pid, &status, WUNTRACED | WNOHANG) == 0) {
        ck_assert_msg(g_get_monotonic_time() < end, "viommud has not come so far");
        g_usleep(5000);
    }
    ck_assert(WIFSTOPPED(status));
}

/* Free when it is planned, and used by the host when the guest is to start: it is judged twice. */
START_TEST(used_meanwhile)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autoptr(sd_bus_message) answer = NULL;
    g_autofree char *root = g_build_filename(harness->directory, "hardware", NULL);
    const Host host = {root};
    const sd_bus_error *error;
    HarnessPending pending;

    g_setenv(VIOMMU_ENV_FAULT, "stop:before_start", TRUE);
    start(harness, "test:///default");
    harness_send(harness->bus, harness_request(harness->bus, "Launch", AT("first", "0000:03:00.0")),
                 &pending);
    ck_assert_int_ge(sd_bus_flush(harness->bus), 0);
    wait_stopped(harness);
    host_add_file(&host, "sys/bus/pci/devices/0000:03:00.0/boot_vga", "1\n");
    harness_signal(harness, SIGCONT);
    answer = harness_answer(&pending);
    error = sd_bus_message_get_error(answer);
    ck_assert_msg(error, "it was started");
    ck_assert_str_eq(error->name, VIOMMU_ERROR_PREFIX "PolicyRefused");
    ck_assert_msg(
        strstr(error->message, "is in use by the host itself: it is the display that the host booted with"),
        "%s", error->message);
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

#define FOREIGN_UUID "11111111-2222-3333-4444-555555555555"
static const char foreign[] =
    "<domain type='test'><name>foreign</name><uuid>" FOREIGN_UUID "</uuid><memory>65536</memory>"
    "<os><type arch='x86_64'>hvm</type></os><devices><hostdev mode='subsystem' type='pci' managed='yes'>"
    "<source><address domain='0x0000' bus='0x02' slot='0x00' "
    "function='0x0'/></source></hostdev></devices></domain>";

/* A foreign guest, and one that an ended viommud left, count by what libvirt reports. */
START_TEST(after_a_restart)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *first = NULL, *second = NULL;
    ViommuBackend *backend = NULL;
    g_autoptr(GError) error = NULL;
    bool unsupported;

    unit_assert_ok(viommu_backend_new(uri, 1, &backend, &error), error);
    unit_assert_ok(viommu_backend_define(backend, foreign, &unsupported, &error), error);
    start(harness, uri);
    first = harness_launch(harness, AT("first", FIRST));
    /* A defined guest does not run. */
    second = harness_launch(harness, AT("second", "0000:02:00.0"));
    harness_stop(harness, second, 0);
    unit_assert_ok(viommu_backend_start(backend, FOREIGN_UUID, &(ViommuBackendStart){.lane = 0}, &error),
                   error);
    assert_refused(harness, AT("second", "0000:02:00.0"),
                   "'0000:02:00.0' is in use by a guest that viommud did not make");

    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    start(harness, uri);
    assert_refused(harness, AT("second", FIRST), "'" FIRST "' is in use by machine 'first'");
    assert_refused(
        harness, ANY("second"),
        "in use: 0000:01:00.0 by machine 'first', 0000:02:00.0 by a guest that viommud did not make");
    unit_assert_ok(viommu_backend_destroy(backend, FOREIGN_UUID, &error), error);
    g_free(second);
    second = harness_launch(harness, ANY("second"));
    viommu_backend_free(backend);
}
END_TEST

/* Turns @xml into a record of the next version, of which only the core can be read.  Owned. */
static char *of_next_version(const char *xml)
{
    g_auto(GStrv) version = g_strsplit(xml, " version=\"1\"", 2);
    g_autofree char *next = g_strjoinv(" version=\"2\"", version);
    g_auto(GStrv) memory = g_strsplit(next, " memory=", 2);

    ck_assert_uint_eq(g_strv_length(version), 2);
    ck_assert_uint_eq(g_strv_length(memory), 2);
    return g_strjoinv(" storage=", memory);
}

/* Only libvirt knows its devices. */
START_TEST(of_another_version)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *first = NULL, *quoted = NULL, *second = NULL;
    g_autofree char *before = NULL, *after = NULL, *uuid = NULL;
    ViommuBackend *backend = NULL;
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_backend_new(uri, 1, &backend, &error), error);
    start(harness, uri);
    first = harness_launch(harness, AT("first", FIRST));
    quoted = harness_property(harness, first, VIOMMU_IFACE_MACHINE, "UUID");
    uuid = g_strndup(quoted + 1, strlen(quoted) - 2);
    before = viommu_backend_get_metadata(backend, uuid, &error);
    unit_assert_ok(before != NULL, error);
    after = of_next_version(before);
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    unit_assert_ok(viommu_backend_set_metadata(backend, uuid, after, &error), error);

    start(harness, uri);
    harness_assert_property(harness, first, "State", "'foreign'");
    harness_assert_property(harness, first, "Name", "'first'");
    harness_assert_property(harness, first, "VCPUs", "uint32 1");
    harness_assert_property(harness, first, "Memory", "uint64 67108864");
    harness_assert_property(harness, first, "Arch", "''");
    assert_refused(harness, AT("second", FIRST), "'" FIRST "' is in use by machine 'first'");
    for (size_t i = 0; i < 2; i++) {
        static const char *const methods[] = {"Reset", "OpenConsole"};
        g_autoptr(HarnessError) refused = harness_call_error(
            harness, harness_method(harness->bus, first, VIOMMU_IFACE_MACHINE, methods[i]));

        harness_assert_error(refused, "NotSupported",
                             "its metadata has version 2, this viommud knows version 1");
    }
    harness_stop(harness, first, 0);
    second = harness_launch(harness, AT("second", FIRST));
    viommu_backend_free(backend);
}
END_TEST

/* The same domain under another name and UUID, as virt-clone makes it.  Owned. */
static char *copy_of(const char *xml, const char *uuid)
{
    g_autofree char *element = g_strdup_printf("<uuid>%s</uuid>", uuid);
    g_auto(GStrv) name = g_strsplit(xml, "<name>first</name>", 2);
    g_autofree char *named = g_strjoinv("<name>copy</name>", name);
    g_auto(GStrv) parts = g_strsplit(named, element, 2);

    ck_assert_uint_eq(g_strv_length(name), 2);
    ck_assert_uint_eq(g_strv_length(parts), 2);
    return g_strjoinv("<uuid>" FOREIGN_UUID "</uuid>", parts);
}

/* Its record is that of another machine: it belongs to no machine, and no lease or stop removes
 * it. */
START_TEST(of_a_copy)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *first = NULL, *quoted = NULL, *uuid = NULL;
    g_autofree char *xml = NULL, *copy = NULL;
    ViommuBackend *backend = NULL;
    g_autoptr(GError) error = NULL;
    bool unsupported;

    unit_assert_ok(viommu_backend_new(uri, 1, &backend, &error), error);
    start(harness, uri);
    first = harness_launch(harness, AT("first", FIRST));
    quoted = harness_property(harness, first, VIOMMU_IFACE_MACHINE, "UUID");
    uuid = g_strndup(quoted + 1, strlen(quoted) - 2);
    xml = viommu_backend_get_xml(backend, uuid, &error);
    unit_assert_ok(xml != NULL, error);
    copy = copy_of(xml, uuid);
    unit_assert_ok(viommu_backend_define(backend, copy, &unsupported, &error), error);
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);

    start(harness, uri);
    ck_assert_uint_eq(harness_count(harness), 1);
    harness_assert_property(harness, first, "State", "'running'");
    harness_stop(harness, first, 0);
    g_free(xml);
    xml = viommu_backend_get_xml(backend, FOREIGN_UUID, &error);
    unit_assert_ok(xml != NULL, error);
    viommu_backend_free(backend);
}
END_TEST

/* --- Devices taken from the host --- */

#define MISSING                                                                                           \
    "device " TAKEN " has driver vfio-pci instead of ixgbe; to return devices to the host, run as root: " \
    "virsh nodedev-reattach pci_0000_04_00_0"

/* As the kernel shows it from now on; libvirt's test driver binds nothing. */
static void bind_driver(const Harness *harness, const char *driver)
{
    g_autofree char *link =
        g_build_filename(harness->directory, "hardware/sys/bus/pci/devices/" TAKEN "/driver", NULL);
    g_autofree char *target = g_strdup_printf("../drivers/%s", driver);

    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink(target, link), 0);
}

static char *journal_path(const Harness *harness)
{
    return g_build_filename(harness->directory, "journal", NULL);
}

/* Like start(), but keeps viommud's output. */
static void start_logged(Harness *harness, const char *uri)
{
    g_autofree char *path = journal_path(harness);
    int kept = dup(STDERR_FILENO), journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    ck_assert(kept >= 0 && journal >= 0 && dup2(journal, STDERR_FILENO) >= 0);
    start(harness, uri);
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    close(kept);
    close(journal);
}

static unsigned count_told(const Harness *harness)
{
    g_autofree char *path = journal_path(harness), *text = NULL;
    unsigned n = 0;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    for (const char *at = text; (at = strstr(at, "was not given back to the host: ")); at++)
        n++;
    if (n > 0)
        ck_assert_msg(strstr(text, "machine 'first' was not given back to the host: " MISSING), "%s", text);
    return n;
}

START_TEST(given_back)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *first = NULL;

    start_logged(harness, "test:///default");
    first = harness_launch(harness, AT("first", TAKEN));
    bind_driver(harness, "vfio-pci");
    bind_driver(harness, "ixgbe");
    harness_stop(harness, first, 0);
    ck_assert_uint_eq(count_told(harness), 0);
}
END_TEST

START_TEST(not_given_back)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *first = NULL, *second = NULL, *quoted = NULL;
    g_autofree char *uuid = NULL;
    ViommuBackend *backend = NULL;
    g_autoptr(GError) error = NULL;

    start_logged(harness, uri);
    first = harness_launch(harness, AT("first", TAKEN));
    bind_driver(harness, "vfio-pci");
    harness_stop(harness, first, 0);
    ck_assert_uint_eq(count_told(harness), 1);

    /* Nor when the guest ends by itself. */
    bind_driver(harness, "ixgbe");
    second = harness_launch(harness, AT("first", TAKEN));
    quoted = harness_property(harness, second, VIOMMU_IFACE_MACHINE, "UUID");
    uuid = g_strndup(quoted + 1, strlen(quoted) - 2);
    bind_driver(harness, "vfio-pci");
    unit_assert_ok(viommu_backend_new(uri, 1, &backend, &error), error);
    unit_assert_ok(viommu_backend_destroy(backend, uuid, &error), error);
    for (gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
         count_told(harness) < 2 && g_get_monotonic_time() < end;)
        g_usleep(10000);
    ck_assert_uint_eq(count_told(harness), 2);
    viommu_backend_free(backend);
}
END_TEST

/* Interrupts the launch between its plan and its reply; false: it was faster. */
static bool interrupt_launch(Harness *harness)
{
    HarnessPending launch, stop;
    g_autoptr(sd_bus_message) launched = NULL, stopped = NULL;
    g_autofree char *path = NULL;
    const sd_bus_error *error;

    bind_driver(harness, "ixgbe");
    harness_send(harness->bus, harness_request(harness->bus, "Launch", AT("first", TAKEN)), &launch);
    while (harness_count(harness) == 0)
        ;
    kill(harness->libvirt_pid, SIGSTOP);
    bind_driver(harness, "vfio-pci");
    path = harness_find(harness, "first");
    harness_send(harness->bus, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Kill"), &stop);
    harness_assert_property(harness, path, "State", "'stopping'");
    kill(harness->libvirt_pid, SIGCONT);
    launched = harness_answer(&launch);
    stopped = harness_answer(&stop);
    error = sd_bus_message_get_error(launched);
    if (error)
        ck_assert_msg(g_str_has_suffix(error->message, "was stopped while it was being launched; " MISSING),
                      "%s", error->message);
    return error;
}

START_TEST(not_given_back_by_a_launch)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness);
    bool interrupted = false;

    start_logged(harness, uri);
    for (unsigned i = 1; i <= 50 && !interrupted; i++) {
        interrupted = interrupt_launch(harness);
        ck_assert_uint_eq(count_told(harness), i);
    }
    ck_assert(interrupted);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"hostdev-claimed", &claimed},
    {"hostdev-free-when-ended", &free_when_ended},
    {"hostdev-race", &race},
    {"hostdev-used-meanwhile", &used_meanwhile},
    {"hostdev-free-when-failed", &free_when_failed},
    {"hostdev-after-a-restart", &after_a_restart},
    {"hostdev-of-another-version", &of_another_version},
    {"hostdev-of-a-copy", &of_a_copy},
    {"hostdev-given-back", &given_back},
    {"hostdev-not-given-back", &not_given_back},
    {"hostdev-not-given-back-by-a-launch", &not_given_back_by_a_launch},
    {NULL, NULL},
};

/* Why the scenario @name cannot run here; NULL: it can. */
static const char *find_obstacle(const char *name)
{
    if (!harness_has_libvirt())
        return "libvirtd or setpriv is not there";
#ifndef VIOMMU_FAULTS
    if (g_strcmp0(name, "hostdev-used-meanwhile") == 0)
        return "this viommud stops at no point: build it with -Dfaults=enabled";
#endif
    return NULL;
}

int main(int argc, char **argv)
{
    const char *obstacle = find_obstacle(argc > 1 ? argv[1] : NULL);

    if (!obstacle)
        return harness_main(argc, argv, scenarios);
    printf("SKIP: %s\n", obstacle);
    return 77;
}
