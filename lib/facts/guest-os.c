/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-os: the table.  VIOMMU_DRIVER_UNKNOWN: no kernel of that architecture was examined. */
#include "lib/facts/guest-os.h"

#include <glib.h>
#include <string.h>
#include "lib/base/did-you-mean.h"

#define Y VIOMMU_DRIVER_YES
#define O VIOMMU_DRIVER_OFF
#define M VIOMMU_DRIVER_MODULE
#define N VIOMMU_DRIVER_NO
#define U VIOMMU_DRIVER_UNKNOWN

/* Each also gives the page size of its aarch64 kernels: ARM64_4K_PAGES or ARM64_64K_PAGES. */
#define DEBIAN "linux-config-5.10, -6.1, -6.12 and -7.2 of Debian, amd64 and arm64; docs/matrix.md", 4
#define CLOUD                                                                                            \
    "the same packages, cloud flavours: as the others, but AMD_IOMMU is not set; docs/matrix.md, cloud " \
    "kernel",                                                                                            \
        4
/* Cloud images have linux-virtual, which is the generic kernel with fewer modules.  RHEL, CentOS
 * and Fedora have one kernel for all their images. */
#define UBUNTU(version, annotations) \
    "linux-buildinfo-" version "-generic of Ubuntu, amd64; arm64: config/annotations of linux " annotations, 4
#define UBUNTU_CLOUD(version) \
    "linux-buildinfo-" version "* of Ubuntu, flavours aws, azure, gcp and oracle, amd64", 0
/* linux-generic-64k exists only for arm64. */
#define UBUNTU_64K(annotations) \
    "config/annotations of linux " annotations " of Ubuntu, arm64-generic-64k: ARM64_64K_PAGES", 64
#define RHEL_64K "kernel-aarch64-64k-rhel.config (package kernel-64k, since RHEL 9.2): ARM64_64K_PAGES", 64
#define FEDORA \
    "kernel-{x86_64,aarch64}-fedora.config in Fedora's kernel packages: INTEL_IOMMU_DEFAULT_ON not set", 4

#define SUSE_6_4 \
    "config/x86_64/default at 8b68be23fe9a and config/arm64/default at 363a81057f2d of openSUSE's kernel-source (Linux 6.4)"
#define SUSE_NEW \
    "config/x86_64/default at 3752e20094a5 of SUSE's kernel-source; arm64: at 363a81057f2d of openSUSE's"
#define ALPINE \
    "main/linux-lts/virt.x86_64.config at 67791f4e9880 and virt.aarch64.config at 0130e7ac7202 of aports"
#define UEK7 \
    "uek-rpm/ol9/config-x86_64 at 00b109faadc9 of oracle/linux-uek: INTEL_IOMMU_DEFAULT_ON, VIRTIO_IOMMU=y"
#define UNREAD     "no kernel configuration was looked at"
#define PER_KERNEL "set guest.kernel to its kernel's version, or guest.drivers to the drivers that it has"

/* name, aliases, intel, amd, smmuv3, virtio on x86_64, virtio on aarch64, systemd, source, KiB of
 * an aarch64 kernel's page (left out: not known).
 * The versions of systemd are those of the packages.  Of a release that is still worked on, and of
 * a system without releases, it is a version that it had. */
