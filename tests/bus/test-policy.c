/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-policy: on a system's bus the site decides about devices and networks, for each user and
 * host. */
#include <stdio.h>
#include <string.h>
#include "tests/bus/people.h"
#include "tests/machines/machine.h"

#define ASKING(rest)  "{'arch': <'x86_64'>, 'memory': <'64 MiB'>, " rest "}"
#define HOSTDEV(keys) ASKING("'hostdevs': <[{" keys "}]>")
#define NETWORK(keys) ASKING("'networks': <[{" keys "}]>")
#define BY_ADDRESS    HOSTDEV("'address': <'0000:01:00.0'>")
#define BY_KIND       HOSTDEV("'vendor': <'8086'>, 'device': <'1572'>")
#define BRIDGE        NETWORK("'type': <'bridge'>, 'source': <'br0'>")
#define NAMED         NETWORK("'type': <'network'>, 'source': <'default'>")

/* The test driver's host is this machine, or an invisible one: the refusal is the same, and reveals
 * nothing of it. */
static void assert_nothing_told(sd_bus *bus, const char *member, const char *request, const char *words)
{
    g_autoptr(sd_bus_message) answer = people_exchange(bus, harness_request(bus, member, request));
    static const char *const told[] = {"(network", "(display",    "(memory",     "no such",
                                       "IOMMU",    "its devices", "you may have"};

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
                                "networks[0].source 'br0' is not among the bridges");
            assert_nothing_told(callers[i], members[j], NAMED, "networks[0]");
        }
    people_allow(outsider, harness_request(outsider, "Plan", NETWORK("'type': <'user'>")));
    people_allow(member, harness_request(member, "Launch", NETWORK("'type': <'user'>")));
    ck_assert_uint_eq(harness_count(harness), 1);
}
END_TEST

/* Root is told what the host lacks; root may use any network. */
START_TEST(root_may)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autoptr(HarnessError) error = harness_refused(harness, "Plan", HOSTDEV("'address': <'ffff:ff:1f.7'>"));

    harness_assert_error(error, "NotSupported", "");
    people_allow(harness->bus, harness_request(harness->bus, "Plan", BRIDGE));
}
END_TEST

/* --- What the site lists --- */

static const HostDevice devices[] = {
    {"0000:01:00.0", 0x8086, 0x1572, 0x020000, "vfio-pci", "0000:00:1c.0", "dmar0", 6, 0, NULL},
    {"0000:02:00.0", 0x8086, 0x1572, 0x020000, "i40e", "0000:00:1c.1", "dmar0", 7, 0, NULL},
    {"0000:03:00.0", 0x10de, 0x1f36, 0x030000, NULL, "0000:00:1c.2", "dmar0", 8, 0, NULL},
    {"0000:04:00.0", 0x10de, 0x1f36, 0x030000, NULL, "0000:00:1c.3", "dmar0", 9, 0, NULL},
    {"0000:05:00.0", 0x144d, 0xa808, 0x010802, NULL, "0000:00:1c.4", "dmar0", 10, 0, NULL},
    {"0000:06:00.0", 0x8086, 0x1572, 0x020000, NULL, "0000:00:1c.5", "dmar0", 11, 0, NULL},
    {"0000:06:00.1", 0x144d, 0xa808, 0x010802, "nvme", "0000:00:1c.5", "dmar0", 11, 0, NULL},
};

/* A system's viommud on that hardware, with further configuration. */
static Harness *new_site(const char *configuration)
{
    Harness *harness = harness_new(false);
    g_autofree char *root = g_build_filename(harness->directory, "hardware", NULL), *group = people_group(),
                    *config = g_strdup_printf("[daemon]\ngroup=%s\n[limits]\nlocked-memory-reserve=0 B\n%s",
                                              group, configuration),
                    *option = g_strconcat("--root=", root, NULL);
    const char *const options[] = {"--system", "--connect=test:///default", option, NULL};
    const Host host = {root};

    host_add_assignable(&host, devices, G_N_ELEMENTS(devices));
    harness_configure(harness, config);
    harness_start(harness, options);
    return harness;
}

static void assert_message_without(sd_bus *bus, const char *request, const char *words, const char *without)
{
    g_autoptr(sd_bus_message) answer = people_exchange(bus, harness_request(bus, "Launch", request));
    const char *message;

    people_assert_error(answer, "PolicyRefused", words);
    message = sd_bus_message_get_error(answer)->message;
    ck_assert_msg(!without || !strstr(message, without), "%s", message);
}

#define AT(address) HOSTDEV("'address': <'" address "'>")

START_TEST(allowed)
{
    g_autoptr(Harness) harness = new_site("[devices]\nallow=8086:1572\n");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) outsider = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autoptr(sd_bus_message) group = NULL;

    people_allow(member, harness_request(member, "Launch", AT("0000:01:00.0")));
    assert_message_without(member, AT("0000:05:00.0"),
                           "user 65534 may have 0000:01:00.0 (network, driver vfio-pci), 0000:02:00.0",
                           "05:00.0 (");
    assert_message_without(member, AT("0000:77:00.0"),
                           "is not among the devices that this site offers to user 65534", "no such");
    assert_message_without(member, HOSTDEV("'vendor': <'10de'>, 'device': <'1f36'>"),
                           "hostdevs[0] of kind '10de:1f36'", "0000:03");
    assert_message_without(member, AT("0000:02:00.0"),
                           "is bound to the host's driver 'i40e', and users other than root may not take it",
                           NULL);
    /* A user who may not launch may have nothing. */
    people_assert_refused(outsider, harness_request(outsider, "Plan", AT("0000:01:00.0")),
                          "user 1 may have no device of this host");
    /* A neighbour that is not for the user is not named. */
    group = people_exchange(member, harness_request(member, "Plan", AT("0000:06:00.0")));
    people_assert_error(group, "NotSupported", "shares IOMMU group 11 with a device that the host uses");
    ck_assert_ptr_null(strstr(sd_bus_message_get_error(group)->message, "nvme"));
    people_allow(harness->bus, harness_request(harness->bus, "Plan", AT("0000:05:00.0")));
}
END_TEST

