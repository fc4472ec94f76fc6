/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* message-header: reads the beginning of a message from the socket: its length, its kind, and how
 * many descriptors come with it.  Pure; does not know sd-bus. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes with the length. */
#define VIOMMU_MESSAGE_FIXED_BYTES 16u
/* The longest header that is read; longer names and paths are not read. */
#define VIOMMU_MESSAGE_HEADER_MAX 4096u

/* All texts point into the bytes; NULL: missing. */
typedef struct ViommuMessageHeader {
    uint64_t bytes; /* of the whole message */
    bool is_call;
    const char *interface, *member, *sender;
    uint32_t n_fds;
} ViommuMessageHeader;

/** Reads the @n @bytes of the beginning of a message.  False: they do not begin a message, or lack
 *  a part of its fixed bytes.  If the rest of the header is incomplete or broken, only its length
 *  is set. */
bool viommu_message_header_read(const uint8_t *bytes, size_t n, ViommuMessageHeader *ret_header);
