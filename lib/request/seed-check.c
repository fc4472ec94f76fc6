/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed-check: a seed, its user, its host name and its SSH keys. */
#include "lib/request/seed-check.h"

#include <string.h>

#include "lib/base/error.h"

#define USER_MAX     32
#define HOSTNAME_MAX 64 /* Linux's own bound */

/* The keys that sshd takes.  Certificates need an option before them, and options are not taken. */
static const char *const algorithms[] = {
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
};

/* What private keys of OpenSSH, PEM, PuTTY and age contain; the last is "openssh-key-v1" in
 * base64. */
static const char *const private_marks[] = {"PRIVATE KEY", "PuTTY-User-Key-File", "AGE-SECRET-KEY-",
                                            "b3BlbnNzaC1rZXkt"};

bool viommu_seed_user_is_valid(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= USER_MAX && (g_ascii_islower(name[0]) || name[0] == '_') &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static bool is_label(const char *label)
{
    size_t length = strlen(label);

    return length > 0 && label[0] != '-' && label[length - 1] != '-' &&
           strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == length;
}

static bool is_hostname(const char *name)
{
    g_auto(GStrv) labels = g_strsplit(name, ".", -1);

    for (char **label = labels; *label; label++)
        if (!is_label(*label))
            return false;
    return strlen(name) <= HOSTNAME_MAX;
}

const char *viommu_seed_refuse_private(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(private_marks); i++)
        if (strstr(text, private_marks[i]))
            return "is a private key, which must not leave its owner; give the public key, which is in the file that ends in .pub";
    return NULL;
}

static bool is_algorithm(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++)
        if (g_str_equal(word, algorithms[i]))
            return true;
    return false;
}

/* The key's bytes begin with the length of its algorithm's name, and the name. */
static bool is_key_of(const char *algorithm, const char *base64)
{
    gsize size = 0, length = strlen(algorithm);
    g_autofree guchar *bytes = NULL;

    if (strspn(base64, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") !=
            strlen(base64) ||
        strlen(base64) % 4 != 0)
        return false;
    bytes = g_base64_decode(base64, &size);
    return size > 4 + length && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 0 && bytes[3] == length &&
           memcmp(bytes + 4, algorithm, length) == 0;
}

static bool is_public(const char *key)
{
    g_auto(GStrv) words = g_strsplit(key, " ", 3);

    return words[0] && words[1] && is_algorithm(words[0]) && is_key_of(words[0], words[1]);
}

/* No message quotes a key. */
static bool check_keys(char **keys, GError **error)
{
    for (unsigned i = 0; keys && keys[i]; i++)
        if (!is_public(keys[i]))
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "seed.ssh-keys[%u] is not a public key of SSH; write it as in a file that ends in .pub: ssh-ed25519, ssh-rsa or an ecdsa-sha2 name, the key, and a comment",
                i);
    return true;
}

/* user-data is the whole of what the guest is told. */
static bool check_user_data(const ViommuRequestSeed *seed, GError **error)
{
    const char *odd = seed->ssh_keys                                          ? "ssh-keys"
                      : seed->user                                            ? "user"
                      : seed->by == VIOMMU_SEED_BY_IGNITION && seed->hostname ? "hostname"
                                                                              : NULL;

    if (!seed->user_data.path)
        return true;
    if (odd)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "seed.%s contradicts seed.user-data, which is passed on as it is; write it into that file, or omit the file",
            odd);
    if (seed->by == VIOMMU_SEED_BY_CREDENTIALS)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "seed.user-data is not possible with seed.by 'credentials', which every user of the host can read; use 'cloud-init' or 'ignition'");
    if (seed->user_data.path[0] == '/' || seed->user_data.handle != VIOMMU_UNSET)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "seed.user-data '%s' is not an absolute path",
                       seed->user_data.path);
}

static bool check_names(const ViommuRequestSeed *seed, GError **error)
{
    if (seed->user && !viommu_seed_user_is_valid(seed->user))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "seed.user '%.64s' is not valid; use lower-case letters, digits, '_' and '-', first a letter or '_', at most %d characters",
            seed->user, USER_MAX);
    if (seed->user && !seed->ssh_keys)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "seed.user is the user of seed.ssh-keys, but there are no keys; give them, or omit the user");
    if (seed->by == VIOMMU_SEED_BY_CREDENTIALS && seed->user && !g_str_equal(seed->user, "root"))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "seed.user '%s' is not possible with seed.by 'credentials', which has keys for root only; omit the user, or use 'cloud-init'",
            seed->user);
    if (!seed->hostname || is_hostname(seed->hostname))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "seed.hostname '%.80s' is not valid; use letters, digits, hyphens and dots, no hyphen at either end of a part, at most %d characters",
        seed->hostname, HOSTNAME_MAX);
}

bool viommu_seed_check(const ViommuRequestSeed *seed, GError **error)
{
    if (!seed->present)
        return true;
    if (!seed->ssh_keys && !seed->user_data.path && !seed->hostname && !seed->user)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "seed has nothing to tell the guest; give seed.ssh-keys, seed.user-data or seed.hostname, or omit seed");
    return check_keys(seed->ssh_keys, error) && check_user_data(seed, error) && check_names(seed, error);
}
