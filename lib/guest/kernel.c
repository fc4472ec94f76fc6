/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel: reads image headers and CONFIG_ lines.  Does not know what they are used for. */
#include "lib/guest/kernel.h"

#include <glib.h>
#include <string.h>

#define BZIMAGE_MAGIC_AT   0x202u
#define BZIMAGE_VERSION_AT 0x20eu /* 16 bits, relative to 0x200 */
#define ARM64_FLAGS_AT     24u    /* bits 1 and 2: the page size */
#define ARM64_MAGIC_AT     56u

static const char banner[] = "Linux version ";

static bool has_at(const uint8_t *bytes, size_t n, size_t at, const char *magic)
{
    return n >= at + strlen(magic) && memcmp(bytes + at, magic, strlen(magic)) == 0;
}

/* Takes the text at @at up to a blank, if it is a release. */
static bool take_release(ViommuKernel *kernel, const uint8_t *bytes, size_t n, size_t at)
{
    char release[sizeof(kernel->release)];
    size_t length = 0;
    ViommuVersion version;

    while (at + length < n && length < sizeof(release) - 1 && g_ascii_isgraph((char)bytes[at + length])) {
        release[length] = (char)bytes[at + length];
        length++;
    }
    release[length] = '\0';
    if (!viommu_version_parse(release, &version))
        return false;
    memcpy(kernel->release, release, length + 1);
    kernel->version = version;
    return true;
}

static bool read_bzimage(ViommuKernel *kernel, const uint8_t *bytes, size_t n)
{
    size_t offset;

    if (!has_at(bytes, n, BZIMAGE_MAGIC_AT, "HdrS") || n < BZIMAGE_VERSION_AT + 2)
        return false;
    offset = (size_t)(bytes[BZIMAGE_VERSION_AT] | bytes[BZIMAGE_VERSION_AT + 1] << 8);
    return offset > 0 && take_release(kernel, bytes, n, offset + 0x200);
}

/* The same words also occur elsewhere, as a format string; only in the banner a release follows. */
bool viommu_kernel_read_banner(ViommuKernel *kernel, const uint8_t *bytes, size_t n)
{
    const uint8_t *at = bytes, *end = bytes + n;

    while ((at = memmem(at, (size_t)(end - at), banner, strlen(banner)))) {
        at += strlen(banner);
        if (take_release(kernel, bytes, n, (size_t)(at - bytes)))
            return true;
    }
    return false;
}

bool viommu_kernel_is_arm64(const uint8_t *bytes, size_t n)
{
    return has_at(bytes, n, ARM64_MAGIC_AT, "ARMd");
}

static const struct {
    const char *option;
    uint64_t bytes;
} page_sizes[] = {
    {NULL, 0}, /* not set in the configuration */
    {"CONFIG_ARM64_4K_PAGES=y", 4096},
    {"CONFIG_ARM64_16K_PAGES=y", 16384},
    {"CONFIG_ARM64_64K_PAGES=y", 65536},
};

void viommu_kernel_read_page_size(ViommuKernel *kernel, const uint8_t *bytes, size_t n)
{
    size_t code = viommu_kernel_is_arm64(bytes, n) ? bytes[ARM64_FLAGS_AT] >> 1 & 3 : 0;

    if (code > 0)
        kernel->page_bytes = page_sizes[code].bytes;
}

bool viommu_kernel_read_image(ViommuKernel *kernel, const uint8_t *bytes, size_t n)
{
    return read_bzimage(kernel, bytes, n) ||
           (viommu_kernel_is_arm64(bytes, n) && viommu_kernel_read_banner(kernel, bytes, n));
}

typedef enum Option {
    OPTION_INTEL,
    OPTION_INTEL_ON,
    OPTION_INTEL_ON_BUT_GRAPHICS, /* Debian's own */
    OPTION_AMD,
    OPTION_SMMUV3,
    OPTION_VIRTIO,
    OPTION_VIOT,
    OPTION_LAST,
} Option;

static const char *const options[] = {
    [OPTION_INTEL] = "CONFIG_INTEL_IOMMU=",
    [OPTION_INTEL_ON] = "CONFIG_INTEL_IOMMU_DEFAULT_ON=",
    [OPTION_INTEL_ON_BUT_GRAPHICS] = "CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=",
    [OPTION_AMD] = "CONFIG_AMD_IOMMU=",
    [OPTION_SMMUV3] = "CONFIG_ARM_SMMU_V3=",
    [OPTION_VIRTIO] = "CONFIG_VIRTIO_IOMMU=",
    [OPTION_VIOT] = "CONFIG_ACPI_VIOT=",
};
G_STATIC_ASSERT(G_N_ELEMENTS(options) == OPTION_LAST);

