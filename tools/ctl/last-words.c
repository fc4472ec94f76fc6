/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/last-words.h"

#include <unistd.h>

#include "lib/base/names.h"
#include "lib/base/printable.h"

/* They are not worth a longer wait. */
#define ANSWER_USEC (5 * G_TIME_SPAN_SECOND)
/* Lines of a terminal are longer than their text. */
#define TAIL_BYTES (4 * VIOMMU_CONSOLE_TAIL_BYTES)

char *viommu_ctl_console_tail(ViommuClient *client, const char *name)
{
    const ViommuClientCall call = {.path = VIOMMU_BUS_PATH,
                                   .interface = VIOMMU_IFACE_MANAGER,
                                   .method = "OpenConsoleLog",
                                   .timeout_usec = ANSWER_USEC,
                                   .arguments = g_variant_new("(s)", name)};
    char buffer[TAIL_BYTES];
    off_t size;
    ssize_t n;
    int fd;

    if (!viommu_client_call_fd(client, &call, &fd, NULL))
        return NULL;
    size = lseek(fd, 0, SEEK_END);
    n = pread(fd, buffer, sizeof(buffer), MAX(size - TAIL_BYTES, 0));
    close(fd);
    return n > 0 ? viommu_console_text_tail(buffer, (size_t)n) : NULL;
}

void viommu_ctl_last_words(const ViommuCtl *ctl, ViommuClient *client, GVariant *properties)
{
    const char *name = "";
    g_autofree char *tail = NULL, *text = NULL;

    g_variant_lookup(properties, "Name", "&s", &name);
    tail = viommu_ctl_console_tail(client, name);
    if (!tail)
        return;
    text = g_strdup_printf("the last lines of the console:\n%s", tail);
    viommu_output_note(&ctl->output, text);
}
