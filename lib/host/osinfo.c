/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/osinfo.h"

#include <string.h>

#include "lib/base/fields.h"
#include "lib/base/xml-read.h"
#include "lib/base/error.h"
#include "lib/facts/guest-os.h"

#define SYSTEMS  "usr/share/osinfo/os"
#define FILE_MAX (256u * 1024u)
/* PCI's id of Red Hat, whose devices are virtio's. */
#define VIRTIO_VENDOR "/pci/1af4/"

/* The text of the file, if it has @wanted.  Owned. */
static char *text_with(const ViommuRoot *root, const char *path, const char *wanted)
{
    int unused = 0;
    g_autoptr(GBytes) bytes = viommu_root_bytes(root, path, FILE_MAX, &unused);
    size_t length = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;

    return data && memmem(data, length, wanted, strlen(wanted)) ? g_strndup(data, length) : NULL;
}

/* The file of the guest; NULL: none.  Owned. */
static char *find_file(const ViommuRoot *root, const char *name)
{
    g_autofree char *wanted = g_strdup_printf("<short-id>%s</short-id>", name);
    g_auto(GStrv) vendors = viommu_root_list(root, SYSTEMS);

    for (char **vendor = vendors; vendor && *vendor; vendor++) {
        g_auto(GStrv) files = viommu_root_list(root, SYSTEMS "/%s", *vendor);

        for (char **file = files; file && *file; file++) {
            g_autofree char *path = g_strdup_printf(SYSTEMS "/%s/%s", *vendor, *file);
            char *text = g_str_has_suffix(*file, ".xml") ? text_with(root, path, wanted) : NULL;

            if (text)
                return text;
        }
    }
    return NULL;
}

/* "http://redhat.com/rhel/9.0" as a known guest's name; NULL: it is none. */
static const char *known_parent(const xmlNode *os)
{
    static const char *const relations[] = {"clones", "derives-from", "upgrades"};

    for (size_t i = 0; i < G_N_ELEMENTS(relations); i++) {
        g_autofree char *id = viommu_xml_get(viommu_xml_child(os, relations[i]), "id");
        g_auto(GStrv) parts = id ? g_strsplit(id, "/", -1) : NULL;
        guint n = parts ? g_strv_length(parts) : 0;
        g_autofree char *parent = n >= 2 ? g_strconcat(parts[n - 2], parts[n - 1], NULL) : NULL;
        const ViommuGuestOs *row = parent ? viommu_guest_os_find(parent) : NULL;

        if (row)
            return row->name;
    }
    return NULL;
}

bool viommu_osinfo_is_asked(const char *name)
{
    return name && !viommu_guest_os_find(name);
}

char *viommu_osinfo_suggest(const ViommuRoot *root, const char *name)
{
    bool plain = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(name);
    g_autofree char *text = plain ? find_file(root, name) : NULL, *full = NULL, *family = NULL;
    g_autoptr(xmlDoc) document =
        text ? viommu_xml_parse(text, "libosinfo", VIOMMU_ERROR_INTERNAL, NULL) : NULL;
    const xmlNode *os = document ? viommu_xml_child(xmlDocGetRootElement(document), "os") : NULL;
    const char *parent;

    if (!os)
        return NULL;
    full = viommu_xml_content(viommu_xml_child(os, "name"));
    family = viommu_xml_content(viommu_xml_child(os, "family"));
    if (!full || !viommu_fields_is_text(full) || (family && !viommu_fields_is_text(family)))
        return NULL;
    parent = known_parent(os);
    return g_strdup_printf("osinfo-db knows guest.os '%s' as '%.64s' (%.32s, %s)%s%s%s", name, full,
                           family ? family : "no family",
                           strstr(text, VIRTIO_VENDOR) ? "with virtio devices" : "no word of virtio devices",
                           parent ? "; it is close to '" : "", parent ? parent : "",
                           parent ? "': set guest.os to that if it has the same kernel" : "");
}
