/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault: a comparison at each point.  Does not know what happens there. */
#include "daemon/process/fault.h"

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/names.h"

/* A prefix of the name. */
#define STOP "stop:"

static const char *const names[] = {
#define POINT(name, acts) #name,
    VIOMMU_FAULT_POINTS(POINT)
#undef POINT
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == VIOMMU_FAULT_LAST);

void viommu_fault_pass(ViommuFaultPoint point)
{
    static int passages[VIOMMU_FAULT_LAST]; /* by any thread */
    const char *wanted = getenv(VIOMMU_ENV_FAULT);
    bool stops = wanted && g_str_has_prefix(wanted, STOP);
    size_t length = strlen(names[point]);
    int number = 1;

    if (stops)
        wanted += strlen(STOP);
    if (!wanted || strncmp(wanted, names[point], length) != 0)
        return;
    if (wanted[length] == ':')
        number = atoi(wanted + length + 1);
    else if (wanted[length] != '\0')
        return;
    if (g_atomic_int_add(&passages[point], 1) + 1 == number)
        kill(getpid(), stops ? SIGSTOP : SIGKILL);
}
