/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copies-ledger: what copies of kernels and initrds there are, of whom, and how large.  They are
 * counted from before they are made until they are known to be gone, which may be later than their
 * machine is.  Knows numbers; touches no file. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuLedger ViommuLedger;

/** Owned. */
ViommuLedger *viommu_ledger_new(void);
void viommu_ledger_free(ViommuLedger *ledger);

/** Copies of @uuid, which is user @uid's, take @bytes; in place of what was noted of it.  0: there
 *  are none. */
void viommu_ledger_note(ViommuLedger *ledger, const char *uuid, uint32_t uid, uint64_t bytes);
/** There are none of @uuid any more. */
void viommu_ledger_drop(ViommuLedger *ledger, const char *uuid);
bool viommu_ledger_has(const ViommuLedger *ledger, const char *uuid);
/** What all copies take, and those of @uid. */
void viommu_ledger_sum(const ViommuLedger *ledger, uint32_t uid, uint64_t *ret_all, uint64_t *ret_user);
/** The UUIDs that it has copies of, of char *. Owned. */
GPtrArray *viommu_ledger_list(const ViommuLedger *ledger);
