/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-polkit: which users may manage other users' machines, with the answers of a real polkitd. */
#include <signal.h>
#include <unistd.h>
#include "tests/bus/people.h"
#include "tests/bus/polkit.h"

/* polkit gets the machine and its owner. */
static const char rule_yes[] =
    "return action.id == 'org.viommu1.manage-all' && action.lookup('machine') == 'theirs' &&\n"
    "    ['kill', 'reset', 'read the configuration of'].indexOf(action.lookup('operation')) >= 0 &&\n"
    "    action.lookup('owner') == '0' ? polkit.Result.YES : polkit.Result.NO;";
static const char rule_no[] = "return polkit.Result.NO;";
static const char rule_none[] = "return polkit.Result.NOT_HANDLED;";
static const char rule_slow[] = "polkit.spawn(['/bin/sh', '-c', 'cd ' + there + '; touch asked; while [ -e "
                                "asked ] && [ ! -e go ]; do sleep 0.02; done']);\n"
                                "return polkit.Result.YES;";

START_TEST(polkit_absent)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    people_assert_refused(
        member, people_on_machine(member, path, "Kill"),
        "'Kill' on machine 'theirs', which belongs to another user, needs org.viommu1.manage-all: "
        "polkit is not running; install and start polkitd");
    harness_assert_property(harness, path, "State", "'running'");
}
END_TEST

START_TEST(polkit_yes)
{
    static const char *const members[] = {"GetDomainXML", "Reset", "Kill"};
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"),
                    *secret = people_launch(harness->bus, "other");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    polkit_start(harness, rule_yes);
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        people_allow(member, people_on_machine(member, path, members[i]));
    ck_assert_uint_eq(harness_count(harness), 1);
    /* The permission was for that machine. */
    people_assert_refused(member, people_on_machine(member, secret, "Kill"), "polkit denied it");
    /* The right to manage is not the right to see. */
    people_assert_refused(member, people_get_all(member, secret), "only its Name, State and Result");
    polkit_end();
}
END_TEST

/* Each method and its word, which viommud(8) promises to rules. */
static const struct {
    const char *member, *word;
} operations[] = {
    {"Stop", "stop"},
    {"Kill", "kill"},
    {"Reset", "reset"},
    {"Suspend", "suspend"},
    {"Resume", "resume"},
    {"Extend", "extend the lease of"},
    {"OpenConsole", "use the console of"},
    {"Verify", "verify the IOMMU of"},
    {"AwaitReady", "wait for the agent of"},
    {"Exec", "run a command in"},
    {"DetachDevice", "detach a device from"},
    {"GetDomainXML", "read the configuration of"},
};
static const char rule_words[] =
    "polkit.spawn(['/bin/sh', '-c', 'echo \"$1\" >>\"$2\"/log', 'sh', action.lookup('operation'), there]);\n"
    "return polkit.Result.NO;";

START_TEST(polkit_words)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"), *text = NULL;
    g_autofree char *log = g_build_filename(harness->directory, "polkit", "log", NULL);
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(GString) expected = g_string_new(NULL);

    polkit_start(harness, rule_words);
    for (size_t i = 0; i < G_N_ELEMENTS(operations); i++) {
        people_assert_refused(member, people_on_machine(member, path, operations[i].member),
                              "polkit denied it");
        g_string_append_printf(expected, "%s\n", operations[i].word);
    }
    ck_assert(g_file_get_contents(log, &text, NULL, NULL));
    ck_assert_str_eq(text, expected->str);
    polkit_end();
}
END_TEST

START_TEST(polkit_no)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"), *own = NULL;
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    polkit_start(harness, rule_no);
    people_assert_refused(member, people_on_machine(member, path, "Kill"), "polkit denied it");
    harness_assert_property(harness, path, "State", "'running'");
    /* polkit is not asked about the caller's own machines. */
    own = people_launch(member, "mine");
    people_allow(member, people_on_machine(member, own, "Kill"));
    polkit_end();
}
END_TEST

START_TEST(polkit_password)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    sd_bus_message *call;

    /* As installed: auth_admin. */
    polkit_start(harness, rule_none);
    people_assert_refused(member, people_on_machine(member, path, "Kill"),
                          "polkit needs a password, and the call does not allow interactive authorization");
    call = people_on_machine(member, path, "Kill");
    ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(call, 1), 0);
    people_assert_refused(member, call, "no authentication agent is running");
    harness_assert_property(harness, path, "State", "'running'");
    polkit_end();
}
END_TEST

START_TEST(polkit_gone)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"), *again = NULL;
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) answer = NULL;
    HarnessPending pending;

    polkit_start(harness, rule_slow);
    harness_send(member, people_on_machine(member, path, "Kill"), &pending);
    ck_assert_int_ge(sd_bus_flush(member), 0);
    polkit_wait(harness, "asked");
    /* Other users are served meanwhile.  A new machine of the same name is another machine. */
    harness_stop(harness, path, -1);
    again = people_launch(harness->bus, "theirs");
    polkit_touch(harness, "go");
    answer = harness_answer(&pending);
    people_assert_error(answer, "NotFound", path);
    harness_assert_property(harness, again, "State", "'running'");
    polkit_end();
}
END_TEST

