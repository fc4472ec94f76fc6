/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/options.h"

#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "lib/policy/policy.h"
#include "lib/request/request.h"
#include "lib/base/did-you-mean.h"
#include "tools/client/error.h"
#include "tools/ctl/node.h"

enum {
    LAUNCH,
    RUN,
    LIST,
    TOP,
    SHOW,
    STOP,
    KILL,
    RESET,
    SUSPEND,
    RESUME,
    ATTACH,
    DETACH,
    EXTEND,
    XML,
    CONSOLE,
    VERIFY,
    WAIT,
    EVENTS,
    SSH,
    SSH_CONFIG,
    EXEC,
    PLAN,
    LINT,
    HOST,
    DOCTOR,
    FACTS,
    IMAGES,
    IMAGE_ADD,
    HELP,
    VERSION,
    N_VERBS
};

#define NONE VIOMMU_CTL_COMMAND_NONE

static const ViommuCtlVerbRow verbs[] = {
    [LAUNCH] = {"launch", 0, INT_MAX, "REQUEST...", NONE, viommu_ctl_launch,
                "Launch a machine and print its name"},
    [RUN] = {"run", 0, INT_MAX, "REQUEST... -- COMMAND...", VIOMMU_CTL_COMMAND_MUST, viommu_ctl_run,
             "Launch a machine, run COMMAND, remove it"},
    [LIST] = {"list", 0, 0, "", NONE, viommu_ctl_list, "List all machines"},
    [TOP] = {"top", 0, 0, "", NONE, viommu_ctl_top, "Show what machines take of the host, until q"},
    [SHOW] = {"show", 1, 1, "NAME", NONE, viommu_ctl_show, "Show all properties of a machine"},
    [STOP] = {"stop", 1, 1, "NAME", NONE, viommu_ctl_stop, "Power the guest off and remove the machine"},
    [KILL] = {"kill", 1, 1, "NAME", NONE, viommu_ctl_kill, "End the guest at once and remove the machine"},
    [RESET] = {"reset", 1, 1, "NAME", NONE, viommu_ctl_reset, "Reset the guest, like a reset button"},
    [SUSPEND] = {"suspend", 1, 1, "NAME", NONE, viommu_ctl_suspend, "Pause the guest"},
    [RESUME] = {"resume", 1, 1, "NAME", NONE, viommu_ctl_resume, "Let a paused guest run again"},
    [ATTACH] = {"attach", 2, INT_MAX, "NAME REQUEST...", NONE, viommu_ctl_attach,
                "Attach a disk, network or host device"},
    [DETACH] = {"detach", 2, 2, "NAME ID", NONE, viommu_ctl_detach, "Detach an attached device"},
    [EXTEND] = {"extend", 2, 2, "NAME SECONDS", NONE, viommu_ctl_extend,
                "Set the lease to end SECONDS from now"},
    [XML] = {"xml", 1, 1, "NAME", NONE, viommu_ctl_xml, "Print the current domain XML of a machine"},
    [CONSOLE] = {"console", 1, 1, "NAME", NONE, viommu_ctl_console,
                 "Connect to the serial console (Ctrl-] leaves)"},
    [VERIFY] = {"verify", 1, 1, "NAME", NONE, viommu_ctl_verify,
                "Verify inside the guest that its IOMMU works"},
    [WAIT] = {"wait", 1, 1, "NAME", NONE, viommu_ctl_wait, "Wait until a machine is started, or as in --for"},
    [EVENTS] = {"events", 0, 0, "", NONE, viommu_ctl_events, "Print what happens to machines, until Ctrl-C"},
    [SSH] = {"ssh", 1, 1, "NAME [-- COMMAND...]", VIOMMU_CTL_COMMAND_MAY, viommu_ctl_ssh,
             "Log in to the guest, or run COMMAND inside"},
    [SSH_CONFIG] = {"ssh-config", 1, 1, "NAME", NONE, viommu_ctl_ssh_config,
                    "Print how ssh, scp and rsync reach the guest"},
    [EXEC] = {"exec", 1, 1, "NAME -- COMMAND...", VIOMMU_CTL_COMMAND_MUST, viommu_ctl_exec,
              "Run COMMAND in the guest, through its agent"},
    [PLAN] = {"plan", 0, INT_MAX, "REQUEST...", NONE, viommu_ctl_plan,
              "Show what would be launched, and why"},
    [LINT] = {"lint", 1, 1, "DOMAIN|FILE", NONE, viommu_ctl_lint,
              "Find what is wrong with a domain of libvirt"},
    [HOST] = {"host", 0, 0, "", NONE, viommu_ctl_host, "Show what this host supports, and why not more"},
    [DOCTOR] = {"doctor", 0, 0, "", NONE, viommu_ctl_doctor, "Find what this host lacks, and how to fix it"},
    [FACTS] = {"facts", 0, 0, "", NONE, viommu_ctl_facts, "Show which versions each feature needs"},
    [IMAGES] = {"images", 0, 0, "", NONE, viommu_ctl_images,
                "List the site's images, and what each gets here"},
    [IMAGE_ADD] = {"image-add", 1, 1, "FILE", NONE, viommu_ctl_image_add,
                   "Add an image, for requests to name it"},
    [HELP] = {"help", 0, 1, "[VERB|keys]", NONE, NULL, "Show this help, that of a verb, or all keys"},
    [VERSION] = {"version", 0, 0, "", NONE, NULL, "Show the version"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(verbs) == N_VERBS);

#define V(verb)  (1u << (verb))
#define EVERYONE (~0u)
#define BUS                                                                                       \
    (V(LAUNCH) | V(RUN) | V(EXTEND) | V(LIST) | V(TOP) | V(SHOW) | V(STOP) | V(KILL) | V(RESET) | \
     V(SUSPEND) | V(RESUME) | V(ATTACH) | V(DETACH) | V(XML) | V(CONSOLE) | V(VERIFY) | V(WAIT) | \
     V(EVENTS) | V(SSH) | V(SSH_CONFIG) | V(EXEC))
/* Those that take a request. */
#define REQUEST (V(LAUNCH) | V(RUN) | V(PLAN))
#define LOCAL   (V(PLAN) | V(LINT) | V(HOST) | V(FACTS) | V(IMAGES))
/* Descriptors cannot be passed on over ssh. */
#define AFAR (BUS & ~(V(CONSOLE) | V(EXEC)))
#define MANAGE                                                                                            \
    (V(EXTEND) | V(STOP) | V(KILL) | V(RESET) | V(SUSPEND) | V(RESUME) | V(ATTACH) | V(DETACH) | V(XML) | \
     V(CONSOLE) | V(VERIFY) | V(WAIT) | V(EXEC))

static const char *const yes_and_no[] = {"no", "yes"};
static const ViommuEnum yes_or_no = {.noun = "answer", .words = yes_and_no, .last = G_N_ELEMENTS(yes_and_no)};

static const struct {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: a flag; "[=X]": may be left out */
    size_t offset;
    unsigned verbs;          /* that take it */
    const ViommuEnum *words; /* the only values; NULL: any */
    const char *help;
} options[] = {
    {"image", 0, "NAME", offsetof(ViommuCtl, image), REQUEST, NULL, "Boot this image of the site"},
    {"iommu", 0, "[=MODEL]", offsetof(ViommuCtl, iommu), REQUEST, NULL, "Have an IOMMU, or this model"},
    {"memory", 0, "SIZE", offsetof(ViommuCtl, memory), REQUEST, NULL, "Memory, such as 2G"},
    {"vcpus", 0, "N", offsetof(ViommuCtl, vcpus), REQUEST, NULL, "Number of vCPUs"},
    {"tmt", 0, "FILE", offsetof(ViommuCtl, tmt), REQUEST, NULL, "Satisfy this hardware of tmt"},
    {"beaker", 0, "FILE", offsetof(ViommuCtl, beaker), V(PLAN), NULL, "Satisfy this job of Beaker"},
    {"wait", 0, "PHASE", offsetof(ViommuCtl, wait), V(LAUNCH) | V(RUN), &viommu_enum_wait,
     "Until planned, started, ready or verified"},
    {"name", 0, "NAME", offsetof(ViommuCtl, name), V(LAUNCH) | V(RUN) | V(IMAGE_ADD), NULL,
     "Name of the machine or image"},
    {"request-id", 0, "ID", offsetof(ViommuCtl, request_id), V(LAUNCH) | V(RUN), NULL,
     "Return the same machine for the same ID"},
    {"lease", 0, "SECONDS", offsetof(ViommuCtl, lease), V(LAUNCH) | V(RUN), NULL,
     "Remove the machine after SECONDS"},
    {"bind", 0, "BOND", offsetof(ViommuCtl, bind), V(LAUNCH), &viommu_enum_bind,
     "With client, remove it when viommuctl ends"},
    {"log", 0, NULL, offsetof(ViommuCtl, log), V(CONSOLE), NULL, "Print the log, also of a former machine"},
    {"raw", 0, NULL, offsetof(ViommuCtl, raw), V(CONSOLE), NULL, "With --log, print all bytes unchanged"},
    {"inside", 0, NULL, offsetof(ViommuCtl, inside), V(RUN), NULL, "Run COMMAND in the guest, by ssh"},
    {"get", 0, "PATH[:LOCAL]", offsetof(ViommuCtl, gets), V(RUN), NULL, "With --inside, copy out"},
    {"login", 'l', "USER", offsetof(ViommuCtl, login), V(SSH) | V(SSH_CONFIG) | V(IMAGE_ADD), NULL,
     "User in the guest"},
    {"key", 'i', "FILE", offsetof(ViommuCtl, key), V(SSH) | V(SSH_CONFIG), NULL, "Private key"},
    {"address", 0, "HOST[:PORT]", offsetof(ViommuCtl, address), V(SSH) | V(SSH_CONFIG), NULL,
     "Where its ssh server is"},
    {"for", 0, "GOAL", offsetof(ViommuCtl, goal), V(WAIT), &viommu_enum_goal,
     "Started, ready, verified or ended"},
    {"timeout", 0, "SECONDS", offsetof(ViommuCtl, timeout), V(RUN) | V(SSH) | V(STOP) | V(VERIFY) | V(WAIT),
     NULL, "Wait SECONDS for the guest"},
    {"host", 'H', "HOST", offsetof(ViommuCtl, host), AFAR | LOCAL, NULL,
     "Use viommud of [USER@]HOST by ssh, or a HOST.json"},
    {"root", 0, "DIR", offsetof(ViommuCtl, root), V(HOST) | V(DOCTOR), NULL, "Read the hardware below DIR"},
    {"images", 0, "DIR", offsetof(ViommuCtl, images), V(PLAN), NULL, "Look up the image in DIR"},
    {"fleet", 0, NULL, offsetof(ViommuCtl, fleet), REQUEST, NULL, "On a host of the fleet, through Slurm"},
    {"classes", 0, "DIR", offsetof(ViommuCtl, classes), REQUEST, NULL, "With --fleet, its recorded hosts"},
    {"inventory", 0, NULL, offsetof(ViommuCtl, inventory), V(HOST), NULL,
     "Print VIRT_IOMMU and traits for schedulers"},
    {"slurm", 0, NULL, offsetof(ViommuCtl, slurm), V(HOST), NULL, "Print this host as a node of Slurm"},
    {"order", 0, "ORDER", offsetof(ViommuCtl, order), LOCAL, &viommu_enum_order, "Prefer native or virtio"},
    {"connect", 'c', "URI", offsetof(ViommuCtl, connect), LOCAL | V(DOCTOR), NULL, "Ask libvirt at URI"},
    {"xml", 0, NULL, offsetof(ViommuCtl, xml), V(PLAN), NULL, "Also print the domain XML"},
    {"dot", 0, NULL, offsetof(ViommuCtl, dot), V(PLAN) | V(HOST), NULL, "Print a picture for graphviz"},
    {"fix", 0, NULL, offsetof(ViommuCtl, fix), V(LINT), NULL, "Print the corrected XML"},
    {"os", 0, "OS", offsetof(ViommuCtl, os), V(LINT) | V(IMAGE_ADD), NULL, "The guest's system, as guest.os"},
    {"arch", 0, "ARCH", offsetof(ViommuCtl, arch), V(IMAGE_ADD), &viommu_enum_arch, "Its architecture"},
    {"firmware", 0, "KIND", offsetof(ViommuCtl, firmware), V(IMAGE_ADD), &viommu_enum_firmware,
     "The firmware that boots it"},
    {"format", 0, "FORMAT", offsetof(ViommuCtl, format), V(IMAGE_ADD) | V(HOST), NULL,
     "Format of the image, or of --inventory"},
    {"seed", 0, "BY", offsetof(ViommuCtl, seed), V(IMAGE_ADD), &viommu_enum_seed_by,
     "What reads its seed, such as cloud-init"},
    {"agent", 0, "yes|no", offsetof(ViommuCtl, agent), V(IMAGE_ADD), &yes_or_no,
     "Whether it runs the guest agent"},
    {"once", 0, NULL, offsetof(ViommuCtl, once), V(TOP), NULL, "Print one table and end"},
    {"json", 'j', NULL, offsetof(ViommuCtl, json), EVERYONE, NULL, "Print the result or the error as JSON"},
    {"user", 0, NULL, offsetof(ViommuCtl, user), BUS | LOCAL | V(DOCTOR) | V(IMAGE_ADD), NULL,
     "Use your session's viommud and configuration"},
    {"system", 0, NULL, offsetof(ViommuCtl, system), BUS | LOCAL | V(DOCTOR) | V(IMAGE_ADD), NULL,
     "Use the system's viommud and configuration"},
    {"no-ask-password", 0, NULL, offsetof(ViommuCtl, no_ask_password), V(LAUNCH) | V(RUN) | MANAGE, NULL,
     "Do not let polkit ask for a password"},
    {"no-color", 0, NULL, offsetof(ViommuCtl, no_color), EVERYONE, NULL,
     "Print without colour, as with $NO_COLOR"},
    {"help", 'h', NULL, offsetof(ViommuCtl, help), EVERYONE, NULL, "Show this help"},
    {"version", 0, NULL, offsetof(ViommuCtl, version), EVERYONE, NULL, "Show the version"},
};
#define N_OPTIONS G_N_ELEMENTS(options)
#define FEW       4
#define REQUEST_HELP                                                      \
    "REQUEST... is a file, KEY=VALUE words such as memory=2G, or both.\n" \
    "\"viommuctl help keys\" lists the keys; viommu-request(5) explains them.\n"
G_STATIC_ASSERT(N_OPTIONS <= 64);

static int find_verb(const char *word, GError **error)
{
    const char *names[N_VERBS];
    const char *near;

    for (int i = 0; i < N_VERBS; i++) {
        names[i] = verbs[i].name;
        if (g_str_equal(word, names[i]))
            return i;
    }
    near = viommu_nearest(word, names, N_VERBS);
    if (near)
        viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "unknown verb '%s'; did you mean '%s'?", word, near);
    else
        viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                           "unknown verb '%s'; run \"viommuctl help\" for a list", word);
    return -1;
}

