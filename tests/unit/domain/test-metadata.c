/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-metadata: metadata is written, validated with schemas/metadata*.rng, and read back;
 * everything else is refused. */
#include "tests/unit/unit.h"

#include <libxml/relaxng.h>
#include <string.h>
#include "lib/domain/metadata.h"
#include "lib/base/names.h"
#include "lib/base/xml-read.h"

/* Metadata with a value in each member; the strings need escaping. */
static ViommuMetadata *full(void)
{
    ViommuMetadata *metadata = g_new0(ViommuMetadata, 1);

    *metadata = (ViommuMetadata){
        .owner_uid = UINT32_MAX,
        .phase = VIOMMU_STATE_RUNNING,
        .request_id = g_strdup(" id with 'quotes' "),
        .fingerprint = g_strnfill(64, 'a'),
        .request = g_strdup("{'name': <'a<b>&\"c\"'>}"),
        .arch = VIOMMU_ARCH_AARCH64,
        .machine = g_strdup("virt"),
        .accelerator = VIOMMU_ACCELERATOR_TCG,
        .model = VIOMMU_MODEL_VIRTIO,
        .vcpus = 4,
        .memory_bytes = UINT64_MAX,
        .page_size_bytes = 2 << 20,
        .reasons = g_strsplit("because|'virtio' needs <acpi/>", "|", -1),
        .warnings = g_strsplit("be \xc3\xa4ware", "|", -1),
        .hostdevs = g_strsplit("0000:01:00.0|10000:e1:00.1", "|", -1),
        .created_usec = 1763690000000000,
        .lease_end_usec = UINT64_MAX,
        .boot = g_strnfill(32, '0'),
        .host_boot = g_strnfill(32, 'b'),
        .client = g_strdup("0f:1.7"),
        .host_drivers = g_strdup("0000:3b:00.1=i40e"),
        .reach = g_strdup("forwards vsock"),
        .seed_user = g_strdup("debian"),
        .proof = g_strdup("translate=on aw-bits=48"),
        .name = g_strdup("own-name"),
        .uuid = g_strdup("0f2f8ea5-53c4-4e22-a2b0-0123456789ab"),
    };
    return metadata;
}

static ViommuMetadata *least(void)
{
    ViommuMetadata *metadata = full();
    char **const texts[] = {&metadata->boot,         &metadata->host_boot, &metadata->client,
                            &metadata->host_drivers, &metadata->reach,     &metadata->seed_user,
                            &metadata->proof,        &metadata->name,      &metadata->uuid};

    g_clear_pointer(&metadata->request_id, g_free);
    g_clear_pointer(&metadata->reasons, g_strfreev);
    g_clear_pointer(&metadata->warnings, g_strfreev);
    g_clear_pointer(&metadata->hostdevs, g_strfreev);
    metadata->hostdevs = g_new0(char *, 1);
    metadata->reasons = g_new0(char *, 1);
    metadata->warnings = g_new0(char *, 1);
    metadata->model = VIOMMU_MODEL_NONE;
    metadata->owner_uid = 0;
    metadata->lease_end_usec = 0;
    metadata->page_size_bytes = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_clear_pointer(texts[i], g_free);
    return metadata;
}

static void assert_same(const ViommuMetadata *a, const ViommuMetadata *b)
{
    ck_assert_uint_eq(a->owner_uid, b->owner_uid);
    ck_assert_int_eq((int)a->phase, (int)b->phase);
    ck_assert_pstr_eq(a->request_id, b->request_id);
    ck_assert_pstr_eq(a->fingerprint, b->fingerprint);
    ck_assert_pstr_eq(a->request, b->request);
    ck_assert_int_eq((int)a->arch, (int)b->arch);
    ck_assert_pstr_eq(a->machine, b->machine);
    ck_assert_int_eq((int)a->accelerator, (int)b->accelerator);
    ck_assert_int_eq((int)a->model, (int)b->model);
    ck_assert_uint_eq(a->vcpus, b->vcpus);
    ck_assert_uint_eq(a->memory_bytes, b->memory_bytes);
    ck_assert_uint_eq(a->memlock_bytes, b->memlock_bytes);
    ck_assert_uint_eq(a->page_size_bytes, b->page_size_bytes);
    ck_assert(g_strv_equal((const char *const *)a->reasons, (const char *const *)b->reasons));
    ck_assert(g_strv_equal((const char *const *)a->warnings, (const char *const *)b->warnings));
    ck_assert(g_strv_equal((const char *const *)a->hostdevs, (const char *const *)b->hostdevs));
    ck_assert_uint_eq(a->created_usec, b->created_usec);
    ck_assert_uint_eq(a->lease_end_usec, b->lease_end_usec);
    ck_assert_pstr_eq(a->boot, b->boot);
    ck_assert_pstr_eq(a->host_boot, b->host_boot);
    ck_assert_pstr_eq(a->client, b->client);
    ck_assert_pstr_eq(a->host_drivers, b->host_drivers);
    ck_assert_pstr_eq(a->reach, b->reach);
    ck_assert_pstr_eq(a->seed_user, b->seed_user);
    ck_assert_pstr_eq(a->proof, b->proof);
    ck_assert_pstr_eq(a->name, b->name);
    ck_assert_pstr_eq(a->uuid, b->uuid);
}

