/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-beaker-judge: whether a system satisfies hostRequires of Beaker: each element and operator,
 * groups and their opposites, and what is not known. */
#include "lib/request/beaker-judge.h"

#include "tests/unit/unit.h"

typedef struct Case {
    const char *inner, *said; /* after "this host itself" */
} Case;

static GPtrArray *facts(void)
{
    static const char *const list[][2] = {
        {"arch", "x86_64"},
        {"memory", "4096"},
        {"cpu/processors", "8"},
        {"cpu/vendor", "AuthenticAMD"},
        {"cpu/family", "25"},
        {"cpu/model_name", "AMD EPYC 7713"},
        {"cpu/flag", "svm"},
        {"cpu/flag", "sse2"},
        {"disk/size", "10000000000"},
        {"disk/size", "500000000000"},
        {"hypervisor", ""},
        {"key_value NR_DISKS", "2"},
        {"key_value VIRT_IOMMU", "1"},
    };
    GPtrArray *facts = viommu_beaker_facts_new();

    for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
        viommu_beaker_facts_add(facts, list[i][0], list[i][1]);
    viommu_beaker_facts_add(facts, "cpu/stepping", NULL);
    return facts;
}

static void check(const Case *cases, size_t n)
{
    g_autoptr(GPtrArray) known = facts();

    for (size_t i = 0; i < n; i++) {
        g_autofree char *xml = g_strdup_printf("<hostRequires>%s</hostRequires>", cases[i].inner);
        g_autofree char *wanted = g_strconcat("this host itself ", cases[i].said, NULL);
        g_autofree char *said = viommu_beaker_judge(xml, known, NULL);

        ck_assert_msg(g_strcmp0(said, wanted) == 0, "%s: %s", cases[i].inner, said);
    }
}

#define YES "satisfies hostRequires"
#define NO  "does not satisfy hostRequires: "
#define SO  "may satisfy hostRequires: not judged of it: "

