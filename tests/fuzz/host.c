/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host: reads a recorded host; an accepted one is recorded the same again, and is planned on. */
#include "tests/fuzz/fuzz.h"

static void plan_on(const ViommuHost *host, const char *text)
{
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = fuzz_request(tree);

    fuzz_check(request);
    fuzz_plan(request, host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const requests[] = {
        "{'iommu': <{'model': <'.*'>}>}",
        "{'arch': <'x86_64'>, 'vcpus': <300>, 'iommu': <{'is-supported': <true>}>,"
        " 'memory-backing': <{'locked': <true>, 'page-size': <'4 KiB'>}>, 'memory': <'2 GiB'>}",
        "{'arch': <'aarch64'>, 'iommu': <{'model': <['smmuv3', 'virtio']>}>, 'boot': <{'firmware': "
        "<'efi'>}>}",
    };
    g_autoptr(GVariant) tree = fuzz_tree(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = tree ? viommu_host_from_variant(tree, &error) : NULL;

    if (tree)
        fuzz_check_outcome(host != NULL, error);
    if (!host)
        return 0;
    fuzz_host(host);
    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++)
        plan_on(host, requests[i]);
    return 0;
}
