/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-words: a writer and a strict reader for each message. */
#include "daemon/files/reader-words.h"

#include <unistd.h>
#include "daemon/process/held-files.h"
#include "lib/base/error.h"

/* --- The question --- */

typedef void (*FileFunc)(ViommuFile *file, void *data);

/* Calls @func for each file that a request can name, in an order that both ends know. */
static void each_file(const ViommuRequest *request, FileFunc func, void *data)
{
    func((ViommuFile *)&request->boot.kernel, data);
    func((ViommuFile *)&request->boot.initrd, data);
    for (guint i = 0; request->disks && i < request->disks->len; i++)
        func(&((ViommuRequestDisk *)g_ptr_array_index(request->disks, i))->file, data);
    if (request->seed.user_data.path)
        func((ViommuFile *)&request->seed.user_data, data);
}

static void write_handle(ViommuFile *file, void *builder)
{
    g_variant_builder_add(builder, "i", (gint32)file->handle);
}

static GVariant *write_site(const ViommuFilesSite *site)
{
    static const char *const none[] = {NULL};

    return g_variant_new("(bts^as)", site->own, (guint64)site->reserve_bytes,
                         site->copies ? site->copies : "",
                         site->image_directories ? site->image_directories : none);
}

GVariant *viommu_reader_question_to_variant(const ViommuFilesSite *site, const ViommuRequest *request,
                                            const ViommuFilesMachine *machine, uint32_t timeout_sec,
                                            uint32_t digest_timeout_sec)
{
    GVariantBuilder handles;

    g_variant_builder_init(&handles, G_VARIANT_TYPE("ai"));
    each_file(request, write_handle, &handles);
    return g_variant_new("(@a{sv}@aiuss@(btsas)uu)", viommu_fields_write(&viommu_request_fields, request),
                         g_variant_builder_end(&handles), machine->uid, machine->uuid ? machine->uuid : "",
                         machine->name ? machine->name : "", write_site(site), timeout_sec,
                         digest_timeout_sec);
}

void viommu_reader_question_free(ViommuReaderQuestion *question)
{
    if (!question)
        return;
    viommu_request_free(question->request);
    g_free(question->uuid);
    g_free(question->name);
    g_free(question->copies);
    g_strfreev(question->image_directories);
    g_free(question);
}

typedef struct Handles {
    GVariantIter iterator;
    gint32 n_fds;
    bool good;
} Handles;

static void read_handle(ViommuFile *file, void *data)
{
    Handles *handles = data;
    gint32 handle;

    handles->good = handles->good && g_variant_iter_next(&handles->iterator, "i", &handle) &&
                    (handle == VIOMMU_UNSET || (handle >= 0 && handle < handles->n_fds));
    if (handles->good)
        file->handle = handle;
}

static ViommuRequest *read_request(GVariant *tree, GVariant *list, GArray *fds)
{
    g_autoptr(ViommuRequest) request = g_new0(ViommuRequest, 1);
    Handles handles = {.n_fds = (gint32)fds->len, .good = true};

    viommu_fields_init(&viommu_request_fields, request);
    request->fds = viommu_held_array_new();
    if (!viommu_fields_read(&viommu_request_fields, tree, "", request, NULL))
        return NULL;
    g_variant_iter_init(&handles.iterator, list);
    each_file(request, read_handle, &handles);
    if (!handles.good)
        return NULL;
    g_array_append_vals(request->fds, fds->data, fds->len);
    for (guint i = 0; i < fds->len; i++)
        g_array_index(fds, int, i) = -1;
    return g_steal_pointer(&request);
}

ViommuReaderQuestion *viommu_reader_question_from_variant(GVariant *value, GArray *fds)
{
    g_autoptr(ViommuReaderQuestion) question = g_new0(ViommuReaderQuestion, 1);
    g_autoptr(GVariant) tree = NULL, handles = NULL;
    guint64 reserve_bytes;
    gboolean own;

    g_variant_get(value, "(@a{sv}@aiuss(bts^as)uu)", &tree, &handles, &question->machine.uid, &question->uuid,
                  &question->name, &own, &reserve_bytes, &question->copies, &question->image_directories,
                  &question->timeout_sec, &question->digest_timeout_sec);
    question->machine.uuid = *question->uuid ? question->uuid : NULL;
    question->machine.name = question->name;
    question->request = read_request(tree, handles, fds);
    question->site = (ViommuFilesSite){
        .own = own,
        .copies = question->copies,
        .reserve_bytes = reserve_bytes,
        .image_directories = (const char *const *)question->image_directories,
    };
    return question->request ? g_steal_pointer(&question) : NULL;
}

/* --- Answers --- */

GVariant *viommu_reader_answer_to_variant(const GError *error, GVariant *result)
{
    gint32 code = -1;

    if (error)
        code = error->domain == VIOMMU_ERROR ? error->code : VIOMMU_ERROR_INTERNAL;
    return g_variant_new("(ismv)", code, error ? error->message : "", result);
}

bool viommu_reader_answer_read(GVariant *answer, const char *type, GVariant **ret_result, GError **error)
{
    g_autoptr(GVariant) result = NULL;
    const char *message;
    gint32 code;

    g_variant_get(answer, "(i&smv)", &code, &message, &result);
    if (code >= 0 && code < VIOMMU_ERROR_LAST)
        return viommu_fail(error, code, "%s", message);
    if (code != -1 || !type != !result || (type && !g_variant_is_of_type(result, G_VARIANT_TYPE(type))))
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "viommud's process for files sent an invalid reply");
    if (type)
        *ret_result = g_steal_pointer(&result);
    return true;
}

/* --- What is open --- */

