/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-auth: which user may do and see what on a system's bus, without polkit. */
#include <stdio.h>
#include <string.h>
#include "daemon/bus/variant.h"
#include "tests/bus/people.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* The value in a reply.  Owned. */
static GVariant *read_value(sd_bus_message *answer)
{
    g_autoptr(GError) error = NULL;
    GVariant *value = NULL;

    ck_assert_msg(viommu_bus_variant_read(answer, &value, &error), "%s", error ? error->message : "");
    return value;
}

/* --- The group --- */

START_TEST(members_own)
{
    static const char *const members[] = {"GetDomainXML", "Reset", "Kill"};
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *path = people_launch(member, "mine");
    g_autofree char *owner = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "Owner");

    ck_assert_str_eq(owner, "uint32 65534");
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        people_allow(member, people_on_machine(member, path, members[i]));
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

static sd_bus_message *attach_nothing(sd_bus *bus, const char *path)
{
    sd_bus_message *call = people_on_machine(bus, path, "AttachDevice");

    ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
    return call;
}

/* QEMU has the owner's rights, so nobody else gives it a file or a device. */
START_TEST(owners_attach)
{
    static const char words[] = "only its owner may attach a device";
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) other = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autofree char *path = people_launch(member, "mine"), *roots = people_launch(harness->bus, "roots");
    g_autoptr(sd_bus_message) answer = people_exchange(member, attach_nothing(member, path));

    people_assert_error(answer, "InvalidRequest", "one device can be attached at a time");
    people_assert_refused(harness->bus, attach_nothing(harness->bus, path), words);
    people_assert_refused(other, attach_nothing(other, path), words);
    people_assert_refused(member, attach_nothing(member, roots), words);
}
END_TEST

START_TEST(outsider)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) other = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autofree char *path = people_launch(member, "theirs"), *group = people_group();
    g_autofree char *words =
        g_strdup_printf("user 1 may not launch machines, because the user is not in group '%s'", group);

    people_assert_refused(other, harness_request(other, "Launch", "{'arch': <'x86_64'>}"), words);
    people_assert_refused(other, people_on_machine(other, path, "Kill"), "polkit");
    people_allow(other, harness_request(other, "Plan", "{'arch': <'x86_64'>}"));
    ck_assert_uint_eq(harness_count(harness), 1);
    /* Root needs neither group nor polkit. */
    harness_stop(harness, path, -1);
}
END_TEST

