/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-plug: what may be asked of a machine that runs, the request that is judged, and the room of
 * its domain. */
#include "lib/domain/plug.h"

#include <string.h>

#include "lib/base/quantity.h"
#include "tests/unit/unit.h"

static GVariant *parse(const char *text)
{
    GVariant *tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

    ck_assert_msg(tree, "%s", text);
    return tree;
}

START_TEST(trees)
{
    static const struct {
        const char *tree, *words; /* NULL: good */
        ViommuAttachedKind kind;
    } rows[] = {
        {"{'disks': <[{'path': <'/x'>}]>}", NULL, VIOMMU_ATTACHED_DISK},
        {"{'networks': <[<{'type': <'user'>}>]>}", NULL, VIOMMU_ATTACHED_NETWORK},
        {"{'hostdevs': <[{'name': <'gpus'>}]>}", NULL, VIOMMU_ATTACHED_HOSTDEV},
        {"{}", "one device can be attached at a time", VIOMMU_ATTACHED_LAST},
        {"{'disks': <[{'path': <'/x'>}]>, 'memory': <'1G'>}", "one device can be attached",
         VIOMMU_ATTACHED_LAST},
        {"{'disks': <@aa{sv} []>}", "give 'disks' with one entry", VIOMMU_ATTACHED_LAST},
        {"{'disks': <[{'path': <'/x'>}, {'path': <'/y'>}]>}", "give 'disks' with one entry",
         VIOMMU_ATTACHED_LAST},
        {"{'disks': <'x'>}", "give 'disks' with one entry", VIOMMU_ATTACHED_LAST},
        {"{'shares': <[{'path': <'/x'>}]>}", "'shares' cannot be attached", VIOMMU_ATTACHED_LAST},
        {"{'name': <'x'>}", "'name' cannot be attached", VIOMMU_ATTACHED_LAST},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GVariant) tree = parse(rows[i].tree);
        g_autoptr(GError) error = NULL;
        ViommuAttachedKind kind = VIOMMU_ATTACHED_LAST;
        bool good = viommu_plug_check_tree(tree, &kind, &error);

        ck_assert_msg(good == !rows[i].words, "%s", rows[i].tree);
        ck_assert_int_eq(kind, rows[i].kind);
        ck_assert_msg(good || strstr(error->message, rows[i].words), "%s", error ? error->message : "");
        ck_assert(good || g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    }
}
END_TEST

/* Nothing but the device is of the caller's, and nothing of the machine's own devices is left. */
START_TEST(requests)
{
    ViommuMetadata metadata = {
        .request = (char *)"{'name': <'one'>, 'arch': <'x86_64'>, 'machine': <'q35'>, 'memory': <uint64 1>,"
                           " 'iommu': <{'is-supported': <true>, 'model': <'auto'>, 'required': <false>,"
                           " 'intremap': <true>}>, 'guest': <{'os': <'debian12'>}>,"
                           " 'boot': <{'kernel': <'/vmlinuz'>, 'firmware': <'efi'>}>,"
                           " 'disks': <[{'path': <'/old'>}]>, 'hostdevs': <[{'address': <'0000:01:00.0'>}]>,"
                           " 'hotplug-ports': <uint64 2>, 'cpu': <{'vendor': <'amd'>}>}",
        .model = VIOMMU_MODEL_INTEL,
        .accelerator = VIOMMU_ACCELERATOR_TCG,
        .vcpus = 3,
        .memory_bytes = 4096,
    };
    g_autoptr(GVariant) tree = parse("{'networks': <[{'type': <'user'>}]>}"), request = NULL, broken = NULL;
    g_autoptr(GVariant) iommu = NULL, boot = NULL;
    g_autoptr(GError) error = NULL;
    static const char *const gone[] = {"name", "guest", "disks", "hostdevs"};
    static const char *const there[] = {"arch", "machine", "networks", "hotplug-ports", "cpu"};
    guint64 number = 0;
    const char *word = NULL;

    request = viommu_plug_request(&metadata, tree, &error);
    unit_assert_ok(request != NULL, error);
    for (size_t i = 0; i < G_N_ELEMENTS(gone); i++)
        ck_assert_msg(!g_variant_lookup(request, gone[i], "*", NULL), "%s", gone[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(there); i++)
        ck_assert_msg(g_variant_lookup(request, there[i], "*", NULL), "%s", there[i]);
    ck_assert(g_variant_lookup(request, "memory", "t", &number) && number == 4096);
    ck_assert(g_variant_lookup(request, "vcpus", "t", &number) && number == 3);
    ck_assert(g_variant_lookup(request, "accelerator", "&s", &word) && g_str_equal(word, "tcg"));
    iommu = g_variant_lookup_value(request, "iommu", NULL);
    ck_assert(g_variant_lookup(iommu, "model", "&s", &word) && g_str_equal(word, "intel"));
    ck_assert(g_variant_lookup(iommu, "intremap", "b", NULL) && g_variant_n_children(iommu) == 2);
    boot = g_variant_lookup_value(request, "boot", NULL);
    ck_assert(g_variant_lookup(boot, "firmware", "s", NULL) && g_variant_n_children(boot) == 1);
    metadata.request = (char *)"{'name'";
    broken = viommu_plug_request(&metadata, tree, &error);
    ck_assert(!broken && g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL));
}
END_TEST

