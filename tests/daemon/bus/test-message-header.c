/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-message-header: headers in both byte orders, and headers that are cut off or broken at each
 * byte. */
#include "tests/unit/unit.h"

#include <string.h>
#include "daemon/bus/message-header.h"

/* Launch, from :1.7, with three descriptors and a body of five bytes. */
static const uint8_t call[] = "l\1\0\1\5\0\0\0\11\0\0\0\150\0\0\0"
                              "\1\1o\0\13\0\0\0/org/viommu\0\0\0\0\0"
                              "\2\1s\0\23\0\0\0org.viommu1.Manager\0\0\0\0\0"
                              "\3\1s\0\6\0\0\0Launch\0\0"
                              "\7\1s\0\4\0\0\0:1.7\0\0\0\0"
                              "\10\1g\0\1h\0\0"
                              "\11\1u\0\3\0\0\0"
                              "BODY";

#define CALL_BYTES (sizeof(call))
#define FIELDS_END (sizeof(call) - 5)

static void assert_launch(const ViommuMessageHeader *header)
{
    ck_assert(header->is_call);
    ck_assert_str_eq(header->interface, "org.viommu1.Manager");
    ck_assert_str_eq(header->member, "Launch");
    ck_assert_str_eq(header->sender, ":1.7");
    ck_assert_uint_eq(header->n_fds, 3);
}

START_TEST(a_call)
{
    ViommuMessageHeader header;

    ck_assert(viommu_message_header_read(call, CALL_BYTES, &header));
    assert_launch(&header);
    ck_assert_uint_eq(header.bytes, CALL_BYTES);
    ck_assert(viommu_message_header_read(call, FIELDS_END, &header));
    assert_launch(&header);
}
END_TEST

/* A header that is not complete gives only its length. */
START_TEST(cut_off)
{
    ck_assert(!viommu_message_header_read(call, 0, &(ViommuMessageHeader){0}));
    for (size_t n = 1; n < FIELDS_END; n++) {
        g_autofree uint8_t *part = memcpy(g_malloc(n), call, n);
        ViommuMessageHeader header = {.n_fds = 99};

        if (n < VIOMMU_MESSAGE_FIXED_BYTES) {
            ck_assert(!viommu_message_header_read(part, n, &header));
            continue;
        }
        ck_assert(viommu_message_header_read(part, n, &header));
        ck_assert_uint_eq(header.bytes, CALL_BYTES);
        ck_assert(!header.is_call && !header.sender && header.n_fds == 0);
    }
}
END_TEST

/* No value of a byte makes the parser read beyond the end. */
START_TEST(broken)
{
    for (size_t at = 0; at < FIELDS_END; at++)
        for (unsigned value = 0; value < 256; value++) {
            g_autofree uint8_t *bytes = memcpy(g_malloc(FIELDS_END), call, FIELDS_END);
            ViommuMessageHeader header;

            bytes[at] = (uint8_t)value;
            if (!viommu_message_header_read(bytes, FIELDS_END, &header))
                ck_assert_uint_eq(at, 0);
            else if (header.sender)
                ck_assert_uint_le(strlen(header.sender), FIELDS_END);
        }
}
END_TEST

START_TEST(other_messages)
{
    static const uint8_t big[] = "B\4\0\1\0\0\0\1\0\0\0\11\0\0\0\10\11\1u\0\0\0\0\2",
                         variant[] = "l\1\0\1\0\0\0\0\11\0\0\0\12\0\0\0\12\2ai\0\0\0\0\0\0";
    ViommuMessageHeader header;

    ck_assert(viommu_message_header_read(big, sizeof(big) - 1, &header));
    ck_assert(!header.is_call);
    ck_assert_uint_eq(header.n_fds, 2);
    ck_assert_uint_eq(header.bytes, 16 + 8 + 1);
    ck_assert(viommu_message_header_read(variant, sizeof(variant) - 1, &header));
    ck_assert(!header.is_call);
    ck_assert(!viommu_message_header_read((const uint8_t *)"OK 0123456789abcdef\r\n", 21, &header));
}
END_TEST

UNIT_MAIN("message-header", a_call, cut_off, broken, other_messages)
