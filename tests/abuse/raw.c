/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* raw: login, and calls byte by byte. */
#include "tests/abuse/raw.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Field {
    uint8_t code;
    char type;
    const char *value;
} Field;

static const uint8_t zeros[8] = {0};

static void pad(GByteArray *bytes)
{
    g_byte_array_append(bytes, zeros, (8 - bytes->len % 8) % 8);
}

static void append_number(GByteArray *bytes, uint32_t number)
{
    g_byte_array_append(bytes, (const uint8_t *)&number, sizeof(number));
}

static GByteArray *header_fields(const Field *fields, size_t n)
{
    GByteArray *list = g_byte_array_new();

    for (size_t i = 0; i < n; i++) {
        uint32_t size = (uint32_t)strlen(fields[i].value);
        uint8_t start[] = {fields[i].code, 1, (uint8_t)fields[i].type, 0}, short_size = (uint8_t)size;

        pad(list);
        g_byte_array_append(list, start, sizeof(start));
        if (fields[i].type == 'g')
            g_byte_array_append(list, &short_size, 1);
        else
            append_number(list, size);
        g_byte_array_append(list, (const uint8_t *)fields[i].value, size + 1);
    }
    return list;
}

#define CALL   1
#define SIGNAL 4

/* @text NULL: no arguments; otherwise one string. */
static void send_message(int fd, uint8_t type, const Field *fields, size_t n, const char *text, size_t length)
{
    static uint32_t serial;
    const uint8_t first[] = {G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B', type, 0, 1};
    g_autoptr(GByteArray) message = g_byte_array_new(), list = header_fields(fields, n);

    g_byte_array_append(message, first, sizeof(first));
    append_number(message, text ? (uint32_t)(4 + length + 1) : 0);
    append_number(message, ++serial);
    append_number(message, list->len);
    g_byte_array_append(message, list->data, list->len);
    pad(message);
    if (text) {
        append_number(message, (uint32_t)length);
        g_byte_array_append(message, (const uint8_t *)text, (guint)length);
        g_byte_array_append(message, zeros, 1);
    }
    raw_send(fd, message->data, message->len);
}

void raw_send(int fd, const void *bytes, size_t length)
{
    ck_assert_int_eq(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

bool raw_hears(int fd, const char *words)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    char heard[8192];
    size_t n = 0;

    for (;;) {
        ssize_t r;

        ck_assert_int_eq(poll(&poller, 1, (int)(HARNESS_PATIENCE_USEC / 1000)), 1);
        r = read(fd, heard + n, sizeof(heard) - n);
        if (r <= 0)
            return false;
        n += (size_t)r;
        if (memmem(heard, n, words, strlen(words)))
            return true;
        ck_assert_uint_lt(n, sizeof(heard));
    }
}

/* What a reply says once, it may say twice. */
bool raw_hears_in_order(int fd, const char *words, unsigned n)
{
    g_autoptr(GString) heard = g_string_new(NULL);
    size_t length = strlen(words);
    unsigned next = 0;
    char byte;

    while (next < n && read(fd, &byte, 1) == 1) {
        g_string_append_c(heard, byte);
        if (heard->len <= length || strncmp(heard->str + heard->len - 1 - length, words, length) != 0)
            continue;
        if (byte == (char)('0' + next))
            next++;
        else if (next == 0 || byte != (char)('0' + next - 1))
            return false;
    }
    return next == n;
}

int raw_connect(const Harness *harness)
{
    static const Field hello[] = {{1, 'o', "/org/freedesktop/DBus"},
                                  {2, 's', "org.freedesktop.DBus"},
                                  {3, 's', "Hello"},
                                  {6, 's', "org.freedesktop.DBus"}};
    /* "65534" */
    static const char login[] = "\0AUTH EXTERNAL 3635353334\r\n", begin[] = "BEGIN\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    G_STATIC_ASSERT(PEOPLE_MEMBER == 65534);
    ck_assert_int_ge(fd, 0);
    g_strlcpy(address.sun_path, strstr(harness->address, "path=") + strlen("path="),
              sizeof(address.sun_path));
    /* The bus checks the user who connects. */
    ck_assert_int_eq(seteuid(PEOPLE_MEMBER), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(seteuid(0), 0);
    raw_send(fd, login, sizeof(login) - 1);
    ck_assert(raw_hears(fd, "OK "));
    raw_send(fd, begin, sizeof(begin) - 1);
    send_message(fd, CALL, hello, G_N_ELEMENTS(hello), NULL, 0);
    ck_assert(raw_hears(fd, "NameAcquired"));
    return fd;
}

void raw_get_machine(int fd, const char *text, size_t length)
{
    static const Field get_machine[] = {{1, 'o', VIOMMU_BUS_PATH},
                                        {2, 's', VIOMMU_IFACE_MANAGER},
                                        {3, 's', "GetMachine"},
                                        {6, 's', VIOMMU_BUS_NAME},
                                        {8, 'g', "s"}};

    send_message(fd, CALL, get_machine, G_N_ELEMENTS(get_machine), text, length);
}

void raw_call(int fd, const char *path, const char *interface, const char *member)
{
    const Field call[] = {{1, 'o', path}, {2, 's', interface}, {3, 's', member}, {6, 's', VIOMMU_BUS_NAME}};

    send_message(fd, CALL, call, G_N_ELEMENTS(call), NULL, 0);
}

void raw_signal(int fd, const char *destination)
{
    const Field signal[] = {{1, 'o', "/org/freedesktop/DBus"},
                            {2, 's', "org.freedesktop.DBus"},
                            {3, 's', "NameOwnerChanged"},
                            {6, 's', destination}};

    send_message(fd, SIGNAL, signal, G_N_ELEMENTS(signal), NULL, 0);
}
