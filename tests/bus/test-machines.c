/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-machines: machines are launched, found, signalled, stopped. */
#include "tests/bus/harness.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/bus/variant.h"

#define PLAIN \
    "{'name': <'one'>, 'arch': <'x86_64'>, 'memory': <'512 MiB'>, 'iommu': <{'is-supported': <true>}>}"

START_TEST(launch)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autofree char *reasons = NULL, *uid = g_strdup_printf("uint32 %u", geteuid());

    ck_assert_msg(g_str_has_prefix(path, VIOMMU_MACHINE_PREFIX "/"), "%s", path);
    harness_assert_property(harness, path, "Name", "'one'");
    harness_assert_property(harness, path, "State", "'running'");
    harness_assert_property(harness, path, "Result", "'none'");
    harness_assert_property(harness, path, "Failure", "('', '')");
    harness_assert_property(harness, path, "Owner", uid);
    harness_assert_property(harness, path, "Arch", "'x86_64'");
    harness_assert_property(harness, path, "MachineType", "'q35'");
    harness_assert_property(harness, path, "Accelerator", "'tcg'");
    harness_assert_property(harness, path, "VCPUs", "uint32 1");
    harness_assert_property(harness, path, "Memory", "uint64 536870912");
    harness_assert_property(harness, path, "MemlockBytes", "uint64 0");
    harness_assert_property(harness, path, "IommuModel", "'intel'");
    harness_assert_property(harness, path, "RequestId", "''");
    reasons = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "Reasons");
    ck_assert_msg(strlen(reasons) > strlen("['']"), "no reasons: %s", reasons);
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

START_TEST(no_iommu)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path =
        harness_launch(harness, "{'arch': <'aarch64'>, 'iommu': <{'is-supported': <false>}>}");

    harness_assert_property(harness, path, "IommuModel", "''");
    harness_assert_property(harness, path, "MachineType", "'virt'");
}
END_TEST

START_TEST(get)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autofree char *quoted = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "UUID");
    g_autofree char *uuid = g_strndup(quoted + 1, 36);
    g_autofree char *by_name = harness_find(harness, "one"), *by_uuid = harness_find(harness, uuid);

    ck_assert_str_eq(by_name, path);
    ck_assert_str_eq(by_uuid, path);
}
END_TEST

/* A UUID in Kill means the machine with that UUID, not one with that name. */
START_TEST(a_uuid_as_a_name)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autofree char *quoted = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "UUID");
    g_autofree char *uuid = g_strndup(quoted + 1, 36);
    g_autofree char *request = g_strdup_printf("{'name': <'%s'>, 'memory': <'64 MiB'>}", uuid);
    g_autofree char *other = harness_launch(harness, request), *found = harness_find(harness, uuid);

    ck_assert_str_ne(other, path);
    ck_assert_str_eq(found, path);
}
END_TEST

static void read_entry(sd_bus_message *reply, const char *name, const char *model, const char *path)
{
    const char *its_name, *state, *its_model, *its_path;

    ck_assert_int_gt(sd_bus_message_read(reply, "(ssso)", &its_name, &state, &its_model, &its_path), 0);
    ck_assert_str_eq(its_name, name);
    ck_assert_str_eq(state, "running");
    ck_assert_str_eq(its_model, model);
    ck_assert_str_eq(its_path, path);
}

START_TEST(list)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *b =
        harness_launch(harness, "{'name': <'b'>, 'arch': <'aarch64'>, 'iommu': <{'model': <'auto'>}>}");
    g_autofree char *a = harness_launch(harness, "{'name': <'a'>, 'arch': <'x86_64'>}");
    g_autoptr(sd_bus_message) reply = harness_call(
        harness, harness_method(harness->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines"));

    ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ssso)"), 0);
    read_entry(reply, "a", "", a);
    read_entry(reply, "b", "smmuv3", b);
    ck_assert_int_gt(sd_bus_message_at_end(reply, false), 0);
}
END_TEST

START_TEST(domain_xml)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autoptr(sd_bus_message) reply =
        harness_call(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "GetDomainXML"));
    const char *xml;

    ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
    ck_assert_msg(strstr(xml, "<name>one</name>"), "%s", xml);
    ck_assert_msg(strstr(xml, "<iommu model='intel'>"), "%s", xml);
    ck_assert_msg(strstr(xml, "phase=\"running\""), "%s", xml);
}
END_TEST

/* When the reply comes, the object is gone and its name can be used again. */
static void stop_and_launch_again(int seconds)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN), *again = NULL;

    harness_stop(harness, path, seconds);
    ck_assert_uint_eq(harness_count(harness), 0);
    again = harness_launch(harness, PLAIN);
    ck_assert_str_ne(again, path);
}

