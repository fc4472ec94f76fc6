/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-interface: compares the daemon's introspection with schemas/, argument by argument. */
#include "tests/bus/harness.h"

#include <libxml/parser.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

static char *attribute(xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    char *copy = g_strdup(value ? (const char *)value : "-");

    xmlFree(value);
    return copy;
}

static bool is_element(xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && g_str_equal(node->name, name);
}

/* "method Launch in a{sv} request, ..." */
static char *describe(xmlNode *member)
{
    g_autofree char *name = attribute(member, "name"), *type = attribute(member, "type");
    g_autofree char *access = attribute(member, "access");
    GString *text = g_string_new(NULL);

    g_string_printf(text, "%s %s %s %s", (const char *)member->name, name, type, access);
    for (xmlNode *child = member->children; child; child = child->next) {
        static const char *const names[] = {"direction", "type", "name", "value"};
        for (size_t i = 0; child->type == XML_ELEMENT_NODE && i < G_N_ELEMENTS(names); i++) {
            g_autofree char *value = attribute(child, names[i]);
            g_string_append_printf(text, "%s%s", i == 0 ? "\n    " : " ", value);
        }
    }
    return g_string_free(text, FALSE);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All members of @interface in @xml, sorted, one per line. */
static char *describe_interface(const char *xml, const char *interface)
{
    g_autoptr(xmlDoc) document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
    g_autoptr(GPtrArray) members = g_ptr_array_new_with_free_func(g_free);

    ck_assert_ptr_nonnull(document);
    for (xmlNode *node = xmlDocGetRootElement(document)->children; node; node = node->next) {
        g_autofree char *name = node->type == XML_ELEMENT_NODE ? attribute(node, "name") : NULL;
        if (!is_element(node, "interface") || !g_str_equal(name, interface))
            continue;
        for (xmlNode *member = node->children; member; member = member->next)
            if (member->type == XML_ELEMENT_NODE)
                g_ptr_array_add(members, describe(member));
    }
    g_ptr_array_sort(members, compare);
    g_ptr_array_add(members, NULL);
    return g_strjoinv("\n", (char **)members->pdata);
}

static void assert_same(Harness *harness, const char *path, const char *interface)
{
    g_autofree char *file = g_strdup_printf("%s/%s.xml", BUS_SCHEMAS, interface), *text = NULL;
    g_autofree char *expected = NULL, *actual = NULL;
    g_autoptr(sd_bus_message) reply = harness_call(
        harness, harness_method(harness->bus, path, "org.freedesktop.DBus.Introspectable", "Introspect"));
    const char *xml;

    ck_assert(g_file_get_contents(file, &text, NULL, NULL));
    ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
    expected = describe_interface(text, interface);
    actual = describe_interface(xml, interface);
    ck_assert_msg(strlen(expected) > 0, "nothing of %s in %s", interface, file);
    ck_assert_msg(g_str_equal(actual, expected), "%s: the daemon says:\n%s\nthe schema says:\n%s", interface,
                  actual, expected);
}

START_TEST(introspection)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, "{'arch': <'x86_64'>}");

    assert_same(harness, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER);
    assert_same(harness, path, VIOMMU_IFACE_MACHINE);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"introspection", &introspection},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return harness_main(argc, argv, scenarios);
}