/* Reports an error of getopt. */
static void complain(int option, char **argv, GError **error)
{
    const char *word = optopt ? NULL : argv[optind - 1];
    const char *names[N_OPTIONS];
    const char *near;
    g_autofree char *bare = NULL;

    for (size_t i = 0; i < N_OPTIONS; i++)
        names[i] = options[i].name;
    for (size_t i = 0; optopt && i < N_OPTIONS; i++)
        if (optopt == (int)i + 256 || optopt == options[i].letter) {
            if (option == ':')
                viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--%s needs a value: --%s=%s",
                                   options[i].name, options[i].name, options[i].argument);
            else
                viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--%s takes no value", options[i].name);
            return;
        }
    if (!word) {
        viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "unknown option '-%c'", optopt);
        return;
    }
    bare = g_strndup(word + strspn(word, "-"), strcspn(word + strspn(word, "-"), "="));
    near = viommu_nearest(bare, names, N_OPTIONS);
    viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                       near ? "unknown option '%s'; did you mean '--%s'?" : "unknown option '%s'", word,
                       near);
}

static bool may_be_left_out(size_t i)
{
    return options[i].argument && options[i].argument[0] == '[';
}

static bool check_word(const char *option, const ViommuEnum *words, const char *value, GError **error)
{
    g_autofree char *known = viommu_enum_list(words);

    return viommu_enum_from_string(words, value) != VIOMMU_UNSET ||
           viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--%s='%s' is unknown; use one of %s", option,
                              value, known);
}

