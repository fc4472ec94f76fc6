/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-config: each key of the table, the order of files, and the messages about wrong ones. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process/config.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/base/quantity.h"
#include "tests/unit/unit.h"

static char *directory;

static void setup(void)
{
    directory = g_dir_make_tmp("viommu-config-XXXXXX", NULL);
    ck_assert_ptr_nonnull(directory);
}

static char *path_of(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

static void teardown(void)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);

    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = path_of(name);
        g_unlink(path);
    }
    g_rmdir(directory);
    g_free(g_steal_pointer(&directory));
}

static char *file_with(const char *name, const char *text)
{
    char *path = path_of(name);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
    return path;
}

START_TEST(the_vendors_file_names_all_keys_and_changes_none)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) defaults = viommu_config_new();
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autoptr(GKeyFile) file = g_key_file_new();

    ck_assert_msg(viommu_config_load_file(config, VENDOR_FILE, &error), "%s", error ? error->message : "");
    ck_assert_uint_eq(config->warnings->len, 0);
    ck_assert_int_eq((int)config->policy.order, (int)defaults->policy.order);
    ck_assert_int_eq((int)config->policy.accelerator, (int)defaults->policy.accelerator);
    ck_assert_uint_eq(config->policy.default_memory_bytes, defaults->policy.default_memory_bytes);
    ck_assert_uint_eq(config->policy.default_vcpus, defaults->policy.default_vcpus);
    ck_assert_uint_eq(config->policy.locked_reserve_bytes, defaults->policy.locked_reserve_bytes);
    ck_assert_ptr_null(config->console_directory);
    ck_assert_uint_eq(config->console_log_bytes, defaults->console_log_bytes);
    ck_assert_uint_eq(config->console_keep_seconds, defaults->console_keep_seconds);
    ck_assert_uint_eq(config->console_keep_logs, defaults->console_keep_logs);
    ck_assert_str_eq(config->name_prefix, defaults->name_prefix);
    ck_assert_uint_eq(config->console_total_bytes, defaults->console_total_bytes);
    ck_assert_str_eq(config->group, defaults->group);
    ck_assert_uint_eq(config->workers, defaults->workers);
    ck_assert_uint_eq(config->running_launches, defaults->running_launches);
    ck_assert_uint_eq(config->user_launches, defaults->user_launches);
    ck_assert_uint_eq(config->launch_timeout_sec, defaults->launch_timeout_sec);
    ck_assert_uint_eq(config->files_timeout_sec, defaults->files_timeout_sec);
    ck_assert_uint_eq(config->grace_seconds, defaults->grace_seconds);
    ck_assert_uint_eq(config->lease_max_seconds, defaults->lease_max_seconds);
    ck_assert_uint_eq(config->lease_default_seconds, defaults->lease_default_seconds);
    ck_assert_mem_eq(&config->limits, &defaults->limits, sizeof(config->limits));
    ck_assert_uint_eq(config->site.allow->len + config->site.devices->len, 0);
    ck_assert(!config->site.take_from_driver && !config->site.root_takes_used && config->site.user_networks);
    ck_assert_str_eq(config->site.drivers[0], "auto");
    ck_assert_ptr_null(config->site.networks[0]);
    ck_assert_ptr_null(config->site.bridges[0]);

    ck_assert(g_key_file_load_from_file(file, VENDOR_FILE, G_KEY_FILE_NONE, NULL));
    for (unsigned i = 0; viommu_config_key(i); i++) {
        const ViommuConfigKey *key = viommu_config_key(i);
        ck_assert_msg(g_key_file_has_key(file, key->group, key->key, NULL),
                      "[%s] %s is not in the vendor's file", key->group, key->key);
    }
}
END_TEST

