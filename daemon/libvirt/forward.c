/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* forward: forwards ports of this host to a guest, through QEMU's own network.  Only QEMU's human
 * monitor can add a port whose number the kernel chooses, and tell the number. */
#include "daemon/libvirt/internal.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>

#include "lib/base/printable.h"
#include "lib/machine/forwards.h"

/* QEMU's answer, as text.  Owned, free(). */
static char *ask(virDomainPtr domain, const char *command, GError **error)
{
    char *answer = NULL;

    if (virDomainQemuMonitorCommand(domain, command, &answer, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP) == 0 &&
        answer)
        return answer;
    viommu_libvirt_fail(error, "cannot ask QEMU's monitor for '%s'", command);
    free(answer);
    return NULL;
}

static GArray *read_open(virDomainPtr domain, GError **error)
{
    char *answer = ask(domain, "info usernet", error);
    GArray *forwards = answer ? viommu_forwards_read(answer, error) : NULL;

    free(answer);
    return forwards;
}

/* QEMU reports success with an empty answer. */
static bool add(virDomainPtr domain, const ViommuForward *forward, GError **error)
{
    g_autofree char *command = g_strdup_printf("hostfwd_add hostnet%u tcp:" VIOMMU_FORWARD_ADDRESS ":0-:%u",
                                               forward->network, forward->guest_port);
    char *answer = ask(domain, command, error);
    g_autofree char *words = answer ? viommu_console_text_clean(answer) : NULL;

    free(answer);
    if (!words)
        return false;
    g_strstrip(words);
    return !*words || viommu_fail(error, VIOMMU_ERROR_BACKEND,
                                  "QEMU cannot forward a port of this host to port %u of the guest: %.400s",
                                  forward->guest_port, words);
}

/* Gives @wanted its port of this host. */
static bool find(const GArray *open, ViommuForward *wanted)
{
    for (guint i = 0; i < open->len; i++) {
        const ViommuForward *forward = &g_array_index(open, ViommuForward, i);

        if (forward->network == wanted->network && forward->guest_port == wanted->guest_port) {
            wanted->host_port = forward->host_port;
            return true;
        }
    }
    return false;
}

/* passt has all of them, or QEMU. */
static bool are_open(const GArray *forwards)
{
    for (guint i = 0; i < forwards->len; i++)
        if (g_array_index(forwards, ViommuForward, i).host_port == 0)
            return false;
    return true;
}

static bool open_missing(virDomainPtr domain, GArray *forwards, GError **error)
{
    g_autoptr(GArray) before = read_open(domain, error), after = NULL;

    /* An earlier call whose answer was lost may have added some. */
    for (guint i = 0; before && i < forwards->len; i++) {
        ViommuForward *forward = &g_array_index(forwards, ViommuForward, i);

        if (!find(before, forward) && !add(domain, forward, error))
            return false;
    }
    after = before ? read_open(domain, error) : NULL;
    for (guint i = 0; after && i < forwards->len; i++) {
        ViommuForward *forward = &g_array_index(forwards, ViommuForward, i);

        if (!find(after, forward))
            return viommu_fail(error, VIOMMU_ERROR_BACKEND,
                               "QEMU did not forward a port of this host to port %u of the guest",
                               forward->guest_port);
    }
    return after != NULL;
}

bool viommu_forward_open(virDomainPtr domain, GArray *forwards, GError **error)
{
    return are_open(forwards) || open_missing(domain, forwards, error);
}

typedef struct Question {
    const char *uuid;
    GArray *forwards;
} Question;

static bool list(virConnectPtr connection, void *data, GError **error)
{
    Question *question = data;
    virDomainPtr domain = virDomainLookupByUUIDString(connection, question->uuid);

    if (!domain)
        return viommu_libvirt_fail(error, "cannot find domain '%s'", question->uuid);
    question->forwards = read_open(domain, error);
    virDomainFree(domain);
    return question->forwards != NULL;
}

GArray *viommu_forward_list(ViommuPool *pool, const char *uuid, GError **error)
{
    Question question = {uuid, NULL};

    return viommu_pool_call(pool, list, &question, true, error) ? question.forwards : NULL;
}
