/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: the settings, read from key files by one table.  Knows neither loop nor log.
 * Files are read in this order; a later file overrides an earlier one key by key:
 *   PREFIX/lib/viommud/viommud.conf          vendor
 *   SYSCONFDIR/viommud/viommud.conf          site
 *   SYSCONFDIR/viommud/viommud.conf.d/X.conf drop-ins, by name
 *   XDG_CONFIG_HOME/viommud/viommud.conf     user, for --user only
 * If $VIOMMU_CONFIG names a file, only that is read, and it must exist; others may be missing. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/policy/bounds.h"
#include "lib/policy/policy.h"
#include "lib/host/site.h"

/* Default timeout for a reply from libvirt's daemon, and for its restart. */
#define VIOMMU_CONFIG_LIBVIRT_TIMEOUT_SEC 30u

/* The longest timeout of a verification. */
#define VIOMMU_VERIFY_SECONDS_MAX 3600u

typedef struct ViommuConfig {
    ViommuPolicy policy;           /* its site is the member below */
    ViommuSite site;               /* the parts of the host that users other than root may use */
    char *name_prefix;             /* of domain names on the system bus */
    char *console_directory;       /* NULL: the default */
    uint64_t console_log_bytes;    /* limit of one log */
    uint64_t console_keep_seconds; /* how long a log outlives its machine */
    uint64_t console_keep_logs;    /* logs kept of one user's former machines */
    /* Limit of all logs; 0: no limit; VIOMMU_LIMIT_AUTO: derived from the host's size. */
    uint64_t console_total_bytes;
    uint64_t libvirt_timeout_sec; /* for a reply of libvirt's daemon, and for its restart */
    uint64_t ready_timeout_sec;   /* for the agent in a guest to answer */
    uint64_t verify_timeout_sec;  /* for a guest to show that its IOMMU works */
    uint64_t workers;             /* threads that talk to libvirt, and their connections */
    uint64_t running_launches;    /* launches that run at once.  0: as many as workers */
    uint64_t user_launches;       /* of these, of one user.  0: half; for --user: all */
    uint64_t launch_timeout_sec;  /* for a launch, from its turn on */
    uint64_t files_timeout_sec;   /* to read the files of a launch, and again to copy them */
    uint64_t lease_max_seconds, lease_default_seconds; /* of users other than root; 0: none */
    uint64_t grace_seconds;                            /* for a guest to power off */
    uint64_t digest_timeout_sec;                       /* to read images for digests */
    uint64_t disk_reserve_bytes;                       /* as console_total_bytes; 0: none */
    ViommuAmounts limits; /* 0: no limit; VIOMMU_LIMIT_AUTO: derived from the host's size */
    /* The values in force of console_total_bytes, disk_reserve_bytes and limits; empty before
     * viommu_config_bound(). */
    ViommuBounds bounds;
    char *group;              /* members may launch on the system bus; "": only root */
    char **image_directories; /* directories for backing and data files of images; never NULL */
    GPtrArray *warnings;      /* char *: problems by file and line; the caller logs them */
    /* For "viommuctl --fleet". */
    char *fleet_classes;           /* directory of recorded hosts; NULL: none */
    uint64_t fleet_time_limit_sec; /* of a job of Slurm; 0: that of Slurm */
    char *fleet_options;           /* more words for srun */
    bool fleet_proven;             /* only nodes whose guests have proven the model */
    /* From a member of this struct or of a section to the "FILE:LINE" that set it. */
    GHashTable *places;
} ViommuConfig;

/* One known key. */
typedef struct ViommuConfigKey {
    const char *group;
    const char *key;
} ViommuConfigKey;

/** Creates a configuration of defaults.  Owned. */
ViommuConfig *viommu_config_new(void);
void viommu_config_free(ViommuConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuConfig, viommu_config_free)

/** Reads the files and the environment.  @ret_config owned.
 *  Fails: INVALID_REQUEST for an invalid file or value, naming file, line, group and key. */
bool viommu_config_load(bool user, ViommuConfig **ret_config, GError **error);
/** Reads one more file over @config; for tests.  Fails as viommu_config_load(), and NOT_FOUND. */
bool viommu_config_load_file(ViommuConfig *config, const char *path, GError **error);
/** The key at @i of the table; NULL after the last.  Static. */
const ViommuConfigKey *viommu_config_key(unsigned i);
/** Sets the values in force, from the size of @host where the files say "auto". */
void viommu_config_bound(ViommuConfig *config, const ViommuBoundsHost *host);
/** The values in force of [limits], a floating a{sv} of numbers (t). */
GVariant *viommu_config_limits(const ViommuConfig *config);
/** What of @used all users together have, by the keys of [limits] that bound it: the same. */
GVariant *viommu_config_used(const ViommuAmounts *used);
/** Prints all values as a key file.  The comment above each names its source ("FILE:LINE" or
 *  "default") and, if the host's size decides, the value in force and its derivation.  Owned. */
char *viommu_config_print(const ViommuConfig *config);
