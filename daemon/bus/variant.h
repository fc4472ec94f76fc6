/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* variant: trees of values between sd-bus messages and GVariant.  Knows limits, no keys. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/* What a client may send: no request comes near. */
/* Containers inside each other; the facts of a host have some twenty. */
#define VIOMMU_BUS_DEPTH_MAX 32u
#define VIOMMU_BUS_BYTES_MAX (256u * 1024) /* all values together, a number counting as 16 bytes */
#define VIOMMU_BUS_FILES_MAX 64u           /* descriptors; a request has room for eighteen */

/** Reads the next a{sv} of @message.  @ret_tree owned, not floating.  Fails: INVALID_REQUEST beyond
 *  the limits, or for a file descriptor; INTERNAL. */
bool viommu_bus_variant_read(sd_bus_message *message, GVariant **ret_tree, GError **error);
/** The same with file descriptors, each as a (sh): the name of what it is open on, and its index in
 *  *ret_fds. @host_only: what they are open on must be a file of the host's own mount namespace, on
 *  a file system that keeps files; then its name is one of the host's, too.  No file system is
 *  asked anything. @ret_fds: of int, which are closed with it. Owned.  Fails also: BUSY when too
 *  many are open; POLICY_REFUSED for another file. */
bool viommu_bus_variant_read_files(sd_bus_message *message, bool host_only, GVariant **ret_tree,
                                   GArray **ret_fds, GError **error);
/** How large @message is: its path and its values, a number counting as 16 bytes.  Reads it from
 *  its beginning, and leaves it there.  False: it is larger than VIOMMU_BUS_BYTES_MAX, nested
 *  deeper than VIOMMU_BUS_DEPTH_MAX, or broken. */
bool viommu_bus_variant_measure(sd_bus_message *message, size_t *ret_bytes);
/** Appends @value, of our own making: maybe values only as strings, nothing being ""; handles are
 *  open file descriptors themselves.  Below 0 as sd-bus returns it. */
int viommu_bus_variant_append(sd_bus_message *message, GVariant *value);
