/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-words: the messages between viommud and its process for files: values of
 * daemon/files/files.h to GVariant and back; reads no file and no socket.  Both ends are of one
 * build, but the reply is read strictly, because its sender has read strangers' files. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/files/files.h"

/* The question: request, handles of its files, user, UUID, site, seconds. */
#define VIOMMU_READER_QUESTION_TYPE "(a{sv}aius(bsas)u)"
/* Then, when the files are open and are to be copied: QEMU's group. */
#define VIOMMU_READER_GO_ON_TYPE "t"
/* Each reply: code (of ViommuError; -1: success), message, and result. */
#define VIOMMU_READER_ANSWER_TYPE "(ismv)"
/* The result of an opening (reader-main.c writes it): handovers, kernel, for each disk whether its
 * descriptor is in the reply (followed by those of its open backing files), and the size of the
 * copies. */
#define VIOMMU_READER_OPENED_TYPE "(" VIOMMU_HANDOVERS_TYPE "m" VIOMMU_KERNEL_TYPE "abt)"

typedef struct ViommuReaderQuestion {
    ViommuRequest *request; /* only its parts about files are used */
    uint32_t uid;
    char *uuid;
    ViommuFilesSite site;
    char *copies;
    char **image_directories;
    uint32_t timeout_sec;
} ViommuReaderQuestion;
void viommu_reader_question_free(ViommuReaderQuestion *question);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuReaderQuestion, viommu_reader_question_free)

/** Floating. */
GVariant *viommu_reader_question_to_variant(const ViommuFilesSite *site, const ViommuRequest *request,
                                            uint32_t uid, const char *uuid, uint32_t timeout_sec);
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
    uint64_t copied_bytes;
} ViommuReaderOpened;
/** Takes the descriptors out of @fds.  False: invalid for @n_disks disks; takes nothing. */
bool viommu_reader_opened_read(GVariant *value, guint n_disks, GArray *fds, ViommuReaderOpened *ret_opened);
void viommu_reader_opened_clear(ViommuReaderOpened *opened);