/* The elements as in a domain's XML. */
static char *written(const ViommuMetadata *metadata)
{
    g_autoptr(ViommuXmlWriter) writer = viommu_xml_writer_new();

    viommu_metadata_write(metadata, writer);
    return viommu_xml_finish(writer);
}

static char *written_additions(const ViommuMetadata *metadata)
{
    g_autoptr(ViommuXmlWriter) writer = viommu_xml_writer_new();

    viommu_metadata_write_additions(metadata, writer);
    return viommu_xml_finish(writer);
}

static void say_nothing(void *context, const char *format, ...)
{
}

static bool validates_as(const char *xml, const char *element, const char *file)
{
    xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(file);
    xmlRelaxNG *schema = xmlRelaxNGParse(parser);
    xmlRelaxNGValidCtxt *validation = xmlRelaxNGNewValidCtxt(schema);
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, element, VIOMMU_ERROR_INTERNAL, NULL);
    int result;

    ck_assert_ptr_nonnull(schema);
    xmlRelaxNGSetValidErrors(validation, say_nothing, say_nothing, NULL);
    result = document ? xmlRelaxNGValidateDoc(validation, document) : 1;
    xmlRelaxNGFreeValidCtxt(validation);
    xmlRelaxNGFree(schema);
    xmlRelaxNGFreeParserCtxt(parser);
    return result == 0;
}

static bool validates(const char *xml)
{
    return validates_as(xml, "machine", UNIT_SCHEMAS "/metadata.rng");
}

static bool additions_validate(const char *xml)
{
    return validates_as(xml, "additions", UNIT_SCHEMAS "/metadata-additions.rng");
}

START_TEST(there_and_back)
{
    for (int i = 0; i < 2; i++) {
        g_autoptr(ViommuMetadata) metadata = i ? full() : least();
        g_autofree char *in_domain = written(metadata), *alone = viommu_metadata_to_xml(metadata);
        g_autofree char *text = written_additions(metadata);
        const char *more = i ? text : NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuMetadata) first = viommu_metadata_from_xml(in_domain, more, &error);
        g_autoptr(ViommuMetadata) second = NULL;

        unit_assert_ok(first != NULL, error);
        second = viommu_metadata_from_xml(alone, more, &error);
        unit_assert_ok(second != NULL, error);
        assert_same(first, metadata);
        assert_same(second, metadata);
        ck_assert(validates(in_domain));
        ck_assert(i ? additions_validate(text) : !*g_strstrip(text));
        /* libvirt fails on an element that already has the prefix */
        ck_assert_ptr_null(strstr(alone, "viommu:"));
        ck_assert_ptr_null(strstr(alone, "xmlns"));
    }
}
END_TEST

START_TEST(every_state_and_model)
{
    for (int state = 0; state < VIOMMU_STATE_LAST; state++) {
        for (int model = VIOMMU_MODEL_NONE; model < VIOMMU_MODEL_LAST; model++) {
            g_autoptr(ViommuMetadata) metadata = full(), back = NULL;
            g_autofree char *xml = NULL, *more = NULL;

            metadata->phase = (ViommuState)state;
            metadata->model = (ViommuModel)model;
            xml = written(metadata);
            ck_assert(validates(xml));
            more = written_additions(metadata);
            back = viommu_metadata_from_xml(xml, more, NULL);
            assert_same(back, metadata);
        }
    }
}
END_TEST

