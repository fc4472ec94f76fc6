/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-kvm: KVM is proven once, by a guest of the fake backend; launches that may use KVM wait for
 * the verdict, and others do not. */
#include "tests/daemon/fixture.h"

#include <string.h>
#include "daemon/process/kvm-file.h"

#define KVM                                                                                               \
    "{'libvirt': <'9.0.0'>, 'arch': <'x86_64'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, " \
    "'accelerators': <['kvm', 'tcg']>, 'path': <'/usr/bin/qemu-system-x86_64'>}, "                        \
    "{'arch': <'aarch64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}]>}"
#define NO_KVM                                                                                            \
    "{'libvirt': <'9.0.0'>, 'arch': <'x86_64'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, " \
    "'accelerators': <['tcg']>}]>}"
#define AUTO "{'name': <'one'>}"

static void begin(Fixture *fixture, const char *stamp, ViommuKvm kvm, const char *reason)
{
    fixture_begin(fixture);
    fake_set_host(KVM);
    fake_set_kvm(stamp, kvm, reason);
}

static const ViommuKvmVerdict *verdict_of_host(Fixture *fixture, ViommuKvmVerdict *copy)
{
    const ViommuHost *host = viommu_hostinfo_host(viommu_manager_hostinfo(fixture->manager));

    if (!host || host->kvm == VIOMMU_UNSET)
        return NULL;
    *copy = (ViommuKvmVerdict){(ViommuKvm)host->kvm, host->kvm_reason};
    return copy;
}

/* Looks at the host, and waits until nothing is proven any more. */
static ViommuKvm looked(Fixture *fixture)
{
    g_auto(Answer) answer = {0};
    ViommuKvmVerdict copy;
    const ViommuKvmVerdict *verdict;

    fixture_launch(fixture, "{'name': <'look'>, 'arch': <'x86_64'>}", &answer);
    assert_went_well(&answer);
    g_auto(Answer) stopped = {0};
    fixture_stop(fixture, "look", 0, &stopped);
    verdict = verdict_of_host(fixture, &copy);
    ck_assert_ptr_nonnull(verdict);
    return verdict->kvm;
}

START_TEST(works)
{
    g_auto(Fixture) fixture = {0};
    g_autoptr(ViommuKvmVerdict) kept = NULL;

    begin(&fixture, "a", VIOMMU_KVM_WORKS, NULL);
    fixture_manage(&fixture);
    ck_assert_int_eq((int)fixture_machine(&fixture, AUTO)->accelerator, VIOMMU_ACCELERATOR_KVM);
    ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_WORKS);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 1);
    kept = viommu_kvm_recall(fixture.directory, "a");
    ck_assert(kept && kept->kvm == VIOMMU_KVM_WORKS);
    /* QEMU is upgraded, and its KVM is broken. */
    fake_set_kvm("b", VIOMMU_KVM_BROKEN, "it hangs");
    ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_BROKEN);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 2);
    ck_assert_ptr_null(viommu_kvm_recall(fixture.directory, "a"));
}
END_TEST

START_TEST(broken)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    const ViommuMachine *machine;

    begin(&fixture, "a", VIOMMU_KVM_BROKEN, "it hangs");
    fixture_manage(&fixture);
    machine = fixture_machine(&fixture, AUTO);
    ck_assert_int_eq((int)machine->accelerator, VIOMMU_ACCELERATOR_TCG);
    ck_assert_msg(strstr(machine->warnings[0], "KVM does not run guests on this host: it hangs"), "%s",
                  machine->warnings[0]);
    fixture_launch(&fixture, "{'name': <'two'>, 'accelerator': <'kvm'>}", &answer);
    assert_fails(&answer, VIOMMU_ERROR_NOT_SUPPORTED, "it hangs; use 'tcg'");
    /* What is not found out does not clear it, and is not asked again at once. */
    fake_set_kvm("b", VIOMMU_KVM_UNKNOWN, "no room");
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_BROKEN);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 2);
    fake_set_kvm("c", VIOMMU_KVM_WORKS, NULL);
    ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_WORKS);
}
END_TEST

