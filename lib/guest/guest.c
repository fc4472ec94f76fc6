/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest: weighs what the request claims against what was read.  The command line comes first,
 * because it can switch off anything; then the kernel's own configuration, then guest.drivers,
 * guest.kernel and guest.os. */
#include "lib/guest/guest.h"

#include <string.h>
#include "lib/facts/facts.h"
#include "lib/base/cmdline.h"
#include "lib/guest/off-words.h"

static const char waking_word[] = "intel_iommu=on";

static ViommuVersion least_kernel(ViommuArch arch, ViommuModel model)
{
    static const ViommuFactId rows[VIOMMU_MODEL_LAST] = {VIOMMU_FACT_INTEL, VIOMMU_FACT_SMMUV3,
                                                         VIOMMU_FACT_VIRTIO_X86_64, VIOMMU_FACT_AMD};

    if (model == VIOMMU_MODEL_VIRTIO && arch == VIOMMU_ARCH_AARCH64)
        return viommu_fact(VIOMMU_FACT_VIRTIO_AARCH64)->guest_kernel;
    return viommu_fact(rows[model])->guest_kernel;
}

static bool listed(char **drivers, ViommuModel model)
{
    for (char **word = drivers; *word; word++)
        if (viommu_guest_os_driver_model(*word) == (int)model)
            return true;
    return false;
}

/* Whether the driver of @model may be a module, which a blacklist keeps out; true if nothing is
 * known of it. */
static bool may_be_module(const ViommuGuest *guest, ViommuArch arch, ViommuModel model)
{
    const char *os = guest->request->guest.os;
    const ViommuGuestOs *row = os ? viommu_guest_os_find(os) : NULL;

    if (guest->kernel && guest->kernel->configured)
        return guest->kernel->drivers[model] == VIOMMU_DRIVER_MODULE;
    return !row || viommu_guest_os_driver(row, arch, model) == VIOMMU_DRIVER_MODULE;
}

static bool is_told_by_acpi(const ViommuGuest *guest, ViommuArch arch, ViommuModel model)
{
    return arch == VIOMMU_ARCH_X86_64 || model == VIOMMU_MODEL_VIRTIO || guest->by_acpi;
}

static const char *off_word(const ViommuGuest *guest, ViommuArch arch, ViommuModel model, unsigned effects)
{
    const ViommuOffQuestion question = {
        .cmdline = guest->request->boot.cmdline,
        .arch = arch,
        .model = model,
        .effects = effects,
        .by_acpi = is_told_by_acpi(guest, arch, model),
        .may_be_module = may_be_module(guest, arch, model),
    };

    return viommu_off_word(&question);
}

const char *viommu_guest_remapping_off(const ViommuGuest *guest, ViommuArch arch, ViommuModel model)
{
    return off_word(guest, arch, model, VIOMMU_OFF_INTERRUPTS);
}

const char *viommu_guest_many_cpus_off(const ViommuGuest *guest, ViommuArch arch, ViommuModel model)
{
    return off_word(guest, arch, model, VIOMMU_OFF_MANY_CPUS);
}

/* --- What was read --- */

static ViommuDriver from_config(const ViommuGuest *guest, ViommuModel model, char **ret_why)
{
    ViommuDriver driver = guest->kernel->drivers[model];
    char **claimed = guest->request->guest.drivers;
    const char *name = viommu_model_to_string(model);

    switch (driver) {
    case VIOMMU_DRIVER_YES:
        *ret_why = g_strdup_printf("the configuration of boot.kernel has the driver for '%s'", name);
        break;
    case VIOMMU_DRIVER_OFF:
        *ret_why = g_strdup_printf(
            "the configuration of boot.kernel leaves '%s' off unless its command line has '%s'", name,
            waking_word);
        break;
    case VIOMMU_DRIVER_MODULE:
        /* Only the caller knows whether the initramfs has the module. */
        if (claimed && listed(claimed, model)) {
            *ret_why = g_strdup_printf(
                "the driver for '%s' is a module of boot.kernel, and guest.drivers names it", name);
            return VIOMMU_DRIVER_YES;
        }
        *ret_why = g_strdup_printf(
            "the driver for '%s' is a module of boot.kernel: unless the initramfs has it, the guest finds no PCI devices, not even its root disk; if the initramfs has it, name it in guest.drivers",
            name);
        break;
    case VIOMMU_DRIVER_NO:
        *ret_why = g_strdup_printf("the configuration of boot.kernel has no driver for '%s'", name);
        break;
    case VIOMMU_DRIVER_UNKNOWN:
    case VIOMMU_DRIVER_LAST:
        break;
    }
    return driver;
}

/* --- What is claimed --- */