/* From virDomainGetMetadata() of libvirt 9.0, with and without the left-over declaration. */
START_TEST(as_libvirt_returns_it)
{
    static const char *const form =
        "<machine%s version=\"1\" owner=\"1000\" phase=\"running\" created=\"5\" fingerprint=\"f\" "
        "arch=\"x86_64\" "
        "type=\"q35\" accelerator=\"kvm\" model=\"intel\" vcpus=\"1\" memory=\"1\" memlock=\"0\">\n"
        "  <request>{}</request>\n  <reason>a &amp; b</reason>\n</machine>\n";
    static const char *const declarations[] = {"", " xmlns:viommu=\"" VIOMMU_METADATA_URI "\"",
                                               " xmlns=\"" VIOMMU_METADATA_URI "\""};

    for (size_t i = 0; i < G_N_ELEMENTS(declarations); i++) {
        g_autoptr(GString) xml = g_string_new(form);
        g_autoptr(ViommuMetadata) metadata = NULL;
        g_autoptr(GError) error = NULL;

        g_string_insert(g_string_erase(xml, strlen("<machine"), 2), strlen("<machine"), declarations[i]);
        metadata = viommu_metadata_from_xml(xml->str, NULL, &error);
        unit_assert_ok(metadata != NULL, error);
        ck_assert_uint_eq(metadata->owner_uid, 1000);
        ck_assert_int_eq((int)metadata->model, VIOMMU_MODEL_INTEL);
        ck_assert_str_eq(metadata->reasons[0], "a & b");
        ck_assert_ptr_null(metadata->warnings[0]);
        ck_assert_ptr_null(metadata->request_id);
    }
}
END_TEST

/* A valid document with one change: the reader and the schema must both refuse it. */
START_TEST(refusals)
{
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"version='1'", "version='one'", "metadata: version 'one' is not a number"},
        {"version='1'", "version='4294967296'", "metadata: version '4294967296' is not a number"},
        {"version='1'", "", "metadata: version '' is not a number"},
        {"owner=", "name='../etc' owner=", "metadata: name '../etc' is not a valid machine name"},
        {"owner='4294967295'", "owner='4294967296'", "metadata: owner '4294967296' is not a 32-bit number"},
        {"owner='4294967295'", "owner='-1'", "metadata: owner '-1' is not a 32-bit number"},
        {"owner='4294967295'", "owner=''", "metadata: owner '' is not a 32-bit number"},
        {"owner='4294967295'", "", "metadata: attribute 'owner' is missing"},
        {"memory='18446744073709551615'", "memory='18446744073709551616'",
         "metadata: memory '18446744073709551616' is not a 64-bit number"},
        {"lease-end='18446744073709551615'", "lease-end='soon'",
         "metadata: lease-end 'soon' is not a 64-bit number"},
        {"phase='running'", "phase='walking'", "metadata: phase 'walking' is not known"},
        {"phase='running'", "", "metadata: attribute 'phase' is missing"},
        {"arch='aarch64'", "arch='riscv64'", "metadata: arch 'riscv64' is not known"},
        {"model='virtio'", "model='nested'", "metadata: model 'nested' is not known"},
        {"model='virtio'", "model='none'", "metadata: model 'none' is not known"},
        {"<viommu:warning>", "<viommu:request>x</viommu:request><viommu:warning>",
         "metadata: <request> appears twice"},
        {"<viommu:warning>", "<viommu:warning><viommu:b/>", "metadata: <warning> must contain only text"},
        {VIOMMU_METADATA_URI, "https://viommu.org/xmlns/domain/2",
         "metadata: <machine> is in the foreign namespace 'https://viommu.org/xmlns/domain/2'"},
        {"<viommu:machine ", "<!DOCTYPE x><viommu:machine ",
         "metadata: the XML of <machine> has a document type, which is not allowed"},
    };
    g_autoptr(ViommuMetadata) metadata = full();
    g_autofree char *good = written(metadata);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) halves = g_strsplit(good, cases[i].from, 2);
        g_autofree char *bad = NULL;
        g_autoptr(GError) error = NULL;

        ck_assert_msg(g_strv_length(halves) == 2, "'%s' is not in the document", cases[i].from);
        bad = g_strjoinv(cases[i].to, halves);
        ck_assert_ptr_null(viommu_metadata_from_xml(bad, NULL, &error));
        unit_assert_error(error, VIOMMU_ERROR_INTERNAL, cases[i].message);
        ck_assert_msg(!validates(bad), "the schema takes: %s", bad);
    }
}
END_TEST

