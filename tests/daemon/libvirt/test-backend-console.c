/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-backend-console: serial consoles and other features that need a QEMU, with libvirt's
 * embedded engine.  The guests are a few bytes in place of their firmware, which start at once,
 * echo each byte, and print nothing else unless told to. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/libvirt/backend.h"
#include "lib/base/error.h"
#include "tests/unit/unit.h"

#define WAIT_USEC    (30 * G_TIME_SPAN_SECOND)
#define UNKNOWN_UUID "99999999-2222-4333-8444-555555555555"
#define LANE         1000
#define PENDING_MAX  (64 * 1024)

/* The last 256 bytes of a firmware of 64 KiB: the processor of a PC starts 16 bytes before its
 * end. */
#define FIRMWARE_SIZE 65536
#define CODE_AT       0xff00
#define TEXT_AT       0xff80
#define START_AT      0xfff0
#define GREETING      "ready\n"
#define FLOOD         "f"
#define RESET         "q"

static const uint8_t code[] = {
    0xba, 0xf8, 0x03, /* mov dx, 0x3f8: the first serial port */
    0xbe, 0x80, 0xff, /* mov si, TEXT_AT */
    0x2e, 0xac,       /* greet: cs lodsb */
    0x84, 0xc0,       /* test al, al */
    0x74, 0x03,       /* jz listen */
    0xee,             /* out dx, al */
    0xeb, 0xf7,       /* jmp greet */
    0xba, 0xfd, 0x03, /* listen: mov dx, 0x3fd: its state */
    0xec,             /* in al, dx */
    0xa8, 0x01,       /* test al, 1: a byte has come */
    0x74, 0xf8,       /* jz listen */
    0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
    0xec,             /* in al, dx */
    0x3c, 'q',        /* cmp al, 'q' */
    0x74, 0x07,       /* jz end */
    0xee,             /* out dx, al */
    0x3c, 'f',        /* cmp al, 'f' */
    0x75, 0xeb,       /* jnz listen */
    0xeb, 0xf9,       /* jmp to the out: more than anybody reads */
    0xb0, 0xfe,       /* end: mov al, 0xfe */
    0xe6, 0x64,       /* out 0x64, al: the keyboard's controller resets the machine */
    0xf4,             /* halt: hlt */
    0xeb, 0xfd,       /* jmp halt */
};
static const uint8_t start[] = {0xe9, 0x0d, 0xff}; /* jmp CODE_AT */

static ViommuBackend *backend;
static char *directory, *firmware;
static GMutex lock;
static GCond told;
static unsigned n_told; /* number of calls for consoles; under lock */
static ViommuNewsKind last_kind;

static void on_news(const ViommuNews *news, void *userdata)
{
    g_mutex_lock(&lock);
    last_kind = news->kind;
    g_cond_broadcast(&told);
    g_mutex_unlock(&lock);
}

static void on_console(const char *uuid, void *userdata)
{
    g_mutex_lock(&lock);
    n_told++;
    g_cond_broadcast(&told);
    g_mutex_unlock(&lock);
}

static void await_news(ViommuNewsKind kind)
{
    gint64 end = g_get_monotonic_time() + WAIT_USEC;

    g_mutex_lock(&lock);
    while (last_kind != kind)
        ck_assert_msg(g_cond_wait_until(&told, &lock, end), "no news of kind %d", kind);
    g_mutex_unlock(&lock);
}

static void write_firmware(void)
{
    g_autofree uint8_t *bytes = g_malloc0(FIRMWARE_SIZE);

    G_STATIC_ASSERT(sizeof(code) <= TEXT_AT - CODE_AT);
    memcpy(bytes + CODE_AT, code, sizeof(code));
    memcpy(bytes + TEXT_AT, GREETING, sizeof(GREETING));
    memcpy(bytes + START_AT, start, sizeof(start));
    ck_assert(g_file_set_contents(firmware, (const char *)bytes, FIRMWARE_SIZE, NULL));
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    directory = g_dir_make_tmp("viommu-console-XXXXXX", NULL);
    firmware = g_build_filename(directory, "firmware", NULL);
    write_firmware();
    last_kind = VIOMMU_NEWS_LAST;
    unit_assert_ok(viommu_backend_new(g_getenv("VIOMMU_TEST_URI"), 3, &backend, &error), error);
    ck_assert(viommu_backend_watch_consoles(backend, on_console, NULL));
    unit_assert_ok(viommu_backend_watch(backend, on_news, NULL, &error), error);
    await_news(VIOMMU_NEWS_CONNECTED);
}

