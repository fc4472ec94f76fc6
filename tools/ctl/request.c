/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/request.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/request/beaker-judge.h"
#include "lib/request/beaker.h"
#include "lib/request/request.h"
#include "lib/request/tmt.h"
#include "tools/client/error.h"
#include "tools/client/request-file.h"
#include "tools/client/request-words.h"
#include "tools/client/yaml-read.h"
#include "tools/ctl/beaker-system.h"
#include "tools/ctl/local-host.h"

/* The options that are keys of the request. */
static const struct {
    const char *option, *key;
    size_t offset;
    bool number;
    bool enough; /* makes a request without a file or a word */
} overrides[] = {
    {"image", "image", offsetof(ViommuCtl, image), false, true},
    {"iommu", "iommu.model", offsetof(ViommuCtl, iommu), false, true},
    {"memory", "memory", offsetof(ViommuCtl, memory), false, true},
    {"vcpus", "vcpus", offsetof(ViommuCtl, vcpus), true, true},
    {"wait", "wait", offsetof(ViommuCtl, wait), false, false},
    {"name", "name", offsetof(ViommuCtl, name), false, false},
    {"request-id", "request-id", offsetof(ViommuCtl, request_id), false, false},
    {"lease", "lease.seconds", offsetof(ViommuCtl, lease), true, false},
    {"bind", "lease.bind", offsetof(ViommuCtl, bind), false, false},
};

/* What --iommu replaces, not just adds to. */
static const char *const selection[] = {"model", "model-name", "is-supported"};

static const char *option_value(const ViommuCtl *ctl, size_t i)
{
    return *(const char *const *)((const char *)ctl + overrides[i].offset);
}

/* --iommu without a value is any IOMMU. */
static char *option_word(size_t i, const char *value)
{
    if (!*value && overrides[i].offset == offsetof(ViommuCtl, iommu))
        return g_strdup("iommu.is-supported=true");
    return g_strconcat(overrides[i].key, "=", value, NULL);
}

/* Sorts the words of the command line: *ret_file is the only one that is no KEY=VALUE, borrowed, or
 * NULL. */
static bool take_words(const ViommuCtl *ctl, GPtrArray *words, const char **ret_file, GError **error)
{
    const char *file = NULL;

    for (int i = 0; i < ctl->n_words; i++)
        if (viommu_request_words_is(ctl->words[i]))
            g_ptr_array_add(words, g_strdup(ctl->words[i]));
        else if (!file)
            file = ctl->words[i];
        else
            return viommu_failure_set(
                error, VIOMMU_FAILURE_USAGE,
                "unexpected argument '%s': the request is in '%s'; other keys are KEY=VALUE words",
                ctl->words[i], file);
    *ret_file = file;
    return true;
}

static bool take_options(const ViommuCtl *ctl, GPtrArray *words, GError **error)
{
    guint64 number;

    for (size_t i = 0; i < G_N_ELEMENTS(overrides); i++) {
        const char *value = option_value(ctl, i);

        if (!value)
            continue;
        if (overrides[i].number && !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &number, NULL))
            return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--%s='%s' is not a number",
                                      overrides[i].option, value);
        g_ptr_array_add(words, option_word(i, value));
    }
    return true;
}

static bool is_request(const ViommuCtl *ctl)
{
    bool enough = ctl->n_words > 0 || ctl->tmt || ctl->beaker;

    for (size_t i = 0; i < G_N_ELEMENTS(overrides); i++)
        enough = enough || (overrides[i].enough && option_value(ctl, i));
    return enough;
}

/* Floating, or a new reference. */
static GVariant *without_selection(GVariant *tree)
{
    g_autoptr(GVariant) iommu = tree ? g_variant_lookup_value(tree, "iommu", G_VARIANT_TYPE_VARDICT) : NULL;
    GVariantDict request, kept;

    if (!iommu)
        return tree ? g_variant_ref(tree) : NULL;
    g_variant_dict_init(&kept, iommu);
    for (size_t i = 0; i < G_N_ELEMENTS(selection); i++)
        g_variant_dict_remove(&kept, selection[i]);
    g_variant_dict_init(&request, tree);
    g_variant_dict_insert_value(&request, "iommu", g_variant_dict_end(&kept));
    return g_variant_ref_sink(g_variant_dict_end(&request));
}

/* The same for each alternative. */
typedef struct Base {
    GVariant *tree;     /* of the file; NULL: none */
    GPtrArray *words;   /* of the command line */
    GPtrArray *options; /* as words */
} Base;

