/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copies-ledger: which copies and overlays exist, whose they are, and how large.  They count from
 * before they are made until they are known to be gone, which may be after their machine is.
 * Knows numbers; touches no file. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/files/boot-copies.h"

typedef struct ViommuLedger ViommuLedger;

/** Owned. */
ViommuLedger *viommu_ledger_new(void);
void viommu_ledger_free(ViommuLedger *ledger);

/** Records that the copies of @uuid, of user @uid, take @size, in place of an earlier record.  All
 *  of it 0: there are none. */
void viommu_ledger_note(ViommuLedger *ledger, const char *uuid, uint32_t uid, const ViommuCopiesSize *size);
/** Records that @uuid has no copies any more. */
void viommu_ledger_drop(ViommuLedger *ledger, const char *uuid);
bool viommu_ledger_has(const ViommuLedger *ledger, const char *uuid);
/** The size of all copies, and of those of @uid.  Users can make their own copies larger than
 *  viommud made them, so among all the copies of one user, except root, count @user_max_bytes at
 *  most; 0: without a bound. */
void viommu_ledger_sum(const ViommuLedger *ledger, uint32_t uid, uint64_t user_max_bytes,
                       ViommuCopiesSize *ret_all, ViommuCopiesSize *ret_user);
/** The UUIDs with copies, of char *.  Owned. */
GPtrArray *viommu_ledger_list(const ViommuLedger *ledger);
