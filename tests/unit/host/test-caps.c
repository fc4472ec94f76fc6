/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-caps: recorded documents of a real libvirt, and small ones for what that host did not
 * have. */
#include "tests/unit/unit.h"

#include "lib/host/caps.h"
#include "lib/domain/held-devices.h"
#include "lib/base/version.h"

#define BIT(value) (1u << (value))

static ViommuHost *read_caps(const char *xml)
{
    g_autoptr(ViommuHost) host = viommu_host_new();
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_caps_read(host, xml, &error), error);
    return g_steal_pointer(&host);
}

static ViommuEmulator *emulator_of(ViommuHost *host, ViommuArch arch)
{
    ViommuEmulator *emulator = (ViommuEmulator *)viommu_host_emulator(host, arch);

    ck_assert_ptr_nonnull(emulator);
    return emulator;
}

/* libvirt lists none for an emulator that it has not asked: they are not known, and what is written
 * of that can be read. */
START_TEST(no_machines)
{
    g_autoptr(ViommuHost) host = read_caps("<capabilities><host><cpu><arch>x86_64</arch></cpu></host><guest>"
                                           "<os_type>hvm</os_type><arch name='x86_64'>"
                                           "<emulator>/usr/bin/qemu-system-x86_64</emulator>"
                                           "<domain type='qemu'/></arch></guest></capabilities>");
    g_autoptr(ViommuHost) again = NULL;
    g_autoptr(GVariant) tree = NULL;
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(emulator_of(host, VIOMMU_ARCH_X86_64)->machines);
    host->libvirt = VIOMMU_VERSION_OF(9, 0, 0);
    emulator_of(host, VIOMMU_ARCH_X86_64)->qemu = VIOMMU_VERSION_OF(7, 2, 0);
    tree = g_variant_ref_sink(viommu_host_to_variant(host));
    again = viommu_host_from_variant(tree, &error);
    unit_assert_ok(again != NULL, error);
    ck_assert_ptr_null(emulator_of(again, VIOMMU_ARCH_X86_64)->machines);
}
END_TEST

START_TEST(recorded_capabilities)
{
    g_autofree char *xml = unit_read_data("capabilities-9.0.0.xml");
    g_autoptr(ViommuHost) host = read_caps(xml);
    const ViommuEmulator *emulator;

    ck_assert_str_eq(host->arch_name, "x86_64");
    ck_assert_int_eq(host->has_iommu, 0);
    ck_assert_int_eq(viommu_host_arch(host), VIOMMU_ARCH_X86_64);
    ck_assert_ptr_nonnull(host->secmodels);
    /* armv7l and i686 are listed too, but viommud launches nothing on them */
    ck_assert_uint_eq(host->emulators->len, 2);

    emulator = emulator_of(host, VIOMMU_ARCH_X86_64);
    ck_assert_str_eq(emulator->arch_name, "x86_64");
    ck_assert_str_eq(emulator->path, "/usr/bin/qemu-system-x86_64");
    ck_assert_uint_eq(emulator->accelerators, BIT(VIOMMU_ACCELERATOR_KVM) | BIT(VIOMMU_ACCELERATOR_TCG));
    ck_assert_uint_eq(emulator->max_vcpus, 288);
    ck_assert_uint_eq(emulator->qemu, 0);
    ck_assert(g_strv_contains((const char *const *)emulator->machines, "q35"));
    ck_assert(g_strv_contains((const char *const *)emulator->machines, "pc-q35-7.2"));
    ck_assert(g_strv_contains((const char *const *)emulator->machines, "microvm"));
    ck_assert_uint_eq(viommu_emulator_machine_vcpus(emulator, "pc-q35-2.12"), 288);
    ck_assert_uint_eq(viommu_emulator_machine_vcpus(emulator, "pc-q35-8.2"), VIOMMU_UNSET_NUMBER);
    for (char **name = emulator->machines; name[0] && name[1]; name++)
        ck_assert_str_lt(name[0], name[1]);

    emulator = emulator_of(host, VIOMMU_ARCH_AARCH64);
    ck_assert_str_eq(emulator->path, "/usr/bin/qemu-system-aarch64");
    ck_assert_uint_eq(emulator->accelerators, BIT(VIOMMU_ACCELERATOR_TCG));
    ck_assert_uint_eq(emulator->max_vcpus, 512);
    ck_assert(g_strv_contains((const char *const *)emulator->machines, "virt"));
    ck_assert_uint_eq(viommu_emulator_machine_vcpus(emulator, "virt-2.12"), 255);
    ck_assert_uint_eq(viommu_emulator_machine_vcpus(emulator, "virt-6.2"), 512);
}
END_TEST

