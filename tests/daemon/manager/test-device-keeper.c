/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-device-keeper: devices are attached and detached, or refused, and what fails at any step is
 * undone: neither the machine nor the record has the device then. */
#include "tests/daemon/fixture.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/quantity.h"

#define UUID    "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"
#define ONE     "{'name': <'one'>, 'iommu': <{'model': <'intel'>}>}"
#define NETWORK "{'networks': <[{'type': <'user'>}]>}"
/* Two root ports on pcie.0, of which one is free, and one on another bus. */
#define ROOM                                                                                                \
    "<domain><devices><disk><target dev='vda'/></disk>"                                                     \
    "<controller type='pci' index='0' model='pcie-root'/>"                                                  \
    "<controller type='pci' index='1' model='pcie-root-port'><address type='pci' bus='0x00'/></controller>" \
    "<controller type='pci' index='2' model='pcie-root-port'><address type='pci' bus='0x00'/></controller>" \
    "<controller type='pci' index='3' model='pcie-root-port'><address type='pci' bus='0x05'/></controller>" \
    "<interface><address type='pci' bus='0x01'/></interface>"                                               \
    "<iommu model='intel'><driver caching_mode='on'/></iommu></devices></domain>"

static ViommuMachine *launch(Fixture *fixture, const char *request)
{
    ViommuMachine *machine = fixture_machine(fixture, request);
    FakeDomain *domain = fake_find(machine->uuid);

    g_free(domain->xml);
    domain->xml = g_strdup(ROOM);
    return machine;
}

static ViommuMachine *begin(Fixture *fixture)
{
    fixture_start(fixture);
    return launch(fixture, ONE);
}

static void begin_attach_for(Fixture *fixture, const ViommuMachine *machine, ViommuAskerKind kind,
                             const char *device, Answer *ret_answer)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, device, NULL, NULL, NULL);
    const ViommuAttachOrder order = {tree, NULL, {.kind = kind, .uid = machine->owner_uid}};
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    ck_assert_ptr_nonnull(tree);
    viommu_manager_attach(fixture->manager, machine, &order, &waiter);
}

static void begin_attach(Fixture *fixture, const ViommuMachine *machine, const char *device,
                         Answer *ret_answer)
{
    begin_attach_for(fixture, machine, VIOMMU_ASKER_MEMBER, device, ret_answer);
}

static void attach(Fixture *fixture, const ViommuMachine *machine, const char *device, Answer *ret_answer)
{
    begin_attach(fixture, machine, device, ret_answer);
    fixture_await(fixture, ret_answer->n);
    fixture_settle(fixture);
}

static void detach(Fixture *fixture, ViommuMachine *machine, const char *id, Answer *ret_answer)
{
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    viommu_manager_detach(fixture->manager, machine, id, &waiter);
    fixture_await(fixture, ret_answer->n);
    fixture_settle(fixture);
}

/* The machine, the record and the guest agree. */
static void assert_attached(const ViommuMachine *machine, unsigned n)
{
    const FakeDomain *domain = fake_find(machine->uuid);
    g_autofree char *record = viommu_attached_to_xml(machine->attached);

    ck_assert_uint_eq(machine->attached ? machine->attached->len : 0, n);
    ck_assert_uint_eq(domain->devices ? domain->devices->len : 0, n);
    ck_assert_ptr_eq(domain->attached ? domain : NULL, record ? domain : NULL);
    if (record)
        ck_assert_str_eq(domain->attached, record);
}

