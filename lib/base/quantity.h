/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quantity: sizes in bytes, as numbers and as text.  The only place that converts units. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VIOMMU_KIB ((uint64_t)1024)
#define VIOMMU_MIB (1024 * VIOMMU_KIB)
#define VIOMMU_GIB (1024 * VIOMMU_MIB)

/** Reads "512 MiB", "2GiB", "1048576 B", "4k" or a plain number of bytes.  Units: B, KiB, MiB,
 *  GiB, TiB, and the decimal KB, MB, GB, TB; the letters K, M, G, T mean the binary ones, as in
 *  QEMU and virsh. No sign, no fraction.  Fails: INVALID_REQUEST, also when the size does not fit
 *  64 bits. */
bool viommu_quantity_parse(const char *text, uint64_t *ret_bytes, GError **error);
/** "512 MiB": the largest binary unit that keeps a whole number. Owned, g_free(). */
char *viommu_quantity_format(uint64_t bytes);
/** Bytes to KiB, rounded up. */
uint64_t viommu_quantity_kib(uint64_t bytes);
/** a * b + c; false, and *ret untouched, when the result does not fit 64 bits. */
bool viommu_quantity_mul_add(uint64_t a, uint64_t b, uint64_t c, uint64_t *ret);
