/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-limits: what clients can make viommud hold: files of calls, answers that are waited for or never read. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "tests/abuse/abuse.h"

/* The system's bus lets one user have 256. */
#define CONNECTIONS 200
#define FILES       16 /* the most that a message may have */

static void connect_all(Abuse *abuse, uid_t uid, sd_bus **ret_clients, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ret_clients[i] = harness_connect_as(abuse->harness, uid);
}

static void close_all(sd_bus **clients, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sd_bus_close_unref(clients[i]);
}

/* --- Files that nobody asked for --- */

static unsigned count_files(const Abuse *abuse)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)abuse->pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    ck_assert_msg(directory, "viommud is gone");
    while (g_dir_read_name(directory))
        n++;
    return n;
}

static void send_files(sd_bus *client, int file)
{
    sd_bus_message *call = harness_method(client, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping");

    for (unsigned i = 0; i < FILES; i++)
        ck_assert_int_ge(sd_bus_message_append(call, "h", file), 0);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, call, NULL, NULL, 0), 0);
    sd_bus_message_unref(call);
}

/* Everybody may call Ping, with as many files as the bus delivers.  viommud must not have them all at once: when there is room
 * for no more, the bus is lost, and viommud with it. */
START_TEST(attached_files)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    unsigned before = count_files(abuse), most = 0;
    sd_bus *clients[CONNECTIONS];

    connect_all(abuse, PEOPLE_OUTSIDER, clients, CONNECTIONS);
    for (unsigned i = 0; i < 10 * CONNECTIONS; i++) {
        send_files(clients[i % CONNECTIONS], file);
        most = MAX(most, count_files(abuse));
    }
    printf("# %u files open before, at most %u meanwhile\n", before, most);
    ck_assert_uint_lt(most, before + 10 * FILES);
    close_all(clients, CONNECTIONS);
    close(file);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"attached-files", &attached_files},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
