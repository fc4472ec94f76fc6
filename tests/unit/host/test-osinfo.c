/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-osinfo: guests of a small osinfo-db, and files that are none. */
#include "lib/host/osinfo.h"

#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/unit.h"

static char directory[64];
static ViommuRoot *root;

static void add(const char *vendor, const char *file, const char *text)
{
    g_autofree char *folder = g_build_filename(directory, "usr/share/osinfo/os", vendor, NULL);
    g_autofree char *path = g_build_filename(folder, file, NULL);

    ck_assert_int_eq(g_mkdir_with_parents(folder, 0755), 0);
    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    strcpy(directory, "/tmp/viommu-osinfo-XXXXXX");
    ck_assert_ptr_nonnull(g_mkdtemp(directory));
    root = viommu_root_open(directory, &error);
    unit_assert_ok(root != NULL, error);
}

static void teardown(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", directory);

    viommu_root_close(root);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(nothing_installed)
{
    ck_assert_ptr_null(viommu_osinfo_suggest(root, "eurolinux9"));
}
END_TEST

START_TEST(suggestions)
{
    static const struct {
        const char *name, *text; /* NULL: nothing */
    } cases[] = {
        {"eurolinux9.0",
         "osinfo-db knows guest.os 'eurolinux9.0' as 'EuroLinux 9.0' (linux, no word of virtio "
         "devices); it is close to 'rhel9.0': set guest.os to that if it has the same kernel"},
        {"haiku-r1", "osinfo-db knows guest.os 'haiku-r1' as 'Haiku R1' (beos, with virtio devices)"},
        {"nameless", NULL},
        {"broken", NULL},
        {"other", NULL},
        {"a</short-id>", NULL},
        {"../x", NULL},
        {"", NULL},
    };

    add("euro-linux.com", "eurolinux-9.0.xml",
        "<libosinfo version='0.0.1'>\n<os id='http://euro-linux.com/eurolinux/9.0'>\n"
        "<short-id>eurolinux9.0</short-id>\n<name>EuroLinux 9.0</name>\n<family>linux</family>\n"
        "<clones id='http://redhat.com/rhel/9.0'/>\n</os>\n</libosinfo>\n");
    add("haiku-os.org", "haiku.xml",
        "<libosinfo version='0.0.1'><os id='http://haiku-os.org/haiku/r1'><short-id>haiku-r1</short-id>"
        "<name>Haiku R1</name><family>beos</family><upgrades id='x'/>"
        "<devices><device id='http://pcisig.com/pci/1af4/1000'/></devices></os></libosinfo>");
    add("haiku-os.org", "nameless.xml",
        "<libosinfo><os id='x'><short-id>nameless</short-id></os></libosinfo>");
    add("haiku-os.org", "broken.xml", "<libosinfo><os id='x'><short-id>broken</short-id><name>B");
    add("haiku-os.org", "other.xml", "<other><os><short-id>other</short-id><name>B</name></os></other>");
    add("haiku-os.org", "no-xml", "<short-id>haiku-r1</short-id>");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = viommu_osinfo_suggest(root, cases[i].name);

        ck_assert_msg(g_strcmp0(text, cases[i].text) == 0, "%s: %s", cases[i].name, text);
    }
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("osinfo");

    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, nothing_installed);
    tcase_add_test(all, suggestions);
    return unit_run_case("osinfo", all);
}