/* What decides about devices although it is not of the machine's IOMMU: launch-security refuses
 * devices of the host, virtio-mem some, and verify.level those outside of the IOMMU. */
START_TEST(deciding_keys)
{
    ViommuMetadata metadata = {
        .request =
            (char *)"{'memory': <uint64 1073741824>, 'memory-max': <uint64 4294967296>,"
                    " 'memory-hotplug': <'virtio-mem'>, 'verify': <{'level': <'translating'>}>,"
                    " 'memory-backing': <{'page-size': <'4 KiB'>}>, 'launch-security': <{'type': <'tdx'>}>}",
        .model = VIOMMU_MODEL_INTEL,
        .accelerator = VIOMMU_ACCELERATOR_KVM,
        .vcpus = 1,
        .memory_bytes = UINT64_C(4294967296),
    };
    g_autoptr(GVariant) tree = parse("{'hostdevs': <[{'address': <'0000:01:00.0'>}]>}"), asked = NULL;
    g_autoptr(GVariant) outside = parse("{'networks': <[{'type': <'user'>, 'translate': <false>}]>}");
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuRequest) request = NULL, refused = NULL;

    asked = viommu_plug_request(&metadata, tree, &error);
    request = asked ? viommu_request_parse(asked, &error) : NULL;
    unit_assert_ok(request != NULL, error);
    ck_assert_uint_eq(request->memory_bytes, UINT64_C(1073741824));
    ck_assert_uint_eq(request->memory_max_bytes, UINT64_C(4294967296));
    ck_assert_int_eq(request->memory_hotplug, VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM);
    ck_assert_uint_eq(request->memory_backing.page_size_bytes, 4 * VIOMMU_KIB);
    ck_assert_int_eq(request->launch_security.type, VIOMMU_LAUNCH_SECURITY_TDX);
    ck_assert_int_eq(request->verify.level, VIOMMU_LEVEL_TRANSLATING);
    metadata.request = (char *)"{'verify': <{'level': <'translating'>}>}";
    g_clear_pointer(&asked, g_variant_unref);
    asked = viommu_plug_request(&metadata, outside, &error);
    unit_assert_ok(asked != NULL, error);
    refused = viommu_request_parse(asked, &error);
    ck_assert(!refused && strstr(error->message, "verify.level 'translating' needs all devices"));
}
END_TEST

