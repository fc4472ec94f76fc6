/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* overlay: qemu-img create -u, whose words become the error. */
#include "daemon/files/overlay.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/files/image-chain.h"
#include "lib/base/error.h"
#include "lib/base/printable.h"

#define PROGRAM "qemu-img"
#define SECTOR  512u

/* Of what qemu-img prints, an error quotes so much. */
#define WORDS_MAX 1000

static bool measure_qcow2(int fd, uint64_t *ret_bytes, GError **error)
{
    g_auto(ViommuImage) image = {NULL};

    if (!viommu_chain_read_header(fd, &image, error))
        return false;
    *ret_bytes = image.bytes;
    return true;
}

static bool measure_raw(int fd, uint64_t *ret_bytes, GError **error)
{
    off_t place = lseek(fd, 0, SEEK_CUR), end = lseek(fd, 0, SEEK_END);

    if (place < 0 || end < 0 || lseek(fd, place, SEEK_SET) < 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot read its size: %s",
                           g_strerror(errno));
    *ret_bytes = (uint64_t)end;
    return true;
}

uint64_t viommu_overlay_round(uint64_t bytes)
{
    return (bytes + SECTOR - 1) / SECTOR * SECTOR;
}

bool viommu_overlay_measure(int fd, ViommuDiskFormat format, uint64_t *ret_bytes, GError **error)
{
    uint64_t bytes = 0;

    if (!(format == VIOMMU_DISK_FORMAT_QCOW2 ? measure_qcow2 : measure_raw)(fd, &bytes, error))
        return false;
    if (bytes == 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is empty");
    if (bytes > INT64_MAX - SECTOR)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "its header has an impossible size");
    *ret_bytes = viommu_overlay_round(bytes);
    return true;
}

/* In the new process.  It must not go on when its launch is given up and its files are removed; and
 * what it makes is its owner's alone. */
static void set_up_process(void *data)
{
    signal(SIGCHLD, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    umask(0077);
}

/* "qemu-img: PATH: Could not ...": its words, without what the error says anyway. */
static char *plain_words(const char *text, const char *path)
{
    g_autofree char *named = g_strconcat(PROGRAM ": ", path, ": ", NULL);
    const char *at = g_str_has_prefix(text, named)          ? text + strlen(named)
                     : g_str_has_prefix(text, PROGRAM ": ") ? text + strlen(PROGRAM ": ")
                                                            : text;
    g_autofree char *some = g_strndup(at, WORDS_MAX);

    return viommu_console_text_clean(g_strchomp(some));
}

static bool tell(const ViommuOverlay *overlay, int status, const char *text, GError **error)
{
    g_autofree char *words = plain_words(text, overlay->path);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (*words)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, PROGRAM " cannot make the overlay '%s': %s",
                           overlay->path, words);
    return viommu_fail(error, VIOMMU_ERROR_BACKEND,
                       PROGRAM " cannot make the overlay '%s': it ended by %s %d", overlay->path,
                       WIFSIGNALED(status) ? "signal" : "status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Reads all that it prints, as it would wait otherwise, and keeps the beginning. */
static char *read_words(int fd)
{
    GString *text = g_string_new(NULL);
    char piece[512];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && text->len < 2 * WORDS_MAX)
            g_string_append_len(text, piece, n);
    return g_string_free(text, FALSE);
}

bool viommu_overlay_make(const ViommuOverlay *overlay, GError **error)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, overlay->bytes);
    const char *const arguments[] = {
        PROGRAM, "create",      "-q", "-u",
        "-f",    "qcow2",       "-F", viommu_enum_to_string(&viommu_enum_disk_format, overlay->format),
        "-b",    overlay->base, "--", overlay->path,
        size,    NULL};
    g_autofree char *text = NULL;
    g_autoptr(GError) cause = NULL;
    int words = -1, status = -1; /* -1: neither ended well nor at all */
    GPid child;

    if (!g_spawn_async_with_pipes("/", (char **)arguments, NULL,
                                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                      G_SPAWN_STDOUT_TO_DEV_NULL,
                                  set_up_process, NULL, &child, NULL, NULL, &words, &cause)) {
        if (g_error_matches(cause, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
            return viommu_fail(
                error, VIOMMU_ERROR_NOT_SUPPORTED,
                "an overlay needs the program " PROGRAM
                ", which is not installed; install it (Debian: qemu-utils; Fedora: qemu-img), or request the disk without an overlay");
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot run " PROGRAM ": %s", cause->message);
    }
    text = read_words(words);
    close(words);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return tell(overlay, status, text, error);
}
