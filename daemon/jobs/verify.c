/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify: a timer that looks each second, and one question to the agent at a time. */
#include "daemon/jobs/verify.h"

#include <string.h>
#include "daemon/jobs/guest-report.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"

#define LOOK_USEC G_USEC_PER_SEC
/* A guest that is printing its report when the time is over may complete it, which takes an
 * emulated guest seconds.  A report that never ends gets no more time. */
#define MORE_SEC 10

/* One question to the agent.  It may outlive its verification. */
typedef struct Question {
    ViommuVerify *verify; /* NULL: the answer is no longer needed.  Loop thread only. */
    ViommuVerifyGoal goal;
    bool isolate; /* the guest is to show that its IOMMU stops a device */
    ViommuBackend *backend;
    char *uuid;
    uint32_t owner_uid;
    ViommuAgents *agents; /* a reference */
    int dropped;          /* atomic: the worker reads it, too */
    bool broke;
    char *output;
    GError *error;
} Question;

struct ViommuVerify {
    ViommuVerifyContext context;
    ViommuVerifyCalls calls;
    ViommuVerifyGoal goal;
    char uuid[37];
    uint64_t seconds, end_usec;
    sd_event_source *timer;
    Question *question; /* under way; NULL: none */
    /* for one round after an answer, so that the owner's other guests get their turn */
    bool rests;
    bool no_agent;     /* there is no usable agent: asking again is useless */
    char *agent_words; /* why it gave no report; NULL: it did, or was not asked yet */
    char *cause;       /* why the last report proves nothing; NULL: there was none */
    const char *lacks; /* what the IOMMU was not in it; static */
};

static const ViommuVerifyWords goals[] = {
    [VIOMMU_VERIFY_READY] = {VIOMMU_ERROR_NOT_READY, "ready", "become ready"},
    [VIOMMU_VERIFY_IOMMU] = {VIOMMU_ERROR_NOT_VERIFIED, "verify", "be verified"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(goals) == VIOMMU_VERIFY_LAST);

const ViommuVerifyWords *viommu_verify_words(ViommuVerifyGoal goal)
{
    return &goals[goal];
}

static void free_question(Question *question)
{
    viommu_agents_unref(question->agents);
    g_free(question->uuid);
    g_free(question->output);
    g_clear_error(&question->error);
    g_free(question);
}

void viommu_verify_free(ViommuVerify *verify)
{
    if (!verify)
        return;
    if (verify->question) {
        g_atomic_int_set(&verify->question->dropped, 1);
        verify->question->verify = NULL;
    }
    sd_event_source_disable_unref(verify->timer);
    g_free(verify->agent_words);
    g_free(verify->cause);
    g_free(verify);
}

const char *viommu_verify_uuid(const ViommuVerify *verify)
{
    return verify->uuid;
}

void viommu_verify_hurry(ViommuVerify *verify)
{
    (void)sd_event_source_set_time_relative(verify->timer, 0);
}

/* --- The end --- */

static void finish_failed(ViommuVerify *verify, GError *taken)
{
    g_autoptr(GError) error = taken;

    verify->calls.done(verify, NULL, error, verify->calls.userdata);
}

/* NULL: of a machine without an IOMMU. */
static void put_texts(GVariantDict *dict, const char *key, char **texts)
{
    if (texts)
        g_variant_dict_insert_value(dict, key, g_variant_new_strv((const char *const *)texts, -1));
}

static void finish_proven(ViommuVerify *verify, const char *by, const ViommuReport *report,
                          const ViommuProof *proof)
{
    g_autoptr(GVariant) answer = NULL;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert(&dict, "by", "s", by);
    g_variant_dict_insert_value(&dict, "iommus", g_variant_new_strv((const char *const *)report->iommus, -1));
    g_variant_dict_insert(&dict, "groups", "t", report->groups);
    g_variant_dict_insert(&dict, "devices", "t", report->devices);
    g_variant_dict_insert(&dict, "kernel", "s", report->kernel);
    put_texts(&dict, "outside", report->outside);
    if (proof->shown)
        g_variant_dict_insert(&dict, "level", "s",
                              viommu_enum_to_string(&viommu_enum_level, (int)proof->level));
    put_texts(&dict, "attributes", proof->shown);
    put_texts(&dict, "not-shown", proof->not_shown);
    if (viommu_report_interrupts(report))
        g_variant_dict_insert(&dict, "interrupts", "s", viommu_report_interrupts(report));
    if (proof->cause)
        g_variant_dict_insert(&dict, "note", "s", proof->cause);
    answer = g_variant_ref_sink(g_variant_dict_end(&dict));
    verify->calls.done(verify, answer, NULL, verify->calls.userdata);
}

static const char *console_words(const ViommuVerify *verify)
{
    return verify->context.has_consoles
               ? "its console showed no report: run viommu's guest-report in the guest at the end of its boot"
               : "viommud cannot read its console";
}

static bool is_reporting(const ViommuMachine *machine)
{
    return machine->console && viommu_console_is_reporting(machine->console);
}

static const char *agent_words(const ViommuVerify *verify)
{
    return verify->agent_words ? verify->agent_words : "its agent was not asked yet";
}

/* Its systemd may tell over vsock that it is ready. */
static bool may_tell(const ViommuVerify *verify, const ViommuMachine *machine)
{
    return verify->goal == VIOMMU_VERIFY_READY && verify->context.hears_ready &&
           (machine->reach_kinds & VIOMMU_BIT(VIOMMU_REACH_VSOCK));
}

static GError *out_of_time(const ViommuVerify *verify, const ViommuMachine *machine)
{
    if (verify->goal == VIOMMU_VERIFY_READY)
        return g_error_new(
            VIOMMU_ERROR, VIOMMU_ERROR_NOT_READY,
            "machine '%s' was not ready after %" G_GUINT64_FORMAT " seconds: %s%s", machine->name,
            verify->seconds, agent_words(verify),
            may_tell(verify, machine) ? ", and viommud has heard nothing of its systemd over vsock" : "");
    if (is_reporting(machine))
        return g_error_new(
            VIOMMU_ERROR, VIOMMU_ERROR_NOT_VERIFIED,
            "machine '%s' was reporting on its IOMMU when its %" G_GUINT64_FORMAT
            " seconds were over, and its report did not end within %d more; give it more time (--timeout, or verify-timeout in viommud.conf(5))",
            machine->name, verify->seconds, MORE_SEC);
    if (verify->cause)
        return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_NOT_VERIFIED,
                           "the IOMMU of machine '%s' was not %s after %" G_GUINT64_FORMAT " seconds: %s",
                           machine->name, verify->lacks, verify->seconds, verify->cause);
    return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_NOT_VERIFIED,
                       "machine '%s' did not report on its IOMMU within %" G_GUINT64_FORMAT
                       " seconds: %s; %s",
                       machine->name, verify->seconds, agent_words(verify), console_words(verify));
}

