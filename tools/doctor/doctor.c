/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/doctor.h"

#include <grp.h>
#include <string.h>
#include "daemon/files/unix-user.h"
#include "lib/host/proc-limits.h"
#include "lib/base/quantity.h"
#include "lib/host/sysroot.h"
#include "lib/host/topology.h"
#include "tools/doctor/internal.h"

static const char *const healths[] = {"ok", "warning", "problem"};
G_STATIC_ASSERT(G_N_ELEMENTS(healths) == VIOMMU_HEALTH_LAST);
const ViommuEnum viommu_enum_health = {"verdict", healths, VIOMMU_HEALTH_LAST};

static void free_finding(void *data)
{
    ViommuFinding *finding = data;

    g_free(finding->found);
    g_free(finding->advice);
    g_free(finding);
}

void viommu_examination_tell(ViommuExamination *examination, ViommuHealth health, char *advice,
                             const char *format, ...)
{
    ViommuFinding *finding = g_new0(ViommuFinding, 1);
    va_list arguments;

    va_start(arguments, format);
    finding->found = g_strdelimit(g_strdup_vprintf(format, arguments), "\n", ' ');
    va_end(arguments);
    finding->check = examination->check;
    finding->health = health;
    finding->advice = advice;
    g_ptr_array_add(examination->findings, finding);
}

/* --- viommud --- */

static void check_config(ViommuExamination *examination, const ViommuPatient *patient)
{
    if (!patient->config) {
        TELL(PROBLEM, g_strdup("correct the setting; viommud does not start with it"), "%s",
             patient->config_error->message);
        return;
    }
    for (guint i = 0; i < patient->config->warnings->len; i++)
        TELL(WARNING, g_strdup("correct the setting; viommud.conf(5) lists all keys"), "%s",
             (const char *)patient->config->warnings->pdata[i]);
    if (patient->config->warnings->len == 0)
        TELL(OK, NULL, "all settings are valid");
}

static void check_daemon(ViommuExamination *examination, const ViommuPatient *patient)
{
    if (!patient->daemon_version)
        TELL(PROBLEM, g_strdup("run \"journalctl -u viommud\" to see why it ended, if it started"), "%s",
             patient->daemon_error->message);
    else if (patient->daemon_trouble)
        TELL(PROBLEM, g_strdup("see check libvirt; run \"journalctl -u viommud\" for viommud's messages"),
             "viommud %s runs, but %s", patient->daemon_version, patient->daemon_trouble);
    else if (!g_str_equal(patient->daemon_version, VIOMMU_VERSION))
        TELL(WARNING, g_strdup("run \"systemctl restart viommud\"; guests keep running"),
             "viommud %s runs, but viommuctl is version %s", patient->daemon_version, VIOMMU_VERSION);
    else
        TELL(OK, NULL, "viommud %s runs", patient->daemon_version);
}

static void check_polkit(ViommuExamination *examination, const ViommuPatient *patient)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(patient->root, NULL);

    if (!patient->system || patient->polkit == VIOMMU_UNSET)
        return;
    if (!patient->polkit)
        TELL(WARNING, g_strdup("install polkitd (formerly policykit-1) if other users need to manage them"),
             "polkit is not installed, so only root can manage machines of other users");
    else if (!root || !viommu_root_exists(root, "usr/share/polkit-1/actions/org.viommu1.policy"))
        TELL(WARNING, g_strdup("install viommud with the prefix /usr; see its README"),
             "polkit runs, but has no org.viommu1.policy in /usr/share/polkit-1/actions");
    else
        TELL(OK, NULL, "polkit runs and knows org.viommu1.manage-all");
}

static void check_group(ViommuExamination *examination, const ViommuPatient *patient)
{
    const char *group = patient->config ? patient->config->group : NULL;
    g_autoptr(ViommuAccount) account = viommu_account_find(patient->uid);

    if (!patient->system || !group)
        return;
    if (!*group)
        TELL(OK, NULL, "[daemon] group is empty, so only root may launch machines");
    else if (!getgrnam(group))
        TELL(WARNING, g_strdup("run \"systemd-sysusers\" to create it, after viommud is installed"),
             "group '%s' does not exist, so only root may launch machines", group);
    else if (viommu_account_is_in(account, group))
        TELL(OK, NULL, "you are in group '%s' and may launch machines", group);
    else if (patient->uid == 0)
        TELL(OK, NULL, "root and members of group '%s' may launch machines", group);
    else
        TELL(PROBLEM, g_strdup_printf("run as root \"usermod -aG %s USER\", then log in again", group),
             "you are not in group '%s' and may not launch machines", group);
}

