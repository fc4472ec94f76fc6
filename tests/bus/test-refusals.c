/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-refusals: each error that a client can get, by its name; a refused call leaves nothing. */
#include "tests/bus/harness.h"

#include <string.h>
#include <unistd.h>
#include "daemon/bus/variant.h"
#include "lib/base/error.h"

/* A user who is neither root nor the test's. */
#define NOBODY 65534

START_TEST(invalid_request)
{
    static const struct {
        const char *request, *words;
    } cases[] = {
        {"{'memry': <'1 GiB'>}", "did you mean 'memory'?"},
        {"{'iommu': <{'modell': <'intel'>}>}", "did you mean 'iommu.model'?"},
        {"{'vcpus': <'two'>}", "vcpus"},
        {"{'vcpus': <uint32 0>}", "vcpus"},
        {"{'iommu': <{'is-supported': <false>, 'model': <'intel'>}>}", "iommu.is-supported"},
        {"{'iommu': <{'model': <'INTEL'>}>}", "'INTEL'"},
        {"{'name': <'Upper'>}", "'Upper'"},
        {"{'wait': <'forever'>}", "'forever'"},
    };
    g_autoptr(Harness) harness = harness_new_ready();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(HarnessError) launch = harness_refused(harness, "Launch", cases[i].request);
        g_autoptr(HarnessError) plan = harness_refused(harness, "Plan", cases[i].request);
        harness_assert_error(launch, "InvalidRequest", cases[i].words);
        harness_assert_error(plan, "InvalidRequest", cases[i].words);
    }
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

static bool has_reason(const HarnessError *error, const char *start)
{
    for (guint i = 0; i < error->reasons->len; i++)
        if (g_str_has_prefix(g_ptr_array_index(error->reasons, i), start))
            return true;
    return false;
}

START_TEST(not_supported)
{
    static const char request[] = "{'arch': <'x86_64'>, 'iommu': <{'model': <'smmuv3'>}>}";
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(HarnessError) launch = harness_refused(harness, "Launch", request);
    g_autoptr(HarnessError) plan = harness_refused(harness, "Plan", request);
    g_autoptr(HarnessError) arch = harness_refused(harness, "Launch", "{'arch': <'riscv64'>}");

    harness_assert_error(launch, "NotSupported", "smmuv3");
    ck_assert(has_reason(launch, "smmuv3 arch 'smmuv3' exists only on aarch64"));
    harness_assert_error(plan, "NotSupported", "smmuv3");
    ck_assert_uint_eq(plan->reasons->len, launch->reasons->len);
    harness_assert_error(arch, "NotSupported", "riscv64");
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(exists)
{
    static const char request[] = "{'name': <'one'>, 'arch': <'x86_64'>}";
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, request);
    g_autoptr(HarnessError) error = harness_refused(harness, "Launch", request);

    harness_assert_error(error, "Exists", "'one'");
    harness_assert_property(harness, path, "State", "'running'");
}
END_TEST

START_TEST(not_found)
{
    g_autoptr(Harness) harness = harness_new_ready();
    sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetMachine");
    g_autoptr(HarnessError) error = NULL, object = NULL;

    ck_assert_int_ge(sd_bus_message_append(call, "s", "nobody"), 0);
    error = harness_call_error(harness, call);
    harness_assert_error(error, "NotFound", "'nobody'");

    object = harness_call_error(
        harness, harness_method(harness->bus, VIOMMU_MACHINE_PREFIX "/x", VIOMMU_IFACE_MACHINE, "Kill"));
    harness_assert_error(object, "NotFound", VIOMMU_MACHINE_PREFIX "/x");
}
END_TEST

