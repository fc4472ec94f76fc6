/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-host-class: what makes another class of a host, and what does not. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/host/host-class.h"

static const char *const text =
    "{'libvirt': <'9.0.0'>, 'arch': <'x86_64'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': <'7.2.13'>, "
    "'accelerators': <['kvm', 'tcg']>, 'path': <'/usr/bin/qemu'>, 'machines': <['pc-q35-7.2']>, "
    "'firmware': <['bios', 'efi']>, 'max-vcpus': <uint64 288>, 'vfio': <true>}]>, 'host-iommu': <true>, "
    "'memory': <uint64 8589934592>, 'page-size': <uint64 4096>, 'locked-memory-limit': <uint64 67108864>, "
    "'secmodels': <[{'model': <'apparmor'>}]>, 'site': <{'devices': <{'allow': <['8086:1572']>}>}>, "
    "'topology': <{'kernel': <'6.1.119'>, 'acpi': <true>, "
    "'tables': <[{'name': <'DMAR'>, 'state': <'good'>, 'units': <uint64 1>}]>, "
    "'kernel-options': <['intel_iommu=on']>, 'iommus': <[{'name': <'dmar0'>, 'kind': <'intel'>, "
    "'width': <uint64 48>, 'interrupt-remapping': <true>}]>, "
    "'devices': <[{'address': <'0000:01:00.0'>, 'vendor': <uint64 32902>, 'device': <uint64 5490>, "
    "'class': <uint64 131072>, 'driver': <'i40e'>, 'node': <uint64 0>, 'group': <uint64 7>, "
    "'iommu': <'dmar0'>, 'usable': <true>, 'uses': <['eth0 is up']>, 'cdev': <'vfio0'>}]>, "
    "'nodes': <[{'node': <uint64 0>, 'memory': <uint64 8589934592>, 'huge-pages': <[{'size': <uint64 "
    "2097152>, 'total': <uint64 64>, 'free': <uint64 64>}]>}]>, 'vfio': <true>, 'iommufd': <true>, "
    "'iommufd-usable': <true>, 'vhost-vsock': <true>, 'vhost-vsock-usable': <true>, 'vhost-vsock-rule': <true>}>}";

static ViommuHost *host_of(const char *tree)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) parsed = g_variant_parse(G_VARIANT_TYPE_VARDICT, tree, NULL, NULL, &error);
    ViommuHost *host;

    ck_assert_msg(parsed != NULL, "%s: %s", error ? error->message : "", tree);
    host = viommu_host_from_variant(parsed, &error);
    ck_assert_msg(host != NULL, "%s", error ? error->message : "");
    return host;
}

static char *class_of(const char *tree)
{
    g_autoptr(ViommuHost) host = host_of(tree);

    return viommu_host_class(host);
}

/* The class of the host above with @before replaced, which must stand in it once. */
static char *class_with(const char *before, const char *after)
{
    g_auto(GStrv) parts = g_strsplit(text, before, -1);
    g_autofree char *changed = g_strjoinv(after, parts);

    ck_assert_msg(g_strv_length(parts) == 2, "not once: %s", before);
    return class_of(changed);
}

static const struct {
    const char *before, *after;
} alike[] = {
    {"'memory': <uint64 8589934592>, 'page-size'", "'memory': <uint64 8589930496>, 'page-size'"},
    {"'path': <'/usr/bin/qemu'>", "'path': <'/usr/libexec/qemu'>"},
    {"'qemu': <'7.2.13'>", "'qemu': <'7.2.15'>"},
    {"6.1.119", "6.1.140"},
    {"'free': <uint64 64>", "'free': <uint64 3>"},
    {"'total': <uint64 64>", "'total': <uint64 128>"},
    {"'driver': <'i40e'>, ", "'driver': <'vfio-pci'>, "},
    {", 'cdev': <'vfio0'>", ""},
    {"'uses': <['eth0 is up']>", "'uses': <['eth0 is up', 'eth1 is up']>"},
    {"'tables': <[{'name': <'DMAR'>, 'state': <'good'>, 'units': <uint64 1>}]>",
     "'tables': <[{'name': <'DMAR'>, 'state': <'unread'>}]>"},
    {"'usable': <true>, 'uses'", "'usable': <false>, 'uses'"},
    {"'iommufd-usable': <true>", "'iommufd-usable': <false>"},
    {"'vhost-vsock-usable': <true>", "'vhost-vsock-usable': <false>"},
    {", 'site': <{'devices': <{'allow': <['8086:1572']>}>}>", ""},
    {"'arch': <'x86_64'>, 'emulators'", "'arch': <'x86_64'>, 'kvm': <'works'>, 'emulators'"},
    {"'arch': <'x86_64'>, 'emulators'",
     "'arch': <'x86_64'>, 'kvm': <'unknown'>, 'kvm-reason': <'no room'>, 'emulators'"},
};