START_TEST(there_and_back)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) there = {0}, full = {0}, none = {0}, back = {0}, again = {0};
    ViommuMachine *machine = begin(&fixture);
    const char *xml;

    attach(&fixture, machine, NETWORK, &there);
    assert_went_well(&there);
    assert_attached(machine, 1);
    xml = g_ptr_array_index(fake_find(machine->uuid)->devices, 0);
    ck_assert_ptr_nonnull(strstr(xml, "<alias name='ua-viommu-network1'/>"));
    ck_assert_ptr_nonnull(strstr(xml, "bus='0x02'"));
    ck_assert_ptr_nonnull(strstr(xml, "iommu='on'"));
    attach(&fixture, machine, NETWORK, &full);
    assert_fails(&full, VIOMMU_ERROR_BUSY, "no free root port");
    assert_attached(machine, 1);
    detach(&fixture, machine, "disk1", &none);
    assert_fails(&none, VIOMMU_ERROR_NOT_FOUND, "it has: network1");
    detach(&fixture, machine, "network1", &back);
    assert_went_well(&back);
    assert_attached(machine, 0);
    attach(&fixture, machine, NETWORK, &again);
    assert_went_well(&again);
    assert_attached(machine, 1);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *device;
        ViommuError code;
        const char *words;
    } rows[] = {
        {"{'networks': <[{'type': <'network'>, 'source': <'default'>}]>}", VIOMMU_ERROR_POLICY_REFUSED,
         "default"},
        {"{'networks': <[{'type': <'user'>, 'forward': <[uint64 22]>}]>}", VIOMMU_ERROR_NOT_SUPPORTED,
         "forward"},
        {"{'networks': <[{'type': <'user'>, 'colour': <'red'>}]>}", VIOMMU_ERROR_INVALID_REQUEST, "colour"},
        {"{'hostdevs': <[{'address': <'0000:01:00.0'>}]>}", VIOMMU_ERROR_POLICY_REFUSED, "0000:01:00.0"},
        {"{'hostdevs': <[{'vendor': <'8086'>, 'device': <'1572'>, 'count': <uint64 2>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "count is 2"},
        {"{'disks': <[{'path': <'/nowhere/at-all'>, 'format': <'raw'>}]>}", VIOMMU_ERROR_INVALID_REQUEST,
         "/nowhere/at-all"},
        {"{'disks': <[{'path': <'/dev/null'>, 'format': <'raw'>, 'overlay': <true>}]>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "overlay"},
        {"{'disks': <[{'path': <'/dev/null'>, 'format': <'raw'>, 'bus': <'scsi'>}]>}",
         VIOMMU_ERROR_INVALID_REQUEST, "/dev/null"},
    };
    g_auto(Fixture) fixture = {0};
    ViommuMachine *machine = begin(&fixture);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Answer) answer = {0};

        attach(&fixture, machine, rows[i].device, &answer);
        assert_fails(&answer, rows[i].code, rows[i].words);
        assert_attached(machine, 0);
    }
    ck_assert_uint_eq(fake_calls(FAKE_ATTACH), 0);
    ck_assert_uint_eq(fake_calls(FAKE_SET_ATTACHED), 0);
}
END_TEST

/* A disk gets a target that no disk of the machine has. */
START_TEST(a_disk)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    ViommuMachine *machine = begin(&fixture);
    g_autofree char *path = g_build_filename(fixture.directory, "disk.raw", NULL);
    g_autofree char *device = g_strdup_printf("{'disks': <[{'path': <'%s'>, 'format': <'raw'>}]>}", path);

    ck_assert(g_file_set_contents(path, "disk", -1, NULL));
    attach(&fixture, machine, device, &answer);
    assert_went_well(&answer);
    assert_attached(machine, 1);
    ck_assert_ptr_nonnull(
        strstr(g_ptr_array_index(fake_find(machine->uuid)->devices, 0), "<target dev='vdb' bus='virtio'/>"));
    ck_assert_str_eq(viommu_attached_find(machine->attached, "disk1")->what, path);
}
END_TEST

START_TEST(undone)
{
    static const FakeCall calls[] = {FAKE_GET_METADATA, FAKE_XML, FAKE_PROBE, FAKE_SET_ATTACHED, FAKE_ATTACH};

    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) fails = {0}, works = {0};
        ViommuMachine *machine = begin(&fixture);

        fake_fail(calls[i], 1, VIOMMU_ERROR_BACKEND, "libvirt: no");
        attach(&fixture, machine, NETWORK, &fails);
        assert_fails(&fails, VIOMMU_ERROR_BACKEND, "libvirt: no");
        assert_attached(machine, 0);
        attach(&fixture, machine, NETWORK, &works);
        assert_went_well(&works);
        assert_attached(machine, 1);
    }
}
END_TEST

/* libvirt has attached it, and its answer is lost. */
START_TEST(answer_lost)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    ViommuMachine *machine = begin(&fixture);

    fake_lose(FAKE_ATTACH, true);
    fake_fail(FAKE_ATTACH, 1, VIOMMU_ERROR_BACKEND, "connection lost");
    attach(&fixture, machine, NETWORK, &answer);
    assert_went_well(&answer);
    assert_attached(machine, 1);
}
END_TEST