static const ViommuGuestOs known[] = {
    {"debian11", "bullseye", Y, Y, Y, N, N, 247, DEBIAN},
    {"debian11-cloud", NULL, Y, N, Y, N, N, 247, CLOUD},
    {"debian12", "bookworm", Y, Y, Y, N, N, 252, DEBIAN},
    {"debian12-cloud", NULL, Y, N, Y, N, N, 252, CLOUD},
    {"debian13", "trixie", Y, Y, Y, M, M, 257, DEBIAN, .newest_of = "debian debian-stable"},
    {"debian13-cloud", NULL, Y, N, Y, M, M, 257, CLOUD, .newest_of = "debian-cloud"},
    {"debian14", "forky", Y, Y, Y, M, M, 262, DEBIAN},
    {"debian14-cloud", NULL, Y, N, Y, M, M, 262, CLOUD},
    {"debiantesting", "debian-testing", Y, Y, Y, M, M, 262, DEBIAN},
    {"debiantesting-cloud", NULL, Y, N, Y, M, M, 262, CLOUD},
    {"debiansid", "sid debian-sid debian-unstable", Y, Y, Y, M, M, 262, DEBIAN},
    {"debiansid-cloud", NULL, Y, N, Y, M, M, 262, CLOUD},
    {"ubuntu22.04", "ubuntu2204 jammy ubuntu22.04-cloud", O, Y, Y, Y, Y, 249,
     UBUNTU("5.15.0-72 to -203; INTEL_IOMMU_DEFAULT_ON is not set, as it was in 5.15.0-25;", "5.15.0-25")},
    {"ubuntu22.04-64k", NULL, U, U, Y, U, Y, 249, UBUNTU_64K("5.15.0-25")},
    {"ubuntu22.04-hwe", NULL, Y, Y, Y, Y, Y, 249, UBUNTU("6.8.0-149", "6.8.0-31")},
    {"ubuntu22.04-aws", "ubuntu22.04-azure ubuntu22.04-gcp ubuntu22.04-oracle", Y, Y, U, Y, U, 249,
     UBUNTU_CLOUD("6.8")},
    {"ubuntu22.04-kvm", NULL, N, N, U, N, U, 249,
     "linux-buildinfo-5.15.0-1112-kvm of Ubuntu, amd64: IOMMU_SUPPORT is not set"},
    {"ubuntu24.04", "ubuntu2404 noble ubuntu24.04-cloud", Y, Y, Y, Y, Y, 255,
     UBUNTU("6.8.0-149", "6.8.0-31")},
    {"ubuntu24.04-64k", NULL, U, U, Y, U, Y, 255, UBUNTU_64K("6.8.0-31")},
    {"ubuntu24.04-aws", "ubuntu24.04-azure ubuntu24.04-gcp ubuntu24.04-oracle", Y, Y, U, Y, U, 255,
     UBUNTU_CLOUD("7.0")},
    {"ubuntu25.10", "ubuntu2510 questing ubuntu25.10-cloud", Y, Y, Y, Y, Y, 257,
     UBUNTU("6.17.0-41", "6.8.0-31 and 7.0.0-14")},
    {"ubuntu25.10-aws", "ubuntu25.10-azure ubuntu25.10-gcp ubuntu25.10-oracle", Y, Y, U, Y, U, 257,
     UBUNTU_CLOUD("6.17")},
    {"ubuntu26.04", "ubuntu2604 resolute ubuntu26.04-cloud", Y, Y, Y, Y, Y, 259,
     UBUNTU("7.0.0-43", "7.0.0-14"), .newest_of = "ubuntu-lts ubuntu-lts-latest"},
    {"ubuntu26.04-64k", NULL, U, U, Y, U, Y, 259, UBUNTU_64K("7.0.0-14")},
    {"ubuntu26.04-aws", "ubuntu26.04-azure ubuntu26.04-gcp ubuntu26.04-oracle", Y, Y, U, Y, U, 259,
     UBUNTU_CLOUD("7.0")},
    {"ubuntu26.10", "ubuntu2610 stonking ubuntu26.10-cloud", Y, Y, Y, Y, Y, 259,
     UBUNTU("7.3.0-10", "7.0.0-14"), .newest_of = "ubuntu"},
    {"ubuntu26.10-aws", "ubuntu26.10-azure ubuntu26.10-gcp ubuntu26.10-oracle", Y, Y, U, Y, U, 259,
     UBUNTU_CLOUD("7.3")},
    {"rhel8", "centos-stream8 centos8 rocky8 almalinux8 ol8 oraclelinux8", O, Y, Y, N, N, 239,
     "kernel-*.config of 4.18.0-193 to 4.18.0-513 (RHEL 8.2 to 8.9); aarch64: ARM64_64K_PAGES", 64},
    {"rhel9.0", "rocky9.0 almalinux9.0", O, Y, Y, N, Y, 250, "kernel-*-rhel.config of 5.14.0-70.30.1.el9_0",
     4},
    {"rhel9.1", "rocky9.1 almalinux9.1", O, Y, Y, Y, Y, 250, "kernel-*-rhel.config of 5.14.0-162.6.1", 4},
    {"rhel9", "centos-stream9 centos9 centos9-stream rocky9 almalinux9 ol9 oraclelinux9 rhcos rhcos4", O, Y,
     Y, Y, Y, 252, "kernel-*-rhel.config of 5.14.0-162.6.1 (9.1) to 5.14.0-362.24.1 (9.3)", 4},
    {"rhel9-64k", "centos-stream9-64k rocky9-64k almalinux9-64k ol9-64k", U, U, Y, U, Y, 252, RHEL_64K},
    {"rhel10", "centos-stream10 centos10 centos10-stream rocky10 almalinux10 ol10 oraclelinux10", O, Y, Y, Y,
     Y, 257, "kernel-*-rhel.config of CentOS Stream 10 (6.11) and of Fedora's kernel packages 6.8 to 7.2", 4,
     .newest_of = "rhel centos-stream centos rocky almalinux ol oraclelinux"},
    {"rhel10-64k", "centos-stream10-64k rocky10-64k almalinux10-64k ol10-64k", U, U, Y, U, Y, 257, RHEL_64K},
    {"fedora40", NULL, O, Y, Y, Y, Y, 255, FEDORA},
    {"fedora41", NULL, O, Y, Y, Y, Y, 256, FEDORA},
    {"fedora42", NULL, O, Y, Y, Y, Y, 257, FEDORA},
    {"fedora43", NULL, O, Y, Y, Y, Y, 258, FEDORA},
    {"fedora44", NULL, O, Y, Y, Y, Y, 259, FEDORA,
     .newest_of = "fedora fedora-coreos fedora-coreos-stable fedora-coreos-testing fedora-coreos-next"},
    {"fedora45", "fedora-rawhide rawhide", O, Y, Y, Y, Y, 261, FEDORA},
    {"ol9-uek", "oraclelinux9-uek", Y, Y, U, Y, U, 252, UEK7},
    {"opensuse-tumbleweed", "opensusetumbleweed tumbleweed", O, Y, Y, M, M, 261, SUSE_NEW,
     .any_release = true},
    {"opensuse-leap15.6", "opensuse15.6 leap15.6 sle15.6 sles15.6 sled15.6 sle15.7 sles15.7 sled15.7", O, Y,
     Y, M, M, 254, SUSE_6_4},
    {"opensuse-leap", "opensuse leap sle15 sles15 sled15 sles16 sle sles sled slem", U, U, U, U, U,
     VIOMMU_UNSET, UNREAD, .advice = "kernels of SUSE's releases and service packs differ; " PER_KERNEL,
     .any_release = true},
    {"sles12", "sle12 sled12 opensuse42 opensuse-leap42", U, U, U, N, N, 228,
     "Linux 4.4 and 4.12: too old for the driver of a virtio IOMMU",
     .advice = "kernels of SUSE's service packs differ; " PER_KERNEL},
    {"alpine", "alpinelinux alpinelinux-edge alpine-edge", O, N, Y, M, M, 0, ALPINE, .any_release = true},
    {"arch", "archlinux", U, Y, U, U, U, 262,
     "trunk/config of linux 5.10 in Arch's svntogit-packages: AMD_IOMMU=y",
     .advice = "Arch's kernel changes all the time; " PER_KERNEL, .any_release = true},
    {"amazonlinux2023", "al2023 amzn2023", U, U, U, U, U, 252, UNREAD,
     .advice = "Amazon Linux 2023 has several kernels; " PER_KERNEL, .newest_of = "amazonlinux"},
    {"nixos", "nixos-unstable", U, U, U, U, U, VIOMMU_UNSET, UNREAD,
     .advice = "the kernel of NixOS is what its configuration says; " PER_KERNEL, .any_release = true},
    {"windows", "win winxp winvista windowsserver windows-server mswindows", U, U, U, N, N, 0,
     "virtio-win/kvm-guest-drivers-windows has no driver of a virtio IOMMU",
     .advice =
         "Windows uses the IOMMU only where virtualization-based security or kernel DMA protection is on; viommud can neither check that nor verify such a guest",
     .any_release = true, .windows = true},
};

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = words; at && *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        if (n == length && strncmp(at, word, n) == 0)
            return true;
        at += n;
    }
    return false;
}

