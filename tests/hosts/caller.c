/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caller: calls viommud on the system's bus as the user who runs it, on one connection.
 * caller flood N    N launches, none of which waits for another; prints how many were refused
 * caller file MEMBER PATH N
 * N calls of MEMBER, each with a descriptor of PATH: as the kernel of a Launch or Plan; as the disk
 * of a Launch where MEMBER is Disk; else as an argument that the method does not have.  Prints
 * "done", or the error's name and message, for each call
 * caller hold       one launch for each line of standard input; prints "launched", or the error's
 * name */
#include <errno.h>
#include <fcntl.h>
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

static int append_request(sd_bus_message *call, const char *member, int file)
{
    if (strcmp(member, "Disk") == 0)
        return sd_bus_message_append(call, "a{sv}", 3, "memory", "s", "64 MiB", "accelerator", "s", "tcg",
                                     "disks", "aa{sv}", 1, 3, "path", "h", file, "format", "s", "raw",
                                     "read-only", "b", 1);
    return sd_bus_message_append(call, "a{sv}", 3, "memory", "s", "64 MiB", "accelerator", "s", "tcg", "boot",
                                 "a{sv}", 1, "kernel", "h", file);
}

static int call_with_file(sd_bus *bus, const char *member, int file)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *call = NULL, *answer = NULL;
    int r = sd_bus_message_new_method_call(bus, &call, "org.viommu1", "/org/viommu1", "org.viommu1.Manager",
                                           strcmp(member, "Disk") == 0 ? "Launch" : member);

    if (r >= 0 && strcmp(member, "ListMachines") != 0)
        r = append_request(call, member, file);
    else if (r >= 0)
        r = sd_bus_message_append(call, "h", file);
    if (r >= 0)
        r = sd_bus_call(bus, call, UINT64_MAX, &error, &answer);
    printf("%s %s\n",
           r >= 0       ? "done"
           : error.name ? error.name
                        : strerror(-r),
           error.message ? error.message : "");
    fflush(stdout);
    sd_bus_message_unref(call);
    sd_bus_message_unref(answer);
    sd_bus_error_free(&error);
    return r >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int send_file(sd_bus *bus, const char *member, const char *path, unsigned n)
{
    int file = open(path, O_RDONLY | O_CLOEXEC), status = EXIT_SUCCESS;

    if (file < 0)
        return fail(path, -errno);
    for (unsigned i = 0; i < n; i++)
        status = call_with_file(bus, member, file);
    return status;
}

int main(int argc, char **argv)
{
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r < 0)
        return fail("the system's bus", r);
    if (argc == 3 && strcmp(argv[1], "flood") == 0)
        r = flood(bus, (unsigned)atoi(argv[2]));
    else if (argc == 5 && strcmp(argv[1], "file") == 0)
        r = send_file(bus, argv[2], argv[3], (unsigned)atoi(argv[4]));
    else
        r = hold(bus);
    sd_bus_flush_close_unref(bus);
    return r;
}
