/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-words: what viommud asks its process for files, and what that answers.  Values of
 * daemon/files/files.h to GVariant and back; reads no file and no socket.  Both ends are of one
 * build, and yet the answer is read strictly: who gives it has read strangers' files. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/files/files.h"

/* The question: request, handles of its files, user, UUID, site, seconds. */
#define VIOMMU_READER_QUESTION_TYPE "(a{sv}aius(bsas)u)"
/* Then, when the files are open and are to be copied: QEMU's group. */
#define VIOMMU_READER_GO_ON_TYPE "t"
/* Every answer: code (of ViommuError; -1: well done), message, and what comes of it. */
#define VIOMMU_READER_ANSWER_TYPE "(ismv)"
/* What comes of an opening (reader-main.c writes it): handovers, kernel, for each disk whether its
 * descriptor is with the answer (then come those of its backing files that are open), and how
 * large the copies will be. */
#define VIOMMU_READER_OPENED_TYPE "(" VIOMMU_HANDOVERS_TYPE "m" VIOMMU_KERNEL_TYPE "abt)"

typedef struct ViommuReaderQuestion {
    ViommuRequest *request; /* of which only what belongs to files is used */
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
/** Takes the descriptors out of @fds (of int).  NULL: it makes no sense. Owned. */
ViommuReaderQuestion *viommu_reader_question_from_variant(GVariant *value, GArray *fds);

/** @error NULL: well done, with @result (floating; may be NULL).  Floating. */
GVariant *viommu_reader_answer_to_variant(const GError *error, GVariant *result);
/** *ret_result of @type, owned; @type NULL: there is none.  Fails with the other's error, or
 *  INTERNAL when it makes no sense. */
bool viommu_reader_answer_read(GVariant *answer, const char *type, GVariant **ret_result, GError **error);

typedef struct ViommuReaderOpened {
    ViommuHandovers *handovers;
    ViommuKernel kernel;
    bool kernel_is_known;
    GArray *disks;      /* of int: its descriptor; -1: none */
    GPtrArray *backing; /* of GArray of int: so, for each file that a disk is based on */
    uint64_t copied_bytes;
} ViommuReaderOpened;
/** Takes the descriptors out of @fds.  False: it makes no sense for @n_disks disks; nothing is
 *  taken. */
bool viommu_reader_opened_read(GVariant *value, guint n_disks, GArray *fds, ViommuReaderOpened *ret_opened);
void viommu_reader_opened_clear(ViommuReaderOpened *opened);
