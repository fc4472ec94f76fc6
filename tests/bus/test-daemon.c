/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-daemon: the daemon as a process: its command line, its name, its end; and its view of the
 * host. */
#include "tests/bus/harness.h"

#include <signal.h>
#include <string.h>
#include "daemon/libvirt/backend.h"
#include "daemon/bus/variant.h"
#include "lib/host/host-class.h"
#include "tests/unit/unit.h"

START_TEST(host)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *facts = NULL, *libvirt = NULL, *quoted = NULL;

    harness_assert_property(harness, VIOMMU_BUS_PATH, "Version", "'" VIOMMU_VERSION "'");
    harness_assert_property(harness, VIOMMU_BUS_PATH, "Connection", "'test:///default'");
    harness_assert_property(harness, VIOMMU_BUS_PATH, "Connected", "true");
    libvirt = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "LibvirtVersion");
    ck_assert_msg(g_ascii_isdigit(libvirt[1]), "%s", libvirt);
    facts = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "HostFacts");
    quoted = g_strdup_printf("'libvirt': <%s>", libvirt);
    ck_assert_msg(strstr(facts, quoted), "%s", facts);
}
END_TEST

/* The class that the facts of the bus and of the hardware have, which "viommuctl host" prints. */
START_TEST(facts_class)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *class = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "FactsClass");
    ViommuBackend *backend = NULL;
    g_autoptr(ViommuHost) probed = NULL;
    g_autofree char *expected = NULL, *quoted = NULL;

    ck_assert(viommu_backend_new("test:///default", 1, &backend, NULL));
    probed = viommu_backend_probe(backend, NULL);
    viommu_backend_free(backend);
    ck_assert_ptr_nonnull(probed);
    expected = viommu_host_class(probed);
    quoted = g_strdup_printf("'%s'", expected);
    ck_assert_str_eq(class, quoted);
}
END_TEST

static GVariant *plan_of(Harness *harness, const char *request)
{
    g_autoptr(sd_bus_message) reply = harness_call(harness, harness_request(harness->bus, "Plan", request));
    GVariant *plan = NULL;

    ck_assert(viommu_bus_variant_read(reply, &plan, NULL));
    return plan;
}

START_TEST(models_are_those_of_plans)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *models = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "IommuModels");
    static const struct {
        const char *arch, *model;
    } cases[] = {{"x86_64", "intel"}, {"x86_64", "virtio"}, {"x86_64", "amd"}, {"aarch64", "smmuv3"}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *request =
            g_strdup_printf("{'arch': <'%s'>, 'iommu': <{'model': <'%s'>}>}", cases[i].arch, cases[i].model);
        g_autofree char *quoted = g_strdup_printf("'%s'", cases[i].model);
        g_autoptr(sd_bus_message) answer =
            harness_exchange(harness, harness_request(harness->bus, "Plan", request));
        bool possible = !sd_bus_message_is_method_error(answer, NULL);
        ck_assert_msg(possible == !!strstr(models, quoted), "%s is %s, but the list is %s", cases[i].model,
                      possible ? "possible" : "refused", models);
    }
}
END_TEST

/* The model that Plan chooses, or its refusal. */
START_TEST(check)
{
    static const struct {
        const char *request, *model;
    } cases[] = {{"{'arch': <'x86_64'>, 'iommu': <{'is-supported': <true>}>}", "intel"},
                 {"{'arch': <'x86_64'>, 'iommu': <{'is-supported': <false>}>}", ""}};
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(HarnessError) refused = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(sd_bus_message) reply =
            harness_call(harness, harness_request(harness->bus, "Check", cases[i].request));
        const char *model = NULL;

        ck_assert_int_ge(sd_bus_message_read(reply, "s", &model), 0);
        ck_assert_str_eq(model, cases[i].model);
    }
    refused = harness_refused(harness, "Check", "{'arch': <'x86_64'>, 'iommu': <{'model': <'smmuv3'>}>}");
    harness_assert_error(refused, "NotSupported", "'smmuv3' exists only on aarch64");
}
END_TEST

