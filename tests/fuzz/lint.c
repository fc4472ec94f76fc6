/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint: judges a domain for a host with devices and for one of aarch64, and corrects it. */
#include "lib/base/xml-read.h"
#include "lib/lint/lint.h"
#include "tests/fuzz/fuzz.h"

static void check_findings(const ViommuLint *lint)
{
    for (guint i = 0; i < lint->findings->len; i++) {
        const ViommuFinding *finding = g_ptr_array_index(lint->findings, i);

        fuzz_check(finding->line > 0 && g_str_has_prefix(finding->path, "/domain"));
        fuzz_check(*finding->text && g_utf8_validate(finding->text, -1, NULL));
    }
}

/* A correction is a domain, and what is left can be corrected no further, unless it took too many
 * rounds. */
static void correct(const ViommuLintInput *input)
{
    g_autoptr(ViommuLint) rest = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *fixed = viommu_lint_fix(input, &rest, &error);
    g_autoptr(xmlDoc) document = fixed ? viommu_xml_parse(fixed, "domain", VIOMMU_ERROR_BACKEND, NULL) : NULL;

    fuzz_check(document && rest);
    check_findings(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hosts[] = {"machine-server-two-sockets.json", "machine-server-arm-64k.json"};
    g_autofree char *text = fuzz_text(data, size), *kernel = viommu_lint_kernel(text);
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
        const ViommuLintInput input = {.xml = text, .host = fuzz_known_host(hosts[i]), .policy = &policy};
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuLint) lint = viommu_lint_judge(&input, &error);

        fuzz_check_outcome(lint, error);
        if (!lint)
            continue;
        check_findings(lint);
        correct(&input);
    }
    return 0;
}