/* @value NULL: none was given. */
static bool take_option(ViommuCtl *ctl, size_t i, const char *value, GError **error)
{
    if (!options[i].argument) {
        *(bool *)((char *)ctl + options[i].offset) = true;
        return true;
    }
    if (options[i].words && !check_word(options[i].name, options[i].words, value, error))
        return false;
    if (options[i].offset == offsetof(ViommuCtl, gets)) {
        if (!ctl->gets)
            ctl->gets = g_ptr_array_new();
        g_ptr_array_add(ctl->gets, (void *)value);
        return true;
    }
    *(const char **)((char *)ctl + options[i].offset) = value ? value : "";
    return true;
}

/* @ret_given: bit per option.  Moves the words to the end of @argv. */
static bool take_options(ViommuCtl *ctl, int argc, char **argv, uint64_t *ret_given, GError **error)
{
    struct option table[N_OPTIONS + 1] = {{NULL, 0, NULL, 0}};
    g_autoptr(GString) letters = g_string_new(":");
    uint64_t given = 0;
    int found;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        table[i].name = options[i].name;
        table[i].has_arg = may_be_left_out(i)    ? optional_argument
                           : options[i].argument ? required_argument
                                                 : no_argument;
        table[i].val = (int)i + 256;
        if (options[i].letter)
            g_string_append_printf(letters, "%c%s", options[i].letter, options[i].argument ? ":" : "");
    }
    while ((found = getopt_long(argc, argv, letters->str, table, NULL)) != -1) {
        size_t i = (size_t)found - 256;

        if (found == '?' || found == ':') {
            complain(found, argv, error);
            return false;
        }
        for (size_t letter = 0; found < 256 && letter < N_OPTIONS; letter++)
            if (options[letter].letter == found)
                i = letter;
        if (!take_option(ctl, i, optarg, error))
            return false;
        given |= UINT64_C(1) << i;
    }
    *ret_given = given;
    return true;
}

