/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: the site's settings from key files, by one table.  Also used by viommuctl; knows neither loop nor log.
 * Read in this order, later ones win key by key:
 *   PREFIX/lib/viommud/viommud.conf          the vendor's
 *   SYSCONFDIR/viommud/viommud.conf          the site's
 *   SYSCONFDIR/viommud/viommud.conf.d/X.conf drop-ins, by name
 *   XDG_CONFIG_HOME/viommud/viommud.conf     the user's, for --user only
 * or only the file that $VIOMMU_CONFIG names.  A missing file is no error, except that one. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/policy/bounds.h"
#include "lib/policy/policy.h"
#include "lib/host/site.h"

/* How long libvirt's daemon may take to answer, and to come back when it is restarted, unless set otherwise. */
#define VIOMMU_CONFIG_PATIENCE_SEC 30u

/* The longest that a proof is waited for. */
#define VIOMMU_VERIFY_SECONDS_MAX 3600u

typedef struct ViommuConfig {
    ViommuPolicy policy;           /* its site is the one below */
    ViommuSite site;               /* what others than root may have of the host */
    char *name_prefix;             /* of domains' names, on the system bus */
    char *console_directory;       /* NULL: the site does not say */
    uint64_t console_log_bytes;    /* the most that one log takes */
    uint64_t console_keep_seconds; /* after the machine is gone */
    uint64_t console_keep_logs;    /* of each user's machines that are gone */
    uint64_t
        console_total_bytes; /* of all logs; 0: no bound; VIOMMU_LIMIT_AUTO: as the host's size gives it */
    uint64_t patience_sec;   /* with libvirt's daemon: for an answer, and for its restart */
    uint64_t verify_timeout_sec; /* for a guest to show that its IOMMU works */
    uint64_t workers;            /* threads that talk to libvirt, and connections */
    uint64_t running_launches;   /* at once; more wait in the queue.  0: as many as workers */
    uint64_t user_launches;      /* of these, of one user.  0: half of them; for --user: all */
    uint64_t launch_timeout_sec; /* for a launch, from its turn on */
    uint64_t files_timeout_sec;  /* for reading the files of a launch, and again for copying them */
    uint64_t lease_max_seconds, lease_default_seconds; /* of others than root; 0: none */
    uint64_t grace_seconds;                            /* for a guest whose lease has ended to power off */
    ViommuAmounts limits; /* 0: none; VIOMMU_LIMIT_AUTO: as the host's size gives it */
    ViommuBounds
        bounds;  /* what is in force of console_total_bytes and limits; none before viommu_config_bound() */
    char *group; /* whose members may launch on the system bus; "": nobody's */
    char **image_directories; /* where the backing and data files of images may be; never NULL */
    GPtrArray *warnings; /* of char *: unknown groups and keys, by file and line; for the caller to log */
    GHashTable *places; /* member of this, or of one of its sections, -> "FILE:LINE" that its value is from */
} ViommuConfig;

/* One known key, for the test that compares the table with conf/viommud.conf. */
typedef struct ViommuConfigKey {
    const char *group;
    const char *key;
} ViommuConfigKey;

/** The defaults alone. Owned. */
ViommuConfig *viommu_config_new(void);
void viommu_config_free(ViommuConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuConfig, viommu_config_free)

/** Reads the files.  Reads the environment.  @ret_config owned.
 *  Fails: INVALID_REQUEST for a file that is no key file, or a value that is none, naming file, line, group and key. */
bool viommu_config_load(bool user, ViommuConfig **ret_config, GError **error);
/** Reads one more file over @config; for tests.  Fails as above, and NOT_FOUND. */
bool viommu_config_load_file(ViommuConfig *config, const char *path, GError **error);
/** The keys of the table; @i from 0, NULL after the last. Static. */
const ViommuConfigKey *viommu_config_key(unsigned i);
/** Settles what the files left to the size of @host. */
void viommu_config_bound(ViommuConfig *config, const ViommuBoundsHost *host);
/** The group [limits] as it is in force, a floating a{sv} of numbers (t). */
GVariant *viommu_config_limits(const ViommuConfig *config);
/** All values as a key file, each with a comment above it that says where it is from: "FILE:LINE" or "default"; and of one that the
 *  host's size gives, what is in force and how it was found. Owned. */
char *viommu_config_print(const ViommuConfig *config);
