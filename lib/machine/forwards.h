/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* forwards: the ports of a guest that are reached through ports of this host, and what QEMU says of
 * them.  Knows neither requests nor libvirt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Where the ports of this host are: other hosts do not reach them. */
#define VIOMMU_FORWARD_ADDRESS "127.0.0.1"
/* No machine has more. */
#define VIOMMU_FORWARDS_READ_MAX 256u

typedef struct ViommuForward {
    uint16_t network; /* its position among the networks of the machine */
    uint16_t guest_port;
    uint16_t host_port; /* 0: QEMU has not opened it yet; passt's are known before */
} ViommuForward;

/** Reads the answer to QEMU's "info usernet", which QEMU 5.2 to 11.1 write alike.  The guest's own
 *  connections, and ports at other addresses, are skipped.  Returns an array of ViommuForward, by
 *  network, guest's port and host's port.  Owned.  Fails: BACKEND, when the answer is longer than
 *  4 MiB, when a port is not written as QEMU writes it, and when there are more than
 *  VIOMMU_FORWARDS_READ_MAX. */
GArray *viommu_forwards_read(const char *answer, GError **error);
/** Whether @a and @b have the same ports; NULL is an empty array. */
bool viommu_forwards_equal(const GArray *a, const GArray *b);
