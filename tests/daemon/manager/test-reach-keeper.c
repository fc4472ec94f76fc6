/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-reach-keeper: ports, addresses and the context of vsock of guests that are launched, and of
 * those that are found running. */
#include "tests/daemon/fixture.h"

#include <string.h>

#define UUID "5b0a2f5e-0000-4000-8000-000000000001"
#define PORTS                                                                                              \
    "{'name': <'one'>, 'arch': <'x86_64'>, 'networks': <[<{'type': <'user'>, 'forward': <[<22>, <80>]>}>," \
    " <{'type': <'user'>, 'forward': <[<443>]>}>]>}"
#define NAT \
    "{'name': <'one'>, 'arch': <'x86_64'>, 'networks': <[<{'type': <'network'>, 'source': <'default'>}>]>}"

static void assert_ports(const ViommuMachine *machine, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const GArray *forwards = machine->reach.forwards;

    for (guint i = 0; forwards && i < forwards->len; i++) {
        const ViommuForward *forward = &g_array_index(forwards, ViommuForward, i);

        g_string_append_printf(text, "%u:%u=%u ", forward->network, forward->guest_port, forward->host_port);
    }
    ck_assert_str_eq(text->str, expected);
}

/* The answer to Launch has them, and libvirt is not asked once more. */
START_TEST(ports_of_a_launched_guest)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, PORTS);
    assert_ports(machine, "0:22=40022 0:80=40080 1:443=40443 ");
    fixture_settle(&fixture);
    ck_assert_uint_eq(fake_calls(FAKE_READ_FORWARDS), 0);
    /* Whoever connects to them now reaches another's. */
    fake_end(machine->uuid, VIOMMU_NEWS_SHUTDOWN, NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    assert_ports(machine, "");
}
END_TEST

/* A viommud that was started anew; libvirt has no answer at first. */
START_TEST(ports_of_a_guest_that_is_found)
{
    static const ViommuForward port = {0, 22, 51234};
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    FakeDomain *domain;

    fixture_begin(&fixture);
    domain = fake_add("viommu-one", UUID, metadata, true);
    domain->additions = g_strdup("<additions name='one' reach='forwards later'/>");
    domain->forwards = g_array_new(FALSE, FALSE, sizeof(ViommuForward));
    g_array_append_val(domain->forwards, port);
    fake_fail(FAKE_READ_FORWARDS, 1, VIOMMU_ERROR_BACKEND, "not now");
    fixture_manage(&fixture);
    fixture_await(&fixture, fixture_find(&fixture, "one")->reach.forwards);
    assert_ports(fixture_find(&fixture, "one"), "0:22=51234 ");
    ck_assert_uint_eq(fake_calls(FAKE_READ_FORWARDS), 2);
}
END_TEST

/* passt's are in its XML, and QEMU is not asked. */
START_TEST(ports_of_passt)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    FakeDomain *domain;

    fixture_begin(&fixture);
    domain = fake_add("viommu-one", UUID, metadata, true);
    domain->additions = g_strdup("<additions name='one' reach='forwards later'/>");
    g_free(domain->xml);
    domain->xml = g_strdup("<domain><devices><interface type='user'><portForward proto='tcp' "
                           "address='127.0.0.1'><range start='61234' to='22'/></portForward>"
                           "<backend type='passt'/></interface></devices></domain>");
    fixture_manage(&fixture);
    fixture_await(&fixture, fixture_find(&fixture, "one")->reach.forwards);
    assert_ports(fixture_find(&fixture, "one"), "0:22=61234 ");
    ck_assert_uint_eq(fake_calls(FAKE_READ_FORWARDS), 0);
}
END_TEST

START_TEST(a_guest_that_is_found_without_ports)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);

    fixture_begin(&fixture);
    fake_add("one", UUID, metadata, true);
    fixture_manage(&fixture);
    fixture_settle(&fixture);
    ck_assert_ptr_nonnull(fixture_find(&fixture, "one"));
    ck_assert_uint_eq(fake_calls(FAKE_READ_FORWARDS) + fake_calls(FAKE_READ_ADDRESSES), 0);
}
END_TEST

/* It gets one while it boots. */
START_TEST(addresses)
{
    g_auto(Fixture) fixture = {0};
    ViommuMachine *machine;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, NAT);
    fixture_await(&fixture, fake_calls(FAKE_READ_ADDRESSES) == 1);
    fixture_settle(&fixture);
    ck_assert_ptr_null(machine->reach.addresses);
    fake_find(machine->uuid)->addresses = "192.0.2.7 2001:db8::7";
    fixture_await(&fixture, machine->reach.addresses);
    ck_assert_str_eq(machine->reach.addresses[0], "192.0.2.7");
    ck_assert_str_eq(machine->reach.addresses[1], "2001:db8::7");
    ck_assert_ptr_null(machine->reach.addresses[2]);
}
END_TEST

START_TEST(the_context_of_vsock)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    FakeDomain *domain;

    fixture_begin(&fixture);
    domain = fake_add("one", UUID, metadata, true);
    domain->additions = g_strdup("<additions reach='vsock'/>");
    g_free(domain->xml);
    domain->xml = g_strdup("<domain><devices><vsock model='virtio'><cid auto='yes' address='17'/></vsock>"
                           "</devices></domain>");
    fixture_manage(&fixture);
    fixture_await(&fixture, fixture_find(&fixture, "one")->reach.vsock_cid == 17);
    fixture_settle(&fixture);
    ck_assert_uint_eq(fake_calls(FAKE_XML), 1);
}
END_TEST

/* Through libvirt. */
START_TEST(a_guest_that_somebody_else_starts)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    FakeDomain *domain;

    fixture_begin(&fixture);
    domain = fake_add("one", UUID, metadata, false);
    domain->additions = g_strdup("<additions reach='addresses'/>");
    domain->addresses = "192.0.2.7";
    fixture_manage(&fixture);
    fixture_settle(&fixture);
    ck_assert_int_eq(fixture_find(&fixture, "one")->state, VIOMMU_STATE_STOPPED);
    ck_assert_uint_eq(fake_calls(FAKE_READ_ADDRESSES), 0);
    domain->active = true;
    fake_tell(VIOMMU_NEWS_STARTED, UUID, NULL);
    fixture_await(&fixture, fixture_find(&fixture, "one")->reach.addresses);
    ck_assert_str_eq(fixture_find(&fixture, "one")->reach.addresses[0], "192.0.2.7");
    /* Once more, long before it would be asked again. */
    fake_end(UUID, VIOMMU_NEWS_DESTROYED, NULL);
    fixture_await(&fixture, !fixture_find(&fixture, "one")->reach.addresses);
    domain->addresses = "192.0.2.8";
    domain->active = true;
    fake_tell(VIOMMU_NEWS_STARTED, UUID, NULL);
    fixture_await(&fixture, fixture_find(&fixture, "one")->reach.addresses);
    ck_assert_str_eq(fixture_find(&fixture, "one")->reach.addresses[0], "192.0.2.8");
}
END_TEST

UNIT_MAIN("reach-keeper", ports_of_a_launched_guest, ports_of_a_guest_that_is_found, ports_of_passt,
          a_guest_that_is_found_without_ports, addresses, the_context_of_vsock,
          a_guest_that_somebody_else_starts)
