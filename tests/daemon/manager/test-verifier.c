/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-verifier: proofs by an agent and by a console, proofs that never come, and launches that
 * wait for one. */
#include "tests/daemon/fixture.h"

#include <string.h>
#include <unistd.h>
#include "daemon/manager/readiness.h"
#include "lib/guest/proof.h"

#define ONE "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>}"
#define VERIFIED \
    "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>, 'wait': <'verified'>}"
#define REPORT(lines)   \
    VIOMMU_REPORT_BEGIN \
    "\nkernel 6.1\nacpi yes\ndevicetree no\ntable DMAR\ndriver intel-iommu\n" lines VIOMMU_REPORT_END "\n"
#define GOOD REPORT("iommu dmar0\ngroups 3\ndevices 4\n")
#define OFF  REPORT("groups 0\ncmdline intel_iommu=off\n")
#define LATE REPORT("iommu dmar0\ngroups 0\n")

#define ECAP    "register dmar0 intel-iommu/ecap f00f4a\n"
#define NARROW  "register dmar0 intel-iommu/cap d2008c22260286\n"
#define PLANNED "translate=on intremap=on aw-bits=48"

static void verify(Fixture *fixture, uint64_t seconds, Answer *ret_answer)
{
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_verify(fixture->manager, fixture_find(fixture, "one"), seconds, &waiter);
}

/* With a running machine. */
static FakeDomain *begin(Fixture *fixture)
{
    fixture_start(fixture);
    return fake_find(fixture_machine(fixture, ONE)->uuid);
}

static void assert_proven(const Answer *answer, const char *by)
{
    const char *said = NULL;

    assert_went_well(answer);
    ck_assert(g_variant_lookup(answer->report, "by", "&s", &said));
    ck_assert_str_eq(said, by);
}

START_TEST(by_its_agent)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, second = {0};

    begin(&fixture)->agent_output = g_strdup(GOOD);
    verify(&fixture, 10, &first);
    verify(&fixture, 10, &second);
    fixture_await(&fixture, first.n && second.n);
    assert_proven(&first, "agent");
    assert_proven(&second, "agent");
    ck_assert(fixture_find(&fixture, "one")->verified);
    ck_assert_uint_eq(fake_calls(FAKE_AGENT), 1);
}
END_TEST

/* What was planned is in the metadata, which the machine took over. */
START_TEST(as_planned)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) good = {0}, bad = {0};
    g_autofree const char **attributes = NULL, **not_shown = NULL;
    FakeDomain *domain = begin(&fixture);
    const char *level = NULL;

    ck_assert_str_eq(fixture_find(&fixture, "one")->proof, PLANNED);
    domain->agent_output =
        g_strdup(REPORT("iommu dmar0\ngroups 1\ntype DMA\nuntranslated 0\ninterrupts remapped\n" ECAP));
    verify(&fixture, 10, &good);
    fixture_await(&fixture, good.n);
    assert_proven(&good, "agent");
    ck_assert(g_variant_lookup(good.report, "level", "&s", &level));
    ck_assert_str_eq(level, "translating");
    ck_assert(g_variant_lookup(good.report, "attributes", "^a&s", &attributes));
    ck_assert_str_eq(attributes[0], "intremap=on");
    ck_assert(g_variant_lookup(good.report, "not-shown", "^a&s", &not_shown));
    ck_assert_str_eq(not_shown[0], "aw-bits");
    g_free(domain->agent_output);
    domain->agent_output =
        g_strdup(REPORT("iommu dmar0\ngroups 1\ntype DMA\nuntranslated 0\ninterrupts remapped\n" NARROW));
    verify(&fixture, 10, &bad);
    fixture_await(&fixture, bad.n);
    assert_fails(&bad, VIOMMU_ERROR_NOT_VERIFIED,
                 "the IOMMU of machine 'one' is not as planned: its aw-bits is 39 in the guest's");
}
END_TEST

#define TRANSLATING                                                                                 \
    "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>, 'wait': <'verified'>, " \
    "'verify': <{'level': <'translating'>}>}"

START_TEST(a_launch_wants_a_level)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, TRANSLATING, &answer);
    fixture_await(&fixture, fixture_find(&fixture, "one") &&
                                fixture_find(&fixture, "one")->state == VIOMMU_STATE_RUNNING);
    fake_print(fixture_find(&fixture, "one")->uuid,
               REPORT("iommu dmar0\ngroups 1\ntype identity\ncmdline iommu=pt\n"), 0);
    fixture_await(&fixture, answer.n);
    assert_fails(&answer, VIOMMU_ERROR_NOT_VERIFIED,
                 "the IOMMU of machine 'one' is not translating: it leaves");
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
}
END_TEST

