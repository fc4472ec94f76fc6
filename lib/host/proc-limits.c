/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc-limits: reads the few files of /proc that identify a process and its limits. */
#include "lib/host/proc-limits.h"

#include <string.h>

#include "lib/host/sysroot.h"

/* Enough for a hundred disks. */
#define COMMAND_LINE_MAX (1 << 20)
#define CAP_SYS_RESOURCE 24

static const char *const libvirt_daemons[] = {"virtqemud", "libvirtd"};

/* The text after @label in a file whose lines begin with labels.  Owned; NULL: the label is
 * missing. */
static char *value_of(const ViommuRoot *root, uint64_t pid, const char *file, const char *label)
{
    g_autofree char *text = viommu_root_text(root, "proc/%" G_GUINT64_FORMAT "/%s", pid, file);
    const char *line = text ? strstr(text, label) : NULL;

    if (!line || (line != text && line[-1] != '\n'))
        return NULL;
    line += strlen(label);
    line += strspn(line, " \t");
    return g_strndup(line, strcspn(line, "\n"));
}

/* --- Finding processes --- */

typedef bool (*Matches)(const ViommuRoot *root, uint64_t pid, const void *data);

/* 0: there is none. */
static uint64_t find(const ViommuRoot *root, Matches matches, const void *data)
{
    g_auto(GStrv) names = viommu_root_list(root, "proc");
    uint64_t pid;

    for (char **name = names; name && *name; name++)
        if (g_ascii_string_to_unsigned(*name, 10, 1, G_MAXINT32, &pid, NULL) && matches(root, pid, data))
            return pid;
    return 0;
}

/* The index in libvirt_daemons; negative: not one of them. */
static int daemon_kind(const ViommuRoot *root, uint64_t pid)
{
    g_autofree char *command = viommu_root_text(root, "proc/%" G_GUINT64_FORMAT "/comm", pid);

    for (int i = 0; command && i < (int)G_N_ELEMENTS(libvirt_daemons); i++)
        if (g_str_equal(command, libvirt_daemons[i]))
            return i;
    return -1;
}

static bool is_daemon_of(const ViommuRoot *root, uint64_t pid, const void *data)
{
    uint64_t uid = *(const uint64_t *)data;
    g_autofree char *uids = NULL;

    if (daemon_kind(root, pid) < 0)
        return false;
    if (uid == VIOMMU_UNSET_NUMBER)
        return true;
    /* Real, effective, saved, of the file system. */
    uids = value_of(root, pid, "status", "Uid:");
    return uids && g_ascii_isdigit(*uids) && g_ascii_strtoull(uids, NULL, 10) == uid;
}

uint64_t viommu_process_find_libvirt(const char *path, uint64_t uid, const char **ret_name)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(path, NULL);
    uint64_t pid = root ? find(root, is_daemon_of, &uid) : 0;

    if (pid && ret_name)
        *ret_name = libvirt_daemons[MAX(daemon_kind(root, pid), 0)];
    return pid;
}

static bool is_guest(const ViommuRoot *root, uint64_t pid, const void *uuid)
{
    g_autofree char *file = g_strdup_printf("proc/%" G_GUINT64_FORMAT "/cmdline", pid);
    int unused = 0;
    g_autoptr(GBytes) bytes = viommu_root_bytes(root, file, COMMAND_LINE_MAX, &unused);
    gsize size = 0;
    const char *line = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    char wanted[sizeof("-uuid") + 37] = "-uuid";

    /* Two arguments, each with its final zero. */
    g_strlcpy(wanted + sizeof("-uuid"), uuid, 37);
    return line && memmem(line, size, wanted, sizeof("-uuid") + strlen(uuid) + 1);
}

char *viommu_process_guest_uuid(const char *path, uint64_t pid)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(path, NULL);
    g_autofree char *file = g_strdup_printf("proc/%" G_GUINT64_FORMAT "/cmdline", pid);
    int unused = 0;
    g_autoptr(GBytes) bytes = root ? viommu_root_bytes(root, file, COMMAND_LINE_MAX, &unused) : NULL;
    gsize size = 0;
    const char *line = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    const char *word = line ? memmem(line, size, "-uuid", sizeof("-uuid")) : NULL;
    g_autofree char *uuid = NULL;

    if (!word || (gsize)(word - line) + sizeof("-uuid") + 36 > size)
        return NULL;
    uuid = g_strndup(word + sizeof("-uuid"), 36);
    return g_uuid_string_is_valid(uuid) ? g_steal_pointer(&uuid) : NULL;
}

uint64_t viommu_process_find_guest(const char *path, const char *uuid)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(path, NULL);

    return root ? find(root, is_guest, uuid) : 0;
}

/* --- Limits of locked memory --- */

static uint64_t locked_limit(const ViommuRoot *root, uint64_t pid)
{
    g_autofree char *line = value_of(root, pid, "limits", "Max locked memory"), *word = NULL;
    const char *hard = line;
    guint64 bytes;

    if (!line)
        return VIOMMU_UNSET_NUMBER;
    /* Soft, hard, and the unit, in columns. */
    hard += strcspn(hard, " ");
    hard += strspn(hard, " ");
    if (g_str_has_prefix(hard, "unlimited"))
        return VIOMMU_PROCESS_UNLIMITED;
    word = g_strndup(hard, strcspn(hard, " "));
    return g_ascii_string_to_unsigned(word, 10, 0, VIOMMU_PROCESS_UNLIMITED - 1, &bytes, NULL)
               ? bytes
               : VIOMMU_UNSET_NUMBER;
}

uint64_t viommu_process_locked_limit(const char *path, uint64_t pid)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(path, NULL);

    return root ? locked_limit(root, pid) : VIOMMU_UNSET_NUMBER;
}

uint64_t viommu_process_lockable(const char *path, uint64_t pid)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(path, NULL);
    g_autofree char *capabilities = root ? value_of(root, pid, "status", "CapEff:") : NULL;

    if (capabilities && g_ascii_strtoull(capabilities, NULL, 16) >> CAP_SYS_RESOURCE & 1)
        return VIOMMU_PROCESS_UNLIMITED;
    return root ? locked_limit(root, pid) : VIOMMU_UNSET_NUMBER;
}
