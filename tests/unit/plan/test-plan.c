/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-plan: the machine around the IOMMU: decisions, refusals, memory, XML and reports.  The
 * golden suite has exact documents. */
#include "tests/unit/plan/made-plan.h"

#include <string.h>
#include "lib/domain/domain-xml.h"
#include "lib/plan/memory.h"
#include "lib/plan/report.h"
#include "lib/base/quantity.h"
#include "lib/base/xml-read.h"

static const char *const bookworm = "{'libvirt': <'9.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': "
                                    "<'7.2.22'>, 'accelerators': <['kvm', 'tcg']>}, "
                                    "{'arch': <'aarch64'>, 'qemu': <'7.2.22'>, 'accelerators': <['tcg']>}]>}";
static const char *const bullseye = "{'libvirt': <'7.0.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': "
                                    "<'5.2.0'>, 'accelerators': <['tcg']>}]>}";
static const char *const recorded =
    "{'libvirt': <'9.0.0'>, 'memory': <'8 GiB'>, 'emulators': <[{'arch': <'x86_64'>, "
    "'qemu': <'7.2.22'>, 'accelerators': <['kvm']>, 'path': <'/usr/bin/q'>, "
    "'machines': <['pc-q35-7.2', 'q35', 'pc']>, "
    "'firmware': <['bios']>, 'max-vcpus': <16>}]>}";
static const char *const limited = "{'libvirt': <'9.0.0'>, 'locked-memory-limit': <'3 GiB'>, 'emulators': "
                                   "<[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, 'accelerators': <['kvm']>}]>}";
static const char *const foreign =
    "{'libvirt': <'9.0.0'>, 'arch': <'s390x'>, 'emulators': <[{'arch': <'s390x'>, 'qemu': <'7.2.0'>, "
    "'accelerators': <['kvm']>}]>}";
/* An aarch64 host whose kernel has pages of 64 KiB. */
static const char *const large_pages =
    "{'libvirt': <'9.0.0'>, 'arch': <'aarch64'>, 'page-size': <'64 KiB'>, 'emulators': <["
    "{'arch': <'aarch64'>, 'qemu': <'7.2.0'>, 'accelerators': <['kvm']>}, "
    "{'arch': <'x86_64'>, 'qemu': <'7.2.0'>, 'accelerators': <['tcg']>}]>}";
static const char *const too_old = "{'libvirt': <'12.8.0'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': "
                                   "<'6.2.0'>, 'accelerators': <['kvm']>}]>}";

static void make(Made *made, const char *host, const char *request)
{
    made_prepare(made, host, request);
    made_build(made, NULL);
}