START_TEST(dry_run)
{
    static const char request[] = "{'arch': <'x86_64'>, 'iommu': <{'is-supported': <true>}>}";
    static const char *const keys[] = {"name",     "uuid",          "arch",         "machine", "accelerator",
                                       "firmware", "vcpus",         "memory-bytes", "iommu",   "warnings",
                                       "notes",    "memlock-bytes", "domain-xml"};
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(GVariant) first = plan_of(harness, request), second = plan_of(harness, request);
    g_autoptr(GVariant) iommu = NULL;
    const char *model = NULL, *xml = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(first, keys[i], NULL);
        ck_assert_msg(value, "no %s", keys[i]);
    }
    ck_assert(g_variant_equal(first, second));
    iommu = g_variant_lookup_value(first, "iommu", G_VARIANT_TYPE_VARDICT);
    ck_assert(g_variant_lookup(iommu, "model", "&s", &model));
    ck_assert_str_eq(model, "intel");
    ck_assert(g_variant_lookup(first, "domain-xml", "&s", &xml));
    ck_assert_msg(strstr(xml, "<iommu model='intel'>"), "%s", xml);
    /* A dry run creates nothing. */
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(plan_without_iommu)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(GVariant) plan = plan_of(harness, "{'arch': <'x86_64'>}"), iommu = NULL;
    const char *model = NULL;

    iommu = g_variant_lookup_value(plan, "iommu", G_VARIANT_TYPE_VARDICT);
    /* The bus has no null. */
    ck_assert(g_variant_lookup(iommu, "model", "&s", &model));
    ck_assert_str_eq(model, "");
}
END_TEST

START_TEST(name_is_taken)
{
    static const char *const options[] = {"--user", "--connect=test:///default", NULL};
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *words = NULL;

    ck_assert_int_eq(harness_run(harness, options, &words), 5);
    ck_assert_msg(strstr(words, "org.viommu1 is taken: another viommud runs on this bus"), "%s", words);
}
END_TEST

START_TEST(command_line)
{
    static const struct {
        const char *options[4];
        int status;
        const char *words;
    } cases[] = {
        {{"--version", NULL}, 0, ""},
        {{"--help", NULL}, 0, ""},
        {{"--usr", NULL}, 2, "--usr"},
        {{"--user", "--system", NULL}, 2, "cannot be combined"},
        {{"something", NULL}, 2, "no arguments"},
        {{"--log-level=loud", NULL}, 2, "--log-level"},
        {{"--user", "--config=/nonexistent.conf", NULL}, 6, "/nonexistent.conf"},
    };
    g_autoptr(Harness) harness = harness_new(false);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *words = NULL;
        int status = harness_run(harness, cases[i].options, &words);
        ck_assert_msg(status == cases[i].status, "%s: status %d: %s", cases[i].options[0], status, words);
        ck_assert_msg(strstr(words, cases[i].words), "%s: %s", cases[i].options[0], words);
    }
}
END_TEST

START_TEST(no_bus)
{
    static const char *const options[] = {"--user", "--connect=test:///default", NULL};
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *words = NULL;

    g_free(harness->address);
    harness->address = g_strdup("unix:path=/nonexistent/bus");
    ck_assert_int_eq(harness_run(harness, options, &words), 8);
    ck_assert_msg(strstr(words, "cannot connect to the user's bus"), "%s", words);
}
END_TEST

START_TEST(sigterm_in_order)
{
    g_autoptr(Harness) harness = harness_new_ready();
    HarnessPending pending[32];

    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", "{'arch': <'x86_64'>}"),
                     &pending[i]);
    ck_assert_int_ge(sd_bus_flush(harness->bus), 0);
    /* Comes while they are under way. */
    sd_bus_message_unref(harness_answer(&pending[0]));
    harness_signal(harness, SIGTERM);
    /* Each call gets a machine or a named error. */
    for (unsigned i = 1; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        const sd_bus_error *error = sd_bus_message_get_error(answer);
        ck_assert_msg(!error || g_str_equal(error->name, VIOMMU_ERROR_PREFIX "Busy") ||
                          g_str_equal(error->name, SD_BUS_ERROR_NO_REPLY) ||
                          g_str_equal(error->name, SD_BUS_ERROR_SERVICE_UNKNOWN),
                      "%s: %s", error ? error->name : "", error ? error->message : "");
    }
    ck_assert_int_eq(harness_wait_exit(harness), 0);
}
END_TEST

START_TEST(sigterm_at_rest)
{
    g_autoptr(Harness) harness = harness_new_ready();

    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
}
END_TEST

