/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl facts: prints the table of facts with its sources, and what this host's libvirt
 * reports. */
#include "lib/base/quantity.h"
#include "lib/facts/guest-os.h"
#include "lib/host/host.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/local-host.h"

static const char *const fact_titles[] = {"FACT",   "LIBVIRT", "QEMU",   "LINUX", "HOST LINUX",
                                          "X86_64", "AARCH64", "SOURCE", NULL};
/* The columns of what libvirt reports. */
enum {
    COLUMN_X86_64 = 5,
    COLUMN_AARCH64
};

static const char *const guest_titles[] = {
    "GUEST",          "INTEL",        "AMD",  "SMMUV3", "VIRTIO X86_64",
    "VIRTIO AARCH64", "PAGE AARCH64", "ALSO", "SOURCE", NULL};

/* The words for a driver, also in JSON. */
static const char *const driver_words[] = {
    [VIOMMU_DRIVER_UNKNOWN] = "unknown", [VIOMMU_DRIVER_YES] = "yes", [VIOMMU_DRIVER_OFF] = "off",
    [VIOMMU_DRIVER_MODULE] = "module",   [VIOMMU_DRIVER_NO] = "no",
};
G_STATIC_ASSERT(G_N_ELEMENTS(driver_words) == VIOMMU_DRIVER_LAST);

/* The drivers of a row, in the order of guest_titles. */
static const struct {
    const char *key;
    ViommuArch arch;
    ViommuModel model;
} guest_columns[] = {
    {"intel", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_INTEL},
    {"amd", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_AMD},
    {"smmuv3", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_SMMUV3},
    {"virtio-x86_64", VIOMMU_ARCH_X86_64, VIOMMU_MODEL_VIRTIO},
    {"virtio-aarch64", VIOMMU_ARCH_AARCH64, VIOMMU_MODEL_VIRTIO},
};

/* NULL: libvirt was not asked or does not know; "yes!" and "no!": it contradicts the table. */
static const char *observed(const ViommuHost *host, ViommuArch arch, ViommuFactId fact)
{
    const ViommuEmulator *emulator = host ? viommu_host_emulator(host, arch) : NULL;
    uint64_t bit = VIOMMU_BIT(fact);
    bool table;

    if (!emulator || !((emulator->accepts | emulator->refuses) & bit))
        return NULL;
    table = viommu_fact_holds(fact, host->libvirt, emulator->qemu);
    if (emulator->accepts & bit)
        return table ? "yes" : "yes!";
    return table ? "no!" : "no";
}

static char *least(ViommuVersion version)
{
    return version ? viommu_version_format_short(version) : NULL;
}

static unsigned print_facts(const ViommuCtl *ctl, const ViommuHost *host)
{
    g_autoptr(ViommuTable) table = viommu_table_new(fact_titles, 0);
    unsigned contradictions = 0;

    for (int i = 0; i < VIOMMU_FACT_LAST; i++) {
        const ViommuFact *fact = viommu_fact((ViommuFactId)i);
        g_autofree char *libvirt = least(fact->libvirt), *qemu = least(fact->qemu),
                        *kernel = least(fact->guest_kernel), *host_kernel = least(fact->host_kernel);
        const char *x86 = observed(host, VIOMMU_ARCH_X86_64, (ViommuFactId)i);
        const char *arm = observed(host, VIOMMU_ARCH_AARCH64, (ViommuFactId)i);
        const char *cells[] = {viommu_enum_to_string(&viommu_enum_fact, i),
                               libvirt,
                               qemu,
                               kernel,
                               host_kernel,
                               x86,
                               arm,
                               fact->source};
        bool x86_wrong = x86 && g_str_has_suffix(x86, "!"), arm_wrong = arm && g_str_has_suffix(arm, "!");

        contradictions += x86_wrong + arm_wrong;
        viommu_table_add(table, cells,
                         x86_wrong   ? COLUMN_X86_64
                         : arm_wrong ? COLUMN_AARCH64
                                     : -1,
                         VIOMMU_STYLE_BAD);
    }
    viommu_table_print(table, &ctl->output);
    return contradictions;
}

/* NULL: not known. */
static char *page_size(const ViommuGuestOs *os)
{
    uint64_t bytes = viommu_guest_os_page_bytes(os);

    return bytes ? viommu_quantity_format(bytes) : NULL;
}

/* NULL: it has no others. */
static char *other_names(const ViommuGuestOs *os)
{
    if (os->aliases && os->newest_of)
        return g_strdup_printf("%s %s", os->newest_of, os->aliases);
    return g_strdup(os->aliases ? os->aliases : os->newest_of);
}