START_TEST(unknown)
{
    g_auto(Fixture) fixture = {0};

    begin(&fixture, "a", VIOMMU_KVM_UNKNOWN, "no room");
    fixture_manage(&fixture);
    ck_assert_int_eq((int)fixture_machine(&fixture, AUTO)->accelerator, VIOMMU_ACCELERATOR_KVM);
    ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_UNKNOWN);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 1);
    ck_assert_ptr_null(viommu_kvm_recall(fixture.directory, "a"));
}
END_TEST

START_TEST(remembered)
{
    g_auto(Fixture) fixture = {0};
    g_autoptr(ViommuKvmVerdict) former = viommu_kvm_verdict_new(VIOMMU_KVM_BROKEN, "it hung");

    begin(&fixture, "a", VIOMMU_KVM_WORKS, NULL);
    ck_assert(viommu_kvm_remember(fixture.directory, former, "a"));
    fixture_manage(&fixture);
    ck_assert_int_eq((int)fixture_machine(&fixture, AUTO)->accelerator, VIOMMU_ACCELERATOR_TCG);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 0);
}
END_TEST

/* Nothing is started, and nothing is believed that was kept. */
START_TEST(the_site_says_no)
{
    g_auto(Fixture) fixture = {0};
    g_autoptr(ViommuKvmVerdict) former = viommu_kvm_verdict_new(VIOMMU_KVM_BROKEN, "it hung");
    ViommuKvmVerdict copy;

    begin(&fixture, "a", VIOMMU_KVM_BROKEN, "it hangs");
    ck_assert(viommu_kvm_remember(fixture.directory, former, "a"));
    fixture.config->policy.prove_kvm = false;
    fixture_manage(&fixture);
    ck_assert_int_eq((int)fixture_machine(&fixture, AUTO)->accelerator, VIOMMU_ACCELERATOR_KVM);
    fixture_settle(&fixture);
    ck_assert_ptr_null(verdict_of_host(&fixture, &copy));
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 0);
}
END_TEST

START_TEST(kvm_comes_and_goes)
{
    g_auto(Fixture) fixture = {0};
    ViommuKvmVerdict copy;

    begin(&fixture, "a", VIOMMU_KVM_BROKEN, "it hangs");
    fake_set_host(NO_KVM);
    fixture_manage(&fixture);
    ck_assert_int_eq((int)fixture_machine(&fixture, AUTO)->accelerator, VIOMMU_ACCELERATOR_TCG);
    ck_assert_ptr_null(verdict_of_host(&fixture, &copy));
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 0);
    fake_set_host(KVM);
    ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_BROKEN);
    fake_set_host(NO_KVM);
    (void)fixture_machine(&fixture, "{'name': <'two'>}");
    ck_assert_ptr_null(verdict_of_host(&fixture, &copy));
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 1);
}
END_TEST

START_TEST(others_do_not_wait)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, named = {0}, tcg = {0}, arm = {0};

    begin(&fixture, "a", VIOMMU_KVM_WORKS, NULL);
    fake_hold(FAKE_PROVE);
    fixture_manage(&fixture);
    fixture_begin_launch(&fixture, AUTO, &first);
    fixture_begin_launch(&fixture, "{'name': <'named'>, 'accelerator': <'kvm'>}", &named);
    fixture_await(&fixture, fake_hanging(FAKE_PROVE) == 1);
    fixture_launch(&fixture, "{'name': <'tcg'>, 'accelerator': <'tcg'>}", &tcg);
    assert_went_well(&tcg);
    fixture_launch(&fixture, "{'name': <'arm'>, 'arch': <'aarch64'>}", &arm);
    assert_went_well(&arm);
    ck_assert_uint_eq(first.n + named.n, 0);
    fake_release(FAKE_PROVE);
    fixture_await(&fixture, first.n == 1 && named.n == 1);
    ck_assert_int_eq((int)fixture_find(&fixture, "one")->accelerator, VIOMMU_ACCELERATOR_KVM);
    ck_assert_int_eq((int)fixture_find(&fixture, "named")->accelerator, VIOMMU_ACCELERATOR_KVM);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 1);
}
END_TEST