static void base_clear(Base *base)
{
    g_clear_pointer(&base->tree, g_variant_unref);
    g_clear_pointer(&base->words, g_ptr_array_unref);
    g_clear_pointer(&base->options, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Base, base_clear)

static bool base_read(const ViommuCtl *ctl, Base *base, GError **error)
{
    const char *file = NULL;

    if (!is_request(ctl))
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE,
                                  "the request is missing: name a file, KEY=VALUE words, or both");
    base->words = g_ptr_array_new_with_free_func(g_free);
    base->options = g_ptr_array_new_with_free_func(g_free);
    if (!take_words(ctl, base->words, &file, error) || !take_options(ctl, base->options, error))
        return false;
    g_ptr_array_add(base->words, NULL);
    g_ptr_array_add(base->options, NULL);
    base->tree = file ? viommu_request_file_read(file, error) : NULL;
    return !file || base->tree;
}

static GVariant *apply(GVariant *tree, void *words, GError **error)
{
    return viommu_request_words_apply(&viommu_request_fields, tree, (const char *const *)words, error);
}

/* A command is run beside a guest that is started, or as far as the request wants it; what is no
 * word stays, to be refused.  Floating, or a new reference; NULL with @tree. */
static GVariant *started(GVariant *tree, GError **error)
{
    static const char *const words[] = {"wait=started", NULL};
    g_autoptr(GVariant) wait = tree ? g_variant_lookup_value(tree, "wait", NULL) : NULL;

    if (!tree || (wait && !(g_variant_is_of_type(wait, G_VARIANT_TYPE_STRING) &&
                            g_str_equal(g_variant_get_string(wait, NULL),
                                        viommu_enum_to_string(&viommu_enum_wait, VIOMMU_WAIT_PLANNED)))))
        return tree ? g_variant_ref(tree) : NULL;
    return apply(tree, (void *)words, error);
}

/* @required: words of a requirement; NULL: none. */
static GVariant *assemble(const ViommuCtl *ctl, const Base *base, char **required, GError **error)
{
    g_autoptr(GVariant) before = required ? apply(base->tree, required, error) : NULL;
    g_autoptr(GVariant) tree =
        required && !before ? NULL : apply(required ? before : base->tree, base->words->pdata, error);
    g_autoptr(GVariant) kept = tree && ctl->iommu ? without_selection(tree) : NULL;
    g_autoptr(GVariant) request = tree ? apply(kept ? kept : tree, base->options->pdata, error) : NULL;

    return ctl->needs_started ? started(request, error) : g_steal_pointer(&request);
}

/* --- A requirement of tmt --- */

typedef struct Attempt {
    const Base *base;
    const char *image; /* of the plan; NULL: none */
    ViommuCtlTry try;
    void *data;
} Attempt;

static bool try_alternative(ViommuCtl *ctl, const Attempt *attempt, const GPtrArray *alternative,
                            GError **error)
{
    g_auto(GStrv) words = viommu_tmt_words(alternative, error);
    g_autofree char *image = attempt->image ? g_strconcat("image=", attempt->image, NULL) : NULL;
    const char *const first[] = {image, NULL};
    g_autoptr(GVariant) tree = words ? apply(attempt->base->tree, (void *)first, error) : NULL;
    const Base base = {tree, attempt->base->words, attempt->base->options};
    g_autoptr(GVariant) request = tree ? assemble(ctl, &base, words, error) : NULL;

    return request && attempt->try(ctl, request, attempt->data, error);
}

/* Whether another request may fare better. */
static bool is_about_request(const GError *error)
{
    return error->domain == VIOMMU_ERROR &&
           (error->code == VIOMMU_ERROR_INVALID_REQUEST || error->code == VIOMMU_ERROR_NOT_SUPPORTED ||
            error->code == VIOMMU_ERROR_POLICY_REFUSED);
}

/* A name or value that does not exist is an error also where another alternative is possible. */
static bool check_alternatives(const GPtrArray *alternatives, GError **error)
{
    for (guint i = 0; i < alternatives->len; i++) {
        g_autoptr(GError) refusal = NULL;
        g_auto(GStrv) words = viommu_tmt_words((const GPtrArray *)alternatives->pdata[i], &refusal);

        if (!words && g_error_matches(refusal, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST)) {
            g_propagate_error(error, g_steal_pointer(&refusal));
            return false;
        }
    }
    return true;
}

static bool try_alternatives(ViommuCtl *ctl, const Attempt *attempt, const GPtrArray *alternatives,
                             char **ret_note, GError **error)
{
    g_autoptr(GString) refusals = g_string_new(NULL);
    int code = VIOMMU_ERROR_INVALID_REQUEST;

    if (!check_alternatives(alternatives, error))
        return false;
    for (guint i = 0; i < alternatives->len; i++) {
        const GPtrArray *alternative = (const GPtrArray *)alternatives->pdata[i];
        g_autofree char *text = viommu_tmt_text(alternative);
        g_autoptr(GError) refusal = NULL;

        if (try_alternative(ctl, attempt, alternative, &refusal)) {
            if (alternatives->len > 1)
                *ret_note = g_strdup_printf("alternative %u of %u of the hardware requirement: %s", i + 1,
                                            alternatives->len, text);
            return true;
        }
        if (alternatives->len == 1 || !is_about_request(refusal)) {
            g_propagate_error(error, g_steal_pointer(&refusal));
            return false;
        }
        if (refusal->code != VIOMMU_ERROR_INVALID_REQUEST)
            code = refusal->code;
        g_clear_pointer(&ctl->reasons, g_variant_unref);
        g_string_append_printf(refusals, "%s%s: %s", i ? "; " : "", text, refusal->message);
    }
    return viommu_fail(error, (ViommuError)code,
                       "none of the %u alternatives of the hardware requirement is possible: %s",
                       alternatives->len, refusals->str);
}