START_TEST(recorded_domain_capabilities)
{
    static const struct {
        ViommuArch arch;
        const char *file, *machine;
        uint64_t max_vcpus;
    } cases[] = {
        {VIOMMU_ARCH_X86_64, "domcapabilities-9.0.0-x86_64.xml", "pc-q35-7.2", 288},
        {VIOMMU_ARCH_AARCH64, "domcapabilities-9.0.0-aarch64.xml", "virt-7.2", 512},
    };
    g_autofree char *caps = unit_read_data("capabilities-9.0.0.xml");
    g_autoptr(ViommuHost) host = read_caps(caps);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml = unit_read_data(cases[i].file), *machine = NULL;
        g_autoptr(GError) error = NULL;
        ViommuEmulator *emulator = emulator_of(host, cases[i].arch);

        emulator->max_vcpus = 1;
        unit_assert_ok(viommu_caps_read_domain(emulator, xml, &machine, &error), error);
        ck_assert_str_eq(machine, cases[i].machine);
        ck_assert_uint_eq(emulator->max_vcpus, cases[i].max_vcpus);
        ck_assert_uint_eq(emulator->firmware, BIT(VIOMMU_FIRMWARE_BIOS) | BIT(VIOMMU_FIRMWARE_EFI));
        ck_assert_uint_eq(viommu_caps_machine_version(machine), VIOMMU_VERSION_OF(7, 2, 0));
    }
}
END_TEST

START_TEST(other_documents)
{
    /* Xen is not QEMU, a container is not a machine, the second x86_64 repeats the first; no
     * machine has a number of vCPUs. */
    g_autoptr(ViommuHost) host =
        read_caps("<capabilities><host><cpu><arch>riscv64</arch></cpu></host>"
                  "<guest><os_type>xen</os_type><arch name='x86_64'><domain type='xen'/></arch></guest>"
                  "<guest><os_type>exe</os_type><arch name='x86_64'><domain type='lxc'/></arch></guest>"
                  "<guest><os_type>hvm</os_type><arch name='aarch64'><domain type='xen'/></arch></guest>"
                  "<guest><os_type>hvm</os_type><arch name='x86_64'><machine maxCpus='255'>pc</machine>"
                  "<domain type='kvm'><emulator>/usr/bin/kvm</emulator></domain></arch></guest>"
                  "<guest><os_type>hvm</os_type><arch name='x86_64'><domain type='qemu'/></arch></guest>"
                  "<guest/></capabilities>");
    const ViommuEmulator *emulator = emulator_of(host, VIOMMU_ARCH_X86_64);

    ck_assert_uint_eq(host->emulators->len, 1);
    ck_assert_int_eq(viommu_host_arch(host), VIOMMU_UNSET);
    ck_assert_ptr_null(emulator->path);
    ck_assert_uint_eq(emulator->accelerators, BIT(VIOMMU_ACCELERATOR_KVM));
    ck_assert_uint_eq(emulator->max_vcpus, VIOMMU_UNSET_NUMBER);
}
END_TEST

START_TEST(host_pages)
{
    static const struct {
        const char *arch, *pages;
        uint64_t page_bytes;
    } cases[] = {
        {"aarch64", "", VIOMMU_UNSET_NUMBER},
        {"aarch64", "<pages unit='KiB' size='2048'/><pages unit='KiB' size='4'/>", 4096},
        {"aarch64", "<pages unit='KiB' size='64'/><pages unit='KiB' size='524288'/>", 65536},
        {"aarch64", "<pages unit='KiB' size='0'/><pages/><pages unit='KiB' size='x'/>", VIOMMU_UNSET_NUMBER},
        {"x86_64", "", 4096},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml =
            g_strdup_printf("<capabilities><host><cpu><arch>%s</arch>%s</cpu></host></capabilities>",
                            cases[i].arch, cases[i].pages);
        g_autoptr(ViommuHost) host = read_caps(xml);

        ck_assert_uint_eq(viommu_host_page_bytes(host), cases[i].page_bytes);
        if (host->page_bytes != VIOMMU_UNSET_NUMBER)
            continue;
        host->topology.page_bytes = 16384;
        ck_assert_uint_eq(viommu_host_page_bytes(host), g_str_equal(cases[i].arch, "x86_64") ? 4096 : 16384);
    }
}
END_TEST

/* As libvirt 12.8 writes it on hosts with and without VFIO, /dev/iommu, GICv3, QEMU's own network
 * and passt. */
