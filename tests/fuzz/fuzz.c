/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz: inputs, and round trips that each accepted input must survive.  Knows lib/ through its
 * headers only. */
#include "tests/fuzz/fuzz.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/domain/domain-xml.h"
#include "lib/plan/report.h"
#include "lib/plan/plan.h"
#include "lib/base/xml-read.h"
#include "tools/client/request-file.h"

/* A message that glib would only print counts as a failure; libFuzzer does not notice glib's own
 * way to end, SIGTRAP. */
static void end_with_words(const char *domain, GLogLevelFlags level, const char *message, void *data)
{
    fprintf(stderr, "%s%s%s\n", domain ? domain : "", domain ? ": " : "", message);
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
        abort();
}

static void __attribute__((constructor)) make_strict(void)
{
    g_log_set_default_handler(end_with_words, NULL);
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    return g_strndup((const char *)data, size);
}

char *fuzz_file(const uint8_t *data, size_t size, int *ret_file)
{
    int file = memfd_create("input", MFD_CLOEXEC);

    fuzz_check(file >= 0);
    fuzz_check(write(file, data, size) == (ssize_t)size);
    *ret_file = file;
    return g_strdup_printf("/proc/self/fd/%d", file);
}

GVariant *fuzz_tree(const uint8_t *data, size_t size)
{
    g_autofree char *text = NULL;
    GVariant *tree, *normal;

    if (size > 0 && data[0] == '{') {
        text = fuzz_text(data, size);
        if (!g_utf8_validate(text, -1, NULL))
            return NULL;
        return g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    }
    tree = g_variant_new_from_data(G_VARIANT_TYPE_VARDICT, data, size, FALSE, NULL, NULL);
    normal = g_variant_get_normal_form(tree);
    g_variant_unref(g_variant_ref_sink(tree));
    return normal;
}

void fuzz_check_outcome(bool accepted, const GError *error)
{
    fuzz_check(accepted == (error == NULL));
    if (!error)
        return;
    fuzz_check(error->domain == VIOMMU_ERROR);
    fuzz_check(error->code >= 0 && error->code < VIOMMU_ERROR_LAST);
    fuzz_check(*error->message && g_utf8_validate(error->message, -1, NULL));
}

void fuzz_check_same(const char *before, const char *after)
{
    if (g_strcmp0(before, after) != 0)
        g_error("was: %s\nis: %s", before ? before : "(nothing)", after ? after : "(nothing)");
}

ViommuRequest *fuzz_request(GVariant *tree)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, &error);

    fuzz_check_outcome(request != NULL, error);
    if (!request)
        return NULL;
    g_autofree char *text = viommu_request_text(request);
    g_autoptr(GVariant) written = g_variant_ref_sink(viommu_fields_write(&viommu_request_fields, request));
    g_autofree char *printed = g_variant_print(written, FALSE);
    fuzz_check_same(printed, text);
    g_autoptr(GVariant) read = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    fuzz_check(read);
    g_autoptr(ViommuRequest) again = viommu_request_parse(read, &error);
    fuzz_check(again);
    g_autofree char *text_again = viommu_request_text(again);
    fuzz_check_same(text, text_again);
    fuzz_check_same(request->fingerprint, again->fingerprint);
    return g_steal_pointer(&request);
}

void fuzz_metadata(const ViommuMetadata *metadata)
{
    g_autoptr(ViommuXmlWriter) writer = viommu_xml_writer_new();
    g_autofree char *xml = viommu_metadata_to_xml(metadata), *within = NULL;

    viommu_metadata_write(metadata, writer);
    within = viommu_xml_finish(writer);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuMetadata) again = viommu_metadata_from_xml(i ? within : xml, NULL, &error);

        if (!again)
            g_error("%s in:\n%s", error->message, i ? within : xml);
        g_autofree char *xml_again = viommu_metadata_to_xml(again);
        fuzz_check_same(xml, xml_again);
    }
}

/* Owned; NULL: none. */
static char *text_of(xmlDoc *document, xmlNode *element)
{
    xmlBuffer *buffer = xmlBufferCreate();
    char *text;

    xmlNodeDump(buffer, document, element, 0, 0);
    text = element ? g_strdup((const char *)xmlBufferContent(buffer)) : NULL;
    xmlBufferFree(buffer);
    return text;
}

