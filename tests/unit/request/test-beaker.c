/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-beaker: hostRequires of Beaker: each element, groups and their opposites, what is not
 * judged, and what is refused. */
#include "lib/request/beaker.h"

#include <string.h>

#include "lib/request/tmt.h"
#include "tests/unit/unit.h"

/* The conditions of each alternative, separated by " | "; "(...)": not judged; "! " and an
 * error. */
static char *read_job(const char *xml)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *unknown = NULL;
    g_autoptr(GPtrArray) alternatives = viommu_beaker_read(xml, &unknown, &error);
    GString *result = g_string_new(NULL);

    for (guint i = 0; alternatives && i < alternatives->len; i++) {
        g_autofree char *text = viommu_tmt_text((const GPtrArray *)alternatives->pdata[i]);

        g_string_append_printf(result, "%s%s", i ? " | " : "", text);
    }
    if (unknown)
        g_string_append_printf(result, "(%s)", unknown);
    if (!alternatives)
        g_string_printf(result, "! %s", error->message);
    return g_string_free(result, FALSE);
}

typedef struct Case {
    const char *inner, *read; /* "! ": the beginning of the error */
} Case;

static void check(const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_autofree char *xml =
            g_strdup_printf("<recipe><hostRequires>%s</hostRequires></recipe>", cases[i].inner);
        g_autofree char *read = read_job(xml);
        bool same = cases[i].read[0] == '!' ? g_str_has_prefix(read, cases[i].read)
                                            : g_str_equal(read, cases[i].read);

        ck_assert_msg(same, "%s: %s", cases[i].inner, read);
    }
}