START_TEST(polkit_flood)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) refused = NULL;
    HarnessPending pending[32];

    polkit_start(harness, rule_slow);
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(member, people_on_machine(member, path, "GetDomainXML"), &pending[i]);
    refused = people_exchange(member, people_on_machine(member, path, "Kill"));
    people_assert_error(refused, "Busy", "polkit already has 32 pending questions");
    polkit_touch(harness, "go");
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        ck_assert(!sd_bus_message_is_method_error(answer, NULL));
    }
    /* There is room again. */
    people_allow(member, people_on_machine(member, path, "GetDomainXML"));
    polkit_end();
}
END_TEST

/* How many questions a user may have open while @others have so many. */
static unsigned share_beside(unsigned others)
{
    return MIN((96 - others + 1) / 2, 32);
}

static void leave(void *data)
{
    sd_bus_flush_close_unref(data);
}

/* Users of every system.  The bus itself would end more than 128 calls of viommud. */
START_TEST(polkit_flood_of_many)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"), *another = NULL;
    g_autoptr(GPtrArray) users = g_ptr_array_new_with_free_func(leave);
    g_autoptr(sd_bus_message) refused = NULL;
    HarnessPending pending[96];
    unsigned n = 0;

    polkit_start(harness, rule_slow);
    for (uid_t uid = 1; n < G_N_ELEMENTS(pending); uid++) {
        g_autoptr(sd_bus_message) too_many = NULL;
        sd_bus *user = harness_connect_as(harness, uid);
        unsigned share = share_beside(n);
        g_autofree char *words =
            share == 32 ? g_strdup_printf("polkit already has 32 pending questions about user %u", uid)
                        : g_strdup_printf("polkit already has %u pending questions, %u of "
                                          "them about user %u",
                                          n + share, share, uid);

        g_ptr_array_add(users, user);
        for (unsigned i = 0; i < share; i++)
            harness_send(user, people_on_machine(user, path, "GetDomainXML"), &pending[n + i]);
        n += share;
        too_many = people_exchange(user, people_on_machine(user, path, "GetDomainXML"));
        people_assert_error(too_many, "Busy", words);
    }
    /* The last user has no room, and viommud's other calls to the bus are answered. */
    g_ptr_array_add(users, harness_connect_as(harness, PEOPLE_MEMBER));
    refused = people_exchange(users->pdata[users->len - 1],
                              people_on_machine(users->pdata[users->len - 1], path, "Kill"));
    people_assert_error(refused, "Busy",
                        "polkit already has 96 pending questions, 0 of them about user 65534");
    people_assert_error(refused, "Busy", "try again later, or ask root");
    people_allow(users->pdata[0], people_get(users->pdata[0], path, "Name"));
    another = people_launch(harness->bus, "another");
    harness_stop(harness, another, -1);
    polkit_touch(harness, "go");
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        ck_assert(!sd_bus_message_is_method_error(answer, NULL));
    }
    /* There is room again. */
    people_allow(users->pdata[users->len - 1],
                 people_on_machine(users->pdata[users->len - 1], path, "GetDomainXML"));
    polkit_end();
}
END_TEST

START_TEST(polkit_leaving)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"),
                    *other = people_launch(harness->bus, "other");
    sd_bus *member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus) stays = harness_connect_as(harness, PEOPLE_MEMBER);
    HarnessPending pending;

    polkit_start(harness, rule_slow);
    harness_send(member, people_on_machine(member, path, "Kill"), &pending);
    ck_assert_int_ge(sd_bus_flush(member), 0);
    polkit_wait(harness, "asked");
    sd_bus_flush_close_unref(member);
    polkit_touch(harness, "go");
    /* What polkit allowed is done, whether or not the caller still waits. */
    while (harness_count(harness) == 2)
        g_usleep(5000);
    polkit_untouch(harness);

    /* The daemon ends with a question open. */
    harness_send(stays, people_on_machine(stays, other, "Kill"), &pending);
    ck_assert_int_ge(sd_bus_flush(stays), 0);
    polkit_wait(harness, "asked");
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    polkit_touch(harness, "go");
    polkit_end();
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"polkit-absent", &polkit_absent},
    {"polkit-yes", &polkit_yes},
    {"polkit-no", &polkit_no},
    {"polkit-password", &polkit_password},
    {"polkit-gone", &polkit_gone},
    {"polkit-flood", &polkit_flood},
    {"polkit-words", &polkit_words},
    {"polkit-leaving", &polkit_leaving},
    {"polkit-flood-of-many", &polkit_flood_of_many},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    /* Without polkit on the bus the test can always run. */
    bool absent = g_strcmp0(argv[1], "polkit-absent") == 0;

    return people_main(argc, argv, scenarios, absent ? NULL : polkit_obstacle());
}
