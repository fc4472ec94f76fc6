/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader: asks the child that serves a launch, and explains what happened to it. */
#include "daemon/files/reader-internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "daemon/files/reader-words.h"
#include "daemon/files/wire.h"
#include "lib/base/error.h"
#include "lib/request/request-check.h"

/* The most files that an error names. */
#define NAMED_MAX 3u

struct ViommuReader {
    ViommuReaders *readers;
    const ViommuFilesSite *site;
    ViommuRequest *request;
    uint32_t uid;
    char *uuid, *name;
    int socket; /* -1: there is no child: no files, or they are on another host */
    int handle; /* pidfd of its process; -1: not known yet */
    bool asked; /* the child is working: to end it, kill it */
    ViommuReaderOpened opened;
    uint64_t unknown; /* bits of the disks whose digests are not known */
    GPtrArray *fresh; /* of char *: these digests, in their order; NULL: not computed */
    GArray *overlays; /* of int: open, one for each disk; -1: none; NULL: not made */
};

static bool refuse_reply(GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "viommud's process for files sent an invalid reply");
}

static int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static bool has_files(const ViommuRequest *request)
{
    return request->boot.kernel.path || request->boot.initrd.path || request->seed.present ||
           request->image || (request->disks && request->disks->len > 0);
}

static bool begin(ViommuReader *reader, GError **error)
{
    int fds[2];
    bool sent;

    if (viommu_readers_hung(reader->readers, reader->uid) >= VIOMMU_READERS_HUNG_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "%u processes of viommud hang on files of user %u, whose file systems do not respond; launch again when these file systems work or are unmounted",
            VIOMMU_READERS_HUNG_MAX, reader->uid);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return viommu_readers_fail(error, errno, "make a socket for a launch");
    sent = viommu_readers_send(reader->readers, fds[1], error);
    close(fds[1]);
    if (sent)
        reader->socket = fds[0];
    else
        close(fds[0]);
    return sent;
}

bool viommu_reader_new(ViommuReaders *readers, const ViommuFilesSite *site, ViommuRequest *request,
                       const ViommuFilesMachine *machine, ViommuReader **ret_reader, GError **error)
{
    ViommuReader *reader = g_new0(ViommuReader, 1);

    *reader = (ViommuReader){.readers = readers,
                             .site = site,
                             .request = request,
                             .uid = machine->uid,
                             .uuid = g_strdup(machine->uuid),
                             .name = g_strdup(machine->name),
                             .socket = -1,
                             .handle = -1};
    if (!site->skip && has_files(request) && !begin(reader, error)) {
        viommu_reader_free(reader);
        return false;
    }
    *ret_reader = reader;
    return true;
}

static void kill_process(const ViommuReader *reader)
{
    if (reader->handle >= 0)
        (void)syscall(SYS_pidfd_send_signal, reader->handle, SIGKILL, NULL, 0);
}

void viommu_reader_free(ViommuReader *reader)
{
    if (!reader)
        return;
    if (reader->asked)
        kill_process(reader);
    viommu_readers_close(&reader->socket);
    if (reader->handle >= 0 && reader->asked)
        viommu_readers_watch_end(reader->readers, reader->uid, take_fd(&reader->handle));
    viommu_readers_close(&reader->handle);
    viommu_reader_opened_clear(&reader->opened);
    g_clear_pointer(&reader->fresh, g_ptr_array_unref);
    g_clear_pointer(&reader->overlays, g_array_unref);
    g_free(reader->name);
    g_free(reader->uuid);
    g_free(reader);
}

static void add_name(GString *names, unsigned *n, const char *key, const ViommuFile *file)
{
    if (!file->path)
        return;
    if (*n < NAMED_MAX)
        g_string_append_printf(names, "%s%s '%s'", *n > 0 ? ", " : "", key, file->path);
    else if (*n == NAMED_MAX)
        g_string_append(names, " and others");
    (*n)++;
}

/* The files that were waited for. */
static char *name_files(const ViommuRequest *request)
{
    GString *names = g_string_new(NULL);
    unsigned n = 0;

    if (request->image) {
        g_string_append_printf(names, "image '%s'", request->image);
        n++;
    }
    add_name(names, &n, "boot.kernel", &request->boot.kernel);
    add_name(names, &n, "boot.initrd", &request->boot.initrd);
    for (guint i = 0; request->disks && i < request->disks->len; i++) {
        g_autofree char *key = g_strdup_printf("disks[%u].path", i);

        add_name(names, &n, key, &((const ViommuRequestDisk *)g_ptr_array_index(request->disks, i))->file);
    }
    add_name(names, &n, "seed.user-data", &request->seed.user_data);
    return g_string_free(names, FALSE);
}