START_TEST(by_its_console)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    const FakeDomain *domain = begin(&fixture);

    verify(&fixture, 10, &answer);
    fake_print(domain->uuid, LATE, 0);
    fixture_settle(&fixture);
    fake_print(domain->uuid, GOOD, 0);
    fixture_await(&fixture, answer.n);
    assert_proven(&answer, "console");
}
END_TEST

START_TEST(disproved)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    begin(&fixture)->agent_output = g_strdup(OFF);
    verify(&fixture, 10, &answer);
    fixture_await(&fixture, answer.n);
    assert_fails(&answer, VIOMMU_ERROR_NOT_VERIFIED, "intel_iommu=off");
}
END_TEST

START_TEST(out_of_time)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) silent = {0}, pending = {0}, odd = {0};
    FakeDomain *domain = begin(&fixture);

    verify(&fixture, 1, &silent);
    fixture_await(&fixture, silent.n);
    assert_fails(&silent, VIOMMU_ERROR_NOT_VERIFIED, "it has no agent");
    domain->agent_output = g_strdup("sh: not found");
    verify(&fixture, 1, &odd);
    fixture_await(&fixture, odd.n);
    assert_fails(&odd, VIOMMU_ERROR_NOT_VERIFIED, "no report");
    fake_print(domain->uuid, LATE, 0);
    verify(&fixture, 1, &pending);
    fixture_await(&fixture, pending.n);
    assert_fails(&pending, VIOMMU_ERROR_NOT_VERIFIED, "after 1 ");
}
END_TEST

/* A report that has begun may end, though not for ever. */
START_TEST(in_the_middle_of_its_report)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0}, endless = {0};
    const FakeDomain *domain = begin(&fixture);
    gint64 start = g_get_monotonic_time();

    verify(&fixture, 1, &answer);
    fake_print(domain->uuid, VIOMMU_REPORT_BEGIN "\nkernel 6.1\n", 0);
    fixture_await(&fixture, g_get_monotonic_time() - start > 5 * G_USEC_PER_SEC / 2);
    ck_assert_uint_eq(answer.n, 0);
    fake_print(domain->uuid, GOOD, 0);
    fixture_await(&fixture, answer.n);
    assert_proven(&answer, "console");

    fake_print(domain->uuid, LATE VIOMMU_REPORT_BEGIN "\nkernel 6.1\n", 0);
    start = g_get_monotonic_time();
    verify(&fixture, 1, &endless);
    fixture_await(&fixture, endless.n);
    assert_fails(&endless, VIOMMU_ERROR_NOT_VERIFIED, "was reporting on its IOMMU when its 1 seconds");
    ck_assert_int_ge(g_get_monotonic_time() - start, 11 * G_USEC_PER_SEC);
}
END_TEST

START_TEST(nothing_can_look)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_begin(&fixture);
    fake_set_consoles(false);
    fixture_manage(&fixture);
    (void)fixture_machine(&fixture, ONE);
    verify(&fixture, 10, &answer);
    fixture_await(&fixture, answer.n);
    assert_fails(&answer, VIOMMU_ERROR_NOT_SUPPORTED, "machine 'one'");
}
END_TEST

/* libvirt's daemon crashed on the reply: this agent is not asked again. */
START_TEST(the_agent_breaks_libvirt)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    g_autofree char *warnings = NULL;

    begin(&fixture)->agent_breaks = true;
    verify(&fixture, 4, &answer);
    fixture_await(&fixture, answer.n);
    assert_fails(&answer, VIOMMU_ERROR_NOT_VERIFIED, "agent");
    ck_assert_uint_eq(fake_calls(FAKE_AGENT), 1);
    warnings = g_strjoinv("|", fixture_find(&fixture, "one")->warnings);
    ck_assert_ptr_nonnull(strstr(warnings, "the connection broke"));
}
END_TEST

START_TEST(the_machine_ends)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0}, late = {0}, much = {0};
    const FakeDomain *domain = begin(&fixture);

    verify(&fixture, 10, &answer);
    fake_end(domain->uuid, VIOMMU_NEWS_SHUTDOWN, NULL);
    fixture_await(&fixture, answer.n);
    assert_fails(&answer, VIOMMU_ERROR_BUSY, "stopped");
    verify(&fixture, 0, &late);
    assert_fails(&late, VIOMMU_ERROR_BUSY, "stopped");
    verify(&fixture, UINT64_MAX, &much);
    assert_fails(&much, VIOMMU_ERROR_INVALID_REQUEST, "");
}
END_TEST