START_TEST(every_key_is_read)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *path = file_with(
        "a.conf",
        "[iommu]\norder=virtio\n"
        "[machine]\naccelerator=tcg\nprove-kvm=no\nmemory= 2 GiB \nvcpus=3\nname-prefix=site_1.\n"
        "[console]\ndirectory=/var/log/x\nlog-size=8 KiB\n"
        "keep-seconds=0\nkeep-logs=7\ntotal-size=6 MiB\n"
        "[daemon]\ngroup=wheel\nworkers=5\nlibvirt-timeout=7\nverify-timeout=9\nrunning-launches=6\n"
        "running-launches-per-user=2\nlaunch-timeout=11\n"
        "[files]\ntimeout=12\ndigest-timeout=13\n"
        "[leases]\ngrace=7\nmax-seconds=90\ndefault-seconds=80\n"
        "[limits]\nmachines=10\nmachines-per-user=11\nvcpus=12\n"
        "vcpus-per-user=13\nmemory=14 GiB\nmemory-per-user=15 B\n"
        "locked-memory=18 GiB\nlocked-memory-per-user=19 B\n"
        "locked-memory-reserve=20 MiB\n"
        "copies=21 MiB\ncopies-per-user=22 B\n"
        "overlays=23 GiB\noverlays-per-user=24 B\ndisk-reserve=25 B\n"
        "pending-launches=16\npending-launches-per-user=17\n");
    const ViommuAmounts limits = {
        {10, 12, 14 * VIOMMU_GIB, 18 * VIOMMU_GIB, 16, 21 * VIOMMU_MIB, 23 * VIOMMU_GIB},
        {11, 13, 15, 19, 17, 22, 24}};

    ck_assert_msg(viommu_config_load_file(config, path, &error), "%s", error ? error->message : "");
    ck_assert_int_eq((int)config->policy.order, VIOMMU_ORDER_VIRTIO);
    ck_assert_int_eq((int)config->policy.accelerator, VIOMMU_ACCELERATOR_TCG);
    ck_assert(!config->policy.prove_kvm);
    ck_assert_uint_eq(config->policy.default_memory_bytes, 2 * VIOMMU_GIB);
    ck_assert_uint_eq(config->policy.default_vcpus, 3);
    ck_assert_str_eq(config->name_prefix, "site_1.");
    ck_assert_str_eq(config->console_directory, "/var/log/x");
    ck_assert_uint_eq(config->console_log_bytes, 8 * VIOMMU_KIB);
    ck_assert_uint_eq(config->console_keep_seconds, 0);
    ck_assert_uint_eq(config->console_keep_logs, 7);
    ck_assert_uint_eq(config->console_total_bytes, 6 * VIOMMU_MIB);
    ck_assert_uint_eq(config->digest_timeout_sec, 13);
    ck_assert_uint_eq(config->disk_reserve_bytes, 25);
    ck_assert_str_eq(config->group, "wheel");
    ck_assert_uint_eq(config->workers, 5);
    ck_assert_uint_eq(config->libvirt_timeout_sec, 7);
    ck_assert_uint_eq(config->verify_timeout_sec, 9);
    ck_assert_uint_eq(config->running_launches, 6);
    ck_assert_uint_eq(config->user_launches, 2);
    ck_assert_uint_eq(config->launch_timeout_sec, 11);
    ck_assert_uint_eq(config->files_timeout_sec, 12);
    ck_assert_uint_eq(config->grace_seconds, 7);
    ck_assert_uint_eq(config->lease_max_seconds, 90);
    ck_assert_uint_eq(config->lease_default_seconds, 80);
    ck_assert_mem_eq(&config->limits, &limits, sizeof(limits));
    ck_assert_uint_eq(config->policy.locked_reserve_bytes, 20 * VIOMMU_MIB);

    g_autofree char *later = file_with("b.conf", "[daemon]\nworkers=8\n[console]\ndirectory=\n");
    ck_assert(viommu_config_load_file(config, later, NULL));
    ck_assert_uint_eq(config->workers, 8);
    ck_assert_uint_eq(config->running_launches, 6);
    ck_assert_ptr_null(config->console_directory);
}
END_TEST

static const char site[] = "[devices]\nallow=8086:1572; 10de:* ;0000:3b:00.1;*:5e:*.*;10000:e1:00.0;gpus\n"
                           "take-from-driver=yes\ndrivers=auto;my_vfio\nin-use=root\n"
                           "[device gpus]\nmatch=10de:1eb8\ngroup=ml\nper-user=2\n"
                           "[networks]\nuser=no\nnetworks=default;lab!\nbridges=br0\n";

