/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* message-header: reads the fixed part, then a(yv) with values of simple types. */
#include "daemon/bus/message-header.h"

#include <glib.h>
#include <string.h>

#define TYPE_CALL 1u

typedef enum Field {
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_SENDER = 7,
    FIELD_UNIX_FDS = 9,
} Field;

typedef struct Cursor {
    const uint8_t *bytes;
    size_t at, end;
    bool is_big;
} Cursor;

static uint32_t number_at(const uint8_t *bytes, bool is_big)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof(number));
    return is_big ? GUINT32_FROM_BE(number) : GUINT32_FROM_LE(number);
}

static bool align(Cursor *cursor, size_t to)
{
    cursor->at += (to - cursor->at % to) % to;
    return cursor->at <= cursor->end;
}

static bool take_byte(Cursor *cursor, uint8_t *ret_byte)
{
    if (cursor->at >= cursor->end)
        return false;
    *ret_byte = cursor->bytes[cursor->at++];
    return true;
}

static bool take_number(Cursor *cursor, uint32_t *ret_number)
{
    if (!align(cursor, 4) || cursor->end - cursor->at < 4)
        return false;
    *ret_number = number_at(cursor->bytes + cursor->at, cursor->is_big);
    cursor->at += 4;
    return true;
}

/* @length bytes, and a zero after them. */
static bool take_text(Cursor *cursor, size_t length, const char **ret_text)
{
    const char *text = (const char *)cursor->bytes + cursor->at;

    if (cursor->end - cursor->at <= length || memchr(text, 0, length) || text[length])
        return false;
    cursor->at += length + 1;
    *ret_text = text;
    return true;
}

static bool take_value(Cursor *cursor, char type, const char **ret_text, uint32_t *ret_number)
{
    uint32_t length;
    uint8_t short_length;

    switch (type) {
    case 's':
    case 'o':
        return take_number(cursor, &length) && take_text(cursor, length, ret_text);
    case 'g':
        return take_byte(cursor, &short_length) && take_text(cursor, short_length, ret_text);
    case 'u':
        return take_number(cursor, ret_number);
    default: /* no field of the protocol has another type */
        return false;
    }
}

static bool take_field(Cursor *cursor, ViommuMessageHeader *header)
{
    const char *type, *text = NULL;
    uint32_t number = 0;
    uint8_t code, length;

    if (!align(cursor, 8) || !take_byte(cursor, &code) || !take_byte(cursor, &length) ||
        !take_text(cursor, length, &type) || length != 1 || !take_value(cursor, type[0], &text, &number))
        return false;
    if (code == FIELD_INTERFACE)
        header->interface = text;
    else if (code == FIELD_MEMBER)
        header->member = text;
    else if (code == FIELD_SENDER)
        header->sender = text;
    else if (code == FIELD_UNIX_FDS)
        header->n_fds = number;
    return true;
}

bool viommu_message_header_read(const uint8_t *bytes, size_t n, ViommuMessageHeader *ret_header)
{
    ViommuMessageHeader header = {0};
    Cursor cursor = {.bytes = bytes, .at = VIOMMU_MESSAGE_FIXED_BYTES};
    uint64_t fields;

    if (n < VIOMMU_MESSAGE_FIXED_BYTES || (bytes[0] != 'l' && bytes[0] != 'B'))
        return false;
    cursor.is_big = bytes[0] == 'B';
    fields = number_at(bytes + 12, cursor.is_big);
    header.bytes = VIOMMU_MESSAGE_FIXED_BYTES + (fields + 7) / 8 * 8 + number_at(bytes + 4, cursor.is_big);
    *ret_header = header;
    if (fields > n - VIOMMU_MESSAGE_FIXED_BYTES)
        return true;
    cursor.end = VIOMMU_MESSAGE_FIXED_BYTES + (size_t)fields;
    while (cursor.at < cursor.end)
        if (!take_field(&cursor, &header))
            return true;
    header.is_call = bytes[1] == TYPE_CALL;
    *ret_header = header;
    return true;
}
