/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json: reads a file as viommuctl does, then as a request and as a recorded host. */
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tools/client/request-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int file;
    g_autofree char *path = fuzz_file(data, size, &file);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tree = viommu_request_file_read(path, &error);

    close(file);
    fuzz_check_outcome(tree != NULL, error);
    if (!tree)
        return 0;
    fuzz_check(g_variant_is_of_type(tree, G_VARIANT_TYPE_VARDICT) && !g_variant_is_floating(tree));
    viommu_request_free(fuzz_request(tree));
    viommu_host_free(viommu_host_from_variant(tree, NULL));
    return 0;
}
