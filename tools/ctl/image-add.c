/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl image-add: looks into an image, takes its digest, and writes NAME.image beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/files/digest.h"
#include "lib/base/error.h"
#include "lib/facts/guest-os.h"
#include "lib/request/site-image.h"
#include "lib/request/request-check.h"
#include "tools/client/error.h"
#include "tools/ctl/ctl.h"
#include "tools/ctl/image-look.h"
#include "tools/ctl/local-host.h"

#define MODE 0644

/* An image that is being added. */
typedef struct Adding {
    char *path, *directory, *leaf, *name;
    int fd; /* of the image; -1: not open */
    struct stat info;
    ViommuImageLook look;
    ViommuSiteImage *image;
} Adding;

static void adding_clear(Adding *adding)
{
    if (adding->fd >= 0)
        close(adding->fd);
    g_free(adding->path);
    g_free(adding->directory);
    g_free(adding->leaf);
    g_free(adding->name);
    viommu_image_look_clear(&adding->look);
    viommu_site_image_free(adding->image);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Adding, adding_clear)

/* --- The file --- */

/* Requests find NAME.image in these directories, and not below them. */
static bool check_directory(const Adding *adding, char **directories, GError **error)
{
    g_autofree char *known = NULL;

    for (char **directory = directories; directory && *directory; directory++) {
        g_autofree char *plain = g_canonicalize_filename(*directory, "/");

        if (g_str_equal(plain, adding->directory))
            return true;
    }
    known = directories ? g_strjoinv("', '", directories) : g_strdup("");
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "'%s' is not in one of the image directories ('%s'); move it into one of them, or add its directory to [files] image-directories of viommud.conf",
        adding->path, known);
}

/* A FIFO must not make the caller wait, and viommud follows no link. */
static bool open_image(Adding *adding, GError **error)
{
    adding->fd = open(adding->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (adding->fd < 0 && errno == ELOOP)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "'%s' is a symbolic link, which viommud does not follow; name the image itself",
                           adding->path);
    if (adding->fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s': %s", adding->path, g_strerror(errno));
    if (fstat(adding->fd, &adding->info) == 0 && S_ISREG(adding->info.st_mode))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not a regular file", adding->path);
}

/* The name of the file, without the endings that images have. */
static char *plain_name(const char *leaf)
{
    static const char *const endings[] = {".qcow2", ".img", ".raw"};

    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(leaf, endings[i]))
            return g_strndup(leaf, strlen(leaf) - strlen(endings[i]));
    return g_strdup(leaf);
}

static bool settle_name(Adding *adding, const char *said, GError **error)
{
    adding->name = said ? g_strdup(said) : plain_name(adding->leaf);
    return viommu_request_image_is_valid(adding->name) ||
           viommu_fail(
               error, VIOMMU_ERROR_INVALID_REQUEST,
               "'%s' is not a valid name of an image; give one with --name, of letters, digits, '.', '_', '+' and '-'",
               adding->name);
}

static bool look(const ViommuCtl *ctl, Adding *adding, char **directories, GError **error)
{
    int format = ctl->format ? viommu_enum_from_string(&viommu_enum_disk_format, ctl->format) : VIOMMU_UNSET;

    /* A user's own viommud takes backing files from anywhere. */
    if (viommu_image_look(adding->fd, format, &adding->look, error) &&
        (viommu_local_is_user(ctl) ||
         viommu_image_look_check_backing(&adding->look, adding->path, directories, error)))
        return true;
    g_prefix_error(error, "'%s': ", adding->path);
    return false;
}

/* --- What NAME.image says --- */

static void add_text(GVariantDict *tree, const char *key, const char *said, const char *found)
{
    if (said || found)
        g_variant_dict_insert(tree, key, "s", said ? said : found);
}

static bool settle_image(const ViommuCtl *ctl, Adding *adding, GError **error)
{
    const ViommuImageLook *found = &adding->look;
    g_autoptr(GVariant) tree = NULL;
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    add_text(&dict, "file", adding->leaf, NULL);
    add_text(&dict, "format", viommu_enum_to_string(&viommu_enum_disk_format, found->format), NULL);
    add_text(&dict, "os", ctl->os, NULL);
    add_text(&dict, "arch", ctl->arch, viommu_enum_to_string(&viommu_enum_arch, found->arch));
    add_text(&dict, "firmware", ctl->firmware, viommu_enum_to_string(&viommu_enum_firmware, found->firmware));
    add_text(&dict, "user", ctl->login, NULL);
    if (ctl->agent)
        g_variant_dict_insert(&dict, "agent", "b", g_str_equal(ctl->agent, "yes"));
    add_text(&dict, "seed", ctl->seed, NULL);
    tree = g_variant_ref_sink(g_variant_dict_end(&dict));
    adding->image = viommu_site_image_from_variant(tree, error);
    return adding->image;
}

