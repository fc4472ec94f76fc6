/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request: the contents of a request.  "Unset" is a value of its own; there are no defaults here.
 * schemas/request.schema.json and the table in request.c describe the tree. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/platform.h"
#include "lib/base/fields.h"
#include "lib/base/version.h"

typedef enum ViommuWait {
    VIOMMU_WAIT_PLANNED,
    VIOMMU_WAIT_STARTED,
    VIOMMU_WAIT_READY,    /* the guest's agent answers */
    VIOMMU_WAIT_VERIFIED, /* the guest has shown that its IOMMU works */
    VIOMMU_WAIT_LAST,
} ViommuWait;
extern const ViommuEnum viommu_enum_wait;

/* How much a guest has shown of its IOMMU; each level includes those before it. */
typedef enum ViommuLevel {
    VIOMMU_LEVEL_PRESENT,     /* it is the planned one, and devices are in groups */
    VIOMMU_LEVEL_TRANSLATING, /* the DMA of every device is translated */
    VIOMMU_LEVEL_ISOLATING,   /* a device was stopped */
    VIOMMU_LEVEL_LAST,
} ViommuLevel;
extern const ViommuEnum viommu_enum_level;

/* What removes a machine besides the end of its lease. */
typedef enum ViommuBind {
    VIOMMU_BIND_NONE,
    VIOMMU_BIND_CLIENT, /* the bus connection that launched it */
    VIOMMU_BIND_LAST,
} ViommuBind;
extern const ViommuEnum viommu_enum_bind;

typedef enum ViommuDiskFormat {
    VIOMMU_DISK_FORMAT_RAW,
    VIOMMU_DISK_FORMAT_QCOW2,
    VIOMMU_DISK_FORMAT_LAST,
} ViommuDiskFormat;
extern const ViommuEnum viommu_enum_disk_format;

typedef enum ViommuDiskBus {
    VIOMMU_DISK_BUS_VIRTIO,
    VIOMMU_DISK_BUS_SCSI, /* on a virtio-scsi controller */
    VIOMMU_DISK_BUS_SATA, /* never read-only: libvirt refuses that */
    VIOMMU_DISK_BUS_NVME, /* each has a controller of its own; never read-only: QEMU refuses that */
    VIOMMU_DISK_BUS_LAST,
} ViommuDiskBus;
extern const ViommuEnum viommu_enum_disk_bus;

typedef enum ViommuNetworkType {
    VIOMMU_NETWORK_TYPE_USER,
    VIOMMU_NETWORK_TYPE_NETWORK,
    VIOMMU_NETWORK_TYPE_BRIDGE,
    VIOMMU_NETWORK_TYPE_VHOSTUSER, /* another program serves the device, over a socket */
    VIOMMU_NETWORK_TYPE_VDPA,      /* hardware of the host serves it (vhost-vdpa) */
    VIOMMU_NETWORK_TYPE_LAST,
} ViommuNetworkType;
extern const ViommuEnum viommu_enum_network_type;

typedef enum ViommuNetworkModel {
    VIOMMU_NETWORK_MODEL_VIRTIO,
    VIOMMU_NETWORK_MODEL_E1000E,
    VIOMMU_NETWORK_MODEL_IGB, /* its virtual functions can be assigned inside the guest */
    VIOMMU_NETWORK_MODEL_LAST,
} ViommuNetworkModel;
extern const ViommuEnum viommu_enum_network_model;

/* Virtio devices that a machine has besides its disks and networks, at most one of each kind. */
typedef enum ViommuDeviceKind {
    VIOMMU_DEVICE_RNG, /* for entropy; each machine has it */
    VIOMMU_DEVICE_BALLOON,
    VIOMMU_DEVICE_GPU,
    VIOMMU_DEVICE_KEYBOARD,
    VIOMMU_DEVICE_MOUSE,
    VIOMMU_DEVICE_TABLET,
    VIOMMU_DEVICE_SCSI, /* a controller; disks on 'scsi' bring it, too */
    VIOMMU_DEVICE_LAST,
} ViommuDeviceKind;
extern const ViommuEnum viommu_enum_device;

/* How a guest is told its user's key, its name, and what else to do when it starts. */
typedef enum ViommuSeedBy {
    VIOMMU_SEED_BY_CLOUD_INIT,  /* a small disk, as cloud-init's NoCloud source reads it */
    VIOMMU_SEED_BY_CREDENTIALS, /* systemd's credentials, in the tables of SMBIOS */
    VIOMMU_SEED_BY_IGNITION,    /* a configuration of Ignition, in QEMU's fw_cfg */
    VIOMMU_SEED_BY_LAST,
} ViommuSeedBy;
extern const ViommuEnum viommu_enum_seed_by;