/* The domain cannot be read either: viommud looks again. */
START_TEST(unknown)
{
    for (unsigned there = 0; there < 2; there++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0};
        ViommuMachine *machine = begin(&fixture);

        fake_lose(FAKE_ATTACH, there);
        fake_fail(FAKE_ATTACH, 1, VIOMMU_ERROR_BACKEND, "connection lost");
        fake_hold(FAKE_SET_ATTACHED);
        begin_attach(&fixture, machine, NETWORK, &answer);
        fixture_await(&fixture, fake_hanging(FAKE_SET_ATTACHED) == 1);
        fake_fail(FAKE_XML, 1, VIOMMU_ERROR_BACKEND, "connection lost");
        fake_release(FAKE_SET_ATTACHED);
        fixture_await(&fixture, answer.n);
        assert_fails(&answer, VIOMMU_ERROR_BACKEND, "connection lost");
        fixture_settle(&fixture);
        assert_attached(machine, there);
    }
}
END_TEST

START_TEST(one_at_a_time)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, second = {0}, ended = {0};
    ViommuMachine *machine = begin(&fixture);

    fake_hold(FAKE_ATTACH);
    begin_attach(&fixture, machine, NETWORK, &first);
    fixture_await(&fixture, fake_hanging(FAKE_ATTACH) == 1);
    begin_attach(&fixture, machine, NETWORK, &second);
    assert_fails(&second, VIOMMU_ERROR_BUSY, "another device of machine 'one'");
    /* The guest ends meanwhile. */
    fake_end(machine->uuid, VIOMMU_NEWS_CRASHED, "QEMU died");
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    ck_assert_uint_eq(machine->attached->len, 0);
    fake_release(FAKE_ATTACH);
    fixture_await(&fixture, first.n);
    assert_fails(&first, VIOMMU_ERROR_BUSY, "ended before the device was attached");
    begin_attach(&fixture, machine, NETWORK, &ended);
    assert_fails(&ended, VIOMMU_ERROR_BUSY, "machine 'one' is stopped");
}
END_TEST

/* It gives the device back when nobody waits any more. */
START_TEST(a_guest_that_clings)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0}, late = {0}, refuses = {0}, kept = {0};
    const ViommuWaiter waiter = answer_waiter(&kept);
    ViommuMachine *machine = begin(&fixture);

    attach(&fixture, machine, NETWORK, &answer);
    fake_find(machine->uuid)->clings = true;
    detach(&fixture, machine, "network1", &late);
    assert_fails(&late, VIOMMU_ERROR_BUSY, "has not given back device 'network1' within 2 seconds");
    assert_attached(machine, 1);
    fake_fail(FAKE_DETACH, 1, VIOMMU_ERROR_BACKEND, "QEMU: no");
    detach(&fixture, machine, "network1", &refuses);
    assert_fails(&refuses, VIOMMU_ERROR_BACKEND, "QEMU: no");
    assert_attached(machine, 1);
    viommu_manager_detach(fixture.manager, machine, "network1", &waiter);
    fixture_settle(&fixture);
    fake_tell(VIOMMU_NEWS_DEVICE_KEPT, machine->uuid, "ua-viommu-network1");
    fixture_await(&fixture, kept.n);
    assert_fails(&kept, VIOMMU_ERROR_BUSY, "refuses to give back device 'network1'");
    fake_give_back(machine->uuid, "ua-viommu-network1");
    fixture_await(&fixture, machine->attached->len == 0);
    fixture_settle(&fixture);
    assert_attached(machine, 0);
}
END_TEST