static const ViommuGuestOs *find_exactly(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_str_equal(known[i].name, name) || has_word(known[i].aliases, name) ||
            has_word(known[i].newest_of, name))
            return &known[i];
    return NULL;
}

/* How os-release(5), virt-builder and others write the names of distributions. */
static const struct {
    const char *written, *meant;
} spellings[] = {
    {"red-hat-enterprise-linux", "rhel"},
    {"centosstream", "centos-stream"},
    {"rocky-linux", "rocky"},
    {"rockylinux", "rocky"},
    {"alma", "almalinux"},
    {"oracle-linux-server", "ol"},
    {"oracle-linux", "ol"},
    {"fedora-linux", "fedora"},
    {"debian-gnu/linux", "debian"},
    {"suse-linux-enterprise-server", "sles"},
    {"amazon-linux", "amazonlinux"},
    {"alpine-linux", "alpine"},
};

/* Words behind a release that say nothing of its kernel: of distributions, of images, and of the
 * composes that test systems install ("RHEL-9.4.0-Nightly", "Ubuntu 24.04 LTS"). */
static const char *const idle_words[] = {
    "-unknown", "-latest", "-lts", "-nightly", "-updates", "-updated", "-beta", "-generic", "-server",
};

/* Removes a code name in parentheses and the words that say nothing from the end of @plain. */
static void drop_idle_words(GString *plain)
{
    const char *code_name = g_str_has_suffix(plain->str, ")") ? strstr(plain->str, "-(") : NULL;

    if (code_name)
        g_string_truncate(plain, (gsize)(code_name - plain->str));
    for (size_t i = 0; i < G_N_ELEMENTS(idle_words); i++)
        if (g_str_has_suffix(plain->str, idle_words[i])) {
            g_string_truncate(plain, plain->len - strlen(idle_words[i]));
            i = (size_t)-1;
        }
}