/* How a directory of the host is shared. */
typedef enum ViommuShareType {
    VIOMMU_SHARE_TYPE_VIRTIOFS, /* by virtiofsd, outside the guest's IOMMU */
    VIOMMU_SHARE_TYPE_9P,       /* by QEMU itself */
    VIOMMU_SHARE_TYPE_LAST,
} ViommuShareType;
extern const ViommuEnum viommu_enum_share_type;

/* How memory comes into a guest that runs. */
typedef enum ViommuMemoryHotplug {
    VIOMMU_MEMORY_HOTPLUG_DIMM,
    VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM,
    VIOMMU_MEMORY_HOTPLUG_LAST,
} ViommuMemoryHotplug;
extern const ViommuEnum viommu_enum_memory_hotplug;

/* How an assigned device reaches the host's IOMMU. */
typedef enum ViommuIommufd {
    VIOMMU_IOMMUFD_AUTO,
    VIOMMU_IOMMUFD_YES,
    VIOMMU_IOMMUFD_NO, /* a VFIO container */
    VIOMMU_IOMMUFD_LAST,
} ViommuIommufd;
extern const ViommuEnum viommu_enum_iommufd;

/* The most assigned devices; each has a root port. */
#define VIOMMU_HOSTDEVS_MAX 32u
/* Few guests have more, and each takes some of the bus numbers. */
#define VIOMMU_IOMMUS_MAX 8u

/* The last VLAN of IEEE 802.1Q. */
#define VIOMMU_VLAN_MAX 4094u

/* Of boot-order: more than a machine has devices. */
#define VIOMMU_BOOT_ORDER_MAX 64u

/* The most ports that are forwarded, in all networks. */
#define VIOMMU_FORWARDS_MAX  32u
#define VIOMMU_SEED_KEYS_MAX 32u
#define VIOMMU_SHARES_MAX    8u
/* A tag of 9p has 31 bytes, one of virtiofs 36. */
#define VIOMMU_SHARE_TAG_MAX 31u

/* A year; a longer use needs no lease. */
#define VIOMMU_LEASE_SECONDS_MAX 31536000u

typedef struct ViommuRequestDisk {
    ViommuFile file; /* required, unless this is the disk of the request's image */
    int format;      /* ViommuDiskFormat; required like the file, never probed */
    int bus;         /* ViommuDiskBus */
    int read_only;   /* flag */
    int translate;   /* flag: behind the IOMMU; that of the IOMMU when unset */
    int ats;         /* flag: it offers ATS to the guest */
    int overlay;     /* flag: the guest writes to an overlay */
    /* of the overlay; unset: the size of the file's image, within the bounds */
    uint64_t size_bytes, size_min_bytes, size_max_bytes;
    uint64_t boot_order; /* its place, from 1; unset: none */
    char *digest;        /* of the file: "sha256:" and 64 hexadecimal digits */
} ViommuRequestDisk;

typedef struct ViommuRequestNetwork {
    int type;            /* ViommuNetworkType; required */
    char *source;        /* a name, or the path of a socket or device; NULL: of user */
    int model;           /* ViommuNetworkModel */
    int translate;       /* flag: behind the IOMMU; that of the IOMMU when unset */
    int ats;             /* flag: it offers ATS to the guest */
    uint64_t boot_order; /* its place, from 1; unset: none */
    /* of uint64_t: TCP ports of the guest, each of which gets one of 127.0.0.1; NULL: none */
    GArray *forward;
} ViommuRequestNetwork;

typedef struct ViommuRequestDevice {
    int kind;      /* ViommuDeviceKind; required */
    int translate; /* flag: behind the IOMMU; that of the IOMMU when unset */
    int ats;       /* flag: it offers ATS to the guest */
} ViommuRequestDevice;

/* What the guest is told when it starts. */
typedef struct ViommuRequestSeed {
    bool present;
    int by;               /* ViommuSeedBy, cloud-init when unset */
    char **ssh_keys;      /* public keys, as in authorized_keys; NULL: none */
    char *user;           /* whose keys; root when unset */
    ViommuFile user_data; /* the caller's own, in place of keys and user */
    char *hostname;       /* the machine's name when unset */
} ViommuRequestSeed;

/* A directory of the host that the guest can mount. */
typedef struct ViommuRequestShare {
    char *path;    /* required */
    char *tag;     /* required; the guest mounts it by this */
    int read_only; /* flag */
    int type;      /* ViommuShareType, virtiofs when unset */
} ViommuRequestShare;

