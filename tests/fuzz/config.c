/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: reads a key file; an accepted one can be printed and read again. */
#include <string.h>
#include <unistd.h>

#include "daemon/process/config.h"
#include "tests/fuzz/fuzz.h"

static ViommuConfig *read_config(const char *text, size_t size)
{
    int file;
    g_autofree char *path = fuzz_file((const uint8_t *)text, size, &file);
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autoptr(GError) error = NULL;
    bool accepted = viommu_config_load_file(config, path, &error);

    close(file);
    fuzz_check_outcome(accepted, error);
    for (unsigned i = 0; i < config->warnings->len; i++)
        fuzz_check(g_utf8_validate(config->warnings->pdata[i], -1, NULL));
    return accepted ? g_steal_pointer(&config) : NULL;
}

/* Without the comments, which name files. */
static char *settings(const ViommuConfig *config)
{
    g_autofree char *text = viommu_config_print(config);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *kept = g_string_new(NULL);

    fuzz_check(g_utf8_validate(text, -1, NULL));
    for (char **line = lines; *line; line++)
        if (**line != '#')
            g_string_append_printf(kept, "%s\n", *line);
    return g_string_free(kept, FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(ViommuConfig) config = read_config((const char *)data, size), again = NULL;
    g_autofree char *text = config ? settings(config) : NULL, *text_again = NULL;

    if (!config)
        return 0;
    again = read_config(text, strlen(text));
    if (!again)
        g_error("cannot read what was printed:\n%s", text);
    text_again = settings(again);
    fuzz_check_same(text, text_again);
    return 0;
}
