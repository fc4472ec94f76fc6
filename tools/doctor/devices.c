/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/host/sysroot.h"
#include "lib/host/topology.h"

/* Enough for thousands of processors. */
#define CPUINFO_MAX (16 << 20)

/* "mode 0660, group kvm" */
static char *rights_text(const struct stat *info)
{
    const struct group *group = getgrgid(info->st_gid);
    g_autofree char *number = g_strdup_printf("%u", info->st_gid);

    return g_strdup_printf("mode %04o, group %s", info->st_mode & 07777, group ? group->gr_name : number);
}

static bool find_device(const ViommuPatient *patient, const char *name, struct stat *ret_info)
{
    g_autofree char *path = g_build_filename(patient->root, "dev", name, NULL);

    return lstat(path, ret_info) == 0;
}

/* --- KVM --- */

static bool libvirt_offers_kvm(const ViommuHost *host)
{
    return host && viommu_host_offers_kvm(host);
}

/* What to do if there is no /dev/kvm. */
static char *kvm_remedy(const ViommuPatient *patient)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(patient->root, NULL);
    int unused;
    g_autoptr(GBytes) cpus = root ? viommu_root_bytes(root, "proc/cpuinfo", CPUINFO_MAX, &unused) : NULL;
    g_autofree char *text =
        cpus ? g_strndup(g_bytes_get_data(cpus, NULL), g_bytes_get_size(cpus)) : g_strdup("");
    g_auto(GStrv) words = g_strsplit_set(text, " \t\n", -1);
    const char *const *set = (const char *const *)words;

    if (g_strv_contains(set, "vmx"))
        return g_strdup("run \"modprobe kvm_intel\"; if that fails, enable VT-x in the firmware setup");
    if (g_strv_contains(set, "svm"))
        return g_strdup("run \"modprobe kvm_amd\"; if that fails, enable SVM in the firmware setup");
    if (g_strv_contains(set, "hypervisor"))
        return g_strdup("this is a virtual machine: enable nested virtualisation on its host");
    return g_strdup("enable virtualisation in the firmware setup, if the processor supports it");
}

/* How to give @who access to /dev/kvm. */
static char *kvm_access(const struct stat *info, const char *who)
{
    const struct group *group = getgrgid(info->st_gid);

    if (info->st_gid != 0 && group && (info->st_mode & 060) == 060)
        return g_strdup_printf("run as root \"usermod -aG %s %s\"", group->gr_name, who);
    return g_strdup(
        "let udev give /dev/kvm the group kvm and the mode 0660, and add the users who launch machines to this group");
}

static void tell_rights(ViommuExamination *examination, const ViommuPatient *patient, int error)
{
    struct stat info = {.st_mode = 0};
    g_autofree char *rights = find_device(patient, "kvm", &info) ? rights_text(&info) : NULL;

    if (libvirt_offers_kvm(patient->host))
        TELL(
            WARNING, kvm_access(&info, "USER"),
            "libvirt offers KVM, but you may not open /dev/kvm (%s), and QEMU runs with your rights; until then use \"accelerator\": \"tcg\"",
            rights);
    else
        TELL(WARNING, g_strdup("add QEMU's user (libvirt-qemu, qemu, or you with --user) to that group"),
             "/dev/kvm (%s) cannot be opened: %s; guests are emulated, which is many times slower", rights,
             g_strerror(error));
}

/* Tries to create a virtual machine; negative: the errno of the failure. */
static int try_kvm(int fd)
{
    int version = ioctl(fd, KVM_GET_API_VERSION, 0), machine;

    if (version < 0)
        return -errno;
    if (version != KVM_API_VERSION)
        return -EPROTO;
    machine = ioctl(fd, KVM_CREATE_VM, 0);
    if (machine < 0)
        return -errno;
    close(machine);
    return 0;
}

/* When libvirt last looked at an emulator, by its newest file about one; 0: not known. */
static time_t libvirt_looked(const ViommuPatient *patient)
{
    g_autofree char *directory =
        patient->system ? g_build_filename(patient->root, "var/cache/libvirt/qemu/capabilities", NULL)
                        : g_build_filename(g_get_user_cache_dir(), "libvirt/qemu/capabilities", NULL);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;
    time_t newest = 0;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat info;

        if (g_str_has_suffix(name, ".xml") && lstat(path, &info) == 0)
            newest = MAX(newest, info.st_mtime);
    }
    return newest;
}

