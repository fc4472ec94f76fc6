/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enum: the words of the bus, the files and the messages, each with its number.
 * Every enum has a table; a static assert keeps the two of one length. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuEnum {
    const char *noun;         /* as it stands in messages: "architecture" */
    const char *const *words; /* words[value] */
    int last;                 /* number of values */
} ViommuEnum;

/* Value of an optional word, number or flag that was not given. */
#define VIOMMU_UNSET        (-1)
#define VIOMMU_UNSET_NUMBER UINT64_MAX

typedef enum ViommuArch {
    VIOMMU_ARCH_X86_64,
    VIOMMU_ARCH_AARCH64,
    VIOMMU_ARCH_LAST,
} ViommuArch;

/* Machine types by family; a versioned name ("pc-q35-7.2") belongs to its family. */
typedef enum ViommuFamily {
    VIOMMU_FAMILY_Q35,
    VIOMMU_FAMILY_VIRT,
    VIOMMU_FAMILY_I440FX, /* libvirt and QEMU call it pc */
    VIOMMU_FAMILY_LAST,
} ViommuFamily;

typedef enum ViommuAccelerator {
    VIOMMU_ACCELERATOR_AUTO,
    VIOMMU_ACCELERATOR_KVM,
    VIOMMU_ACCELERATOR_TCG,
    VIOMMU_ACCELERATOR_LAST,
} ViommuAccelerator;

/* The IOMMU models of libvirt, in the native order of preference. */
typedef enum ViommuModel {
    VIOMMU_MODEL_NONE = -1,
    VIOMMU_MODEL_INTEL,
    VIOMMU_MODEL_SMMUV3,
    VIOMMU_MODEL_VIRTIO,
    VIOMMU_MODEL_AMD,
    VIOMMU_MODEL_LAST,
} ViommuModel;

/* Order of preference among candidates: a site's setting. */
typedef enum ViommuOrder {
    VIOMMU_ORDER_NATIVE, /* intel, smmuv3, then virtio */
    VIOMMU_ORDER_VIRTIO, /* virtio, then intel, smmuv3 */
    VIOMMU_ORDER_LAST,
} ViommuOrder;

/* What becomes of guests' agents: a site's setting. */
typedef enum ViommuAgentUse {
    VIOMMU_AGENT_AUTO, /* on the system bus others than root have them where libvirt survives what they say */
    VIOMMU_AGENT_YES,
    VIOMMU_AGENT_NO, /* none is asked, and others than root have no channel for one */
    VIOMMU_AGENT_LAST,
} ViommuAgentUse;

/* What is done where nothing confines guests beyond their user's rights: a site's setting. */
typedef enum ViommuConfinement {
    VIOMMU_CONFINEMENT_REQUIRED, /* nothing is launched */
    VIOMMU_CONFINEMENT_WARN,
    VIOMMU_CONFINEMENT_OFF,
    VIOMMU_CONFINEMENT_LAST,
} ViommuConfinement;

/* Who may have a device that the host itself uses: a site's setting. */
typedef enum ViommuInUse {
    VIOMMU_IN_USE_REFUSE, /* nobody */
    VIOMMU_IN_USE_ROOT,
    VIOMMU_IN_USE_LAST,
} ViommuInUse;

typedef enum ViommuVerdict {
    VIOMMU_VERDICT_CHOSEN,
    VIOMMU_VERDICT_POSSIBLE,
    VIOMMU_VERDICT_REFUSED,
    VIOMMU_VERDICT_LAST,
} ViommuVerdict;

typedef enum ViommuFirmware {
    VIOMMU_FIRMWARE_AUTO,
    VIOMMU_FIRMWARE_BIOS, /* SeaBIOS; on aarch64: none, a direct kernel boot with a device tree */
    VIOMMU_FIRMWARE_EFI,
    VIOMMU_FIRMWARE_LAST,
} ViommuFirmware;

typedef enum ViommuWait {
    VIOMMU_WAIT_PLANNED,
    VIOMMU_WAIT_STARTED,
    VIOMMU_WAIT_VERIFIED, /* the guest has shown that its IOMMU works */
    VIOMMU_WAIT_LAST,
} ViommuWait;

/* What a guest says of its IOMMU. */
typedef enum ViommuProofVerdict {
    VIOMMU_PROOF_PROVEN,
    VIOMMU_PROOF_PENDING,   /* not yet: it may still come */
    VIOMMU_PROOF_DISPROVED, /* and waiting changes nothing */
    VIOMMU_PROOF_LAST,
} ViommuProofVerdict;

/* What a machine's life is bound to, beside its lease's end. */
typedef enum ViommuBind {
    VIOMMU_BIND_NONE,
    VIOMMU_BIND_CLIENT, /* the bus connection that launched it */
    VIOMMU_BIND_LAST,
} ViommuBind;

typedef enum ViommuDiskFormat {
    VIOMMU_DISK_FORMAT_RAW,
    VIOMMU_DISK_FORMAT_QCOW2,
    VIOMMU_DISK_FORMAT_LAST,
} ViommuDiskFormat;

typedef enum ViommuDiskBus {
    VIOMMU_DISK_BUS_VIRTIO,
    VIOMMU_DISK_BUS_SCSI, /* on a virtio-scsi controller */
    VIOMMU_DISK_BUS_SATA, /* never read-only: libvirt refuses that */
    VIOMMU_DISK_BUS_LAST,
} ViommuDiskBus;