START_TEST(the_sites_devices_are_read)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *path = file_with("s.conf", site);
    g_autofree char *more =
        file_with("t.conf", "[device gpus]\nper-user=3\n[device nics]\nmatch=8086:1572\n");
    const ViommuSiteDevice *gpus;
    g_autofree char *allow = NULL;

    ck_assert_msg(viommu_config_load_file(config, path, &error), "%s", error ? error->message : "");
    ck_assert_msg(viommu_config_load_file(config, more, &error), "%s", error ? error->message : "");
    ck_assert_uint_eq(config->warnings->len, 0);
    allow = viommu_site_format_selectors(config->site.allow);
    ck_assert_str_eq(allow, "8086:1572;10de:*;0000:3b:00.1;*:5e:*.*;10000:e1:00.0;gpus");
    ck_assert(config->site.take_from_driver && config->site.root_takes_used && !config->site.user_networks);
    ck_assert_str_eq(config->site.networks[1], "lab!");
    ck_assert_str_eq(config->site.bridges[0], "br0");
    gpus = viommu_site_device(&config->site, "gpus");
    ck_assert_str_eq(gpus->group, "ml");
    ck_assert_uint_eq(gpus->per_user, 3);
    ck_assert_uint_eq(config->site.devices->len, 2);
    ck_assert_ptr_eq(config->policy.site, &config->site);

    g_autofree char *text = viommu_config_print(config);
    g_autofree char *expected = g_strdup_printf("\n[device gpus]\n# %s:7\nmatch=10de:1eb8\n# %s:8\ngroup=ml\n"
                                                "# %s:2\nper-user=3\n\n[device nics]\n",
                                                path, path, more);
    ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
}
END_TEST

START_TEST(unknown_keys_are_reported)
{
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *path = file_with("c.conf", "[daemon]\nworker=5\norder=virtio\n[other]\nxyzzy=1\n");
    static const char *const expected[] = {
        "2: [daemon] worker: unknown key, ignored; did you mean [daemon] workers?",
        "3: [daemon] order: unknown key, ignored; did you mean [iommu] order?",
        "5: [other] xyzzy: unknown key, ignored",
    };

    ck_assert(viommu_config_load_file(config, path, NULL));
    ck_assert_uint_eq(config->warnings->len, G_N_ELEMENTS(expected));
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_autofree char *text = g_strdup_printf("%s:%s", path, expected[i]);
        ck_assert_str_eq(config->warnings->pdata[i], text);
    }
}
END_TEST

/* The later of two files decides, whichever name it uses; within one file the new name decides. */
static const struct {
    const char *first, *second, *warning;
    uint64_t seconds;
} renamed[] = {
    {"", "libvirt-patience=7",
     "d2.conf:2: [daemon] libvirt-patience: this key is now called 'libvirt-timeout'; rename it", 7},
    {"libvirt-timeout=5", "libvirt-patience=7",
     "d2.conf:2: [daemon] libvirt-patience: this key is now called", 7},
    {"libvirt-patience=7", "libvirt-timeout=5",
     "d1.conf:2: [daemon] libvirt-patience: this key is now called", 5},
    {"", "libvirt-timeout=5\nlibvirt-patience=7",
     "d2.conf:3: [daemon] libvirt-patience: ignored, because this file also sets 'libvirt-timeout'; remove the old key",
     5},
    {"", "libvirt-patience=nonsense\nlibvirt-timeout=5", "d2.conf:2: [daemon] libvirt-patience: ignored", 5},
    {"libvirt-timeout=5", "libvirt-timeout=6", NULL, 6},
};

START_TEST(an_old_name_is_accepted)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *first_text = g_strdup_printf("[daemon]\n%s\n", renamed[_i].first);
    g_autofree char *second_text = g_strdup_printf("[daemon]\n%s\n", renamed[_i].second);
    g_autofree char *first = file_with("d1.conf", first_text);
    g_autofree char *second = file_with("d2.conf", second_text);

    ck_assert_msg(viommu_config_load_file(config, first, &error), "%s", error ? error->message : "");
    ck_assert_msg(viommu_config_load_file(config, second, &error), "%s", error ? error->message : "");
    ck_assert_uint_eq(config->libvirt_timeout_sec, renamed[_i].seconds);
    ck_assert_uint_eq(config->warnings->len, renamed[_i].warning ? 1 : 0);
    if (renamed[_i].warning)
        ck_assert_ptr_nonnull(strstr(config->warnings->pdata[0], renamed[_i].warning));

    g_autofree char *printed = viommu_config_print(config);
    ck_assert_ptr_nonnull(strstr(printed, "\nlibvirt-timeout="));
    ck_assert_ptr_null(strstr(printed, "patience"));
}
END_TEST

