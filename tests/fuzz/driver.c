/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver: the main() of a target without libFuzzer: runs it over files, and over the files of
 * directories, as a regression test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* In a copy of exactly its size, so that a sanitizer sees a read beyond it. */
static void run_file(const char *path)
{
    g_autofree char *text = NULL;
    g_autofree uint8_t *data = NULL;
    size_t size;

    puts(path);
    fflush(stdout);
    if (!g_file_get_contents(path, &text, &size, NULL))
        g_error("cannot read %s", path);
    data = g_malloc(size);
    if (size > 0)
        memcpy(data, text, size);
    fuzz_check(LLVMFuzzerTestOneInput(data, size) == 0);
}

static unsigned run_directory(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    unsigned count = 0;

    for (const char *name; directory && (name = g_dir_read_name(directory)); count++) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        run_file(file);
    }
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        if (g_file_test(argv[i], G_FILE_TEST_IS_DIR)) {
            count += run_directory(argv[i]);
        } else {
            run_file(argv[i]);
            count++;
        }
    }
    printf("%u inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