START_TEST(what_libvirt_lists)
{
    static const struct {
        const char *hostdev, *gic, *network;
        int vfio, iommufd, user_network, passt;
        const char *versions; /* NULL: none */
    } rows[] = {
        {"<enum name='pciBackend'><value>default</value><value>vfio</value></enum>"
         "<enum name='iommufd'><value>yes</value><value>no</value></enum>",
         "<gic supported='yes'><enum name='version'><value>2</value><value>3</value></enum></gic>",
         "<enum name='backendType'><value>default</value><value>passt</value></enum>", 1, 1, 1, 1, "2,3"},
        {"<enum name='pciBackend'/><enum name='iommufd'><value>no</value></enum>",
         "<gic supported='yes'><enum name='version'><value>2</value></enum></gic>",
         "<enum name='backendType'><value>passt</value></enum>", 0, 0, 0, 1, "2"},
        {"<enum name='pciBackend'/>", "", "<enum name='backendType'/>", 0, VIOMMU_UNSET, 0, 0, NULL},
        {"<enum name='mode'/>", "<gic supported='no'/>", "", VIOMMU_UNSET, VIOMMU_UNSET, VIOMMU_UNSET,
         VIOMMU_UNSET, NULL},
    };
    g_autoptr(ViommuHost) host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);

    emulator->arch_name = g_strdup("aarch64");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<domainCapabilities><arch>aarch64</arch><machine>virt</machine><devices><hostdev "
            "supported='yes'>%s</hostdev><interface supported='yes'>%s</interface></devices>"
            "<features>%s</features></domainCapabilities>",
            rows[i].hostdev, rows[i].network, rows[i].gic);
        g_autofree char *machine = NULL, *versions = NULL;

        ck_assert(viommu_caps_read_domain(emulator, xml, &machine, NULL));
        ck_assert_int_eq(emulator->vfio, rows[i].vfio);
        ck_assert_int_eq(emulator->iommufd, rows[i].iommufd);
        ck_assert_int_eq(emulator->user_network, rows[i].user_network);
        ck_assert_int_eq(emulator->passt, rows[i].passt);
        versions = emulator->gic_versions ? g_strjoinv(",", emulator->gic_versions) : NULL;
        ck_assert_int_eq(g_strcmp0(versions, rows[i].versions), 0);
    }
}
END_TEST

/* As libvirt 7.0, 10.5 and 12.8 report them; the answers are in the order of the kinds. */
START_TEST(launch_security)
{
    const struct {
        const char *features;
        int flags[VIOMMU_LAUNCH_SECURITY_LAST];
    } rows[] = {
        {"", {VIOMMU_UNSET, VIOMMU_UNSET, VIOMMU_UNSET}},
        {"<sev supported='no'/>", {0, VIOMMU_UNSET, VIOMMU_UNSET}},
        {"<sev supported='yes'><cbitpos>47</cbitpos></sev>", {1, VIOMMU_UNSET, VIOMMU_UNSET}},
        {"<sev supported='no'/><launchSecurity supported='no'/>", {0, 0, 0}},
        {"<sev supported='yes'/><launchSecurity supported='yes'><enum name='sectype'><value>sev</value>"
         "<value>sev-snp</value></enum></launchSecurity>",
         {1, 1, 0}},
        {"<launchSecurity supported='yes'><enum name='sectype'><value>tdx</value></enum></launchSecurity>",
         {0, 0, 1}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuHost) host = viommu_host_new();
        ViommuEmulator *emulator = viommu_host_add_emulator(host);
        g_autofree char *xml = g_strdup_printf("<domainCapabilities><arch>x86_64</arch><machine>q35</machine>"
                                               "<features>%s</features></domainCapabilities>",
                                               rows[i].features);
        g_autofree char *machine = NULL;

        emulator->arch_name = g_strdup("x86_64");
        ck_assert(viommu_caps_read_domain(emulator, xml, &machine, NULL));
        for (int kind = 0; kind < VIOMMU_LAUNCH_SECURITY_LAST; kind++)
            ck_assert_int_eq(emulator->launch_security[kind], rows[i].flags[kind]);
    }
}
END_TEST

