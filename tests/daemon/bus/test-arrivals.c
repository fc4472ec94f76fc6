/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-arrivals: the tokens that sd-bus gets in place of descriptors, and the descriptors' own
 * place. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include "daemon/bus/arrivals.h"
#include "daemon/process/held-files.h"

#define SENDER 1000u
#define FILES  3

typedef struct Pair {
    sd_event *event;
    sd_bus *here, *there;
    ViommuArrival verdict;
    sd_bus_message *came; /* owned */
    ViommuMessageHeader seen;
} Pair;

static ViommuArrival judge(const ViommuMessageHeader *header, void *userdata, uint32_t *ret_uid,
                           GError **error)
{
    Pair *pair = userdata;

    pair->seen = *header;
    *ret_uid = SENDER;
    if (pair->verdict == VIOMMU_ARRIVAL_REFUSE)
        viommu_fail(error, VIOMMU_ERROR_BUSY, "too many");
    return pair->verdict;
}

static bool knows(const ViommuMessageHeader *header, void *userdata)
{
    return true;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *unused)
{
    Pair *pair = userdata;

    if (sd_bus_message_is_method_call(message, NULL, "Take") <= 0)
        return 0;
    pair->came = sd_bus_message_ref(message);
    return 1;
}

static void open_pair(Pair *pair)
{
    int ends[2];
    sd_id128_t id = {{1}};

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_ge(sd_event_new(&pair->event), 0);
    ck_assert_int_ge(sd_bus_new(&pair->here), 0);
    ck_assert_int_ge(sd_bus_set_fd(pair->here, ends[0], ends[0]), 0);
    ck_assert_int_ge(sd_bus_set_server(pair->here, 1, id), 0);
    ck_assert_int_ge(sd_bus_set_anonymous(pair->here, true), 0);
    ck_assert_int_ge(sd_bus_negotiate_fds(pair->here, true), 0);
    ck_assert_int_ge(sd_bus_start(pair->here), 0);
    ck_assert_int_ge(sd_bus_new(&pair->there), 0);
    ck_assert_int_ge(sd_bus_set_fd(pair->there, ends[1], ends[1]), 0);
    ck_assert_int_ge(sd_bus_negotiate_fds(pair->there, true), 0);
    ck_assert_int_ge(sd_bus_start(pair->there), 0);
    ck_assert_int_ge(sd_bus_attach_event(pair->here, pair->event, 0), 0);
    ck_assert_int_ge(sd_bus_attach_event(pair->there, pair->event, 0), 0);
    ck_assert_int_ge(sd_bus_add_filter(pair->here, NULL, on_message, pair), 0);
    /* A server reads a login, which viommud's bus never sends to it. */
    while (sd_bus_is_ready(pair->here) <= 0 || sd_bus_is_ready(pair->there) <= 0)
        ck_assert_int_ge(sd_event_run(pair->event, 1000), 0);
    ck_assert_int_ge(viommu_arrivals_open(pair->here, &(ViommuArrivalFuncs){knows, judge}, pair), 0);
}

static void close_pair(Pair *pair)
{
    sd_bus_message_unref(pair->came);
    sd_bus_close_unref(pair->there);
    sd_bus_close_unref(pair->here);
    viommu_arrivals_close();
    sd_event_unref(pair->event);
}

/* Sends a message with three descriptors of the files @files, behind a message without descriptors
 * and before another. */
static void send_files(Pair *pair, const int *files)
{
    sd_bus_message *call = NULL, *plain = NULL;

    pair->came = sd_bus_message_unref(pair->came);
    ck_assert_int_ge(sd_bus_message_new_method_call(pair->there, &plain, NULL, "/", "org.test", "Other"), 0);
    ck_assert_int_ge(sd_bus_message_set_expect_reply(plain, false), 0);
    ck_assert_int_ge(sd_bus_message_new_method_call(pair->there, &call, NULL, "/", "org.test", "Take"), 0);
    ck_assert_int_ge(sd_bus_message_set_expect_reply(call, false), 0);
    ck_assert_int_ge(sd_bus_message_append(call, "hhh", files[0], files[1], files[2]), 0);
    ck_assert_int_ge(sd_bus_send(pair->there, plain, NULL), 0);
    ck_assert_int_ge(sd_bus_send(pair->there, call, NULL), 0);
    sd_bus_message_unref(plain);
    sd_bus_message_unref(call);
    for (gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC; !pair->came;) {
        ck_assert_int_lt(g_get_monotonic_time(), end);
        ck_assert_int_ge(sd_event_run(pair->event, 1000), 0);
    }
}

