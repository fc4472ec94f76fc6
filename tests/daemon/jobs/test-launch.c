/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-launch: each step of a launch succeeds, fails, is refused, is too late, or is stopped;
 * nothing is left. */
#include "tests/daemon/fixture.h"

#include <string.h>

#define PLAIN "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'is-supported': <true>}>}"
#define ANY   "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'model': <['intel', 'virtio']>}>}"

START_TEST(goes_well)
{
    g_auto(Fixture) fixture = {0};
    ViommuMachine *machine;
    const FakeDomain *domain;
    g_autoptr(ViommuMetadata) metadata = NULL;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, PLAIN);
    ck_assert_str_eq(machine->name, "one");
    ck_assert_int_eq((int)machine->state, VIOMMU_STATE_RUNNING);
    ck_assert_int_eq((int)machine->model, VIOMMU_MODEL_INTEL);
    domain = fake_find(machine->uuid);
    ck_assert(domain && domain->active);
    metadata = viommu_metadata_from_xml(domain->metadata, NULL, NULL);
    ck_assert_ptr_nonnull(metadata);
    ck_assert_int_eq((int)metadata->phase, VIOMMU_STATE_RUNNING);
    ck_assert_uint_eq(metadata->owner_uid, 1000);
}
END_TEST

/* The call that fails, and whether something must be undone. */
static const struct {
    FakeCall call;
    bool undone;
} failures[] = {{FAKE_PROBE, false}, {FAKE_DEFINE, true}, {FAKE_START, true}, {FAKE_SET_METADATA, true}};

static void fail_at(FakeCall call, bool undone, bool lost)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fake_fail(call, 1, VIOMMU_ERROR_BACKEND, "libvirt: not today");
    fake_lose(call, lost);
    fixture_launch(&fixture, PLAIN, &answer);
    assert_fails(&answer, VIOMMU_ERROR_BACKEND, "libvirt: not today");
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
    ck_assert_uint_eq(fake_calls(FAKE_UNDEFINE), undone ? 1 : 0);
    fixture_settle(&fixture);
    /* The name is free again. */
    (void)fixture_machine(&fixture, PLAIN);
}

START_TEST(each_step_fails)
{
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++)
        fail_at(failures[i].call, failures[i].undone, false);
}
END_TEST

START_TEST(an_answer_is_lost)
{
    for (size_t i = 1; i < G_N_ELEMENTS(failures); i++)
        fail_at(failures[i].call, true, true);
}
END_TEST

START_TEST(libvirt_refuses_a_model)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    fake_refuse(1, "libvirt: unsupported configuration: no intel today");
    machine = fixture_machine(&fixture, ANY);
    ck_assert_int_eq((int)machine->model, VIOMMU_MODEL_VIRTIO);
    ck_assert_uint_eq(fake_calls(FAKE_DEFINE), 2);
}
END_TEST

START_TEST(libvirt_refuses_all)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fake_refuse(9, "libvirt: unsupported configuration: nothing today");
    fixture_launch(&fixture, ANY, &answer);
    assert_fails(&answer, VIOMMU_ERROR_NOT_SUPPORTED, "nothing today");
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
}
END_TEST

/* Without an IOMMU there is no other candidate. */
START_TEST(libvirt_refuses_the_rest)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fake_refuse(9, "libvirt: unsupported configuration: nothing today");
    fixture_launch(&fixture, "{'name': <'one'>, 'iommu': <{'is-supported': <false>}>}", &answer);
    assert_fails(&answer, VIOMMU_ERROR_BACKEND, "nothing today");
}
END_TEST

static void hang_at(FakeCall call, const char *words)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_begin(&fixture);
    fixture.config->launch_timeout_sec = 1;
    fixture_manage(&fixture);
    fake_hold(call);
    fixture_launch(&fixture, PLAIN, &answer);
    assert_fails(&answer, VIOMMU_ERROR_BUSY, words);
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
    fake_release(call);
    fixture_settle(&fixture);
    /* What it made before it returned is undone, too. */
    (void)fixture_machine(&fixture, PLAIN);
}