START_TEST(domain_capabilities_without_firmware)
{
    g_autoptr(ViommuHost) host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);
    g_autofree char *machine = NULL;

    emulator->arch = VIOMMU_ARCH_AARCH64;
    emulator->arch_name = g_strdup("aarch64");
    ck_assert(
        viommu_caps_read_domain(emulator,
                                "<domainCapabilities><arch>aarch64</arch><vcpu max='x'/><os supported='yes'>"
                                "<enum name='firmware'/><enum name='other'><value>efi</value></enum></os>"
                                "</domainCapabilities>",
                                &machine, NULL));
    ck_assert_ptr_null(machine);
    ck_assert_uint_eq(emulator->max_vcpus, VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(emulator->firmware, BIT(VIOMMU_FIRMWARE_BIOS));
    ck_assert(!viommu_emulator_has_firmware(emulator, VIOMMU_FIRMWARE_EFI));
}
END_TEST

START_TEST(refused_documents)
{
    g_autoptr(ViommuHost) host = viommu_host_new();
    ViommuEmulator *emulator = viommu_host_add_emulator(host);
    g_autoptr(GError) error = NULL;
    char *machine = NULL;

    ck_assert(!viommu_caps_read(host, "<domainCapabilities/>", &error));
    unit_assert_error(error, VIOMMU_ERROR_BACKEND,
                      "the XML has the root element <domainCapabilities> instead of <capabilities>");
    ck_assert(!viommu_caps_read(host, "<capabilities/>", &error));
    unit_assert_error(error, VIOMMU_ERROR_BACKEND,
                      "libvirt's capabilities do not name the host's architecture");
    emulator->arch_name = g_strdup("x86_64");
    ck_assert(!viommu_caps_read_domain(
        emulator, "<domainCapabilities><arch>aarch64</arch><machine>virt</machine></domainCapabilities>",
        &machine, &error));
    unit_assert_error(error, VIOMMU_ERROR_BACKEND,
                      "libvirt returned domain capabilities for architecture 'aarch64' instead of 'x86_64'");
    ck_assert_ptr_null(machine);
    ck_assert_uint_eq(emulator->firmware, 0);
}
END_TEST

START_TEST(versions_in_machine_names)
{
    static const struct {
        const char *machine;
        ViommuVersion version;
    } cases[] = {
        {"pc-q35-7.2", VIOMMU_VERSION_OF(7, 2, 0)},
        {"virt-11.1", VIOMMU_VERSION_OF(11, 1, 0)},
        {"pc-i440fx-2.12", VIOMMU_VERSION_OF(2, 12, 0)},
        {"pc-q35-2.4.1", VIOMMU_VERSION_OF(2, 4, 1)},
        {"q35", 0},
        {"virt", 0},
        {"pc-q35-", 0},
        {"pc-q35-rhel9.4.0", 0},
        {"pc-q35-noble", 0},
        {"virt-8.2-noble", 0},
        {"s390-ccw-virtio-7.2", 0},
        {"", 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_assert_uint_eq(viommu_caps_machine_version(cases[i].machine), cases[i].version);
}
END_TEST

/* The places where libvirt 9.0 writes them; and addresses that are not PCI devices of the host. */
START_TEST(hostdevs_of_a_domain)
{
    static const char xml[] =
        "<domain type='kvm'><name>a</name><devices>"
        "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"
        "<address domain='0x0002' bus='0xaf' slot='0x1f' function='0x7'/></source>"
        "<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></hostdev>"
        "<interface type='hostdev'><source><address type='pci' domain='0x0000' bus='0x3b' slot='0x02' "
        "function='0x1'/></source></interface>"
        "<disk type='nvme'><source type='pci' managed='yes' namespace='1'>"
        "<address domain='0x0000' bus='0x41' slot='0x00' function='0x0'/></source></disk>"
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><address bus='1' "
        "device='2'/></source>"
        "</hostdev><hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x100' "
        "slot='0x00' "
        "function='0x0'/></source></hostdev><disk type='file'><source file='/x'/></disk></devices></domain>";
    g_auto(GStrv) found = viommu_domain_hostdevs(xml, NULL), none = NULL;
    g_autofree char *text = g_strjoinv(" ", found);
    g_autoptr(GError) error = NULL;

    ck_assert_str_eq(text, "0002:af:1f.7 0000:3b:02.1 0000:41:00.0");
    none = viommu_domain_hostdevs("<domain/>", NULL);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_null(none[0]);
    ck_assert_ptr_null(viommu_domain_hostdevs("<network/>", &error));
    unit_assert_error(error, VIOMMU_ERROR_BACKEND,
                      "the XML has the root element <network> instead of <domain>");
}
END_TEST

UNIT_MAIN("caps", what_libvirt_lists, no_machines, recorded_capabilities, recorded_domain_capabilities,
          other_documents, host_pages, domain_capabilities_without_firmware, launch_security,
          refused_documents, versions_in_machine_names, hostdevs_of_a_domain)