/* KVM works, and libvirt does not offer it. */
static void tell_unoffered(ViommuExamination *examination, const ViommuPatient *patient)
{
    int arch = viommu_host_arch(patient->host);
    struct stat kvm;
    time_t looked = libvirt_looked(patient);

    if (arch == VIOMMU_UNSET || !viommu_host_emulator(patient->host, (ViommuArch)arch))
        TELL(
            WARNING, g_strdup("install QEMU for this host's own architecture"),
            "/dev/kvm can create a virtual machine, but libvirt finds no QEMU for this host's own architecture");
    else if (looked > 0 && find_device(patient, "kvm", &kvm) && kvm.st_mtime > looked)
        TELL(
            WARNING,
            g_strdup(
                "wait: libvirt looks again by itself when QEMU or /dev/kvm has changed; if it does not, restart its daemon (libvirtd or virtqemud)"),
            "/dev/kvm can create a virtual machine, but libvirt has not looked at QEMU since /dev/kvm appeared, so it does not offer KVM yet");
    else
        TELL(
            WARNING,
            g_strdup(
                "let the user that libvirt runs QEMU as (libvirt-qemu or qemu) open /dev/kvm, and restart libvirt's daemon (libvirtd or virtqemud), which remembers what it found"),
            "/dev/kvm can create a virtual machine, but libvirt does not offer KVM");
}

/* A guest of viommud's own was started. */
static void tell_proof(ViommuExamination *examination, const ViommuHost *host)
{
    const char *reason = host->kvm_reason ? host->kvm_reason : "no reason is recorded";

    if (host->kvm == VIOMMU_KVM_WORKS)
        TELL(OK, NULL, "KVM runs guests: a guest of viommud's own has run in it");
    else if (host->kvm == VIOMMU_KVM_BROKEN)
        TELL(
            WARNING,
            g_strdup(
                "run \"dmesg | grep kvm\"; if this is a virtual machine, its own host may not support nested virtualisation; viommud tries again after the next boot, when the module of KVM was loaded again, or when you remove its file kvm-verdict and restart it; until then guests are emulated"),
            "/dev/kvm can create a virtual machine, but KVM does not run guests: %s", reason);
    else
        TELL(WARNING, g_strdup("remove the cause, then run this again; until then viommud uses KVM"),
             "/dev/kvm can create a virtual machine, but it is not known whether KVM runs guests: %s",
             reason);
}

static void tell_tried(ViommuExamination *examination, const ViommuPatient *patient, int r)
{
    if (r < 0)
        TELL(WARNING, g_strdup("run \"dmesg | grep kvm\" to see why; until then guests are emulated"),
             "/dev/kvm opens, but cannot create a virtual machine: %s", g_strerror(-r));
    else if (patient->host && !libvirt_offers_kvm(patient->host))
        tell_unoffered(examination, patient);
    else if (patient->host && patient->host->kvm != VIOMMU_UNSET)
        tell_proof(examination, patient->host);
    else
        TELL(OK,
             g_strdup(
                 "nothing; if guests hang at boot, as on some nested hosts, use \"accelerator\": \"tcg\""),
             "/dev/kvm can create a virtual machine%s; only a launch shows whether a guest runs in it",
             patient->host ? ", and libvirt offers it" : "");
}

/* The members of the group that may launch machines; QEMU runs with their rights.
 * NULL-terminated.  Owned. */
static char **members_of(const ViommuPatient *patient)
{
    const struct group *group = patient->config ? getgrnam(patient->config->group) : NULL;

    return group ? g_strdupv(group->gr_mem) : NULL;
}

/* For root: warns about members who may not open /dev/kvm. */
static void tell_members(ViommuExamination *examination, const ViommuPatient *patient)
{
    struct stat info;
    g_auto(GStrv) members = members_of(patient);
    g_autofree char *path = g_build_filename(patient->root, "dev", "kvm", NULL);
    g_autofree char *rights = NULL;

    if (!patient->system || patient->uid != 0 || !members || !libvirt_offers_kvm(patient->host) ||
        !find_device(patient, "kvm", &info))
        return;
    rights = rights_text(&info);
    for (char **name = members; *name; name++) {
        const struct passwd *entry = getpwnam(*name);

        if (entry && viommu_doctor_is_closed(entry, path))
            TELL(
                WARNING, kvm_access(&info, *name),
                "user '%s' may launch machines, but not open /dev/kvm (%s), and QEMU runs with the rights of this user",
                *name, rights);
    }
}

