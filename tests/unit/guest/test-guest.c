/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-guest: what a request claims of a guest, and what viommud reads from its kernel. */
#include <string.h>
#include "lib/guest/guest.h"
#include "tests/unit/parse-request.h"

START_TEST(claims)
{
    static const struct {
        const char *request;
        ViommuArch arch;
        ViommuModel model;
        ViommuDriver driver;
        const char *why; /* part of the reason */
    } cases[] = {
        {"@a{sv} {}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_UNKNOWN, NULL},
        {"{'guest': <{'os': <'debian12'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO,
         "guest.os"},
        {"{'guest': <{'os': <'bookworm'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO,
         "guest.os"},
        {"{'guest': <{'os': <'debian12'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_YES,
         "guest.os"},
        {"{'guest': <{'os': <'debian13'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_MODULE,
         "initramfs"},
        {"{'guest': <{'os': <'debian13'>}>}", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3, VIOMMU_DRIVER_YES,
         "guest.os"},
        {"{'guest': <{'os': <'debian12-cloud'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD, VIOMMU_DRIVER_NO,
         "guest.os"},
        {"{'guest': <{'os': <'debiantesting-cloud'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD,
         VIOMMU_DRIVER_NO, "guest.os"},
        {"{'guest': <{'os': <'ubuntu22.04-cloud'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_OFF, "intel_iommu=on"},
        {"{'guest': <{'os': <'ubuntu22.04-kvm'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_NO, "guest.os"},
        {"{'guest': <{'os': <'ubuntu24.04-azure'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_YES, "guest.os"},
        {"{'guest': <{'os': <'ubuntu24.04'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_YES,
         "guest.os"},
        {"{'guest': <{'os': <'plan9'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_UNKNOWN,
         NULL},
        {"{'guest': <{'kernel': <'5.10'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO,
         "5.14"},
        {"{'guest': <{'kernel': <'5.13.999'>}>}", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO,
         "5.14"},
        {"{'guest': <{'kernel': <'5.14'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_UNKNOWN,
         NULL},
        {"{'guest': <{'drivers': <['virtio-iommu']>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_YES, "guest.drivers"},
        {"{'guest': <{'drivers': <['virtio-iommu']>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_NO, "guest.drivers"},
        {"{'guest': <{'os': <'fedora44'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_OFF,
         "intel_iommu=on"},
        {"{'guest': <{'os': <'rhel9.4'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_YES,
         "guest.os"},
        {"{'guest': <{'os': <'rhel9.0'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO,
         "guest.os"},
        {"{'guest': <{'os': <'centos-stream8'>}>}", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3,
         VIOMMU_DRIVER_YES, "guest.os"},
        {"{'guest': <{'os': <'fedora44'>, 'drivers': <'intel'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_YES, "guest.drivers"},
        /* the command line */
        {"{'guest': <{'os': <'fedora44'>}>, 'boot': <{'kernel': <'/k'>, 'cmdline': <'quiet "
         "intel_iommu=sm_on,on'>}>}",
         VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_YES, "boot.cmdline"},
        {"{'guest': <{'os': <'fedora44'>}>, 'boot': <{'kernel': <'/k'>, 'cmdline': <'no_intel_iommu=on'>}>}",
         VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_OFF, "intel_iommu=on"},
        {"{'guest': <{'os': <'fedora44'>}>, 'boot': <{'kernel': <'/k'>, 'extend-cmdline': <true>}>}",
         VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_YES, "boot.extend-cmdline"},
        {"{'guest': <{'drivers': <'intel'>}>, 'boot': <{'kernel': <'/k'>, 'cmdline': <'intel_iommu=off'>}>}",
         VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_NO, "intel_iommu=off"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'intel_iommu=off'>}>}", VIOMMU_ARCH_X86_64,
         VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_UNKNOWN, NULL},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'a acpi=off'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_NO, "acpi=off"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'acpi=off'>}>}", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_NO, "acpi=off"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'iommu=off'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_UNKNOWN, NULL},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'iommu=off'>}>}", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_NO, "iommu=off"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'iommu=off'>}>}", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3,
         VIOMMU_DRIVER_UNKNOWN, NULL},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'intel_iommu=off intel_iommu=on'>}>}", VIOMMU_ARCH_X86_64,
         VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_YES, "boot.cmdline"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'intel_iommu=on'>}>}", VIOMMU_ARCH_X86_64,
         VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_YES, "boot.cmdline"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'module_blacklist=a,virtio-iommu'>}>}", VIOMMU_ARCH_X86_64,
         VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_UNKNOWN, NULL},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'modprobe.blacklist=a,virtio_iommu'>}>}",
         VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO, "modprobe.blacklist"},
        {"{'guest': <{'os': <'ubuntu24.04'>}>, 'boot': <{'kernel': <'/k'>, 'cmdline': "
         "<'module_blacklist=virtio_iommu'>}>}",
         VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_YES, "guest.os"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'acpi=off'>}>}", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3,
         VIOMMU_DRIVER_UNKNOWN, NULL},
        /* what the caller says takes precedence over what is known of the distribution */
        {"{'guest': <{'os': <'debian12'>, 'drivers': <['virtio']>}>}", VIOMMU_ARCH_X86_64,
         VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_YES, "guest.drivers"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuRequest) request = unit_request(cases[i].request);
        g_autofree char *why = NULL;
        ViommuGuest guest = {request, NULL};

        ck_assert_msg(viommu_guest_driver(&guest, cases[i].arch, cases[i].model, &why) == cases[i].driver,
                      "%s: %s", cases[i].request, why ? why : "unknown");
        ck_assert_int_eq(why != NULL, cases[i].why != NULL);
        ck_assert_msg(!why || strstr(why, cases[i].why), "%s", why);
    }
}
END_TEST

