/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attached: a list, and its element. */
#include "lib/domain/attached.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/base/pci-address.h"
#include "lib/base/xml-read.h"
#include "lib/base/xml-write.h"

VIOMMU_ENUM_DEFINE(attached, "kind of attached device", VIOMMU_ATTACHED_LAST, "disk", "network", "hostdev");

#define ROOT   "attached"
#define DEVICE "device"

void viommu_attached_free(ViommuAttached *attached)
{
    if (!attached)
        return;
    g_free(attached->id);
    g_free(attached->what);
    g_free(attached->host_driver);
    g_free(attached);
}

ViommuAttached *viommu_attached_copy(const ViommuAttached *attached)
{
    ViommuAttached *copy = g_new0(ViommuAttached, 1);

    *copy = (ViommuAttached){g_strdup(attached->id), attached->kind, g_strdup(attached->what),
                             g_strdup(attached->host_driver), attached->memlock_bytes};
    return copy;
}

GPtrArray *viommu_attached_list_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)viommu_attached_free);
}

ViommuAttached *viommu_attached_find(const GPtrArray *list, const char *id)
{
    for (guint i = 0; list && i < list->len; i++) {
        ViommuAttached *attached = g_ptr_array_index(list, i);

        if (g_str_equal(attached->id, id))
            return attached;
    }
    return NULL;
}

ViommuAttached *viommu_attached_take(GPtrArray *list, const char *id)
{
    guint i;
    ViommuAttached *attached = viommu_attached_find(list, id);

    return attached && g_ptr_array_find(list, attached, &i) ? g_ptr_array_steal_index(list, i) : NULL;
}

char *viommu_attached_new_id(const GPtrArray *list, char *const *taken, ViommuAttachedKind kind)
{
    for (unsigned i = 1;; i++) {
        g_autofree char *id =
            g_strdup_printf("%s%u", viommu_enum_to_string(&viommu_enum_attached, (int)kind), i);

        if (!viommu_attached_find(list, id) && !g_strv_contains((const char *const *)taken, id))
            return g_steal_pointer(&id);
    }
}

char *viommu_attached_host_drivers(const GPtrArray *list)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; list && i < list->len; i++) {
        const ViommuAttached *attached = g_ptr_array_index(list, i);

        if (attached->host_driver)
            g_string_append_printf(text, "%s%s=%s", text->len ? " " : "", attached->what,
                                   attached->host_driver);
    }
    return g_string_free(text, text->len == 0);
}

char *viommu_attached_to_xml(const GPtrArray *list)
{
    g_autoptr(ViommuXmlWriter) writer = NULL;

    if (!list || list->len == 0)
        return NULL;
    writer = viommu_xml_writer_new();
    viommu_xml_open(writer, ROOT);
    viommu_xml_attribute_number(writer, "version", VIOMMU_METADATA_VERSION);
    for (guint i = 0; i < list->len; i++) {
        const ViommuAttached *attached = g_ptr_array_index(list, i);

        viommu_xml_open(writer, DEVICE);
        viommu_xml_attribute(writer, "id", attached->id);
        viommu_xml_attribute(writer, "kind",
                             viommu_enum_to_string(&viommu_enum_attached, (int)attached->kind));
        viommu_xml_attribute(writer, "what", attached->what);
        viommu_xml_attribute(writer, "host-driver", attached->host_driver);
        if (attached->memlock_bytes)
            viommu_xml_attribute_number(writer, "memlock", attached->memlock_bytes);
        viommu_xml_close(writer);
    }
    viommu_xml_close(writer);
    return viommu_xml_finish(writer);
}

static bool fail(GError **error, const char *what, const char *value)
{
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "metadata of attached devices: %s '%.64s' is not valid",
                       what, value ? value : "");
}

static bool check_version(const xmlNode *root, GError **error)
{
    g_autofree char *version = viommu_xml_get(root, "version");
    guint64 number = 0;

    if (version && g_ascii_string_to_unsigned(version, 10, 0, UINT32_MAX, &number, NULL) &&
        number == VIOMMU_METADATA_VERSION)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL,
                       "metadata of attached devices: another viommud wrote version '%.16s' of it",
                       version ? version : "");
}

/* The word of its kind, and a number. */
static bool is_id(const char *id, ViommuAttachedKind kind)
{
    const char *word = viommu_enum_to_string(&viommu_enum_attached, (int)kind);
    guint64 number;

    return id && g_str_has_prefix(id, word) &&
           g_ascii_string_to_unsigned(id + strlen(word), 10, 1, G_MAXUINT, &number, NULL);
}

static bool read_device(const xmlNode *node, ViommuAttached *attached, GError **error)
{
    g_autofree char *kind = viommu_xml_get(node, "kind"), *memlock = viommu_xml_get(node, "memlock");
    int word = kind ? viommu_enum_from_string(&viommu_enum_attached, kind) : VIOMMU_UNSET;
    ViommuPciAddress address;
    guint64 number = 0;

    attached->id = viommu_xml_get(node, "id");
    attached->what = viommu_xml_get(node, "what");
    attached->host_driver = viommu_xml_get(node, "host-driver");
    if (word == VIOMMU_UNSET)
        return fail(error, "kind", kind);
    attached->kind = (ViommuAttachedKind)word;
    if (!is_id(attached->id, attached->kind))
        return fail(error, "id", attached->id);
    if (!attached->what ||
        (attached->kind == VIOMMU_ATTACHED_HOSTDEV && !viommu_pci_address_parse(attached->what, &address)))
        return fail(error, "what", attached->what);
    if (memlock && !g_ascii_string_to_unsigned(memlock, 10, 0, UINT64_MAX, &number, NULL))
        return fail(error, "memlock", memlock);
    attached->memlock_bytes = number;
    return true;
}

GPtrArray *viommu_attached_from_xml(const char *xml, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, ROOT, VIOMMU_ERROR_INTERNAL, error);
    g_autoptr(GPtrArray) list = viommu_attached_list_new();
    const xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;

    if (!root || !check_version(root, error))
        return NULL;
    for (const xmlNode *node = viommu_xml_child(root, DEVICE); node; node = viommu_xml_next(node, DEVICE)) {
        ViommuAttached *attached = g_new0(ViommuAttached, 1);

        g_ptr_array_add(list, attached);
        if (!read_device(node, attached, error))
            return NULL;
        if (viommu_attached_find(list, attached->id) != attached) {
            fail(error, "id", attached->id);
            return NULL;
        }
    }
    return g_steal_pointer(&list);
}
