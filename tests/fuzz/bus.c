/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bus: reads the arguments of a message as viommud reads a request's, and writes and reads a reply.
 * sd-bus makes the message from a tree of any type, because without a bus there is no other way;
 * viommud need not read what sd-bus refuses to write. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>
#include "daemon/bus/variant.h"

/* The descriptors of open files, which the handles of an input name. */
#define FILES_FROM 200

/* Messages need a started bus; it has no peer. */
static sd_bus *begin_bus(void)
{
    sd_bus *bus = NULL;
    int ends[2];

    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    fuzz_check(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, ends[0], ends[0]) >= 0 && sd_bus_start(bus) >= 0);
    return bus;
}

static void open_files(void)
{
    int ends[2],
        files[] = {open("/proc/self/exe", O_RDONLY | O_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC),
                   memfd_create("a\033name", MFD_CLOEXEC), -1, open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};

    fuzz_check(pipe2(ends, O_CLOEXEC) == 0);
    files[3] = ends[0];
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        fuzz_check(fcntl(files[i], F_DUPFD_CLOEXEC, FILES_FROM + (int)i) == FILES_FROM + (int)i);
        close(files[i]);
    }
    close(ends[1]);
}

static sd_bus_message *new_message(sd_bus *bus)
{
    sd_bus_message *message = NULL;

    fuzz_check(sd_bus_message_new_method_call(bus, &message, "org.viommu1", "/org/viommu1",
                                              "org.viommu1.Manager", "Launch") >= 0);
    return message;
}

/* Each file has a printable name, and the number of a kept descriptor. */
static void check_files(GVariant *value, const GArray *fds)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE("(sh)"))) {
        const char *name;
        gint32 index;

        g_variant_get(value, "(&sh)", &name, &index);
        fuzz_check(*name && !strpbrk(name, "\n\r\033"));
        fuzz_check(index >= 0 && index < (gint32)fds->len);
        fuzz_check(fcntl(g_array_index(fds, int, index), F_GETFD) == FD_CLOEXEC);
        return;
    }
    for (gsize i = 0; g_variant_is_container(value) && i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

        check_files(child, fds);
    }
}

static void read_files(sd_bus_message *message, bool host_only)
{
    g_autoptr(GError) error = NULL;
    GVariant *tree = NULL;
    GArray *fds = NULL;
    bool read;

    fuzz_check(sd_bus_message_rewind(message, 1) >= 0);
    read = viommu_bus_variant_read_files(message, host_only, &tree, &fds, &error);
    fuzz_check_outcome(read, error);
    if (!read)
        return;
    fuzz_check(fds->len <= VIOMMU_BUS_FILES_MAX);
    check_files(tree, fds);
    g_variant_unref(tree);
    g_array_unref(fds);
}

/* The message ends after one tree. */
static void read_end(sd_bus_message *message)
{
    g_autoptr(GError) error = NULL;
    GVariant *tree = NULL;
    bool read = viommu_bus_variant_read(message, &tree, &error);

    fuzz_check(!read);
    fuzz_check_outcome(read, error);
}

/* A tree of any accepted depth and size can be sent, and stays the same. */
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
    if (read)
        read_end(message);
    read_files(message, false);
    read_files(message, true);
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
    if (!bus) {
        bus = begin_bus();
        open_files();
    }
    message = new_message(bus);
    if (viommu_bus_variant_append(message, tree) >= 0 && sd_bus_message_seal(message, 1, 0) >= 0)
        read_message(bus, message);
    sd_bus_message_unref(message);
    return 0;
}