START_TEST(a_launch_is_proven)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, VERIFIED, &answer);
    fixture_await(&fixture, fixture_find(&fixture, "one") &&
                                fixture_find(&fixture, "one")->state == VIOMMU_STATE_RUNNING);
    fake_print(fixture_find(&fixture, "one")->uuid, GOOD, 0);
    fixture_await(&fixture, answer.n);
    assert_went_well(&answer);
    ck_assert(fixture_find(&fixture, "one")->verified);
}
END_TEST

START_TEST(a_launch_is_not_proven)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_begin(&fixture);
    fixture.config->verify_timeout_sec = 1;
    fixture_manage(&fixture);
    fixture_launch(&fixture, VERIFIED, &answer);
    assert_fails(&answer, VIOMMU_ERROR_NOT_VERIFIED, "machine 'one'");
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
    ck_assert_uint_eq(fake_calls(FAKE_UNDEFINE), 1);
}
END_TEST

#define AGAIN                                                                                       \
    "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>, 'wait': <'verified'>, " \
    "'request-id': <'again'>}"

/* The machine is gone when it is looked at; test-orders has a stop that is under way. */
START_TEST(a_launch_is_stopped)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launched = {0}, stopped = {0};

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, VERIFIED, &launched);
    fixture_await(&fixture, fixture_find(&fixture, "one") &&
                                fixture_find(&fixture, "one")->state == VIOMMU_STATE_RUNNING);
    fixture_stop(&fixture, "one", 0, &stopped);
    fixture_await(&fixture, launched.n);
    assert_fails(&launched, VIOMMU_ERROR_BUSY, "cannot be verified");
}
END_TEST

/* As after a lost connection: it is one launch, and one proof answers all calls. */
START_TEST(a_launch_is_asked_for_again)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, second = {0}, third = {0};

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, AGAIN, &first);
    fixture_await(&fixture, fixture_find(&fixture, "one") &&
                                fixture_find(&fixture, "one")->state == VIOMMU_STATE_RUNNING);
    fixture_settle(&fixture);
    fixture_begin_launch(&fixture, AGAIN, &second);
    fixture_settle(&fixture);
    ck_assert(first.n == 0 && second.n == 0);
    fake_print(fixture_find(&fixture, "one")->uuid, GOOD, 0);
    fixture_await(&fixture, first.n && second.n);
    assert_went_well(&first);
    assert_went_well(&second);
    ck_assert_str_eq(first.uuid, second.uuid);
    /* It is proven: there is nothing to wait for. */
    fixture_launch(&fixture, AGAIN, &third);
    assert_went_well(&third);
    ck_assert_uint_eq(fake_calls(FAKE_DEFINE), 1);
}
END_TEST

START_TEST(so_many_wait_for_a_proof)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) one_more = {0}, launch = {0};
    Answer answers[31];

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, AGAIN, &launch);
    fixture_await(&fixture, fixture_find(&fixture, "one") &&
                                fixture_find(&fixture, "one")->state == VIOMMU_STATE_RUNNING);
    fixture_settle(&fixture);
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++)
        verify(&fixture, 10, &answers[i]);
    verify(&fixture, 10, &one_more);
    assert_fails(&one_more, VIOMMU_ERROR_BUSY, "32 calls already wait for the verification of machine 'one'");
    answer_clear(&one_more);
    fixture_begin_launch(&fixture, AGAIN, &one_more);
    fixture_await(&fixture, one_more.n);
    assert_fails(&one_more, VIOMMU_ERROR_BUSY, "32 calls already wait for the verification of machine 'one'");
    fake_print(fixture_find(&fixture, "one")->uuid, GOOD, 0);
    fixture_await(&fixture, launch.n);
    assert_went_well(&launch);
    for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
        assert_proven(&answers[i], "console");
        answer_clear(&answers[i]);
    }
}
END_TEST

static void on_end(bool finished, void *userdata)
{
    *(int *)userdata = finished;
}

START_TEST(the_daemon_ends)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    int finished = -1;

    (void)begin(&fixture);
    fake_hold(FAKE_AGENT);
    verify(&fixture, 10, &answer);
    fixture_await(&fixture, fake_hanging(FAKE_AGENT) == 1);
    viommu_manager_end(fixture.manager, on_end, &finished);
    fixture_await(&fixture, finished != -1);
    assert_fails(&answer, VIOMMU_ERROR_BUSY, "viommud");
    fake_release(FAKE_AGENT);
    fixture_settle(&fixture);
}
END_TEST