static void spell(GString *plain)
{
    for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
        size_t length = strlen(spellings[i].written);

        if (!g_str_has_prefix(plain->str, spellings[i].written) || g_ascii_isalpha(plain->str[length]))
            continue;
        g_string_erase(plain, 0, (gssize)length);
        g_string_prepend(plain, spellings[i].meant);
        return;
    }
}

/* @name in the spelling of the table.  Programs and people write a name in capitals, with a hyphen,
 * a blank or an underline before the release: "RHEL-9.4", "CentOS Stream 9", "SLES15-SP6"
 * ("sles15.6"). libosinfo and laboratories put a word in place of a release: "fedora-unknown",
 * "Fedora-latest". Owned. */
static char *plain_name(const char *name)
{
    GString *plain = g_string_new(NULL);

    for (const char *at = name; *at; at++) {
        size_t joint = strchr("-_ ", *at) ? 1 : 0;
        char last = plain->len > 0 ? plain->str[plain->len - 1] : 0;

        if (g_ascii_isdigit(last) && g_ascii_strncasecmp(at + joint, "sp", 2) == 0 &&
            g_ascii_isdigit(at[joint + 2])) {
            g_string_append_c(plain, '.');
            at += joint + 1;
        } else if (!joint || !g_ascii_isalpha(last) || !g_ascii_isdigit(at[1])) {
            g_string_append_c(plain, joint ? '-' : g_ascii_tolower(*at));
        }
    }
    drop_idle_words(plain);
    spell(plain);
    return g_string_free(plain, FALSE);
}

/* The row of the major release: "rhel9.0.2" has the row of "rhel9.0", and "rhel9.4" that of
 * "rhel9". */
