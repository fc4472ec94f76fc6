/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-files: how libvirt gets a disk, and whose rights QEMU has, for each kind of user and
 * libvirt. */
#include "tests/unit/parse-request.h"

#include "lib/domain/domain-xml.h"
#include "lib/plan/plan.h"

#define UUID    "01234567-89ab-cdef-0123-456789abcdef"
#define SIXTEEN "0123456789abcdef"
#define KEPT    "<seclabel model='dac' relabel='no'/>"

typedef struct Case {
    const char *libvirt, *model; /* besides "dac"; NULL: not known */
    ViommuAskerKind asker;
    ViommuHandover disk; /* of a qcow2 image that the guest writes */
    bool is_based;       /* its backing file is open, too */
    ViommuConfinement confinement;
    const char *has, *lacks; /* parts of the XML */
    const char *refusal;     /* the error instead of XML */
} Case;

#define FILE_OPEN                               \
    {                                           \
        .path = (char *)"/a/b", .is_open = true \
    }
#define FILE_FIXED                                                \
    {                                                             \
        .path = (char *)"/a/b", .is_open = true, .is_fixed = true \
    }
#define FILE_SHUT                                \
    {                                            \
        .path = (char *)"/a/b", .is_fixed = true \
    }

/* FILE, with an overlay. */
#define OVER(...)                                                                         \
    {                                                                                     \
        .overlay = (char *)"/own/o", .path = (char *)"/a/b", .is_open = true, __VA_ARGS__ \
    }