/* A time that is bounded by a setting. */
typedef struct Bound {
    const char *what; /* it must be done in it */
    uint32_t seconds;
    const char *key;
} Bound;

/* Explains what happened to the process, for the error of the launch. */
static bool explain(ViommuReader *reader, const Bound *bound, const GError *cause, GError **error)
{
    g_autofree char *names = name_files(reader->request);

    if (g_error_matches(cause, VIOMMU_ERROR, VIOMMU_ERROR_BUSY))
        viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "viommud had not %s the files of this request after %u s: %s; use files on a file system that responds, or raise [files] %s",
            bound->what, bound->seconds, names, bound->key);
    else
        viommu_fail(error, VIOMMU_ERROR_INTERNAL,
                    "viommud's process for files failed (%s) before it had %s: %s", cause->message,
                    bound->what, names);
    kill_process(reader);
    return false;
}

static Bound bound_of(const ViommuReader *reader, const char *what)
{
    return (Bound){what, reader->readers->timeout_sec, "timeout"};
}

static gint64 deadline(const Bound *bound)
{
    return g_get_monotonic_time() + bound->seconds * G_TIME_SPAN_SECOND;
}

/* Reads its first message, with the pidfd. */
static bool meet(ViommuReader *reader, gint64 end, GError **error)
{
    g_autoptr(GArray) fds = viommu_held_array_new();
    g_autoptr(GVariant) hello =
        viommu_wire_receive(reader->socket, VIOMMU_READER_ANSWER_TYPE, fds, end, error);

    if (!hello)
        return false;
    if (fds->len != 1)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "it does not identify itself");
    reader->handle = g_array_index(fds, int, 0);
    g_array_index(fds, int, 0) = -1;
    return true;
}

static GVariant *ask(ViommuReader *reader, GArray *fds, gint64 end, GError **error)
{
    const ViommuFilesMachine machine = {reader->uid, reader->uuid, reader->name};
    GVariant *question =
        viommu_reader_question_to_variant(reader->site, reader->request, &machine,
                                          reader->readers->timeout_sec, reader->readers->digest_timeout_sec);

    if (!viommu_wire_send(reader->socket, question, reader->request->fds, end, error))
        return NULL;
    if (reader->request->fds)
        g_array_set_size(reader->request->fds, 0);
    return viommu_wire_receive(reader->socket, VIOMMU_READER_ANSWER_TYPE, fds, end, error);
}

/* The system's viommud copies each boot file. */
static bool is_our_copy(const ViommuReader *reader, const ViommuHandover *file, ViommuCopy what)
{
    g_autofree char *path =
        reader->uuid ? viommu_copies_path(reader->site->copies, reader->uuid, what) : NULL;

    return reader->site->own || !file->path || g_strcmp0(file->path, path) == 0;
}

/* The process may be in a stranger's hands: what viommud makes itself has viommud's names. */
static bool has_our_names(const ViommuReader *reader)
{
    const ViommuHandovers *handovers = reader->opened.handovers;
    const GPtrArray *disks = handovers ? handovers->disks : NULL;
    g_autofree char *seed = reader->uuid ? viommu_copies_seed_path(reader->site->copies, reader->uuid) : NULL;

    for (guint i = 0; disks && i < disks->len; i++) {
        const ViommuRequestDisk *asked = g_ptr_array_index(reader->request->disks, i);
        const ViommuHandover *disk = g_ptr_array_index(disks, i);
        g_autofree char *path =
            viommu_copies_overlay_path(reader->site->copies, reader->uuid, i, disk->overlay_bytes);

        if (g_strcmp0(disk->overlay, asked->overlay == 1 ? path : NULL) != 0)
            return false;
    }
    return !handovers || ((!handovers->seed.path || g_strcmp0(handovers->seed.path, seed) == 0) &&
                          is_our_copy(reader, &handovers->kernel, VIOMMU_COPY_KERNEL) &&
                          is_our_copy(reader, &handovers->initrd, VIOMMU_COPY_INITRD));
}

