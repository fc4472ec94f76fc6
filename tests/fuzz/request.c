/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request: takes a tree as the bus delivers it through every step to the domain's XML, on recorded
 * hosts. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hosts[] = {
        "bookworm.json", "bullseye.json", "arm-server.json", "stonking.json",
        /* Hosts with devices behind one IOMMU, behind several, and on several nodes. */
        "machine-server-two-sockets.json", "machine-server-bookworm.json", "machine-desktop-intel.json",
        "machine-laptop.json", "machine-server-arm.json", "machine-server-amd.json", "session-raised.json"};
    g_autoptr(GVariant) tree = fuzz_tree(data, size);
    g_autoptr(ViommuRequest) request = tree ? fuzz_request(tree) : NULL;

    for (size_t i = 0; request && i < G_N_ELEMENTS(hosts); i++)
        fuzz_plan(request, fuzz_known_host(hosts[i]));
    return 0;
}
