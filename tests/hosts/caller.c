/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caller: calls Launch on the system's bus as the user who runs it, on one connection.
 * caller flood N    N calls, none of which waits for another; prints how many were refused
 * caller hold       one call for each line of standard input; prints "launched", or the error's
 * name */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define AT_ONCE 500u

static unsigned waiting, refused;

static int fail(const char *what, int r)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-r));
    return EXIT_FAILURE;
}

static int make_call(sd_bus *bus, sd_bus_message **ret_call)
{
    int r = sd_bus_message_new_method_call(bus, ret_call, "org.viommu1", "/org/viommu1",
                                           "org.viommu1.Manager", "Launch");

    return r < 0 ? r : sd_bus_message_append(*ret_call, "a{sv}", 1, "memory", "s", "64 MiB");
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    waiting--;
    refused += sd_bus_message_is_method_error(answer, NULL) > 0;
    return 1;
}

static int wait_for(sd_bus *bus, unsigned most)
{
    int r = 0;

    while (r >= 0 && waiting > most) {
        r = sd_bus_process(bus, NULL);
        if (r == 0)
            r = sd_bus_wait(bus, UINT64_MAX);
    }
    return r;
}

static int flood(sd_bus *bus, unsigned n)
{
    int r = 0;

    for (unsigned i = 0; r >= 0 && i < n; i++) {
        sd_bus_message *call = NULL;

        r = make_call(bus, &call);
        if (r >= 0)
            r = sd_bus_call_async(bus, NULL, call, on_answer, NULL, UINT64_MAX);
        sd_bus_message_unref(call);
        waiting++;
        if (r >= 0)
            r = wait_for(bus, AT_ONCE);
    }
    if (r >= 0)
        r = wait_for(bus, 0);
    if (r < 0)
        return fail("flood", r);
    printf("%u refused\n", refused);
    return EXIT_SUCCESS;
}

static int hold(sd_bus *bus)
{
    char line[80];

    while (fgets(line, sizeof(line), stdin)) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *call = NULL, *answer = NULL;
        int r = make_call(bus, &call);

        if (r >= 0)
            r = sd_bus_call(bus, call, UINT64_MAX, &error, &answer);
        printf("%s\n", r >= 0 ? "launched" : error.name ? error.name : strerror(-r));
        fflush(stdout);
        sd_bus_message_unref(call);
        sd_bus_message_unref(answer);
        sd_bus_error_free(&error);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r < 0)
        return fail("the system's bus", r);
    if (argc == 3 && strcmp(argv[1], "flood") == 0)
        r = flood(bus, (unsigned)atoi(argv[2]));
    else
        r = hold(bus);
    sd_bus_flush_close_unref(bus);
    return r;
}
