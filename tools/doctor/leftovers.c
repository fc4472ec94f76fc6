/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leftovers: machines that viommud does not count, and the remains of machines that are gone. */
#include "tools/doctor/internal.h"

#include "daemon/files/boot-copies.h"
#include "daemon/libvirt/backend.h"
#include "daemon/manager/orphans.h"
#include "lib/base/quantity.h"

void viommu_leftovers_free(ViommuLeftovers *leftovers)
{
    if (!leftovers)
        return;
    g_clear_pointer(&leftovers->domains, g_ptr_array_unref);
    g_clear_pointer(&leftovers->names, g_ptr_array_unref);
    g_clear_pointer(&leftovers->orphans, g_ptr_array_unref);
    g_clear_pointer(&leftovers->copies, g_hash_table_unref);
    g_free(leftovers->directory);
    g_free(leftovers);
}

static void tell_domains(ViommuExamination *examination, const ViommuLeftovers *leftovers)
{
    for (guint i = 0; i < leftovers->domains->len; i++) {
        const ViommuDomain *domain = g_ptr_array_index(leftovers->domains, i);
        g_autofree char *destroy =
            domain->active ? g_strdup_printf("virsh destroy %s; ", domain->uuid) : NULL;

        TELL(
            WARNING,
            g_strdup_printf(
                "run \"journalctl -u viommud\" to see why; to remove the domain, run \"%svirsh undefine --nvram %s\"",
                destroy ? destroy : "", domain->uuid),
            "domain '%s' (%s) has viommud's metadata, but viommud does not count it: no lease ends it, and no limit includes it",
            domain->name, domain->uuid);
    }
    for (guint i = 0; i < leftovers->names->len; i++)
        TELL(
            WARNING,
            g_strdup("rename the domain with \"virsh domrename\", or remove it with \"virsh undefine\""),
            "domain '%s' has the name of a machine, but no metadata of viommud's: viommud does not count it, and no machine can have its name",
            (const char *)g_ptr_array_index(leftovers->names, i));
}

static void tell_orphans(ViommuExamination *examination, const ViommuLeftovers *leftovers)
{
    for (guint i = 0; i < leftovers->orphans->len; i++) {
        const ViommuOrphan *orphan = g_ptr_array_index(leftovers->orphans, i);

        TELL(WARNING, g_strdup_printf("run as root \"kill %" G_GUINT64_FORMAT "\"", orphan->pid),
             "the guest of machine '%s' runs on as process %" G_GUINT64_FORMAT
             ", but libvirt does not know it: no limit includes it, and no lease ends it",
             orphan->name, orphan->pid);
    }
}

static void tell_copies(ViommuExamination *examination, const ViommuPatient *patient)
{
    const ViommuLeftovers *leftovers = patient->leftovers;
    GHashTableIter iterator;
    uint64_t sum = 0;
    void *size_of;
    g_autofree char *size = NULL;

    g_hash_table_iter_init(&iterator, leftovers->copies);
    while (g_hash_table_iter_next(&iterator, NULL, &size_of))
        sum += ((const ViommuCopiesSize *)size_of)->bytes;
    if (g_hash_table_size(leftovers->copies) == 0)
        return;
    size = viommu_quantity_format(sum);
    TELL(WARNING,
         g_strdup_printf("%s viommud; it removes them",
                         patient->daemon_version ? "wait a minute, then restart" : "start"),
         "%s has copied boot files and overlays (%s) of %u machines that do not exist", leftovers->directory,
         size, g_hash_table_size(leftovers->copies));
}

void viommu_doctor_check_leftovers(ViommuExamination *examination, const ViommuPatient *patient)
{
    const ViommuLeftovers *leftovers = patient->leftovers;
    guint before = examination->findings->len;

    if (!leftovers)
        return;
    if (!patient->daemon_version && leftovers->n_machines > 0)
        TELL(WARNING, g_strdup("start viommud"),
             "viommud does not answer, so no lease ends the %u machines in libvirt", leftovers->n_machines);
    tell_domains(examination, leftovers);
    tell_orphans(examination, leftovers);
    tell_copies(examination, patient);
    if (examination->findings->len == before)
        TELL(OK, NULL, "viommud counts all %u machines in libvirt, and nothing is left of former machines",
             leftovers->n_machines);
}