static const Case cases[] = {
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_FIXED, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/var/lib/viommu/open/" UUID ".vda' fdgroup='vda'>", .lacks = "/a/b"},
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_FIXED, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<seclabel type='static' model='dac' relabel='yes'>\n    <label>+1000:+64055</label>"},
    {"9.0.0", "none", VIOMMU_ASKER_OUTSIDER, FILE_OPEN, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<label>+1000:+64055</label>"},
    {"9.0.0", "none", VIOMMU_ASKER_ROOT, FILE_OPEN, false, VIOMMU_CONFINEMENT_OFF, .has = KEPT,
     .lacks = "<label>"},
    {"9.0.0", "none", VIOMMU_ASKER_OWN, FILE_FIXED, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'/>", .lacks = "seclabel"},
    {"9.0.0", "none", VIOMMU_ASKER_OWN, FILE_OPEN, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b' fdgroup='vda'/>"},
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_SHUT, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'>\n        " KEPT},
    {"9.0.0", "none", VIOMMU_ASKER_ROOT, FILE_SHUT, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'/>"},
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_OPEN, true, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/base' fdgroup='vda.1'>\n          " KEPT},
    {"7.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_FIXED, true, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/base'>\n          " KEPT, .lacks = "fdgroup"},
    {"7.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_OPEN, false, VIOMMU_CONFINEMENT_OFF,
     .refusal = "needs libvirt 9.0 or newer"},
    {"6.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_FIXED, false, VIOMMU_CONFINEMENT_OFF,
     .refusal = "not restore the owner"},
    {"6.0.0", "none", VIOMMU_ASKER_OWN, FILE_FIXED, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'/>"},
    {"9.0.0", NULL, VIOMMU_ASKER_MEMBER, FILE_FIXED, false, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'/>", .lacks = "seclabel"},
    {"9.0.0", "selinux", VIOMMU_ASKER_MEMBER, FILE_OPEN, .has = "<seclabel model='selinux' relabel='no'/>",
     .lacks = "/a/b"},
    {"9.0.0", "apparmor", VIOMMU_ASKER_MEMBER, FILE_OPEN, .has = "<source file='/a/b' fdgroup='vda'>"},
    {"9.0.0",
     "apparmor",
     VIOMMU_ASKER_MEMBER,
     {.path = (char *)"/a/{b,c}", .is_open = true},
     .refusal = "patterns"},
    {"9.0.0",
     "apparmor",
     VIOMMU_ASKER_MEMBER,
     {.path = (char *)"/a", .is_open = true, .is_nameless = true},
     .refusal = "was deleted"},
    {"9.0.0",
     "none",
     VIOMMU_ASKER_MEMBER,
     {.path = (char *)"/a/{b,c}", .is_open = true, .is_nameless = true},
     false,
     VIOMMU_CONFINEMENT_OFF,
     .has = UUID ".vda"},
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_OPEN, .confinement = VIOMMU_CONFINEMENT_REQUIRED,
     .refusal = "[guests] confinement"},
    {"9.0.0", NULL, VIOMMU_ASKER_ROOT, FILE_FIXED, .confinement = VIOMMU_CONFINEMENT_REQUIRED,
     .refusal = "[guests] confinement"},
    {"9.0.0", "apparmor", VIOMMU_ASKER_MEMBER, FILE_OPEN, .confinement = VIOMMU_CONFINEMENT_REQUIRED,
     .has = "<disk"},
    {"9.0.0", "none", VIOMMU_ASKER_OWN, FILE_FIXED, .confinement = VIOMMU_CONFINEMENT_REQUIRED,
     .has = "<disk"},
    /* Overlay and base open; both by their paths, where libvirt leaves the base alone. */
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = true), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "/" UUID ".vda' fdgroup='vda'>", .lacks = "/own/o"},
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = false), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "/" UUID ".vda.1' fdgroup='vda.1'>\n          " KEPT, .lacks = "/a/b"},
    {"9.0.0", "none", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = true), true, VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/base' fdgroup='vda.2'>"},
    {"9.0.0", "apparmor", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = false), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/own/o' fdgroup='vda'>"},
    {"9.0.0", "none", VIOMMU_ASKER_OWN, OVER(.is_fixed = true), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/own/o'/>", .lacks = "fdgroup"},
    {"9.0.0", "none", VIOMMU_ASKER_OWN, OVER(.is_fixed = true), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'/>"},
    {"7.0.0", "none", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = true), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/own/o'/>", .lacks = "fdgroup"},
    {"7.0.0", "none", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = true), .confinement = VIOMMU_CONFINEMENT_OFF,
     .has = "<source file='/a/b'>\n          " KEPT},
    {"7.0.0", "none", VIOMMU_ASKER_MEMBER, OVER(.is_fixed = false), .confinement = VIOMMU_CONFINEMENT_OFF,
     .refusal = "needs libvirt 9.0 or newer"},
};

static ViommuHost *make_host(const Case *one)
{
    g_autofree char *text = g_strdup_printf("{'libvirt': <'%s'>, 'emulators': <[{'arch': <'x86_64'>, 'qemu': "
                                            "<'7.2.22'>, 'accelerators': <['tcg']>}]>}",
                                            one->libvirt);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    ViommuHost *host = viommu_host_from_variant(tree, NULL);

    ck_assert_ptr_nonnull(host);
    if (one->model) {
        viommu_host_add_secmodel(host, one->model, NULL);
        viommu_host_add_secmodel(host, "dac", "+64055:+64055");
    }
    return host;
}

static ViommuRequest *make_request(bool overlay)
{
    g_autofree char *text =
        g_strdup_printf("{'disks': <[{'path': <'/asked'>, 'format': <'qcow2'>, 'overlay': <%s>}]>}",
                        overlay ? "true" : "false");
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    ViommuRequest *request = viommu_request_parse(tree, NULL);

    ck_assert_ptr_nonnull(request);
    return request;
}

static ViommuHandovers *make_handovers(const Case *one)
{
    ViommuHandovers *handovers = viommu_handovers_new();
    ViommuHandover *disk = g_new(ViommuHandover, 1);

    *disk = one->disk;
    disk->path = g_strdup(one->disk.path);
    disk->overlay = g_strdup(one->disk.overlay);
    disk->backing = viommu_handover_backing_new();
    if (one->is_based)
        viommu_handover_add_backing(disk->backing, "/base", VIOMMU_DISK_FORMAT_RAW, true);
    g_ptr_array_add(handovers->disks, disk);
    return handovers;
}

static void hand_over(const Case *one)
{
    g_autoptr(ViommuHost) host = make_host(one);
    g_autoptr(ViommuRequest) request = make_request(one->disk.overlay);
    g_autoptr(ViommuHandovers) handovers = make_handovers(one);
    g_autoptr(ViommuPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;
    const ViommuAsker asker = {one->asker, 1000};
    ViommuPolicy policy;
    ViommuPlanInput input = {.request = request,
                             .host = host,
                             .policy = &policy,
                             .handovers = handovers,
                             .uuid = UUID,
                             .asker = &asker};

    viommu_policy_init(&policy);
    policy.confinement = one->confinement;
    if (!viommu_plan_build(&input, &plan, NULL, &error)) {
        ck_assert_msg(one->refusal && strstr(error->message, one->refusal), "%zd: %s", one - cases,
                      error->message);
        return;
    }
    xml = viommu_domain_xml(plan, NULL);
    ck_assert_msg(!one->refusal && strstr(xml, one->has), "%zd: %s is not in %s", one - cases, one->has, xml);
    ck_assert_msg(!one->lacks || !strstr(xml, one->lacks), "%zd: %s is in %s", one - cases, one->lacks, xml);
}

START_TEST(handed_over)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        hand_over(&cases[i]);
}
END_TEST

/* A seed is a read-only disk behind those of the request, a file of fw_cfg, or strings of
 * SMBIOS. */
START_TEST(a_seed)
{
    static const Case one = {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_OPEN};
    g_autoptr(ViommuHost) host = make_host(&one);
    g_autoptr(ViommuRequest) request = make_request(false);
    g_autoptr(ViommuHandovers) handovers = make_handovers(&one);
    g_autoptr(ViommuPlan) plan = NULL, fw_cfg = NULL, smbios = NULL, none = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL, *by_fw_cfg = NULL, *by_smbios = NULL;
    const ViommuAsker asker = {one.asker, 1000};
    ViommuPolicy policy;
    ViommuPlanInput input = {
        .request = request, .host = host, .policy = &policy, .handovers = handovers, .asker = &asker};

    viommu_policy_init(&policy);
    request->seed.present = true;
    handovers->seed.path = g_strdup("/own/seed");
    unit_assert_ok(viommu_plan_build(&input, &plan, NULL, &error), error);
    xml = viommu_domain_xml(plan, NULL);
    ck_assert_msg(strstr(xml, "<source file='/own/seed'/>"), "%s", xml);
    ck_assert_msg(strstr(xml, "<target dev='vdb' bus='virtio'/>\n      <readonly/>"), "%s", xml);
    request->seed.by = VIOMMU_SEED_BY_IGNITION;
    unit_assert_ok(viommu_plan_build(&input, &fw_cfg, NULL, &error), error);
    by_fw_cfg = viommu_domain_xml(fw_cfg, NULL);
    ck_assert_msg(strstr(by_fw_cfg, "<entry name='opt/com.coreos/config' file='/own/seed'/>"), "%s",
                  by_fw_cfg);
    ck_assert_ptr_null(strstr(by_fw_cfg, "vdb"));
    request->seed.by = VIOMMU_SEED_BY_CREDENTIALS;
    request->seed.hostname = g_strdup("guest-7");
    unit_assert_ok(viommu_plan_build(&input, &smbios, NULL, &error), error);
    by_smbios = viommu_domain_xml(smbios, NULL);
    /* "guest-7" in base64 */
    ck_assert_msg(
        strstr(by_smbios, "<entry>io.systemd.credential.binary:system.hostname=Z3Vlc3QtNw==</entry>"), "%s",
        by_smbios);
    ck_assert_ptr_null(strstr(by_smbios, "/own/seed"));
    request->seed.by = VIOMMU_SEED_BY_CLOUD_INIT;
    input.is_remote = true;
    ck_assert(!viommu_plan_build(&input, &none, NULL, &error));
}
END_TEST

/* Without a label, QEMU would have libvirt's rights, and the header of an image could name any file
 * that libvirt may open. */
START_TEST(no_label)
{
    static const Case one = {"9.0.0", NULL, VIOMMU_ASKER_MEMBER, FILE_OPEN};
    g_autoptr(ViommuHost) host = make_host(&one);
    g_autoptr(ViommuRequest) request = make_request(false);
    g_autoptr(ViommuHandovers) handovers = make_handovers(&one);
    g_autoptr(ViommuPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    const ViommuAsker asker = {one.asker, 1000};
    ViommuPolicy policy;
    ViommuPlanInput input = {
        .request = request, .host = host, .policy = &policy, .handovers = handovers, .asker = &asker};

    viommu_policy_init(&policy);
    viommu_host_add_secmodel(host, "none", NULL);
    ck_assert(!viommu_plan_build(&input, &plan, NULL, &error));
    ck_assert_msg(strstr(error->message, "with the rights of user 1000"), "%s", error->message);
}
END_TEST

START_TEST(warned)
{
    static const Case one = {"9.0.0", "none", VIOMMU_ASKER_MEMBER, FILE_OPEN};
    g_autoptr(ViommuHost) host = make_host(&one);
    g_autoptr(ViommuRequest) request = make_request(false);
    g_autoptr(ViommuHandovers) handovers = make_handovers(&one);
    g_autoptr(ViommuPlan) plan = NULL;
    const ViommuAsker asker = {one.asker, 1000};
    ViommuPolicy policy;
    ViommuPlanInput input = {
        .request = request, .host = host, .policy = &policy, .handovers = handovers, .asker = &asker};
    bool found = false;

    viommu_policy_init(&policy);
    ck_assert(viommu_plan_build(&input, &plan, NULL, NULL));
    for (guint i = 0; i < plan->warnings->len; i++)
        found = found || strstr(g_ptr_array_index(plan->warnings, i), "[guests] confinement");
    ck_assert(found);
}
END_TEST

/* Of three files, the second is named by its path, because it did not fit into the message. */
static const char *const links[] = {
    "<backingStore type='file'>\n"
    "<format type='qcow2'/>\n"
    "<source file='/layer1' fdgroup='vda.1'>\n" KEPT
    "\n<seclabel model='selinux' relabel='no'/>\n</source>\n",
    "<backingStore type='file'>\n"
    "<format type='qcow2'/>\n"
    "<source file='/layer2'>\n" KEPT "\n<seclabel model='selinux' relabel='no'/>\n</source>\n",
    "<backingStore type='file'>\n"
    "<format type='raw'/>\n"
    "<source file='/layer3' fdgroup='vda.3'>\n" KEPT
    "\n<seclabel model='selinux' relabel='no'/>\n</source>\n",
};

/* The XML for a chain of @n files, without indentation.  Owned. */
static char *make_chain(size_t n)
{
    GString *xml = g_string_new("</source>\n");

    for (size_t i = 0; i < n; i++)
        g_string_append(xml, links[i]);
    g_string_append(xml, "<backingStore/>\n");
    for (size_t i = 0; i < n; i++)
        g_string_append(xml, "</backingStore>\n");
    g_string_append(xml, "<target dev='vda'");
    return g_string_free(xml, FALSE);
}

static char *without_indentation(const char *xml)
{
    g_auto(GStrv) lines = g_strsplit(xml, "\n", -1);

    for (char **line = lines; *line; line++)
        g_strchug(*line);
    return g_strjoinv("\n", lines);
}

static char *plan_chain(size_t n)
{
    static const Case one = {"9.0.0", "selinux", VIOMMU_ASKER_MEMBER, FILE_OPEN};
    g_autoptr(ViommuHost) host = make_host(&one);
    g_autoptr(ViommuRequest) request = make_request(false);
    g_autoptr(ViommuHandovers) handovers = make_handovers(&one);
    const ViommuHandover *disk = g_ptr_array_index(handovers->disks, 0);
    g_autoptr(ViommuPlan) plan = NULL;
    g_autofree char *xml = NULL;
    const ViommuAsker asker = {one.asker, 1000};
    ViommuPolicy policy;
    ViommuPlanInput input = {.request = request,
                             .host = host,
                             .policy = &policy,
                             .handovers = handovers,
                             .uuid = UUID,
                             .asker = &asker};

    viommu_policy_init(&policy);
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("/layer%zu", i + 1);

        viommu_handover_add_backing(disk->backing, path,
                                    i == 2 ? VIOMMU_DISK_FORMAT_RAW : VIOMMU_DISK_FORMAT_QCOW2, i != 1);
    }
    ck_assert(viommu_plan_build(&input, &plan, NULL, NULL));
    xml = viommu_domain_xml(plan, NULL);
    return without_indentation(xml);
}

/* libvirt and QEMU get the whole chain and its end, so that they search for no files, and each file
 * keeps its owner. */
START_TEST(chains)
{
    for (size_t n = 0; n <= G_N_ELEMENTS(links); n++) {
        g_autofree char *xml = plan_chain(n), *chain = make_chain(n);

        ck_assert_msg(strstr(xml, chain), "%zu: %s is not in %s", n, chain, xml);
    }
}
END_TEST

/* Whether root's request @text can be planned for a libvirt on another host; @key: the refused one,
 * or NULL. */
static void assert_remote(const char *text, const char *key)
{
    static const Case one = {"9.0.0", "none", VIOMMU_ASKER_ROOT, FILE_FIXED};
    g_autoptr(ViommuHost) host = make_host(&one);
    g_autoptr(GVariant) tree = g_variant_ref_sink(g_variant_new_parsed(text));
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    g_autoptr(ViommuPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    const ViommuAsker asker = {VIOMMU_ASKER_ROOT, 0};
    ViommuPolicy policy;
    const ViommuPlanInput input = {.request = request,
                                   .host = host,
                                   .policy = &policy,
                                   .uuid = UUID,
                                   .asker = &asker,
                                   .is_remote = true};

    ck_assert_ptr_nonnull(request);
    viommu_policy_init(&policy);
    ck_assert_int_eq(viommu_plan_build(&input, &plan, NULL, &error), !key);
    if (key)
        ck_assert_msg(g_str_has_prefix(error->message, key) && strstr(error->message, "another host"), "%s",
                      error->message);
}

/* viommud makes no overlay or seed there, and reads no image. */
START_TEST(on_another_host)
{
    assert_remote("{'disks': <[<{'path': <'/a/b'>, 'format': <'raw'>}>]>}", NULL);
    assert_remote("{'disks': <[<{'path': <'/a/b'>, 'format': <'raw'>, 'overlay': <true>}>]>}",
                  "disks[].overlay");
    assert_remote("{'disks': <[<{'path': <'/a/b'>, 'format': <'raw'>, 'digest': <'sha256:" SIXTEEN SIXTEEN
                      SIXTEEN SIXTEEN "'>}>]>}",
                  "disks[].digest");
    assert_remote("{'seed': <{'hostname': <'a'>}>}", "seed");
    assert_remote("{'seed': <{'by': <'credentials'>, 'hostname': <'a'>}>}", NULL);
}
END_TEST

/* The system's viommud shares directories for root only. */
START_TEST(shares)
{
    static const struct {
        ViommuAskerKind kind;
        bool shared;
    } rows[] = {
        {VIOMMU_ASKER_OWN, true},
        {VIOMMU_ASKER_ROOT, true},
        {VIOMMU_ASKER_MEMBER, false},
        {VIOMMU_ASKER_OUTSIDER, false},
    };
    static const Case one = {"9.0.0", "none", VIOMMU_ASKER_ROOT, FILE_FIXED};
    g_autoptr(ViommuHost) host = make_host(&one);
    g_autoptr(ViommuRequest) request =
        unit_request("{'shares': <[{'path': <'/s'>, 'tag': <'s'>, 'type': <'9p'>}]>}");
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(ViommuPlan) plan = NULL;
        g_autoptr(GError) error = NULL;
        const ViommuAsker asker = {rows[i].kind, 1000};
        const ViommuPlanInput input = {
            .request = request, .host = host, .policy = &policy, .uuid = UUID, .asker = &asker};

        ck_assert_int_eq(viommu_plan_build(&input, &plan, NULL, &error), rows[i].shared);
        ck_assert(rows[i].shared ? plan->shares->len == 1
                                 : g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED));
    }
}
END_TEST

/* libvirt 9.0 of the system has virtiofs, and a user's own has not. */
START_TEST(virtiofs_of_a_user)
{
    static const Case one = {"9.0.0", "none", VIOMMU_ASKER_OWN, FILE_FIXED};
    g_autoptr(ViommuRequest) request = unit_request("{'shares': <[{'path': <'/s'>, 'tag': <'s'>}]>}");
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    for (int own = 0; own < 2; own++) {
        g_autoptr(ViommuHost) host = make_host(&one);
        g_autoptr(ViommuPlan) plan = NULL;
        g_autoptr(GError) error = NULL;
        const ViommuPlanInput input = {.request = request, .host = host, .policy = &policy, .uuid = UUID};

        host->unprivileged = own;
        ck_assert_int_eq(viommu_plan_build(&input, &plan, NULL, &error), !own);
        ck_assert(own ? strstr(error->message, "libvirt 10.0") != NULL : plan->shared_memory);
    }
}
END_TEST

/* systemd's credentials need a guest that is new enough. */
START_TEST(credentials)
{
    static const Case one = {"9.0.0", "none", VIOMMU_ASKER_OWN, FILE_FIXED};
    static const char refusal[] = "needs a guest with systemd 252 or newer, which guest.os",
                      unknown[] = "guest.os does not say which one it has",
                      no_name[] = "seed.hostname by 'credentials' has no effect in guest.os",
                      name[] = "systemd 254 or newer and without a name in /etc/hostname";
    static const struct {
        const char *os, *refused, *warned;
        bool named; /* the request has a host name */
    } rows[] = {
        {"debian11-cloud", refusal, NULL, false}, {"ubuntu22.04-hwe", refusal, NULL, false},
        {"rhel9.0", refusal, NULL, false},        {"rhel9.1", refusal, NULL, false},
        {"sles12sp5", refusal, NULL, false},      {"alpine3.21", refusal, NULL, false},
        {"win11", refusal, NULL, false},          {"opensuse15.4", NULL, unknown, false},
        {"linux-of-mine", NULL, unknown, false},  {"debian12", NULL, NULL, false},
        {"debian12", NULL, no_name, true},        {"rhel9.4", NULL, no_name, true},
        {"debian13", NULL, NULL, false},          {"debian13", NULL, name, true},
        {"opensuse15.4", NULL, name, true},
    };

    g_autoptr(ViommuHost) host = make_host(&one);
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf(
            "{'guest': <{'os': <'%s'>}>, 'seed': <{'by': <'credentials'>, 'ssh-keys': <'ssh-ed25519 "
            "AAAAC3NzaC1lZDI1NTE5AAAAIPPwIjxPguknB6ZNHw1vPInUHWkUOZV3BT5Vx48w5KWA'>%s}>}",
            rows[i].os, rows[i].named ? ", 'hostname': <'a'>" : "");
        g_autoptr(ViommuRequest) request = unit_request(text);
        const ViommuPlanInput input = {.request = request, .host = host, .policy = &policy, .uuid = UUID};
        g_autoptr(ViommuPlan) plan = NULL;
        g_autoptr(GError) error = NULL;
        bool found = false;

        ck_assert_msg(viommu_plan_build(&input, &plan, NULL, &error) == !rows[i].refused, "%s: %s",
                      rows[i].os, error ? error->message : "");
        ck_assert(!error || strstr(error->message, rows[i].refused));
        for (guint j = 0; plan && j < plan->warnings->len; j++) {
            const char *warning = g_ptr_array_index(plan->warnings, j);

            ck_assert_msg(rows[i].warned || !g_str_has_prefix(warning, "seed."), "%s: %s", rows[i].os,
                          warning);
            found = found || (rows[i].warned && strstr(warning, rows[i].warned));
        }
        ck_assert_msg(found == !!rows[i].warned, "%s", rows[i].os);
    }
}
END_TEST

UNIT_MAIN("plan-files", handed_over, a_seed, no_label, warned, chains, on_another_host, shares,
          virtiofs_of_a_user, credentials)