START_TEST(refused_machines)
{
    const struct {
        const char *host, *request;
        ViommuError code;
        const char *words; /* all of these, separated by | */
    } cases[] = {
        {bullseye, "{'arch': <'aarch64'>}", VIOMMU_ERROR_NOT_SUPPORTED,
         "no emulator for aarch64|qemu-system-arm"},
        {foreign, "@a{sv} {}", VIOMMU_ERROR_NOT_SUPPORTED, "'s390x'|set arch to 'x86_64'"},
        {too_old, "@a{sv} {}", VIOMMU_ERROR_NOT_SUPPORTED, "libvirt 12.8.0 needs QEMU 7.2|6.2.0"},
        {bookworm, "{'machine': <'microvm'>}", VIOMMU_ERROR_NOT_SUPPORTED, "machine 'microvm'|q35"},
        {bookworm, "{'machine': <'q3'>}", VIOMMU_ERROR_NOT_SUPPORTED, "machine 'q3'|did you mean 'q35'?"},
        {bookworm, "{'machine': <'virt'>}", VIOMMU_ERROR_NOT_SUPPORTED,
         "machine 'virt' does not exist on x86_64"},
        {bookworm, "{'arch': <'aarch64'>, 'machine': <'q35'>}", VIOMMU_ERROR_NOT_SUPPORTED,
         "machine 'q35'|aarch64"},
        {recorded, "{'machine': <'pc-q35-8.0'>}", VIOMMU_ERROR_NOT_SUPPORTED,
         "machine 'pc-q35-8.0' is unknown to"},
        {recorded, "{'accelerator': <'tcg'>}", VIOMMU_ERROR_NOT_SUPPORTED, "accelerator 'tcg'|use 'kvm'"},
        {bullseye, "{'accelerator': <'kvm'>}", VIOMMU_ERROR_NOT_SUPPORTED, "accelerator 'kvm'|use 'tcg'"},
        {recorded, "{'vcpus': <17>}", VIOMMU_ERROR_NOT_SUPPORTED, "vcpus 17|16"},
        {bookworm, "{'vcpus': <289>}", VIOMMU_ERROR_NOT_SUPPORTED, "vcpus 289|288"},
        {bookworm, "{'arch': <'aarch64'>, 'vcpus': <513>}", VIOMMU_ERROR_NOT_SUPPORTED, "vcpus 513|512"},
        {recorded, "{'boot': <{'firmware': <'efi'>}>}", VIOMMU_ERROR_NOT_SUPPORTED, "no UEFI firmware|ovmf"},
        {bookworm, "{'memory': <'3 MiB'>, 'memory-backing': <{'page-size': <'2 MiB'>}>}",
         VIOMMU_ERROR_INVALID_REQUEST, "memory '3 MiB'|'2 MiB'"},
        {bookworm, "{'memory': <'4 MiB'>, 'memory-backing': <{'page-size': <'4 MiB'>}>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "page-size '4 MiB'|x86_64"},
        {bookworm, "{'arch': <'aarch64'>, 'memory-backing': <{'page-size': <'64 KiB'>}>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "page-size '64 KiB'|x86_64, which this host is; it has 4 KiB"},
        {large_pages, "{'arch': <'x86_64'>, 'memory-backing': <{'page-size': <'4 KiB'>}>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "page-size '4 KiB'|ordinary pages have '64 KiB'; set it to that"},
        {limited, "{'memory': <'64 MiB'>, 'memory-backing': <{'page-size': <'4 KiB'>, 'locked': <true>}>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "needs unlimited locked memory|'s daemon|3 GiB|LimitMEMLOCK=infinity"},
        {limited, "{'memory': <'2049 MiB'>, 'hostdevs': <[{'address': <'0000:01:00.0'>}]>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "needs 3073 MiB of locked memory|3 GiB|LimitMEMLOCK"},
        {recorded, "{'memory': <'8 GiB'>, 'memory-backing': <{'page-size': <'4 KiB'>, 'locked': <true>}>}",
         VIOMMU_ERROR_NOT_SUPPORTED, "9 GiB|8 GiB"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) words = g_strsplit(cases[i].words, "|", -1);
        Made made;

        make(&made, cases[i].host, cases[i].request);
        ck_assert_msg(made.plan == NULL, "%s was planned", cases[i].request);
        ck_assert_msg(g_error_matches(made.error, VIOMMU_ERROR, (int)cases[i].code), "%s",
                      made.error->message);
        for (char **word = words; *word; word++)
            ck_assert_msg(strstr(made.error->message, *word), "'%s' is not in: %s", *word,
                          made.error->message);
        made_clear(&made);
    }
}
END_TEST

START_TEST(defaults)
{
    Made made;

    make(&made, recorded, "@a{sv} {}");
    unit_assert_ok(made.plan != NULL, made.error);
    ck_assert_int_eq((int)made.plan->arch, VIOMMU_ARCH_X86_64);
    ck_assert_str_eq(made.plan->machine, "q35");
    ck_assert_int_eq((int)made.plan->accelerator, VIOMMU_ACCELERATOR_KVM);
    ck_assert_str_eq(made.plan->emulator, "/usr/bin/q");
    ck_assert_uint_eq(made.plan->vcpus, 1);
    ck_assert_uint_eq(made.plan->memory_bytes, VIOMMU_GIB);
    ck_assert_int_eq((int)made.plan->firmware, VIOMMU_FIRMWARE_BIOS);
    ck_assert_int_eq((int)made.plan->cpu_mode, VIOMMU_CPU_MODE_HOST_PASSTHROUGH);
    ck_assert_int_eq((int)made.plan->wait, VIOMMU_WAIT_STARTED);
    ck_assert(made.plan->acpi);
    ck_assert(g_str_has_prefix(made.plan->name, "vm-"));
    ck_assert_uint_eq(strlen(made.plan->name), 13);
    ck_assert_uint_eq(strlen(made.plan->uuid), 36);
    ck_assert_uint_gt(made.plan->notes->len, 3);
    made_clear(&made);
}
END_TEST

START_TEST(firmware)
{
    const struct {
        const char *host, *request;
        ViommuFirmware firmware;
        bool acpi;
        ViommuSecureBoot by;
        bool secure;
        unsigned gic;
    } cases[] = {
        {bookworm, "@a{sv} {}", VIOMMU_FIRMWARE_BIOS, true, VIOMMU_SECURE_BOOT_NONE, false, 0},
        {bookworm, "{'boot': <{'firmware': <'efi'>}>}", VIOMMU_FIRMWARE_EFI, true, VIOMMU_SECURE_BOOT_FEATURE,
         false, 0},
        {bookworm, "{'boot': <{'secure-boot': <true>}>}", VIOMMU_FIRMWARE_EFI, true,
         VIOMMU_SECURE_BOOT_FEATURE, true, 0},
        {bullseye, "{'boot': <{'firmware': <'efi'>}>}", VIOMMU_FIRMWARE_EFI, true, VIOMMU_SECURE_BOOT_LOADER,
         false, 0},
        {bookworm, "{'arch': <'aarch64'>}", VIOMMU_FIRMWARE_EFI, true, VIOMMU_SECURE_BOOT_FEATURE, false, 0},
        {bookworm, "{'arch': <'aarch64'>, 'boot': <{'kernel': <'/k'>}>}", VIOMMU_FIRMWARE_BIOS, false,
         VIOMMU_SECURE_BOOT_NONE, false, 0},
        {bookworm, "{'arch': <'aarch64'>, 'boot': <{'kernel': <'/k'>}>, 'iommu': <{'model': <'virtio'>}>}",
         VIOMMU_FIRMWARE_EFI, true, VIOMMU_SECURE_BOOT_FEATURE, false, 0},
        {bookworm, "{'arch': <'aarch64'>, 'vcpus': <8>}", VIOMMU_FIRMWARE_EFI, true,
         VIOMMU_SECURE_BOOT_FEATURE, false, 0},
        {bookworm, "{'arch': <'aarch64'>, 'vcpus': <9>}", VIOMMU_FIRMWARE_EFI, true,
         VIOMMU_SECURE_BOOT_FEATURE, false, 3},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Made made;

        make(&made, cases[i].host, cases[i].request);
        unit_assert_ok(made.plan != NULL, made.error);
        ck_assert_msg(made.plan->firmware == cases[i].firmware, "%s", cases[i].request);
        ck_assert_int_eq(made.plan->acpi, cases[i].acpi);
        ck_assert_int_eq((int)made.plan->secure_boot_by, (int)cases[i].by);
        ck_assert_int_eq(made.plan->secure_boot, cases[i].secure);
        ck_assert_uint_eq(made.plan->gic_version, cases[i].gic);
        made_clear(&made);
    }
}
END_TEST

START_TEST(memory)
{
    Made made;

    make(&made, recorded,
         "{'memory': <'2 GiB'>, 'memory-backing': <{'page-size': <'2 MiB'>, 'locked': <true>}>}");
    unit_assert_ok(made.plan != NULL, made.error);
    ck_assert_uint_eq(made.plan->page_size_bytes, 2 * VIOMMU_MIB);
    ck_assert(made.plan->locked);
    ck_assert_uint_eq(made.plan->memlock_bytes, 3 * VIOMMU_GIB);
    made_clear(&made);

    make(&made, recorded, "{'memory': <'2 GiB'>, 'memory-backing': <{'page-size': <'4 KiB'>}>}");
    unit_assert_ok(made.plan != NULL, made.error);
    ck_assert_uint_eq(made.plan->page_size_bytes, 0);
    ck_assert(!made.plan->locked);
    ck_assert_uint_eq(made.plan->memlock_bytes, 0);
    made_clear(&made);

    make(&made, large_pages, "{'arch': <'x86_64'>, 'memory-backing': <{'page-size': <'64 KiB'>}>}");
    unit_assert_ok(made.plan != NULL, made.error);
    ck_assert_uint_eq(made.plan->page_size_bytes, 0);
    made_clear(&made);
}
END_TEST

/* Each virtio device that supports it is behind the IOMMU, and no other. */
START_TEST(translated_devices)
{
    static const char *const devices =
        "'disks': <[{'path': <'/a'>, 'format': <'raw'>}, {'path': <'/b'>, 'format': <'raw'>, 'bus': "
        "<'sata'>}, "
        "{'path': <'/c'>, 'format': <'raw'>, 'bus': <'scsi'>}, {'path': <'/d'>, 'format': <'raw'>}]>, "
        "'networks': <[{'type': <'user'>}, {'type': <'user'>, 'model': <'e1000e'>}]>";
    static const struct {
        const char *iommu;
        bool translated;
    } cases[] = {
        {"'iommu': <{'is-supported': <true>}>", true},
        {"'iommu': <{'is-supported': <true>, 'translate': <false>}>", false},
        {"'iommu': <{'is-supported': <false>}>", false},
    };
    static const char *const targets[] = {"vda", "sda", "sdb", "vdb"};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *request = g_strdup_printf("{%s, %s}", cases[i].iommu, devices), *xml = NULL;
        Made made;

        make(&made, bookworm, request);
        unit_assert_ok(made.plan != NULL, made.error);
        for (guint d = 0; d < made.plan->disks->len; d++) {
            const ViommuPlanDisk *disk = g_ptr_array_index(made.plan->disks, d);

            ck_assert_str_eq(disk->target, targets[d]);
            ck_assert_int_eq(disk->translated, cases[i].translated && disk->bus == VIOMMU_DISK_BUS_VIRTIO);
        }
        for (guint n = 0; n < made.plan->networks->len; n++) {
            const ViommuPlanNetwork *network = g_ptr_array_index(made.plan->networks, n);

            ck_assert_int_eq(network->translated,
                             cases[i].translated && network->model == VIOMMU_NETWORK_MODEL_VIRTIO);
        }
        xml = viommu_domain_xml(made.plan, NULL);
        g_auto(GStrv) pieces = g_strsplit(xml, "iommu='on'", -1);
        /* two disks, the SCSI controller, a network card, the entropy device */
        ck_assert_uint_eq(g_strv_length(pieces) - 1, cases[i].translated ? 5 : 0);
        ck_assert(made.plan->devices[VIOMMU_DEVICE_SCSI].present);
        made_clear(&made);
    }
}
END_TEST

/* The value at a path of element names, "os/type@arch" or "name"; NULL when there is none. 
 * Owned. */
static char *value_at(const xmlDoc *document, const char *path)
{
    g_auto(GStrv) halves = g_strsplit(path, "@", 2);
    g_auto(GStrv) elements = g_strsplit(halves[0], "/", -1);
    const xmlNode *node = xmlDocGetRootElement(document);

    for (char **element = elements; *element && **element; element++)
        node = viommu_xml_child(node, *element);
    return halves[1] ? viommu_xml_get(node, halves[1]) : viommu_xml_content(node);
}

START_TEST(the_plan_stands_in_the_xml)
{
    static const char *const request =
        "{'name': <'guest'>, 'memory': <'2 GiB'>, 'vcpus': <3>, 'memory-backing': <{'page-size': <'2 MiB'>, "
        "'locked': "
        "<true>}>, 'iommu': <{'model': <'intel'>}>, 'boot': <{'kernel': <'/k&\\'\"'>, 'cmdline': <'a=\"b\" "
        "<c>'>}>, "
        "'disks': <[{'path': <'/im ages/<d>'>, 'format': <'qcow2'>, 'read-only': <true>}]>, "
        "'networks': <[{'type': <'bridge'>, 'source': <'br0'>}]>}";
    static const struct {
        const char *path, *value;
    } cases[] = {
        {"@type", "kvm"},
        {"name", "guest"},
        {"memory", "2097152"},
        {"memory@unit", "KiB"},
        {"vcpu", "3"},
        {"memoryBacking/hugepages/page@size", "2048"},
        {"memoryBacking/locked", ""},
        {"os@firmware", NULL},
        {"os/type", "hvm"},
        {"os/type@arch", "x86_64"},
        {"os/type@machine", "q35"},
        {"os/kernel", "/k&'\""},
        {"os/cmdline", "a=\"b\" <c>"},
        {"features/acpi", ""},
        {"features/ioapic@driver", "qemu"},
        {"cpu@mode", "host-passthrough"},
        {"devices/emulator", "/usr/bin/q"},
        {"devices/disk/source@file", "/im ages/<d>"},
        {"devices/disk/driver@type", "qcow2"},
        {"devices/disk/driver@iommu", "on"},
        {"devices/disk/target@dev", "vda"},
        {"devices/disk/readonly", ""},
        {"devices/interface@type", "bridge"},
        {"devices/interface/source@bridge", "br0"},
        {"devices/interface/driver@iommu", "on"},
        {"devices/iommu@model", "intel"},
        {"devices/iommu/driver@intremap", "on"},
        {"devices/iommu/driver@eim", "on"},
        {"devices/iommu/driver@aw_bits", "48"},
        {"devices/iommu/driver@caching_mode", NULL},
        {"devices/rng/driver@iommu", "on"},
        {"metadata/machine@owner", "1000"},
        {"metadata/machine@model", "intel"},
    };
    Made made;
    g_autoptr(ViommuMetadata) metadata = NULL;
    g_autofree char *xml = NULL, *again = NULL, *dry = NULL;
    g_autoptr(xmlDoc) document = NULL;
    g_autoptr(GError) error = NULL;

    make(&made, recorded, request);
    unit_assert_ok(made.plan != NULL, made.error);
    metadata = viommu_metadata_new(made.plan, made.request, 1000, 5);
    xml = viommu_domain_xml(made.plan, metadata);
    again = viommu_domain_xml(made.plan, metadata);
    ck_assert_str_eq(xml, again);
    dry = viommu_domain_xml(made.plan, NULL);
    ck_assert_ptr_null(strstr(dry, "<metadata>"));
    document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_INTERNAL, &error);
    unit_assert_ok(document != NULL, error);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *value = value_at(document, cases[i].path);

        ck_assert_msg(g_strcmp0(value, cases[i].value) == 0, "%s is '%s'", cases[i].path,
                      value ? value : "(none)");
    }
    made_clear(&made);
}
END_TEST

/* The same request twice: the same plan, the same bytes; another name, other bytes. */
START_TEST(the_same_again)
{
    Made first, second;
    g_autofree char *a = NULL, *b = NULL;

    make(&first, bookworm, "{'iommu': <{'is-supported': <true>}>, 'vcpus': <2>}");
    make(&second, bookworm, "{'vcpus': <uint64 2>, 'iommu': <{'is-supported': <true>}>}");
    a = viommu_domain_xml(first.plan, NULL);
    b = viommu_domain_xml(second.plan, NULL);
    ck_assert_str_eq(a, b);
    made_clear(&first);
    made_clear(&second);
}
END_TEST

START_TEST(given_name_and_uuid)
{
    Made made;
    g_autoptr(ViommuPlan) plan = NULL;

    make(&made, bookworm, "{'name': <'mine'>}");
    ck_assert_str_eq(made.plan->name, "mine");
    ViommuPlanInput input = {.request = made.request,
                             .host = made.host,
                             .policy = &made.policy,
                             .name = "other",
                             .uuid = "01234567-89ab-cdef-0123-456789abcdef"};
    ck_assert(viommu_plan_build(&input, &plan, NULL, NULL));
    ck_assert_str_eq(plan->name, "other");
    ck_assert_str_eq(plan->uuid, input.uuid);
    made_clear(&made);
}
END_TEST

/* The element <os>. */
static char *os_of(const ViommuPlan *plan)
{
    g_autofree char *xml = viommu_domain_xml(plan, NULL);
    g_auto(GStrv) halves = g_strsplit(xml, "<os", 2), ends = g_strsplit(halves[1], "</os>", 2);

    return g_strdup(ends[0]);
}

/* A request cannot choose what libvirt stores under a domain's name; the firmware's variables
 * belong to one machine. */
START_TEST(names_of_the_site)
{
    static const char *const uuid = "01234567-89ab-cdef-0123-456789abcdef";
    static const struct {
        const char *host, *request, *domain, *nvram; /* nvram NULL: it must be absent */
    } cases[] = {
        {bookworm, "{'name': <'win11'>}", "<name>site-win11</name>", NULL},
        {bookworm, "{'name': <'win11'>, 'boot': <{'firmware': <'efi'>}>}", "<name>site-win11</name>",
         "<nvram>/nvram/site-01234567-89ab-cdef-0123-456789abcdef_VARS.fd</nvram>"},
        {bullseye, "{'name': <'win11'>, 'boot': <{'firmware': <'efi'>}>}", "<name>site-win11-01234567</name>",
         NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuPlan) plan = NULL;
        g_autoptr(GError) error = NULL;
        Made made;

        make(&made, cases[i].host, cases[i].request);
        made.policy.name_prefix = "site-";
        made.policy.nvram_directory = "/nvram";
        ViommuPlanInput input = {
            .request = made.request, .host = made.host, .policy = &made.policy, .uuid = uuid};
        unit_assert_ok(viommu_plan_build(&input, &plan, NULL, &error), error);
        g_autofree char *xml = viommu_domain_xml(plan, NULL), *os = os_of(plan);
        g_autoptr(ViommuMetadata) metadata = viommu_metadata_new(plan, made.request, 1, 1);

        ck_assert_str_eq(plan->name, "win11");
        ck_assert_ptr_nonnull(strstr(xml, cases[i].domain));
        ck_assert_str_eq(metadata->name, "win11");
        ck_assert_ptr_null(strstr(xml, "/win11"));
        ck_assert_msg(cases[i].nvram ? strstr(os, cases[i].nvram) != NULL : !strstr(os, "nvram"), "%s", os);
        made_clear(&made);
    }
}
END_TEST

START_TEST(reports)
{
    static const char *const keys[] = {"name",     "uuid",          "arch",         "machine", "accelerator",
                                       "firmware", "vcpus",         "memory-bytes", "iommu",   "warnings",
                                       "notes",    "memlock-bytes", "domain-xml"};
    static const char *const requests[] = {"@a{sv} {}", "{'iommu': <{'model': <'virtio'>}>}"};

    for (size_t r = 0; r < G_N_ELEMENTS(requests); r++) {
        Made made;
        g_autoptr(GVariant) report = NULL, iommu = NULL, candidates = NULL, model = NULL;
        g_autofree char *text = NULL;

        make(&made, bookworm, requests[r]);
        unit_assert_ok(made.plan != NULL, made.error);
        report = g_variant_ref_sink(viommu_plan_report(made.plan, "<domain/>"));
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
            g_autoptr(GVariant) value = g_variant_lookup_value(report, keys[i], NULL);

            ck_assert_msg(value != NULL, "the report has no '%s'", keys[i]);
        }
        iommu = g_variant_lookup_value(report, "iommu", G_VARIANT_TYPE_VARDICT);
        candidates = g_variant_lookup_value(iommu, "candidates", G_VARIANT_TYPE("aa{sv}"));
        ck_assert_uint_eq(g_variant_n_children(candidates), VIOMMU_MODEL_LAST);
        model = g_variant_lookup_value(iommu, "model", G_VARIANT_TYPE("ms"));
        ck_assert_uint_eq(g_variant_n_children(model), r);

        text = viommu_plan_explain(made.plan);
        for (int i = 0; i < VIOMMU_MODEL_LAST; i++)
            ck_assert_ptr_nonnull(strstr(text, viommu_model_to_string((ViommuModel)i)));
        ck_assert_ptr_null(strstr(text, "(null)"));
        made_clear(&made);
    }
}
END_TEST

START_TEST(reasons_of_a_refusal)
{
    g_autoptr(GVariant) none = g_variant_ref_sink(viommu_plan_report_reasons(NULL));
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_reason_free);
    g_autoptr(GVariant) list = NULL;
    g_autofree char *text = NULL;

    ck_assert_uint_eq(g_variant_n_children(none), 0);
    g_ptr_array_add(reasons, viommu_reason_new(VIOMMU_MODEL_NONE, VIOMMU_RULE_ARCH, "no %s", "such"));
    g_ptr_array_add(reasons, viommu_reason_new(VIOMMU_MODEL_AMD, VIOMMU_RULE_BY_NAME, "not asked"));
    list = g_variant_ref_sink(viommu_plan_report_reasons(reasons));
    text = g_variant_print(list, FALSE);
    ck_assert_str_eq(
        text, "[{'rule': <'arch'>, 'text': <'no such'>}, {'model': <'amd'>, 'rule': <'by-name'>, 'text': "
              "<'not asked'>}]");
}
END_TEST

