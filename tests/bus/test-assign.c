/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-assign: devices that a site does not list, with the answers of a real polkitd.  The hardware
 * is made up; the guests are records of libvirt's test driver. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "tests/bus/people.h"
#include "tests/bus/polkit.h"
#include "tests/machines/machine.h"

#define ADDRESS(address) "{'address': <'" address "'>}"
#define ASKING(hostdevs)                                                                    \
    "{'name': <'guest'>, 'arch': <'x86_64'>, 'memory': <'64 MiB'>, 'request-id': <'one'>, " \
    "'iommu': <{'is-supported': <true>}>, 'hostdevs': <[" hostdevs "]>}"
#define PORT    ADDRESS("0000:02:00.0")
#define DISPLAY ADDRESS("0000:03:00.0")
#define USED    ADDRESS("0000:04:00.0")
#define MISSING ADDRESS("0000:77:00.0")

#define REFUSED   "is not among the devices that this site offers to user 65534"
#define WOULD     "; org.viommu1.assign-device would allow it: "
#define WITHOUT   "an administrator can allow it for a launch (polkit action org.viommu1.assign-device)"
#define NO_POLKIT WOULD "polkit is not running"

static const HostDevice devices[] = {
    {"0000:01:00.0", 0x8086, 0x1572, 0x020000, "vfio-pci", "0000:00:1c.0", "dmar0", 6, 0, NULL},
    {"0000:02:00.0", 0x8086, 0x1573, 0x020000, "i40e", "0000:00:1c.1", "dmar0", 7, 0, NULL},
    {"0000:03:00.0", 0x10de, 0x1f36, 0x030000, NULL, "0000:00:1c.2", "dmar0", 8, 0, NULL},
    {"0000:04:00.0", 0x144d, 0xa808, 0x010802, "nvme", "0000:00:1c.3", "dmar0", 9, 0, NULL},
};

/* The port is down; the disk has the root file system. */
static void use_devices(const Host *host)
{
    static const char disk[] = "sys/devices/pci0000:00/0000:00:1c.3/0000:04:00.0/nvme/nvme0/nvme0n1";
    static const char port[] = "sys/devices/pci0000:00/0000:00:1c.1/0000:02:00.0/net/eth7";
    g_autofree char *state = g_strconcat(port, "/operstate", NULL);
    g_autofree char *numbers = g_strconcat(disk, "/dev", NULL);

    host_add_file(host, numbers, "259:0");
    host_add_link(host, "sys/block/nvme0n1", disk);
    host_add_file(host, state, "down");
    host_add_link(host, "sys/class/net/eth7", port);
    host_add_file(host, "proc/1/mountinfo", "22 1 259:0 / / rw - ext4 /dev/nvme0n1 rw");
    host_add_file(host, "proc/swaps", "Filename");
    host_add_file(host, "proc/1/net/dev", "  eth7: 0");
    host_add_file(host, "proc/1/net/route", "Iface");
}

/* A system's viommud that has read that hardware. */
static Harness *new_site(const char *configuration)
{
    Harness *harness = harness_new(false);
    g_autofree char *root = g_build_filename(harness->directory, "hardware", NULL), *group = people_group(),
                    *config = g_strdup_printf(PEOPLE_UNBOUND
                                              "locked-memory-reserve=0 B\n[daemon]\ngroup=%s\n[devices]\n%s",
                                              group, configuration),
                    *option = g_strconcat("--root=", root, NULL);
    const char *const options[] = {"--system", "--connect=test:///default", option, NULL};
    const Host host = {root};

    host_add_assignable(&host, devices, G_N_ELEMENTS(devices));
    use_devices(&host);
    harness_configure(harness, config);
    harness_start(harness, options);
    people_allow(harness->bus, harness_request(harness->bus, "Plan", "{'arch': <'x86_64'>}"));
    return harness;
}

static sd_bus_message *launch(sd_bus *bus, const char *request)
{
    return harness_request(bus, "Launch", request);
}

static sd_bus_message *launch_interactive(sd_bus *bus, const char *request)
{
    sd_bus_message *call = launch(bus, request);

    ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(call, 1), 0);
    return call;
}

/* Writes each question to "log"; the answer is yes where @rule says so. */
#define LOGGING                                                                                      \
    "if (action.id != 'org.viommu1.assign-device') return polkit.Result.NO;\n"                       \
    "var told = ['machine', 'owner', 'address', 'vendor', 'device', 'driver'].map(function(key) {\n" \
    "    return action.lookup(key); }).join(' ');\n"                                                 \
    "polkit.spawn(['/bin/sh', '-c', 'echo \"$1\" >>\"$2\"/log', 'sh', told, there]);\n"
static const char rule_yes[] = LOGGING "return polkit.Result.YES;";
static const char rule_first[] =
    LOGGING "return action.lookup('address') == '0000:02:00.0' ? polkit.Result.YES : polkit.Result.NO;";
