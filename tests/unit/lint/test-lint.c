/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-lint: what is no domain, and what a domain must not do to its reader.  Findings are tested
 * by tests/golden/domains.py. */
#include "lib/lint/lint.h"

#include <string.h>

#include "lib/base/error.h"
#include "tests/unit/unit.h"

#define DOMAIN(inside)                                                                                             \
    "<domain type='qemu'><os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>" inside \
    "</domain>"

static ViommuHost *make_host(void)
{
    g_autoptr(GVariant) tree = g_variant_ref_sink(g_variant_new_parsed(
        "{'libvirt': <'9.0.0'>, 'emulators': <[<{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, 'accelerators': <[<'tcg'>]>}>]>}"));
    ViommuHost *host = viommu_host_from_variant(tree, NULL);

    ck_assert_ptr_nonnull(host);
    return host;
}

static ViommuLint *judge(const char *xml, GError **error)
{
    g_autoptr(ViommuHost) host = make_host();
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    return viommu_lint_judge(&(ViommuLintInput){.xml = xml, .host = host, .policy = &policy}, error);
}

START_TEST(no_domain)
{
    static const char *const texts[] = {
        "",
        "<network/>",
        "<domain>",
        "<domain type='qemu'/>",
        "<domain type='lxc'><os><type>exe</type></os></domain>",
        "<domain type='xen'><os><type>hvm</type></os></domain>",
        "<!DOCTYPE domain [<!ENTITY a 'b'>]><domain type='qemu'><os><type>hvm</type></os></domain>",
        "<domain type='qemu'><os><type>&nothing;</type></os></domain>",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuLint) lint = judge(texts[i], &error);

        ck_assert_ptr_null(lint);
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    }
}
END_TEST

START_TEST(bounds)
{
    g_autofree char *spaces = g_strnfill(VIOMMU_LINT_BYTES_MAX, ' ');
    g_autofree char *long_text = g_strconcat(DOMAIN(""), spaces, NULL);
    GString *many = g_string_new("<domain type='qemu'><os><type>hvm</type></os><devices>");
    g_autoptr(GError) error = NULL;
    g_autofree char *devices = NULL;

    ck_assert_ptr_null(judge(long_text, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "bytes"));
    g_clear_error(&error);
    for (int i = 0; i < 2000; i++)
        g_string_append(many, "<rng model='virtio'/>");
    g_string_append(many, "</devices></domain>");
    devices = g_string_free(many, FALSE);
    ck_assert_ptr_null(judge(devices, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "virtio devices"));
}
END_TEST

/* In a request, a model may be an expression. */
START_TEST(words_of_requests)
{
    static const char *const models[] = {".*", "any", "none", "intel|virtio", ""};

    for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autofree char *xml = g_strdup_printf(
            DOMAIN("<devices><iommu model='%s'/><memballoon model='none'/></devices>"), models[i]);
        g_autoptr(ViommuLint) lint = judge(xml, NULL);
        const ViommuFinding *first;

        ck_assert_ptr_nonnull(lint);
        ck_assert_int_eq(viommu_lint_worst(lint), VIOMMU_SEVERITY_ERROR);
        first = g_ptr_array_index(lint->findings, 0);
        ck_assert_str_eq(first->path, "/domain/devices/iommu/@model");
    }
}
END_TEST

START_TEST(long_words)
{
    g_autofree char *word = g_strnfill(100000, 'x');
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><os><type arch='%s' machine='%s'>hvm</type></os></domain>", word, word);
    g_autoptr(ViommuLint) lint = judge(xml, NULL);

    ck_assert_ptr_nonnull(lint);
    for (guint i = 0; i < lint->findings->len; i++)
        ck_assert_uint_lt(strlen(((const ViommuFinding *)g_ptr_array_index(lint->findings, i))->text), 1000);
}
END_TEST

/* Only what is found changes, and in the end nothing is found that can be changed. */
START_TEST(fixed)
{
    static const char xml[] = DOMAIN(
        "<devices><!-- kept --><iommu model='intel'><driver aw_bits='57'/></iommu><memballoon model=\"none\"/></devices>");
    g_autoptr(ViommuHost) host = make_host();
    g_autoptr(ViommuLint) rest = NULL;
    g_autofree char *result = NULL;
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    result = viommu_lint_fix(&(ViommuLintInput){.xml = xml, .host = host, .policy = &policy}, &rest, NULL);
    ck_assert_str_eq(result, DOMAIN("<devices><!-- kept --><iommu model='intel'><driver "
                                    "aw_bits='48'/></iommu><memballoon model=\"none\"/></devices>"));
    ck_assert_int_eq(viommu_lint_worst(rest), VIOMMU_SEVERITY_NOTE);
}
END_TEST

START_TEST(kernels)
{
    g_autofree char *none = viommu_lint_kernel(DOMAIN("")), *broken = viommu_lint_kernel("<a>");
    g_autofree char *path = viommu_lint_kernel("<domain><os><kernel>/boot/a</kernel></os></domain>");

    ck_assert_ptr_null(none);
    ck_assert_ptr_null(broken);
    ck_assert_str_eq(path, "/boot/a");
}
END_TEST

UNIT_MAIN("lint", no_domain, bounds, words_of_requests, long_words, fixed, kernels)