START_TEST(each_step_hangs)
{
    hang_at(FAKE_PROBE, "host");
    hang_at(FAKE_DEFINE, "define");
    hang_at(FAKE_START, "start");
}
END_TEST

/* The undo fails, too: the domain is removed at the next listing. */
START_TEST(the_undoing_fails)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fake_fail(FAKE_START, 1, VIOMMU_ERROR_BACKEND, "QEMU: no");
    fake_fail(FAKE_UNDEFINE, 1, VIOMMU_ERROR_BACKEND, "libvirt: no");
    fixture_launch(&fixture, PLAIN, &answer);
    assert_fails(&answer, VIOMMU_ERROR_BACKEND, "machine 'one': QEMU: no");
    fixture_settle(&fixture);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_settle(&fixture);
    ck_assert_uint_eq(fake_calls(FAKE_UNDEFINE), 2);
}
END_TEST

START_TEST(stopped_meanwhile)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0}, stop = {0};

    fixture_start(&fixture);
    fake_hold(FAKE_START);
    fixture_begin_launch(&fixture, PLAIN, &launch);
    fixture_await(&fixture, fake_hanging(FAKE_START) == 1);
    fixture_begin_stop(&fixture, "one", 0, &stop);
    fake_release(FAKE_START);
    fixture_await(&fixture, launch.n && stop.n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "'one'");
    assert_went_well(&stop);
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
}
END_TEST

/* One launch at a time: the second waits, and is stopped before it begins. */
START_TEST(stopped_in_the_queue)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, second = {0}, stop = {0};

    fixture_begin(&fixture);
    fixture.config->running_launches = 1;
    fixture_manage(&fixture);
    fake_hold(FAKE_DEFINE);
    fixture_begin_launch(&fixture, PLAIN, &first);
    fixture_begin_launch(&fixture, "{'name': <'two'>}", &second);
    ck_assert_uint_eq(viommu_machine_queue_position(fixture_find(&fixture, "two")), 1);
    fixture_stop(&fixture, "two", 0, &stop);
    assert_went_well(&stop);
    assert_fails(&second, VIOMMU_ERROR_BUSY, "'two'");
    fake_release(FAKE_DEFINE);
    fixture_await(&fixture, first.n);
    assert_went_well(&first);
}
END_TEST

START_TEST(sent_again)
{
    static const char request[] = "{'name': <'one'>, 'request-id': <'id'>}";
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, again = {0}, other = {0}, taken = {0};

    fixture_start(&fixture);
    fake_hold(FAKE_DEFINE);
    fixture_begin_launch(&fixture, request, &first);
    fixture_begin_launch(&fixture, request, &again);
    fake_release(FAKE_DEFINE);
    fixture_await(&fixture, first.n && again.n);
    ck_assert_str_eq(first.uuid, again.uuid);
    fixture_launch(&fixture, "{'name': <'two'>, 'request-id': <'id'>}", &other);
    assert_fails(&other, VIOMMU_ERROR_EXISTS, "'id'");
    fixture_launch(&fixture, "{'name': <'one'>}", &taken);
    assert_fails(&taken, VIOMMU_ERROR_EXISTS, "'one'");
    answer_clear(&again);
    fixture_launch(&fixture, request, &again);
    ck_assert_str_eq(first.uuid, again.uuid);
}
END_TEST

START_TEST(answered_when_planned)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    fake_fail(FAKE_START, 1, VIOMMU_ERROR_BACKEND, "QEMU: no");
    fixture_launch(&fixture, "{'name': <'one'>, 'wait': <'planned'>}", &answer);
    assert_went_well(&answer);
    fixture_settle(&fixture);
    /* The client already knows the machine, so it stays with its error. */
    machine = fixture_find(&fixture, "one");
    ck_assert(machine && machine->state == VIOMMU_STATE_FAILED);
    ck_assert_ptr_nonnull(strstr(machine->failure_text, "QEMU: no"));
}
END_TEST

/* Where a member's network leads, and what the site allows; and the error when that changes after
 * the plan. */