static const char rule_none[] = "return polkit.Result.NOT_HANDLED;";
static const char rule_slow[] = LOGGING "polkit.spawn(['/bin/sh', '-c', 'cd ' + there + '; touch asked; "
                                        "while [ -e asked ] && [ ! -e go ]; do sleep 0.02; done']);\n"
                                        "return polkit.Result.YES;";

static void assert_asked(Harness *harness, const char *lines)
{
    g_autofree char *path = g_build_filename(harness->directory, "polkit", "log", NULL), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        text = g_strdup("");
    ck_assert_str_eq(text, lines);
}

#define TOLD_OF_PORT    "guest 65534 0000:02:00.0 8086 1573 i40e\n"
#define TOLD_OF_DISPLAY "guest 65534 0000:03:00.0 10de 1f36 none\n"
#define TOLD_OF_USED    "guest 65534 0000:04:00.0 144d a808 nvme\n"
#define TOLD_OF_MISSING "guest 65534 0000:77:00.0 unknown unknown none\n"

START_TEST(absent)
{
    g_autoptr(Harness) harness = new_site("");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) outsider = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autoptr(sd_bus_message) outside = NULL;

    people_assert_refused(member, launch(member, ASKING(PORT)), NO_POLKIT);
    /* A device that does not exist is refused with the same message. */
    people_assert_refused(member, launch(member, ASKING(MISSING)),
                          "hostdevs[0].address '0000:77:00.0' " REFUSED);
    people_assert_refused(member, launch(member, ASKING(MISSING)), NO_POLKIT);
    people_assert_refused(member, harness_request(member, "Plan", ASKING(PORT)), WITHOUT);
    outside = people_exchange(outsider, harness_request(outsider, "Plan", ASKING(PORT)));
    people_assert_error(outside, "PolicyRefused", "user 1 may have no device of this host");
    ck_assert_ptr_null(strstr(sd_bus_message_get_error(outside)->message, "assign-device"));
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(yes)
{
    g_autoptr(Harness) harness = new_site("allow=8086:1572\n");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) outsider = harness_connect_as(harness, PEOPLE_OUTSIDER);
    g_autofree char *path = NULL;

    polkit_start(harness, rule_yes);
    people_assert_refused(outsider, launch(outsider, ASKING(PORT)), "may not launch machines");
    /* polkit is not asked about a listed device. */
    people_allow(member, launch(member, ASKING(ADDRESS("0000:01:00.0") ", " DISPLAY ", " PORT)));
    assert_asked(harness, TOLD_OF_DISPLAY TOLD_OF_PORT);
    path = harness_find(harness, "guest");
    harness_assert_property(harness, path, "Hostdevs", "['0000:01:00.0', '0000:03:00.0', '0000:02:00.0']");
    harness_assert_property(harness, path, "State", "'running'");
    /* polkit is not asked again about the same launch. */
    people_allow(member, launch(member, ASKING(ADDRESS("0000:01:00.0") ", " DISPLAY ", " PORT)));
    assert_asked(harness, TOLD_OF_DISPLAY TOLD_OF_PORT);
    ck_assert_uint_eq(harness_count(harness), 1);
    /* The permission was for that launch. */
    people_assert_refused(member, harness_request(member, "Plan", ASKING(PORT)), WITHOUT);
    polkit_end();
}
END_TEST

START_TEST(no)
{
    g_autoptr(Harness) harness = new_site("");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    polkit_start(harness, rule_first);
    /* After a refusal polkit is asked nothing more, and the whole launch is refused. */
    people_assert_refused(member, launch(member, ASKING(PORT ", " DISPLAY ", " USED)),
                          "hostdevs[1].address '0000:03:00.0' " REFUSED);
    assert_asked(harness, TOLD_OF_PORT TOLD_OF_DISPLAY);
    people_assert_refused(member, launch(member, ASKING(MISSING)), WOULD "polkit denied it");
    ck_assert_uint_eq(harness_count(harness), 0);
    /* Devices requested by kind cannot be granted. */
    people_assert_refused(member, launch(member, ASKING("{'vendor': <'8086'>, 'device': <'1573'>}")),
                          "hostdevs[0] of kind '8086:1573' " REFUSED);
    assert_asked(harness, TOLD_OF_PORT TOLD_OF_DISPLAY TOLD_OF_MISSING);
    polkit_end();
}
END_TEST

START_TEST(password)
{
    g_autoptr(Harness) harness = new_site("allow=8086:1573\n");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    /* As installed: auth_admin. */
    polkit_start(harness, rule_none);
    people_assert_refused(member, launch(member, ASKING(DISPLAY)),
                          WOULD
                          "polkit needs a password, and the call does not allow interactive authorization");
    people_assert_refused(member, launch_interactive(member, ASKING(DISPLAY)),
                          WOULD "polkit needs a password, and no authentication agent");
    /* The device is listed, but has a driver. */
    people_assert_refused(
        member, launch(member, ASKING(PORT)),
        "users other than root may not take it from that driver ([devices] take-from-driver=no in "
        "viommud.conf(5)); have root bind it to vfio-pci" WOULD "polkit needs a password");
    polkit_end();
}
END_TEST