static void wait_connected(Harness *harness, const char *text)
{
    for (;;) {
        g_autofree char *now = harness_property(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Connected");
        if (g_str_equal(now, text))
            return;
        sd_bus_message_unref(harness_wait_signal(harness, VIOMMU_BUS_PATH, "PropertiesChanged"));
    }
}

/* libvirt's test driver forgets its domains when its process ends: they are lost, and reported as
 * lost. */
START_TEST(libvirt_restarts)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *again = NULL;
    g_autofree char *connect = g_strconcat("--connect=", uri, NULL), *path = NULL, *new_path = NULL;
    const char *const options[] = {"--user", connect, NULL};
    g_autoptr(HarnessError) launch = NULL, stop = NULL;
    sd_bus_message *call;

    harness_configure(harness, "[daemon]\nlibvirt-timeout=1\n");
    harness_start(harness, options);
    harness_watch(harness);
    wait_connected(harness, "true");
    path = harness_launch(harness, "{'name': <'one'>, 'arch': <'x86_64'>}");

    harness_kill_libvirt(harness);
    wait_connected(harness, "false");
    harness_assert_property(harness, path, "State", "'running'");
    ck_assert_uint_eq(harness_count(harness), 1);
    launch = harness_refused(harness, "Launch", "{'name': <'two'>, 'arch': <'x86_64'>}");
    harness_assert_error(launch, "Backend", "cannot connect");
    call = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Stop");
    ck_assert_int_ge(sd_bus_message_append(call, "u", 5u), 0);
    stop = harness_call_error(harness, call);
    harness_assert_error(stop, "Backend", "cannot connect");
    harness_assert_property(harness, path, "State", "'running'");

    again = harness_start_libvirt(harness);
    sd_bus_message_unref(harness_wait_signal(harness, VIOMMU_BUS_PATH, "InterfacesRemoved"));
    ck_assert_uint_eq(harness_count(harness), 0);
    harness_assert_property(harness, VIOMMU_BUS_PATH, "Connected", "true");
    new_path = harness_launch(harness, "{'name': <'one'>, 'arch': <'x86_64'>}");
    harness_assert_property(harness, new_path, "State", "'running'");
}
END_TEST

/* libvirt reports changes by others until the end, when nothing can handle them. */
START_TEST(news_at_the_end)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    const char *const options[] = {"--user", connect, NULL};
    ViommuBackend *backend = NULL;
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_backend_new(uri, 1, &backend, &error), error);
    for (unsigned i = 0; i < 10; i++) {
        harness_start(harness, options);
        for (unsigned j = 0; j < 6; j++) {
            g_autofree char *xml =
                g_strdup_printf("<domain type='test'><name>foreign-%u-%u</name><memory>65536</memory>"
                                "<os><type arch='i686'>hvm</type></os></domain>",
                                i, j);
            bool unsupported;

            unit_assert_ok(viommu_backend_define(backend, xml, &unsupported, &error), error);
            if (j == 0)
                harness_signal(harness, SIGTERM);
        }
        ck_assert_int_eq(harness_wait_exit(harness), 0);
    }
    viommu_backend_free(backend);
}
END_TEST

START_TEST(bus_lost)
{
    g_autoptr(Harness) harness = harness_new_ready();

    kill(harness->bus_pid, SIGTERM);
    /* So that a service manager starts it again. */
    ck_assert_int_eq(harness_wait_exit(harness), 1);
}
END_TEST

START_TEST(activation)
{
    g_autoptr(Harness) harness = harness_new(true);
    g_autoptr(sd_bus_message) reply = NULL;
    g_autofree char *path = harness_launch(harness, "{'arch': <'x86_64'>}");
    uint32_t pid;

    harness_assert_property(harness, path, "State", "'running'");
    ck_assert_int_ge(sd_bus_call_method(harness->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "GetConnectionUnixProcessID", NULL, &reply,
                                        "s", VIOMMU_BUS_NAME),
                     0);
    ck_assert_int_gt(sd_bus_message_read(reply, "u", &pid), 0);
    kill((pid_t)pid, SIGTERM);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"host", &host},
    {"facts-class", &facts_class},
    {"models-are-those-of-plans", &models_are_those_of_plans},
    {"plan", &dry_run},
    {"check", &check},
    {"plan-without-iommu", &plan_without_iommu},
    {"name-is-taken", &name_is_taken},
    {"command-line", &command_line},
    {"no-bus", &no_bus},
    {"sigterm-in-order", &sigterm_in_order},
    {"sigterm-at-rest", &sigterm_at_rest},
    {"bus-lost", &bus_lost},
    {"libvirt-restarts", &libvirt_restarts},
    {"news-at-the-end", &news_at_the_end},
    {"activation", &activation},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc > 1 && (g_str_equal(argv[1], "libvirt-restarts") || g_str_equal(argv[1], "news-at-the-end")) &&
        !harness_has_libvirt()) {
        puts("SKIP: libvirtd or setpriv is not installed");
        return 77;
    }
    return harness_main(argc, argv, scenarios);
}