/* An old name does not hide a wrong value. */
START_TEST(an_old_name_is_checked)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *path = file_with("d.conf", "[daemon]\nlibvirt-patience=601\n");

    ck_assert(!viommu_config_load_file(config, path, &error));
    ck_assert_ptr_nonnull(
        strstr(error->message, ":2: [daemon] libvirt-patience: '601' is not a number between 1 and 600"));
}
END_TEST

static const struct {
    const char *text, *message;
} wrong[] = {
    {"[iommu]\norder=Native\n", ":2: [iommu] order: 'Native' is not one of native, virtio"},
    {"[machine]\naccelerator=xen\n", ":2: [machine] accelerator: 'xen' is not one of auto, kvm, tcg"},
    {"[machine]\nmemory=some\n", ":2: [machine] memory: "},
    {"[machine]\nmemory=1 KiB\n", ":2: [machine] memory: '1 KiB' is not between 1 MiB and "},
    {"[machine]\nvcpus=0\n", ":2: [machine] vcpus: '0' is not a number between 1 and 65535"},
    {"[console]\ndirectory=logs\n", ":2: [console] directory: 'logs' is not an absolute path"},
    {"[console]\nlog-size=1 KiB\n", ":2: [console] log-size: '1 KiB' is not between 4 KiB and 1 GiB"},
    {"[machine]\nname-prefix=\n", ":2: [machine] name-prefix: '' is not a prefix: use 1 to 24 letters"},
    {"[machine]\nname-prefix=../x\n", ":2: [machine] name-prefix: '../x' is not a prefix"},
    {"[machine]\nname-prefix=a/b\n", ":2: [machine] name-prefix: 'a/b' is not a prefix"},
    {"[machine]\nname-prefix=-a\n", ":2: [machine] name-prefix: '-a' is not a prefix"},
    {"[machine]\nname-prefix=abcdefghijklmnopqrstuvwxy\n",
     ":2: [machine] name-prefix: 'abcdefghijklmnopqrstuvwxy' is not a prefix"},
    {"[limits]\nmemory=all\n", ":2: [limits] memory: neither 'auto' nor a valid value: "},
    {"[daemon]\nworkers=-1\n", ":2: [daemon] workers: '-1' is not a number between 1 and 64"},
    {"[daemon]\nworkers=\n", ":2: [daemon] workers: '' is not a number between 1 and 64"},
    {"[devices]\nallow=10de:1eb8;10dg:1\n", ":2: [devices] allow: '10dg:1' is not a device selector; write"},
    {"[devices]\nallow=00000:1:00.0:1\n", ":2: [devices] allow: '00000:1:00.0:1' is not a device selector"},
    {"[devices]\nallow=0000:01:20.0\n", ":2: [devices] allow: '0000:01:20.0' is not a device selector"},
    {"[devices]\ntake-from-driver=true\n", ":2: [devices] take-from-driver: 'true' is not one of yes, no"},
    {"[devices]\nin-use=all\n", ":2: [devices] in-use: 'all' is not one of refuse, root"},
    {"[device gpus]\nmatch=other\n", ":2: [device gpus] match: 'other' is not a device selector; write"},
    {"[device ../x]\nmatch=10de:1eb8\n",
     ":2: [device ../x] match: 'device ../x' needs a name after 'device'"},
    {"[device gpus]\nper-user=-1\n", ":2: [device gpus] per-user: '-1' is not a number between 0 and 4096"},
    {"[networks]\nnetworks=a b\n", ":2: [networks] networks: 'a b' is not a name;"},
    {"no key file\n", ": "},
    {"[daemon]\n# workers=1\n\n workers = 0\n[daemon]\nrunning-launches=1\n", ":4: [daemon] workers: '0' is"},
};

