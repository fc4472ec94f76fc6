/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tmt: hardware requirements of tmt: every operator, "and", "or", units, and
 * what is refused. */
#include "lib/request/tmt.h"

#include <string.h>

#include "tests/unit/unit.h"

/* The words of each alternative, separated by spaces and " | "; "! " and an error. */
static char *translate(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    g_autofree char *image = NULL;
    g_autoptr(GPtrArray) alternatives = NULL;
    GString *result = g_string_new(NULL);

    ck_assert_msg(tree != NULL, "%s: %s", text, error ? error->message : "");
    alternatives = viommu_tmt_read(tree, &image, &error);
    if (image)
        g_string_append_printf(result, "(%s) ", image);
    for (guint i = 0; alternatives && i < alternatives->len; i++) {
        g_auto(GStrv) words = viommu_tmt_words((const GPtrArray *)alternatives->pdata[i], &error);
        g_autofree char *all = words ? g_strjoinv(" ", words) : NULL;

        g_string_append_printf(result, "%s%s%s", i ? " | " : "", words ? "" : "! ",
                               words ? all : error->message);
        g_clear_error(&error);
    }
    if (!alternatives)
        g_string_printf(result, "! %s", error->message);
    return g_string_free(result, FALSE);
}

typedef struct Case {
    const char *text, *words; /* "! ": the beginning of the error */
} Case;

static void check(const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_autofree char *words = translate(cases[i].text);
        bool same = cases[i].words[0] == '!' ? g_str_has_prefix(words, cases[i].words)
                                             : g_str_equal(words, cases[i].words);

        ck_assert_msg(same, "%s: %s", cases[i].text, words);
    }
}

