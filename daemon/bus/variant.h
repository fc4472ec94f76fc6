/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* variant: trees of values between sd-bus messages and GVariant.  Knows limits, no keys. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/* Limits of what a client may send, far above any request. */
/* Levels of containers; the facts of a host have some twenty. */
#define VIOMMU_BUS_DEPTH_MAX 32u
#define VIOMMU_BUS_BYTES_MAX (256u * 1024) /* all values together; a number counts as 16 bytes */
#define VIOMMU_BUS_FILES_MAX 64u           /* descriptors; a request has room for eighteen */

/** Reads the next a{sv} of @message.  @ret_tree owned, not floating.  Fails: INVALID_REQUEST above
 *  the limits, or for a file descriptor; INTERNAL. */
bool viommu_bus_variant_read(sd_bus_message *message, GVariant **ret_tree, GError **error);
/** The same with file descriptors, each as (sh): the name of its file, and its index in *ret_fds.
 *  @host_only: each must be of a file in the host's own mount namespace, on a file system that
 *  stores files; then its name is one of the host's, too.  No file system is asked anything.
 *  @ret_fds: of int, closed with the array.  Owned.  Also fails: BUSY when too many are open;
 *  POLICY_REFUSED for another file. */
bool viommu_bus_variant_read_files(sd_bus_message *message, bool host_only, GVariant **ret_tree,
                                   GArray **ret_fds, GError **error);
/** The size of @message: its path and its values, where a number counts as 16 bytes.  Reads it from
 *  its beginning, and leaves it there.  False: it is larger than VIOMMU_BUS_BYTES_MAX, nested
 *  deeper than VIOMMU_BUS_DEPTH_MAX, or invalid. */
bool viommu_bus_variant_measure(sd_bus_message *message, size_t *ret_bytes);
/** Appends @value, which viommud made: maybe values only of strings, where nothing becomes "";
 *  handles are open file descriptors.  Negative: an error of sd-bus. */
int viommu_bus_variant_append(sd_bus_message *message, GVariant *value);