static void teardown(void)
{
    viommu_backend_free(g_steal_pointer(&backend));
    g_unlink(firmware);
    g_rmdir(directory);
    g_clear_pointer(&directory, g_free);
    g_clear_pointer(&firmware, g_free);
}

/* --- Guests --- */

static char *make_guest(const char *name, const char *on_reboot, const char *devices)
{
    char *uuid = g_uuid_string_random();
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>16</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='rom'>%s</loader></os>"
        "<on_reboot>%s</on_reboot><devices><serial type='pty'/><console type='pty'/>"
        "<memballoon model='none'/>%s</devices></domain>",
        name, uuid, firmware, on_reboot, devices);
    g_autoptr(GError) error = NULL;
    bool unsupported;

    unit_assert_ok(viommu_backend_define(backend, xml, &unsupported, &error), error);
    return uuid;
}

static char *start_guest(const char *name, const char *on_reboot, const char *devices, const GArray *files)
{
    const ViommuBackendStart with = {.files = files, .lane = LANE};
    char *uuid = make_guest(name, on_reboot, devices);
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_backend_start(backend, uuid, &with, &error), error);
    return uuid;
}

static void end_guest(char *uuid)
{
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_backend_destroy(backend, uuid, &error), error);
    unit_assert_ok(viommu_backend_undefine(backend, uuid, &error), error);
    g_free(uuid);
}

/* --- Everything that a console reported --- */

typedef struct Heard {
    bool opened, sent, ended;
    char *error;
    uint64_t lost;
    GString *text;
    gsize most; /* the most that waited at one time */
} Heard;