/* An administrator cannot grant a device in use, one that does not exist, or one with a host
 * driver. */
START_TEST(in_use)
{
    g_autoptr(Harness) harness = new_site("");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) missing = NULL;

    polkit_start(harness, rule_yes);
    people_assert_refused(member, launch(member, ASKING(USED)),
                          "'0000:04:00.0' (nvme) is in use by the host itself: nvme0n1 is mounted at /");
    missing = people_exchange(member, launch(member, ASKING(MISSING)));
    people_assert_error(missing, "NotSupported", "this host has no such PCI device");
    ck_assert_ptr_null(strstr(sd_bus_message_get_error(missing)->message, "0000:0"));
    people_assert_refused(member, launch(member, ASKING("{'address': <'0000:03:00.0'>, 'driver': <'kvm'>}")),
                          "is not a VFIO driver");
    assert_asked(harness, TOLD_OF_USED TOLD_OF_MISSING TOLD_OF_DISPLAY);
    ck_assert_uint_eq(harness_count(harness), 0);
    polkit_end();
}
END_TEST

/* The site's names are for the users that it lists; other users may be granted the named
 * devices. */
START_TEST(names)
{
    g_autoptr(Harness) harness = new_site(
        "allow=gpus;nics\n[device gpus]\nmatch=10de:1f36\ngroup=daemon\n[device nics]\nmatch=8086:1572\n");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    polkit_start(harness, rule_yes);
    people_allow(member, launch(member, ASKING(ADDRESS("0000:01:00.0") ", " DISPLAY)));
    assert_asked(harness, TOLD_OF_DISPLAY);
    polkit_end();
}
END_TEST

/* A grant is for the device that polkit was asked about, with that driver. */
START_TEST(changed)
{
    g_autoptr(Harness) harness = new_site("");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autofree char *driver =
        g_build_filename(harness->directory, "hardware/sys/bus/pci/devices/0000:02:00.0/driver", NULL);
    g_autoptr(sd_bus_message) answer = NULL;
    HarnessPending pending;

    polkit_start(harness, rule_slow);
    harness_send(member, launch(member, ASKING(PORT)), &pending);
    ck_assert_int_ge(sd_bus_flush(member), 0);
    polkit_wait(harness, "asked");
    ck_assert_uint_eq(harness_count(harness), 0);
    ck_assert_int_eq(unlink(driver), 0);
    ck_assert_int_eq(symlink("../../../../bus/pci/drivers/nvme", driver), 0);
    polkit_touch(harness, "go");
    answer = harness_answer(&pending);
    people_assert_error(answer, "PolicyRefused", "hostdevs[0].address '0000:02:00.0'");
    ck_assert_uint_eq(harness_count(harness), 0);
    polkit_end();
}
END_TEST

/* As many questions as about other users' machines; a pending launch is done even if its caller has
 * left. */
START_TEST(flood)
{
    g_autoptr(Harness) harness = new_site("");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    sd_bus *leaves = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) refused = NULL;
    HarnessPending pending[31], left;

    polkit_start(harness, rule_slow);
    harness_send(leaves, launch(leaves, ASKING(PORT)), &left);
    ck_assert_int_ge(sd_bus_flush(leaves), 0);
    polkit_wait(harness, "asked");
    sd_bus_flush_close_unref(leaves);
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(member, launch(member, ASKING(PORT)), &pending[i]);
    refused = people_exchange(member, launch(member, ASKING(PORT)));
    people_assert_error(refused, "Busy", "polkit already has 32 pending questions about user 65534");
    polkit_touch(harness, "go");
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);

        ck_assert(!sd_bus_message_is_method_error(answer, NULL));
    }
    ck_assert_uint_eq(harness_count(harness), 1);
    polkit_untouch(harness);

    /* The daemon ends with a question open. */
    harness_send(member, launch(member, "{'arch': <'x86_64'>, 'hostdevs': <[" DISPLAY "]>}"), &left);
    ck_assert_int_ge(sd_bus_flush(member), 0);
    polkit_wait(harness, "asked");
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    polkit_touch(harness, "go");
    polkit_end();
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"assign-absent", &absent},     {"assign-yes", &yes},       {"assign-no", &no},
    {"assign-password", &password}, {"assign-in-use", &in_use}, {"assign-names", &names},
    {"assign-changed", &changed},   {"assign-flood", &flood},   {NULL, NULL},
};

int main(int argc, char **argv)
{
    bool without = g_strcmp0(argv[1], "assign-absent") == 0;

    return people_main(argc, argv, scenarios, without ? NULL : polkit_obstacle());
}