START_TEST(wrong_values_are_refused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *path = file_with("d.conf", wrong[_i].text);
    g_autofree char *message = g_strdup_printf("%s%s", path, wrong[_i].message);

    ck_assert(!viommu_config_load_file(config, path, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    ck_assert_msg(g_str_has_prefix(error->message, message), "%s", error->message);
}
END_TEST

static uint64_t limit(const ViommuConfig *config, const char *key)
{
    g_autoptr(GVariant) limits = g_variant_ref_sink(viommu_config_limits(config));
    guint64 value = 1234567;

    ck_assert(g_variant_lookup(limits, key, "t", &value));
    return value;
}

static void assert_printed(const ViommuConfig *config, const char *line)
{
    g_autofree char *text = viommu_config_print(config);

    ck_assert_msg(strstr(text, line) != NULL, "'%s' is not in:\n%s", line, text);
}

START_TEST(the_host_gives_what_the_site_does_not)
{
    const ViommuBoundsHost host = {.memory_bytes = 32 * VIOMMU_GIB,
                                   .cpus = 4,
                                   .copies_disk_bytes = 40 * VIOMMU_GIB,
                                   .logs_disk_bytes = VIOMMU_GIB};
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autofree char *path = file_with("l.conf", "[limits]\nvcpus=0\ncopies-per-user=3 GiB\nmemory=auto\n");
    g_autofree char *place = g_strdup_printf("# %s:4; in force: 30 GiB (this host's memory ", path);

    ck_assert(viommu_config_load_file(config, path, NULL));
    viommu_config_bound(config, &host);
    ck_assert_uint_eq(limit(config, "vcpus"), 0);
    ck_assert_uint_eq(limit(config, "vcpus-per-user"), 32);
    ck_assert_uint_eq(limit(config, "memory"), 30 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "memory-per-user"), 15 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "copies"), 10 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "copies-per-user"), 3 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "overlays"), 80 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "overlays-per-user"), 40 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "disk-reserve"), 2 * VIOMMU_GIB);
    assert_printed(config, "# default; in force: 2 GiB (a twentieth of their file system, at most 4 GiB)\n");
    ck_assert_uint_eq(limit(config, "machines"), 1024);
    ck_assert_uint_eq(limit(config, "machines-per-user"), 64);
    ck_assert_uint_eq(limit(config, "locked-memory-reserve"), VIOMMU_GIB);
    ck_assert_uint_eq(config->bounds.console_log_bytes, 102 * VIOMMU_MIB);
    assert_printed(config, "# default; in force: 102 MiB (a tenth of ");
    assert_printed(
        config, "# default; in force: 32 (half of what all users together may have)\nvcpus-per-user=auto\n");
    assert_printed(config, place);
    assert_printed(config, "copies-per-user=3 GiB\n");
}
END_TEST

/* A bound of 0 would mean no bound. */
START_TEST(the_smallest_host_bounds_all_the_same)
{
    const ViommuBoundsHost host = {.memory_bytes = VIOMMU_GIB,
                                   .cpus = 1,
                                   .copies_disk_bytes = 3 * VIOMMU_MIB,
                                   .logs_disk_bytes = 3 * VIOMMU_MIB};
    g_autoptr(ViommuConfig) config = viommu_config_new();

    viommu_config_bound(config, &host);
    ck_assert_uint_eq(limit(config, "memory"), 512 * VIOMMU_MIB);
    ck_assert_uint_eq(limit(config, "copies"), VIOMMU_MIB);
    ck_assert_uint_eq(limit(config, "copies-per-user"), VIOMMU_MIB / 2);
    ck_assert_uint_eq(config->bounds.console_log_bytes, VIOMMU_MIB);
}
END_TEST

START_TEST(ones_own_host_bounds_nothing)
{
    const ViommuBoundsHost host = {
        .own = true, .memory_bytes = 32 * VIOMMU_GIB, .cpus = 4, .copies_disk_bytes = 40 * VIOMMU_GIB};
    g_autoptr(ViommuConfig) config = viommu_config_new();

    viommu_config_bound(config, &host);
    ck_assert_uint_eq(limit(config, "vcpus"), 0);
    ck_assert_uint_eq(limit(config, "memory-per-user"), 0);
    ck_assert_uint_eq(limit(config, "copies"), 0);
    ck_assert_uint_eq(limit(config, "overlays"), 0);
    ck_assert_uint_eq(limit(config, "disk-reserve"), 2 * VIOMMU_GIB);
    ck_assert_uint_eq(limit(config, "machines-per-user"), 0);
    ck_assert_uint_eq(config->bounds.console_log_bytes, VIOMMU_GIB);
    assert_printed(config, "# default; in force: no limit\nmemory=auto\n");
}
END_TEST