static void print_guests(const ViommuCtl *ctl)
{
    g_autoptr(ViommuTable) table = viommu_table_new(guest_titles, 0);
    const ViommuGuestOs *os;

    for (size_t i = 0; (os = viommu_guest_os_row(i)); i++) {
        const char *cells[G_N_ELEMENTS(guest_columns) + 4] = {os->name};
        g_autofree char *page = page_size(os), *also = other_names(os);

        for (size_t j = 0; j < G_N_ELEMENTS(guest_columns); j++)
            cells[j + 1] =
                driver_words[viommu_guest_os_driver(os, guest_columns[j].arch, guest_columns[j].model)];
        cells[G_N_ELEMENTS(cells) - 3] = page;
        cells[G_N_ELEMENTS(cells) - 2] = also;
        cells[G_N_ELEMENTS(cells) - 1] = os->source;
        viommu_table_add(table, cells, -1, VIOMMU_STYLE_PLAIN);
    }
    viommu_table_print(table, &ctl->output);
}

static void add_text(GVariantBuilder *builder, const char *key, const char *text)
{
    if (text)
        g_variant_builder_add(builder, "{sv}", key, g_variant_new_string(text));
}

static GVariant *facts_tree(const ViommuHost *host)
{
    GVariantBuilder all;

    g_variant_builder_init(&all, G_VARIANT_TYPE("aa{sv}"));
    for (int i = 0; i < VIOMMU_FACT_LAST; i++) {
        const ViommuFact *fact = viommu_fact((ViommuFactId)i);
        g_autofree char *libvirt = least(fact->libvirt), *qemu = least(fact->qemu),
                        *kernel = least(fact->guest_kernel), *host_kernel = least(fact->host_kernel);
        GVariantBuilder row;

        g_variant_builder_init(&row, G_VARIANT_TYPE_VARDICT);
        add_text(&row, "fact", viommu_enum_to_string(&viommu_enum_fact, i));
        add_text(&row, "what", fact->what);
        add_text(&row, "libvirt", libvirt);
        add_text(&row, "qemu", qemu);
        add_text(&row, "linux", kernel);
        add_text(&row, "host-linux", host_kernel);
        for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++) {
            const char *word = observed(host, (ViommuArch)arch, (ViommuFactId)i);
            g_autofree char *key = g_strdup_printf("%s-contradicts", viommu_arch_to_string((ViommuArch)arch));

            if (!word)
                continue;
            g_variant_builder_add(&row, "{sv}", viommu_arch_to_string((ViommuArch)arch),
                                  g_variant_new_boolean(word[0] == 'y'));
            if (g_str_has_suffix(word, "!"))
                g_variant_builder_add(&row, "{sv}", key, g_variant_new_boolean(TRUE));
        }
        add_text(&row, "source", fact->source);
        g_variant_builder_add_value(&all, g_variant_builder_end(&row));
    }
    return g_variant_builder_end(&all);
}

static GVariant *guests_tree(void)
{
    const ViommuGuestOs *os;
    GVariantBuilder all;

    g_variant_builder_init(&all, G_VARIANT_TYPE("aa{sv}"));
    for (size_t i = 0; (os = viommu_guest_os_row(i)); i++) {
        g_autofree char *page = page_size(os);
        GVariantBuilder row;

        g_variant_builder_init(&row, G_VARIANT_TYPE_VARDICT);
        add_text(&row, "guest", os->name);
        add_text(&row, "aliases", os->aliases);
        add_text(&row, "newest-of", os->newest_of);
        add_text(&row, "advice", os->advice);
        for (size_t j = 0; j < G_N_ELEMENTS(guest_columns); j++)
            add_text(&row, guest_columns[j].key,
                     driver_words[viommu_guest_os_driver(os, guest_columns[j].arch, guest_columns[j].model)]);
        add_text(&row, "page-aarch64", page);
        add_text(&row, "source", os->source);
        g_variant_builder_add_value(&all, g_variant_builder_end(&row));
    }
    return g_variant_builder_end(&all);
}

bool viommu_ctl_facts(ViommuCtl *ctl, GError **error)
{
    g_autoptr(GError) why_not = NULL;
    g_autoptr(ViommuHost) host = viommu_local_host(ctl, NULL, &why_not);
    unsigned contradictions;

    /* The table needs no host, but the recorded host of --host must exist. */
    if (!host && ctl->host) {
        g_propagate_error(error, g_steal_pointer(&why_not));
        return false;
    }
    if (!host)
        viommu_output_warning(&ctl->output, why_not->message);
    if (ctl->output.json) {
        GVariantBuilder both;

        g_variant_builder_init(&both, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&both, "{sv}", "facts", facts_tree(host));
        g_variant_builder_add(&both, "{sv}", "guests", guests_tree());
        viommu_output_json(g_variant_builder_end(&both));
        return true;
    }
    contradictions = print_facts(ctl, host);
    viommu_output_text(&ctl->output, VIOMMU_STYLE_PLAIN, "\n");
    print_guests(ctl);
    if (contradictions > 0)
        viommu_output_warning(
            &ctl->output,
            "a '!' marks where libvirt contradicts the table; libvirt's report counts. Please report it with the output of \"viommuctl host --json\"");
    return true;
}