START_TEST(numbers)
{
    static const Case cases[] = {
        {"{'memory': <'2 GiB'>}", "memory=2147483648"},
        {"{'memory': <'= 2 GiB'>}", "memory=2147483648"},
        {"{'memory': <'==2 GiB'>}", "memory=2147483648"},
        /* At least that much, in whole MiB */
        {"{'memory': <'>= 2 GB'>}", "memory=2000683008"},
        {"{'memory': <'> 2 GiB'>}", "memory=2148532224"},
        {"{'memory': <'= 2 GB'>}", "memory=2000000000"},
        {"{'memory': <'<= 4 GiB'>}", "memory=1073741824"},
        {"{'memory': <'<= 512 MiB'>}", "memory=536870912"},
        {"{'memory': <'< 512 MiB'>}", "memory=535822336"},
        {"{'memory': <'!= 1 GiB'>}", "memory=1074790400"},
        {"{'and': <[<{'memory': <'<= 512 MiB'>}>, <{'memory': <'!= 512 MiB'>}>]>}", "memory=535822336"},
        {"{'memory': <'!= 2 GiB'>}", "memory=1073741824"},
        /* Units */
        {"{'memory': <'1024'>}", "memory=1073741824"},
        {"{'memory': <int64 1024>}", "memory=1073741824"},
        {"{'memory': <'1.5 GiB'>}", "memory=1610612736"},
        {"{'memory': <'4000000 kB'>}", "memory=4000000000"},
        {"{'memory': <'2147483648 B'>}", "memory=2147483648"},
        {"{'memory': <'2097152 KiB'>}", "memory=2147483648"},
        {"{'memory': <'2000 MB'>}", "memory=2000000000"},
        {"{'memory': <'1 TB'>}", "memory=1000000000000"},
        {"{'memory': <'1 TiB'>}", "memory=1099511627776"},
        {"{'memory': <'2 gibibytes'>}", "memory=2147483648"},
        {"{'memory': <'2 gibibyte'>}", "memory=2147483648"},
        {"{'memory': <'8 Gbit'>}", "! memory '8 Gbit' has an unknown unit"},
        {"{'memory': <'8 KB'>}", "! memory '8 KB' has an unknown unit"},
        {"{'memory': <'8 gibibytess'>}", "! memory '8 gibibytess' has an unknown unit"},
        {"{'memory': <'much'>}", "! memory 'much' is not a number"},
        {"{'memory': <'1. GB'>}", "! memory '1. GB' is not a number"},
        {"{'memory': <'-1 GB'>}", "! memory '-1 GB' is not a number"},
        {"{'memory': <'~ 1 GB'>}",
         "! memory '~ 1 GB' starts with '~', which is not an operator; use =, ==, !=, <"},
        {"{'memory': <'>= '>}", "! memory '>=' has an operator without a value"},
        {"{'memory': <'99999999 TiB'>}", "! memory '99999999 TiB' is too large"},
        {"{'memory': <'999999999999999999 TiB'>}", "! memory '999999999999999999 TiB' is too large"},
        {"{'memory': <'9999999999999999999'>}", "! memory '9999999999999999999' is not a number"},
        /* Processors */
        {"{'cpu': <{'processors': <int64 4>}>}", "vcpus=4"},
        {"{'cpu': <{'processors': <'>= 4'>}>}", "vcpus=4"},
        {"{'cpu': <{'processors': <'> 4'>}>}", "vcpus=5"},
        {"{'cpu': <{'processors': <'== 4'>}>}", "vcpus=4"},
        {"{'cpu': <{'processors': <'<= 4'>}>}", "vcpus=1"},
        {"{'cpu': <{'processors': <'< 4'>}>}", "vcpus=1"},
        {"{'cpu': <{'processors': <'!= 1'>}>}", "vcpus=2"},
        {"{'cpu': <{'processors': <'< 1'>}>}", "vcpus=0"},
        {"{'cpu': <{'processors': <'< 0'>}>}",
         "! hardware requirement 'cpu.processors: < 0' is not possible: no number"},
        {"{'cpu': <{'processors': <'4 B'>}>}", "! cpu.processors '4 B' is not a number"},
        {"{'cpu': <{'processors': <'1.5'>}>}", "! cpu.processors '1.5' is not a number"},
        /* Disks */
        {"{'disk': <[<{'size': <'20 GB'>}>]>}", "disks.0.size=20000000000"},
        {"{'disk': <[<{'size': <'>= 20 GB'>}>]>}", "disks.0.size-min=20000538624"},
        {"{'and': <[<{'disk': <[<{'size': <'>= 20 GB'>}>]>}>, <{'disk': <[<{'size': <'< 30 GB'>}>]>}>]>}",
         "disks.0.size-min=20000538624 disks.0.size-max=29999999999"},
        {"{'and': <[<{'disk': <[<{'size': <'>= 20 GiB'>}>]>}>, <{'disk': <[<{'size': <'!= 21 GiB'>}>]>}>]>}",
         "disks.0.size-min=21474836480 disks.0.size-max=22548578303"},
        {"{'and': <[<{'disk': <[<{'size': <'>= 20 GiB'>}>]>}>, <{'disk': <[<{'size': <'<= 20 GiB'>}>]>}>]>}",
         "disks.0.size=21474836480"},
        {"{'disk': <[<{'size': <'<= 20 GiB'>}>]>}", "disks.0.size=21474836480"},
        {"{'disk': <[<{'size': <'!= 20 GiB'>}>]>}",
         "! hardware requirement 'disk[0].size: != 20 GiB' is not possible: it bounds nothing"},
        {"{'disk': <[<{'size': <'1 GB'>}>, <{'size': <'2 GB'>}>]>}",
         "! hardware requirement 'disk[1].size: 2 GB' is not possible: the guest has the disk of its image"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(words_and_flags)
{
    static const Case cases[] = {
        {"{'arch': <'aarch64'>}", "arch=aarch64"},
        {"{'arch': <'!= aarch64'>}", "arch=x86_64"},
        {"{'arch': <'~ x86'>}", "arch=x86_64"},
        {"{'arch': <'=~ .*64'>}", ""},
        {"{'arch': <'!~ x86'>}", "arch=aarch64"},
        {"{'arch': <'~ 64'>}",
         "! hardware requirement 'arch: ~ 64' is not possible: viommud knows x86_64 and aarch64"},
        {"{'arch': <'~ ('>}", "! arch '(' is neither a name nor a regular expression"},
        {"{'arch': <'>= x86'>}", "! arch '>= x86' starts with '>='"},
        {"{'arch': <'!= s390x'>}", ""},
        {"{'boot': <{'method': <'uefi'>}>}", "boot.firmware=efi"},
        {"{'boot': <{'method': <'!= uefi'>}>}", "boot.firmware=bios"},
        {"{'boot': <{'method': <'~ uefi'>}>}", "! boot.method '~ uefi' has a regular expression"},
        {"{'boot': <{'method': <'efi'>}>}",
         "! hardware requirement 'boot.method: efi' is not possible: viommud knows bios and uefi"},
        {"{'virtualization': <{'hypervisor': <'kvm'>}>}", "accelerator=kvm"},
        {"{'virtualization': <{'hypervisor': <'!= kvm'>}>}", "accelerator=tcg"},
        {"{'virtualization': <{'hypervisor': <'xen'>}>}",
         "! hardware requirement 'virtualization.hypervisor: xen' is not possible: viommud knows kvm"},
        {"{'virtualization': <{'is-virtualized': <true>}>}", ""},
        {"{'virtualization': <{'is-virtualized': <'!= false'>}>}", ""},
        {"{'virtualization': <{'is-virtualized': <false>}>}",
         "! hardware requirement 'virtualization.is-virtualized: false' is not possible: a machine of viommud is a virtual one"},
        {"{'virtualization': <{'confidential': <true>}>}",
         "! hardware requirement 'virtualization.confidential: true' is not possible: viommud gives no"},
        {"{'virtualization': <{'is-supported': <true>}>}", "cpu.virtualization=true"},
        {"{'virtualization': <{'is-supported': <'!= true'>}>}", "cpu.virtualization=false"},
        {"{'cpu': <{'vendor-name': <'Intel'>}>}", "cpu.vendor=intel"},
        {"{'cpu': <{'vendor-name': <'!= Intel'>}>}", "cpu.vendor=amd"},
        {"{'cpu': <{'vendor-name': <'AuthenticAMD'>}>}", "cpu.vendor=amd"},
        {"{'cpu': <{'vendor-name': <'~ .*Intel'>}>}", "cpu.vendor=intel"},
        {"{'cpu': <{'vendor-name': <'~ .'>}>}", ""},
        {"{'cpu': <{'vendor-name': <'ARM'>}>}",
         "! hardware requirement 'cpu.vendor-name: ARM' is not possible: viommud knows GenuineIntel"},
        {"{'hostname': <'= one'>}", "seed.hostname=one"},
        {"{'hostname': <'~ one'>}",
         "! hardware requirement 'hostname: ~ one' is not possible: it needs the operator ="},
        {"{'gpu': <{'vendor': <'0x10de'>, 'device': <int64 7936>}>}",
         "hostdevs.0.vendor=10de hostdevs.0.device=1f00"},
        {"{'gpu': <{'vendor': <'4318'>, 'device': <'1'>}>, 'device': <{'vendor': <'0x8086'>, 'device': <'0x1572'>}>}",
         "hostdevs.0.vendor=8086 hostdevs.0.device=1572 hostdevs.1.vendor=10de hostdevs.1.device=0001"},
        {"{'gpu': <{'vendor': <'0x10de'>}>}",
         "! hardware requirement 'gpu' is not possible: viommud finds devices by vendor and device"},
        {"{'gpu': <{'vendor': <'0x10de5'>, 'device': <'1'>}>}", "! gpu.vendor '0x10de5' is not an id"},
        {"{'gpu': <{'vendor': <'!= 0x10de'>, 'device': <'1'>}>}",
         "! hardware requirement 'gpu.vendor: != 0x10de' is not possible: it needs the operator ="},
        {"{'system': <{'vendor': <'0x8086'>, 'model': <int64 1>}>}",
         "! hardware requirement 'system.vendor: 0x8086' is not possible: it names the machine itself"},
        {"{'system': <{'management-controller': <{'vendor': <'0x1a03'>, 'device': <'0x2000'>}>}>}",
         "! hardware requirement 'system.management-controller.vendor: 0x1a03' is not possible: it names the machine"},
        {"{'gpu': <{'driver': <'nvidia'>}>}",
         "! hardware requirement 'gpu.driver: nvidia' is not possible: viommud finds devices by"},
        {"{'tpm': <{'version': <'2.0'>}>, 'zcrypt': <{'mode': <'CCA'>}>}",
         "! hardware requirement 'tpm.version: 2.0' is not possible: viommud gives no TPM; 'zcrypt.mode: CCA' is not possible: viommud has no"},
        {"{'cpu': <{'flag': <[<'avx'>, <'!= avx2'>]>}>}",
         "! hardware requirement 'cpu.flag: avx' is not possible: viommud gives the host's CPU"},
        {"{'memori': <'1'>}", "! tmt has no hardware requirement 'memori'; did you mean 'memory'?"},
        {"{'disk[x].size': <'1'>}", "! tmt has no hardware requirement 'disk[x].size'"},
        {"{'disk[0].size': <'1 GiB'>}", "disks.0.size=1073741824"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(iommu)
{
    static const Case cases[] = {
        {"{'iommu': <{'is-supported': <true>}>}", "iommu.is-supported=true"},
        {"{'iommu': <{'is-supported': <'False'>}>}", "iommu.is-supported=false"},
        {"{'iommu': <{'is-supported': <'= false'>}>}", "iommu.is-supported=false"},
        {"{'iommu': <{'is-supported': <'== true'>}>}", "iommu.is-supported=true"},
        {"{'iommu': <{'is-supported': <'!= true'>}>}", "iommu.is-supported=false"},
        {"{'iommu': <{'is-supported': <'~ true'>}>}", "! iommu.is-supported '~ true' compares true"},
        {"{'and': <[<{'iommu': <{'is-supported': <true>}>}>, <{'iommu': <{'is-supported': <false>}>}>]>}",
         "! hardware requirement 'iommu.is-supported: true' is not possible: its conditions contradict"},
        {"{'iommu': <{'model-name': <'virtio'>}>}", "iommu.model-name== virtio"},
        {"{'iommu': <{'model-name': <'== intel'>}>}", "iommu.model-name=== intel"},
        {"{'iommu': <{'model-name': <'!=virtio'>}>}", "iommu.model-name=!= virtio"},
        {"{'iommu': <{'model-name': <'~ in|vi'>}>}", "iommu.model-name=~ in|vi"},
        {"{'iommu': <{'model-name': <'=~in'>}>}", "iommu.model-name==~ in"},
        {"{'iommu': <{'model-name': <'!~ vir.*'>}>}", "iommu.model-name=!~ vir.*"},
        {"{'iommu': <{'model-name': <'>= intel'>}>}", "! iommu.model-name '>= intel' starts with '>='"},
        {"{'and': <[<{'iommu': <{'model-name': <'!= intel'>}>}>, <{'iommu': <{'model-name': <'!= virtio'>}>}>]>}",
         "iommu.model-name=!= intel iommu.model-name=!= virtio"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

START_TEST(groups)
{
    static const Case cases[] = {
        {"{'or': <[<{'memory': <'1 GiB'>}>, <{'memory': <'2 GiB'>}>]>}",
         "memory=1073741824 | memory=2147483648"},
        {"{'and': <[<{'memory': <'>= 1 GiB'>}>, <{'memory': <'<= 2 GiB'>}>, <{'arch': <'x86_64'>}>]>}",
         "memory=1073741824 arch=x86_64"},
        {"{'and': <[<{'memory': <'> 2 GiB'>}>, <{'memory': <'< 2 GiB'>}>]>}",
         "! hardware requirement 'memory: > 2 GiB' is not"},
        {"{'and': <[<{'or': <[<{'arch': <'x86_64'>}>, <{'arch': <'aarch64'>}>]>}>, <{'or': <[<{'memory': <'1 GiB'>}>, <{'tpm': <{'version': <'2'>}>}>]>}>]>}",
         "arch=x86_64 memory=1073741824 | ! hardware requirement 'tpm.version: 2' is not possible: viommud gives no TPM | "
         "arch=aarch64 memory=1073741824 | ! hardware requirement 'tpm.version: 2' is not possible: viommud gives no TPM"},
        {"{'or': <[<{'memory': <'1 GiB'>}>]>, 'arch': <'x86_64'>}",
         "! 'or' of the hardware requirement stands beside others"},
        {"{'or': <@av []>}", "! 'or' of the hardware requirement must be a list"},
        {"{'and': <'x'>}", "! 'and' of the hardware requirement must be a list"},
        {"{'or': <[<'x'>]>}", "! a hardware requirement must be a dictionary"},
        /* The file */
        {"{}", ""},
        {"{'hardware': <{'memory': <'1 GiB'>}>}", "memory=1073741824"},
        {"{'provision': <{'how': <'viommu'>, 'image': <'debian13'>, 'hardware': <{'memory': <'1 GiB'>}>}>}",
         "(debian13) memory=1073741824"},
        {"{'provision': <[<{'how': <'virtual'>, 'image': <'fedora'>}>]>}", ""},
        {"{'provision': <[<{'how': <'viommu'>}>, <{'how': <'viommu'>}>]>}",
         "! 'provision' of the plan is not one phase"},
        {"{'provision': <'viommu'>}", "! 'provision' of the plan is not one phase"},
        {"{'hardware': <'x'>}", "! a hardware requirement must be a dictionary"},
        {"{'cpu': <@a{sv} {}>}", "! the hardware requirement 'cpu' is empty"},
        {"{'memory': <' '>}", "! the hardware requirement 'memory' has no value"},
        {"{'memory': <@mb nothing>}", "! the hardware requirement 'memory' has no value"},
        {"{'hostname': <'a\\u001bb'>}", "! a hardware requirement is too long, or has control characters"},
        {"{'a\\nb': <'1'>}", "! a hardware requirement is too long, or has control characters"},
    };

    check(cases, G_N_ELEMENTS(cases));
}
END_TEST

/* A short text may stand for very many alternatives, or conditions. */
START_TEST(bounds)
{
    GString *text = g_string_new("{'and': <[");
    g_autofree char *words = NULL, *many = NULL;

    for (int i = 0; i < 7; i++)
        g_string_append(text, "<{'or': <[<{'arch': <'a'>}>, <{'arch': <'b'>}>]>}>, ");
    g_string_append(text, "<{'arch': <'a'>}>]>}");
    words = translate(text->str);
    ck_assert_msg(strstr(words, "more than 64 alternatives") != NULL, "%s", words);
    g_string_assign(text, "{'cpu': <{'flag': <[");
    for (int i = 0; i < 300; i++)
        g_string_append(text, "<'a'>, ");
    g_string_append(text, "<'a'>]>}>}");
    many = translate(text->str);
    ck_assert_str_eq(many, "! the hardware requirement is too long");
    g_string_free(text, TRUE);
}
END_TEST

UNIT_MAIN("tmt", numbers, words_and_flags, iommu, groups, bounds)