static ViommuDriver from_version(ViommuVersion version, const char *whose, ViommuVersion least,
                                 ViommuModel model, char **ret_why)
{
    g_autofree char *needs = viommu_version_format_short(least);
    g_autofree char *has = viommu_version_format_short(version);

    *ret_why = g_strdup_printf("the guest's driver for '%s' needs Linux %s or newer, but %s is '%s'",
                               viommu_model_to_string(model), needs, whose, has);
    return VIOMMU_DRIVER_NO;
}

static ViommuDriver from_os(const ViommuGuest *guest, ViommuArch arch, ViommuModel model, char **ret_why)
{
    const char *os = guest->request->guest.os, *name = viommu_model_to_string(model);
    const ViommuGuestOs *row = os ? viommu_guest_os_find(os) : NULL;
    ViommuDriver driver = row ? viommu_guest_os_driver(row, arch, model) : VIOMMU_DRIVER_UNKNOWN;

    switch (driver) {
    case VIOMMU_DRIVER_NO:
        *ret_why =
            g_strdup_printf("%sguest.os '%s' has no driver for '%s' on %s",
                            row->windows ? "" : "the kernel of ", os, name, viommu_arch_to_string(arch));
        break;
    case VIOMMU_DRIVER_OFF:
        *ret_why = g_strdup_printf(
            "the kernel of guest.os '%s' leaves '%s' off unless its command line has '%s'; if it has, name '%s' in guest.drivers",
            os, name, waking_word, name);
        break;
    case VIOMMU_DRIVER_MODULE:
        *ret_why = g_strdup_printf(
            "the driver for '%s' is a module that the stock initramfs of guest.os '%s' lacks: without it the guest finds no PCI devices, not even its root disk",
            name, os);
        break;
    case VIOMMU_DRIVER_YES:
        *ret_why = g_strdup_printf("the kernel of guest.os '%s' drives '%s'", os, name);
        break;
    case VIOMMU_DRIVER_UNKNOWN:
    case VIOMMU_DRIVER_LAST:
        break;
    }
    return driver;
}

static ViommuDriver from_claims(const ViommuGuest *guest, ViommuArch arch, ViommuModel model, char **ret_why)
{
    const ViommuRequest *request = guest->request;
    ViommuVersion least = least_kernel(arch, model);

    if (guest->kernel && guest->kernel->version && guest->kernel->version < least)
        return from_version(guest->kernel->version, "boot.kernel", least, model, ret_why);
    /* The caller's knowledge of the guest outranks the table of distributions. */
    if (request->guest.drivers) {
        bool has = listed(request->guest.drivers, model);

        *ret_why = g_strdup_printf("guest.drivers %s '%s'", has ? "names" : "does not name",
                                   viommu_model_to_string(model));
        return has ? VIOMMU_DRIVER_YES : VIOMMU_DRIVER_NO;
    }
    if (request->guest.kernel && !(guest->kernel && guest->kernel->version) && request->guest.kernel < least)
        return from_version(request->guest.kernel, "guest.kernel", least, model, ret_why);
    return from_os(guest, arch, model, ret_why);
}

/* The kernel's driver, without regard to the command line. */
static ViommuDriver kernel_driver(const ViommuGuest *guest, ViommuArch arch, ViommuModel model,
                                  char **ret_why)
{
    *ret_why = NULL;
    return guest->kernel && guest->kernel->configured ? from_config(guest, model, ret_why)
                                                      : from_claims(guest, arch, model, ret_why);
}

static bool is_awake(const ViommuGuest *guest)
{
    return viommu_cmdline_at(guest->request->boot.cmdline, waking_word) > 0;
}

ViommuDriver viommu_guest_driver(const ViommuGuest *guest, ViommuArch arch, ViommuModel model, char **ret_why)
{
    const char *asleep = off_word(guest, arch, model, VIOMMU_OFF_DMA);
    ViommuDriver driver;

    *ret_why = NULL;
    if (asleep) {
        *ret_why = g_strdup_printf("boot.cmdline has '%s', which disables '%s' in the guest", asleep,
                                   viommu_model_to_string(model));
        return VIOMMU_DRIVER_NO;
    }
    driver = kernel_driver(guest, arch, model, ret_why);
    if (model != VIOMMU_MODEL_INTEL || (driver != VIOMMU_DRIVER_OFF && driver != VIOMMU_DRIVER_UNKNOWN))
        return driver;
    if (is_awake(guest)) {
        g_free(*ret_why);
        *ret_why = g_strdup_printf("boot.cmdline has '%s'", waking_word);
        return VIOMMU_DRIVER_YES;
    }
    if (viommu_guest_missing_words(guest, arch, model)) {
        g_free(*ret_why);
        *ret_why = g_strdup_printf("viommud adds '%s' to the command line, as boot.extend-cmdline allows",
                                   waking_word);
        return VIOMMU_DRIVER_YES;
    }
    return driver;
}

