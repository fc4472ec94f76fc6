/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make-machine: writes a recorded machine's files below a directory; lists the machines; writes
 * ACPI tables as seeds for the fuzzer.
 * make-machine                    "NAME BASE ORIGIN" of each
 * make-machine NAME DIRECTORY     the files of that machine
 * make-machine --seeds DIRECTORY  tables, valid and broken */
#include "tests/machines/machine.h"

#include <stdlib.h>

static void write_seed(const char *directory, const char *name, GByteArray *table)
{
    g_autofree char *file = g_build_filename(directory, name, NULL);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(file, (const char *)table->data, (gssize)table->len, &error))
        g_error("%s", error->message);
    g_byte_array_unref(table);
}

static void write_seeds(const char *directory)
{
    static const uint64_t bases[] = {0xfed90000, UINT64_MAX};
    static const HostSmmu nodes[] = {{0, 0}, {4, 0x9050000}, {3, 0x9060000}};
    GByteArray *tables[] = {
        table_dmar(bases, 2), table_dmar(bases + 1, 1), table_ivrs(bases, 2),
        table_iort(nodes, 3), table_iort(nodes, 1),     table_viot(0x10),
    };

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autofree char *name = g_strdup_printf("table-%zu", i);

        table_seal(tables[i]);
        write_seed(directory, name, tables[i]);
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 1 && i < n_recordings; i++)
        g_print("%s %s %s\n", recordings[i].name, recordings[i].base, recordings[i].origin);
    if (argc == 1)
        return EXIT_SUCCESS;
    if (argc != 3)
        return 64;
    if (g_str_equal(argv[1], "--seeds")) {
        write_seeds(argv[2]);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < n_recordings; i++)
        if (g_str_equal(argv[1], recordings[i].name)) {
            recordings[i].build(&(Host){argv[2]});
            return EXIT_SUCCESS;
        }
    g_printerr("no machine is called '%s'\n", argv[1]);
    return EXIT_FAILURE;
}
