/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digest: GLib's checksum, and a short list. */
#include "daemon/files/digest.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/request/request-check.h"

#define PIECE      ((size_t)1 << 20)
#define KNOWN_MAX  256u
#define NSEC_OF(t) ((int64_t)(t).tv_sec * 1000000000 + (t).tv_nsec)

typedef struct Known {
    uint32_t uid;
    ViommuFileState state;
    char *digest;
} Known;

struct ViommuDigests {
    GQueue known; /* of Known, the newest first */
};

bool viommu_file_state_get(int fd, ViommuFileState *ret_state)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return false;
    *ret_state = (ViommuFileState){info.st_dev, info.st_ino, (uint64_t)info.st_size, NSEC_OF(info.st_mtim),
                                   NSEC_OF(info.st_ctim)};
    return true;
}

bool viommu_file_state_is_same(const ViommuFileState *a, const ViommuFileState *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->mtime_nsec == b->mtime_nsec;
}

GVariant *viommu_file_state_to_variant(const ViommuFileState *state)
{
    return g_variant_new(VIOMMU_FILE_STATE_TYPE, state->device, state->inode, state->bytes, state->mtime_nsec,
                         state->ctime_nsec);
}

void viommu_file_state_from_variant(GVariant *value, ViommuFileState *ret_state)
{
    guint64 device, inode, bytes;
    gint64 mtime, ctime;

    g_variant_get(value, VIOMMU_FILE_STATE_TYPE, &device, &inode, &bytes, &mtime, &ctime);
    *ret_state = (ViommuFileState){device, inode, bytes, mtime, ctime};
}

char *viommu_digest_compute(int fd, GError **error)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree uint8_t *piece = g_malloc(PIECE);
    char *digest = NULL;
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, piece, PIECE, at)) > 0) {
        g_checksum_update(sum, piece, n);
        at += n;
    }
    if (n < 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot read it: %s", g_strerror(errno));
    else
        digest = g_strconcat(VIOMMU_DIGEST_PREFIX, g_checksum_get_string(sum), NULL);
    g_checksum_free(sum);
    return digest;
}

ViommuDigests *viommu_digests_new(void)
{
    ViommuDigests *digests = g_new(ViommuDigests, 1);

    g_queue_init(&digests->known);
    return digests;
}

static void free_known(void *data)
{
    Known *known = data;

    g_free(known->digest);
    g_free(known);
}

void viommu_digests_free(ViommuDigests *digests)
{
    if (!digests)
        return;
    g_queue_clear_full(&digests->known, free_known);
    g_free(digests);
}

const char *viommu_digests_find(const ViommuDigests *digests, uint32_t uid, const ViommuFileState *state)
{
    for (const GList *link = digests->known.head; link; link = link->next) {
        const Known *known = link->data;

        if (known->uid == uid && viommu_file_state_is_same(&known->state, state) &&
            known->state.ctime_nsec == state->ctime_nsec)
            return known->digest;
    }
    return NULL;
}

void viommu_digests_note(ViommuDigests *digests, uint32_t uid, const ViommuFileState *state,
                         const char *digest)
{
    Known *known = g_new(Known, 1);

    *known = (Known){uid, *state, g_strdup(digest)};
    g_queue_push_head(&digests->known, known);
    if (digests->known.length > KNOWN_MAX)
        free_known(g_queue_pop_tail(&digests->known));
}