/* It may take minutes, so everything else has been checked before. */
static bool take_digest(ViommuCtl *ctl, const Adding *adding, GError **error)
{
    ViommuFileState before, after;

    if (!viommu_file_state_get(adding->fd, &before))
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "'%s': %s", adding->path, g_strerror(errno));
    viommu_output_progress(&ctl->output, "reading the image for its digest ...");
    adding->image->digest = viommu_digest_compute(adding->fd, error);
    viommu_output_progress_end(&ctl->output);
    if (!adding->image->digest)
        return false;
    return (viommu_file_state_get(adding->fd, &after) && viommu_file_state_is_same(&before, &after)) ||
           viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "'%s' was written to while it was read; add it when it is complete", adding->path);
}

static void warn(const ViommuCtl *ctl, const Adding *adding)
{
    const char *near = viommu_guest_os_find(ctl->os) ? NULL : viommu_guest_os_nearest(ctl->os);

    if (!viommu_guest_os_find(ctl->os)) {
        g_autofree char *text = g_strdup_printf(
            "the system '%s' is not known%s%s%s, so a request must say what its kernel drives (\"viommuctl facts\" lists the known systems)",
            ctl->os, near ? " (nearest: '" : "", near ? near : "", near ? "')" : "");
        viommu_output_warning(&ctl->output, text);
    }
    if (!viommu_local_is_user(ctl) && !(adding->info.st_mode & S_IROTH)) {
        g_autofree char *text = g_strdup_printf(
            "users other than its owner and group cannot use '%s'; make it readable with \"chmod a+r\"",
            adding->path);
        viommu_output_warning(&ctl->output, text);
    }
    if (adding->look.backing) {
        g_autofree char *text =
            g_strdup_printf("the digest is that of '%s' alone, not of '%s', which it is based on",
                            adding->path, adding->look.backing);
        viommu_output_warning(&ctl->output, text);
    }
}

/* --- Writing it --- */

static bool write_all(int fd, const char *text)
{
    for (size_t size = strlen(text); size > 0;) {
        ssize_t n = write(fd, text, size);

        if (n < 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return fchmod(fd, MODE) == 0 && fsync(fd) == 0;
}

static bool fail_exists(const char *path, GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_EXISTS,
                       "'%s' exists already; remove it first, or give another --name", path);
}

/* No reader sees half of the file, and a file that exists is not replaced. */
static bool write_beside(const char *path, const char *text, GError **error)
{
    g_autofree char *draft = g_strdup_printf("%s.XXXXXX", path);
    int fd = g_mkstemp_full(draft, O_WRONLY | O_CLOEXEC, MODE);
    bool done = fd >= 0 && write_all(fd, text) && link(draft, path) == 0;
    int number = errno;

    if (fd >= 0) {
        close(fd);
        unlink(draft);
    }
    if (!done && number == EEXIST)
        return fail_exists(path, error);
    return done || viommu_fail(error, number == EACCES ? VIOMMU_ERROR_POLICY_REFUSED : VIOMMU_ERROR_INTERNAL,
                               "cannot write '%s': %s", path, g_strerror(number));
}

static void print(const ViommuCtl *ctl, const Adding *adding, const char *path)
{
    GVariantDict tree;

    if (!ctl->output.json) {
        viommu_output_format(&ctl->output, "%s\n", adding->name);
        return;
    }
    g_variant_dict_init(&tree, NULL);
    g_variant_dict_insert(&tree, "name", "s", adding->name);
    g_variant_dict_insert(&tree, "path", "s", path);
    g_variant_dict_insert_value(&tree, "image", viommu_site_image_to_variant(adding->image));
    viommu_output_json(g_variant_dict_end(&tree));
}

static bool finish(ViommuCtl *ctl, const Adding *adding, GError **error)
{
    g_autofree char *leaf = viommu_site_image_file_name(adding->name);
    g_autofree char *path = g_build_filename(adding->directory, leaf, NULL), *text = NULL;

    if (access(path, F_OK) == 0)
        return fail_exists(path, error);
    if (!take_digest(ctl, adding, error))
        return false;
    text = viommu_site_image_print(adding->image);
    if (!write_beside(path, text, error))
        return false;
    warn(ctl, adding);
    print(ctl, adding, path);
    return true;
}

bool viommu_ctl_image_add(ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuConfig) config = NULL;
    g_auto(Adding) adding = {.fd = -1};

    if (!ctl->os)
        return viommu_failure_set(
            error, VIOMMU_FAILURE_USAGE,
            "image-add needs --os=OS, such as --os=debian13-cloud, because the guest's drivers depend on it; \"viommuctl facts\" lists the known systems");
    config = viommu_local_config(ctl, error);
    if (!config)
        return false;
    adding.path = g_canonicalize_filename(ctl->words[0], NULL);
    adding.directory = g_path_get_dirname(adding.path);
    adding.leaf = g_path_get_basename(adding.path);
    return check_directory(&adding, config->image_directories, error) && open_image(&adding, error) &&
           settle_name(&adding, ctl->name, error) && look(ctl, &adding, config->image_directories, error) &&
           settle_image(ctl, &adding, error) && finish(ctl, &adding, error);
}