/* libvirt's test driver gives its guests no console. */
START_TEST(no_console)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, "{'name': <'mute'>, 'arch': <'x86_64'>}");
    static const char *const names[] = {"mute", "nobody", "", "../x"};

    harness_assert_property(harness, path, "ConsoleLog", "''");
    g_autoptr(HarnessError) console =
        harness_call_error(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "OpenConsole"));
    harness_assert_error(console, "NotSupported", "have no console");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        sd_bus_message *call =
            harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "OpenConsoleLog");
        ck_assert_int_ge(sd_bus_message_append(call, "s", names[i]), 0);
        g_autoptr(HarnessError) log = harness_call_error(harness, call);
        harness_assert_error(log, "NotFound", "there is no console log");
    }
}
END_TEST

START_TEST(busy_machines)
{
    static const char *const options[] = {"--user", "--connect=test:///default", NULL};
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *one = NULL, *two = NULL;
    g_autoptr(HarnessError) error = NULL;

    harness_configure(harness, "[limits]\nmachines=2\n");
    harness_start(harness, options);
    one = harness_launch(harness, "{'arch': <'x86_64'>}");
    two = harness_launch(harness, "{'arch': <'x86_64'>}");
    error = harness_refused(harness, "Launch", "{'arch': <'x86_64'>}");
    harness_assert_error(error, "Busy",
                         "all users together have 2 machines, and 1 more would exceed [limits] machines=2");
    harness_stop(harness, one, 0);
    g_free(one);
    one = harness_launch(harness, "{'arch': <'x86_64'>}");
}
END_TEST

START_TEST(busy_launches)
{
    static const char *const options[] = {"--user", "--connect=test:///default", NULL};
    g_autoptr(Harness) harness = harness_new(false);
    HarnessPending pending[16];
    unsigned busy = 0;

    harness_configure(harness, "[limits]\npending-launches=1\n[daemon]\nworkers=1\n");
    harness_start(harness, options);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", "{'arch': <'x86_64'>}"),
                     &pending[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        busy += sd_bus_message_is_method_error(answer, VIOMMU_ERROR_PREFIX "Busy") > 0;
    }
    ck_assert_uint_gt(busy, 0);
    ck_assert_uint_eq(harness_count(harness), G_N_ELEMENTS(pending) - busy);
}
END_TEST

