/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beaker-judge: whether a system satisfies the hostRequires of a Beaker job, as Beaker decides it
 * from its inventory of the system.
 * Source: Server/bkr/server/needpropertyxml.py of Beaker.
 * Knows no host; pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What the inventory says of a system.  An element can have several values, as cpu/flag has; one
 * without any is not known. */
typedef struct ViommuBeakerFact {
    char *element; /* "arch", "cpu/flag", "key_value VIRT_IOMMU": the names in the judge's table */
    char *value;   /* "" as hypervisor: none; memory in MiB, disk/size in bytes */
} ViommuBeakerFact;

/** Of ViommuBeakerFact; owned, g_ptr_array_unref(). */
GPtrArray *viommu_beaker_facts_new(void);
/** @value is copied; NULL: adds nothing. */
void viommu_beaker_facts_add(GPtrArray *facts, const char *element, const char *value);
bool viommu_beaker_facts_has(const GPtrArray *facts, const char *element);

/** A sentence that says whether the system with these facts satisfies the one hostRequires in @xml,
 *  or that this is not known; with the conditions that do not hold, or that are not judged.  Owned,
 *  g_free().
 *  Fails: INVALID_REQUEST, as viommu_beaker_read(). */
char *viommu_beaker_judge(const char *xml, const GPtrArray *facts, GError **error);
