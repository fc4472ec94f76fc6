/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* variants: makes seeds from JSON files: DIRECTORY/NAME.text and NAME.bytes, the two forms of a
 * tree that fuzz_tree() reads. */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "tools/client/request-file.h"

static void write_seed(const char *directory, const char *name, const char *form, const void *data,
                       gsize size)
{
    g_autofree char *file = g_strdup_printf("%s/%s.%s", directory, name, form);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(file, data, (gssize)size, &error))
        g_error("%s", error->message);
}

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        g_autoptr(GVariant) tree = viommu_request_file_read(argv[i], NULL);
        g_autofree char *name = g_path_get_basename(argv[i]), *text = NULL;

        /* Some golden requests are refused as files. */
        if (!tree)
            continue;
        text = g_variant_print(tree, TRUE);
        write_seed(argv[1], name, "text", text, strlen(text));
        write_seed(argv[1], name, "bytes", g_variant_get_data(tree), g_variant_get_size(tree));
    }
    return EXIT_SUCCESS;
}