/* A ViommuFileParser: the text itself. */
static GVariant *take_text(const GString *text, GError **error)
{
    if (text->len != strlen(text->str) || !g_utf8_validate(text->str, -1, NULL)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the file is not text in UTF-8");
        return NULL;
    }
    return g_variant_ref_sink(g_variant_new_string(text->str));
}

/* Of a job of Beaker: whether this host satisfies it by itself; NULL: its facts are not known, or
 * the job is not valid. */
static char *judge_host(ViommuCtl *ctl, const char *job)
{
    g_autoptr(ViommuHost) host = viommu_local_host_known(ctl, NULL);
    g_autoptr(GPtrArray) facts = NULL;

    /* Without a libvirt its hardware is there, too. */
    if (!host && !ctl->host && !ctl->connect) {
        host = viommu_host_new();
        if (!viommu_topology_read("/", &host->topology, NULL))
            return NULL;
    }
    facts = host ? viommu_ctl_beaker_facts(ctl, host) : NULL;
    return facts ? viommu_beaker_judge(job, facts, NULL) : NULL;
}

typedef struct Requirement {
    char *image;
    char *unknown; /* what of a job is not judged of a guest */
    char *host;    /* what is said of this host */
} Requirement;

static void requirement_clear(Requirement *requirement)
{
    g_free(requirement->image);
    g_free(requirement->unknown);
    g_free(requirement->host);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Requirement, requirement_clear)

/* @judges: the host, too. */
static GPtrArray *read_requirement(ViommuCtl *ctl, bool judges, Requirement *requirement, GError **error)
{
    g_autoptr(GVariant) file = viommu_request_file_read_by(ctl->tmt ? ctl->tmt : ctl->beaker,
                                                           ctl->tmt ? viommu_yaml_read : take_text, error);

    if (!file)
        return NULL;
    if (ctl->tmt)
        return viommu_tmt_read(file, &requirement->image, error);
    if (judges)
        requirement->host = judge_host(ctl, g_variant_get_string(file, NULL));
    return viommu_beaker_read(g_variant_get_string(file, NULL), &requirement->unknown, error);
}

/* NULL: none. */
static char *join_notes(const Requirement *requirement, const char *alternative)
{
    GString *notes = g_string_new(requirement->host);

    if (requirement->unknown)
        g_string_append_printf(notes, "%snot judged of hostRequires: %s", notes->len ? "; " : "",
                               requirement->unknown);
    if (alternative)
        g_string_append_printf(notes, "%s%s", notes->len ? "; " : "", alternative);
    return g_string_free(notes, notes->len == 0);
}

/* That no guest is possible says nothing of the host. */
static void add_host(GError **error, const char *host)
{
    char *message;

    if (!host || !error || !*error)
        return;
    message = g_strdup_printf("%s; %s", (*error)->message, host);
    g_free((*error)->message);
    (*error)->message = message;
}

bool viommu_ctl_request_try(ViommuCtl *ctl, ViommuCtlTry try, void *data, char **ret_note, GError **error)
{
    g_auto(Base) base = {NULL, NULL, NULL};
    g_auto(Requirement) requirement = {NULL, NULL, NULL};
    g_autoptr(GPtrArray) alternatives = NULL;
    g_autoptr(GVariant) request = NULL;
    g_autofree char *alternative = NULL;

    if (ctl->tmt && ctl->beaker)
        return viommu_failure_set(error, VIOMMU_FAILURE_USAGE, "--tmt and --beaker cannot be combined");
    if (!base_read(ctl, &base, error))
        return false;
    if (!ctl->tmt && !ctl->beaker) {
        request = assemble(ctl, &base, NULL, error);
        return request && try(ctl, request, data, error);
    }
    alternatives = read_requirement(ctl, ret_note != NULL, &requirement, error);
    if (!alternatives)
        return false;
    if (!try_alternatives(ctl, &(Attempt){&base, requirement.image, try, data}, alternatives, &alternative,
                          error)) {
        add_host(error, requirement.host);
        return false;
    }
    if (ret_note)
        *ret_note = join_notes(&requirement, alternative);
    return true;
}