#define READY "{'name': <'one'>, 'arch': <'x86_64'>, 'wait': <'ready'>, 'request-id': <'again'>}"

static void begin_with_agents(Fixture *fixture)
{
    fixture_begin(fixture);
    fixture->config->policy.agent = VIOMMU_AGENT_YES;
    fixture->config->ready_timeout_sec = 3;
    fixture_manage(fixture);
}

/* Its agent comes while it boots. */
START_TEST(a_launch_is_ready)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0}, again = {0}, asked = {0};
    const ViommuWaiter waiter = answer_waiter(&asked);
    ViommuMachine *machine;

    begin_with_agents(&fixture);
    fake_fail(FAKE_AGENT, 1, VIOMMU_ERROR_BUSY, "no agent replies in the guest");
    fixture_begin_launch(&fixture, READY, &answer);
    fixture_await(&fixture, fake_calls(FAKE_AGENT) == 1);
    machine = fixture_find(&fixture, "one");
    ck_assert(answer.n == 0 && !machine->ready);
    fake_find(machine->uuid)->agent_output = g_strdup("");
    fixture_await(&fixture, answer.n);
    assert_went_well(&answer);
    ck_assert(machine->ready && !machine->verified);
    fixture_launch(&fixture, READY, &again);
    assert_went_well(&again);
    ck_assert_uint_eq(fake_calls(FAKE_AGENT), 2);
    viommu_manager_await_ready(fixture.manager, machine, 0, &waiter);
    fixture_await(&fixture, asked.n);
    assert_went_well(&asked);
}
END_TEST

START_TEST(a_launch_is_not_ready)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0}, broken = {0};

    begin_with_agents(&fixture);
    fake_fail(FAKE_AGENT, 99, VIOMMU_ERROR_BUSY, "no agent replies in the guest");
    fixture_begin_launch(&fixture, READY, &answer);
    fixture_await(&fixture, fake_calls(FAKE_AGENT) == 1);
    fake_print(fixture_find(&fixture, "one")->uuid, GOOD "last words\n", 0);
    fixture_await(&fixture, answer.n);
    assert_fails(&answer, VIOMMU_ERROR_NOT_READY, "after 3 seconds: no agent replies in the guest");
    ck_assert_ptr_nonnull(strstr(answer.message, "last words"));
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
    /* A guest whose agent cannot be asked is given up at once. */
    fake_fail(FAKE_AGENT, 1, VIOMMU_ERROR_NOT_SUPPORTED, "the agent forbids it");
    fixture_launch(&fixture, READY, &broken);
    assert_fails(&broken, VIOMMU_ERROR_NOT_READY, "machine 'one' cannot become ready: the agent forbids it");
}
END_TEST

#define UUID "5b0a2f5e-0000-4000-8000-000000000001"

static void await_ready(Fixture *fixture, uint64_t seconds, Answer *ret_answer)
{
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_await_ready(fixture->manager, fixture_find(fixture, "one"), seconds, &waiter);
}

/* A running guest whose vsock has the context 17, and whose agent answers with @code. */
static void begin_with_vsock(Fixture *fixture, ViommuError code)
{
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    bool has_ready_file = fixture->has_ready_file;
    int ready_file = fixture->ready_file;
    FakeDomain *domain;

    fixture_begin(fixture);
    fixture->has_ready_file = has_ready_file;
    fixture->ready_file = ready_file;
    domain = fake_add("one", UUID, metadata, true);
    domain->additions = g_strdup("<additions reach='vsock'/>");
    g_free(domain->xml);
    domain->xml = g_strdup("<domain><devices><vsock model='virtio'><cid auto='yes' address='17'/></vsock>"
                           "</devices></domain>");
    fake_fail(FAKE_AGENT, 99, code, "no agent replies in the guest");
    fixture_manage(fixture);
    fixture_await(fixture, fixture_find(fixture, "one")->reach.vsock_cid == 17);
}

