/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* message-header: the beginning of a message as it comes from the socket: how long it is, what it
 * is, and how many descriptors come with it.  Pure; does not know sd-bus. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes that tell the length. */
#define VIOMMU_MESSAGE_FIXED_BYTES 16u
/* A header with longer names and paths than these bytes hold is not read. */
#define VIOMMU_MESSAGE_HEADER_MAX 4096u

/* All texts point into the bytes; NULL: not there. */
typedef struct ViommuMessageHeader {
    uint64_t bytes; /* of the whole message */
    bool is_call;
    const char *interface, *member, *sender;
    uint32_t n_fds;
} ViommuMessageHeader;

/** Reads the @n @bytes from the beginning of a message.  False: they do not begin one, or not with
 *  all of its fixed part.  When the rest of the header is not all there, or is broken, only its
 *  length is told. */
bool viommu_message_header_read(const uint8_t *bytes, size_t n, ViommuMessageHeader *ret_header);
