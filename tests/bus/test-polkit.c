/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-polkit: who may manage others' machines, by the answers of a real polkitd. */
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bus/people.h"

/* Of those versions that read rules. */
static const char *const polkitds[] = {"/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd"};
static GPid polkit_pid;

static const char *find_polkitd(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(polkitds); i++)
        if (g_file_test(polkitds[i], G_FILE_TEST_IS_EXECUTABLE))
            return polkitds[i];
    return NULL;
}

static bool can_unshare(void)
{
    int status = 0;

    return g_spawn_command_line_sync("unshare -m true", NULL, NULL, &status, NULL) && status == 0;
}

static void end_polkit(void)
{
    if (!polkit_pid)
        return;
    kill(polkit_pid, SIGTERM);
    waitpid(polkit_pid, NULL, 0);
    polkit_pid = 0;
}

static char *write_below(const char *directory, const char *name, const char *text)
{
    char *path = g_build_filename(directory, name, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
    g_chmod(path, 0644);
    return path;
}

/* What is installed on this machine must not matter: polkitd gets a view of its own, with our action and @rule alone. */
static void write_polkit(const char *directory, const char *rule)
{
    g_autofree char *policy = NULL, *text = g_strdup_printf("polkit.addRule(function(action, subject) {\n"
                                                            "var there = '%s';\n%s\n});\n",
                                                            directory, rule);

    ck_assert_int_eq(g_mkdir(directory, 0777), 0);
    ck_assert_int_eq(g_chmod(directory, 0777), 0);
    ck_assert(g_file_get_contents(BUS_CONF "/org.viommu1.policy", &policy, NULL, NULL));
    g_free(write_below(directory, "org.viommu1.policy", policy));
    g_free(write_below(directory, "test.rules", text));
}

static bool has_polkit(Harness *harness)
{
    g_autoptr(sd_bus_message) reply = NULL;
    int owned = 0;

    return sd_bus_call_method(harness->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                              "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                              "org.freedesktop.PolicyKit1") >= 0 &&
           sd_bus_message_read(reply, "b", &owned) > 0 && owned;
}

/* A polkitd on the bus with one rule: @rule is the body of a function of action and subject. */
static void start_polkit(Harness *harness, const char *rule)
{
    static const char script[] =
        "for at in /usr/share/polkit-1/actions /usr/share/polkit-1/rules.d "
        "/etc/polkit-1/rules.d; do test ! -d $at || mount --bind \"$1\" $at || exit 1; done\n"
        "exec \"$2\" --no-debug";
    g_autofree char *directory = g_build_filename(harness->directory, "polkit", NULL);
    const char *arguments[] = {"unshare", "-m",      "sh",           "-c", script,
                               "polkitd", directory, find_polkitd(), NULL};
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "DBUS_SYSTEM_BUS_ADDRESS", harness->address, TRUE);
    g_autoptr(GError) error = NULL;

    write_polkit(directory, rule);
    ck_assert_msg(g_spawn_async(NULL, (char **)arguments, environment,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &polkit_pid,
                                &error),
                  "%s", error ? error->message : "");
    while (!has_polkit(harness)) {
        ck_assert_msg(waitpid(polkit_pid, NULL, WNOHANG) == 0, "polkitd ended");
        ck_assert_msg(g_get_monotonic_time() < end, "polkitd does not take its name");
        g_usleep(5000);
    }
}

/* Tells a rule to go on, or waits until one is there. */
static void touch(Harness *harness, const char *name)
{
    g_autofree char *path = g_build_filename(harness->directory, "polkit", name, NULL);

    ck_assert(g_file_set_contents(path, "", 0, NULL));
}

static void untouch(Harness *harness)
{
    static const char *const names[] = {"go", "asked"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(harness->directory, "polkit", names[i], NULL);
        ck_assert_int_eq(g_remove(path), 0);
    }
}

static void wait_for(Harness *harness, const char *name)
{
    g_autofree char *path = g_build_filename(harness->directory, "polkit", name, NULL);
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;

    while (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        ck_assert_msg(g_get_monotonic_time() < end, "polkit is not asked");
        g_usleep(5000);
    }
}

/* Polkit is told of the machine and its owner. */
static const char rule_yes[] =
    "return action.id == 'org.viommu1.manage-all' && action.lookup('machine') == 'theirs' &&\n"
    "    ['kill', 'reset', 'read the configuration of'].indexOf(action.lookup('operation')) >= 0 &&\n"
    "    action.lookup('owner') == '0' ? polkit.Result.YES : polkit.Result.NO;";
static const char rule_no[] = "return polkit.Result.NO;";
static const char rule_none[] = "return polkit.Result.NOT_HANDLED;";
static const char rule_slow[] = "polkit.spawn(['/bin/sh', '-c', 'cd ' + there + '; touch asked; until [ -e "
                                "go ]; do sleep 0.02; done']);\n"
                                "return polkit.Result.YES;";

START_TEST(polkit_absent)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    people_assert_refused(
        member, people_on_machine(member, path, "Kill"),
        "'Kill' of machine 'theirs', which is not yours to manage, needs org.viommu1.manage-all: "
        "polkit is not on the bus to be asked; install and start polkitd");
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

    start_polkit(harness, rule_yes);
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        people_allow(member, people_on_machine(member, path, members[i]));
    ck_assert_uint_eq(harness_count(harness), 1);
    /* A yes was for that one. */
    people_assert_refused(member, people_on_machine(member, secret, "Kill"), "polkit says no");
    /* To manage is not to see. */
    people_assert_refused(member, people_get_all(member, secret), "only Name, State and Result");
    end_polkit();
}
END_TEST