/* --- libvirt --- */

static void check_libvirt(ViommuExamination *examination, const ViommuPatient *patient)
{
    g_autofree char *version = patient->host ? viommu_version_format(patient->host->libvirt) : NULL;

    if (patient->libvirt_error && patient->host)
        TELL(WARNING, g_strdup("nothing, unless you want to use virsh: then join the group libvirt"),
             "libvirt %s accepts viommud, but not you: %s", version, patient->libvirt_error->message);
    else if (patient->libvirt_error)
        TELL(
            PROBLEM,
            g_strdup(
                "install libvirt-daemon-system and run \"systemctl start libvirtd\" (or virtqemud); users other than root must be in the group libvirt"),
            "%s", patient->libvirt_error->message);
    else
        TELL(OK, NULL, "libvirt %s at %s", version, patient->uri);
}

/* On the system bus only; a user's own QEMU always runs as that user. */
static void check_confinement(ViommuExamination *examination, const ViommuPatient *patient)
{
    const ViommuHost *host = patient->host;
    bool required = patient->config && patient->config->policy.confinement == VIOMMU_CONFINEMENT_REQUIRED;
    char *advice;

    if (!patient->system || !host || !host->secmodels)
        return;
    if (viommu_host_qemu_group(host) == VIOMMU_UNSET_NUMBER) {
        TELL(
            WARNING,
            g_strdup("use libvirt's system daemon, as root, and set dynamic_ownership=1 in its qemu.conf"),
            "libvirt has no security model 'dac', so QEMU cannot run with the rights of the user who launches it, and users may not have qcow2 images");
        return;
    }
    if (viommu_host_confines(host)) {
        TELL(OK, NULL, "%s confines each guest",
             viommu_host_secmodel(host, "apparmor") ? "AppArmor" : "SELinux");
        return;
    }
    advice = g_strdup("set up AppArmor or SELinux for libvirt; see [guests] confinement in viommud.conf(5)");
    if (required)
        TELL(
            PROBLEM, advice,
            "neither AppArmor nor SELinux confines guests, so viommud refuses all launches ([guests] confinement is 'required')");
    else
        TELL(
            WARNING, advice,
            "neither AppArmor nor SELinux confines guests: one that breaks out of QEMU has all rights of its user");
}

static void check_emulator(ViommuExamination *examination, const ViommuEmulator *emulator)
{
    g_autofree char *qemu = viommu_version_format_short(emulator->qemu);
    const char *path = emulator->path ? emulator->path : "an unknown path";

    if (emulator->qemu)
        TELL(OK, NULL, "QEMU %s for %s at %s", qemu, emulator->arch_name, path);
    else
        TELL(WARNING, g_strdup_printf("check that \"%s --version\" works", path),
             "QEMU for %s at %s does not report its version, so features that need a version are not used",
             emulator->arch_name, path);
}

static void check_emulators(ViommuExamination *examination, const ViommuPatient *patient)
{
    bool any = false;

    for (guint i = 0; patient->host && patient->host->emulators && i < patient->host->emulators->len; i++) {
        const ViommuEmulator *emulator = g_ptr_array_index(patient->host->emulators, i);

        if (emulator->arch == VIOMMU_UNSET)
            continue;
        check_emulator(examination, emulator);
        any = true;
    }
    if (patient->host && !any)
        TELL(PROBLEM, g_strdup("install qemu-system-x86 or qemu-system-arm"),
             "libvirt finds no QEMU for x86_64 or aarch64");
}

static const char *const firmware_packages[] = {
    [VIOMMU_ARCH_X86_64] = "ovmf", [VIOMMU_ARCH_AARCH64] = "qemu-efi-aarch64 (or edk2-aarch64)"};
G_STATIC_ASSERT(G_N_ELEMENTS(firmware_packages) == VIOMMU_ARCH_LAST);

static void check_firmware(ViommuExamination *examination, const ViommuPatient *patient)
{
    for (guint i = 0; patient->host && patient->host->emulators && i < patient->host->emulators->len; i++) {
        const ViommuEmulator *emulator = g_ptr_array_index(patient->host->emulators, i);

        if (emulator->arch == VIOMMU_UNSET)
            continue;
        if (viommu_emulator_has_firmware(emulator, VIOMMU_FIRMWARE_EFI))
            TELL(OK, NULL, "UEFI firmware for %s is installed", emulator->arch_name);
        else
            TELL(WARNING, g_strdup_printf("install %s", firmware_packages[emulator->arch]),
                 "UEFI firmware for %s is not installed%s", emulator->arch_name,
                 emulator->arch == VIOMMU_ARCH_AARCH64 ? ", and the virtio IOMMU needs it" : "");
    }
}