START_TEST(printed_with_the_place_of_each_value)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = viommu_config_new();
    g_autoptr(ViommuConfig) again = viommu_config_new();
    g_autofree char *first = file_with("f.conf", "[machine]\nmemory=2048 MiB\nvcpus=3\n");
    g_autofree char *second = file_with("g.conf", "[machine]\n\nvcpus=4\n[console]\ndirectory=/x\n");

    ck_assert_msg(viommu_config_load_file(config, first, &error), "%s", error ? error->message : "");
    ck_assert_msg(viommu_config_load_file(config, second, &error), "%s", error ? error->message : "");
    g_autofree char *text = viommu_config_print(config);
    g_autofree char *expected = g_strdup_printf(
        "[iommu]\n# default\norder=native\n\n"
        "[machine]\n# default\naccelerator=auto\n# default\nprove-kvm=yes\n# %s:2\nmemory=2 GiB\n# %s:3\nvcpus=4\n"
        "# default\nname-prefix=viommu-\n"
        "\n[console]\n# %s:5\ndirectory=/x\n# default\nlog-size=1 MiB\n",
        first, second, second);
    ck_assert_msg(g_str_has_prefix(text, expected), "%s", text);
    for (unsigned i = 0; viommu_config_key(i); i++) {
        g_autofree char *line = g_strdup_printf("\n%s=", viommu_config_key(i)->key);
        ck_assert_msg(strstr(text, line) != NULL, "%s is not in:\n%s", line + 1, text);
    }

    /* The printed settings can be read, and are the same. */
    g_autofree char *printed = file_with("h.conf", text);
    ck_assert_msg(viommu_config_load_file(again, printed, &error), "%s", error ? error->message : "");
    ck_assert_uint_eq(again->warnings->len, 0);
    ck_assert_uint_eq(again->policy.default_memory_bytes, 2 * VIOMMU_GIB);
    ck_assert_uint_eq(again->policy.default_vcpus, 4);
}
END_TEST

START_TEST(the_environment_names_the_only_file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = NULL;
    g_autofree char *path = file_with("e.conf", "[daemon]\nworkers=9\n");
    g_autofree char *missing = path_of("missing.conf");

    g_setenv(VIOMMU_ENV_CONFIG, path, TRUE);
    ck_assert_msg(viommu_config_load(true, &config, &error), "%s", error ? error->message : "");
    ck_assert_uint_eq(config->workers, 9);

    g_clear_pointer(&config, viommu_config_free);
    g_setenv(VIOMMU_ENV_CONFIG, missing, TRUE);
    ck_assert(!viommu_config_load(true, &config, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND));
    ck_assert_ptr_null(config);
    g_unsetenv(VIOMMU_ENV_CONFIG);
}
END_TEST

START_TEST(a_user_has_a_file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuConfig) config = NULL;
    g_autofree char *mine = path_of("viommud");
    g_autofree char *path = g_build_filename(mine, "viommud.conf", NULL);

    ck_assert_int_eq(g_mkdir(mine, 0700), 0);
    ck_assert(g_file_set_contents(path, "[daemon]\nrunning-launches=11\n", -1, NULL));
    g_unsetenv(VIOMMU_ENV_CONFIG);
    g_setenv("XDG_CONFIG_HOME", directory, TRUE);
    ck_assert_msg(viommu_config_load(true, &config, &error), "%s", error ? error->message : "");
    ck_assert_uint_eq(config->running_launches, 11);
    g_clear_pointer(&config, viommu_config_free);
    ck_assert_msg(viommu_config_load(false, &config, &error), "%s", error ? error->message : "");
    ck_assert_uint_ne(config->running_launches, 11);
    g_unlink(path);
    g_rmdir(mine);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("config");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_vendors_file_names_all_keys_and_changes_none);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_test(tcase, the_sites_devices_are_read);
    tcase_add_test(tcase, unknown_keys_are_reported);
    tcase_add_loop_test(tcase, an_old_name_is_accepted, 0, G_N_ELEMENTS(renamed));
    tcase_add_test(tcase, an_old_name_is_checked);
    tcase_add_loop_test(tcase, wrong_values_are_refused, 0, G_N_ELEMENTS(wrong));
    tcase_add_test(tcase, the_host_gives_what_the_site_does_not);
    tcase_add_test(tcase, the_smallest_host_bounds_all_the_same);
    tcase_add_test(tcase, ones_own_host_bounds_nothing);
    tcase_add_test(tcase, printed_with_the_place_of_each_value);
    tcase_add_test(tcase, the_environment_names_the_only_file);
    tcase_add_test(tcase, a_user_has_a_file);
    return unit_run_case("config", tcase);
}