START_TEST(libvirt_away)
{
    static const char *const options[] = {"--user",
                                          "--connect=qemu+unix:///system?socket=/nonexistent/socket", NULL};
    g_autoptr(Harness) harness = harness_new(false);
    g_autoptr(HarnessError) launch = NULL, plan = NULL;

    harness_start(harness, options);
    harness_assert_property(harness, VIOMMU_BUS_PATH, "Connected", "false");
    harness_assert_property(harness, VIOMMU_BUS_PATH, "LibvirtVersion", "''");
    harness_assert_property(harness, VIOMMU_BUS_PATH, "Connection",
                            "'qemu+unix:///system?socket=/nonexistent/socket'");
    ck_assert_uint_eq(harness_count(harness), 0);
    launch = harness_refused(harness, "Launch", "{'arch': <'x86_64'>}");
    harness_assert_error(launch, "Backend", "/nonexistent/socket");
    plan = harness_refused(harness, "Plan", "{'arch': <'x86_64'>}");
    harness_assert_error(plan, "Backend", "/nonexistent/socket");
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

static void assert_refused_by_policy(sd_bus *bus, sd_bus_message *call)
{
    HarnessPending pending;
    g_autoptr(sd_bus_message) answer = NULL;

    harness_send(bus, call, &pending);
    answer = harness_answer(&pending);
    ck_assert_msg(sd_bus_message_is_method_error(answer, VIOMMU_ERROR_PREFIX "PolicyRefused") > 0, "%s",
                  sd_bus_message_get_error(answer) ? sd_bus_message_get_error(answer)->message
                                                   : "it was allowed");
}

START_TEST(policy_refused_user)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, "{'arch': <'x86_64'>}");
    g_autoptr(sd_bus) nobody = harness_connect_as(harness, NOBODY);

    assert_refused_by_policy(nobody, harness_request(nobody, "Launch", "{'arch': <'x86_64'>}"));
    assert_refused_by_policy(nobody, harness_request(nobody, "Plan", "{'arch': <'x86_64'>}"));
    assert_refused_by_policy(nobody, harness_method(nobody, path, VIOMMU_IFACE_MACHINE, "Kill"));
    assert_refused_by_policy(nobody, harness_method(nobody, path, VIOMMU_IFACE_MACHINE, "GetDomainXML"));
    assert_refused_by_policy(nobody,
                             harness_method(nobody, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines"));
    harness_assert_property(harness, path, "State", "'running'");
}
END_TEST

START_TEST(policy_refused_system)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *console = g_strdup_printf("--console-directory=%s/console", harness->directory);
    const char *const options[] = {"--system", "--connect=test:///default", console, NULL};
    g_autoptr(sd_bus) nobody = NULL;
    g_autoptr(sd_bus_message) answer = NULL;
    g_autofree char *path = NULL;
    HarnessPending pending;

    harness_start(harness, options);
    path = harness_launch(harness, "{'arch': <'x86_64'>}");
    nobody = harness_connect_as(harness, NOBODY);
    assert_refused_by_policy(nobody, harness_request(nobody, "Launch", "{'arch': <'x86_64'>}"));
    assert_refused_by_policy(nobody, harness_method(nobody, path, VIOMMU_IFACE_MACHINE, "Kill"));
    assert_refused_by_policy(nobody, harness_method(nobody, path, VIOMMU_IFACE_MACHINE, "Reset"));
    harness_send(nobody, harness_request(nobody, "Plan", "{'arch': <'x86_64'>}"), &pending);
    answer = harness_answer(&pending);
    ck_assert_msg(!sd_bus_message_is_method_error(answer, NULL), "%s",
                  sd_bus_message_get_error(answer)->message);
    harness_assert_property(harness, path, "State", "'running'");
}
END_TEST