/* --format means another thing to each verb. */
static bool check_format(const ViommuCtl *ctl, int verb, GError **error)
{
    const ViommuEnum *known = verb == HOST ? &viommu_enum_inventory : &viommu_enum_disk_format;

    if (!ctl->format)
        return true;
    if (verb == HOST && !ctl->inventory)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--format is about the inventory, so use it with --inventory");
    return check_word("format", known, ctl->format, error);
}

static bool check_words(const ViommuCtl *ctl, int verb, uint64_t given, GError **error)
{
    const ViommuCtlVerbRow *row = &verbs[verb];

    for (size_t i = 0; i < N_OPTIONS; i++)
        if (given & (UINT64_C(1) << i) && !(options[i].verbs & V(verb)))
            return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "'%s' does not take --%s", row->name,
                                      options[i].name);
    if (!check_format(ctl, verb, error))
        return false;
    if (ctl->classes && !ctl->fleet)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--classes is about a fleet, so use it with --fleet");
    if (ctl->fleet && (ctl->host || ctl->connect || ctl->user))
        return viommu_failure_set(
            error, VIOMMU_FAILURE_USAGE,
            "--fleet chooses the host, and uses its system's viommud: omit --host, --connect and --user");
    if (ctl->fleet && ctl->xml)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--xml prints the domain of one host; omit --fleet");
    if (ctl->dot && (ctl->json || ctl->xml || ctl->fleet || ctl->slurm || ctl->inventory))
        return viommu_failure_set(
            error, VIOMMU_FAILURE_USAGE,
            "--dot prints a picture of one host and nothing else; omit --json, --xml, --fleet, --slurm and --inventory");
    if (ctl->slurm && ctl->inventory)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--slurm and --inventory cannot be combined; use one of them");
    if (ctl->user && ctl->system)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--user and --system cannot be combined; use one of them");
    if (ctl->gets && !ctl->inside)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--get copies files of a guest, so use it with --inside");
    if (ctl->timeout && verb == RUN && !ctl->inside)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "--timeout waits for the guest's ssh server, so use it with --inside");
    if (ctl->host && ctl->connect)
        return viommu_failure_set(
            error, VIOMMU_FAILURE_USAGE,
            "--host and --connect cannot be combined: --host reads a record and does not ask libvirt");
    if (ctl->host && ctl->user && V(verb) & BUS)
        return viommu_failure_set(
            error, VIOMMU_FAILURE_USAGE,
            "--host and --user cannot be combined: --host reaches the system bus of another machine, not a session bus");
    if (row->command == VIOMMU_CTL_COMMAND_MUST && !ctl->command)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "a command is missing; usage: viommuctl %s %s",
                                  row->name, row->words);
    if (ctl->n_words >= row->min_words && ctl->n_words <= row->max_words)
        return true;
    if (ctl->n_words > row->max_words)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "unexpected argument '%s'; usage: viommuctl %s %s",
                                  ctl->words[row->max_words], row->name, row->words);
    return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "an argument is missing; usage: viommuctl %s %s",
                              row->name, row->words);
}