START_TEST(stop)
{
    stop_and_launch_again(0);
}
END_TEST

START_TEST(stop_orderly)
{
    /* Guests of libvirt's test driver power off as soon as they are asked. */
    stop_and_launch_again(20);
}
END_TEST

START_TEST(stop_at_once)
{
    stop_and_launch_again(-1);
}
END_TEST

START_TEST(reset)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autoptr(sd_bus_message) answer =
        harness_exchange(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Reset"));
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    /* libvirt's test driver can reset since 10.x; older ones report an error. */
    ck_assert_msg(!error || g_str_equal(error->name, VIOMMU_ERROR_PREFIX "Backend"), "%s",
                  error ? error->name : "");
    harness_assert_property(harness, path, "State", "'running'");
}
END_TEST

START_TEST(suspend)
{
    static const struct {
        const char *method, *state, *reason;
    } rows[] = {
        {"Suspend", "'paused'", "'suspended'"},
        {"Suspend", "'paused'", "'suspended'"},
        {"Resume", "'running'", "'none'"},
        {"Resume", "'running'", "'none'"},
    };
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(sd_bus_message) reply =
            harness_call(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, rows[i].method));

        ck_assert_ptr_nonnull(reply);
        harness_assert_property(harness, path, "State", rows[i].state);
        harness_assert_property(harness, path, "PauseReason", rows[i].reason);
    }
}
END_TEST

START_TEST(made_up_names)
{
    static const char request[] = "{'arch': <'x86_64'>}";
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *first = harness_launch(harness, request), *second = harness_launch(harness, request);
    g_autofree char *third = harness_launch(harness, request);
    g_autofree char *name = harness_property(harness, first, VIOMMU_IFACE_MACHINE, "Name");
    g_autofree char *stem = g_strndup(name, strlen(name) - 1);
    g_autofree char *name_2 = g_strconcat(stem, "-2'", NULL), *name_3 = g_strconcat(stem, "-3'", NULL);

    ck_assert_msg(g_str_has_prefix(name, "'vm-"), "%s", name);
    harness_assert_property(harness, second, "Name", name_2);
    harness_assert_property(harness, third, "Name", name_3);
}
END_TEST

START_TEST(name_race)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(sd_bus) other = harness_connect(harness);
    HarnessPending pending[2];
    unsigned won = 0, exists = 0;

    harness_send(harness->bus, harness_request(harness->bus, "Launch", PLAIN), &pending[0]);
    harness_send(other, harness_request(other, "Launch", PLAIN), &pending[1]);
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        won += !sd_bus_message_is_method_error(answer, NULL);
        exists += sd_bus_message_is_method_error(answer, VIOMMU_ERROR_PREFIX "Exists") > 0;
    }
    ck_assert_uint_eq(won, 1);
    ck_assert_uint_eq(exists, 1);
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

#define IDENTIFIED(name) "{'name': <'" name "'>, 'arch': <'x86_64'>, 'request-id': <'job-7'>}"

START_TEST(request_id)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, IDENTIFIED("one")), *again = NULL, *later = NULL;
    g_autoptr(HarnessError) error = NULL;

    again = harness_launch(harness, IDENTIFIED("one"));
    ck_assert_str_eq(again, path);
    ck_assert_uint_eq(harness_count(harness), 1);
    harness_assert_property(harness, path, "RequestId", "'job-7'");

    error = harness_refused(harness, "Launch", IDENTIFIED("two"));
    harness_assert_error(error, "Exists", "'job-7'");
    ck_assert_uint_eq(harness_count(harness), 1);

    /* The id is free again when its machine is gone. */
    harness_stop(harness, path, 0);
    later = harness_launch(harness, IDENTIFIED("two"));
    ck_assert_str_ne(later, path);
}
END_TEST

START_TEST(request_id_in_flight)
{
    g_autoptr(Harness) harness = harness_new_ready();
    HarnessPending pending[4];
    g_autofree char *first = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", IDENTIFIED("one")), &pending[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        const char *path;
        ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
        if (!first)
            first = g_strdup(path);
        ck_assert_str_eq(path, first);
    }
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

START_TEST(wait_planned)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = NULL;

    harness_watch(harness);
    path = harness_launch(harness, "{'name': <'one'>, 'arch': <'x86_64'>, 'wait': <'planned'>}");
    harness_wait_state(harness, path, "running");
}
END_TEST

