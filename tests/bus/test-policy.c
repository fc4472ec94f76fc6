/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-policy: devices and networks on a system's bus are the site's, whoever asks and whatever the host has. */
#include <stdio.h>
#include <string.h>
#include "tests/bus/people.h"

#define ASKING(rest)  "{'arch': <'x86_64'>, 'memory': <'64 MiB'>, " rest "}"
#define HOSTDEV(keys) ASKING("'hostdevs': <[{" keys "}]>")
#define NETWORK(keys) ASKING("'networks': <[{" keys "}]>")
#define BY_ADDRESS    HOSTDEV("'address': <'0000:01:00.0'>")
#define BY_KIND       HOSTDEV("'vendor': <'8086'>, 'device': <'1572'>")
#define BRIDGE        NETWORK("'type': <'bridge'>, 'source': <'br0'>")
#define NAMED         NETWORK("'type': <'network'>, 'source': <'default'>")

/* The test driver's host is this machine, or none that can be seen: the refusal is the same, and tells nothing of it. */
static void assert_nothing_told(sd_bus *bus, const char *member, const char *request, const char *words)
{
    g_autoptr(sd_bus_message) answer = people_exchange(bus, harness_request(bus, member, request));
    static const char *const told[] = {"(network", "(display", "driver ", "no such", "IOMMU", "it has"};

    people_assert_error(answer, "PolicyRefused", words);
    for (size_t i = 0; i < G_N_ELEMENTS(told); i++)
        ck_assert_msg(!strstr(sd_bus_message_get_error(answer)->message, told[i]), "%s",
                      sd_bus_message_get_error(answer)->message);
}

START_TEST(nothing_by_default)
{
    static const char *const members[] = {"Launch", "Plan", "Check"};
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) outsider = harness_connect_as(harness, PEOPLE_OUTSIDER);
    sd_bus *callers[] = {member, outsider};

    for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
        /* An outsider may not launch at all. */
        for (size_t j = i; j < G_N_ELEMENTS(members); j++) {
            assert_nothing_told(callers[i], members[j], BY_ADDRESS, "hostdevs");
            assert_nothing_told(callers[i], members[j], BY_KIND, "hostdevs");
            assert_nothing_told(callers[i], members[j], BRIDGE,
                                "networks[0] of type 'bridge' with source 'br0'");
            assert_nothing_told(callers[i], members[j], NAMED, "networks[0]");
        }
    people_allow(outsider, harness_request(outsider, "Plan", NETWORK("'type': <'user'>")));
    people_allow(member, harness_request(member, "Launch", NETWORK("'type': <'user'>")));
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

/* Root is told what the host lacks; networks are root's to choose. */
START_TEST(root_may)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(HarnessError) error = harness_refused(harness, "Plan", HOSTDEV("'address': <'ffff:ff:1f.7'>"));

    harness_assert_error(error, "NotSupported", "");
    people_allow(harness->bus, harness_request(harness->bus, "Plan", BRIDGE));
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"policy-nothing-by-default", &nothing_by_default},
    {"policy-root-may", &root_may},
    {NULL},
};

int main(int argc, char **argv)
{

    return people_main(argc, argv, scenarios, NULL);
}