/* Also where the agent cannot be asked at all. */
START_TEST(told_over_vsock)
{
    static const ViommuError codes[] = {VIOMMU_ERROR_BUSY, VIOMMU_ERROR_NOT_SUPPORTED};

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) first = {0}, later = {0}, reset = {0}, anew = {0};
        const ViommuWaiter waiter = answer_waiter(&reset);
        ViommuMachine *machine;

        begin_with_vsock(&fixture, codes[i]);
        machine = fixture_find(&fixture, "one");
        await_ready(&fixture, 60, &first);
        fixture_await(&fixture, fake_calls(FAKE_AGENT) > 0);
        fixture_settle(&fixture);
        viommu_manager_told_ready(fixture.manager, 18);
        viommu_manager_told_ready(fixture.manager, 0);
        fixture_settle(&fixture);
        ck_assert(first.n == 0 && !machine->ready);
        viommu_manager_told_ready(fixture.manager, 17);
        ck_assert(machine->ready);
        fixture_await(&fixture, first.n);
        assert_went_well(&first);
        await_ready(&fixture, 60, &later);
        fixture_await(&fixture, later.n);
        assert_went_well(&later);
        /* It boots once more. */
        viommu_manager_reset(fixture.manager, machine, &waiter);
        fixture_await(&fixture, reset.n);
        await_ready(&fixture, 1, &anew);
        fixture_await(&fixture, anew.n);
        assert_fails(&anew, VIOMMU_ERROR_NOT_READY,
                     "and viommud has heard nothing of its systemd over vsock");
    }
}
END_TEST

/* The guest has reset itself. */
START_TEST(told_before_a_reboot)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) anew = {0};

    begin_with_vsock(&fixture, VIOMMU_ERROR_BUSY);
    ck_assert(viommu_manager_told_ready(fixture.manager, 17));
    fake_tell(VIOMMU_NEWS_REBOOTED, UUID, NULL);
    fixture_await(&fixture, !fixture_find(&fixture, "one")->told_ready);
    await_ready(&fixture, 1, &anew);
    fixture_await(&fixture, anew.n);
    assert_fails(&anew, VIOMMU_ERROR_NOT_READY, "has heard nothing of its systemd over vsock");
}
END_TEST

/* A guest that told the viommud before; it tells no more. */
START_TEST(told_before_a_restart)
{
    static const char *const others[] = {"", "5b0a2f5e-0000-4000-8000-000000000002\n"};
    int file = viommu_readiness_file();

    ck_assert_int_ge(file, 0);
    for (size_t i = 0; i < 3; i++) {
        g_auto(Fixture) fixture = {.ready_file = file, .has_ready_file = true};
        const ViommuMachine *machine;

        if (i > 0)
            ck_assert_int_ge(pwrite(file, others[i - 1], strlen(others[i - 1]), 0), 0);
        begin_with_vsock(&fixture, VIOMMU_ERROR_BUSY);
        machine = fixture_find(&fixture, "one");
        ck_assert_int_eq(machine->told_ready, i == 1);
        if (i == 0)
            ck_assert(viommu_manager_told_ready(fixture.manager, 17));
        else if (i == 1)
            fake_tell(VIOMMU_NEWS_REBOOTED, UUID, NULL);
        fixture_await(&fixture, machine->told_ready == (i == 0));
    }
    close(file);
}
END_TEST

/* libvirt has not told the context yet. */
START_TEST(told_early)
{
    g_auto(Fixture) fixture = {0};

    begin_with_vsock(&fixture, VIOMMU_ERROR_BUSY);
    ck_assert(viommu_manager_told_ready(fixture.manager, 18));
    fixture_find(&fixture, "one")->reach.vsock_cid = 0;
    ck_assert(!viommu_manager_told_ready(fixture.manager, 17));
    fixture_find(&fixture, "one")->reach.vsock_cid = 17;
    ck_assert(viommu_manager_told_ready(fixture.manager, 17));
}
END_TEST

/* Its context may be another's next. */
START_TEST(told_by_a_guest_that_has_ended)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine;

    begin_with_vsock(&fixture, VIOMMU_ERROR_BUSY);
    machine = fixture_find(&fixture, "one");
    viommu_manager_told_ready(fixture.manager, 17);
    ck_assert(machine->told_ready);
    fake_end(UUID, VIOMMU_NEWS_DESTROYED, NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    ck_assert(!machine->told_ready);
    viommu_manager_told_ready(fixture.manager, 17);
    ck_assert(!machine->told_ready);
}
END_TEST

UNIT_MAIN("verifier", told_over_vsock, told_before_a_reboot, told_before_a_restart, told_early,
          told_by_a_guest_that_has_ended, by_its_agent, as_planned, a_launch_wants_a_level, by_its_console,
          disproved, out_of_time, in_the_middle_of_its_report, nothing_can_look, the_agent_breaks_libvirt,
          the_machine_ends, a_launch_is_proven, a_launch_is_not_proven, a_launch_is_stopped,
          a_launch_is_asked_for_again, so_many_wait_for_a_proof, the_daemon_ends, a_launch_is_ready,
          a_launch_is_not_ready)
