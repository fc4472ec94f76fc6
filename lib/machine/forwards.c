/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* forwards: a line names a network, and the lines below it have its ports. */
#include "lib/machine/forwards.h"

#include <string.h>

#include "lib/base/error.h"

/* Each connection of the guest has a line. */
#define ANSWER_BYTES (4u << 20)
/* libvirt's names of user networks, by their position. */
#define NETWORK_NAME "hostnet"
#define NETWORK_LAST 999u
#define FORWARD      "  TCP[HOST_FORWARD] "

/* What follows FORWARD in a line. */
enum {
    FIELD_DESCRIPTOR,
    FIELD_HOST_ADDRESS,
    FIELD_HOST_PORT,
    FIELD_GUEST_ADDRESS,
    FIELD_GUEST_PORT,
    FIELD_RECEIVED,
    FIELD_SENT,
    FIELDS,
};

static bool read_number(const char *text, unsigned min, unsigned max, uint16_t *ret_number)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, min, max, &number, NULL))
        return false;
    *ret_number = (uint16_t)number;
    return true;
}

/* "Hub -1 (hostnet0):", with another number where the network has a hub. */
static bool read_network(const char *line, uint16_t *ret_network)
{
    const char *name = g_str_has_prefix(line, "Hub ") ? strchr(line, '(') : NULL;
    g_autofree char *digits = NULL;

    if (!name || !g_str_has_prefix(name + 1, NETWORK_NAME))
        return false;
    name += 1 + strlen(NETWORK_NAME);
    digits = g_strndup(name, strcspn(name, ")"));
    return g_str_equal(name + strlen(digits), "):") && read_number(digits, 0, NETWORK_LAST, ret_network);
}

/* False: there are not as many words as @fields has room for. */
static bool read_fields(const char *line, char *fields[FIELDS])
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    unsigned n = 0;

    for (char **word = words; *word; word++) {
        if (!**word)
            continue;
        if (n < FIELDS)
            fields[n] = g_strdup(*word);
        n++;
    }
    return n == FIELDS;
}

/* False: the line is not written as QEMU writes it.  At another address: skipped. */
static bool read_forward(const char *line, uint16_t network, GArray *forwards)
{
    char *fields[FIELDS] = {NULL};
    ViommuForward forward = {.network = network};
    bool good = read_fields(line, fields) &&
                read_number(fields[FIELD_HOST_PORT], 1, UINT16_MAX, &forward.host_port) &&
                read_number(fields[FIELD_GUEST_PORT], 1, UINT16_MAX, &forward.guest_port);

    if (good && g_str_equal(fields[FIELD_HOST_ADDRESS], VIOMMU_FORWARD_ADDRESS))
        g_array_append_val(forwards, forward);
    for (size_t i = 0; i < FIELDS; i++)
        g_free(fields[i]);
    return good;
}

static int compare(const void *a, const void *b)
{
    const ViommuForward *one = a, *other = b;

    if (one->network != other->network)
        return one->network < other->network ? -1 : 1;
    if (one->guest_port != other->guest_port)
        return one->guest_port < other->guest_port ? -1 : 1;
    return one->host_port < other->host_port ? -1 : one->host_port > other->host_port;
}

/* *@network: of the lines above, and from now on; it belongs to no network of the machine when
 * *@known is false. */
static bool read_line(const char *line, uint16_t *network, bool *known, GArray *forwards)
{
    if (*line != ' ') {
        *known = read_network(line, network);
        return true;
    }
    if (!*known || !g_str_has_prefix(line, FORWARD))
        return true;
    return forwards->len < VIOMMU_FORWARDS_READ_MAX &&
           read_forward(line + strlen(FORWARD), *network, forwards);
}

GArray *viommu_forwards_read(const char *answer, GError **error)
{
    g_autoptr(GArray) forwards = g_array_new(FALSE, FALSE, sizeof(ViommuForward));
    uint16_t network = 0;
    bool known = false, good = strnlen(answer, ANSWER_BYTES + 1) <= ANSWER_BYTES;

    for (const char *at = answer, *next; good && *at; at = next) {
        size_t length = strcspn(at, "\r\n");
        g_autofree char *line = g_strndup(at, length);

        next = at + length + strspn(at + length, "\r\n");
        good = read_line(line, &network, &known, forwards);
    }
    if (!good) {
        viommu_fail(error, VIOMMU_ERROR_BACKEND,
                    "QEMU's list of forwarded ports (info usernet) is too long, or not as expected");
        return NULL;
    }
    g_array_sort(forwards, compare);
    return g_steal_pointer(&forwards);
}

bool viommu_forwards_equal(const GArray *a, const GArray *b)
{
    guint n = a ? a->len : 0;

    if (n != (b ? b->len : 0))
        return false;
    for (guint i = 0; i < n; i++)
        if (compare(&g_array_index(a, ViommuForward, i), &g_array_index(b, ViommuForward, i)) != 0)
            return false;
    return true;
}