/* Exactly what viommud 0.1.0 wrote and reads: it refuses an element with anything else. */
START_TEST(the_previous_release_knows_all_of_it)
{
    static const char *const known[] = {
        "version", "owner", "phase",  "created", "request-id", "fingerprint", "arch", "type",   "accelerator",
        "model",   "vcpus", "memory", "memlock", "page-size",  "lease-end",   "boot", "client", NULL};
    static const char *const elements[] = {"request", "reason", "warning", "hostdev", NULL};
    g_autoptr(ViommuMetadata) metadata = full();
    g_autofree char *xml = viommu_metadata_to_xml(metadata);
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "machine", VIOMMU_ERROR_INTERNAL, NULL);
    const xmlNode *root = xmlDocGetRootElement(document);
    guint n = 0;

    for (const xmlAttr *attr = root->properties; attr; attr = attr->next, n++)
        ck_assert_msg(g_strv_contains(known, (const char *)attr->name), "%s", attr->name);
    ck_assert_uint_eq(n, G_N_ELEMENTS(known) - 1);
    for (const xmlNode *node = root->children; node; node = node->next) {
        ck_assert(node->type == XML_ELEMENT_NODE || xmlIsBlankNode(node));
        ck_assert_msg(node->type != XML_ELEMENT_NODE || g_strv_contains(elements, (const char *)node->name),
                      "%s", node->name);
        ck_assert_ptr_null(node->properties);
    }
}
END_TEST

/* Unknown parts of <additions> are skipped; early builds had their attributes in <machine>. */
START_TEST(additions_beside)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"<additions name='own-name' later='1' owner='5'><more/></additions>", NULL},
        {"<additions xmlns='" VIOMMU_ADDITIONS_URI "' name='own-name'/>", NULL},
        {"<additions xmlns:viommu-additions='" VIOMMU_ADDITIONS_URI "' name='own-name'/>", NULL},
        {"<additions name='../etc'/>", "metadata: name '../etc' is not a valid machine name"},
        {"<additions name=''/>", "metadata: name '' is not a valid machine name"},
        {"<machine name='a'/>", "metadata: the XML has the root element <machine> instead of <additions>"},
        {"<additions xmlns='" VIOMMU_METADATA_URI "'/>",
         "metadata: <additions> is in the foreign namespace '" VIOMMU_METADATA_URI "'"},
    };
    static const char *const machines[] = {
        "<machine version='2' owner='7' name='early'/>",
        "<machine version='1' owner='7' phase='running' created='5' fingerprint='f' arch='x86_64' type='q35' "
        "accelerator='kvm' vcpus='1' memory='1' memlock='0' name='early'><request/></machine>",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(machines); i++) {
        g_autoptr(ViommuMetadata) early = viommu_metadata_from_xml(machines[i], NULL, NULL);

        ck_assert_str_eq(early->name, "early");
        for (size_t j = 0; j < G_N_ELEMENTS(cases); j++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(ViommuMetadata) read = viommu_metadata_from_xml(machines[i], cases[j].text, &error);

            if (cases[j].message) {
                ck_assert_ptr_null(read);
                unit_assert_error(error, VIOMMU_ERROR_INTERNAL, cases[j].message);
                continue;
            }
            unit_assert_ok(read != NULL, error);
            ck_assert_str_eq(read->name, "own-name");
            ck_assert_uint_eq(read->owner_uid, 7);
            ck_assert_ptr_null(read->uuid);
        }
    }
}
END_TEST

/* Additions that a later viommud may make without a new version are skipped, and kept. */
static const char *const additions[][2] = {
    {"model='virtio'", "model='virtio' cache='none'"},
    {"model='virtio'", "model='virtio' o:model='amd' xmlns:o='urn:o'"},
    {"<viommu:warning>", "<viommu:lease kind='a'><viommu:by>b</viommu:by></viommu:lease><viommu:warning>"},
    {"<viommu:warning>", "<o:reason xmlns:o='urn:o'>not ours</o:reason><viommu:warning>"},
    {"<viommu:warning>", "<!-- a word --><viommu:warning>"},
    {"<viommu:warning>", "<viommu:warning level='1'>"},
};