/* --- A report --- */

/* True: the verification has ended, and @verify is freed. */
static bool judge(ViommuVerify *verify, const ViommuMachine *machine, const char *by,
                  const ViommuReport *report)
{
    const ViommuProofWanted wanted = {machine->model, machine->proof};
    g_auto(ViommuProof) proof = viommu_proof_judge(&wanted, report);

    switch (proof.verdict) {
    case VIOMMU_PROOF_PROVEN:
        finish_proven(verify, by, report, &proof);
        return true;
    case VIOMMU_PROOF_DISPROVED:
        finish_failed(verify, g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_NOT_VERIFIED,
                                          "the IOMMU of machine '%s' is not %s: %s", machine->name,
                                          proof.lacks, proof.cause));
        return true;
    case VIOMMU_PROOF_PENDING:
    case VIOMMU_PROOF_LAST:
        break;
    }
    g_free(verify->cause);
    verify->cause = g_strdup(proof.cause);
    verify->lacks = proof.lacks;
    return false;
}

/* A running machine, or NULL when @verify is freed. */
static ViommuMachine *find_machine(ViommuVerify *verify)
{
    ViommuMachine *machine = verify->calls.find(verify->uuid, verify->calls.userdata);

    if (machine && machine->state == VIOMMU_STATE_RUNNING && !viommu_pause_is_trouble(machine->pause))
        return machine;
    if (machine && machine->state == VIOMMU_STATE_RUNNING) {
        finish_failed(verify, g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "the guest is paused: %s",
                                          viommu_pause_words(machine->pause)));
        return NULL;
    }
    finish_failed(
        verify, g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BUSY, "the machine is %s and cannot %s",
                            machine ? viommu_enum_to_string(&viommu_enum_state, (int)machine->state) : "gone",
                            goals[verify->goal].done));
    return NULL;
}

/* --- The agent --- */

static void run_report(Question *question)
{
    g_autofree char *script =
        g_strconcat(question->isolate ? "set -- --isolate\n" : "", viommu_guest_report, NULL);

    question->output = viommu_backend_run_in_guest(question->backend, question->uuid, script,
                                                   &question->broke, &question->error);
}

static void work_ask(void *data)
{
    Question *question = data;

    if (g_atomic_int_get(&question->dropped))
        return;
    if (question->goal == VIOMMU_VERIFY_READY)
        (void)viommu_backend_ping_guest(question->backend, question->uuid, &question->broke,
                                        &question->error);
    else
        run_report(question);
}

/* Asking again is useless.  False: the verification has ended, and @verify is freed. */
static bool give_up_agent(ViommuVerify *verify, const ViommuMachine *machine, const char *words)
{
    g_free(verify->agent_words);
    verify->agent_words = g_strdup(words);
    verify->no_agent = true;
    if ((verify->goal == VIOMMU_VERIFY_IOMMU && verify->context.has_consoles) || may_tell(verify, machine))
        return true;
    finish_failed(verify, verify->goal == VIOMMU_VERIFY_READY
                              ? g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED,
                                            "machine '%s' cannot become ready: %s", machine->name, words)
                              : g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED,
                                            "machine '%s' cannot be verified: %s, and %s", machine->name,
                                            words, console_words(verify)));
    return false;
}