static void heard_clear(Heard *heard)
{
    g_free(heard->error);
    if (heard->text)
        g_string_free(heard->text, TRUE);
    *heard = (Heard){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Heard, heard_clear)

static void take(const char *uuid, Heard *heard)
{
    g_autoptr(ViommuConsoleNews) news = viommu_backend_take_console(backend, uuid);

    if (!heard->text)
        heard->text = g_string_new(NULL);
    if (!news)
        return;
    heard->opened = heard->opened || news->opened;
    heard->sent = heard->sent || news->sent;
    heard->ended = heard->ended || news->ended;
    heard->lost += news->lost;
    heard->most = MAX(heard->most, news->output->len);
    g_string_append_len(heard->text, (const char *)news->output->data, news->output->len);
    if (news->error) {
        g_free(heard->error);
        heard->error = g_strdup(news->error);
    }
}

/* Takes until @condition. */
#define await(uuid, heard, condition)                                                     \
    do {                                                                                  \
        gint64 end_ = g_get_monotonic_time() + WAIT_USEC;                                 \
                                                                                          \
        take(uuid, heard);                                                                \
        while (!(condition)) {                                                            \
            ck_assert_msg(g_get_monotonic_time() < end_, "not within time: " #condition); \
            g_usleep(2000);                                                               \
            take(uuid, heard);                                                            \
        }                                                                                 \
    } while (0)

static void say(const char *uuid, const char *text)
{
    viommu_backend_send_console(backend, uuid, g_bytes_new(text, strlen(text)));
}

/* --- Tests --- */

/* Its console is open before it starts, so its first byte is there. */
START_TEST(a_guest_is_heard_from_its_first_byte)
{
    char *uuid = start_guest("console-first", "restart", "", NULL);
    g_auto(Heard) heard = {0};

    await(uuid, &heard, heard.text->len >= strlen(GREETING));
    ck_assert_str_eq(heard.text->str, GREETING);
    ck_assert(heard.opened && !heard.ended && !heard.sent);
    ck_assert_uint_eq(heard.lost, 0);
    say(uuid, "hello");
    await(uuid, &heard, heard.text->len >= strlen(GREETING "hello"));
    ck_assert_str_eq(heard.text->str, GREETING "hello");
    ck_assert(heard.sent);
    end_guest(uuid);
}
END_TEST

START_TEST(a_reset_guest_begins_anew)
{
    char *uuid = start_guest("console-reset", "restart", "", NULL);
    g_autoptr(GError) error = NULL;
    g_auto(Heard) heard = {0};

    await(uuid, &heard, heard.text->len >= strlen(GREETING));
    unit_assert_ok(viommu_backend_reset(backend, uuid, &error), error);
    await(uuid, &heard, heard.text->len >= 2 * strlen(GREETING));
    ck_assert_str_eq(heard.text->str, GREETING GREETING);
    ck_assert(!heard.ended);
    /* The guest ignores the power button. */
    unit_assert_ok(viommu_backend_shutdown(backend, uuid, &error), error);
    end_guest(uuid);
}
END_TEST

/* A guest's end is no error, and its last output is there. */
START_TEST(the_console_ends_with_its_guest)
{
    char *uuid = start_guest("console-end", "destroy", "", NULL);
    g_auto(Heard) heard = {0};

    await(uuid, &heard, heard.text->len >= strlen(GREETING));
    say(uuid, "bye" RESET);
    await(uuid, &heard, heard.ended);
    ck_assert_str_eq(heard.text->str, GREETING "bye");
    ck_assert_ptr_null(heard.error);
    await_news(VIOMMU_NEWS_SHUTDOWN);
    /* The guest is gone: nothing is reported. */
    say(uuid, "hello?");
    g_usleep(50000);
    ck_assert_ptr_null(viommu_backend_take_console(backend, uuid));
    end_guest(uuid);
}
END_TEST

/* Output that is not taken is dropped and counted, in bounded memory; the guest can be ended at any
 * time. */
START_TEST(a_flood_is_bounded)
{
    char *uuid = start_guest("console-flood", "destroy", "", NULL);
    g_auto(Heard) heard = {0};

    await(uuid, &heard, heard.text->len >= strlen(GREETING));
    say(uuid, FLOOD);
    /* Waits longer each time, because the guest's speed is unknown. */
    for (unsigned wait = 500000; wait < 20000000 && heard.lost == 0; wait *= 2) {
        g_usleep(wait);
        take(uuid, &heard);
    }
    ck_assert_uint_gt(heard.lost, 0);
    ck_assert_uint_eq(heard.most, PENDING_MAX);
    end_guest(uuid);
}
END_TEST

START_TEST(a_console_can_be_opened_later)
{
    char *uuid = start_guest("console-later", "destroy", "", NULL);
    g_auto(Heard) heard = {0}, nothing = {0};

    await(uuid, &heard, heard.opened);
    /* It is open already: nothing is reported. */
    viommu_backend_open_console(backend, uuid, LANE);
    g_usleep(50000);
    take(uuid, &nothing);
    ck_assert(!nothing.opened && !nothing.ended);
    end_guest(uuid);
}
END_TEST

START_TEST(what_cannot_be_opened_says_why)
{
    char *uuid = make_guest("console-off", "destroy", "");
    g_auto(Heard) off = {0}, unknown = {0};

    viommu_backend_open_console(backend, uuid, LANE);
    await(uuid, &off, off.ended);
    ck_assert(!off.opened);
    ck_assert_msg(strstr(off.error, "cannot open the console of domain"), "%s", off.error);
    viommu_backend_open_console(backend, UNKNOWN_UUID, LANE + 1);
    await(UNKNOWN_UUID, &unknown, unknown.ended);
    ck_assert(!unknown.opened);
    ck_assert_msg(strstr(unknown.error, UNKNOWN_UUID), "%s", unknown.error);
    end_guest(uuid);
}
END_TEST

/* --- Other answers of QEMU --- */

#define CHANNEL                          \
    "<controller type='virtio-serial'/>" \
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"

static void ask_agent(const char *uuid, ViommuError expected, const char *words)
{
    g_autoptr(GError) error = NULL;
    bool broke = true;

    ck_assert_ptr_null(viommu_backend_run_in_guest(backend, uuid, "true", &broke, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, (int)expected));
    ck_assert_msg(strstr(error->message, words), "%s", error->message);
    ck_assert(!broke);
}

START_TEST(a_guest_without_an_agent_is_told_apart)
{
    char *none = start_guest("agent-none", "destroy", "", NULL);
    char *silent = start_guest("agent-silent", "destroy", CHANNEL, NULL);

    ask_agent(none, VIOMMU_ERROR_NOT_FOUND, "the machine has no guest agent channel");
    ask_agent(silent, VIOMMU_ERROR_BUSY, "no agent replies in the guest");
    ask_agent(UNKNOWN_UUID, VIOMMU_ERROR_NOT_FOUND, "cannot find domain");
    end_guest(none);
    end_guest(silent);
}
END_TEST

START_TEST(the_host_is_asked_what_it_can_do)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuHost) host = viommu_backend_probe(backend, &error);
    const ViommuEmulator *emulator;

    unit_assert_ok(host != NULL, error);
    emulator = viommu_host_emulator(host, VIOMMU_ARCH_X86_64);
    ck_assert_ptr_nonnull(emulator);
    ck_assert_uint_ge(emulator->qemu, VIOMMU_VERSION_OF(5, 0, 0));
    ck_assert(emulator->accelerators & VIOMMU_BIT(VIOMMU_ACCELERATOR_TCG));
    /* Each question has exactly one answer. */
    ck_assert_uint_ne(emulator->accepts | emulator->refuses, 0);
    ck_assert_uint_eq(emulator->accepts & emulator->refuses, 0);
    ck_assert_uint_gt(host->memory_bytes, 0);
}
END_TEST