static ViommuDriver as_driver(char value)
{
    return value == 'y' ? VIOMMU_DRIVER_YES : value == 'm' ? VIOMMU_DRIVER_MODULE : VIOMMU_DRIVER_NO;
}

static void note_page_size(ViommuKernel *kernel, const char *line, size_t length)
{
    for (size_t i = 1; i < G_N_ELEMENTS(page_sizes); i++)
        if (length == strlen(page_sizes[i].option) && memcmp(line, page_sizes[i].option, length) == 0)
            kernel->page_bytes = page_sizes[i].bytes;
}

static void note_line(const char *line, size_t length, char values[OPTION_LAST])
{
    for (size_t i = 0; i < OPTION_LAST; i++) {
        size_t n = strlen(options[i]);

        if (length > n && memcmp(line, options[i], n) == 0)
            values[i] = line[n];
    }
}

bool viommu_kernel_read_config(ViommuKernel *kernel, const char *text, size_t n)
{
    static const char prefix[] = "CONFIG_";
    char values[OPTION_LAST] = {0};
    bool found = false;

    for (const char *line = text, *end = text + n; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((newline ? newline : end) - line);

        if (length > strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0) {
            found = true;
            note_line(line, length, values);
            note_page_size(kernel, line, length);
        }
        line += length + 1;
    }
    if (!found)
        return false;
    kernel->configured = true;
    kernel->drivers[VIOMMU_MODEL_INTEL] = as_driver(values[OPTION_INTEL]);
    if (values[OPTION_INTEL] == 'y' && values[OPTION_INTEL_ON] != 'y' &&
        values[OPTION_INTEL_ON_BUT_GRAPHICS] != 'y')
        kernel->drivers[VIOMMU_MODEL_INTEL] = VIOMMU_DRIVER_OFF;
    kernel->drivers[VIOMMU_MODEL_AMD] = as_driver(values[OPTION_AMD]);
    kernel->drivers[VIOMMU_MODEL_SMMUV3] = as_driver(values[OPTION_SMMUV3]);
    /* Under libvirt ACPI always describes it. */
    kernel->drivers[VIOMMU_MODEL_VIRTIO] =
        values[OPTION_VIOT] == 'y' ? as_driver(values[OPTION_VIRTIO]) : VIOMMU_DRIVER_NO;
    return true;
}

/* --- Between processes --- */

GVariant *viommu_kernel_to_variant(const ViommuKernel *kernel)
{
    GVariantBuilder drivers;

    g_variant_builder_init(&drivers, G_VARIANT_TYPE("ai"));
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        g_variant_builder_add(&drivers, "i", (gint32)kernel->drivers[model]);
    return g_variant_new("(stb@ait)", kernel->release, kernel->version, kernel->configured,
                         g_variant_builder_end(&drivers), kernel->page_bytes);
}

static bool is_page_size(uint64_t bytes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(page_sizes); i++)
        if (page_sizes[i].bytes == bytes)
            return true;
    return false;
}

bool viommu_kernel_from_variant(GVariant *value, ViommuKernel *kernel)
{
    g_autoptr(GVariant) drivers = NULL;
    ViommuKernel read = {.configured = false};
    const char *release;
    gboolean configured;

    if (!g_variant_is_of_type(value, G_VARIANT_TYPE(VIOMMU_KERNEL_TYPE)))
        return false;
    g_variant_get(value, "(&stb@ait)", &release, &read.version, &configured, &drivers, &read.page_bytes);
    if (g_strlcpy(read.release, release, sizeof(read.release)) >= sizeof(read.release) ||
        g_variant_n_children(drivers) != VIOMMU_MODEL_LAST)
        return false;
    for (const char *at = release; *at; at++)
        if (!g_ascii_isgraph(*at))
            return false;
    if (!is_page_size(read.page_bytes))
        return false;
    read.configured = configured;
    for (gsize model = 0; model < VIOMMU_MODEL_LAST; model++) {
        gint32 driver;

        g_variant_get_child(drivers, model, "i", &driver);
        if (driver < 0 || driver >= VIOMMU_DRIVER_LAST)
            return false;
        read.drivers[model] = (ViommuDriver)driver;
    }
    *kernel = read;
    return true;
}