START_TEST(interrupts)
{
    static const struct {
        const char *cmdline, *remapping, *many; /* the words that switch them off */
    } cases[] = {
        {"quiet", NULL, NULL},
        {"intel_iommu=off iommu=off", NULL, NULL},
        {"intremap=off", "intremap=off", "intremap=off"},
        {"nointremap", "nointremap", "nointremap"},
        {"nointremap intremap=on", NULL, NULL},
        {"noapic", "noapic", "noapic"},
        {"nolapic", "nolapic", "nolapic"},
        {"disableapic", "disableapic", "disableapic"},
        {"nosmp", "nosmp", "nosmp"},
        {"maxcpus=0", "maxcpus=0", "maxcpus=0"},
        {"maxcpus=1 noapic apic", NULL, NULL},
        {"nox2apic", NULL, "nox2apic"},
        {"acpi=off", "acpi=off", "acpi=off"},
        {"acpi=off acpi=force", NULL, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("{'guest': <{'os': <'rhel9'>}>, 'boot': <{'kernel': <'/k'>, 'cmdline': <'%s'>}>}",
                            cases[i].cmdline);
        g_autoptr(ViommuRequest) request = unit_request(text);
        ViommuGuest guest = {request, NULL, false};
        g_autofree char *why = NULL;

        ck_assert_int_eq(viommu_guest_remapper(&guest, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL, &why),
                         VIOMMU_DRIVER_YES);
        ck_assert_pstr_eq(viommu_guest_remapping_off(&guest, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL),
                          cases[i].remapping);
        ck_assert_pstr_eq(viommu_guest_many_cpus_off(&guest, VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL),
                          cases[i].many);
    }
}
END_TEST

START_TEST(words_of_guests)
{
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        ck_assert_int_eq(viommu_guest_os_driver_model(viommu_model_to_string((ViommuModel)model)), model);
    ck_assert_int_eq(viommu_guest_os_driver_model("arm-smmu-v3"), VIOMMU_MODEL_SMMUV3);
    ck_assert_int_eq(viommu_guest_os_driver_model("amd_iommu"), VIOMMU_MODEL_AMD);
    ck_assert_int_eq(viommu_guest_os_driver_model("vfio"), VIOMMU_UNSET);

    ck_assert_str_eq(viommu_guest_os_find("bookworm")->name, "debian12");
    ck_assert_str_eq(viommu_guest_os_find("debian-unstable")->name, "debiansid");
    ck_assert_str_eq(viommu_guest_os_find("debian12.5")->name, "debian12");
    ck_assert_str_eq(viommu_guest_os_find("rhel9.4-64k")->name, "rhel9-64k");
    ck_assert_str_eq(viommu_guest_os_find("rhel9.4")->name, "rhel9");
    ck_assert_ptr_null(viommu_guest_os_find("rhel9.4-16k"));
    ck_assert_ptr_null(viommu_guest_os_find("ubuntu22.99"));
    ck_assert_str_eq(viommu_guest_os_nearest("debain12"), "debian12");
}
END_TEST

/* Names of labs, and the short ids of libosinfo. */
START_TEST(names_of_guests)
{
    static const struct {
        const char *name, *row; /* NULL: unknown */
        bool newest;
    } cases[] = {
        {"debian", "debian13", true},
        {"fedora", "fedora44", true},
        {"fedora-unknown", "fedora44", true},
        {"fedora-coreos-stable", "fedora44", true},
        {"ubuntu", "ubuntu26.10", true},
        {"rhel", "rhel10", true},
        {"rocky", "rhel10", true},
        {"almalinux", "rhel10", true},
        {"oraclelinux", "rhel10", true},
        {"rhel9-unknown", "rhel9", false},
        {"centos9", "rhel9", false},
        {"centos-stream9", "rhel9", false},
        {"ol9.3", "rhel9", false},
        {"oraclelinux9", "rhel9", false},
        {"rocky8.10", "rhel8", false},
        {"rhcos", "rhel9", false},
        {"rhcos4.16", "rhel9", false},
        {"opensuse-tumbleweed", "opensuse-tumbleweed", false},
        {"opensusetumbleweed", "opensuse-tumbleweed", false},
        {"opensuse15.6", "opensuse-leap15.6", false},
        {"opensuse15.5", "opensuse-leap", false},
        {"opensuse-leap", "opensuse-leap", false},
        {"opensuse-leap16.0", "opensuse-leap", false},
        {"sles15sp6", "opensuse-leap15.6", false},
        {"sles15sp4", "opensuse-leap", false},
        {"sles15", "opensuse-leap", false},
        {"sles16.0", "opensuse-leap", false},
        {"sles12", "sles12", false},
        {"sles12sp5", "sles12", false},
        {"arch", "arch", false},
        {"archlinux", "arch", false},
        {"alpine", "alpine", false},
        {"alpine3.19", "alpine", false},
        {"alpinelinux3.21", "alpine", false},
        {"amazonlinux2023", "amazonlinux2023", false},
        {"al2023", "amazonlinux2023", false},
        {"amazonlinux2", NULL, false},
        {"nixos", "nixos", false},
        {"nixos-24.05", "nixos", false},
        {"windows", "windows", false},
        {"win11", "windows", false},
        {"win2k22", "windows", false},
        {"winxp", "windows", false},
        {"windows-server-2022", "windows", false},
        {"winter", NULL, false},
        {"RHEL-9.4", "rhel9", false},
        {"RHEL-9.4.0", "rhel9", false},
        {"rhel-9.0.0", "rhel9.0", false},
        {"Fedora-40", "fedora40", false},
        {"Fedora-latest", "fedora44", true},
        {"Fedora-Rawhide", "fedora45", false},
        {"fedora_40", "fedora40", false},
        {"CentOS-Stream-9", "rhel9", false},
        {"CentOS Stream 9", "rhel9", false},
        {"centosstream-9", "rhel9", false},
        {"centos-9-stream", "rhel9", false},
        {"RHEL-9.4.0-Nightly", "rhel9", false},
        {"Red Hat Enterprise Linux 9.4 (Plow)", "rhel9", false},
        {"Rocky Linux 9.4 (Blue Onyx)", "rhel9", false},
        {"alma-8.5", "rhel8", false},
        {"Fedora Linux 41 (Cloud Edition)", "fedora41", false},
        {"Debian GNU/Linux 12 (bookworm)", "debian12", false},
        {"debian-12-generic", "debian12", false},
        {"Ubuntu 24.04.1 LTS", "ubuntu24.04", false},
        {"openSUSE Tumbleweed 20240612", "opensuse-tumbleweed", false},
        {"SUSE Linux Enterprise Server 15 SP6", "opensuse-leap15.6", false},
        {"debian-12-cloud", "debian12-cloud", false},
        {"rhel-9-64k", "rhel9-64k", false},
        {"ubuntu-24.04", "ubuntu24.04", false},
        {"ubuntu24.04.1", "ubuntu24.04", false},
        {"ubuntu24", NULL, false},
        {"ubuntu24.04-64k", "ubuntu24.04-64k", false},
        {"opensuse-leap-15.6", "opensuse-leap15.6", false},
        {"SLES-15-SP6", "opensuse-leap15.6", false},
        {"sle15sp6", "opensuse-leap15.6", false},
        {"sle15sp5", "opensuse-leap", false},
        {"slem5.5", "opensuse-leap", false},
        {"Windows 11", "windows", false},
        {"-", NULL, false},
        {"9-", NULL, false},
        {"9sp", NULL, false},
        {"debian99", NULL, false},
        {"fedora12", NULL, false},
        {"", NULL, false},
        {"sp1", NULL, false},
        {"-unknown", NULL, false},
        {"12", NULL, false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const ViommuGuestOs *os = viommu_guest_os_find(cases[i].name);

        ck_assert_msg(g_strcmp0(os ? os->name : NULL, cases[i].row) == 0, "%s: %s", cases[i].name,
                      os ? os->name : "unknown");
        ck_assert_msg(!os || viommu_guest_os_is_newest(os, cases[i].name) == cases[i].newest, "%s",
                      cases[i].name);
    }
}
END_TEST

START_TEST(every_row_has_its_source)
{
    const ViommuGuestOs *os;

    for (size_t i = 0; (os = viommu_guest_os_row(i)); i++) {
        ck_assert(os->name && os->source);
        ck_assert_ptr_eq(viommu_guest_os_find(os->name), os);
        /* Where nothing at all is known, the user must be told what to say instead. */
        ck_assert(os->advice || os->intel != VIOMMU_DRIVER_UNKNOWN || os->smmuv3 != VIOMMU_DRIVER_UNKNOWN);
        ck_assert_int_eq(g_str_has_suffix(os->name, "-64k"),
                         os->aarch64_page_kib == 64 && !g_str_equal(os->name, "rhel8"));
    }
}
END_TEST

/* --- Reading a kernel --- */

static size_t put_bzimage(uint8_t *bytes, size_t size, const char *release)
{
    size_t at = 0x200 + 0x100;

    memset(bytes, 0, size);
    memcpy(bytes + 0x202, "HdrS", 4);
    bytes[0x20f] = 1; /* 0x100 */
    memcpy(bytes + at, release, strlen(release));
    return at + strlen(release);
}

START_TEST(images)
{
    static const char arm[] = "Linux version %s (%s)\0Linux version 6.12.107+deb13-arm64 (debian)";
    uint8_t bytes[2048];
    ViommuKernel kernel = {0};
    size_t n = put_bzimage(bytes, sizeof(bytes), "6.1.0-50-amd64 (debian) #1 SMP");

    ck_assert(viommu_kernel_read_image(&kernel, bytes, n));
    ck_assert_str_eq(kernel.release, "6.1.0-50-amd64");
    ck_assert_uint_eq(kernel.version, VIOMMU_VERSION_OF(6, 1, 0));
    /* truncated at each byte: never read past the end */
    for (size_t i = 0; i < n; i++) {
        g_autofree uint8_t *copy = g_malloc(i + 1); /* exactly as large, but never NULL */
        memcpy(copy + 1, bytes, i);
        viommu_kernel_read_image(&kernel, copy + 1, i);
    }
    put_bzimage(bytes, sizeof(bytes), "what is this");
    ck_assert(!viommu_kernel_read_image(&kernel, bytes, sizeof(bytes)));
    bytes[0x20e] = bytes[0x20f] = 0xff; /* points behind the end */
    ck_assert(!viommu_kernel_read_image(&kernel, bytes, sizeof(bytes)));

    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes + 56, "ARMd", 4);
    memcpy(bytes + 500, arm, sizeof(arm));
    ck_assert(viommu_kernel_read_image(&kernel, bytes, sizeof(bytes)));
    ck_assert_str_eq(kernel.release, "6.12.107+deb13-arm64");
    bytes[56] = 'a';
    ck_assert(!viommu_kernel_read_image(&kernel, bytes, sizeof(bytes)));
}
END_TEST

START_TEST(page_sizes)
{
    static const struct {
        const char *request;
        uint64_t header_bits, page_bytes;
    } cases[] = {
        {"@a{sv} {}", 0, 0},
        {"@a{sv} {}", 1, 4096},
        {"@a{sv} {}", 2, 16384},
        {"@a{sv} {}", 3, 65536},
        {"{'guest': <{'os': <'rhel8'>}>}", 0, 65536},
        {"{'guest': <{'os': <'rhel8'>}>}", 1, 4096},
        {"{'guest': <{'os': <'rhel9.4'>}>}", 0, 4096},
        {"{'guest': <{'os': <'rocky9.4-64k'>}>}", 0, 65536},
        {"{'guest': <{'os': <'ubuntu24.04'>}>}", 0, 4096},
        {"{'guest': <{'os': <'ubuntu24.04-64k'>}>}", 0, 65536},
        {"{'guest': <{'os': <'ubuntu24.04-aws'>}>}", 0, 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuRequest) request = unit_request(cases[i].request);
        ViommuKernel kernel = {0}, copy;
        uint8_t image[64] = {[24] = (uint8_t)(cases[i].header_bits << 1 | 1), [56] = 'A', 'R', 'M', 'd'};
        g_autoptr(GVariant) value = NULL;

        viommu_kernel_read_page_size(&kernel, image, sizeof(image) - 5);
        ck_assert_uint_eq(kernel.page_bytes, 0);
        viommu_kernel_read_page_size(&kernel, image, sizeof(image));
        value = g_variant_ref_sink(viommu_kernel_to_variant(&kernel));
        ck_assert(viommu_kernel_from_variant(value, &copy));
        ck_assert_uint_eq(viommu_guest_page_bytes(&(ViommuGuest){request, &copy}, VIOMMU_ARCH_AARCH64),
                          cases[i].page_bytes);
        ck_assert_uint_eq(viommu_guest_page_bytes(&(ViommuGuest){request, &copy}, VIOMMU_ARCH_X86_64), 4096);
    }
}
END_TEST

START_TEST(page_sizes_of_configurations)
{
    static const struct {
        const char *text;
        uint64_t page_bytes;
    } cases[] = {
        {"CONFIG_ARM64=y\n", 0},
        {"CONFIG_ARM64_4K_PAGES=y\n# CONFIG_ARM64_64K_PAGES is not set\n", 4096},
        {"CONFIG_ARM64_16K_PAGES=y\n", 16384},
        {"# CONFIG_ARM64_4K_PAGES is not set\nCONFIG_ARM64_64K_PAGES=y", 65536},
        {"CONFIG_ARM64_64K_PAGES=yes\n", 0},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuKernel kernel = {0};

        ck_assert(viommu_kernel_read_config(&kernel, cases[i].text, strlen(cases[i].text)));
        ck_assert_uint_eq(kernel.page_bytes, cases[i].page_bytes);
    }
}
END_TEST

START_TEST(configurations)
{
    static const struct {
        const char *text;
        ViommuModel model;
        ViommuDriver driver;
    } cases[] = {
        {"CONFIG_INTEL_IOMMU=y\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n", VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_YES},
        {"CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y\nCONFIG_INTEL_IOMMU=y", VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_YES},
        {"CONFIG_INTEL_IOMMU=y\n# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set\n", VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_OFF},
        {"CONFIG_PCI=y\n# CONFIG_INTEL_IOMMU is not set\n", VIOMMU_MODEL_INTEL, VIOMMU_DRIVER_NO},
        {"CONFIG_VIRTIO_IOMMU=m\nCONFIG_ACPI_VIOT=y\n", VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_MODULE},
        {"CONFIG_VIRTIO_IOMMU=y\nCONFIG_ACPI_VIOT=y\n", VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_YES},
        {"CONFIG_VIRTIO_IOMMU=y\n", VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_NO},
        {"CONFIG_ARM_SMMU_V3=y\n", VIOMMU_MODEL_SMMUV3, VIOMMU_DRIVER_YES},
        {"CONFIG_AMD_IOMMU=y\n", VIOMMU_MODEL_AMD, VIOMMU_DRIVER_YES},
        {"CONFIG_AMD_IOMMU_V2=y\n", VIOMMU_MODEL_AMD, VIOMMU_DRIVER_NO},
    };
    ViommuKernel none = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuKernel kernel = {0};

        ck_assert(viommu_kernel_read_config(&kernel, cases[i].text, strlen(cases[i].text)));
        ck_assert_msg(kernel.configured && kernel.drivers[cases[i].model] == cases[i].driver, "%s",
                      cases[i].text);
    }
    ck_assert(!viommu_kernel_read_config(&none, "", 0));
    ck_assert(!viommu_kernel_read_config(&none, "ELF", 3));
    ck_assert(!none.configured);
}
END_TEST

