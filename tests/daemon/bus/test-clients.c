/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-clients: a bus that fails when it is asked about a client, which dbus-daemon does only
 * without memory. */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include "daemon/bus/clients.h"

#define NAME ":1.7"

typedef struct Pair {
    sd_event *event;
    sd_bus *here, *there; /* viommud's end, and the bus's */
    ViommuBusPeers *peers;
    ViommuBusClients *clients;
    unsigned failing; /* so many questions fail */
    unsigned asked;
    bool is_there;
    char *gone;                   /* owned */
    gint64 asked_usec, rest_usec; /* the last question, and how long after the one before it */
} Pair;

static int on_question(sd_bus_message *message, void *userdata, sd_bus_error *unused)
{
    Pair *pair = userdata;

    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "GetConnectionUnixUser") <= 0)
        return 0;
    pair->asked++;
    pair->rest_usec = g_get_monotonic_time() - pair->asked_usec;
    pair->asked_usec += pair->rest_usec;
    if (pair->asked <= pair->failing)
        return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_NO_MEMORY, "no memory");
    if (!pair->is_there)
        return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "not there");
    return sd_bus_reply_method_return(message, "u", 1000u);
}

static void on_client_gone(const char *client, void *userdata)
{
    Pair *pair = userdata;

    ck_assert_ptr_null(pair->gone);
    pair->gone = g_strdup(client);
}

static void on_peer_gone(const char *name, void *userdata)
{
    viommu_bus_clients_gone(((Pair *)userdata)->clients, name);
}

static void run(Pair *pair, gint64 usec)
{
    for (gint64 end = g_get_monotonic_time() + usec; g_get_monotonic_time() < end;)
        ck_assert_int_ge(sd_event_run(pair->event, 10000), 0);
}

static void open_pair(Pair *pair)
{
    int ends[2];
    sd_id128_t id = {{1}};

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_ge(sd_event_new(&pair->event), 0);
    ck_assert_int_ge(sd_bus_new(&pair->there), 0);
    ck_assert_int_ge(sd_bus_set_fd(pair->there, ends[0], ends[0]), 0);
    ck_assert_int_ge(sd_bus_set_server(pair->there, 1, id), 0);
    ck_assert_int_ge(sd_bus_set_anonymous(pair->there, true), 0);
    ck_assert_int_ge(sd_bus_start(pair->there), 0);
    ck_assert_int_ge(sd_bus_new(&pair->here), 0);
    ck_assert_int_ge(sd_bus_set_fd(pair->here, ends[1], ends[1]), 0);
    ck_assert_int_ge(sd_bus_start(pair->here), 0);
    ck_assert_int_ge(sd_bus_attach_event(pair->here, pair->event, 0), 0);
    ck_assert_int_ge(sd_bus_attach_event(pair->there, pair->event, 0), 0);
    ck_assert_int_ge(sd_bus_add_filter(pair->there, NULL, on_question, pair), 0);
    while (sd_bus_is_ready(pair->here) <= 0 || sd_bus_is_ready(pair->there) <= 0)
        ck_assert_int_ge(sd_event_run(pair->event, 1000), 0);
    ck_assert_int_ge(viommu_bus_peers_new(pair->here, on_peer_gone, pair, &pair->peers), 0);
    pair->clients = viommu_bus_clients_new(pair->here, pair->peers, on_client_gone, pair);
}

static void close_pair(Pair *pair)
{
    viommu_bus_peers_free(pair->peers);
    viommu_bus_clients_free(pair->clients);
    sd_bus_close_unref(pair->here);
    sd_bus_close_unref(pair->there);
    sd_event_unref(pair->event);
    g_free(pair->gone);
}

/* As viommu_bus_clients_sender() names it. */
static char *client_here(const Pair *pair)
{
    char bus[SD_ID128_STRING_MAX];
    sd_id128_t id;

    ck_assert_int_ge(sd_bus_get_bus_id(pair->here, &id), 0);
    return g_strconcat(sd_id128_to_string(id, bus), NAME, NULL);
}

/* It is not asked without a rest, and the client that has left is found all the same. */
START_TEST(bus_fails)
{
    Pair pair = {.failing = 1};
    g_autofree char *client = NULL;

    open_pair(&pair);
    client = client_here(&pair);
    viommu_bus_clients_hold(pair.clients, client);
    for (gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
         !pair.gone && g_get_monotonic_time() < end;)
        ck_assert_int_ge(sd_event_run(pair.event, 10000), 0);
    ck_assert_pstr_eq(pair.gone, client);
    ck_assert_uint_eq(pair.asked, 2);
    ck_assert_int_ge(pair.rest_usec, VIOMMU_BUS_CLIENTS_AGAIN_USEC);
    close_pair(&pair);
}
END_TEST

START_TEST(of_another_bus)
{
    Pair pair = {.is_there = true};

    open_pair(&pair);
    viommu_bus_clients_hold(pair.clients, "00000000000000000000000000000002" NAME);
    ck_assert_str_eq(pair.gone, "00000000000000000000000000000002" NAME);
    run(&pair, G_USEC_PER_SEC / 5);
    ck_assert_uint_eq(pair.asked, 0);
    close_pair(&pair);
}
END_TEST

UNIT_MAIN("clients", bus_fails, of_another_bus)