/* A launch does not wait longer than a proof may take, and then takes the rest for broken. */
START_TEST(it_hangs)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    const ViommuMachine *machine;

    begin(&fixture, "a", VIOMMU_KVM_WORKS, NULL);
    fixture.proof_seconds = 1;
    fake_hold(FAKE_PROVE);
    fixture_manage(&fixture);
    fixture_launch(&fixture, AUTO, &answer);
    assert_went_well(&answer);
    machine = fixture_find(&fixture, "one");
    ck_assert_int_eq((int)machine->accelerator, VIOMMU_ACCELERATOR_TCG);
    ck_assert_msg(strstr(machine->warnings[0], "neither running nor ended after 1 s"), "%s",
                  machine->warnings[0]);
    ck_assert_ptr_null(viommu_kvm_recall(fixture.directory, "a"));
    fake_release(FAKE_PROVE);
    fixture_settle(&fixture);
    ck_assert_int_eq((int)looked(&fixture), VIOMMU_KVM_WORKS);
}
END_TEST

/* What only took too long is not broken when the proof finds nothing out; what was found broken
 * stays so. */
START_TEST(it_is_slow)
{
    static const struct {
        ViommuKvm before, after;
    } rows[] = {
        {VIOMMU_KVM_WORKS, VIOMMU_KVM_UNKNOWN},
        {VIOMMU_KVM_BROKEN, VIOMMU_KVM_BROKEN},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0};

        begin(&fixture, "a", rows[i].before, "it hangs");
        fixture.proof_seconds = 1;
        fixture_manage(&fixture);
        ck_assert_int_eq((int)looked(&fixture), (int)rows[i].before);
        fake_set_kvm("b", VIOMMU_KVM_UNKNOWN, "this host is slow");
        fake_hold(FAKE_PROVE);
        fixture_launch(&fixture, AUTO, &answer);
        assert_went_well(&answer);
        ck_assert_int_eq((int)fixture_find(&fixture, "one")->accelerator, VIOMMU_ACCELERATOR_TCG);
        fake_release(FAKE_PROVE);
        fixture_settle(&fixture);
        ck_assert_int_eq((int)looked(&fixture), (int)rows[i].after);
    }
}
END_TEST

/* One proof at a time; and viommud's end cancels the proof that is under way, and begins none. */
START_TEST(viommud_ends)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, tcg = {0};
    int finished = -1;

    begin(&fixture, "a", VIOMMU_KVM_BROKEN, "it hangs");
    fake_hold(FAKE_PROVE);
    fixture_manage(&fixture);
    fixture_begin_launch(&fixture, AUTO, &first);
    fixture_await(&fixture, fake_hanging(FAKE_PROVE) == 1);
    /* The host is another one meanwhile, so the proof is to be made once more. */
    fake_set_kvm("b", VIOMMU_KVM_BROKEN, "it hangs");
    fixture_launch(&fixture, "{'name': <'tcg'>, 'accelerator': <'tcg'>}", &tcg);
    assert_went_well(&tcg);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 1);
    viommu_manager_end(fixture.manager, fixture_note_end, &finished);
    fake_release(FAKE_PROVE);
    fixture_await(&fixture, finished >= 0);
    fixture_settle(&fixture);
    ck_assert_uint_eq(first.n, 1);
    ck_assert_uint_eq(fake_calls(FAKE_PROVE), 1);
    ck_assert_ptr_null(viommu_kvm_recall(fixture.directory, "a"));
}
END_TEST

/* The launch goes on while the workers are freed, because it has its verdict then. */
START_TEST(ends_with_a_launch)
{
    g_auto(Answer) first = {0};
    g_auto(Fixture) fixture = {0};

    begin(&fixture, "a", VIOMMU_KVM_WORKS, NULL);
    fake_hold(FAKE_PROVE);
    fixture_manage(&fixture);
    fixture_begin_launch(&fixture, AUTO, &first);
    fixture_await(&fixture, fake_hanging(FAKE_PROVE) == 1);
    fixture_end(&fixture);
    ck_assert_uint_eq(first.n, 1);
}
END_TEST

UNIT_MAIN("kvm", works, broken, unknown, remembered, the_site_says_no, kvm_comes_and_goes, others_do_not_wait,
          it_hangs, it_is_slow, viommud_ends, ends_with_a_launch)
