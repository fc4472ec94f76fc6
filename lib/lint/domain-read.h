/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-read: reads the XML of a domain into what a request could say, each word with its place,
 * and into the devices that an IOMMU can serve.  Hostile text: nothing of it becomes a path or a
 * name.  Judges nothing. */
#pragma once

#include "lib/base/xml-read.h"
#include "lib/host/host.h"

/* A word of the domain that is a key of a request. */
typedef struct ViommuDomainPart {
    const char *key; /* "iommu.eim"; several "hostdevs" are one list.  Static */
    GVariant *value; /* owned */
    const xmlNode *node;
    const char *attribute; /* NULL: the element.  Static */
    bool dropped;          /* for the caller: it is left out of the request */
} ViommuDomainPart;

/* A virtio device. */
typedef struct ViommuDomainDevice {
    const xmlNode *node, *driver; /* NULL: it has no <driver> */
    const char *noun;             /* "disk".  Static */
    const char *outside;          /* why an IOMMU may not serve it; NULL: it can.  Static */
    bool may_translate;           /* who serves it may be able to, all the same */
    bool needs_maps;              /* behind an IOMMU, QEMU must see the guest's mappings */
    bool maps_memory;             /* another program maps the guest's memory */
    bool behind;                  /* iommu='on' */
    bool legacy;                  /* the guest may take it for a device from before virtio 1.0 */
    bool kept_on_bus_0;           /* its address says so */
    int network;                  /* its index among the "networks"; VIOMMU_UNSET: it is none */
    bool is_vsock;
    bool without_vhost; /* QEMU itself serves the network */
    bool ats;           /* it offers ATS to the guest */
} ViommuDomainDevice;

typedef struct ViommuDomainRead {
    xmlDoc *document; /* numbered; see xml-places */
    GArray *places;
    GPtrArray *parts;   /* of ViommuDomainPart; what changes little comes first */
    GPtrArray *devices; /* of ViommuDomainDevice */
    /* elements; NULL: there is none */
    const xmlNode *root, *os, *features, *devices_node, *iommu, *iommu_driver;
    unsigned n_iommus, n_hostdevs; /* of the latter, no more than a request can have are parts */
    char *odd_model;               /* of the <iommu>, which is none of libvirt's; NULL: it is one */
    bool has_accelerated;          /* an <iommu> with accel='on' */
    bool has_networks;             /* of the request */
    bool shares_memory;            /* with other programs */
    bool has_acpi, has_split_ioapic, has_own_firmware, has_balloon;
    uint64_t hard_limit_bytes; /* <memtune>; VIOMMU_UNSET_NUMBER: none */
    const xmlNode *hard_limit;
} ViommuDomainRead;

void viommu_domain_read_free(ViommuDomainRead *read);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuDomainRead, viommu_domain_read_free)

/** @host: for the size of an ordinary page.  Fails: INVALID_REQUEST, when @xml is no domain of
 *  QEMU, or too long. Owned. */
ViommuDomainRead *viommu_domain_read(const char *xml, const ViommuHost *host, GError **error);
/** Says what runs in the guest, instead of the domain. */
void viommu_domain_read_set_os(ViommuDomainRead *read, const char *os);
/** domain-request: puts the parts that change little before those that change much. */
void viommu_domain_sort_parts(ViommuDomainRead *read);
/** domain-request: the parts that are not dropped, as the tree of a request.  Floating. */
GVariant *viommu_domain_request(const ViommuDomainRead *read);