static const struct {
    const char *before, *after;
} others[] = {
    {"'libvirt': <'9.0.0'>", "'libvirt': <'9.1.0'>"},
    {"'qemu': <'7.2.13'>", "'qemu': <'8.0.0'>"},
    {"['kvm', 'tcg']", "['tcg']"},
    {"'arch': <'x86_64'>, 'emulators'", "'arch': <'x86_64'>, 'kvm': <'broken'>, 'emulators'"},
    {"['pc-q35-7.2']", "['pc-q35-7.2', 'pc-q35-7.1']"},
    {"['bios', 'efi']", "['bios']"},
    {"'max-vcpus': <uint64 288>", "'max-vcpus': <uint64 255>"},
    {", 'vfio': <true>}]>", ", 'vfio': <false>}]>"},
    {"'host-iommu': <true>", "'host-iommu': <false>"},
    {"'page-size': <uint64 4096>", "'page-size': <uint64 65536>"},
    {"'locked-memory-limit': <uint64 67108864>", "'locked-memory-limit': <uint64 8388608>"},
    {"'secmodels': <[{'model': <'apparmor'>}]>, ", ""},
    {"6.1.119", "6.12.3"},
    {"'width': <uint64 48>", "'width': <uint64 39>"},
    {"'interrupt-remapping': <true>", "'interrupt-remapping': <false>"},
    {"0000:01:00.0", "0000:02:00.0"},
    {"'device': <uint64 5490>", "'device': <uint64 5491>"},
    {"'group': <uint64 7>, ", ""},
    {", 'uses': <['eth0 is up']>", ""},
    {"'vfio': <true>, 'iommufd': <true>", "'vfio': <true>, 'iommufd': <false>"},
    {"'vhost-vsock': <true>", "'vhost-vsock': <false>"},
    {"'vhost-vsock-rule': <true>", "'vhost-vsock-rule': <false>"},
};

START_TEST(hosts_that_decide_alike)
{
    g_autofree char *class = class_of(text), *again = class_of(text);

    ck_assert_str_eq(class, again);
    ck_assert(g_str_has_prefix(class, VIOMMU_HOST_CLASS_PREFIX));
    ck_assert_uint_eq(strlen(class), strlen(VIOMMU_HOST_CLASS_PREFIX) + 12);
    for (size_t i = 0; i < G_N_ELEMENTS(alike); i++) {
        g_autofree char *one = class_with(alike[i].before, alike[i].after);

        ck_assert_msg(g_str_equal(one, class), "another class with %s", alike[i].after);
    }
}
END_TEST

START_TEST(facts_that_decide)
{
    g_autofree char *class = class_of(text);
    g_autoptr(GHashTable) classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        char *other = class_with(others[i].before, others[i].after);

        ck_assert_msg(!g_str_equal(other, class), "the same class with %s", others[i].after);
        ck_assert_msg(g_hash_table_add(classes, other), "twice: %s", others[i].after);
    }
}
END_TEST

/* Why KVM is broken does not matter. */
START_TEST(broken_kvm)
{
    const char *before = "'arch': <'x86_64'>, 'emulators'";
    g_autofree char *one = class_with(before, "'arch': <'x86_64'>, 'kvm': <'broken'>, 'emulators'");
    g_autofree char *two =
        class_with(before, "'arch': <'x86_64'>, 'kvm': <'broken'>, 'kvm-reason': <'it hangs'>, 'emulators'");

    ck_assert_str_eq(one, two);
}
END_TEST

/* A release of bugs makes another class where a flaw ends with it. */
START_TEST(flaws_decide)
{
    const ViommuVersion end = viommu_flaw(VIOMMU_FLAW_VHOST_UNMAP)->qemu[0].before;
    g_autofree char *after = viommu_version_format(end), *before = viommu_version_format(end - 1);
    g_autofree char *one = g_strdup_printf("'qemu': <'%s'>", before);
    g_autofree char *two = g_strdup_printf("'qemu': <'%s'>", after);
    g_autofree char *with = NULL, *without = NULL;

    ck_assert_msg(end % 1000 != 0, "this flaw ends with a release of features: use another for the test");
    with = class_with("'qemu': <'7.2.13'>", one);
    without = class_with("'qemu': <'7.2.13'>", two);
    ck_assert_str_ne(with, without);
}
END_TEST

START_TEST(host_of_a_class)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = host_of(text);
    g_autoptr(ViommuHost) reduced = viommu_host_class_host(host, &error);
    g_autofree char *class = viommu_host_class(host), *same = NULL;
    const ViommuPciDevice *device;

    unit_assert_ok(reduced != NULL, error);
    same = viommu_host_class(reduced);
    ck_assert_str_eq(same, class);
    ck_assert_uint_eq(reduced->memory_bytes, VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(reduced->libvirt, VIOMMU_VERSION_OF(9, 0, 0));
    ck_assert(!reduced->site.present);
    ck_assert_ptr_null(reduced->topology.nodes);
    device = viommu_topology_device(&reduced->topology, "0000:01:00.0");
    ck_assert_ptr_nonnull(device);
    ck_assert_ptr_null(device->driver);
    ck_assert_ptr_nonnull(device->uses);
}
END_TEST

UNIT_MAIN("host-class", hosts_that_decide_alike, facts_that_decide, broken_kvm, flaws_decide, host_of_a_class)
