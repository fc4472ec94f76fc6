/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* banner: whether an ssh server answers at an address.  Knows no machine. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* QEMU accepts connections at a forwarded port before the guest does, so only the first words of
 * the server tell that it is there.  Several connections are open at once, because the
 * guest may have lost the first packets of an early one. */
typedef struct ViommuBanner ViommuBanner;

/** @address: a numeric address.  Owned.  Fails: INVALID_REQUEST if it is none. */
ViommuBanner *viommu_banner_new(const char *address, unsigned port, GError **error);
void viommu_banner_free(ViommuBanner *banner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuBanner, viommu_banner_free)
/** Waits for the server for about @msec milliseconds; true: it answers. */
bool viommu_banner_wait(ViommuBanner *banner, unsigned msec);