START_TEST(elements)
{
    static const Case cases[] = {
        {"", ""},
        {"<arch value='x86_64'/>", "arch: = x86_64"},
        {"<system><arch op='!=' value='x86_64'/></system>", "arch: != x86_64"},
        {"<memory op='&gt;=' value=' 2048 '/>", "memory: >= 2048 MiB"},
        {"<cpu_count op='&gt;' value='2'/>", "cpu.processors: > 2"},
        {"<cpu><processors op='&lt;=' value='2'/><vendor op='==' value='GenuineIntel'/></cpu>",
         "cpu.processors: <= 2, cpu.vendor-name: = GenuineIntel"},
        {"<disk><size op='&gt;=' value='20' units='GB'/></disk>", "disk[0].size: >= 20 GB"},
        {"<disk><size op='=' value='20' units='KB'/></disk>", "disk[0].size: = 20 kB"},
        {"<disk><size op='=' value='20' units='bytes'/></disk>", "disk[0].size: = 20 B"},
        {"<disk><size value='20'/></disk>", "disk[0].size: = 20 B"},
        {"<hypervisor op='=' value='KVM'/>", "virtualization.hypervisor: = kvm"},
        {"<system><hypervisor op='=' value=''/></system>", "virtualization.is-virtualized: = false"},
        {"<system><hypervisor op='!=' value=''/></system>", "virtualization.is-virtualized: != false"},
        {"<key_value key='VIRT_IOMMU' op='==' value='1'/>", "iommu.is-supported: = true"},
        {"<key_value key='VIRT_IOMMU' op='!=' value='1'/>", "iommu.is-supported: != true"},
        {"<key_value key='VIRT_IOMMU' op='=' value='0'/>", "iommu.is-supported: = false"},
        {"<key_value key='NR_DISKS' op='&gt;=' value='1'/>", ""},
        {"<key_value key='NR_DISKS' op='=' value='1'/>", ""},
        {"<key_value key='NR_DISKS' op='&lt;' value='4'/>", ""},
        {"<key_value key='NR_DISKS' op='&gt;' value='1'/>", "key_value NR_DISKS: > 1"},
        {"<key_value key='NR_DISKS' op='&gt;=' value='3'/>", "key_value NR_DISKS: >= 3"},
        {"<key_value key='NR_DISKS' op='=' value='0'/>", "key_value NR_DISKS: = 0"},
        {"<key_value key='NR_DISKS' op='!=' value='1'/>", "key_value NR_DISKS: != 1"},
        {"<key_value key='NR_DISKS' op='&gt;' value='many'/>", "! NR_DISKS of hostRequires is not a number"},
        {"<key_value key='MODULE' op='=' value='kvm'/><labcontroller value='x'/><pool value='y'/><pool value='z'/>",
         "key_value MODULE: not judged, labcontroller: not judged, pool: not judged, pool: not judged"
         "(key_value MODULE, labcontroller, pool)"},
        {"<arch op='like' value='x%'/>", "arch: not judged(arch)"},
        {"<cpu><speed op='&gt;' value='1'/></cpu>", "cpu/speed: not judged(cpu/speed)"},
        {"<arch/>", "! a value of hostRequires is missing"},
        {"<arch value='a&#9;b'/>",
         "! a value of hostRequires is missing, too long, or has control characters"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(groups)
{
    static const Case cases[] = {
        {"<and><arch value='a'/><or><memory value='1'/><memory value='2'/></or></and>",
         "arch: = a, memory: = 1 MiB | arch: = a, memory: = 2 MiB"},
        {"<or><arch value='a'/><arch value='b'/></or>", "arch: = a | arch: = b"},
        {"<not><arch value='a'/></not>", "arch: != a"},
        {"<not><memory op='&gt;=' value='1'/></not>", "memory: < 1 MiB"},
        {"<not><not><memory op='&lt;' value='1'/></not></not>", "memory: < 1 MiB"},
        {"<not><and><arch value='a'/><memory op='&gt;' value='1'/></and></not>",
         "arch: != a | memory: <= 1 MiB"},
        {"<not><or><arch value='a'/><memory op='&lt;=' value='1'/></or></not>",
         "arch: != a, memory: > 1 MiB"},
        {"<not><cpu><processors value='1'/><cores value='2'/></cpu></not>",
         "cpu.processors: != 1 | cpu.cores: != 2"},
        {"<or/>", ""},
        {"<or><pool value='a'/><arch value='a'/><pool value='b'/></or>",
         "arch: = a | pool: not judged | pool: not judged(pool)"},
        {"<and><not><pool value='a'/></not><arch value='a'/></and>", "pool: not judged, arch: = a(pool)"},
        {"<system><or><arch value='a'/><memory value='1'/></or></system>", "arch: = a | memory: = 1 MiB"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(files)
{
    static const Case cases[] = {
        {"<job><recipeSet><recipe><hostRequires><arch value='a'/></hostRequires></recipe></recipeSet></job>",
         "arch: = a"},
        {"<hostRequires><arch value='a'/></hostRequires>", "arch: = a"},
        {"<job/>", ""},
        {"<recipeSet><recipe><hostRequires/></recipe><recipe><hostRequires/></recipe></recipeSet>",
         "! the job has several hostRequires"},
        {"<domain/>", "! the XML has the root element <domain> instead of <job>"},
        {"<job>", "! cannot parse the XML of <job>"},
        {"<!DOCTYPE job><job/>", "! the XML of <job> has a document type"},
    };
    GString *deep = g_string_new("<hostRequires>");
    g_autofree char *refused = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *read = read_job(cases[i].inner);

        ck_assert_msg(g_str_has_prefix(read, cases[i].read), "%s: %s", cases[i].inner, read);
    }
    for (int i = 0; i < 100; i++)
        g_string_append(deep, "<not>");
    for (int i = 0; i < 100; i++)
        g_string_append(deep, "</not>");
    g_string_append(deep, "</hostRequires>");
    refused = read_job(deep->str);
    ck_assert_str_eq(refused, "! hostRequires is nested too deeply");
    g_string_free(deep, TRUE);
}
END_TEST

UNIT_MAIN("beaker", elements, groups, files)