/* What a viommud before has attached, or was about to. */
START_TEST(found)
{
    static const char record[] =
        "<attached version='1'><device id='network1' kind='network' what='user'/>"
        "<device id='hostdev1' kind='hostdev' what='0000:01:00.0' memlock='4096'/></attached>";

    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    FakeDomain *domain;
    const ViommuMachine *machine;

    fixture_begin(&fixture);
    domain = fake_add("one", UUID, metadata, true);
    g_free(domain->xml);
    domain->xml = g_strdup(ROOM);
    domain->attached = g_strdup(record);
    domain->devices = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(domain->devices, g_strdup("<interface><alias name='ua-viommu-network1'/></interface>"));
    fake_hold(FAKE_SET_ATTACHED);
    fixture_manage(&fixture);
    machine = fixture_find(&fixture, "one");
    ck_assert_uint_eq(machine->attached->len, 2);
    ck_assert_str_eq(machine->hostdevs[0], "0000:01:00.0");
    fake_release(FAKE_SET_ATTACHED);
    fixture_await(&fixture, machine->attached->len == 1);
    fixture_settle(&fixture);
    assert_attached(machine, 1);
    ck_assert_ptr_null(machine->hostdevs[0]);
    ck_assert_ptr_nonnull(viommu_attached_find(machine->attached, "network1"));
}
END_TEST

/* What is recorded by another version is not overwritten. */
START_TEST(of_another_version)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    ViommuMachine *machine = begin(&fixture);

    fake_find(machine->uuid)->attached = g_strdup("<attached version='2'/>");
    attach(&fixture, machine, NETWORK, &answer);
    assert_fails(&answer, VIOMMU_ERROR_INTERNAL, "another viommud wrote version '2'");
    ck_assert_str_eq(fake_find(machine->uuid)->attached, "<attached version='2'/>");
}
END_TEST

/* Two virtual functions that no driver has. */
#define FUNCTION(number)                                                                             \
    "{'address': <'0000:3b:02." number "'>, 'vendor': <32902>, 'device': <5452>, 'class': <131072>," \
    " 'group': <3" number ">, 'iommu': <'dmar0'>}"
static const char functions[] =
    "{'libvirt': <'12.8.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'11.1.3'>, 'accelerators': "
    "<['tcg']>}]>, 'topology': <{'acpi': <true>, 'vfio': <true>, 'tables': <[{'name': <'DMAR'>, 'state': "
    "<'good'>, 'units': <1>, 'interrupt-remapping': <true>}]>, 'kernel-options': <['intel_iommu=on']>, "
    "'iommus': <[{'name': <'dmar0'>, 'kind': <'intel'>, 'width': <48>, 'interrupt-remapping': <true>}]>, "
    "'devices': <[" FUNCTION("0") ", " FUNCTION("1") "]>}>}";
#define HOSTDEV(number) "{'hostdevs': <[{'address': <'0000:3b:02." number "'>}]>}"

static void attach_own(Fixture *fixture, const ViommuMachine *machine, const char *device, Answer *ret_answer)
{
    begin_attach_for(fixture, machine, VIOMMU_ASKER_OWN, device, ret_answer);
    fixture_await(fixture, ret_answer->n);
    fixture_settle(fixture);
}

/* A device of the host is one machine's, counts for its limits, and is judged once more. */
START_TEST(host_devices)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, others = {0}, own = {0}, limited = {0}, gone = {0}, second = {0};
    g_auto(Answer) back = {0}, both = {0};
    g_auto(GStrv) parts = NULL;
    ViommuMachine *machine, *other;
    uint64_t *limit, alone;

    fake_set_host(functions);
    machine = begin(&fixture);
    other = launch(&fixture, "{'name': <'other'>, 'iommu': <{'model': <'intel'>}>}");
    attach_own(&fixture, machine, HOSTDEV("0"), &first);
    assert_went_well(&first);
    assert_attached(machine, 1);
    ck_assert_str_eq(machine->hostdevs[0], "0000:3b:02.0");
    alone = machine->memlock_bytes;
    ck_assert_uint_gt(alone, machine->memory_bytes);
    attach_own(&fixture, other, HOSTDEV("0"), &others);
    assert_fails(&others, VIOMMU_ERROR_BUSY, "machine 'one'");
    assert_attached(other, 0);
    attach_own(&fixture, machine, HOSTDEV("0"), &own);
    assert_fails(&own, VIOMMU_ERROR_BUSY, "0000:3b:02.0");
    limit = &fixture.config->bounds.limits.user[VIOMMU_RESOURCE_LOCKED_MEMORY];
    *limit = alone;
    attach_own(&fixture, other, HOSTDEV("1"), &limited);
    assert_fails(&limited, VIOMMU_ERROR_BUSY, "would exceed [limits] locked-memory-per-user");
    *limit = 0;
    fake_fail(FAKE_TOPOLOGY, 1, VIOMMU_ERROR_BACKEND, "no longer present");
    attach_own(&fixture, other, HOSTDEV("1"), &gone);
    assert_fails(&gone, VIOMMU_ERROR_BACKEND, "no longer present");
    assert_attached(other, 0);
    attach_own(&fixture, other, HOSTDEV("1"), &second);
    assert_went_well(&second);
    ck_assert_str_eq(other->hostdevs[0], "0000:3b:02.1");
    ck_assert_uint_eq(other->memlock_bytes, alone);
    /* With a port more, another one, for which QEMU locks the guest's memory once more. */
    parts = g_strsplit(ROOM, "bus='0x05'", 2);
    g_free(fake_find(other->uuid)->xml);
    fake_find(other->uuid)->xml = g_strjoinv("bus='0x00'", parts);
    detach(&fixture, machine, "hostdev1", &back);
    assert_went_well(&back);
    attach_own(&fixture, other, HOSTDEV("0"), &both);
    assert_went_well(&both);
    ck_assert_uint_eq(other->memlock_bytes, alone + other->memory_bytes);
}
END_TEST