/* A device by its address, or @count devices of a kind or of a site's name. */
typedef struct ViommuRequestHostdev {
    char *address;         /* "0000:65:00.0" */
    char *name;            /* "gpus" */
    char *vendor, *device; /* four hexadecimal digits each */
    uint64_t count;        /* of that kind; 1 when unset */
    int iommufd;           /* ViommuIommufd, no when unset */
    char *driver;          /* a kernel driver instead of vfio-pci */
    uint64_t boot_order;   /* its place, from 1; unset: none */
    char *mac;             /* of a virtual function; NULL: as it is */
    uint64_t vlan;         /* of a virtual function; unset: none */
    int rombar;            /* flag: the guest sees its ROM; QEMU's choice when unset */
} ViommuRequestHostdev;

typedef struct ViommuRequestIommu {
    bool present;
    int is_supported; /* flag */
    char **model;     /* one name, keyword or regular expression, or names in order of preference */
    char **model_name;
    int required;                                            /* flag, true when unset */
    int translate;                                           /* flag, true when unset */
    int intremap, eim, caching_mode, iotlb, dma_translation; /* flags */
    uint64_t aw_bits;
    char *granule;  /* "host" or a size */
    uint64_t count; /* SMMUs, 1 when unset */
    /* of accelerated SMMUs */
    int ats, ril, cmdqv; /* flags */
    uint64_t ssidsize, oas;
} ViommuRequestIommu;

typedef struct ViommuRequest {
    char *name;
    char *image;         /* a name of the site's images, whose file is the first disk */
    bool image_is_known; /* what the site says of it is in this request: lib/request/site-image.h */
    char *arch;          /* as in the request */
    char *machine;       /* as in the request */
    int accelerator;
    uint64_t vcpus;         /* the maximum */
    uint64_t vcpus_present; /* when the guest starts; all of them when unset */
    struct {
        int vendor;         /* ViommuCpuVendor */
        int virtualization; /* flag: it has VMX or SVM */
        uint64_t address_bits;
    } cpu;
    struct {
        int type; /* ViommuLaunchSecurity; unset: none */
        uint64_t policy;
    } launch_security;
    uint64_t memory_bytes;
    uint64_t memory_max_bytes; /* what can be plugged in is included; unset: memory_bytes */
    int memory_hotplug;        /* ViommuMemoryHotplug, dimm when unset */
    struct {
        uint64_t page_size_bytes;
        int locked;
    } memory_backing;
    ViommuRequestIommu iommu;
    struct {
        char *os;
        ViommuVersion kernel;
        char **drivers;
        int agent;          /* flag: it has a QEMU guest agent */
        bool agent_offered; /* its image has one */
        int vsock;          /* flag: it gets a vsock device */
    } guest;
    ViommuRequestSeed seed;
    struct {
        ViommuFile kernel, initrd;
        char *cmdline;
        int extend_cmdline; /* flag */
        int firmware;       /* ViommuFirmware */
        int secure_boot;    /* flag */
    } boot;
    GPtrArray *disks;    /* of ViommuRequestDisk; NULL: none */
    GPtrArray *networks; /* of ViommuRequestNetwork; NULL: none */
    GPtrArray *devices;  /* of ViommuRequestDevice; NULL: none */
    GPtrArray *hostdevs; /* of ViommuRequestHostdev; NULL: none */
    GPtrArray *shares;   /* of ViommuRequestShare; NULL: none */
    uint64_t hotplug_ports;
    struct {
        uint64_t seconds;
        int bind; /* ViommuBind */
    } lease;
    int wait; /* ViommuWait */
    struct {
        int level; /* ViommuLevel, present when unset */
    } verify;
    char *request_id;
    char *fingerprint; /* computed once, by the parser */
    char *text;        /* canonical, before an image changed it; NULL: nothing did */
    /* of int, the descriptors of open files; NULL: none.  The caller set its clear function. */
    GArray *fds;
} ViommuRequest;

/** The table of the tree; tests compare it with the schema. */
extern const ViommuFields viommu_request_fields;

/** Reads @tree (a{sv}) and checks that it does not contradict itself; never looks at a host.
 *  @return owned.  Fails: INVALID_REQUEST naming the key; NOT_SUPPORTED for an existing
 *  architecture for which libvirt has no IOMMU. */
ViommuRequest *viommu_request_parse(GVariant *tree, GError **error);
void viommu_request_free(ViommuRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuRequest, viommu_request_free)

/** A disk that says nothing, to be added to the disks of a request.  Owned by them. */
ViommuRequestDisk *viommu_request_disk_new(void);

/** Whose keys @seed has.  Borrowed. */
const char *viommu_request_seed_user(const ViommuRequestSeed *seed);

/** The request as canonical text (GVariant text format, table order, sizes in bytes): requests with
 *  the same meaning have the same text.  It includes name, wait and request-id.  Owned,
 *  g_free(). */
char *viommu_request_text(const ViommuRequest *request);
/** SHA-256 of that text without the request-id, as 64 hexadecimal digits. Owned, g_free(). */
char *viommu_request_fingerprint(const ViommuRequest *request);