static char *replaced(const char *text, const char *from, const char *to)
{
    g_auto(GStrv) halves = g_strsplit(text, from, 2);

    ck_assert_msg(g_strv_length(halves) == 2, "'%s' is not in: %s", from, text);
    return g_strjoinv(to, halves);
}

START_TEST(additions_are_passed_over)
{
    g_autoptr(ViommuMetadata) metadata = full();
    g_autofree char *good = written(metadata), *beside = written_additions(metadata);

    for (size_t i = 0; i < G_N_ELEMENTS(additions); i++) {
        g_autofree char *more = replaced(good, additions[i][0], additions[i][1]);
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuMetadata) read = viommu_metadata_from_xml(more, beside, &error);

        unit_assert_ok(read != NULL, error);
        ck_assert(!read->foreign);
        assert_same(read, metadata);
    }
}
END_TEST

/* The core, which each viommud reads in the metadata of each other version: docs/metadata.md. */
START_TEST(the_core_of_other_versions)
{
    static const struct {
        const char *text;
        uint32_t version;
        ViommuState phase;
    } cases[] = {
        {"<machine version='2' owner='7' phase='stopping' lease-end='5' boot='b' client='c' name='n' "
         "memory='lots'>"
         "<question/></machine>",
         2, VIOMMU_STATE_STOPPING},
        {"<machine version='0' owner='7' phase='starting' lease-end='5' boot='b' client='c' name='n'/>", 0,
         VIOMMU_STATE_STARTING},
        {"<v:machine xmlns:v='" VIOMMU_METADATA_URI "' version='4294967295' owner='7' lease-end='5' boot='b' "
         "client='c' name='n'>words<v:request><v:a/></v:request><v:request/></v:machine>",
         UINT32_MAX, VIOMMU_STATE_RUNNING},
        {"<machine version='3' owner='7' phase='failed' lease-end='5' boot='b' client='c' name='n'/>", 3,
         VIOMMU_STATE_RUNNING},
        {"<machine version='3' owner='7' phase='paused' lease-end='5' boot='b' client='c' name='n'/>", 3,
         VIOMMU_STATE_RUNNING},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuMetadata) read = viommu_metadata_from_xml(cases[i].text, NULL, &error);

        unit_assert_ok(read != NULL, error);
        ck_assert(read->foreign);
        ck_assert_uint_eq(read->version, cases[i].version);
        ck_assert_int_eq((int)read->phase, (int)cases[i].phase);
        ck_assert_uint_eq(read->owner_uid, 7);
        ck_assert_uint_eq(read->lease_end_usec, 5);
        ck_assert_str_eq(read->boot, "b");
        ck_assert_str_eq(read->client, "c");
        ck_assert_str_eq(read->name, "n");
        ck_assert_uint_eq(read->memory_bytes, 0);
        ck_assert_ptr_null(read->request);
        ck_assert_ptr_null(read->reasons[0]);
    }
    for (size_t i = 0; i < 3; i++) {
        static const char *const broken[] = {"<machine version='2' phase='running'/>",
                                             "<machine version='2' owner='x' phase='running'/>",
                                             "<machine version='2' owner='1' lease-end='x'/>"};
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(viommu_metadata_from_xml(broken[i], NULL, &error));
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL));
    }
}
END_TEST