START_TEST(too_many)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) full = {0};
    ViommuMachine *machine = begin(&fixture);

    for (unsigned i = 0; i < VIOMMU_ATTACHED_MAX; i++) {
        g_autofree char *id = g_strdup_printf("network%u", i + 2);
        const ViommuAttached one = {id, VIOMMU_ATTACHED_NETWORK, (char *)"user", NULL, 0};

        (void)viommu_machine_attach(machine, &one);
    }
    attach(&fixture, machine, NETWORK, &full);
    assert_fails(&full, VIOMMU_ERROR_BUSY, "has 32 attached devices, the maximum");
    ck_assert_uint_eq(fake_calls(FAKE_ATTACH), 0);
}
END_TEST

START_TEST(foreign)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    char *version = strstr(metadata, " version='");

    ck_assert_ptr_nonnull(version);
    version[strlen(" version='")] = '9';
    fixture_begin(&fixture);
    (void)fake_add("one", UUID, metadata, true);
    fixture_manage(&fixture);
    attach(&fixture, fixture_find(&fixture, "one"), NETWORK, &answer);
    assert_fails(&answer, VIOMMU_ERROR_NOT_SUPPORTED, "made by another version of viommud");
    ck_assert_uint_eq(fake_calls(FAKE_ATTACH), 0);
}
END_TEST

/* A guest that runs has its huge pages: they are not free, and not wanted again. */
START_TEST(pages_it_has)
{
    g_auto(Fixture) fixture = {0};
    ViommuMachine *machine = begin(&fixture);
    ViommuHugePages all = {.size_bytes = 2 * VIOMMU_MIB, .total = 64, .free = 0};
    g_autoptr(GPtrArray) pools = g_ptr_array_new(), nodes = g_ptr_array_new();
    ViommuNode node = {.huge_pages = pools};
    const ViommuHost host = {.memory_bytes = VIOMMU_UNSET_NUMBER, .topology = {.nodes = nodes}};
    ViommuPlan plan = {.uuid = machine->uuid,
                       .memory_max_bytes = 64 * VIOMMU_MIB,
                       .page_size_bytes = 2 * VIOMMU_MIB,
                       .memlock_bytes = VIOMMU_GIB};
    ViommuAdmission *admission =
        viommu_admission_new(fixture.loop, fixture.config, viommu_manager_registry(fixture.manager), NULL);
    g_autoptr(GError) error = NULL, many = NULL;

    g_ptr_array_add(pools, &all);
    g_ptr_array_add(nodes, &node);
    unit_assert_ok(viommu_admission_check_memory(admission, &plan, &host, &error), error);
    plan.uuid = (char *)UUID;
    ck_assert(!viommu_admission_check_memory(admission, &plan, &host, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY) && strstr(error->message, "only 0"));
    plan.uuid = machine->uuid;
    plan.memory_max_bytes *= 4;
    ck_assert(!viommu_admission_check_memory(admission, &plan, &host, &many));
    viommu_admission_free(admission);
}
END_TEST

UNIT_MAIN("device-keeper", there_and_back, refused, a_disk, undone, answer_lost, unknown, one_at_a_time,
          a_guest_that_clings, found, of_another_version, host_devices, too_many, foreign, pages_it_has)