/* The kernel that a machine has booted is not opened again, but it has decided. */
START_TEST(firmware)
{
    static const struct {
        const char *request, *firmware;
        ViommuArch arch;
        ViommuModel model;
    } rows[] = {
        {"{'boot': <{'kernel': <'/x'>}>}", "bios", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_NONE},
        {"{'boot': <{'kernel': <'/x'>, 'firmware': <'auto'>}>}", "bios", VIOMMU_ARCH_AARCH64,
         VIOMMU_MODEL_SMMUV3},
        {"{'boot': <{'kernel': <'/x'>}>, 'iommu': <{'model': <'smmuv3'>, 'count': <2>}>}", "efi",
         VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3},
        {"{'boot': <{'kernel': <'/x'>, 'firmware': <'efi'>}>}", "efi", VIOMMU_ARCH_AARCH64,
         VIOMMU_MODEL_SMMUV3},
        {"{'boot': <{'kernel': <'/x'>}>}", "efi", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_VIRTIO},
        {"{'boot': <{'kernel': <'/x'>}>, 'hostdevs': <[{'address': <'0000:01:00.0'>}]>}", "efi",
         VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3},
        {"{'disks': <[{'path': <'/x'>}]>}", "efi", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_NONE},
        {"{'boot': <{'firmware': <'bios'>}>}", "bios", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_NONE},
        {"{'disks': <[{'path': <'/x'>}]>}", "bios", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL},
        {"{'boot': <{'secure-boot': <true>}>}", "efi", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL},
        {"{'launch-security': <{'type': <'sev'>}>}", "efi", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_NONE},
    };
    g_autoptr(GVariant) tree = parse("{'networks': <[{'type': <'user'>}]>}");

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ViommuMetadata metadata = {.request = (char *)rows[i].request,
                                   .arch = rows[i].arch,
                                   .model = rows[i].model,
                                   .vcpus = 1,
                                   .memory_bytes = VIOMMU_GIB};
        g_autoptr(GVariant) request = NULL, boot = NULL;
        g_autoptr(GError) error = NULL;
        const char *word = NULL;

        request = viommu_plug_request(&metadata, tree, &error);
        unit_assert_ok(request != NULL, error);
        boot = g_variant_lookup_value(request, "boot", G_VARIANT_TYPE_VARDICT);
        ck_assert_msg(boot && g_variant_lookup(boot, "firmware", "&s", &word) &&
                          g_str_equal(word, rows[i].firmware) && g_variant_n_children(boot) == 1,
                      "row %zu: %s", i, word ? word : "none");
    }
}
END_TEST

#define PORT(index, bus, more)                                              \
    "<controller type='pci' index='" index "' model='pcie-root-port'>" more \
    "<address type='pci' domain='0x0000' bus='" bus "' slot='0x01' function='0x0'/></controller>"
#define ON(bus) "<interface><address type='pci' bus='" bus "'/></interface>"

