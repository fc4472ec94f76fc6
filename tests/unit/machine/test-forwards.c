/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-forwards: what QEMU says of forwarded ports.  The first answer is QEMU 7.2's, with a
 * connection of the guest's. */
#include "lib/machine/forwards.h"

#include <string.h>

#include "lib/base/error.h"
#include "tests/unit/unit.h"

#define HEADER "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
#define LINE   "  TCP[HOST_FORWARD]  11       127.0.0.1 35621       10.0.2.15    22     0     0\r\n"

static void reads(const char *answer, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) forwards = viommu_forwards_read(answer, &error);
    g_autoptr(GString) text = g_string_new(NULL);

    unit_assert_ok(forwards != NULL, error);
    for (guint i = 0; i < forwards->len; i++) {
        const ViommuForward *forward = &g_array_index(forwards, ViommuForward, i);

        g_string_append_printf(text, "%u:%u=%u ", forward->network, forward->guest_port, forward->host_port);
    }
    ck_assert_str_eq(text->str, expected);
}

static void refuses(const char *answer)
{
    g_autoptr(GError) error = NULL;

    ck_assert_msg(!viommu_forwards_read(answer, &error), "%s", answer);
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
}

START_TEST(ports_are_read)
{
    reads("", "");
    reads("Hub -1 (hostnet0):\r\n" HEADER, "");
    reads("Hub -1 (hostnet0):\r\n" HEADER
          "  TCP[ESTABLISHED]   17       10.0.2.15 49152       192.0.2.7    80     0     0\r\n"
          "  TCP[HOST_FORWARD]  13       127.0.0.1 41293       10.0.2.15  8080     0     0\r\n" LINE
          "  UDP[236 sec]       18       10.0.2.15 40000       192.0.2.9    53     0     0\r\n"
          "  ICMP[0 sec]        19       10.0.2.15     -       192.0.2.9     -     0     0\r\n"
          "Hub 3 (hostnet12):\r\n" HEADER
          "  TCP[HOST_FORWARD]  12       127.0.0.1     1       10.0.2.15 65535     0     0\n",
          "0:22=35621 0:8080=41293 12:65535=1 ");
}
END_TEST

/* Somebody with rights on libvirt can have added more. */
START_TEST(what_viommud_did_not_ask_for_is_skipped)
{
    reads("Hub -1 (hostnet0):\r\n"
          "  TCP[HOST_FORWARD]  13               *    80       10.0.2.15    80     0     0\r\n"
          "  UDP[HOST_FORWARD]  14       127.0.0.1    81       10.0.2.15    80     0     0\r\n" LINE,
          "0:22=35621 ");
    reads(LINE "Hub -1 (other):\r\n" LINE "Hub -1 (hostnet):\r\n" LINE "Hub -1 (hostnet1000):\r\n" LINE
               "Hub -1 (hostnet1) :\r\n" LINE "(hostnet1):\r\n" LINE,
          "");
}
END_TEST

START_TEST(another_answer_is_refused)
{
    static const char *const lines[] = {
        "  TCP[HOST_FORWARD]  11       127.0.0.1 0           10.0.2.15    22     0     0\r\n",
        "  TCP[HOST_FORWARD]  11       127.0.0.1 65536       10.0.2.15    22     0     0\r\n",
        "  TCP[HOST_FORWARD]  11       127.0.0.1 -1          10.0.2.15    22     0     0\r\n",
        "  TCP[HOST_FORWARD]  11       127.0.0.1 35621       10.0.2.15     *     0     0\r\n",
        "  TCP[HOST_FORWARD]  11       127.0.0.1 35621       10.0.2.15    22     0\r\n",
        "  TCP[HOST_FORWARD]  11       127.0.0.1 35621       10.0.2.15    22     0     0 0\r\n",
        "  TCP[HOST_FORWARD] \r\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *answer = g_strconcat("Hub -1 (hostnet0):\r\n" HEADER, lines[i], NULL);

        refuses(answer);
    }
}
END_TEST

START_TEST(long_answers_are_refused)
{
    g_autoptr(GString) answer = g_string_new("Hub -1 (hostnet0):\r\n");
    g_autoptr(GArray) forwards = NULL;
    g_autofree char *blanks = g_strnfill((4u << 20) + 1, ' ');

    for (unsigned i = 0; i < VIOMMU_FORWARDS_READ_MAX; i++)
        g_string_append(answer, LINE);
    forwards = viommu_forwards_read(answer->str, NULL);
    ck_assert_uint_eq(forwards->len, VIOMMU_FORWARDS_READ_MAX);
    g_string_append(answer, LINE);
    refuses(answer->str);
    refuses(blanks);
    blanks[4u << 20] = '\0';
    reads(blanks, "");
}
END_TEST

START_TEST(changes_are_seen)
{
    g_autoptr(GArray) one = viommu_forwards_read("Hub -1 (hostnet0):\r\n" LINE, NULL);
    g_autoptr(GArray) same = viommu_forwards_read("Hub -1 (hostnet0):\r\n" LINE, NULL);
    g_autoptr(GArray) other = viommu_forwards_read("Hub -1 (hostnet1):\r\n" LINE, NULL);
    g_autoptr(GArray) none = viommu_forwards_read("", NULL);

    ck_assert(viommu_forwards_equal(one, same));
    ck_assert(viommu_forwards_equal(NULL, none));
    ck_assert(viommu_forwards_equal(NULL, NULL));
    ck_assert(!viommu_forwards_equal(one, other));
    ck_assert(!viommu_forwards_equal(one, NULL));
    ck_assert(!viommu_forwards_equal(none, one));
}
END_TEST

UNIT_MAIN("forwards", ports_are_read, what_viommud_did_not_ask_for_is_skipped, another_answer_is_refused,
          long_answers_are_refused, changes_are_seen)
