/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-agent-trust: which agents are no longer asked; no user is blamed for another user's
 * guest. */
#include "tests/unit/unit.h"

#include <string.h>
#include "daemon/machines/agent-trust.h"

enum {
    MALLORY = 1000,
    ALICE = 1001,
    BOB = 1002
};

static const ViommuAgentsGuest mallorys[] = {{"m0", MALLORY}, {"m1", MALLORY}, {"m2", MALLORY}};
static const ViommuAgentsGuest alices[] = {
    {"a0", ALICE}, {"a1", ALICE}, {"a2", ALICE}, {"a3", ALICE}, {"a4", ALICE}};
static const ViommuAgentsGuest bobs[] = {{"b0", BOB}};

static void ask(ViommuAgents *agents, const ViommuAgentsGuest *guest, bool broke)
{
    ck_assert(viommu_agents_begin(agents, guest));
    ck_assert_int_eq(viommu_agents_end(agents, guest, broke), broke);
}

static void assert_refused(ViommuAgents *agents, const ViommuAgentsGuest *guest, const char *words)
{
    const char *why = viommu_agents_refusal(agents, guest);

    ck_assert_msg(words ? why && strstr(why, words) : !why, "%s: %s", guest->uuid, why ? why : "asked");
}

START_TEST(a_site_without)
{
    ViommuAgents *agents = viommu_agents_new(false);

    assert_refused(agents, &alices[0], "[verify] agent=no");
    viommu_agents_unref(agents);
}
END_TEST

START_TEST(once_for_a_guest_and_twice_for_a_user)
{
    ViommuAgents *agents = viommu_agents_new(true);

    ask(agents, &mallorys[0], false);
    assert_refused(agents, &mallorys[0], NULL);
    ask(agents, &mallorys[0], true);
    assert_refused(agents, &mallorys[0], "its agent is no longer asked");
    assert_refused(agents, &mallorys[1], NULL);
    ask(agents, &mallorys[1], true);
    assert_refused(agents, &mallorys[2], "of its owner's guests");
    assert_refused(agents, &alices[0], NULL);
    viommu_agents_unref(agents);
}
END_TEST

START_TEST(one_at_a_time)
{
    ViommuAgents *agents = viommu_agents_new(true);

    ck_assert(viommu_agents_begin(agents, &alices[0]));
    ck_assert(!viommu_agents_begin(agents, &alices[1]));
    ck_assert(viommu_agents_begin(agents, &bobs[0]));
    ck_assert(!viommu_agents_end(agents, &alices[0], false));
    ck_assert(viommu_agents_begin(agents, &alices[1]));
    viommu_agents_unref(agents);
}
END_TEST

static void die(ViommuAgents *agents, const ViommuAgentsGuest *one, const ViommuAgentsGuest *other)
{
    ck_assert(viommu_agents_begin(agents, one));
    ck_assert(viommu_agents_begin(agents, other));
    viommu_agents_end(agents, one, true);
    viommu_agents_end(agents, other, true);
    assert_refused(agents, one, "its agent is no longer asked");
    assert_refused(agents, other, "its agent is no longer asked");
}

/* The user who was asked both times is the cause, not one who was asked once. */
START_TEST(shared_suspicion)
{
    ViommuAgents *agents = viommu_agents_new(true);

    die(agents, &mallorys[0], &alices[0]);
    die(agents, &bobs[0], &mallorys[1]);
    assert_refused(agents, &mallorys[2], "of its owner's guests");
    assert_refused(agents, &alices[1], NULL);
    assert_refused(agents, &(ViommuAgentsGuest){"b1", BOB}, NULL);
    viommu_agents_unref(agents);
}
END_TEST

/* Of two users who were asked each time, the cause is unknown until one is asked without the other,
 * or too often. */
START_TEST(ambiguous)
{
    ViommuAgents *agents = viommu_agents_new(true);

    die(agents, &mallorys[0], &alices[0]);
    die(agents, &mallorys[1], &alices[1]);
    assert_refused(agents, &mallorys[2], NULL);
    assert_refused(agents, &alices[2], NULL);
    ask(agents, &mallorys[2], true);
    assert_refused(agents, &(ViommuAgentsGuest){"m3", MALLORY}, "of its owner's guests");
    assert_refused(agents, &alices[2], NULL);
    viommu_agents_unref(agents);
}
END_TEST

/* A user who was asked while the connection held is not suspected later. */
START_TEST(cleared)
{
    ViommuAgents *agents = viommu_agents_new(true);

    ck_assert(viommu_agents_begin(agents, &bobs[0]));
    ask(agents, &mallorys[0], true);
    ck_assert(!viommu_agents_end(agents, &bobs[0], false));
    assert_refused(agents, &bobs[0], NULL);
    /* So Mallory alone was the cause, and bears all the weight. */
    ask(agents, &mallorys[1], true);
    assert_refused(agents, &mallorys[2], "of its owner's guests");
    /* The next crash is Bob's own: two are enough. */
    ask(agents, &bobs[0], true);
    ask(agents, &(ViommuAgentsGuest){"b1", BOB}, true);
    assert_refused(agents, &(ViommuAgentsGuest){"b2", BOB}, "of its owner's guests");
    viommu_agents_unref(agents);
}
END_TEST

UNIT_MAIN("agents", a_site_without, once_for_a_guest_and_twice_for_a_user, one_at_a_time, shared_suspicion,
          ambiguous, cleared)