START_TEST(what_is_read_wins)
{
    static const struct {
        const char *request;
        ViommuModel model;
        ViommuDriver driver;
        const char *warning; /* part of the only warning; NULL: none */
    } cases[] = {
        {"{'boot': <{'kernel': <'/k'>}>}", VIOMMU_MODEL_VIRTIO, VIOMMU_DRIVER_MODULE, NULL},
        {"{'boot': <{'kernel': <'/k'>}>, 'guest': <{'drivers': <['virtio', 'intel']>}>}", VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_YES, NULL},
        {"{'boot': <{'kernel': <'/k'>}>, 'guest': <{'drivers': <['amd']>}>}", VIOMMU_MODEL_AMD,
         VIOMMU_DRIVER_NO,
         "guest.drivers names 'amd', but the configuration of boot.kernel contradicts that"},
        {"{'boot': <{'kernel': <'/k'>}>, 'guest': <{'kernel': <'5.10'>}>}", VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_MODULE, "guest.kernel is '5.10', but boot.kernel is Linux 6.12.1"},
        {"{'boot': <{'kernel': <'/k'>}>, 'guest': <{'kernel': <'6.12'>}>}", VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_OFF, NULL},
        {"{'boot': <{'kernel': <'/k'>}>, 'guest': <{'os': <'debian12-cloud'>}>}", VIOMMU_MODEL_VIRTIO,
         VIOMMU_DRIVER_MODULE,
         "'debian12-cloud' has no driver for 'virtio' on x86_64, but the configuration of boot.kernel contradicts that"},
        {"{'boot': <{'kernel': <'/k'>, 'cmdline': <'intel_iommu=on'>}>}", VIOMMU_MODEL_INTEL,
         VIOMMU_DRIVER_YES, NULL},
    };
    static const char config[] = "CONFIG_INTEL_IOMMU=y\nCONFIG_VIRTIO_IOMMU=m\nCONFIG_ACPI_VIOT=y\n";
    ViommuKernel kernel = {.release = "6.12.1", .version = VIOMMU_VERSION_OF(6, 12, 1)};

    ck_assert(viommu_kernel_read_config(&kernel, config, strlen(config)));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuRequest) request = unit_request(cases[i].request);
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        ViommuGuest guest = {request, &kernel};
        g_autofree char *why = NULL;
        ViommuDriver driver = viommu_guest_driver(&guest, VIOMMU_ARCH_X86_64, cases[i].model, &why);

        ck_assert_msg(driver == cases[i].driver, "%s: %s", cases[i].request, why);
        viommu_guest_contradictions(&guest, VIOMMU_ARCH_X86_64, warnings);
        ck_assert_msg(warnings->len == (cases[i].warning ? 1 : 0), "%s: %u", cases[i].request, warnings->len);
        if (cases[i].warning)
            ck_assert_msg(strstr(warnings->pdata[0], cases[i].warning) != NULL, "%s",
                          (char *)warnings->pdata[0]);
    }
}
END_TEST

UNIT_MAIN("guest", claims, interrupts, words_of_guests, names_of_guests, every_row_has_its_source, images,
          page_sizes, page_sizes_of_configurations, configurations, what_is_read_wins)
