/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orphans: compares libvirt's files of process ids with the processes and with libvirt's answer. */
#include "daemon/manager/orphans.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/host/proc-limits.h"

/* A process id and a newline. */
#define PID_BYTES_MAX 32

void viommu_orphan_free(ViommuOrphan *orphan)
{
    g_free(orphan->name);
    g_free(orphan);
}

/* 0: not a process id. */
static uint64_t read_pid(const char *path)
{
    g_autofree char *text = NULL;
    gsize size;
    guint64 pid;

    if (!g_file_get_contents(path, &text, &size, NULL) || size > PID_BYTES_MAX)
        return 0;
    return g_ascii_string_to_unsigned(g_strchomp(text), 10, 1, G_MAXINT32, &pid, NULL) ? pid : 0;
}

/* Asks libvirt itself, whose listing has only domains with viommud's metadata. */
static bool is_unknown(ViommuBackend *backend, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    bool active;

    return !viommu_backend_is_active(backend, uuid, &active, &error) &&
           g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND);
}

static ViommuOrphan *look_at(ViommuBackend *backend, const char *root, const char *path, const char *name)
{
    uint64_t pid = read_pid(path);
    g_autofree char *uuid = pid ? viommu_process_guest_uuid(root, pid) : NULL;
    ViommuOrphan *orphan;

    /* Looks at the process again, because it may have ended normally meanwhile. */
    if (!uuid || !is_unknown(backend, uuid) || viommu_process_find_guest(root, uuid) != pid)
        return NULL;
    orphan = g_new0(ViommuOrphan, 1);
    orphan->name = g_strdup(name);
    orphan->pid = pid;
    g_strlcpy(orphan->uuid, uuid, sizeof(orphan->uuid));
    return orphan;
}

GPtrArray *viommu_orphans_find(ViommuBackend *backend, const char *root, const char *directory,
                               const char *prefix)
{
    GPtrArray *orphans = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_orphan_free);
    g_autofree char *place = g_build_filename(root, directory, NULL);
    g_autoptr(GDir) entries = g_dir_open(place, 0, NULL);

    for (const char *entry; entries && (entry = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(place, entry, NULL), *name = NULL;
        ViommuOrphan *orphan;

        if (!g_str_has_prefix(entry, prefix) || !g_str_has_suffix(entry, ".pid"))
            continue;
        name = g_strndup(entry + strlen(prefix), strlen(entry) - strlen(prefix) - strlen(".pid"));
        orphan = look_at(backend, root, path, name);
        if (orphan)
            g_ptr_array_add(orphans, orphan);
    }
    return orphans;
}

bool viommu_orphan_lives(const ViommuOrphan *orphan)
{
    return kill((pid_t)orphan->pid, 0) == 0 || errno != ESRCH;
}