/* As the process did before it opened the disks. */
static bool take_image(ViommuReader *reader, GVariant *result, GError **error)
{
    const char *const *directories = reader->site->image_directories;
    g_autoptr(ViommuSiteImage) image = NULL;
    guint n = directories ? g_strv_length((char **)directories) : 0, directory;

    if (!viommu_reader_opened_image(result, n, &image, &directory) || !image != !reader->request->image)
        return refuse_reply(error);
    return !image || viommu_site_image_merge(image, directories[directory], reader->request, error);
}

static bool take_opened(ViommuReader *reader, GVariant *answer, GArray *fds, GError **error)
{
    const ViommuRequest *request = reader->request;
    g_autoptr(GVariant) result = NULL;
    guint n_disks;

    if (!viommu_reader_answer_read(answer, VIOMMU_READER_OPENED_TYPE, &result, error) ||
        !take_image(reader, result, error))
        return false;
    n_disks = reader->uuid && request->disks ? request->disks->len : 0;
    if (viommu_reader_opened_read(result, n_disks, fds, &reader->opened) && has_our_names(reader))
        return true;
    return refuse_reply(error);
}

bool viommu_reader_open(ViommuReader *reader, GError **error)
{
    g_autoptr(GArray) fds = viommu_held_array_new();
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GError) cause = NULL;
    const Bound bound = bound_of(reader, "opened and read");
    gint64 end = deadline(&bound);

    if (reader->socket < 0)
        return true;
    reader->asked = true;
    answer = meet(reader, end, &cause) ? ask(reader, fds, end, &cause) : NULL;
    viommu_held_add_all(fds, reader->uid);
    if (!answer)
        return explain(reader, &bound, cause, error);
    reader->asked = false;
    return take_opened(reader, answer, fds, error);
}

const ViommuHandovers *viommu_reader_handovers(const ViommuReader *reader)
{
    return reader->opened.handovers;
}

const ViommuKernel *viommu_reader_kernel(const ViommuReader *reader)
{
    return reader->opened.kernel_is_known ? &reader->opened.kernel : NULL;
}

ViommuCopiesSize viommu_reader_size(const ViommuReader *reader)
{
    return reader->opened.size;
}

/* --- Digests --- */

static const char *wanted_digest(const ViommuReader *reader, guint i)
{
    return ((const ViommuRequestDisk *)g_ptr_array_index(reader->request->disks, i))->digest;
}

static bool compare(const ViommuReader *reader, guint i, const char *digest, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(reader->request->disks, i);

    if (g_str_equal(disk->digest, digest))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "disks[%u].path '%s' has the digest '%s', but disks[%u].digest is '%s'; it is another image, or was changed; name the right image, or correct the digest",
        i, disk->file.path, digest, i, disk->digest);
}

static void remember(ViommuReader *reader)
{
    for (guint i = 0, n = 0; reader->fresh && i < reader->opened.states->len; i++)
        if (reader->unknown & VIOMMU_BIT(i))
            viommu_digests_note(reader->readers->digests, reader->uid,
                                &g_array_index(reader->opened.states, ViommuFileState, i),
                                g_ptr_array_index(reader->fresh, n++));
    g_clear_pointer(&reader->fresh, g_ptr_array_unref);
}

bool viommu_reader_recall(ViommuReader *reader, bool *ret_known, GError **error)
{
    remember(reader);
    reader->unknown = 0;
    for (guint i = 0; reader->opened.states && i < reader->opened.states->len; i++) {
        const char *digest;

        if (!wanted_digest(reader, i))
            continue;
        digest = viommu_digests_find(reader->readers->digests, reader->uid,
                                     &g_array_index(reader->opened.states, ViommuFileState, i));
        if (!digest)
            reader->unknown |= VIOMMU_BIT(i);
        else if (!compare(reader, i, digest, error))
            return false;
    }
    *ret_known = reader->unknown == 0;
    return true;
}

static bool take_digests(ViommuReader *reader, GVariant *answer, GError **error)
{
    g_autoptr(GVariant) result = NULL;
    bool valid = true;

    if (!viommu_reader_answer_read(answer, VIOMMU_READER_DIGESTS_TYPE, &result, error))
        return false;
    reader->fresh = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < g_variant_n_children(result); i++) {
        char *digest;

        g_variant_get_child(result, i, "s", &digest);
        g_ptr_array_add(reader->fresh, digest);
        valid = valid && viommu_request_digest_is_valid(digest);
    }
    if (valid && reader->fresh->len == (guint)__builtin_popcountll(reader->unknown))
        return true;
    g_clear_pointer(&reader->fresh, g_ptr_array_unref);
    return refuse_reply(error);
}