/* The metadata in the domain's XML. */
static void check_domain(const char *xml, const ViommuMetadata *metadata)
{
    g_autoptr(xmlDoc) document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
    xmlNode *element = document ? xmlDocGetRootElement(document) : NULL;

    if (!document || !g_str_equal(element->name, "domain"))
        g_error("this is no domain:\n%s", xml);
    element = viommu_xml_child(viommu_xml_child(element, "metadata"), NULL);
    fuzz_check(element);
    g_autofree char *machine = text_of(document, element),
                    *additions = text_of(document, xmlNextElementSibling(element));
    g_autoptr(ViommuMetadata) read = viommu_metadata_from_xml(machine, additions, NULL);
    fuzz_check(read);
    fuzz_check_same(metadata->uuid, read->uuid);
    fuzz_check(g_strcmp0(metadata->name, read->name) == 0);
    fuzz_check(g_strcmp0(metadata->host_drivers, read->host_drivers) == 0);
    fuzz_check(g_strcmp0(metadata->reach, read->reach) == 0);
    g_autofree char *before = viommu_metadata_to_xml(metadata), *after = viommu_metadata_to_xml(read);
    fuzz_check_same(before, after);
}

static void check_plan(const ViommuPlan *plan, const ViommuRequest *request)
{
    g_autoptr(ViommuMetadata) metadata = viommu_metadata_new(plan, request, 1000, 1);
    g_autofree char *xml = viommu_domain_xml(plan, metadata), *again = viommu_domain_xml(plan, metadata);

    fuzz_check_same(xml, again);
    check_domain(xml, metadata);
    fuzz_metadata(metadata);
    g_autoptr(GVariant) report = g_variant_ref_sink(viommu_plan_report(plan, xml));
    g_autofree char *explained = viommu_plan_explain(plan);
    fuzz_check(g_variant_n_children(report) > 0 && g_utf8_validate(explained, -1, NULL));
}

ViommuPlan *fuzz_plan_once(const ViommuPlanInput *input, char **ret_refusal)
{
    g_autoptr(ViommuPlan) plan = NULL;
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(GError) error = NULL;
    bool planned = viommu_plan_build(input, &plan, &reasons, &error);

    fuzz_check_outcome(planned, error);
    fuzz_check(planned == (plan != NULL) && planned == (reasons == NULL));
    if (plan) {
        check_plan(plan, input->request);
        return g_steal_pointer(&plan);
    }
    g_variant_unref(g_variant_ref_sink(viommu_plan_report_reasons(reasons)));
    *ret_refusal = g_strdup(error->message);
    return NULL;
}

void fuzz_plan(const ViommuRequest *request, const ViommuHost *host)
{
    ViommuVeto vetoes[VIOMMU_MODEL_LAST];
    ViommuPolicy policy;
    ViommuPlanInput input = {.request = request, .host = host, .policy = &policy, .vetoes = vetoes};
    bool more = true;

    viommu_policy_init(&policy);
    while (more) {
        g_autofree char *refusal = NULL;
        g_autoptr(ViommuPlan) plan = fuzz_plan_once(&input, &refusal);

        more = plan && plan->iommu.model != VIOMMU_MODEL_NONE;
        if (more) {
            fuzz_check(input.n_vetoes < VIOMMU_MODEL_LAST);
            vetoes[input.n_vetoes++] = (ViommuVeto){plan->iommu.model, "not this <one> & 'no'"};
        }
    }
}

void fuzz_host(const ViommuHost *host)
{
    g_autoptr(GVariant) tree = g_variant_ref_sink(viommu_host_to_variant(host)), tree_again = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) again = viommu_host_from_variant(tree, &error);

    if (!again)
        g_error("cannot read what was recorded: %s", error->message);
    tree_again = g_variant_ref_sink(viommu_host_to_variant(again));
    fuzz_check(g_variant_equal(tree, tree_again));
}

ViommuHost *fuzz_recorded_host(const char *name)
{
    g_autofree char *path = g_build_filename(FUZZ_HOSTS, name, NULL);
    g_autoptr(GVariant) tree = viommu_request_file_read(path, NULL);
    ViommuHost *host = tree ? viommu_host_from_variant(tree, NULL) : NULL;

    fuzz_check(host);
    return host;
}

const ViommuHost *fuzz_known_host(const char *name)
{
    static GHashTable *known; /* name -> ViommuHost; lives as long as the program */
    ViommuHost *host;

    if (!known)
        known = g_hash_table_new(g_str_hash, g_str_equal);
    host = g_hash_table_lookup(known, name);
    if (!host) {
        host = fuzz_recorded_host(name);
        g_hash_table_insert(known, g_strdup(name), host);
    }
    return host;
}