START_TEST(rooms)
{
    static const struct {
        const char *devices;
        unsigned port;
        bool has_ports, has_scsi, is_mirrored;
        uint64_t aw_bits;
        const char *model;
    } rows[] = {
        {"", 0, false, false, false, VIOMMU_UNSET_NUMBER, NULL},
        {"<controller type='pci' index='0' model='pci-root'/>" ON("0x00"), 0, false, false, false,
         VIOMMU_UNSET_NUMBER, NULL},
        {"<controller type='pci' index='0' model='pcie-root'/>" PORT("1", "0x00", "") ON("0x01"), 0, true,
         false, false, VIOMMU_UNSET_NUMBER, NULL},
        {"<controller type='pci' index='0' model='pcie-root'/>" PORT("1", "0x00", "") PORT("2", "0x00", "")
             ON("0x01"),
         2, true, false, false, VIOMMU_UNSET_NUMBER, NULL},
        /* on another bus, and without hotplug */
        {"<controller type='pci' index='0' model='pcie-root'/>" PORT("1", "0x05", "")
             PORT("2", "0x00", "<target hotplug='off'/>"),
         0, true, false, false, VIOMMU_UNSET_NUMBER, NULL},
        {"<controller type='scsi' index='0'/><iommu model='intel'><driver caching_mode='on' aw_bits='39'/></iommu>",
         0, false, true, true, 39, "intel"},
        {"<hostdev><source><address type='pci' bus='0x01'/></source></hostdev>"
         "<controller type='pci' index='0' model='pcie-root'/>" PORT("1", "0x00", ""),
         1, true, false, false, VIOMMU_UNSET_NUMBER, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *xml = g_strdup_printf("<domain><devices>%s</devices></domain>", rows[i].devices);
        g_auto(ViommuPlugRoom) room = {0};
        g_autoptr(GError) error = NULL;

        unit_assert_ok(viommu_plug_room_read(xml, &room, &error), error);
        ck_assert_msg(room.port == rows[i].port && room.has_ports == rows[i].has_ports &&
                          room.has_scsi == rows[i].has_scsi && room.is_mirrored == rows[i].is_mirrored &&
                          room.aw_bits == rows[i].aw_bits && g_strcmp0(room.model, rows[i].model) == 0,
                      "row %zu: %u", i, room.port);
    }
}
END_TEST

START_TEST(names)
{
    g_auto(ViommuPlugRoom) room = {0}, none = {0};
    g_autoptr(GError) error = NULL;

    unit_assert_ok(
        viommu_plug_room_read("<domain><devices><disk><target dev='vda'/><alias name='ua-viommu-disk1'/>"
                              "</disk><disk><target dev='sda'/><alias name='virtio1'/></disk>"
                              "</devices></domain>",
                              &room, &error),
        error);
    ck_assert_str_eq(room.targets[0], "vda");
    ck_assert_str_eq(room.targets[1], "sda");
    ck_assert_str_eq(room.ids[0], "disk1");
    ck_assert_ptr_null(room.ids[1]);
    ck_assert(!viommu_plug_room_read("<network/>", &none, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
}
END_TEST

/* What the IOMMU of a machine was told at its start decides about devices of the host. */
START_TEST(host_devices)
{
    static const struct {
        ViommuModel model;
        bool is_mirrored;
        uint64_t aw_bits, width;
        const char *words; /* NULL: there is room */
    } rows[] = {
        {VIOMMU_MODEL_INTEL, true, 39, 39, NULL},
        {VIOMMU_MODEL_INTEL, true, 48, VIOMMU_UNSET_NUMBER, NULL},
        {VIOMMU_MODEL_INTEL, true, 48, 39, "aw_bits of its IOMMU is 48"},
        {VIOMMU_MODEL_INTEL, false, 39, 39, "caching_mode of its IOMMU is off"},
        {VIOMMU_MODEL_SMMUV3, true, 39, 39, "an smmuv3 serves only"},
        {VIOMMU_MODEL_VIRTIO, false, VIOMMU_UNSET_NUMBER, 39, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) none = g_ptr_array_new(), devices = g_ptr_array_new();
        const ViommuPlugRoom room = {.has_ports = true,
                                     .port = 1,
                                     .model = (char *)viommu_model_to_string(rows[i].model),
                                     .is_mirrored = rows[i].is_mirrored,
                                     .aw_bits = rows[i].aw_bits};
        const ViommuPlan plan = {.disks = none,
                                 .networks = none,
                                 .iommu = {.model = rows[i].model},
                                 .placement = {.devices = devices, .width_bits = rows[i].width}};
        g_autoptr(GError) error = NULL;
        bool good;

        g_ptr_array_add(devices, NULL);
        good = viommu_plug_check_room("one", &plan, &room, &error);
        ck_assert_msg(good == !rows[i].words, "row %zu: %s", i, error ? error->message : "room");
        ck_assert(good || strstr(error->message, rows[i].words));
        ck_assert_uint_eq(viommu_plug_bus(&plan, &room), 1);
    }
}
END_TEST

UNIT_MAIN("plug", trees, requests, deciding_keys, firmware, rooms, names, host_devices)