static const ViommuGuestOs *find_major(const char *name)
{
    g_autofree char *shorter = g_strdup(name);
    const ViommuGuestOs *os = NULL;

    for (char *dot; !os && (dot = strrchr(shorter, '.'));) {
        /* A flavour follows the minor release: "rhel9.4-64k". */
        const char *end = dot + 1 + strspn(dot + 1, "0123456789");

        /* In Ubuntu's names the part after the first dot is not a minor release. */
        if (g_str_has_prefix(shorter, "ubuntu") && strchr(shorter, '.') == dot)
            return NULL;
        memmove(dot, end, strlen(end) + 1);
        os = find_exactly(shorter);
    }
    return os;
}

/* A row for all releases of "win2k22" or "nixos-24.05". */
static const ViommuGuestOs *find_any_release(const char *name)
{
    size_t n = strcspn(name, "0123456789");
    g_autofree char *bare = g_strndup(name, n > 0 && name[n - 1] == '-' ? n - 1 : n);
    const ViommuGuestOs *os = find_exactly(bare);

    return os && os->any_release ? os : NULL;
}

const ViommuGuestOs *viommu_guest_os_find(const char *name)
{
    g_autofree char *plain = plain_name(name);
    const ViommuGuestOs *os = find_exactly(plain);

    if (!os)
        os = find_major(plain);
    return os ? os : find_any_release(plain);
}

int viommu_guest_os_systemd(const char *name)
{
    const ViommuGuestOs *os = name ? viommu_guest_os_find(name) : NULL;

    return os ? os->systemd : VIOMMU_UNSET;
}

bool viommu_guest_os_is_newest(const ViommuGuestOs *os, const char *name)
{
    g_autofree char *plain = plain_name(name);

    return has_word(os->newest_of, plain);
}

const char *viommu_guest_os_nearest(const char *name)
{
    const char *names[G_N_ELEMENTS(known)];

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        names[i] = known[i].name;
    return viommu_nearest(name, names, G_N_ELEMENTS(names));
}

const ViommuGuestOs *viommu_guest_os_row(size_t index)
{
    return index < G_N_ELEMENTS(known) ? &known[index] : NULL;
}

ViommuDriver viommu_guest_os_driver(const ViommuGuestOs *os, ViommuArch arch, ViommuModel model)
{
    switch (model) {
    case VIOMMU_MODEL_INTEL:
        return os->intel;
    case VIOMMU_MODEL_AMD:
        return os->amd;
    case VIOMMU_MODEL_SMMUV3:
        return os->smmuv3;
    case VIOMMU_MODEL_VIRTIO:
        return arch == VIOMMU_ARCH_X86_64 ? os->virtio_x86_64 : os->virtio_aarch64;
    case VIOMMU_MODEL_NONE:
    case VIOMMU_MODEL_LAST:
        break;
    }
    return VIOMMU_DRIVER_UNKNOWN;
}

uint64_t viommu_guest_os_page_bytes(const ViommuGuestOs *os)
{
    return os->aarch64_page_kib * 1024u;
}

/* The kernel's names of the drivers, with the models that they drive. */
static const struct {
    const char *word;
    ViommuModel model;
} driver_words[] = {
    {"intel-iommu", VIOMMU_MODEL_INTEL},   {"intel_iommu", VIOMMU_MODEL_INTEL},
    {"arm-smmu-v3", VIOMMU_MODEL_SMMUV3},  {"arm_smmu_v3", VIOMMU_MODEL_SMMUV3},
    {"virtio-iommu", VIOMMU_MODEL_VIRTIO}, {"virtio_iommu", VIOMMU_MODEL_VIRTIO},
    {"amd-iommu", VIOMMU_MODEL_AMD},       {"amd_iommu", VIOMMU_MODEL_AMD},
};

int viommu_guest_os_driver_model(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(driver_words); i++)
        if (g_str_equal(driver_words[i].word, word))
            return (int)driver_words[i].model;
    return viommu_enum_from_string(&viommu_enum_model, word);
}