typedef enum ViommuNetworkType {
    VIOMMU_NETWORK_TYPE_USER,
    VIOMMU_NETWORK_TYPE_NETWORK,
    VIOMMU_NETWORK_TYPE_BRIDGE,
    VIOMMU_NETWORK_TYPE_LAST,
} ViommuNetworkType;

typedef enum ViommuNetworkModel {
    VIOMMU_NETWORK_MODEL_VIRTIO,
    VIOMMU_NETWORK_MODEL_E1000E,
    VIOMMU_NETWORK_MODEL_LAST,
} ViommuNetworkModel;

/* What an assigned device reaches the host's IOMMU through. */
typedef enum ViommuIommufd {
    VIOMMU_IOMMUFD_AUTO,
    VIOMMU_IOMMUFD_YES,
    VIOMMU_IOMMUFD_NO, /* a VFIO container */
    VIOMMU_IOMMUFD_LAST,
} ViommuIommufd;

/* How the guest's CPU is described to libvirt. */
typedef enum ViommuCpuMode {
    VIOMMU_CPU_MODE_HOST_PASSTHROUGH,
    VIOMMU_CPU_MODE_MAXIMUM, /* libvirt 7.1.0 */
    VIOMMU_CPU_MODE_CUSTOM,  /* cpu_model of the plan */
    VIOMMU_CPU_MODE_DEFAULT, /* no <cpu> element */
    VIOMMU_CPU_MODE_LAST,
} ViommuCpuMode;

/* Where a machine stands. */
typedef enum ViommuState {
    VIOMMU_STATE_PLANNING,
    VIOMMU_STATE_DEFINING,
    VIOMMU_STATE_STARTING,
    VIOMMU_STATE_RUNNING,
    VIOMMU_STATE_STOPPING, /* asked to end; the domain is being destroyed and undefined */
    VIOMMU_STATE_STOPPED,  /* the guest ended by itself; its domain is kept until Stop */
    VIOMMU_STATE_FAILED,   /* it never ran; everything made so far is undone */
    VIOMMU_STATE_LAST,
} ViommuState;

/* How it ended. */
typedef enum ViommuResult {
    VIOMMU_RESULT_NONE,     /* it has not ended */
    VIOMMU_RESULT_SHUTDOWN, /* the guest powered itself off */
    VIOMMU_RESULT_CRASHED,  /* QEMU died, or somebody else ended it */
    VIOMMU_RESULT_PANICKED, /* the guest's kernel gave up, and said so */
    VIOMMU_RESULT_STOPPED,  /* a client asked for it */
    VIOMMU_RESULT_LOST,     /* the domain vanished behind our back */
    VIOMMU_RESULT_FAILED,   /* the launch failed */
    VIOMMU_RESULT_EXPIRED,  /* its lease ended, or the client that it was bound to left */
    VIOMMU_RESULT_LAST,
} ViommuResult;

/* What translates the host's own devices, by the kernel's driver. */
typedef enum ViommuIommuKind {
    VIOMMU_IOMMU_KIND_INTEL,
    VIOMMU_IOMMU_KIND_AMD,
    VIOMMU_IOMMU_KIND_SMMUV3,
    VIOMMU_IOMMU_KIND_SMMU,   /* version 1 or 2 */
    VIOMMU_IOMMU_KIND_VIRTIO, /* the host is a guest itself */
    VIOMMU_IOMMU_KIND_OTHER,
    VIOMMU_IOMMU_KIND_LAST,
} ViommuIommuKind;

/* What a table of the firmware is worth. */
typedef enum ViommuTableState {
    VIOMMU_TABLE_STATE_GOOD,   /* it describes at least one IOMMU */
    VIOMMU_TABLE_STATE_BROKEN, /* it is there and describes none; its problem says why */
    VIOMMU_TABLE_STATE_UNREAD, /* it is there, but only root may read it */
    VIOMMU_TABLE_STATE_LAST,
} ViommuTableState;

extern const ViommuEnum viommu_enum_arch, viommu_enum_family, viommu_enum_accelerator, viommu_enum_model,
    viommu_enum_order, viommu_enum_agent_use, viommu_enum_verdict, viommu_enum_firmware, viommu_enum_wait,
    viommu_enum_bind, viommu_enum_disk_format, viommu_enum_disk_bus, viommu_enum_network_type,
    viommu_enum_network_model, viommu_enum_iommufd, viommu_enum_cpu_mode, viommu_enum_state,
    viommu_enum_result, viommu_enum_iommu_kind, viommu_enum_table_state, viommu_enum_proof,
    viommu_enum_confinement, viommu_enum_in_use;

/** All tables, for the test that walks them; ended by NULL. */
extern const ViommuEnum *const viommu_enum_all[];

/** The bit of @value in a set of such words, which has 64. */
#define VIOMMU_BIT(value) (UINT64_C(1) << (value))

/** The word of @value; NULL when @value is out of range (VIOMMU_UNSET included). Static. */
const char *viommu_enum_to_string(const ViommuEnum *table, int value);
/** The value of @word, or VIOMMU_UNSET. Case matters. */
int viommu_enum_from_string(const ViommuEnum *table, const char *word);
/** All words as "a, b, c", for messages. Owned, g_free(). */
char *viommu_enum_list(const ViommuEnum *table);

static inline const char *viommu_model_to_string(ViommuModel model)
{
    return viommu_enum_to_string(&viommu_enum_model, model);
}
static inline const char *viommu_arch_to_string(ViommuArch arch)
{
    return viommu_enum_to_string(&viommu_enum_arch, (int)arch);
}
