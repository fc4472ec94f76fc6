/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/key-store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.h"

#define ROOM    "viommu"
#define PREFIX  "run-"
#define MACHINE "machine" /* the UUID and the user, a line each */

/* What a directory may have; each file here is removed with it. */
static const char *const files[] = {"key",   "key.pub", "known-hosts", "known-hosts.old",
                                    "batch", MACHINE,   "lock"};

struct ViommuKey {
    char *directory, *public;
    int lock;
};

/* For the handler of signals, which may not allocate. */
static char doomed[G_N_ELEMENTS(files) + 1][PATH_MAX];

/* --- Directories --- */

static bool is_private(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

/* In a session, the place that ends with it; else one in /tmp.  Owned; NULL: somebody else made a
 * directory of that name. */
static char *room(void)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *path = runtime && *runtime
                                ? g_build_filename(runtime, ROOM, NULL)
                                : g_strdup_printf("%s/" ROOM "-%u", g_get_tmp_dir(), (unsigned)geteuid());

    if ((mkdir(path, 0700) == 0 || errno == EEXIST) && is_private(path))
        return g_steal_pointer(&path);
    return NULL;
}

static void remove_directory(const char *directory)
{
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(directory, files[i], NULL);

        unlink(path);
    }
    rmdir(directory);
}

/* -1: another viommuctl holds it, or it is no directory of keys. */
static int lock_directory(const char *directory, int flags)
{
    g_autofree char *path = g_build_filename(directory, "lock", NULL);
    int fd = is_private(directory) ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600) : -1;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Calls @each for each directory of a key, until it returns true. */
static void walk(bool (*each)(const char *directory, void *data), void *data)
{
    g_autofree char *top = room();
    GDir *open = top ? g_dir_open(top, 0, NULL) : NULL;
    const char *name;
    bool done = false;

    while (open && !done && (name = g_dir_read_name(open))) {
        g_autofree char *path = g_build_filename(top, name, NULL);

        if (g_str_has_prefix(name, PREFIX) && is_private(path))
            done = each(path, data);
    }
    if (open)
        g_dir_close(open);
}

static bool sweep(const char *directory, void *data)
{
    int fd = lock_directory(directory, 0);

    if (fd < 0)
        return false;
    remove_directory(directory);
    close(fd);
    return false;
}

/* --- A key --- */

static void on_signal(int number)
{
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        unlink(doomed[i]);
    rmdir(doomed[G_N_ELEMENTS(files)]);
    signal(number, SIG_DFL);
    raise(number);
}

/* A signal that the caller ignores stays so: nohup. */
static void doom(const char *directory)
{
    static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        g_snprintf(doomed[i], sizeof(doomed[i]), "%s/%s", directory, files[i]);
    g_strlcpy(doomed[G_N_ELEMENTS(files)], directory, sizeof(doomed[0]));
    for (size_t i = 0; i < G_N_ELEMENTS(ending_signals); i++) {
        struct sigaction before;

        if (sigaction(ending_signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(ending_signals[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    }
}

/* Without a room, nobody else finds the key, and the next viommuctl does not remove it. */
static bool make_directory(ViommuKey *key, GError **error)
{
    g_autofree char *top = room();
    g_autofree char *path =
        g_build_filename(top ? top : g_get_tmp_dir(), top ? PREFIX "XXXXXX" : "viommu-XXXXXX", NULL);

    if (strlen(path) + sizeof("/known-hosts.old") > PATH_MAX || !g_mkdtemp_full(path, 0700))
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot make the directory '%s' for a key: %s", path,
                           g_strerror(errno));
    key->directory = g_steal_pointer(&path);
    doom(key->directory);
    key->lock = lock_directory(key->directory, O_CREAT);
    return true;
}

static bool make_key(ViommuKey *key, GError **error)
{
    g_autofree char *path = viommu_key_file(key, "key"), *public = g_strconcat(path, ".pub", NULL);
    const char *const words[] = {"ssh-keygen", "-q",        "-t", "ed25519", "-N", "",
                                 "-C",         "viommuctl", "-f", path,      NULL};
    g_autofree char *said = NULL;
    g_autoptr(GError) trouble = NULL;
    int status = 0;

    if (!g_spawn_sync(NULL, (char **)words, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
                      NULL, NULL, &said, &status, &trouble))
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL,
                           "cannot run ssh-keygen (is openssh-client installed?): %s", trouble->message);
    if (status != 0 || !g_file_get_contents(public, &key->public, NULL, NULL))
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "ssh-keygen made no key: %s", g_strchomp(said));
    g_strchomp(key->public);
    return true;
}

/* Nobody sweeps while another viommuctl makes a directory. */
static bool sweep_and_make(ViommuKey *key, GError **error)
{
    g_autofree char *top = room();
    int turn = top ? open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool made;

    if (turn >= 0)
        flock(turn, LOCK_EX);
    walk(sweep, NULL);
    made = make_directory(key, error);
    if (turn >= 0)
        close(turn);
    return made;
}

ViommuKey *viommu_key_new(GError **error)
{
    g_autoptr(ViommuKey) key = g_new0(ViommuKey, 1);

    key->lock = -1;
    return sweep_and_make(key, error) && make_key(key, error) ? g_steal_pointer(&key) : NULL;
}

void viommu_key_free(ViommuKey *key)
{
    if (!key)
        return;
    if (key->directory)
        remove_directory(key->directory);
    if (key->lock >= 0)
        close(key->lock);
    g_free(key->directory);
    g_free(key->public);
    g_free(key);
}

const char *viommu_key_public(const ViommuKey *key)
{
    return key->public;
}

char *viommu_key_file(const ViommuKey *key, const char *name)
{
    return g_build_filename(key->directory, name, NULL);
}

/* --- Other commands --- */

void viommu_key_assign(ViommuKey *key, const char *uuid, const char *user)
{
    g_autofree char *path = viommu_key_file(key, MACHINE);
    FILE *file = fopen(path, "we");

    /* Without it, "viommuctl ssh" needs --key. */
    if (!file)
        return;
    fprintf(file, "%s\n%s\n", uuid, user);
    fclose(file);
}

typedef struct Search {
    const char *uuid;
    char *key, *user;
} Search;

static bool match(const char *directory, void *data)
{
    Search *search = data;
    g_autofree char *path = g_build_filename(directory, MACHINE, NULL), *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return false;
    lines = g_strsplit(text, "\n", 3);
    if (g_strv_length(lines) < 2 || !g_str_equal(lines[0], search->uuid))
        return false;
    search->key = g_build_filename(directory, "key", NULL);
    search->user = g_strdup(lines[1]);
    return true;
}

char *viommu_key_find(const char *uuid, char **ret_user)
{
    Search search = {uuid, NULL, NULL};

    walk(match, &search);
    if (search.key)
        *ret_user = search.user;
    return search.key;
}

char *viommu_key_known_hosts(void)
{
    g_autofree char *top = room();

    return top ? g_build_filename(top, "known-hosts", NULL) : g_strdup("/dev/null");
}