/* libvirt's test driver has a domain named "test", so the definition fails. */
START_TEST(planned_then_failed)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = NULL, *failure = NULL;
    g_autoptr(HarnessError) error = NULL;

    harness_watch(harness);
    path = harness_launch(harness, "{'name': <'test'>, 'arch': <'x86_64'>, 'wait': <'planned'>}");
    harness_wait_state(harness, path, "failed");
    harness_assert_property(harness, path, "Result", "'failed'");
    failure = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "Failure");
    ck_assert_msg(g_str_has_prefix(failure, "('" VIOMMU_ERROR_PREFIX "Exists', "), "%s", failure);
    harness_stop(harness, path, 0);
    ck_assert_uint_eq(harness_count(harness), 0);

    /* A call that waits for the start gets the error, and nothing is left. */
    error = harness_refused(harness, "Launch", "{'name': <'test'>, 'arch': <'x86_64'>}");
    harness_assert_error(error, "Exists", "test");
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(signals)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autoptr(sd_bus_message) added = NULL, changed = NULL, removed = NULL;
    g_autofree char *path = NULL;
    const char *text;

    harness_watch(harness);
    path = harness_launch(harness, PLAIN);
    added = harness_wait_signal(harness, VIOMMU_BUS_PATH, "InterfacesAdded");
    ck_assert_int_gt(sd_bus_message_read(added, "o", &text), 0);
    ck_assert_str_eq(text, path);
    changed = harness_wait_signal(harness, path, "PropertiesChanged");
    ck_assert_int_gt(sd_bus_message_read(changed, "s", &text), 0);
    ck_assert_str_eq(text, VIOMMU_IFACE_MACHINE);
    ck_assert_int_gt(sd_bus_message_enter_container(changed, 'a', "{sv}"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(changed, 'e', "sv"), 0);
    ck_assert_int_gt(sd_bus_message_read(changed, "s", &text), 0);
    ck_assert_str_eq(text, "State");

    harness_stop(harness, path, 0);
    removed = harness_wait_signal(harness, VIOMMU_BUS_PATH, "InterfacesRemoved");
    ck_assert_int_gt(sd_bus_message_read(removed, "o", &text), 0);
    ck_assert_str_eq(text, path);
}
END_TEST

START_TEST(managed_objects)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autoptr(sd_bus_message) reply =
        harness_call(harness, harness_method(harness->bus, VIOMMU_BUS_PATH,
                                             "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"));
    g_autoptr(GVariant) objects = NULL, interfaces = NULL, machine = NULL;
    const char *name = NULL;

    ck_assert(viommu_bus_variant_read(reply, &objects, NULL));
    interfaces = g_variant_lookup_value(objects, path, G_VARIANT_TYPE("a{sa{sv}}"));
    ck_assert_ptr_nonnull(interfaces);
    machine = g_variant_lookup_value(interfaces, VIOMMU_IFACE_MACHINE, G_VARIANT_TYPE_VARDICT);
    ck_assert_ptr_nonnull(machine);
    ck_assert(g_variant_lookup(machine, "Name", "&s", &name));
    ck_assert_str_eq(name, "one");
}
END_TEST

START_TEST(stop_twice)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    HarnessPending pending[2];

    for (unsigned i = 0; i < 2; i++)
        harness_send(harness->bus, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Kill"),
                     &pending[i]);
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        const sd_bus_error *error = sd_bus_message_get_error(answer);
        /* The second may come when the first has ended. */
        ck_assert_msg(!error || (i == 1 && g_str_equal(error->name, VIOMMU_ERROR_PREFIX "NotFound")), "%s",
                      error ? error->message : "");
    }
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

/* libvirt's test driver has neither agents nor consoles, so no machine can be verified. */
START_TEST(verify)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    sd_bus_message *ask = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Verify");
    sd_bus_message *too_long = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Verify");
    g_autoptr(HarnessError) blind = NULL, refused = NULL, undone = NULL;

    ck_assert_int_ge(sd_bus_message_append(ask, "t", UINT64_C(0)), 0);
    blind = harness_call_error(harness, ask);
    harness_assert_error(blind, "NotSupported", "machine 'one' cannot be verified");
    ck_assert_int_ge(sd_bus_message_append(too_long, "t", UINT64_C(3601)), 0);
    refused = harness_call_error(harness, too_long);
    harness_assert_error(refused, "InvalidRequest", "3601 seconds are more than 3600");
    harness_assert_property(harness, path, "State", "'running'");
    harness_assert_property(harness, path, "Verified", "false");
    /* A launch that cannot be proven leaves nothing. */
    undone = harness_refused(harness, "Launch",
                             "{'name': <'two'>, 'arch': <'x86_64'>, 'iommu': <{'is-supported': <true>}>, "
                             "'wait': <'verified'>}");
    harness_assert_error(undone, "NotVerified", "machine 'two' cannot be verified");
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

