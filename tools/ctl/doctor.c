/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl doctor: asks viommud, libvirt and the bus, and prints the findings of doctor. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "daemon/libvirt/kvm-proof.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "tools/ctl/machine.h"
#include "tools/doctor/doctor.h"
#include "tools/ctl/local-host.h"
#include "tools/ctl/leftovers.h"

#define EXIT_PROBLEM 1
#define POLKIT_NAME  "org.freedesktop.PolicyKit1"

/* Everything that must live as long as the patient. */
typedef struct Answers {
    ViommuConfig *config;
    ViommuHost *host;
    char *uri, *version, *trouble,
        *connection; /* uri: of libvirt as we ask it; connection: as viommud does */
    GVariant *limits;
    ViommuLeftovers *leftovers;
    GError *config_error, *libvirt_error, *daemon_error;
} Answers;

static void clear_answers(Answers *answers)
{
    g_clear_pointer(&answers->config, viommu_config_free);
    g_clear_pointer(&answers->host, viommu_host_free);
    g_clear_pointer(&answers->uri, g_free);
    g_clear_pointer(&answers->version, g_free);
    g_clear_pointer(&answers->trouble, g_free);
    g_clear_pointer(&answers->limits, g_variant_unref);
    g_clear_pointer(&answers->leftovers, viommu_leftovers_free);
    g_clear_pointer(&answers->connection, g_free);
    g_clear_error(&answers->config_error);
    g_clear_error(&answers->libvirt_error);
    g_clear_error(&answers->daemon_error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answers, clear_answers)

static void ask_viommud(ViommuClient *client, Answers *answers)
{
    g_autoptr(GVariant) version = viommu_ctl_manager_property(client, "Version", "s", &answers->daemon_error);
    g_autoptr(GVariant) uri = version ? viommu_ctl_manager_property(client, "Connection", "s", NULL) : NULL;
    g_autoptr(GVariant) connected = uri ? viommu_ctl_manager_property(client, "Connected", "b", NULL) : NULL;

    answers->connection = uri ? g_variant_dup_string(uri, NULL) : NULL;
    if (uri)
        answers->limits = viommu_ctl_manager_property(client, "Limits", "a{sv}", NULL);
    if (version)
        answers->version = g_variant_dup_string(version, NULL);
    if (connected && !g_variant_get_boolean(connected))
        answers->trouble =
            g_strdup_printf("has no connection to libvirt at %s", g_variant_get_string(uri, NULL));
}

/* If libvirt refuses the caller, viommud still knows what libvirt reported. */
static void ask_libvirt(ViommuCtl *ctl, ViommuClient *client, Answers *answers)
{
    answers->host = viommu_local_host(ctl, &answers->uri, &answers->libvirt_error);
    if (!answers->host && answers->version)
        answers->host = viommu_local_host_by_viommud(client);
}

/* The firmware of its guest is in a directory that QEMU's user can pass. */
static ViommuKvmVerdict *prove_in(const char *directory, const char *uri, const ViommuHost *host)
{
    const ViommuEmulator *emulator = viommu_host_emulator(host, (ViommuArch)viommu_host_arch(host));
    ViommuBackend *backend = NULL;
    ViommuKvmVerdict *verdict = NULL;

    if (!viommu_backend_new(uri, 1, &backend, NULL))
        return NULL;
    g_autofree char *stamp = viommu_backend_kvm_stamp(backend, host);
    if (stamp && g_chmod(directory, 0711) == 0)
        verdict = viommu_backend_prove_kvm(backend, &(ViommuKvmProof){emulator->path, directory, NULL});
    viommu_backend_free(backend);
    return verdict;
}

/* What viommud has learnt counts; else doctor sees for itself.  The system's libvirt starts it for
 * root only. */
static void prove_kvm(ViommuCtl *ctl, const ViommuPatient *patient, Answers *answers)
{
    g_autofree char *directory = NULL;
    g_autoptr(ViommuKvmVerdict) verdict = NULL;

    if (!answers->host || answers->libvirt_error || !answers->uri || !answers->config ||
        !answers->config->policy.prove_kvm || answers->host->kvm != VIOMMU_UNSET ||
        (patient->system && patient->uid != 0))
        return;
    directory = g_dir_make_tmp("viommu-kvm-XXXXXX", NULL);
    if (!directory)
        return;
    viommu_output_progress(&ctl->output, "starting a guest of viommud's own, to see whether KVM works ...");
    verdict = prove_in(directory, answers->uri, answers->host);
    viommu_output_progress_end(&ctl->output);
    viommu_host_set_kvm(answers->host, verdict);
    (void)g_rmdir(directory);
}

/* Only a user who may see all machines and ask libvirt learns of leftovers; and only viommud's own
 * libvirt has them. */
static void ask_for_leftovers(ViommuClient *client, const ViommuPatient *patient, Answers *answers)
{
    bool same = !answers->version || g_strcmp0(answers->connection, answers->uri) == 0;

    if (answers->host && !answers->libvirt_error && answers->uri && same &&
        (!patient->system || patient->uid == 0))
        answers->leftovers = viommu_ctl_find_leftovers(answers->version ? client : NULL, answers->uri,
                                                       patient->system, answers->config);
}

static void ask(ViommuCtl *ctl, Answers *answers, ViommuPatient *patient)
{
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, &answers->daemon_error);

    /* Examine the viommud that replies. */
    if (client && !ctl->user && !ctl->system)
        *(viommu_client_is_system(client) ? &ctl->system : &ctl->user) = true;
    patient->system = !viommu_local_is_user(ctl);
    if (client) {
        patient->polkit = viommu_client_bus_has(client, POLKIT_NAME);
        ask_viommud(client, answers);
    }
    viommu_config_load(!patient->system, &answers->config, &answers->config_error);
    ask_libvirt(ctl, client, answers);
    patient->uid = geteuid();
    prove_kvm(ctl, patient, answers);
    ask_for_leftovers(client, patient, answers);
    patient->leftovers = answers->leftovers;
    patient->config = answers->config;
    patient->config_error = answers->config_error;
    patient->uri = answers->uri;
    patient->host = answers->host;
    patient->libvirt_error = answers->libvirt_error;
    patient->daemon_version = answers->version;
    patient->daemon_error = answers->daemon_error;
    patient->daemon_trouble = answers->trouble;
    patient->limits = answers->limits;
}

