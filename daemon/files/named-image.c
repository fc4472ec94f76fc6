/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named-image: the file is the site's own word, so for a member it is judged like a path that no
 * user can change; whether the caller may read it does not count. */
#include "daemon/files/named-image.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/files/mounts.h"
#include "daemon/files/path-walk.h"
#include "lib/base/error.h"

char **viommu_named_image_directories(const char *const *configured, bool own)
{
    GPtrArray *all = g_ptr_array_new();

    if (own)
        g_ptr_array_add(all, g_build_filename(g_get_user_data_dir(), "viommud", "images", NULL));
    for (size_t i = 0; configured[i]; i++)
        g_ptr_array_add(all, g_strdup(configured[i]));
    g_ptr_array_add(all, NULL);
    return (char **)g_ptr_array_free(all, FALSE);
}

/* --- Opening --- */

/* The user that the service runs as, to whom /var/lib/viommu belongs; a client is another. */
static uid_t service_uid(void)
{
    const struct passwd *entry = getpwnam("viommu");

    return entry ? entry->pw_uid : 0;
}

/* The kind comes first: to open a FIFO would wait for its other end. */
static bool is_of_site(const ViommuWalk *walk, const ViommuWalker *walker, const char *path, GError **error)
{
    if (!S_ISREG(walk->info.st_mode))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not a regular file", path);
    if (!walk->fixed)
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "'%s' lies in a directory that users other than root can modify; take write access to the directories of its path from other users",
            path);
    if (viommu_walk_is_safe(walker, &walk->info))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                       "users other than root can write to '%s'; have root own it, with the mode 0644", path);
}

/* @name: for the message. */
static int open_to_read(const char *path, const char *name, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot open '%s': %s%s", name,
                    g_strerror(errno), errno == EACCES ? "; make the file readable for all users" : "");
    return fd;
}

/* A FIFO, which was opened without waiting, would be read as an empty file. */
static int open_own(const char *path, GError **error)
{
    int fd = open_to_read(path, path, error);
    struct stat info;

    if (fd < 0 || (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)))
        return fd;
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not a regular file", path);
    close(fd);
    return -1;
}

static int open_of_site(const char *path, GError **error)
{
    g_autoptr(ViommuMounts) mounts = viommu_mounts_of_self(error);
    const ViommuWalker walker = {NULL, mounts, service_uid()};
    g_autofree char *magic = NULL;
    ViommuWalk walk;
    int fd = -1;

    if (!mounts || !viommu_walk(path, &walker, 0, &walk, error))
        return -1;
    magic = viommu_walk_magic_path(walk.fd);
    if (is_of_site(&walk, &walker, path, error))
        fd = open_to_read(magic, path, error);
    close(walk.fd);
    return fd;
}

/* --- Reading --- */

static ViommuSiteImage *parse_file(int fd, GError **error)
{
    g_autofree char *text = g_malloc(VIOMMU_SITE_IMAGE_TEXT_MAX + 1);
    size_t size = 0;
    ssize_t n = 0;

    /* one byte more than allowed is refused */
    while (size <= VIOMMU_SITE_IMAGE_TEXT_MAX &&
           (n = pread(fd, text + size, VIOMMU_SITE_IMAGE_TEXT_MAX + 1 - size, (off_t)size)) > 0)
        size += (size_t)n;
    if (n >= 0)
        return viommu_site_image_parse(text, size, error);
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot read it: %s", g_strerror(errno));
    return NULL;
}

ViommuSiteImage *viommu_named_image_read_file(const char *path, bool own, GError **error)
{
    int fd = own ? open_own(path, error) : open_of_site(path, error);
    ViommuSiteImage *image;

    if (fd < 0)
        return NULL;
    image = parse_file(fd, error);
    close(fd);
    if (!image)
        g_prefix_error(error, "'%s': ", path);
    return image;
}

/* --- Finding --- */

/* Appends to @unseen what hides the file. */
static bool is_there(const char *path, GString *unseen)
{
    struct stat info;

    if (lstat(path, &info) == 0)
        return true;
    if (errno != ENOENT && errno != ENOTDIR)
        g_string_append_printf(unseen, "; viommud cannot see '%s': %s", path, g_strerror(errno));
    return false;
}

static void fail_missing(const ViommuImagePlaces *places, const char *file, const char *unseen,
                         GError **error)
{
    g_autofree char *directories = g_strjoinv("', '", (char **)places->directories);

    if (*directories)
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "no image directory has the file '%s'; searched: '%s'%s; add it with \"viommuctl image-add\", or name another image",
            file, directories, unseen);
    else
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "there is no image directory, because [files] image-directories is empty; set it");
}

ViommuSiteImage *viommu_named_image_read(const ViommuImagePlaces *places, const char *name,
                                         unsigned *ret_directory, GError **error)
{
    g_autofree char *file = viommu_site_image_file_name(name);
    g_autoptr(GString) unseen = g_string_new(NULL);
    ViommuSiteImage *image = NULL;
    unsigned i = 0;

    for (; places->directories[i]; i++) {
        g_autofree char *path = g_build_filename(places->directories[i], file, NULL);

        if (!is_there(path, unseen))
            continue;
        image = viommu_named_image_read_file(path, places->own, error);
        break;
    }
    if (image)
        *ret_directory = i;
    else if (!places->directories[i])
        fail_missing(places, file, unseen->str, error);
    if (!image)
        g_prefix_error(error, "image '%s': ", name);
    return image;
}