static const struct {
    const char *listed, *later, *refusal;
} networks[] = {
    {"default", "nat", NULL},
    {"default", "route", NULL},
    {"default", "bridge", "has the forward mode 'bridge'"},
    {"default", "hostdev", "has the forward mode 'hostdev'"},
    {"default", "", "does not report the forward mode"},
    {"default!", "bridge", NULL},
};

static void change_network(Fixture *fixture, const char *later, Answer *ret_answer)
{
    const ViommuAsker asker = {.kind = VIOMMU_ASKER_MEMBER, .uid = 1000};
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    fake_hold(FAKE_DEFINE);
    viommu_manager_launch(
        fixture->manager,
        unit_request("{'name': <'one'>, 'networks': <[{'type': <'network'>, 'source': <'default'>}]>}"),
        &asker, "1:1", &waiter);
    fixture_await(fixture, fake_hanging(FAKE_DEFINE) == 1);
    fake_set_network_mode(later);
    fake_release(FAKE_DEFINE);
    fixture_await(fixture, ret_answer->n);
}

START_TEST(a_network_changes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(networks); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0};

        fixture_begin(&fixture);
        g_strfreev(fixture.config->site.networks);
        fixture.config->site.networks = g_strsplit(networks[i].listed, ";", -1);
        fixture_manage(&fixture);
        change_network(&fixture, networks[i].later, &answer);
        if (networks[i].refusal) {
            assert_fails(&answer, VIOMMU_ERROR_POLICY_REFUSED, networks[i].refusal);
            ck_assert_uint_eq(fake_calls(FAKE_START), 0);
            ck_assert_uint_eq(fake_calls(FAKE_UNDEFINE), 1);
        } else {
            assert_went_well(&answer);
        }
    }
}
END_TEST

#define PASST                                                                                                    \
    "{'libvirt': <'11.3.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'10.0.0'>, 'accelerators': <['kvm']>," \
    " 'user-network': <false>, 'passt': <true>}]>}"
#define PORT "{'name': <'one'>, 'arch': <'x86_64'>, 'networks': <[{'type': <'user'>, 'forward': <22>}]>}"

/* passt is told its ports; viommud draws others, but not without end. */
START_TEST(a_port_is_taken)
{
    static const struct {
        const char *words;
        unsigned failures, starts;
        bool well;
    } rows[] = {
        {"libvirt: Failed to bind port 61022 (Address already in use) for option '-t ...'", 0, 1, true},
        {"libvirt: Failed to bind port 61022 (Address already in use) for option '-t ...'", 3, 4, true},
        {"libvirt: Failed to bind port 61022 (Address already in use) for option '-t ...'", 99, 8, false},
        {"libvirt: Failed to bind UNIX domain socket: Permission denied", 99, 1, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0};

        fake_set_host(PASST);
        fixture_start(&fixture);
        fake_fail(FAKE_START, rows[i].failures, VIOMMU_ERROR_BACKEND, rows[i].words);
        fixture_launch(&fixture, PORT, &answer);
        ck_assert_uint_eq(fake_calls(FAKE_START), rows[i].starts);
        ck_assert_uint_eq(fake_calls(FAKE_DEFINE), rows[i].starts);
        if (rows[i].well) {
            const GArray *forwards = fixture_find(&fixture, "one")->reach.forwards;

            ck_assert(forwards && forwards->len == 1);
            ck_assert_uint_ge(g_array_index(forwards, ViommuForward, 0).host_port, 61000);
        } else {
            assert_fails(&answer, VIOMMU_ERROR_BACKEND, "Failed to bind");
            ck_assert_uint_eq(fake_calls(FAKE_UNDEFINE), 1);
        }
        fake_set_host(NULL);
    }
}
END_TEST

UNIT_MAIN("launch", goes_well, each_step_fails, an_answer_is_lost, libvirt_refuses_a_model,
          libvirt_refuses_all, libvirt_refuses_the_rest, each_step_hangs, the_undoing_fails,
          stopped_meanwhile, stopped_in_the_queue, sent_again, answered_when_planned, a_network_changes,
          a_port_is_taken)