START_TEST(not_in_the_table)
{
    static const char words[] = "there is no method";
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *path = people_launch(member, "mine");
    sd_bus *callers[] = {harness->bus, member};

    for (size_t i = 0; i < G_N_ELEMENTS(callers); i++) {
        people_assert_refused(callers[i], people_on_machine(callers[i], path, "Dance"), words);
        people_assert_refused(
            callers[i], harness_method(callers[i], VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Reload"), words);
        /* A member of another interface. */
        people_assert_refused(callers[i], harness_method(callers[i], path, VIOMMU_IFACE_MANAGER, "Kill"),
                              words);
        people_assert_refused(callers[i], harness_method(callers[i], path, NULL, "Kill"), words);
    }
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

/* --- The daemon itself --- */

static sd_bus_message *set_property(sd_bus *bus, const char *path, const char *interface, const char *name,
                                    const char *value)
{
    sd_bus_message *call = harness_method(bus, path, PEOPLE_PROPERTIES, "Set");

    ck_assert_int_ge(sd_bus_message_append(call, "ssv", interface, name, "s", value), 0);
    return call;
}

static void assert_log_control(Harness *harness, const char *name, const char *value)
{
    g_autofree char *found = harness_property(harness, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, name);

    ck_assert_str_eq(found, value);
}

static void assert_not_set(sd_bus *bus, sd_bus_message *call, const char *error_name)
{
    g_autoptr(sd_bus_message) answer = people_exchange(bus, call);

    ck_assert(sd_bus_message_is_method_error(answer, error_name));
}

START_TEST(settings)
{
    static const char words[] = "may not change viommud's settings; only root may";
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *path = people_launch(member, "mine");
    sd_bus *root = harness->bus;

    assert_log_control(harness, "SyslogIdentifier", "'viommud'");
    assert_log_control(harness, "LogTarget", "'console'");
    assert_log_control(harness, "LogLevel", "'info'");
    people_assert_refused(
        member, set_property(member, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, "LogLevel", "debug"), words);
    people_assert_refused(member, set_property(member, path, VIOMMU_IFACE_MACHINE, "Name", "x"), words);
    assert_log_control(harness, "LogLevel", "'info'");
    people_allow(root, set_property(root, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, "LogLevel", "warning"));
    assert_log_control(harness, "LogLevel", "'warning'");
    assert_not_set(root, set_property(root, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, "LogLevel", "loud"),
                   SD_BUS_ERROR_INVALID_ARGS);
    assert_not_set(root, set_property(root, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, "LogTarget", "printer"),
                   SD_BUS_ERROR_INVALID_ARGS);
    people_allow(root, set_property(root, VIOMMU_LOG_PATH, VIOMMU_IFACE_LOG, "LogTarget", "console"));
    assert_not_set(root, set_property(root, path, VIOMMU_IFACE_MACHINE, "Name", "x"),
                   SD_BUS_ERROR_PROPERTY_READ_ONLY);
}
END_TEST

/* --- What other users see --- */

/* The list has "theirs" without its model, and "mine" with its own. */
static void assert_list(sd_bus *bus)
{
    g_autoptr(sd_bus_message) answer = people_assert_allowed(
        bus, harness_method(bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines"));
    const char *name, *state, *model, *path;
    unsigned n = 0;

    ck_assert_int_gt(sd_bus_message_enter_container(answer, 'a', "(ssso)"), 0);
    for (; sd_bus_message_read(answer, "(ssso)", &name, &state, &model, &path) > 0; n++) {
        ck_assert_str_eq(state, "running");
        ck_assert_str_eq(model, g_str_equal(name, "mine") ? "intel" : "");
    }
    ck_assert_uint_eq(n, 2);
}

static GVariant *managed_object(sd_bus *bus, const char *path)
{
    g_autoptr(sd_bus_message) answer =
        people_assert_allowed(bus, harness_method(bus, VIOMMU_BUS_PATH, OBJECT_MANAGER, "GetManagedObjects"));
    g_autoptr(GVariant) objects = read_value(answer);
    g_autoptr(GVariant) interfaces = g_variant_lookup_value(objects, path, G_VARIANT_TYPE("a{sa{sv}}"));

    ck_assert_ptr_nonnull(interfaces);
    ck_assert_uint_eq(g_variant_n_children(interfaces), 1);
    return g_variant_lookup_value(interfaces, VIOMMU_IFACE_MACHINE, G_VARIANT_TYPE_VARDICT);
}

static void assert_open(GVariant *properties)
{
    g_autofree char *text = g_variant_print(properties, FALSE);

    ck_assert_str_eq(text, "{'Name': <'theirs'>, 'State': <'running'>, 'Result': <'none'>}");
}

/* Each property alone: the three open ones, and no other. */
static void assert_each(sd_bus *bus, const char *path, GVariant *all)
{
    static const char *const open[] = {"Name", "State", "Result", NULL};
    GVariantIter iter;
    const char *name;

    g_variant_iter_init(&iter, all);
    while (g_variant_iter_next(&iter, "{&sv}", &name, NULL)) {
        if (g_strv_contains(open, name))
            people_allow(bus, people_get(bus, path, name));
        else
            people_assert_refused(bus, people_get(bus, path, name),
                                  "only its Name, State and Result can be read");
    }
}

START_TEST(seen_by_others)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *mine = people_launch(member, "mine"), *theirs = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus_message) answer = people_assert_allowed(member, people_get_all(member, mine));
    g_autoptr(GVariant) all = read_value(answer), own = managed_object(member, mine);
    g_autoptr(GVariant) foreign = managed_object(member, theirs), roots = managed_object(harness->bus, mine);

    assert_list(member);
    /* The owner sees everything, both ways; root does, too. */
    ck_assert_uint_gt(g_variant_n_children(all), 10);
    ck_assert(g_variant_equal(own, all));
    ck_assert(g_variant_equal(roots, all));
    assert_open(foreign);
    assert_each(member, theirs, all);
    people_assert_refused(member, people_get_all(member, theirs),
                          "only its Name, State and Result can be read");
    people_assert_refused(member, people_on_machine(member, theirs, "GetDomainXML"), "polkit");
}
END_TEST

/* A signal as text, so that nothing can hide in it.  Owned. */
static char *print_signal(sd_bus_message *signal)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    ck_assert_int_ge(sd_bus_message_dump(signal, file, SD_BUS_MESSAGE_DUMP_SUBTREE_ONLY), 0);
    fclose(file);
    return text;
}

/* Each value in these signals is a name, a state or a result. */
static void assert_no_secrets(GPtrArray *signals, unsigned *ret_added, unsigned *ret_changed)
{
    static const char *const secrets[] = {"secret", "intel", "UINT", "Created", "q35"};

    *ret_added = *ret_changed = 0;
    for (guint i = 0; i < signals->len; i++) {
        g_autofree char *text = print_signal(signals->pdata[i]);
        for (size_t j = 0; j < G_N_ELEMENTS(secrets); j++)
            ck_assert_msg(!strstr(text, secrets[j]), "'%s' is in: %s", secrets[j], text);
        *ret_added += sd_bus_message_is_signal(signals->pdata[i], OBJECT_MANAGER, "InterfacesAdded") > 0 &&
                      strstr(text, "\"theirs\"") && strstr(text, "\"State\"");
        *ret_changed +=
            sd_bus_message_is_signal(signals->pdata[i], PEOPLE_PROPERTIES, "PropertiesChanged") > 0 &&
            strstr(text, "\"State\"");
    }
}

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    g_ptr_array_add(userdata, sd_bus_message_ref(signal));
    return 0;
}

static void free_signal(void *signal)
{
    sd_bus_message_unref(signal);
}

START_TEST(told_to_others)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) other = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autoptr(GPtrArray) signals = g_ptr_array_new_with_free_func(free_signal);
    g_autofree char *path = NULL;
    unsigned added, changed;

    ck_assert_int_ge(sd_bus_match_signal(other, NULL, VIOMMU_BUS_NAME, NULL, NULL, NULL, on_signal, signals),
                     0);
    path = people_launch(harness->bus, "theirs");
    harness_stop(harness, path, 0);
    /* The reply to this call comes after all signals. */
    people_allow(other, harness_method(other, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines"));
    assert_no_secrets(signals, &added, &changed);
    ck_assert_uint_eq(added, 1);
    ck_assert_uint_ge(changed, 2);
}
END_TEST

/* The usage of the machines of @bus, by their names. */
static void assert_usage(sd_bus *bus, const char *expected)
{
    g_autoptr(sd_bus_message) reply =
        people_exchange(bus, harness_method(bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetUsage"));
    g_autoptr(GString) names = g_string_new(NULL);
    uint64_t cpu_nsec, memory_bytes, asked_usec;
    const char *name;

    ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(sttt)"), 0);
    while (sd_bus_message_read(reply, "(sttt)", &name, &cpu_nsec, &memory_bytes, &asked_usec) > 0) {
        g_string_append_printf(names, "%s ", name);
        /* libvirt's test driver counts CPU time, and knows no memory. */
        ck_assert(cpu_nsec > 0 && cpu_nsec < UINT64_MAX && memory_bytes == UINT64_MAX && asked_usec > 0);
    }
    ck_assert_str_eq(names->str, expected);
}

START_TEST(usage)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) other = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autofree char *theirs = people_launch(harness->bus, "theirs"), *mine = people_launch(member, "mine");

    assert_usage(member, "mine ");
    assert_usage(other, "");
    assert_usage(harness->bus, "mine theirs ");
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"members-own", &members_own},
    {"outsider", &outsider},
    {"not-in-the-table", &not_in_the_table},
    {"settings", &settings},
    {"seen-by-others", &seen_by_others},
    {"told-to-others", &told_to_others},
    {"usage", &usage},
    {"owners-attach", &owners_attach},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