/* How many words stand after the "--" that ended the options; -1: there was none.  getopt has moved
 * it in front of all words; @before is the order before that. */
static int count_command(char *const *before, int argc, char *const *argv)
{
    for (int i = 1; i < argc && g_str_equal(argv[optind - 1], "--"); i++)
        if (before[i] == argv[optind - 1])
            return argc - i - 1;
    return -1;
}

static bool split_command(ViommuCtl *ctl, const ViommuCtlVerbRow *row, int n_command, GError **error)
{
    if (row->command == VIOMMU_CTL_COMMAND_NONE)
        return true;
    if (n_command < 0) {
        n_command = MAX(ctl->n_words - 1, 0);
        if (n_command > 0 && strchr(ctl->words[1], '='))
            return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                      "write -- before the command; usage: viommuctl %s %s", row->name,
                                      row->words);
    }
    ctl->n_words -= n_command;
    if (n_command > 0)
        ctl->command = ctl->words + ctl->n_words;
    return true;
}

bool viommu_ctl_parse(ViommuCtl *ctl, int argc, char **argv, const ViommuCtlVerbRow **ret_verb,
                      GError **error)
{
    uint64_t given = 0;
    g_autofree char **before = g_new(char *, (gsize)argc + 1);
    int verb;

    opterr = 0;
    memcpy(before, argv, sizeof(char *) * ((gsize)argc + 1));
    *ret_verb = NULL;
    if (!take_options(ctl, argc, argv, &given, error))
        return false;
    if (optind >= argc)
        return true;
    verb = find_verb(argv[optind], error);
    if (verb < 0)
        return false;
    ctl->words = argv + optind + 1;
    ctl->n_words = argc - optind - 1;
    *ret_verb = &verbs[verb];
    if (ctl->help || ctl->version)
        return true;
    if (!split_command(ctl, &verbs[verb], count_command(before, argc, argv), error) ||
        !check_words(ctl, verb, given, error))
        return false;
    ctl->version = verb == VERSION;
    if (verb != HELP)
        return true;
    ctl->help = true;
    *ret_verb = NULL;
    ctl->keys = ctl->n_words && g_str_equal(ctl->words[0], "keys");
    if (ctl->keys)
        return true;
    verb = ctl->n_words ? find_verb(ctl->words[0], error) : N_VERBS;
    if (verb >= 0 && verb < N_VERBS)
        *ret_verb = &verbs[verb];
    return verb >= 0;
}