START_TEST(polkit_no)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"), *own = NULL;
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);

    start_polkit(harness, rule_no);
    people_assert_refused(member, people_on_machine(member, path, "Kill"), "polkit says no");
    harness_assert_property(harness, path, "State", "'running'");
    /* About one's own machines polkit is not asked. */
    own = people_launch(member, "mine");
    people_allow(member, people_on_machine(member, own, "Kill"));
    end_polkit();
}
END_TEST

START_TEST(polkit_password)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    sd_bus_message *call;

    /* As installed: auth_admin. */
    start_polkit(harness, rule_none);
    people_assert_refused(member, people_on_machine(member, path, "Kill"),
                          "polkit wants a password, and the call does not allow to ask for one");
    call = people_on_machine(member, path, "Kill");
    ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(call, 1), 0);
    people_assert_refused(member, call, "there is no authentication agent");
    harness_assert_property(harness, path, "State", "'running'");
    end_polkit();
}
END_TEST

START_TEST(polkit_gone)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs"), *again = NULL;
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) answer = NULL;
    HarnessPending pending;

    start_polkit(harness, rule_slow);
    harness_send(member, people_on_machine(member, path, "Kill"), &pending);
    ck_assert_int_ge(sd_bus_flush(member), 0);
    wait_for(harness, "asked");
    /* Others are served meanwhile.  A machine of the same name is another machine. */
    harness_stop(harness, path, -1);
    again = people_launch(harness->bus, "theirs");
    touch(harness, "go");
    answer = harness_answer(&pending);
    people_assert_error(answer, "NotFound", path);
    harness_assert_property(harness, again, "State", "'running'");
    end_polkit();
}
END_TEST

START_TEST(polkit_flood)
{
    g_autoptr(Harness) harness = people_new_system();
    g_autofree char *path = people_launch(harness->bus, "theirs");
    g_autoptr(sd_bus) member = harness_connect_as(harness, PEOPLE_MEMBER);
    g_autoptr(sd_bus_message) refused = NULL;
    HarnessPending pending[32];

    start_polkit(harness, rule_slow);
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(member, people_on_machine(member, path, "GetDomainXML"), &pending[i]);
    refused = people_exchange(member, people_on_machine(member, path, "Kill"));
    people_assert_error(refused, "Busy", "polkit has 32 questions");
    touch(harness, "go");
    for (size_t i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        ck_assert(!sd_bus_message_is_method_error(answer, NULL));
    }
    /* And there is room again. */
    people_allow(member, people_on_machine(member, path, "GetDomainXML"));
    end_polkit();
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

    start_polkit(harness, rule_slow);
    harness_send(member, people_on_machine(member, path, "Kill"), &pending);
    ck_assert_int_ge(sd_bus_flush(member), 0);
    wait_for(harness, "asked");
    sd_bus_flush_close_unref(member);
    touch(harness, "go");
    /* What was asked for and allowed is done, whether somebody waits for it or not. */
    while (harness_count(harness) == 2)
        g_usleep(5000);
    untouch(harness);

    /* The daemon ends with a question open. */
    harness_send(stays, people_on_machine(stays, other, "Kill"), &pending);
    ck_assert_int_ge(sd_bus_flush(stays), 0);
    wait_for(harness, "asked");
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    touch(harness, "go");
    end_polkit();
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"polkit-absent", &polkit_absent},   {"polkit-yes", &polkit_yes},
    {"polkit-no", &polkit_no},           {"polkit-password", &polkit_password},
    {"polkit-gone", &polkit_gone},       {"polkit-flood", &polkit_flood},
    {"polkit-leaving", &polkit_leaving}, {NULL, NULL},
};

/* Why @scenario cannot run here; NULL: it can. */
static const char *find_obstacle(const char *scenario)
{
    if (g_strcmp0(scenario, "polkit-absent") == 0)
        return NULL;
    if (!find_polkitd())
        return "polkitd is not installed, or is too old for rules";
    return can_unshare() ? NULL : "polkitd needs a mount namespace of its own, and 'unshare -m' fails";
}

int main(int argc, char **argv)
{
    atexit(end_polkit);
    return people_main(argc, argv, scenarios, find_obstacle(argv[1]));
}
