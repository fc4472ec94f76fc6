/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-words: the messages between viommud and its process for files: values of
 * daemon/files/files.h to GVariant and back; reads no file and no socket.  Both ends are of one
 * build, but the reply is read strictly, because its sender has read strangers' files. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/files/files.h"

/* The question: request, handles of its files, user, UUID, name, site, seconds, seconds for
 * digests. */
#define VIOMMU_READER_QUESTION_TYPE "(a{sv}aiuss(btsas)uu)"
/* Then, when the files are open: what to do, and a number. */
#define VIOMMU_READER_GO_ON_TYPE   "(st)"
#define VIOMMU_READER_DIGEST       "digest"  /* of the disks whose bits are set; the result: */
#define VIOMMU_READER_DIGESTS_TYPE "as"      /* in their order */
#define VIOMMU_READER_PREPARE      "prepare" /* for QEMU's group; with the overlays' descriptors */
/* Each reply: code (of ViommuError; -1: success), message, and result. */
#define VIOMMU_READER_ANSWER_TYPE "(ismv)"
/* The result of an opening (reader-main.c writes it): handovers, kernel, for each disk whether its
 * descriptor is in the reply (followed by those of its open backing files), the size of the copies,
 * for each disk its state, and the image with the number of its directory. */
#define VIOMMU_READER_IMAGE_TYPE "(ua{sv})"
#define VIOMMU_READER_OPENED_TYPE                                                   \
    "(" VIOMMU_HANDOVERS_TYPE "m" VIOMMU_KERNEL_TYPE "abtam" VIOMMU_FILE_STATE_TYPE \
    "m" VIOMMU_READER_IMAGE_TYPE ")"

typedef struct ViommuReaderQuestion {
    ViommuRequest *request; /* only its parts about files are used */
    ViommuFilesMachine machine;
    char *uuid, *name;
    ViommuFilesSite site;
    char *copies;
    char **image_directories;
    uint32_t timeout_sec, digest_timeout_sec;
} ViommuReaderQuestion;
void viommu_reader_question_free(ViommuReaderQuestion *question);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuReaderQuestion, viommu_reader_question_free)

/** Floating. */
GVariant *viommu_reader_question_to_variant(const ViommuFilesSite *site, const ViommuRequest *request,
                                            const ViommuFilesMachine *machine, uint32_t timeout_sec,
                                            uint32_t digest_timeout_sec);
/** Takes the descriptors out of @fds (of int).  NULL: the message is invalid.  Owned. */
ViommuReaderQuestion *viommu_reader_question_from_variant(GVariant *value, GArray *fds);

/** @error NULL: success, with @result (floating; may be NULL).  Floating. */
GVariant *viommu_reader_answer_to_variant(const GError *error, GVariant *result);
/** *ret_result of @type, owned; @type NULL: no result.  Fails with the other end's error, or
 *  INTERNAL when the reply is invalid. */
bool viommu_reader_answer_read(GVariant *answer, const char *type, GVariant **ret_result, GError **error);

typedef struct ViommuReaderOpened {
    ViommuHandovers *handovers;
    ViommuKernel kernel;
    bool kernel_is_known;
    GArray *disks;      /* of int: descriptors; -1: none */
    GPtrArray *backing; /* of GArray of int: the same for the backing files of each disk */
    GArray *states;     /* of ViommuFileState; inode 0: none */
    ViommuCopiesSize size;
} ViommuReaderOpened;
/** The image of such a result; *ret_image NULL: none; owned.  *ret_directory: below @n_directories.
 *  False: invalid. */
bool viommu_reader_opened_image(GVariant *value, guint n_directories, ViommuSiteImage **ret_image,
                                guint *ret_directory);
/** Takes the descriptors out of @fds.  False: invalid for @n_disks disks; takes nothing. */
bool viommu_reader_opened_read(GVariant *value, guint n_disks, GArray *fds, ViommuReaderOpened *ret_opened);
void viommu_reader_opened_clear(ViommuReaderOpened *opened);
