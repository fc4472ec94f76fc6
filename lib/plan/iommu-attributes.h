/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommu-attributes: decides which <driver> attributes a model has, which of the requested ones it
 * cannot have, and which values it gets. */
#pragma once

#include "lib/plan/iommu-rules.h"

/* QEMU: "Supported values for aw-bits are: 39, 48". */
#define VIOMMU_INTEL_NARROW_BITS 39u
#define VIOMMU_INTEL_WIDE_BITS   48u

/** Refuses the candidate for every requested attribute that its model, this libvirt or this QEMU
 *  does not have.  A request for the value that the attribute's absence means ("intremap": false)
 *  asks for nothing. */
void viommu_iommu_attributes_judge(const ViommuJudging *judging);

/* The word that makes Linux skip the check of its timer. */
#define VIOMMU_TIMER_WORD "no_timer_check"

/** The smallest page that a virtio IOMMU would map here, by request or by default;
 *  VIOMMU_UNSET_NUMBER: not known, because the host's page size is not. */
uint64_t viommu_iommu_granule(const ViommuIommuInput *input);
/** Whether Linux may panic in its check of the timer on a busy host, if interrupts are remapped. */
bool viommu_iommu_risks_timer(const ViommuIommuInput *input);

/** The attributes of the chosen @model: the requested ones, and what a working IOMMU needs.  The
 *  caller initialises @ret_attributes. */
void viommu_iommu_attributes_choose(const ViommuIommuInput *input, ViommuModel model,
                                    ViommuIommuAttributes *ret_attributes);
/** Chooses the attributes of accelerated SMMUs. */
void viommu_iommu_accelerate(const ViommuIommuInput *input, ViommuIommuChoice *choice);