static bool are_same(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino &&
           one.st_dev == other.st_dev;
}

static void open_files(int *ret_files)
{
    for (unsigned i = 0; i < FILES; i++) {
        g_autofree char *name = NULL;

        ret_files[i] = g_file_open_tmp("arrivals-XXXXXX", &name, NULL);
        ck_assert_int_ge(ret_files[i], 0);
        unlink(name);
    }
}

static void close_files(const int *files)
{
    for (unsigned i = 0; i < FILES; i++)
        close(files[i]);
}

static void read_tokens(const Pair *pair, int *ret_tokens)
{
    ck_assert_int_gt(sd_bus_message_read(pair->came, "hhh", &ret_tokens[0], &ret_tokens[1], &ret_tokens[2]),
                     0);
}

static void wait_for(Pair *pair, unsigned held)
{
    for (gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC; viommu_held_count(SENDER) != held;) {
        ck_assert_int_lt(g_get_monotonic_time(), end);
        ck_assert_int_ge(sd_event_run(pair->event, 1000), 0);
    }
}

START_TEST(taken)
{
    Pair pair = {.verdict = VIOMMU_ARRIVAL_TAKE};
    int files[FILES], tokens[FILES];

    open_files(files);
    open_pair(&pair);
    for (unsigned round = 0; round < 3; round++) {
        send_files(&pair, files);
        ck_assert(pair.seen.is_call);
        ck_assert_uint_eq(pair.seen.n_fds, FILES);
        ck_assert_uint_eq(viommu_held_count(SENDER), FILES);
        read_tokens(&pair, tokens);
        for (unsigned i = 0; i < FILES; i++) {
            ck_assert(!are_same(tokens[i], files[i]));
            ck_assert(are_same(viommu_arrivals_find(tokens[i], NULL), files[i]));
        }
        /* The descriptors exist as long as the message. */
        pair.came = sd_bus_message_unref(pair.came);
        wait_for(&pair, 0);
    }
    close_pair(&pair);
    close_files(files);
}
END_TEST

START_TEST(not_taken)
{
    Pair pair = {.verdict = VIOMMU_ARRIVAL_REFUSE};
    g_autoptr(GError) error = NULL;
    int files[FILES], tokens[FILES];

    open_files(files);
    open_pair(&pair);
    send_files(&pair, files);
    read_tokens(&pair, tokens);
    ck_assert_int_lt(viommu_arrivals_find(tokens[1], &error), 0);
    ck_assert_str_eq(error->message, "too many");
    pair.verdict = VIOMMU_ARRIVAL_DROP;
    send_files(&pair, files);
    read_tokens(&pair, tokens);
    for (unsigned i = 0; i < FILES; i++) {
        ck_assert(!are_same(tokens[i], files[i]));
        /* No method reads a token; if one did, it would not take the token for a file. */
        g_clear_error(&error);
        ck_assert_int_lt(viommu_arrivals_find(tokens[i], &error), 0);
        ck_assert_int_eq(error->code, VIOMMU_ERROR_BUSY);
    }
    ck_assert_uint_eq(viommu_held_count(SENDER), 0);
    close_pair(&pair);
    close_files(files);
}
END_TEST

/* Closing the bus also closes the remaining descriptors. */
START_TEST(left)
{
    Pair pair = {.verdict = VIOMMU_ARRIVAL_TAKE};
    int files[FILES];

    open_files(files);
    open_pair(&pair);
    send_files(&pair, files);
    ck_assert_uint_eq(viommu_held_count(SENDER), FILES);
    close_pair(&pair);
    for (unsigned i = 0; i < 20000 && viommu_held_count(SENDER) > 0; i++)
        g_usleep(1000);
    ck_assert_uint_eq(viommu_held_count(SENDER), 0);
    close_files(files);
}
END_TEST

UNIT_MAIN("arrivals", taken, not_taken, left)