static guint count_backing(const ViommuHandover *handover)
{
    guint n = 0;

    for (guint i = 0; handover->backing && i < handover->backing->len; i++)
        n += ((const ViommuHandoverBacking *)g_ptr_array_index(handover->backing, i))->is_open;
    return n;
}

/* Each descriptor must belong to a disk or backing file that is passed open, and each of these must
 * have one. */
static bool match_fds(const ViommuHandovers *handovers, GVariant *open, const GArray *fds)
{
    guint n = 0;

    if (handovers->disks->len != g_variant_n_children(open))
        return false;
    for (guint i = 0; i < handovers->disks->len; i++) {
        const ViommuHandover *handover = g_ptr_array_index(handovers->disks, i);
        gboolean is_open;

        g_variant_get_child(open, i, "b", &is_open);
        if (handover->is_open && !is_open)
            return false;
        n += is_open + count_backing(handover);
    }
    return n == fds->len;
}

/* Moves the next of @fds to @to; -1 if @is_open is false. */
static void take_next(GArray *to, bool is_open, GArray *fds, guint *next)
{
    int fd = -1;

    if (is_open) {
        fd = g_array_index(fds, int, *next);
        g_array_index(fds, int, (*next)++) = -1;
    }
    g_array_append_val(to, fd);
}

static void take_disks(ViommuReaderOpened *opened, GVariant *open, GArray *fds)
{
    guint next = 0;

    opened->disks = viommu_held_array_new();
    opened->backing = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (guint i = 0; i < opened->handovers->disks->len; i++) {
        const ViommuHandover *handover = g_ptr_array_index(opened->handovers->disks, i);
        GArray *backing = viommu_held_array_new();
        gboolean is_open;

        g_variant_get_child(open, i, "b", &is_open);
        take_next(opened->disks, is_open, fds, &next);
        for (guint j = 0; handover->backing && j < handover->backing->len; j++)
            take_next(backing,
                      ((const ViommuHandoverBacking *)g_ptr_array_index(handover->backing, j))->is_open, fds,
                      &next);
        g_ptr_array_add(opened->backing, backing);
    }
}

/* One for each disk.  The sender may be in a stranger's hands: no size overflows. */
static GArray *take_states(GVariant *states, guint n_disks)
{
    GArray *taken = g_array_sized_new(FALSE, TRUE, sizeof(ViommuFileState), n_disks);

    g_array_set_size(taken, n_disks);
    for (guint i = 0; i < n_disks; i++) {
        g_autoptr(GVariant) maybe = g_variant_get_child_value(states, i);
        g_autoptr(GVariant) state = g_variant_get_maybe(maybe);

        if (state)
            viommu_file_state_from_variant(state, &g_array_index(taken, ViommuFileState, i));
    }
    return taken;
}

static uint64_t sum_overlays(const ViommuHandovers *handovers)
{
    uint64_t sum = 0;

    for (guint i = 0; i < handovers->disks->len; i++) {
        const ViommuHandover *disk = g_ptr_array_index(handovers->disks, i);

        sum += disk->overlay ? MIN(disk->overlay_bytes, (uint64_t)INT64_MAX / handovers->disks->len) : 0;
    }
    return sum;
}

bool viommu_reader_opened_image(GVariant *value, guint n_directories, ViommuSiteImage **ret_image,
                                guint *ret_directory)
{
    g_autoptr(GVariant) maybe = g_variant_get_child_value(value, 5);
    g_autoptr(GVariant) pair = g_variant_get_maybe(maybe), tree = NULL;

    *ret_image = NULL;
    *ret_directory = 0;
    if (!pair)
        return true;
    g_variant_get(pair, "(u@a{sv})", ret_directory, &tree);
    if (*ret_directory < n_directories)
        *ret_image = viommu_site_image_from_variant(tree, NULL);
    return *ret_image;
}

/* What is copied is at most each kind once, and a seed, which is smaller than one. */
bool viommu_reader_opened_read(GVariant *value, guint n_disks, GArray *fds, ViommuReaderOpened *ret_opened)
{
    g_autoptr(GVariant) handovers = NULL, kernel = NULL, open = NULL, states = NULL;
    ViommuReaderOpened opened = {NULL};
    guint64 copied_bytes;

    g_variant_get(value,
                  "(@" VIOMMU_HANDOVERS_TYPE "m@" VIOMMU_KERNEL_TYPE "@abt@am" VIOMMU_FILE_STATE_TYPE
                  "@m" VIOMMU_READER_IMAGE_TYPE ")",
                  &handovers, &kernel, &open, &copied_bytes, &states, NULL);
    opened.size.bytes = copied_bytes;
    opened.kernel_is_known = kernel;
    opened.handovers = viommu_handovers_from_variant(handovers);
    if (!opened.handovers || opened.handovers->disks->len != n_disks ||
        copied_bytes > (VIOMMU_COPY_LAST + 1) * VIOMMU_COPY_BYTES_MAX ||
        g_variant_n_children(states) != n_disks || !match_fds(opened.handovers, open, fds) ||
        (kernel && !viommu_kernel_from_variant(kernel, &opened.kernel))) {
        viommu_handovers_free(opened.handovers);
        return false;
    }
    take_disks(&opened, open, fds);
    opened.states = take_states(states, n_disks);
    opened.size.overlay_bytes = sum_overlays(opened.handovers);
    *ret_opened = opened;
    return true;
}

void viommu_reader_opened_clear(ViommuReaderOpened *opened)
{
    g_clear_pointer(&opened->handovers, viommu_handovers_free);
    g_clear_pointer(&opened->disks, g_array_unref);
    g_clear_pointer(&opened->backing, g_ptr_array_unref);
    g_clear_pointer(&opened->states, g_array_unref);
}