START_TEST(ready)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    sd_bus_message *ask = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "AwaitReady");
    sd_bus_message *too_long = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "AwaitReady");
    g_autoptr(HarnessError) deaf = NULL, refused = NULL;

    ck_assert_int_ge(sd_bus_message_append(ask, "t", UINT64_C(0)), 0);
    deaf = harness_call_error(harness, ask);
    harness_assert_error(deaf, "NotSupported", "machine 'one' cannot become ready");
    ck_assert_int_ge(sd_bus_message_append(too_long, "t", UINT64_C(3601)), 0);
    refused = harness_call_error(harness, too_long);
    harness_assert_error(refused, "InvalidRequest", "3601 seconds are more than 3600");
    harness_assert_property(harness, path, "State", "'running'");
    harness_assert_property(harness, path, "Ready", "false");
    harness_assert_property(harness, path, "Forwards", "@a(qsq) []");
    harness_assert_property(harness, path, "Addresses", "@as []");
    harness_assert_property(harness, path, "VsockCid", "uint32 0");
    harness_assert_property(harness, path, "SeedUser", "''");
}
END_TEST

/* The call of Exec with three times @fd. */
static sd_bus_message *exec_call(Harness *harness, const char *path, const char *word, int fd)
{
    sd_bus_message *call = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Exec");

    ck_assert_int_ge(sd_bus_message_append(call, "ashhh", 1, word, fd, fd, fd), 0);
    return call;
}

/* The test driver has no agents.  Descriptors arrive, and none stays. */
START_TEST(exec)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, PLAIN);
    g_autoptr(HarnessError) deaf = NULL, empty = NULL, refused = NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), pair[2];
    char byte;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    refused = harness_call_error(harness, exec_call(harness, path, "true", null));
    harness_assert_error(refused, "InvalidRequest", "stdin is neither a pipe");
    empty = harness_call_error(harness, exec_call(harness, path, "", pair[0]));
    harness_assert_error(empty, "InvalidRequest", "argv names no command");
    deaf = harness_call_error(harness, exec_call(harness, path, "true", pair[0]));
    harness_assert_error(deaf, "NotSupported", "machine 'one' cannot run the command");
    close(pair[0]);
    ck_assert_int_eq(read(pair[1], &byte, 1), 0);
    close(pair[1]);
    close(null);
}
END_TEST

/* Stopped at any point of its launch: either it runs and is stopped, or the launch reports the
 * stop. */
START_TEST(stop_while_launching)
{
    g_autoptr(Harness) harness = harness_new_ready();

    for (unsigned i = 0; i < 20; i++) {
        g_autofree char *path = harness_launch(harness, "{'arch': <'x86_64'>, 'wait': <'planned'>}");
        harness_stop(harness, path, 0);
        ck_assert_uint_eq(harness_count(harness), 0);
    }
}
END_TEST

START_TEST(many)
{
    g_autoptr(Harness) harness = harness_new_ready();
    HarnessPending pending[48];

    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", "{'arch': <'x86_64'>}"),
                     &pending[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        ck_assert_msg(!sd_bus_message_is_method_error(answer, NULL), "%s",
                      sd_bus_message_get_error(answer)->message);
    }
    ck_assert_uint_eq(harness_count(harness), G_N_ELEMENTS(pending));
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"launch", &launch},
    {"no-iommu", &no_iommu},
    {"get", &get},
    {"a-uuid-as-a-name", &a_uuid_as_a_name},
    {"list", &list},
    {"domain-xml", &domain_xml},
    {"stop", &stop},
    {"stop-orderly", &stop_orderly},
    {"kill", &stop_at_once},
    {"reset", &reset},
    {"suspend", &suspend},
    {"made-up-names", &made_up_names},
    {"name-race", &name_race},
    {"request-id", &request_id},
    {"request-id-in-flight", &request_id_in_flight},
    {"wait-planned", &wait_planned},
    {"planned-then-failed", &planned_then_failed},
    {"signals", &signals},
    {"managed-objects", &managed_objects},
    {"stop-twice", &stop_twice},
    {"stop-while-launching", &stop_while_launching},
    {"verify", &verify},
    {"ready", &ready},
    {"exec", &exec},
    {"many", &many},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return harness_main(argc, argv, scenarios);
}
