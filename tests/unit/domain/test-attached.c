/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-attached: the record of attached devices there and back, against its schema, and what is
 * wrong in one. */
#include <libxml/relaxng.h>
#include <string.h>

#include "lib/base/names.h"
#include "lib/base/xml-read.h"
#include "lib/domain/attached.h"
#include "tests/unit/unit.h"

static GPtrArray *some(void)
{
    static const ViommuAttached all[] = {
        {(char *)"disk1", VIOMMU_ATTACHED_DISK, (char *)"/tmp/<&'.raw", NULL, 0},
        {(char *)"network3", VIOMMU_ATTACHED_NETWORK, (char *)"user", NULL, 0},
        {(char *)"hostdev1", VIOMMU_ATTACHED_HOSTDEV, (char *)"0000:01:00.0", (char *)"e1000e", 4096},
        {(char *)"hostdev2", VIOMMU_ATTACHED_HOSTDEV, (char *)"0000:02:00.0", (char *)"ixgbe", 8192},
    };
    GPtrArray *list = viommu_attached_list_new();

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        g_ptr_array_add(list, viommu_attached_copy(&all[i]));
    return list;
}

static void say_nothing(void *data, const char *format, ...)
{
}

/* As it is in the domain's XML. */
static bool validates(const char *xml)
{
    xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(UNIT_SCHEMAS "/metadata-attached.rng");
    xmlRelaxNG *schema = xmlRelaxNGParse(parser);
    xmlRelaxNGValidCtxt *validation = xmlRelaxNGNewValidCtxt(schema);
    const char *rest = g_str_has_prefix(xml, "<attached") ? xml + strlen("<attached") : "";
    g_autofree char *placed = g_strconcat("<attached xmlns='" VIOMMU_ATTACHED_URI "'", rest, NULL);
    g_autoptr(xmlDoc) document = NULL;
    int result;

    ck_assert_ptr_nonnull(schema);
    document = viommu_xml_parse(placed, "attached", VIOMMU_ERROR_INTERNAL, NULL);
    xmlRelaxNGSetValidErrors(validation, say_nothing, say_nothing, NULL);
    result = document ? xmlRelaxNGValidateDoc(validation, document) : 1;
    xmlRelaxNGFreeValidCtxt(validation);
    xmlRelaxNGFree(schema);
    xmlRelaxNGFreeParserCtxt(parser);
    return result == 0;
}

START_TEST(there_and_back)
{
    g_autoptr(GPtrArray) list = some(), empty = viommu_attached_list_new(), back = NULL;
    g_autofree char *xml = viommu_attached_to_xml(list), *again = NULL, *drivers = NULL;
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(viommu_attached_to_xml(empty));
    ck_assert_ptr_null(viommu_attached_to_xml(NULL));
    ck_assert_msg(validates(xml), "%s", xml);
    back = viommu_attached_from_xml(xml, &error);
    unit_assert_ok(back != NULL, error);
    again = viommu_attached_to_xml(back);
    ck_assert_str_eq(again, xml);
    ck_assert_str_eq(viommu_attached_find(back, "disk1")->what, "/tmp/<&'.raw");
    ck_assert_uint_eq(viommu_attached_find(back, "hostdev2")->memlock_bytes, 8192);
    drivers = viommu_attached_host_drivers(back);
    ck_assert_str_eq(drivers, "0000:01:00.0=e1000e 0000:02:00.0=ixgbe");
    ck_assert_ptr_null(viommu_attached_host_drivers(NULL));
}
END_TEST

#define WITH(attributes) "<attached version='1'><device " attributes "/></attached>"

static const struct {
    const char *xml, *words;
    bool by_schema; /* the schema refuses it, too */
} wrong[] = {
    {"<attached", "", true},
    {"<other/>", "", true},
    {"<attached/>", "version ''", true},
    {"<attached version='2'/>", "version '2'", true},
    {WITH("id='disk1' kind='disc' what='x'"), "kind 'disc'", true},
    {WITH("id='disk1' what='x'"), "kind ''", true},
    {WITH("kind='disk' what='x'"), "id ''", true},
    {WITH("id='disk' kind='disk' what='x'"), "id 'disk'", true},
    {WITH("id='network1' kind='disk' what='x'"), "id 'network1'", false},
    {WITH("id='disk1' kind='disk'"), "what ''", true},
    {WITH("id='hostdev1' kind='hostdev' what='01:00'"), "what '01:00'", false},
    {WITH("id='disk1' kind='disk' what='x' memlock='-1'"), "memlock '-1'", true},
    {"<attached version='1'><device id='disk1' kind='disk' what='x'/>"
     "<device id='disk1' kind='disk' what='x'/></attached>",
     "id 'disk1'", false},
};

START_TEST(what_is_wrong)
{
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) list = viommu_attached_from_xml(wrong[i].xml, &error);

        ck_assert_msg(!list, "%s", wrong[i].xml);
        ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL));
        ck_assert_msg(strstr(error->message, wrong[i].words), "%s", error->message);
        ck_assert_msg(!wrong[i].by_schema || !validates(wrong[i].xml), "%s", wrong[i].xml);
    }
}
END_TEST

START_TEST(ids)
{
    static const char *const taken[] = {"disk2", NULL};
    g_autoptr(GPtrArray) list = some();
    g_autofree char *disk = viommu_attached_new_id(list, (char *const *)taken, VIOMMU_ATTACHED_DISK);
    g_autofree char *network = viommu_attached_new_id(list, (char *const *)taken, VIOMMU_ATTACHED_NETWORK);
    g_autoptr(ViommuAttached) gone = viommu_attached_take(list, "disk1");

    ck_assert_str_eq(disk, "disk3");
    ck_assert_str_eq(network, "network1");
    ck_assert_str_eq(gone->id, "disk1");
    ck_assert_uint_eq(list->len, 3);
    ck_assert_ptr_null(viommu_attached_take(list, "disk1"));
}
END_TEST

UNIT_MAIN("attached", there_and_back, what_is_wrong, ids)