START_TEST(elements)
{
    static const Case cases[] = {
        {"", YES},
        {"<arch value='x86_64'/>", YES},
        {"<system><arch op='=' value='X86_64'/></system>", YES},
        {"<arch op='!=' value='x86_64'/>", NO "arch != 'x86_64' (it is 'x86_64')"},
        {"<arch value='aarch64'/>", NO "arch == 'aarch64' (it is 'x86_64')"},
        {"<memory op='&gt;=' value=' 4096 '/>", YES},
        {"<system><memory op='&gt;' value='4096'/></system>", NO "system/memory > '4096' (it is '4096')"},
        {"<cpu_count op='&lt;=' value='8'/>", YES},
        {"<cpu_count op='&lt;' value='8'/>", NO "cpu_count < '8' (it is '8')"},
        {"<cpu><processors op='!=' value='8'/></cpu>", NO "cpu/processors != '8' (it is '8')"},
        {"<cpu><processors op='&gt;' value='10'/></cpu>", NO "cpu/processors > '10' (it is '8')"},
        {"<cpu><vendor value='AuthenticAMD'/><family op='&gt;=' value='23'/></cpu>", YES},
        {"<cpu><vendor op='!=' value='GenuineIntel'/></cpu>", YES},
        {"<cpu><vendor op='like' value='%amd'/></cpu>", YES},
        {"<cpu><vendor op='like' value='AMD'/></cpu>", NO "cpu/vendor like 'AMD' (it is 'AuthenticAMD')"},
        {"<cpu><model_name op='like' value='%EPYC _713%'/></cpu>", YES},
        {"<cpu><model_name op='like' value='%EPYC%4'/></cpu>",
         NO "cpu/model_name like '%EPYC%4' (it is 'AMD EPYC 7713')"},
        {"<cpu><flag value='svm'/><flag op='!=' value='vmx'/></cpu>", YES},
        {"<cpu><flag value='vmx'/></cpu>", NO "cpu/flag == 'vmx'"},
        {"<cpu><flag op='!=' value='sse2'/></cpu>", NO "cpu/flag != 'sse2'"},
        {"<cpu><stepping value='1'/></cpu>", SO "cpu/stepping"},
        {"<hypervisor value=''/>", YES},
        {"<system><hypervisor op='!=' value='KVM'/></system>", YES},
        {"<hypervisor value='KVM'/>", NO "hypervisor == 'KVM' (it is '')"},
        {"<key_value key='NR_DISKS' op='&gt;=' value='2'/>", YES},
        {"<key_value key='NR_DISKS' op='&gt;' value='2'/>", NO "key_value NR_DISKS > '2' (it is '2')"},
        {"<key_value key='VIRT_IOMMU' op='==' value='1'/>", YES},
        {"<key_value key='VIRT_IOMMU' value='True'/>", YES},
        {"<key_value key='VIRT_IOMMU' op='!=' value='1'/>", NO "key_value VIRT_IOMMU != '1' (it is '1')"},
        {"<key_value key='VIRT_IOMMU' value='false'/>", NO "key_value VIRT_IOMMU == '0' (it is '1')"},
        {"<key_value key='MODULE' value='kvm'/><labcontroller value='x'/><pool value='y'/>",
         SO "key_value MODULE, labcontroller, pool"},
        {"<memory op='about' value='1'/>", SO "memory"},
        {"<memory value='much'/>", SO "memory"},
        {"<arch value='a&#9;b'/>", SO "arch"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(disks)
{
    static const Case cases[] = {
        {"<disk><size op='&gt;' value='400' units='GB'/></disk>", YES},
        {"<disk><size op='&gt;' value='400' units='GiB'/></disk>", YES},
        {"<disk><size op='=' value='10000000000'/></disk>", YES},
        {"<disk><size op='&gt;' value='1' units='TB'/></disk>", NO "disk (no disk is so)"},
        /* Of the same disk. */
        {"<disk><size op='&gt;' value='20' units='GB'/><size op='&lt;' value='100' units='GB'/></disk>",
         NO "disk (no disk is so)"},
        {"<disk><size op='!=' value='10000000000'/></disk>", YES},
        {"<not><disk><size op='&gt;' value='400' units='GB'/></disk></not>", NO "not disk"},
        {"<not><disk><size op='&gt;' value='1' units='TB'/></disk></not>", YES},
        {"<disk><model value='x'/></disk>", SO "disk/model"},
        {"<disk><model value='x'/><size op='&gt;' value='1' units='TB'/></disk>", NO "disk (no disk is so)"},
        {"<disk><size op='&gt;' value='1' units='QB'/></disk>", SO "disk/size"},
    };
    g_autoptr(GPtrArray) none = viommu_beaker_facts_new();
    g_autofree char *said = NULL;

    check(cases, G_N_ELEMENTS(cases));
    said = viommu_beaker_judge("<hostRequires><disk><size value='1'/></disk></hostRequires>", none, NULL);
    ck_assert_str_eq(said, "this host itself " SO "disk");
}
END_TEST

START_TEST(groups)
{
    static const Case cases[] = {
        {"<and/>", YES},
        {"<or/>", YES},
        {"<not/>", YES},
        {"<and><arch value='x86_64'/><memory op='&gt;' value='5000'/><pool value='x'/></and>",
         NO "memory > '5000' (it is '4096')"},
        {"<and><arch value='x86_64'/><pool value='x'/></and>", SO "pool"},
        {"<or><arch value='aarch64'/><memory op='&gt;' value='1'/><pool value='x'/></or>", YES},
        {"<or><arch value='aarch64'/><pool value='x'/></or>", SO "pool"},
        {"<or><arch value='x86_64'/><pool value='x'/></or><labcontroller value='y'/>", SO "labcontroller"},
        {"<or><arch value='aarch64'/><arch value='ppc64'/></or>",
         NO "arch == 'aarch64' (it is 'x86_64'), arch == 'ppc64' (it is 'x86_64')"},
        /* What does not hold of an alternative is no reason where another holds. */
        {"<or><arch value='aarch64'/><arch value='x86_64'/></or><memory value='1'/>",
         NO "memory == '1' (it is '4096')"},
        {"<not><arch value='x86_64'/></not>", NO "not arch == 'x86_64' (it is 'x86_64')"},
        {"<not><arch value='x86_64'/><memory value='1'/></not>", YES},
        {"<not><or><arch value='aarch64'/><memory value='1'/></or></not>", YES},
        {"<not><not><arch value='x86_64'/></not></not>", YES},
        {"<not><pool value='x'/></not>", SO "pool"},
        {"<not><cpu><vendor value='AuthenticAMD'/><flag value='vmx'/></cpu></not>", YES},
        {"<cpu><or><flag value='vmx'/><flag value='svm'/></or></cpu>", YES},
    };
    g_autoptr(GPtrArray) known = facts();
    g_autoptr(GError) error = NULL;
    g_autofree char *without = viommu_beaker_judge("<job/>", known, NULL);
    GString *deep = g_string_new("<hostRequires>");
    g_autofree char *said = NULL;

    check(cases, G_N_ELEMENTS(cases));
    ck_assert_str_eq(without, "this host itself " YES);
    ck_assert_ptr_null(viommu_beaker_judge("<job>", known, &error));
    ck_assert_str_ne(error->message, "");
    for (int i = 0; i < 200; i++)
        g_string_append(deep, "<not>");
    for (int i = 0; i < 200; i++)
        g_string_append(deep, "</not>");
    g_string_append(deep, "</hostRequires>");
    said = viommu_beaker_judge(deep->str, known, NULL);
    ck_assert_str_eq(said, "this host itself " SO "not");
    g_string_free(deep, TRUE);
}
END_TEST

UNIT_MAIN("beaker-judge", elements, disks, groups)