/* Has the process do @what with @number. */
static GVariant *order(ViommuReader *reader, const char *what, uint64_t number, GArray *fds,
                       const Bound *bound, GError **error)
{
    gint64 end = deadline(bound);
    g_autoptr(GError) cause = NULL;
    GVariant *answer = NULL;

    reader->asked = true;
    if (viommu_wire_send(reader->socket, g_variant_new("(st)", what, (guint64)number), NULL, end, &cause))
        answer = viommu_wire_receive(reader->socket, VIOMMU_READER_ANSWER_TYPE, fds, end, &cause);
    if (answer)
        reader->asked = false;
    else
        explain(reader, bound, cause, error);
    return answer;
}

bool viommu_reader_digest(ViommuReader *reader, GError **error)
{
    const Bound bound = {"computed the digests of", reader->readers->digest_timeout_sec, "digest-timeout"};
    g_autoptr(GVariant) answer = NULL;

    if (reader->socket < 0)
        return true;
    answer = order(reader, VIOMMU_READER_DIGEST, reader->unknown, NULL, &bound, error);
    return answer && take_digests(reader, answer, error);
}

/* --- What libvirt gets --- */

static void add_open_file(GArray *open, const char *group, const GArray *fds, guint i)
{
    const ViommuBackendFile file = {group, g_array_index(fds, int, i)};

    g_array_append_val(open, file);
}

/* Over the file of the request, an overlay is the first of the chain. */
static void add_open_files(const ViommuReader *reader, guint i, const ViommuPlanDisk *disk, GArray *open)
{
    const ViommuHandover *handover = g_ptr_array_index(reader->opened.handovers->disks, i);
    const GArray *fds = g_ptr_array_index(reader->opened.backing, i);
    guint above = handover->overlay ? 1 : 0;

    if (disk->is_open)
        add_open_file(open, disk->target, above ? reader->overlays : reader->opened.disks, i);
    for (guint j = 0; disk->backing && j < disk->backing->len; j++) {
        const ViommuPlanBacking *backing = g_ptr_array_index(disk->backing, j);

        if (backing->is_open && j < above)
            add_open_file(open, backing->group, reader->opened.disks, i);
        else if (backing->is_open)
            add_open_file(open, backing->group, fds, j - above);
    }
}

GArray *viommu_reader_open_files(const ViommuReader *reader, const ViommuPlan *plan)
{
    GArray *open = g_array_new(FALSE, FALSE, sizeof(ViommuBackendFile));

    for (guint i = 0; reader->opened.disks && i < reader->opened.handovers->disks->len; i++)
        add_open_files(reader, i, g_ptr_array_index(plan->disks, i), open);
    return open;
}

void viommu_reader_release(ViommuReader *reader)
{
    g_clear_pointer(&reader->opened.disks, g_array_unref);
    g_clear_pointer(&reader->opened.backing, g_ptr_array_unref);
    g_clear_pointer(&reader->overlays, g_array_unref);
}

/* Those that were to be made, in the order of the disks. */
static bool take_overlays(ViommuReader *reader, GArray *fds, GError **error)
{
    const GPtrArray *disks = reader->opened.handovers->disks;
    guint n = 0;

    reader->overlays = viommu_held_array_new();
    for (guint i = 0; i < disks->len; i++) {
        bool made = ((const ViommuHandover *)g_ptr_array_index(disks, i))->overlay && n < fds->len;
        int fd = made ? g_array_index(fds, int, n) : -1;

        if (made)
            g_array_index(fds, int, n++) = -1;
        if (!made && ((const ViommuHandover *)g_ptr_array_index(disks, i))->overlay)
            return refuse_reply(error);
        g_array_append_val(reader->overlays, fd);
    }
    return true;
}

bool viommu_reader_prepare(ViommuReader *reader, uint64_t group, GError **error)
{
    const Bound bound = bound_of(reader, "prepared");
    g_autoptr(GArray) fds = viommu_held_array_new();
    g_autoptr(GVariant) answer = NULL;

    if (reader->socket < 0)
        return true;
    answer = order(reader, VIOMMU_READER_PREPARE, group, fds, &bound, error);
    viommu_held_add_all(fds, reader->uid);
    return answer && viommu_reader_answer_read(answer, NULL, NULL, error) &&
           take_overlays(reader, fds, error);
}
