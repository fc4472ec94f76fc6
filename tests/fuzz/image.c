/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image: reads the header of an untrusted disk image. */
#include "lib/domain/qcow2-header.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const char *name)
{
    static const char *const directories[] = {"/images", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;

    if (!name)
        return;
    fuzz_check(g_utf8_validate(name, -1, NULL));
    path = viommu_image_resolve("/images/over.qcow2", name, &error);
    fuzz_check_outcome(path != NULL, error);
    if (path)
        fuzz_check(path[0] == '/' && !viommu_image_goes_up(path));
    fuzz_check(!path || !viommu_image_is_inside(path, directories) || g_str_has_prefix(path, "/images/"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(ViommuImage) image = {NULL, NULL, false, NULL};
    g_autoptr(GError) error = NULL;
    bool accepted = viommu_image_read_qcow2(data, MIN(size, VIOMMU_IMAGE_HEADER_BYTES), &image, &error);

    fuzz_check_outcome(accepted, error);
    check_name(image.backing);
    check_name(image.data_file);
    return 0;
}
