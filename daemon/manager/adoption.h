/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* adoption: how long the start of viommud waits for libvirt.  Knows which parts of the first
 * contact are under way; does not know what they do. */
#pragma once

#include "daemon/process/loop.h"

typedef struct ViommuAdoption ViommuAdoption;

/** @loop is borrowed. Owned. */
ViommuAdoption *viommu_adoption_new(ViommuLoop *loop);
void viommu_adoption_free(ViommuAdoption *adoption);

/** Waits for a connection to libvirt and for the parts that follow.  Calls @func once: when all
 *  parts are done, or when libvirt is away or slow and the rest must be done later. */
void viommu_adoption_begin(ViommuAdoption *adoption, ViommuLoopFunc func, void *userdata);
/** libvirt is connected, and @parts more parts are under way. */
void viommu_adoption_connected(ViommuAdoption *adoption, unsigned parts);
void viommu_adoption_part_done(ViommuAdoption *adoption);
/** libvirt is away: ends the waiting. */
void viommu_adoption_finish(ViommuAdoption *adoption);
/** viommud ends: @func is not called any more. */
void viommu_adoption_cancel(ViommuAdoption *adoption);
