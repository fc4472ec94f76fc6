/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel: reads a kernel's image, a piece of one, its configuration, and the result of another
 * process. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include "lib/guest/kernel.h"

static void check_kernel(const ViommuKernel *kernel)
{
    ViommuKernel again = {0};
    g_autoptr(GVariant) value = g_variant_ref_sink(viommu_kernel_to_variant(kernel));

    fuzz_check(strlen(kernel->release) < sizeof(kernel->release) && g_str_is_ascii(kernel->release));
    fuzz_check(viommu_kernel_from_variant(value, &again));
    fuzz_check_same(kernel->release, again.release);
    fuzz_check(kernel->version == again.version && kernel->configured == again.configured &&
               kernel->page_bytes == again.page_bytes);
    fuzz_check(memcmp(kernel->drivers, again.drivers, sizeof(again.drivers)) == 0);
}

static void read_variant(const uint8_t *data, size_t size)
{
    g_autoptr(GVariant) raw = g_variant_ref_sink(
        g_variant_new_from_data(G_VARIANT_TYPE(VIOMMU_KERNEL_TYPE), data, size, FALSE, NULL, NULL));
    g_autoptr(GVariant) value = g_variant_get_normal_form(raw);
    ViommuKernel kernel = {0};

    if (viommu_kernel_from_variant(value, &kernel))
        check_kernel(&kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ViommuKernel image = {0}, banner = {0}, config = {0};

    viommu_kernel_read_page_size(&image, data, size);
    if (viommu_kernel_read_image(&image, data, size))
        check_kernel(&image);
    (void)viommu_kernel_is_arm64(data, size);
    if (viommu_kernel_read_banner(&banner, data, size))
        check_kernel(&banner);
    if (viommu_kernel_read_config(&config, (const char *)data, size)) {
        fuzz_check(config.configured);
        check_kernel(&config);
    }
    read_variant(data, size);
    return 0;
}