/* Only the open descriptor leads to these bytes: the file has no name any more. */
START_TEST(a_guest_takes_an_open_file)
{
    g_autofree char *path = g_build_filename(directory, "disk", NULL);
    g_autofree char *disk = g_strdup_printf(
        "<disk type='file'><driver name='qemu' type='raw'/><source file='%s' fdgroup='disk0'/>"
        "<target dev='vda' bus='virtio'/><readonly/></disk>",
        path);
    g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(ViommuBackendFile));
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;
    ViommuBackendFile file = {"disk0", -1};
    char sector[512] = "", *uuid;

    ck_assert(g_file_set_contents(path, sector, sizeof(sector), NULL));
    file.fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(file.fd, 0);
    g_unlink(path);
    g_array_append_val(files, file);
    uuid = start_guest("open-file", "destroy", disk, files);
    close(file.fd);
    xml = viommu_backend_get_xml(backend, uuid, &error);
    unit_assert_ok(xml != NULL, error);
    ck_assert_ptr_nonnull(strstr(xml, "fdgroup='disk0'"));
    end_guest(uuid);
}
END_TEST

/* --- Ports of the host --- */

#define USER_NETWORK "<interface type='user'><model type='virtio'/></interface>"

static GArray *want(const ViommuForward *forwards, guint n)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(ViommuForward));

    g_array_append_vals(wanted, forwards, n);
    return wanted;
}

static void assert_open(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "port %u: %s", port,
                  g_strerror(errno));
    close(fd);
}

START_TEST(ports_lead_to_a_guest)
{
    static const ViommuForward ports[] = {{0, 22, 0}, {0, 8080, 0}, {1, 22, 0}};
    g_autoptr(GArray) wanted = want(ports, G_N_ELEMENTS(ports)), again = want(ports, G_N_ELEMENTS(ports));
    g_autofree char *uuid = make_guest("ports", "destroy", USER_NETWORK USER_NETWORK);
    g_autoptr(GArray) read = NULL;
    g_autoptr(GError) error = NULL;

    unit_assert_ok(
        viommu_backend_start(backend, uuid, &(ViommuBackendStart){.lane = LANE, .forwards = wanted}, &error),
        error);
    for (guint i = 0; i < wanted->len; i++)
        assert_open(g_array_index(wanted, ViommuForward, i).host_port);
    read = viommu_backend_read_forwards(backend, uuid, &error);
    unit_assert_ok(read != NULL, error);
    ck_assert(viommu_forwards_equal(read, wanted));
    /* A start whose answer was lost is repeated, and opens nothing more. */
    unit_assert_ok(
        viommu_backend_start(backend, uuid, &(ViommuBackendStart){.lane = LANE, .forwards = again}, &error),
        error);
    ck_assert(viommu_forwards_equal(again, wanted));
    end_guest(g_steal_pointer(&uuid));
}
END_TEST

/* QEMU reports success, and says in words what failed. */
START_TEST(a_port_that_cannot_be_forwarded_fails_the_start)
{
    static const ViommuForward port = {1, 22, 0};
    g_autoptr(GArray) wanted = want(&port, 1);
    g_autofree char *uuid = make_guest("no-ports", "destroy", USER_NETWORK);
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_backend_start(backend, uuid, &(ViommuBackendStart){.lane = LANE, .forwards = wanted},
                                    &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert_msg(strstr(error->message, "port 22 of the guest: ") && strstr(error->message, "hostnet1"),
                  "%s", error->message);
    end_guest(g_steal_pointer(&uuid));
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("console");

    /* Once: libvirt's embedded engine does not start a second time in one process. */
    tcase_add_unchecked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 240);
    tcase_add_test(all, a_guest_is_heard_from_its_first_byte);
    tcase_add_test(all, a_reset_guest_begins_anew);
    tcase_add_test(all, the_console_ends_with_its_guest);
    tcase_add_test(all, a_flood_is_bounded);
    tcase_add_test(all, a_console_can_be_opened_later);
    tcase_add_test(all, what_cannot_be_opened_says_why);
    tcase_add_test(all, a_guest_without_an_agent_is_told_apart);
    tcase_add_test(all, the_host_is_asked_what_it_can_do);
    tcase_add_test(all, a_guest_takes_an_open_file);
    tcase_add_test(all, ports_lead_to_a_guest);
    tcase_add_test(all, a_port_that_cannot_be_forwarded_fails_the_start);
    return unit_run_case("backend-console", all);
}