#define ON(libvirt, topology)                                                                               \
    "{'libvirt': <'" libvirt "'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.22'>, 'accelerators': " \
    "<['kvm']>}]>, " topology "}"
#define VSOCK(has)      "'vhost-vsock': <" has ">"
#define CONFINED(model) "'secmodels': <[{'model': <'" model "'>}, {'model': <'dac'>}]>"
START_TEST(vsock)
{
    static const struct {
        const char *host, *refused; /* NULL: planned */
        bool behind;
    } rows[] = {
        {ON("9.0.0", "'topology': <{'kernel': <'5.11'>, " VSOCK("true") "}>"), NULL, true},
        {ON("9.0.0", "'topology': <{'kernel': <'5.10.200'>, " VSOCK("true") "}>"), NULL, false},
        {ON("7.0.0", "'topology': <{" VSOCK("true") "}>"), NULL, false},
        {ON("9.0.0", "'topology': <{" VSOCK("false") "}>"), "the host's kernel does not have", false},
        {ON("9.0.0", "'unprivileged': <true>, 'topology': <{'vhost-vsock-usable': <false>}>"), "may not", 0},
        {ON("9.0.0", "'topology': <{'vhost-vsock-usable': <false>}>"), NULL, true},
        {ON("12.8.0", CONFINED("apparmor")), NULL, false},
        {ON("12.8.0", CONFINED("apparmor") ", 'topology': <{'vhost-vsock-rule': <false>}>"), NULL, false},
        {ON("12.8.0", CONFINED("apparmor") ", 'topology': <{'vhost-vsock-rule': <true>}>"), NULL, true},
        {ON("12.8.0", CONFINED("selinux")), NULL, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Made made;

        make(&made, rows[i].host, "{'iommu': <{'model': <'intel'>}>, 'guest': <{'vsock': <true>}>}");
        ck_assert_msg(!made.plan == !!rows[i].refused, "%zu: %s", i, made.error ? made.error->message : "");
        ck_assert(!made.error || strstr(made.error->message, rows[i].refused));
        ck_assert(!made.plan || made.plan->vsock_translated == rows[i].behind);
        made_clear(&made);
    }
}
END_TEST

/* The guest would show the device outside the IOMMU. */
START_TEST(level_with_vsock)
{
    static const struct {
        const char *host, *level;
        bool good;
    } rows[] = {
        {ON("7.1.0", "'topology': <{" VSOCK("true") "}>"), "isolating", true},
        {ON("7.0.0", "'topology': <{" VSOCK("true") "}>"), "present", true},
        {ON("7.0.0", "'topology': <{" VSOCK("true") "}>"), "translating", false},
        {ON("9.0.0", "'topology': <{'kernel': <'5.10.200'>, " VSOCK("true") "}>"), "isolating", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *request = g_strdup_printf(
            "{'iommu': <{'model': <'intel'>}>, 'guest': <{'vsock': <true>}>, 'verify': <{'level': <'%s'>}>}",
            rows[i].level);
        Made made;

        make(&made, rows[i].host, request);
        ck_assert_msg(!!made.plan == rows[i].good, "%zu: %s", i, made.error ? made.error->message : "");
        ck_assert(!made.error || strstr(made.error->message, "the guest's vsock device is outside it"));
        made_clear(&made);
    }
}
END_TEST

/* Devices behind SMMUs of the host are only on large machines, whose plans the golden suite has. */
START_TEST(proof_of_accelerated)
{
    ViommuPcieExpander expanders[2] = {{.index = 1}, {.index = 2}};
    Made made;
    g_autofree char *plain = NULL, *words = NULL;

    make(&made, bookworm, "{'arch': <'aarch64'>, 'iommu': <{'model': <'smmuv3'>}>}");
    ck_assert_ptr_nonnull(made.plan);
    plain = viommu_plan_report_proof(made.plan);
    ck_assert_str_eq(plain, "translate=on");
    made.plan->iommu.accelerated = true;
    made.plan->iommu.ats = 1;
    made.plan->iommu.ril = 0;
    made.plan->iommu.oas = 48;
    made.plan->iommu.cmdqv = VIOMMU_UNSET;
    made.plan->iommu.ssidsize = VIOMMU_UNSET_NUMBER;
    g_array_append_vals(made.plan->pcie.expanders, expanders, G_N_ELEMENTS(expanders));
    words = viommu_plan_report_proof(made.plan);
    ck_assert_str_eq(words, "translate=on units=3 ats=on ril=off oas=48");
    made_clear(&made);
}
END_TEST

UNIT_MAIN("plan", proof_of_accelerated, vsock, level_with_vsock, names_of_the_site, refused_machines,
          defaults, firmware, memory, translated_devices, the_plan_stands_in_the_xml, the_same_again,
          given_name_and_uuid, reports, reasons_of_a_refusal)