void viommu_doctor_check_kvm(ViommuExamination *examination, const ViommuPatient *patient)
{
    g_autofree char *path = g_build_filename(patient->root, "dev", "kvm", NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        TELL(WARNING, kvm_remedy(patient),
             "there is no /dev/kvm; guests are emulated, which is many times slower");
    } else if (fd < 0) {
        tell_rights(examination, patient, errno);
    } else {
        tell_tried(examination, patient, try_kvm(fd));
        close(fd);
        tell_members(examination, patient);
    }
}

/* --- Assigning host devices --- */

/* What the kernel wants before it gives a device to a guest. */
static void tell_interrupts(ViommuExamination *examination, const ViommuPatient *patient,
                            const ViommuTopology *topology)
{
    int arch = patient->host ? viommu_host_arch(patient->host) : VIOMMU_UNSET;
    g_autofree char *reason = NULL;

    if (viommu_topology_remaps_interrupts(topology, arch, &reason) != 0)
        return;
    if (viommu_topology_allows_unsafe(topology, false) || viommu_topology_allows_unsafe(topology, true))
        TELL(
            WARNING, g_steal_pointer(&reason),
            "this host does not remap interrupts, and allow_unsafe_interrupts is set: a guest with an assigned device can send any interrupt to the host");
    else
        TELL(WARNING, g_steal_pointer(&reason),
             "this host does not remap interrupts, so the kernel gives no device to a guest");
}

void viommu_doctor_check_iommu(ViommuExamination *examination, const ViommuPatient *patient)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = viommu_host_new(); /* owns the topology */
    g_autofree char *reason = NULL;

    if (!viommu_topology_read(patient->root, &host->topology, &error)) {
        TELL(WARNING, NULL, "%s", error->message);
        return;
    }
    switch (viommu_topology_judge(&host->topology, &reason)) {
    case VIOMMU_IOMMU_USE_USED:
        TELL(OK, NULL, "%s", reason);
        tell_interrupts(examination, patient, &host->topology);
        break;
    case VIOMMU_IOMMU_USE_IDLE:
    case VIOMMU_IOMMU_USE_NONE:
        TELL(WARNING,
             g_strdup("nothing, unless you want to assign host devices; the IOMMUs of guests do not need it"),
             "%s", reason);
        break;
    case VIOMMU_IOMMU_USE_LAST:
        break;
    }
}

void viommu_doctor_check_vfio(ViommuExamination *examination, const ViommuPatient *patient)
{
    struct stat info;
    g_autofree char *rights = NULL;

    if (!find_device(patient, "vfio/vfio", &info)) {
        TELL(WARNING,
             g_strdup("nothing, unless you want to assign host devices: then run \"modprobe vfio-pci\""),
             "there is no /dev/vfio/vfio, so no host device can be assigned");
        return;
    }
    rights = rights_text(&info);
    if ((info.st_mode & 06) == 06)
        TELL(OK, NULL, "/dev/vfio/vfio exists (%s); libvirt gives each guest its groups", rights);
    else
        TELL(
            WARNING,
            g_strdup(
                "run \"chmod 0666 /dev/vfio/vfio\", which gives access to no device, and find out what changed it"),
            "/dev/vfio/vfio (%s) is not open to all users, so QEMU's user may not use it; the kernel's default is mode 0666",
            rights);
}

void viommu_doctor_check_iommufd(ViommuExamination *examination, const ViommuPatient *patient)
{
    struct stat info;
    g_autofree char *rights = NULL;
    g_autoptr(ViommuHost) host = viommu_host_new(); /* owns the topology */

    if (!find_device(patient, "iommu", &info) && viommu_topology_read(patient->root, &host->topology, NULL) &&
        host->topology.iommufd_loadable == 1) {
        TELL(
            OK,
            g_strdup(
                "nothing, unless you set hostdevs[].iommufd: then run \"modprobe iommufd\", if binding a device to VFIO does not load it"),
            "there is no /dev/iommu yet: the kernel has iommufd as a module that is not loaded");
        return;
    }
    if (!find_device(patient, "iommu", &info)) {
        TELL(OK, NULL, "there is no /dev/iommu; devices are assigned through VFIO groups");
        return;
    }
    rights = rights_text(&info);
    TELL(OK, NULL, "/dev/iommu exists (%s), for versions of libvirt and QEMU that can use it", rights);
}