ViommuDriver viommu_guest_remapper(const ViommuGuest *guest, ViommuArch arch, ViommuModel model,
                                   char **ret_why)
{
    ViommuDriver driver = kernel_driver(guest, arch, model, ret_why);

    /* Linux sets up interrupt remapping before it decides whether to translate DMA. */
    return driver == VIOMMU_DRIVER_OFF ? VIOMMU_DRIVER_YES : driver;
}

const char *viommu_guest_missing_words(const ViommuGuest *guest, ViommuArch arch, ViommuModel model)
{
    const ViommuRequest *request = guest->request;
    g_autofree char *why = NULL;
    ViommuDriver driver;

    if (model != VIOMMU_MODEL_INTEL || !request->boot.kernel.path || request->boot.extend_cmdline != 1 ||
        is_awake(guest))
        return NULL;
    driver = kernel_driver(guest, arch, model, &why);
    /* If nothing is known of the kernel, the words do no harm. */
    return driver == VIOMMU_DRIVER_OFF || driver == VIOMMU_DRIVER_UNKNOWN ? waking_word : NULL;
}

uint64_t viommu_guest_page_bytes(const ViommuGuest *guest, ViommuArch arch)
{
    const ViommuGuestOs *row =
        guest->request->guest.os ? viommu_guest_os_find(guest->request->guest.os) : NULL;

    if (arch == VIOMMU_ARCH_X86_64)
        return VIOMMU_X86_PAGE_BYTES;
    if (guest->kernel && guest->kernel->page_bytes)
        return guest->kernel->page_bytes;
    /* A distribution's kernel with other pages has a name of its own ("rhel9-64k"). */
    return row ? viommu_guest_os_page_bytes(row) : 0;
}

bool viommu_guest_is_windows(const ViommuGuest *guest)
{
    const ViommuGuestOs *row =
        guest->request->guest.os ? viommu_guest_os_find(guest->request->guest.os) : NULL;

    return row && row->windows;
}

/* --- Contradictions --- */

static void compare_versions(const ViommuGuest *guest, GPtrArray *warnings)
{
    ViommuVersion claimed = guest->request->guest.kernel, read = guest->kernel->version;
    g_autofree char *text = NULL;

    /* A claim seldom gives the patch level. */
    if (!claimed || !read || claimed / 1000 == read / 1000)
        return;
    text = viommu_version_format_short(claimed);
    g_ptr_array_add(
        warnings,
        g_strdup_printf("guest.kernel is '%s', but boot.kernel is Linux %s; viommud goes by boot.kernel",
                        text, guest->kernel->release));
}

static bool is_there(ViommuDriver driver)
{
    return driver == VIOMMU_DRIVER_YES || driver == VIOMMU_DRIVER_OFF || driver == VIOMMU_DRIVER_MODULE;
}

/* The version has been compared already. */
static ViommuDriver claimed_driver(const ViommuGuest *guest, ViommuArch arch, ViommuModel model,
                                   char **ret_why)
{
    char **drivers = guest->request->guest.drivers;

    *ret_why = NULL;
    if (!drivers)
        return from_os(guest, arch, model, ret_why);
    /* guest.drivers may leave out a driver that its writer does not need; this is no
     * contradiction. */
    if (!listed(drivers, model))
        return VIOMMU_DRIVER_UNKNOWN;
    *ret_why = g_strdup_printf("guest.drivers names '%s'", viommu_model_to_string(model));
    return VIOMMU_DRIVER_YES;
}

/* Models of the other architecture do not matter to this guest. */
static bool is_of(ViommuArch arch, ViommuModel model)
{
    return model == VIOMMU_MODEL_VIRTIO || (model == VIOMMU_MODEL_SMMUV3) == (arch == VIOMMU_ARCH_AARCH64);
}

void viommu_guest_contradictions(const ViommuGuest *guest, ViommuArch arch, GPtrArray *warnings)
{
    if (!guest->kernel)
        return;
    compare_versions(guest, warnings);
    for (int i = 0; guest->kernel->configured && i < VIOMMU_MODEL_LAST; i++) {
        g_autofree char *claim = NULL;
        ViommuDriver claimed = claimed_driver(guest, arch, (ViommuModel)i, &claim);

        if (claimed != VIOMMU_DRIVER_UNKNOWN && is_of(arch, (ViommuModel)i) &&
            is_there(claimed) != is_there(guest->kernel->drivers[i]))
            g_ptr_array_add(
                warnings,
                g_strdup_printf(
                    "%s, but the configuration of boot.kernel contradicts that; viommud goes by boot.kernel",
                    claim));
    }
}