START_TEST(nested_too_deep)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(HarnessError) error = NULL;
    sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");

    /* sd-bus and dbus-daemon allow 64 containers. */
    ck_assert_int_ge(sd_bus_message_open_container(call, 'a', "{sv}"), 0);
    ck_assert_int_ge(sd_bus_message_open_container(call, 'e', "sv"), 0);
    ck_assert_int_ge(sd_bus_message_append(call, "s", "memory"), 0);
    for (unsigned i = 0; i < 60; i++)
        ck_assert_int_ge(sd_bus_message_open_container(call, 'v', i < 59 ? "v" : "s"), 0);
    ck_assert_int_ge(sd_bus_message_append(call, "s", "the end"), 0);
    for (unsigned i = 0; i < 62; i++)
        ck_assert_int_ge(sd_bus_message_close_container(call), 0);
    error = harness_call_error(harness, call);
    harness_assert_error(error, "InvalidRequest", "nested");
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(too_large)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *megabyte = g_strnfill(1024 * 1024, 'x');
    sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    sd_bus_message *many = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    g_autoptr(HarnessError) error = NULL, error_many = NULL;

    ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "name", "s", megabyte), 0);
    error = harness_call_error(harness, call);
    harness_assert_error(error, "InvalidRequest", "256 KiB");

    /* A million small values are as large. */
    ck_assert_int_ge(sd_bus_message_open_container(many, 'a', "{sv}"), 0);
    ck_assert_int_ge(sd_bus_message_open_container(many, 'e', "sv"), 0);
    ck_assert_int_ge(sd_bus_message_append(many, "s", "name"), 0);
    ck_assert_int_ge(sd_bus_message_open_container(many, 'v', "ay"), 0);
    ck_assert_int_ge(sd_bus_message_append_array(many, 'y', megabyte, 1024 * 1024), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_ge(sd_bus_message_close_container(many), 0);
    error_many = harness_call_error(harness, many);
    harness_assert_error(error_many, "InvalidRequest", "256 KiB");
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(odd_values)
{
    g_autoptr(Harness) harness = harness_new_ready();
    sd_bus_message *file = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    sd_bus_message *twice = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    sd_bus_message *wrong = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    g_autoptr(HarnessError) file_error = NULL, twice_error = NULL, wrong_error = NULL;

    ck_assert_int_ge(sd_bus_message_append(file, "a{sv}", 1, "boot", "h", STDERR_FILENO), 0);
    file_error = harness_call_error(harness, file);
    harness_assert_error(file_error, "InvalidRequest", "file descriptor");

    ck_assert_int_ge(sd_bus_message_append(twice, "a{sv}", 2, "name", "s", "a", "name", "s", "b"), 0);
    twice_error = harness_call_error(harness, twice);
    harness_assert_error(twice_error, "InvalidRequest", "name");

    /* The bus library refuses a wrong signature. */
    ck_assert_int_ge(sd_bus_message_append(wrong, "s", "x86_64"), 0);
    wrong_error = harness_call_error(harness, wrong);
    ck_assert_str_eq(wrong_error->name, SD_BUS_ERROR_INVALID_ARGS);
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

/* A descriptor where its type does not fit, in a method that every user may call. */
START_TEST(odd_descriptors)
{
    static const char *const methods[] = {"Plan", "Launch"};
    static const char *const types[] = {"ah", "(h)", "(sh)", "a{sh}", "a{hs}", "aah", "aa{sh}", "a(sh)"};
    g_autoptr(Harness) harness = harness_new_ready();

    for (size_t i = 0; i < G_N_ELEMENTS(methods) * G_N_ELEMENTS(types); i++) {
        const char *type = types[i / G_N_ELEMENTS(methods)];
        sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER,
                                              methods[i % G_N_ELEMENTS(methods)]);
        g_autoptr(HarnessError) error = NULL;
        int r = 0, fd = STDERR_FILENO;

        if (g_str_equal(type, "ah"))
            r = sd_bus_message_append(call, "a{sv}", 1, "boot", type, 2, fd, fd);
        else if (g_str_equal(type, "(h)"))
            r = sd_bus_message_append(call, "a{sv}", 1, "boot", type, fd);
        else if (g_str_equal(type, "(sh)"))
            r = sd_bus_message_append(call, "a{sv}", 1, "boot", type, "kernel", fd);
        else if (g_str_equal(type, "a{hs}"))
            r = sd_bus_message_append(call, "a{sv}", 1, "boot", type, 1, fd, "kernel");
        else if (g_str_has_prefix(type, "aa"))
            r = sd_bus_message_append(call, "a{sv}", 1, "boot", type, 0);
        else
            r = sd_bus_message_append(call, "a{sv}", 1, "boot", type, 1, "kernel", fd);
        ck_assert_int_ge(r, 0);
        error = harness_call_error(harness, call);
        harness_assert_error(error, "InvalidRequest", "file descriptor");
    }
}
END_TEST

/* A bus delivers few, but a message may repeat the same one any number of times. */
START_TEST(many_descriptors)
{
    g_autoptr(Harness) harness = harness_new_ready();
    sd_bus_message *call = harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Plan");
    g_autoptr(GVariant) tree = NULL;
    g_autoptr(GArray) fds = NULL;
    g_autoptr(GError) error = NULL;

    ck_assert_int_ge(sd_bus_message_open_container(call, SD_BUS_TYPE_ARRAY, "v"), 0);
    for (unsigned i = 0; i < VIOMMU_BUS_FILES_MAX + 1; i++)
        ck_assert_int_ge(sd_bus_message_append(call, "v", "h", STDERR_FILENO), 0);
    ck_assert_int_ge(sd_bus_message_close_container(call), 0);
    ck_assert_int_ge(sd_bus_message_seal(call, 1, 0), 0);
    ck_assert(!viommu_bus_variant_read_files(call, false, &tree, &fds, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    ck_assert_msg(strstr(error->message, "more than 64 file descriptors"), "%s", error->message);
    sd_bus_message_unref(call);
}
END_TEST

/* Each basic type of the bus is read, and refused by the field's name. */
START_TEST(types)
{
    static const char *const values[] = {"byte 1",    "true",     "int16 -1",        "uint16 1",
                                         "-1",        "uint32 1", "int64 -1",        "uint64 1",
                                         "1.5",       "'text'",   "@as []",          "(1, 'a')",
                                         "<'inner'>", "@ay []",   "objectpath '/a'", "signature 's'"};
    g_autoptr(Harness) harness = harness_new_ready();

    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *request = g_strdup_printf("{'boot': <%s>}", values[i]);
        g_autoptr(HarnessError) error = harness_refused(harness, "Launch", request);
        harness_assert_error(error, "InvalidRequest", "boot");
    }
}
END_TEST

/* A kernel's own files tell its properties: the image its version, the configuration beside it its
 * drivers. */
START_TEST(kernel_read)
{
    static const char config[] =
        "CONFIG_INTEL_IOMMU=y\nCONFIG_ACPI_VIOT=y\n# CONFIG_VIRTIO_IOMMU is not set\n";
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *kernel = g_build_filename(harness->directory, "vmlinuz-6.1.0-9", NULL);
    g_autofree char *beside = g_build_filename(harness->directory, "config-6.1.0-9", NULL), *request = NULL,
                    *sleepy = NULL, *path = NULL, *warnings = NULL;
    char image[2048] = {0};

    memcpy(image + 0x202, "HdrS", 4);
    image[0x20f] = 1;
    strcpy(image + 0x300, "6.1.0-9 (someone)");
    ck_assert(g_file_set_contents(kernel, image, sizeof(image), NULL));
    ck_assert(g_file_set_contents(beside, config, -1, NULL));
    request = g_strdup_printf(
        "{'arch': <'x86_64'>, 'iommu': <{'model': <'virtio'>}>, 'guest': <{'drivers': <'virtio'>}>, "
        "'boot': <{'kernel': <'%s'>}>}",
        kernel);
    g_autoptr(HarnessError) refused = harness_refused(harness, "Launch", request);
    harness_assert_error(refused, "NotSupported",
                         "the configuration of boot.kernel has no driver for 'virtio'");

    sleepy = g_strdup_printf(
        "{'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>, 'guest': <{'kernel': <'5.10'>}>, "
        "'boot': <{'kernel': <'%s'>}>}",
        kernel);
    path = harness_launch(harness, sleepy);
    warnings = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "Warnings");
    ck_assert_msg(strstr(warnings, "boot.kernel is Linux 6.1.0-9") && strstr(warnings, "leaves 'intel' off"),
                  "%s", warnings);
    harness_stop(harness, path, -1);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"invalid-request", &invalid_request},
    {"not-supported", &not_supported},
    {"exists", &exists},
    {"not-found", &not_found},
    {"no-console", &no_console},
    {"busy-machines", &busy_machines},
    {"busy-launches", &busy_launches},
    {"libvirt-away", &libvirt_away},
    {"policy-refused-user", &policy_refused_user},
    {"policy-refused-system", &policy_refused_system},
    {"nested-too-deep", &nested_too_deep},
    {"too-large", &too_large},
    {"odd-values", &odd_values},
    {"odd-descriptors", &odd_descriptors},
    {"many-descriptors", &many_descriptors},
    {"types", &types},
    {"kernel-read", &kernel_read},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc > 1 && g_str_has_prefix(argv[1], "policy-") && geteuid() != 0) {
        puts("SKIP: only root can connect as two users");
        return 77;
    }
    return harness_main(argc, argv, scenarios);
}