static bool is_final(const GError *error)
{
    return g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND) ||
           g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED);
}

static void take_answer(ViommuVerify *verify, const Question *question)
{
    g_autoptr(ViommuReport) report =
        question->output ? viommu_report_find(question->output, strlen(question->output)) : NULL;
    ViommuMachine *machine = find_machine(verify);

    if (!machine)
        return;
    if (verify->goal == VIOMMU_VERIFY_READY && !question->error) {
        verify->calls.done(verify, NULL, NULL, verify->calls.userdata);
        return;
    }
    g_clear_pointer(&verify->agent_words, g_free);
    if (report) {
        judge(verify, machine, "agent", report);
        return;
    }
    if (is_final(question->error))
        (void)give_up_agent(verify, machine, question->error->message);
    else
        verify->agent_words =
            g_strdup(question->error ? question->error->message : "its agent's shell printed no report");
}

/* Also when the answer is no longer needed, because its effect on the connection counts. */
static void settle_question(const Question *question)
{
    const ViommuAgentsGuest guest = {question->uuid, question->owner_uid};
    ViommuVerify *verify = question->verify;
    ViommuMachine *machine;

    if (!viommu_agents_end(question->agents, &guest, question->broke))
        return;
    if (!verify) {
        const ViommuLogFields fields = {.machine_uuid = question->uuid};

        viommu_log_error(LOG_WARNING, &fields, question->error,
                         "asking an agent for a report that no call waits for");
        return;
    }
    machine = verify->calls.find(verify->uuid, verify->calls.userdata);
    if (machine)
        verify->calls.broke(machine, question->error, verify->calls.userdata);
}

static void done_ask(void *data)
{
    Question *question = data;
    ViommuVerify *verify = question->verify;

    settle_question(question);
    if (verify) {
        verify->question = NULL;
        verify->rests = true;
        take_answer(verify, question);
    }
    free_question(question);
}

/* False: the verification has ended, and @verify is freed. */
static bool ask_agent(ViommuVerify *verify, const ViommuMachine *machine)
{
    const ViommuAgentsGuest guest = {verify->uuid, machine->owner_uid};
    const char *refusal = viommu_agents_refusal(verify->context.agents, &guest);
    Question *question;

    if (refusal)
        return give_up_agent(verify, machine, refusal);
    if (!viommu_agents_begin(verify->context.agents, &guest))
        return true;
    question = g_new0(Question, 1);
    question->agents = viommu_agents_ref(verify->context.agents);
    question->owner_uid = machine->owner_uid;
    question->verify = verify;
    question->goal = verify->goal;
    question->isolate = viommu_proof_wanted_level(machine->proof) == VIOMMU_LEVEL_ISOLATING;
    question->backend = verify->context.backend;
    question->uuid = g_strdup(verify->uuid);
    verify->question = question;
    viommu_worker_run(verify->context.askers, VIOMMU_WORKER_NOBODY, work_ask, done_ask, question);
    return true;
}

/* --- Round after round --- */

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuVerify *verify = userdata;
    ViommuMachine *machine = verify->calls.find(verify->uuid, verify->calls.userdata);
    bool listens = machine && machine->console && verify->goal == VIOMMU_VERIFY_IOMMU;
    g_autoptr(ViommuReport) report = listens ? viommu_console_report(machine->console) : NULL;
    uint64_t end_usec;

    /* The last output of a guest that has ended counts, too. */
    if (report && judge(verify, machine, "console", report))
        return 0;
    machine = find_machine(verify);
    if (!machine)
        return 0;
    if (machine->told_ready && verify->goal == VIOMMU_VERIFY_READY) {
        verify->calls.done(verify, NULL, NULL, verify->calls.userdata);
        return 0;
    }
    end_usec = verify->end_usec + (listens && is_reporting(machine) ? MORE_SEC * G_USEC_PER_SEC : 0);
    if ((uint64_t)g_get_monotonic_time() >= end_usec) {
        finish_failed(verify, out_of_time(verify, machine));
        return 0;
    }
    if (!verify->question && !verify->no_agent && !verify->rests && !ask_agent(verify, machine))
        return 0;
    verify->rests = false;
    (void)sd_event_source_set_time_relative(source, LOOK_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

ViommuVerify *viommu_verify_new(const ViommuVerifyContext *context, const ViommuVerifyAim *aim,
                                const ViommuVerifyCalls *calls, GError **error)
{
    ViommuVerify *verify = g_new0(ViommuVerify, 1);
    int r;

    verify->context = *context;
    verify->calls = *calls;
    verify->goal = aim->goal;
    g_strlcpy(verify->uuid, aim->uuid, sizeof(verify->uuid));
    verify->seconds = aim->seconds;
    verify->end_usec = (uint64_t)g_get_monotonic_time() + aim->seconds * G_USEC_PER_SEC;
    r = sd_event_add_time_relative(viommu_loop_event(context->loop), &verify->timer, CLOCK_MONOTONIC, 0, 0,
                                   on_look, verify);
    if (r >= 0)
        return verify;
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot wait: %s", g_strerror(-r));
    viommu_verify_free(verify);
    return NULL;
}