/* --- Output --- */

static void print_json(const GPtrArray *findings)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < findings->len; i++) {
        const ViommuFinding *finding = g_ptr_array_index(findings, i);
        const char *const texts[][2] = {
            {"check", finding->check},
            {"verdict", viommu_enum_to_string(&viommu_enum_health, (int)finding->health)},
            {"found", finding->found},
            {"advice", finding->advice ? finding->advice : ""},
        };

        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        for (size_t j = 0; j < G_N_ELEMENTS(texts); j++) {
            g_autofree char *valid = g_utf8_make_valid(texts[j][1], -1);
            g_variant_builder_add(&list, "{sv}", texts[j][0], g_variant_new_string(valid));
        }
        g_variant_builder_close(&list);
    }
    viommu_output_json(g_variant_builder_end(&list));
}

static const ViommuStyle styles[] = {
    [VIOMMU_HEALTH_OK] = VIOMMU_STYLE_GOOD,
    [VIOMMU_HEALTH_WARNING] = VIOMMU_STYLE_WARNING,
    [VIOMMU_HEALTH_PROBLEM] = VIOMMU_STYLE_BAD,
};
G_STATIC_ASSERT(G_N_ELEMENTS(styles) == VIOMMU_HEALTH_LAST);

/* The advice is below the finding, so that each fits a line. */
static void print_table(const ViommuOutput *output, const GPtrArray *findings)
{
    static const char *const titles[] = {"CHECK", "VERDICT", "FOUND, AND WHAT TO DO", NULL};
    g_autoptr(ViommuTable) table = viommu_table_new(titles, 0);

    for (guint i = 0; i < findings->len; i++) {
        const ViommuFinding *finding = g_ptr_array_index(findings, i);
        const char *verdict = viommu_enum_to_string(&viommu_enum_health, (int)finding->health);
        g_autofree char *advice = g_strconcat("  -> ", finding->advice, NULL);

        viommu_table_add(table, (const char *const[]){finding->check, verdict, finding->found}, 1,
                         styles[finding->health]);
        if (finding->advice)
            viommu_table_add(table, (const char *const[]){" ", " ", advice}, -1, VIOMMU_STYLE_PLAIN);
    }
    viommu_table_print(table, output);
}

bool viommu_ctl_doctor(ViommuCtl *ctl, GError **error)
{
    g_auto(Answers) answers = {NULL};
    ViommuPatient patient = {
        .root = ctl->root ? ctl->root : "/", .hardware_only = ctl->root != NULL, .polkit = VIOMMU_UNSET};
    g_autoptr(GPtrArray) findings = NULL;

    if (!patient.hardware_only)
        ask(ctl, &answers, &patient);
    findings = viommu_doctor_examine(&patient);
    for (guint i = 0; i < findings->len; i++)
        if (((const ViommuFinding *)findings->pdata[i])->health == VIOMMU_HEALTH_PROBLEM)
            ctl->exit_status = EXIT_PROBLEM;
    if (ctl->output.json)
        print_json(findings);
    else
        print_table(&ctl->output, findings);
    return true;
}