#define NAMED_GPUS(count) HOSTDEV("'name': <'gpus'>, 'count': <uint32 " count ">")

START_TEST(names)
{
    static const char site[] = "[devices]\nallow=gpus;disks;10de:1f36\n"
                               "[device gpus]\nmatch=10de:1f36\nper-user=1\n"
                               "[device disks]\nmatch=144d:a808\ngroup=daemon\n";
    g_autoptr(Harness) harness = new_site(site);
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) second = NULL;

    people_assert_refused(member, harness_request(member, "Launch", NAMED_GPUS("2")),
                          "each user may have 1 ([device gpus] per-user in viommud.conf(5)); request fewer");
    people_allow(member, harness_request(member, "Launch", NAMED_GPUS("1")));
    /* However it is requested. */
    second = people_exchange(member, harness_request(member, "Launch", AT("0000:04:00.0")));
    people_assert_error(second, "Busy", "machines of user 65534 have 1; each user may have 1");
    assert_message_without(
        member, HOSTDEV("'name': <'disks'>"),
        "hostdevs[0].name 'disks' is not among the devices that this site offers to user 65534", "05:00.0");
    assert_message_without(member, AT("0000:05:00.0"), "also by the names gpus", "05:00.0 (");
    assert_message_without(member, HOSTDEV("'name': <'nothing'>"), "hostdevs[0].name 'nothing' is not among",
                           NULL);
    /* Root is not counted. */
    people_allow(harness->bus, harness_request(harness->bus, "Plan", NAMED_GPUS("2")));
}
END_TEST

START_TEST(drivers)
{
    static const char words[] = "is not a VFIO driver, and libvirt would load it as root";
    g_autoptr(Harness) harness = new_site("[devices]\nallow=8086:1572\ndrivers=auto;our_driver\n");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    static const char *const bad[] = {"e1000e", "kvm", "vfio", "nvme"};
    static const char *const good[] = {"mlx5_vfio_pci", "vfio-pci", "our_driver"};

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *request =
            g_strdup_printf(HOSTDEV("'address': <'0000:01:00.0'>, 'driver': <'%s'>"), bad[i]);

        people_assert_refused(member, harness_request(member, "Launch", request), words);
        people_assert_refused(harness->bus, harness_request(harness->bus, "Plan", request), words);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *request =
            g_strdup_printf(HOSTDEV("'address': <'0000:01:00.0'>, 'driver': <'%s'>"), good[i]);
        g_autoptr(sd_bus_message) answer = people_exchange(member, harness_request(member, "Plan", request));

        /* libvirt may be too old for it. */
        if (sd_bus_message_get_error(answer))
            people_assert_error(answer, "NotSupported", "needs libvirt 10.0");
    }
}
END_TEST

START_TEST(networks)
{
    g_autoptr(Harness) harness =
        new_site("[networks]\nuser=no\nnetworks=default;ghost;other!\nbridges=br0\n");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) outsider = harness_connect_as(harness, PEOPLE_OUTSIDER);

    /* The test driver's network forwards by NAT. */
    people_allow(member, harness_request(member, "Launch", NAMED));
    people_allow(member, harness_request(member, "Plan", BRIDGE));
    people_allow(member,
                 harness_request(member, "Plan", NETWORK("'type': <'network'>, 'source': <'other'>")));
    people_assert_refused(
        member, harness_request(member, "Plan", NETWORK("'type': <'network'>, 'source': <'ghost'>")),
        "libvirt does not report the forward mode");
    people_assert_refused(
        member, harness_request(member, "Plan", NETWORK("'type': <'network'>, 'source': <'other!'>")),
        "networks[0].source 'other!' is not among the libvirt networks");
    people_assert_refused(member,
                          harness_request(member, "Plan", NETWORK("'type': <'bridge'>, 'source': <'br1'>")),
                          "[networks] bridges in viommud.conf(5)");
    people_assert_refused(member, harness_request(member, "Launch", NETWORK("'type': <'user'>")),
                          "[networks] user=no");
    people_assert_refused(outsider, harness_request(outsider, "Plan", NAMED), "networks[0]");
    people_allow(harness->bus, harness_request(harness->bus, "Plan", NETWORK("'type': <'user'>")));
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"policy-nothing-by-default", &nothing_by_default},
    {"policy-root-may", &root_may},
    {"policy-allowed", &allowed},
    {"policy-names", &names},
    {"policy-drivers", &drivers},
    {"policy-networks", &networks},
    {NULL, NULL},
};

int main(int argc, char **argv)
{

    return people_main(argc, argv, scenarios, NULL);
}
