/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report: what a guest says of its IOMMU, as tools/scripts/guest-report.sh prints it.  Reads text
 * from a guest, which may be hostile; does not know how it arrived, or what was planned. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/enum.h"

#define VIOMMU_REPORT_BEGIN "viommu-report begin"
#define VIOMMU_REPORT_END   "viommu-report end"
/* The longest report, markers included. */
#define VIOMMU_REPORT_BYTES_MAX 16384u
/* The most entries of one key; further ones are ignored. */
#define VIOMMU_REPORT_NAMES_MAX 64u

/* Registers of IOMMUs, by the files below /sys/class/iommu/NAME that show them. */
typedef enum ViommuReportRegister {
    VIOMMU_REPORT_INTEL_CAP,
    VIOMMU_REPORT_INTEL_ECAP,
    VIOMMU_REPORT_AMD_FEATURES,
    VIOMMU_REPORT_REGISTER_LAST,
} ViommuReportRegister;

/* What /sys/kernel/iommu_groups/N/type says: iommu_group_show_type() of Linux. */
typedef enum ViommuGroupType {
    VIOMMU_GROUP_TYPE_DMA,
    VIOMMU_GROUP_TYPE_DMA_FQ,
    VIOMMU_GROUP_TYPE_IDENTITY,
    VIOMMU_GROUP_TYPE_BLOCKED,
    VIOMMU_GROUP_TYPE_UNMANAGED,
    VIOMMU_GROUP_TYPE_UNKNOWN, /* its word, or one that is not known here */
    VIOMMU_GROUP_TYPE_LAST,
} ViommuGroupType;

/* Why a device's DMA is not translated. */
typedef enum ViommuOutside {
    VIOMMU_OUTSIDE_NO_GROUP,
    VIOMMU_OUTSIDE_VIRTIO,   /* its virtio driver uses physical addresses */
    VIOMMU_OUTSIDE_IDENTITY, /* its group has that type */
    VIOMMU_OUTSIDE_OTHER,
    VIOMMU_OUTSIDE_LAST,
} ViommuOutside;
extern const ViommuEnum viommu_enum_outside;

/* What came of a forbidden DMA of the guest's spare device. */
typedef enum ViommuIsolation {
    VIOMMU_ISOLATION_FAULT, /* the kernel's log has the IOMMU's fault */
    VIOMMU_ISOLATION_NONE,  /* it has none */
    VIOMMU_ISOLATION_NO_DEVICE,
    VIOMMU_ISOLATION_IN_USE,
    VIOMMU_ISOLATION_NO_GROUP,
    VIOMMU_ISOLATION_NO_LOG,
    VIOMMU_ISOLATION_LOCKED,
    VIOMMU_ISOLATION_LAST,
} ViommuIsolation;
extern const ViommuEnum viommu_enum_isolation;

/* What the guest did not show is "", empty, false, 0, VIOMMU_UNSET or VIOMMU_UNSET_NUMBER. */
typedef struct ViommuReport {
    char *kernel; /* release */
    char *cmdline;
    char **iommus;   /* entries of /sys/class/iommu; these are never NULL */
    char **tables;   /* of ACPI */
    char **drivers;  /* drivers of IOMMUs in the kernel */
    uint64_t groups; /* IOMMU groups, and devices in them */
    uint64_t devices;
    bool acpi, devicetree;
    uint64_t types[VIOMMU_GROUP_TYPE_LAST]; /* groups of each type */
    char **outside;                         /* addresses of PCI devices, with the reason of each */
    uint64_t outside_by[VIOMMU_OUTSIDE_LAST];
    uint64_t untranslated; /* how many devices are outside, at most what the script names */
    struct {
        bool shown;
        uint64_t value;
    } registers[VIOMMU_REPORT_REGISTER_LAST];
    int isolation;       /* ViommuIsolation */
    int remaps;          /* flag: interrupts are remapped */
    int x2apic;          /* flag: in the mode with wide destinations; from the log and the CPU */
    uint64_t width_bits; /* of a virtio IOMMU's input addresses; from the log */
    uint64_t page_mask;  /* of a virtio IOMMU; from the log */
} ViommuReport;

/** The last complete report in @text, between its markers; all of it is printable ASCII.  NULL:
 *  there is none.  Owned. */
ViommuReport *viommu_report_find(const char *text, size_t size);
void viommu_report_free(ViommuReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuReport, viommu_report_free)

/** "direct", "remapped", "remapped-xapic" or "remapped-x2apic"; NULL: the guest did not show it.
 *  Static. */
const char *viommu_report_interrupts(const ViommuReport *report);
/** The number of groups of whose type the guest spoke. */
uint64_t viommu_report_typed_groups(const ViommuReport *report);
/** Whether all lines about groups, devices outside and, with @has_remapping, interrupts arrived:
 *  the kernel may print into a report at the console. */
bool viommu_report_is_whole(const ViommuReport *report, bool has_remapping);
