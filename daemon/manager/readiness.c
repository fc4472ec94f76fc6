/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/manager/readiness.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file has the UUIDs of machines, a line each. */
#define FILE_BYTES_MAX (1u << 20)

struct ViommuReadiness {
    ViommuRegistry *registry;
    ViommuVerifier *verifier;
    int file;
    char **earlier; /* UUIDs; NULL: libvirt has listed its domains */
};

int viommu_readiness_file(void)
{
    return memfd_create("viommud-ready", MFD_CLOEXEC);
}

static char **read_file(int file)
{
    g_autofree char *text = g_malloc0(FILE_BYTES_MAX + 1);

    if (file < 0 || pread(file, text, FILE_BYTES_MAX, 0) < 0)
        *text = 0;
    return g_strsplit(text, "\n", -1);
}

ViommuReadiness *viommu_readiness_new(ViommuRegistry *registry, ViommuVerifier *verifier, int file)
{
    ViommuReadiness *readiness = g_new0(ViommuReadiness, 1);

    readiness->registry = registry;
    readiness->verifier = verifier;
    readiness->file = file;
    readiness->earlier = read_file(file);
    return readiness;
}

void viommu_readiness_free(ViommuReadiness *readiness)
{
    if (!readiness)
        return;
    g_strfreev(readiness->earlier);
    g_free(readiness);
}

/* Before the first listing the file is still that of the viommud before. */
static void write_file(const ViommuReadiness *readiness)
{
    g_autoptr(GString) text = g_string_new(NULL);
    ViommuRegistryIterator machines = viommu_registry_iterate(readiness->registry);

    if (readiness->file < 0 || readiness->earlier)
        return;
    for (const ViommuMachine *machine; (machine = viommu_registry_next(&machines));)
        if (machine->told_ready && text->len < FILE_BYTES_MAX)
            g_string_append_printf(text, "%s\n", machine->uuid);
    if (ftruncate(readiness->file, 0) < 0 || pwrite(readiness->file, text->str, text->len, 0) < 0)
        return; /* no memory: then it is as if viommud had not kept it */
}

/* Whether libvirt has yet to tell the context of a guest. */
static bool has_unknown(const ViommuReadiness *readiness)
{
    ViommuRegistryIterator machines = viommu_registry_iterate(readiness->registry);

    if (readiness->earlier)
        return true;
    for (const ViommuMachine *machine; (machine = viommu_registry_next(&machines));)
        if ((machine->state == VIOMMU_STATE_STARTING || machine->state == VIOMMU_STATE_RUNNING) &&
            (viommu_machine_unknown_reach(machine) & VIOMMU_BIT(VIOMMU_REACH_VSOCK)))
            return true;
    return false;
}

/* libvirt gives the context of a guest that has ended to a later one: only running ones count. */
static ViommuMachine *by_cid(const ViommuRegistry *registry, uint32_t cid)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (machine->reach.vsock_cid == cid && machine->state == VIOMMU_STATE_RUNNING)
            return machine;
    return NULL;
}

bool viommu_readiness_told(ViommuReadiness *readiness, uint32_t cid)
{
    ViommuMachine *machine = cid ? by_cid(readiness->registry, cid) : NULL;

    /* Maybe of another program: every guest may connect. */
    if (!machine)
        return !has_unknown(readiness);
    if (machine->told_ready)
        return true;
    viommu_verifier_told_ready(readiness->verifier, machine);
    write_file(readiness);
    return true;
}

void viommu_readiness_reset(ViommuReadiness *readiness, ViommuMachine *machine)
{
    /* It may boot without end. */
    if (!machine->told_ready)
        return;
    viommu_registry_tell_ready(readiness->registry, machine, false);
    write_file(readiness);
}

void viommu_readiness_listed(ViommuReadiness *readiness)
{
    g_auto(GStrv) earlier = g_steal_pointer(&readiness->earlier);

    for (char **uuid = earlier; uuid && *uuid; uuid++) {
        ViommuMachine *machine = viommu_registry_by_uuid(readiness->registry, *uuid);

        if (machine && machine->state == VIOMMU_STATE_RUNNING)
            viommu_registry_tell_ready(readiness->registry, machine, true);
    }
    write_file(readiness);
}
