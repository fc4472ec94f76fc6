/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caps: reads libvirt's capabilities and domain capabilities, and plans on the host that they
 * give. */
#include "lib/host/caps.h"
#include "tests/fuzz/fuzz.h"

static void plan_on(const ViommuHost *host)
{
    g_autoptr(GVariant) tree =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, "{'iommu': <{'model': <'.*'>}>}", NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);

    fuzz_check(request);
    fuzz_plan(request, host);
}

static void read_domain(ViommuEmulator *emulator, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *machine = NULL;
    bool accepted = viommu_caps_read_domain(emulator, text, &machine, &error);

    fuzz_check_outcome(accepted, error);
    fuzz_check(accepted || !machine);
    if (machine)
        viommu_caps_machine_version(machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = fuzz_text(data, size);
    g_autoptr(ViommuHost) host = viommu_host_new();
    g_autoptr(GError) error = NULL;
    bool accepted = viommu_caps_read(host, text, &error);

    fuzz_check_outcome(accepted, error);
    host->libvirt = VIOMMU_VERSION_OF(9, 0, 0);
    if (accepted)
        plan_on(host);
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++) {
        ViommuEmulator *emulator = viommu_host_add_emulator(host);

        emulator->arch = arch;
        emulator->arch_name = g_strdup(viommu_arch_to_string((ViommuArch)arch));
        read_domain(emulator, text);
    }
    g_variant_unref(g_variant_ref_sink(viommu_host_to_variant(host)));
    return 0;
}