/* The rest stays the same, byte for byte. */
START_TEST(a_change_keeps_the_rest)
{
    static const char *const form =
        "<machine version=\"%s\" later=\"&lt;'&amp;&quot;\" owner=\"1000\" phase=\"%s\" created=\"5\" "
        "fingerprint=\"f\" arch=\"x86_64\" type=\"q35\" accelerator=\"kvm\" vcpus=\"1\" memory=\"1\" "
        "memlock=\"0\" "
        "lease-end=\"%s\" boot=\"%s\">\n"
        "  <request>{} &amp;</request>\n  <!-- a word -->\n  <more kind=\"b\"><o:x "
        "xmlns:o=\"urn:o\"/></more>\n</machine>";
    static const ViommuMetadataChange stopping = {.phase = VIOMMU_STATE_STOPPING},
                                      longer = {VIOMMU_STATE_LAST, UINT64_MAX, "new"};

    for (int i = 0; i < 3; i++) {
        const char *version = (const char *const[]){"1", "2", "0"}[i];
        g_autoptr(GString) before = g_string_new(NULL), stopped = g_string_new(NULL),
                           late = g_string_new(NULL);
        g_autofree char *first = NULL, *second = NULL;
        g_autoptr(GError) error = NULL;

        g_string_printf(before, form, version, "running", "7", "old");
        g_string_printf(stopped, form, version, "stopping", "7", "old");
        g_string_printf(late, form, version, "running", "18446744073709551615", "new");
        first = viommu_metadata_change(before->str, &stopping, &error);
        unit_assert_ok(first != NULL, error);
        ck_assert_str_eq(first, stopped->str);
        second = viommu_metadata_change(before->str, &longer, &error);
        unit_assert_ok(second != NULL, error);
        ck_assert_str_eq(second, late->str);
    }
}
END_TEST

/* libvirt fails on an element that already has the prefix. */
START_TEST(a_change_has_no_prefix)
{
    static const ViommuMetadataChange stopping = {.phase = VIOMMU_STATE_STOPPING};
    g_autoptr(ViommuMetadata) metadata = full(), changed = NULL;
    g_autofree char *in_domain = written(metadata), *after = NULL, *bad = NULL, *more = NULL;
    g_autoptr(GError) error = NULL;

    after = viommu_metadata_change(in_domain, &stopping, &error);
    unit_assert_ok(after != NULL, error);
    ck_assert_ptr_null(strstr(after, "viommu:"));
    ck_assert_ptr_null(strstr(after, "xmlns"));
    more = written_additions(metadata);
    changed = viommu_metadata_from_xml(after, more, NULL);
    metadata->phase = VIOMMU_STATE_STOPPING;
    assert_same(changed, metadata);
    bad = replaced(in_domain, "model='virtio'", "viommu:model='virtio'");
    ck_assert_ptr_null(viommu_metadata_change(bad, &stopping, &error));
    unit_assert_error(error, VIOMMU_ERROR_INTERNAL, "metadata: an attribute has a namespace prefix");
    g_clear_error(&error);
    ck_assert_ptr_null(viommu_metadata_change("<machine version='2'/>", &stopping, &error));
    unit_assert_error(error, VIOMMU_ERROR_INTERNAL, "metadata: attribute 'owner' is missing");
}
END_TEST

START_TEST(no_document_at_all)
{
    static const char *const cases[] = {"", "x", "<machine/>", "<machine version='1'/>", "<metadata/>", "<a"};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(viommu_metadata_from_xml(cases[i], NULL, &error));
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL));
        ck_assert(g_str_has_prefix(error->message, "metadata: "));
    }
}
END_TEST

