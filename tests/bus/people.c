/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* people: calls by several users.  Knows no scenario. */
#include "tests/bus/people.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

char *people_group(void)
{
    const struct passwd *user = getpwuid(PEOPLE_MEMBER);
    const struct group *group = user ? getgrgid(user->pw_gid) : NULL;

    return group ? g_strdup(group->gr_name) : NULL;
}

Harness *people_new_system(void)
{
    return people_new_configured("");
}

Harness *people_new_configured(const char *configuration)
{
    Harness *harness = harness_new(false);
    g_autofree char *console = g_strdup_printf("--console-directory=%s/console", harness->directory);
    const char *const options[] = {"--system", "--connect=test:///default", console, NULL};
    g_autofree char *group = people_group(),
                    *config = g_strdup_printf(PEOPLE_UNBOUND "[daemon]\ngroup=%s\n%s", group, configuration);

    harness_configure(harness, config);
    harness_start(harness, options);
    return harness;
}

/* --- Calls by users --- */

sd_bus_message *people_exchange(sd_bus *bus, sd_bus_message *call)
{
    HarnessPending pending;

    harness_send(bus, call, &pending);
    return harness_answer(&pending);
}

sd_bus_message *people_assert_allowed(sd_bus *bus, sd_bus_message *call)
{
    g_autofree char *member = g_strdup(sd_bus_message_get_member(call));
    sd_bus_message *answer = people_exchange(bus, call);
    const sd_bus_error *error = sd_bus_message_get_error(answer);

    ck_assert_msg(!error, "%s: %s: %s", member, error ? error->name : "", error ? error->message : "");
    return answer;
}

void people_assert_error(sd_bus_message *answer, const char *name, const char *words)
{
    const sd_bus_error *error = sd_bus_message_get_error(answer);
    g_autofree char *full = g_strconcat(VIOMMU_ERROR_PREFIX, name, NULL);

    ck_assert_msg(error, "it was allowed, instead of %s: %s", name, words);
    ck_assert_msg(g_str_equal(error->name, full) && strstr(error->message, words),
                  "%s: %s, instead of %s: %s", error->name, error->message, full, words);
}

void people_assert_refused(sd_bus *bus, sd_bus_message *call, const char *words)
{
    g_autoptr(sd_bus_message) answer = people_exchange(bus, call);

    people_assert_error(answer, "PolicyRefused", words);
}

void people_allow(sd_bus *bus, sd_bus_message *call)
{
    sd_bus_message_unref(people_assert_allowed(bus, call));
}

char *people_launch(sd_bus *bus, const char *name)
{
    g_autofree char *request = g_strdup_printf("{'name': <'%s'>, 'arch': <'x86_64'>, 'request-id': "
                                               "<'secret-%s'>, 'iommu': <{'is-supported': <true>}>}",
                                               name, name);
    g_autoptr(sd_bus_message) answer = people_assert_allowed(bus, harness_request(bus, "Launch", request));
    const char *path;

    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    return g_strdup(path);
}

sd_bus_message *people_on_machine(sd_bus *bus, const char *path, const char *member)
{
    return harness_method(bus, path, VIOMMU_IFACE_MACHINE, member);
}

sd_bus_message *people_get(sd_bus *bus, const char *path, const char *property)
{
    sd_bus_message *call = harness_method(bus, path, PEOPLE_PROPERTIES, "Get");

    ck_assert_int_ge(sd_bus_message_append(call, "ss", VIOMMU_IFACE_MACHINE, property), 0);
    return call;
}

sd_bus_message *people_get_all(sd_bus *bus, const char *path)
{
    sd_bus_message *call = harness_method(bus, path, PEOPLE_PROPERTIES, "GetAll");

    ck_assert_int_ge(sd_bus_message_append(call, "s", VIOMMU_IFACE_MACHINE), 0);
    return call;
}

int people_main(int argc, char **argv, const HarnessScenario *scenarios, const char *obstacle)
{
    g_autofree char *group = people_group();

    if (geteuid() != 0)
        obstacle = "only root can connect as several users";
    else if (!group)
        obstacle = "user 65534 has no group here";
    if (!obstacle)
        return harness_main(argc, argv, scenarios);
    printf("SKIP: %s\n", obstacle);
    return 77;
}
