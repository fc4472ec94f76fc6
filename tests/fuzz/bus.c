/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bus: the arguments of a message, read as viommud reads a request's; and an answer written and read back.  The message is made by
 * sd-bus of a tree, whatever type that has, as there is no other way to one without a bus: what sd-bus itself refuses is not
 * viommud's to read. */
#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include "daemon/bus-variant.h"

/* Messages want a bus that was begun; nobody is at the other end of it, ever. */
static sd_bus *begin_bus(void)
{
    sd_bus *bus = NULL;
    int ends[2];

    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    fuzz_check(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, ends[0], ends[0]) >= 0 && sd_bus_start(bus) >= 0);
    return bus;
}

static sd_bus_message *new_message(sd_bus *bus)
{
    sd_bus_message *message = NULL;

    fuzz_check(sd_bus_message_new_method_call(bus, &message, "org.viommu1", "/org/viommu1",
                                              "org.viommu1.Manager", "Launch") >= 0);
    return message;
}

static void read_files(sd_bus_message *message)
{
    g_autoptr(GError) error = NULL;
    GVariant *tree = NULL;
    GArray *fds = NULL;
    bool read;

    fuzz_check(sd_bus_message_rewind(message, 1) >= 0);
    read = viommu_bus_variant_read_files(message, false, &tree, &fds, &error);
    fuzz_check_outcome(read, error);
    if (!read)
        return;
    g_variant_unref(tree);
    g_array_unref(fds);
}

/* As deep and large as it was allowed to be, it goes out again, and is the same. */
static void write_again(sd_bus *bus, GVariant *tree)
{
    sd_bus_message *message = new_message(bus);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) again = NULL;

    if (viommu_bus_variant_append(message, tree) >= 0 && sd_bus_message_seal(message, 2, 0) >= 0 &&
        sd_bus_message_rewind(message, 1) >= 0 && viommu_bus_variant_read(message, &again, &error))
        fuzz_check(g_variant_equal(tree, again));
    sd_bus_message_unref(message);
}

static void read_message(sd_bus *bus, sd_bus_message *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) tree = NULL;
    bool read = viommu_bus_variant_read(message, &tree, &error);

    fuzz_check_outcome(read, error);
    read_files(message);
    if (!read)
        return;
    fuzz_check(g_variant_is_of_type(tree, G_VARIANT_TYPE_VARDICT) && !g_variant_is_floating(tree));
    g_autoptr(GVariant) normal = g_variant_get_normal_form(tree);
    write_again(bus, normal);
    viommu_request_free(fuzz_request(tree));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GVariant) tree = fuzz_tree(data, size);
    static sd_bus *bus;
    sd_bus_message *message;

    if (!tree)
        return 0;
    if (!bus)
        bus = begin_bus();
    message = new_message(bus);
    if (viommu_bus_variant_append(message, tree) >= 0 && sd_bus_message_seal(message, 1, 0) >= 0)
        read_message(bus, message);
    sd_bus_message_unref(message);
    return 0;
}