/* Adds "plan, host: " before the help of an option that only a few verbs accept. */
static void help_takers(GString *text, unsigned takers)
{
    const char *separator = "";

    if (__builtin_popcount(takers) > FEW)
        return;
    for (int i = 0; i < N_VERBS; i++)
        if (takers & V(i)) {
            g_string_append_printf(text, "%s%s", separator, verbs[i].name);
            separator = ", ";
        }
    g_string_append(text, ": ");
}

static void help_options(GString *text, unsigned takers)
{
    g_string_append(text, "\nOptions:\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const char *argument = options[i].argument;
        const char letter[] = {'-', options[i].letter, ',', 0};
        g_autofree char *name =
            g_strdup_printf("%-3s --%s%s%s", options[i].letter ? letter : "", options[i].name,
                            argument && !may_be_left_out(i) ? "=" : "", argument ? argument : "");

        if ((options[i].verbs & takers) == 0)
            continue;
        g_string_append_printf(text, "  %-21s ", name);
        if (takers == EVERYONE)
            help_takers(text, options[i].verbs);
        g_string_append_printf(text, "%s\n", options[i].help);
    }
}

char *viommu_ctl_help(const ViommuCtlVerbRow *verb)
{
    GString *text = g_string_new(NULL);

    if (verb) {
        g_string_append_printf(text, "Usage: viommuctl [OPTIONS] %s %s\n\n%s.\n", verb->name, verb->words,
                               verb->help);
        if (V(verb - verbs) & REQUEST)
            g_string_append(text, "\n" REQUEST_HELP);
        help_options(text, V(verb - verbs));
        return g_string_free(text, FALSE);
    }
    g_string_append(
        text,
        "Usage: viommuctl [OPTIONS] VERB [ARGUMENT...]\n\nLaunch guests whose IOMMU works, through viommud.\n\nVerbs:\n");
    for (int i = 0; i < N_VERBS; i++) {
        g_autofree char *call = g_strdup_printf("%s %s", verbs[i].name, verbs[i].words);

        g_string_append_printf(text, "  %-30s %s\n", call, verbs[i].help);
    }
    help_options(text, EVERYONE);
    g_string_append(text, "\n" REQUEST_HELP);
    g_string_append(text, "\nSee viommuctl(1), viommu-request(5) and viommud(8).\n");
    return g_string_free(text, FALSE);
}