/* --- Locked memory --- */

static void check_memlock(ViommuExamination *examination, const ViommuPatient *patient)
{
    const char *name = NULL;
    uint64_t pid = viommu_process_find_libvirt(patient->root, VIOMMU_UNSET_NUMBER, &name), limit;
    g_autofree char *text = NULL;

    if (!pid) {
        TELL(OK, NULL, "libvirt's daemon does not run now, so its limit is unknown");
        return;
    }
    limit = viommu_process_lockable(patient->root, pid);
    if (limit == VIOMMU_PROCESS_UNLIMITED) {
        TELL(OK, NULL, "%s can let guests lock any amount of memory", name);
        return;
    }
    if (limit == VIOMMU_UNSET_NUMBER) {
        TELL(WARNING, g_strdup("run \"viommuctl doctor\" as root"), "you may not read the limit of %s", name);
        return;
    }
    text = viommu_quantity_format(limit);
    TELL(
        WARNING,
        g_strdup_printf("run \"systemctl edit %s\" and set LimitMEMLOCK=infinity in [Service]", name),
        "%s can let each guest lock at most %s of memory, which is too little for most guests with assigned devices",
        name, text);
}

static uint64_t limit(GVariant *limits, const char *key)
{
    guint64 value = 0;

    g_variant_lookup(limits, key, "t", &value);
    return value;
}

/* Only the limits per user: without them, one user can use up the others. */
static void check_limits(ViommuExamination *examination, const ViommuPatient *patient)
{
    static const char *const keys[] = {"machines-per-user", "vcpus-per-user", "memory-per-user",
                                       "copies-per-user", "overlays-per-user"};
    g_autoptr(GPtrArray) unbound = g_ptr_array_new();
    g_autofree char *memory = NULL, *copies = NULL, *overlays = NULL, *names = NULL;

    if (!patient->system || !patient->limits)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (limit(patient->limits, keys[i]) == 0)
            g_ptr_array_add(unbound, (char *)keys[i]);
    g_ptr_array_add(unbound, NULL);
    names = g_strjoinv(", ", (char **)unbound->pdata);
    memory = viommu_quantity_format(limit(patient->limits, "memory-per-user"));
    copies = viommu_quantity_format(limit(patient->limits, "copies-per-user"));
    overlays = viommu_quantity_format(limit(patient->limits, "overlays-per-user"));
    if (unbound->len > 1)
        TELL(WARNING, g_strdup("set it to \"auto\" or a number in [limits] of viommud.conf"),
             "one user can use up this host: %s is not limited", names);
    else
        TELL(OK, NULL,
             "each user may have %" G_GUINT64_FORMAT " machines, %" G_GUINT64_FORMAT
             " vCPUs, %s of memory, %s of copied files and %s of overlays",
             limit(patient->limits, keys[0]), limit(patient->limits, keys[1]), memory, copies, overlays);
}

static const struct {
    const char *name;
    bool hardware; /* looks at files only */
    void (*check)(ViommuExamination *examination, const ViommuPatient *patient);
} checks[] = {
    {"viommud", false, check_daemon},
    {"settings", false, check_config},
    {"polkit", false, check_polkit},
    {"group", false, check_group},
    {"limits", false, check_limits},
    {"site", false, viommu_doctor_check_site},
    {"libvirt", false, check_libvirt},
    {"leftovers", false, viommu_doctor_check_leftovers},
    {"confinement", false, check_confinement},
    {"emulator", false, check_emulators},
    {"firmware", false, check_firmware},
    {"kvm", true, viommu_doctor_check_kvm},
    {"host-iommu", true, viommu_doctor_check_iommu},
    {"vfio", true, viommu_doctor_check_vfio},
    {"iommufd", true, viommu_doctor_check_iommufd},
    {"locked-memory", true, check_memlock},
};

GPtrArray *viommu_doctor_examine(const ViommuPatient *patient)
{
    ViommuExamination examination = {.findings = g_ptr_array_new_with_free_func(free_finding)};

    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
        if (patient->hardware_only && !checks[i].hardware)
            continue;
        examination.check = checks[i].name;
        checks[i].check(&examination, patient);
    }
    return examination.findings;
}
