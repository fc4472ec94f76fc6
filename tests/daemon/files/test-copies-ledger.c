/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-copies-ledger: what copies count, of all users and of one. */
#include "tests/unit/unit.h"

#include "daemon/files/copies-ledger.h"

static ViommuLedger *make(void)
{
    ViommuLedger *ledger = viommu_ledger_new();

    viommu_ledger_note(ledger, "a", 1000, &(ViommuCopiesSize){10, 100});
    viommu_ledger_note(ledger, "b", 1000, &(ViommuCopiesSize){20, 0});
    viommu_ledger_note(ledger, "c", 1001, &(ViommuCopiesSize){3, 1000});
    return ledger;
}

#define assert_size(size, copies, overlays)                \
    do {                                                   \
        ck_assert_uint_eq((size).bytes, copies);           \
        ck_assert_uint_eq((size).overlay_bytes, overlays); \
    } while (0)

START_TEST(sums)
{
    ViommuLedger *ledger = make();
    ViommuCopiesSize all, user;

    viommu_ledger_sum(ledger, 1000, 0, &all, &user);
    assert_size(all, 33, 1100);
    assert_size(user, 30, 100);
    viommu_ledger_sum(ledger, 1002, 0, &all, &user);
    assert_size(user, 0, 0);
    /* In place of the earlier record, and without one. */
    viommu_ledger_note(ledger, "a", 1000, &(ViommuCopiesSize){1, 1});
    viommu_ledger_note(ledger, "c", 1001, &(ViommuCopiesSize){0, 0});
    ck_assert(!viommu_ledger_has(ledger, "c"));
    viommu_ledger_sum(ledger, 1000, 0, &all, &user);
    assert_size(all, 21, 1);
    viommu_ledger_free(ledger);
}
END_TEST

/* A user who makes own copies huge uses up the own share alone; overlays have the size that viommud
 * gave them. */
START_TEST(one_user_counts_its_share)
{
    ViommuLedger *ledger = make();
    ViommuCopiesSize all, user;

    viommu_ledger_note(ledger, "b", 1000, &(ViommuCopiesSize){(uint64_t)1 << 60, 0});
    viommu_ledger_sum(ledger, 1000, 50, &all, &user);
    assert_size(all, 53, 1100);
    assert_size(user, ((uint64_t)1 << 60) + 10, 100);
    /* The limits that follow from the host's size are not for root. */
    viommu_ledger_note(ledger, "d", 0, &(ViommuCopiesSize){100, 0});
    viommu_ledger_sum(ledger, 0, 50, &all, &user);
    assert_size(all, 153, 1100);
    viommu_ledger_free(ledger);
}
END_TEST

UNIT_MAIN("copies-ledger", sums, one_user_counts_its_share)
