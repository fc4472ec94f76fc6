/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* key-store: the private directory of viommuctl for keys of guests: $XDG_RUNTIME_DIR/viommu, or
 * viommu-UID in $TMPDIR (else /tmp) outside of a session.  The key of a run has a directory of its
 * own there, which is locked as long as its viommuctl lives.  The next viommuctl that makes a key
 * removes those that killed ones left. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct ViommuKey ViommuKey;

/** Makes a directory with a new ed25519 key, by ssh-keygen(1), and removes the directories that
 *  nobody has locked.  A signal that ends viommuctl removes this one, too.  One at a time.  Owned.
 *  Fails: INTERNAL with the words of ssh-keygen. */
ViommuKey *viommu_key_new(GError **error);
/** Removes the directory. */
void viommu_key_free(ViommuKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuKey, viommu_key_free)
/** The line for authorized_keys.  Borrowed. */
const char *viommu_key_public(const ViommuKey *key);
/** The path of the file @name in its directory: "key", "known-hosts", "batch".  Owned, g_free(). */
char *viommu_key_file(const ViommuKey *key, const char *name);
/** Notes that the key is for @user of machine @uuid, so that viommu_key_find() finds it. */
void viommu_key_assign(ViommuKey *key, const char *uuid, const char *user);
/** The key of machine @uuid and its user, if a viommuctl of the same user made one and holds it.
 *  Owned, g_free(); NULL otherwise. */
char *viommu_key_find(const char *uuid, char **ret_user);
/** The file of the keys of guests that were seen, for all but those of a ViommuKey.  Owned,
 *  g_free(). */
char *viommu_key_known_hosts(void);
