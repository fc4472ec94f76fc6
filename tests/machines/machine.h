/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: writes the files of a machine's hardware below a directory, as Linux would show them:
 * sysfs, ACPI tables, /proc.  Links are relative, as on a real machine.  The unit test and
 * make-machine use it; a failing write aborts. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Host {
    const char *root; /* an empty directory; borrowed */
} Host;

typedef struct HostIommu {
    const char *name;
    const char *parent;   /* its device below sys/devices; NULL: a virtual device, like Intel's */
    const char *cap;      /* Intel's register, in hexadecimal */
    const char *features; /* AMD's file */
    const char *driver;   /* of the parent */
    const char *ecap;     /* Intel's extended register in hexadecimal */
} HostIommu;

typedef struct HostDevice {
    const char *address;
    unsigned vendor, device, class_code;
    const char *driver; /* NULL: no driver is bound */
    const char
        /* addresses of the bridges above it: "0000:00:1c.0/0000:02:00.0"; NULL: on the root bus */
        *below;
    const char *iommu; /* name of an IOMMU that was added earlier */
    int group;         /* HOST_NO_GROUP */
    int node;
    const char *cdev; /* "vfio0" */
} HostDevice;

#define HOST_NO_GROUP (-1)

typedef struct HostSmmu {
    unsigned type; /* of the IORT node: 3 SMMU, 4 SMMUv3, or any other */
    uint64_t base;
} HostSmmu;

void host_add_file(const Host *host, const char *path, const char *text);
/** @target relative to the root: "sys/class/iommu/dmar0". */
void host_add_link(const Host *host, const char *path, const char *target);
void host_add_iommu(const Host *host, const HostIommu *iommu);
void host_add_device(const Host *host, const HostDevice *device);
/** @lines: what the kernel shows as the group's reserved_regions. */
void host_add_regions(const Host *host, int group, const char *lines);
/** @physical was added before, and has its virtual function @index. */
void host_add_virtual_function(const Host *host, const HostDevice *physical, unsigned index,
                               const HostDevice *device);
void host_set_virtual_functions(const Host *host, const HostDevice *physical, unsigned most);
/** The names of the interrupt chips of a kernel that remaps interrupts, or does not. */
void host_set_interrupts(const Host *host, bool remapped);
/** Of a module that is loaded. */
void host_set_parameter(const Host *host, const char *module, const char *parameter, const char *value);
/** @rest below the directory of @device. Owned. */
char *host_device_path(const HostDevice *device, const char *rest);
/** Marks the group as one of VFIO's no-IOMMU mode. */
void host_set_noiommu(const Host *host, int group);
/** Adds ACPI tables, but none of IOMMUs. */
void host_add_acpi(const Host *host);
void host_add_node(const Host *host, int node, uint64_t memory_mib);
void host_add_huge_pages(const Host *host, int node, uint64_t size_kib, unsigned total, unsigned free);
void host_add_vfio(const Host *host, bool iommufd);
/** @release as uname prints it.  Mounts, swap and network of this kernel are visible, and there are
 *  none. */
void host_set_kernel(const Host *host, const char *release);
/** A machine that can assign @devices, which are behind its one IOMMU, "dmar0": firmware, kernel
 *  and VFIO. */
void host_add_assignable(const Host *host, const HostDevice *devices, size_t n);
void host_set_command_line(const Host *host, const char *text);
void host_set_locked_limit(const Host *host, int pid, const char *soft, const char *hard);

/* Tables of the firmware, with correct length and checksum. */
void host_add_dmar(const Host *host, const uint64_t *bases, size_t n);
void host_add_ivrs(const Host *host, const uint64_t *bases, size_t n);
void host_add_iort(const Host *host, const HostSmmu *nodes, size_t n);
/** A virtio-iommu on PCI. */
void host_add_viot(const Host *host, unsigned bdf);
/** Any bytes as table @name; @seal: corrects its length and checksum first. */
void host_add_table(const Host *host, const char *name, GByteArray *table, bool seal);

/* The bytes of a table, without length and checksum; owned. */
GByteArray *table_dmar(const uint64_t *bases, size_t n);
GByteArray *table_ivrs(const uint64_t *bases, size_t n);
GByteArray *table_iort(const HostSmmu *nodes, size_t n);
GByteArray *table_viot(unsigned bdf);
/** Sets length and checksum. */
void table_seal(GByteArray *table);

/* --- The recorded machines --- */

typedef struct Recording {
    const char *name;
    const char *base;   /* the recorded host whose libvirt and QEMU it gets */
    const char *origin; /* "made up", or the source of its numbers */
    void (*build)(const Host *host);
} Recording;

/* recordings-host.c: what the host does with its devices, and what its kernel refuses. */
void recording_server_rmrr(const Host *host);
void recording_server_in_use(const Host *host);
void recording_server_sriov(const Host *host);
void recording_server_no_remapping(const Host *host);
void recording_server_unsafe(const Host *host);
void recording_guest_virtio(const Host *host);
void recording_server_iommufd_module(const Host *host);
void recording_server_amd_blocks(const Host *host);

extern const Recording recordings[];
extern const size_t n_recordings;
