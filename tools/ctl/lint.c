/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl lint: judges a domain of libvirt, from a file or from libvirt, like a request. */
#include <string.h>

#include "daemon/files/kernel-file.h"
#include "daemon/libvirt/backend.h"
#include "lib/base/error.h"
#include "lib/lint/lint.h"
#include "tools/client/request-file.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/local-host.h"

/* Exit statuses: warnings alone, and a domain that would not work, as NotSupported has. */
static const struct {
    const char *verdict;
    int exit_status;
    ViommuStyle style;
} verdicts[] = {
    [VIOMMU_SEVERITY_NOTE] = {"clean", 0, VIOMMU_STYLE_PLAIN},
    [VIOMMU_SEVERITY_WARNING] = {"warnings", 1, VIOMMU_STYLE_WARNING},
    [VIOMMU_SEVERITY_ERROR] = {"fails", 3, VIOMMU_STYLE_BAD},
};
G_STATIC_ASSERT(G_N_ELEMENTS(verdicts) == VIOMMU_SEVERITY_LAST);

/* Names of domains rarely have a slash, and "./NAME" is always a file. */
static bool is_file(const char *word)
{
    return g_str_equal(word, "-") || strchr(word, '/') || g_str_has_suffix(word, ".xml");
}

/* Owned. */
static char *from_file(const char *path, GError **error)
{
    g_autoptr(GString) text = viommu_request_file_bytes(path, VIOMMU_LINT_BYTES_MAX, error);

    if (!text)
        return NULL;
    if (strlen(text->str) == text->len)
        return g_string_free(g_steal_pointer(&text), FALSE);
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s: a byte of it is 0, which XML never has", path);
    return NULL;
}

static char *from_libvirt(const ViommuCtl *ctl, const char *name, GError **error)
{
    ViommuBackend *backend = NULL;
    char *xml;

    if (ctl->host) {
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "'%s' is a domain of this host, but --host names another one; give the domain's XML in a file (virsh dumpxml --inactive)",
            name);
        return NULL;
    }
    if (!viommu_backend_new(viommu_local_uri(ctl), 1, &backend, error))
        return NULL;
    xml = viommu_backend_find_xml(backend, name, error);
    viommu_backend_free(backend);
    return xml;
}

static void add_finding(GVariantBuilder *findings, const ViommuFinding *finding)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "severity", "s",
                          viommu_enum_to_string(&viommu_enum_severity, (int)finding->severity));
    if (finding->rule != VIOMMU_RULE_LAST)
        g_variant_dict_insert(&dict, "rule", "s", viommu_rule_to_string(finding->rule));
    g_variant_dict_insert(&dict, "path", "s", finding->path);
    g_variant_dict_insert(&dict, "line", "u", finding->line);
    g_variant_dict_insert(&dict, "text", "s", finding->text);
    if (finding->remedy)
        g_variant_dict_insert(&dict, "remedy", "s", finding->remedy);
    g_variant_dict_insert(&dict, "fixable", "b", finding->fixable);
    g_variant_builder_add_value(findings, g_variant_dict_end(&dict));
}

static void print_json(const ViommuLint *lint, const char *fixed)
{
    g_auto(GVariantBuilder) findings = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    GVariantDict dict;

    for (guint i = 0; i < lint->findings->len; i++)
        add_finding(&findings, g_ptr_array_index(lint->findings, i));
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "verdict", "s", verdicts[viommu_lint_worst(lint)].verdict);
    g_variant_dict_insert_value(&dict, "findings", g_variant_builder_end(&findings));
    if (fixed)
        g_variant_dict_insert(&dict, "domain-xml", "s", fixed);
    viommu_output_json(g_variant_dict_end(&dict));
}

/* "file.xml:12: error: attribute: ...", as compilers write it.  Owned. */
static char *first_line(const char *name, const ViommuFinding *finding)
{
    const char *rule = viommu_rule_to_string(finding->rule);

    return g_strdup_printf("%s:%u: %s: %s%s%s", name, finding->line,
                           viommu_enum_to_string(&viommu_enum_severity, (int)finding->severity),
                           rule ? rule : "", rule ? ": " : "", finding->text);
}

/* Beside the corrected XML, what is left goes to standard error, in one line each. */
static void print_text(const ViommuCtl *ctl, const ViommuLint *lint, bool aside)
{
    for (guint i = 0; i < lint->findings->len; i++) {
        const ViommuFinding *finding = g_ptr_array_index(lint->findings, i);
        g_autofree char *line = first_line(ctl->words[0], finding);
        g_autofree char *place = g_strdup_printf("%s%s%s%s", finding->path, finding->remedy ? ": " : "",
                                                 finding->remedy ? finding->remedy : "",
                                                 finding->fixable ? " (--fix does it)" : "");
        g_autofree char *both = g_strdup_printf("%s [%s]", line, place);

        if (aside) {
            viommu_output_note(&ctl->output, both);
            continue;
        }
        viommu_output_text(&ctl->output, verdicts[finding->severity].style, line);
        viommu_output_format(&ctl->output, "\n    %s\n", place);
    }
}

static bool print(ViommuCtl *ctl, const ViommuLintInput *input, GError **error)
{
    g_autoptr(ViommuLint) lint = NULL;
    g_autofree char *fixed = NULL;

    if (ctl->fix)
        fixed = viommu_lint_fix(input, &lint, error);
    else
        lint = viommu_lint_judge(input, error);
    if (!lint) {
        g_prefix_error(error, "%s: ", ctl->words[0]);
        return false;
    }
    if (ctl->output.json)
        print_json(lint, fixed);
    else if (fixed)
        viommu_output_text(&ctl->output, VIOMMU_STYLE_PLAIN, fixed);
    if (!ctl->output.json)
        print_text(ctl, lint, fixed);
    ctl->exit_status = verdicts[viommu_lint_worst(lint)].exit_status;
    return true;
}

bool viommu_ctl_lint(ViommuCtl *ctl, GError **error)
{
    bool file = is_file(ctl->words[0]);
    g_autofree char *xml = file ? from_file(ctl->words[0], error) : from_libvirt(ctl, ctl->words[0], error);
    g_autoptr(ViommuConfig) config = xml ? viommu_local_config(ctl, error) : NULL;
    g_autoptr(ViommuHost) host = config ? viommu_local_host(ctl, NULL, error) : NULL;
    ViommuLintInput input = {.xml = xml, .os = ctl->os, .host = host};
    g_autofree char *path = NULL;
    ViommuKernel kernel;

    if (!host)
        return false;
    /* The files of a domain are not those of a recorded host; and what a file calls a kernel is
     * opened only for a domain that libvirt has. */
    path = file ? NULL : viommu_lint_kernel(xml);
    if (path && g_path_is_absolute(path) && viommu_kernel_file_read_path(path, &kernel))
        input.kernel = &kernel;
    input.policy = &config->policy;
    return print(ctl, &input, error);
}
