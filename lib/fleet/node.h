/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* node: a host as Slurm counts it: processors, memory, features and generic resources (GRES).
 * Knows Slurm's words; talks to nobody. */
#pragma once

#include "lib/host/host.h"
#include "lib/policy/policy.h"
#include "lib/request/site-image.h"

/* Of the feature of a model that a guest of the node has proven; then follow "kvm_" or nothing, and
 * "ARCH_MODEL".  tools/slurm/health.sh sets it. */
#define VIOMMU_FLEET_PROOF_PREFIX "viommu_proven_"
/* Of the feature of an image. */
#define VIOMMU_FLEET_IMAGE_PREFIX "vi_"

typedef struct ViommuFleetGres {
    char *name; /* "pci_8086_1572", "hugepages_2m" */
    uint64_t count;
} ViommuFleetGres;

typedef struct ViommuFleetNode {
    uint64_t cpus;       /* 0: not known */
    uint64_t memory_mib; /* without huge pages and what the site keeps; 0: not known or none */
    char *class;         /* of the host */
    GPtrArray *features; /* of char *, the class among them */
    GPtrArray *gres;     /* of ViommuFleetGres */
} ViommuFleetNode;

typedef struct ViommuFleetNodeInput {
    const ViommuHost *host;
    const ViommuPolicy *policy;
    /* what members of viommud's group may have; NULL: whatever the host does not use */
    const ViommuSite *site;
    const GPtrArray *digests; /* of char *, those of the site's images; NULL: none */
    uint64_t cpus;            /* 0: not known */
    /* the site's limits for all machines together; 0: none */
    uint64_t most_vcpus, most_memory_bytes;
} ViommuFleetNodeInput;

/** Owned.  Pure. */
ViommuFleetNode *viommu_fleet_node_new(const ViommuFleetNodeInput *input);
void viommu_fleet_node_free(ViommuFleetNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuFleetNode, viommu_fleet_node_free)

/** "CPUs=8 RealMemory=7000 Feature=viommu,... Gres=...": words of a line NodeName= of slurm.conf,
 *  or of "slurmd -Z --conf".  What is not known is left out.  Owned, g_free(). */
char *viommu_fleet_node_words(const ViommuFleetNode *node);
/** The same as a floating a{sv}: cpus, memory-mib, class, features, gres (a{sv} of t). */
GVariant *viommu_fleet_node_to_variant(const ViommuFleetNode *node);

/** Names of GRES, for nodes and jobs alike.  Owned, g_free(). */
char *viommu_fleet_gres_pages(uint64_t page_size_bytes);
char *viommu_fleet_gres_device(uint64_t vendor, uint64_t device);
/** Adds to the count of @name in @gres, of ViommuFleetGres. */
void viommu_fleet_gres_add(GPtrArray *gres, const char *name, uint64_t count);
/** An empty list for it.  Owned. */
GPtrArray *viommu_fleet_gres_new(void);
/** "pci_8086_1572:2,hugepages_2m:1024".  Owned, g_free(). */
char *viommu_fleet_gres_words(const GPtrArray *gres);
/** The feature of a node that has an image with @digest ("sha256:" and 64 digits).  Owned,
 *  g_free(). */
char *viommu_fleet_image_feature(const char *digest);