/* From a plan: the reasons of the chosen candidate, or of all candidates when none is chosen. */
START_TEST(from_a_plan)
{
    g_autoptr(GVariant) tree =
        g_variant_parse(NULL, "{'name': <'m'>, 'request-id': <'id-1'>, 'iommu': <{'is-supported': <true>}>}",
                        NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new(), devices = g_ptr_array_new();
    g_autofree char *fingerprint = viommu_request_fingerprint(request), *text = viommu_request_text(request);
    ViommuPlan plan = {.arch = VIOMMU_ARCH_X86_64,
                       .machine = (char *)"q35",
                       .accelerator = VIOMMU_ACCELERATOR_KVM,
                       .vcpus = 2,
                       .memory_max_bytes = 3,
                       .memlock_bytes = 4,
                       .page_size_bytes = 5,
                       .disks = devices,
                       .networks = devices,
                       .shares = devices,
                       .warnings = warnings};

    viommu_iommu_choice_init(&plan.iommu);
    g_ptr_array_add(warnings, (gpointer) "careful");
    g_ptr_array_add(plan.iommu.candidates[VIOMMU_MODEL_INTEL].reasons,
                    viommu_reason_new(VIOMMU_MODEL_INTEL, VIOMMU_RULE_ORDER, "the first"));
    g_ptr_array_add(plan.iommu.candidates[VIOMMU_MODEL_AMD].reasons,
                    viommu_reason_new(VIOMMU_MODEL_AMD, VIOMMU_RULE_BY_NAME, "not asked for"));
    for (int chosen = 0; chosen < 2; chosen++) {
        g_autoptr(ViommuMetadata) metadata = NULL;

        plan.iommu.model = chosen ? VIOMMU_MODEL_INTEL : VIOMMU_MODEL_NONE;
        metadata = viommu_metadata_new(&plan, request, 1000, 99);
        ck_assert_uint_eq(metadata->owner_uid, 1000);
        ck_assert_uint_eq(metadata->created_usec, 99);
        ck_assert_int_eq((int)metadata->phase, VIOMMU_STATE_DEFINING);
        ck_assert_int_eq((int)metadata->model, (int)plan.iommu.model);
        ck_assert_str_eq(metadata->request_id, "id-1");
        ck_assert_str_eq(metadata->fingerprint, fingerprint);
        ck_assert_str_eq(metadata->request, text);
        ck_assert_str_eq(metadata->machine, "q35");
        ck_assert_uint_eq(metadata->vcpus, 2);
        ck_assert_uint_eq(metadata->memory_bytes, 3);
        ck_assert_uint_eq(metadata->memlock_bytes, 4);
        ck_assert_uint_eq(metadata->page_size_bytes, 5);
        ck_assert_uint_eq(g_strv_length(metadata->reasons), chosen ? 1 : 2);
        ck_assert_str_eq(metadata->reasons[0], "the first");
        ck_assert_str_eq(metadata->warnings[0], "careful");
    }
    viommu_iommu_choice_clear(&plan.iommu);
}
END_TEST

/* @xml has as many attributes and elements as @text, with the same values. */
static void assert_same_element(const char *text, const char *xml)
{
    g_autoptr(xmlDoc) a = viommu_xml_parse(text, "machine", VIOMMU_ERROR_INTERNAL, NULL);
    g_autoptr(xmlDoc) b = viommu_xml_parse(xml, "machine", VIOMMU_ERROR_INTERNAL, NULL);
    const xmlNode *other = xmlFirstElementChild(xmlDocGetRootElement(b));
    const xmlAttr *attr = xmlDocGetRootElement(a)->properties, *same = xmlDocGetRootElement(b)->properties;

    for (; attr && same; attr = attr->next, same = same->next) {
        g_autofree char *value = viommu_xml_get(xmlDocGetRootElement(a), (const char *)attr->name);
        g_autofree char *now = viommu_xml_get(xmlDocGetRootElement(b), (const char *)same->name);

        ck_assert_str_eq((const char *)attr->name, (const char *)same->name);
        ck_assert_str_eq(value, now);
    }
    ck_assert(!attr && !same);
    for (xmlNode *node = xmlFirstElementChild(xmlDocGetRootElement(a)); node;
         node = xmlNextElementSibling(node), other = xmlNextElementSibling((xmlNode *)other)) {
        g_autofree char *value = viommu_xml_content(node), *now = other ? viommu_xml_content(other) : NULL;

        ck_assert(other && xmlStrEqual(node->name, other->name));
        ck_assert_str_eq(value, now);
    }
    ck_assert_ptr_null(other);
}

/* This version writes what the previous release wrote. */
START_TEST(records_of_the_previous_release)
{
    static const char *const records[] = {"plain", "intel", "asked", "leased", "extended", "warned", "bound"};

    for (size_t i = 0; i < G_N_ELEMENTS(records); i++) {
        g_autofree char *file = g_strdup_printf("metadata-0.1.0/%s.xml", records[i]);
        g_autofree char *text = unit_read_data(file), *xml = NULL, *in_domain = NULL, *more = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuMetadata) metadata = viommu_metadata_from_xml(text, NULL, &error);

        unit_assert_ok(metadata != NULL, error);
        xml = viommu_metadata_to_xml(metadata);
        assert_same_element(text, xml);
        in_domain = written(metadata);
        ck_assert(validates(in_domain));
        more = written_additions(metadata);
        ck_assert_str_eq(g_strstrip(more), "");
    }
}
END_TEST

UNIT_MAIN("metadata", there_and_back, records_of_the_previous_release, every_state_and_model,
          as_libvirt_returns_it, refusals, the_previous_release_knows_all_of_it, additions_beside,
          additions_are_passed_over, the_core_of_other_versions, a_change_keeps_the_rest,
          a_change_has_no_prefix, no_document_at_all, from_a_plan)
