/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint-planned: judges many domains in one process.  Each line of standard input has a recorded
 * host, a file with a domain and what runs in the guest ("-": not known), separated by tabs; the
 * answer to each is one line: the file, and behind tabs each finding that is no note, as
 * "severity rule text", with rule "plan" for a plan's own warning. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/lint/lint.h"
#include "tools/client/request-file.h"

static const ViommuHost *find_host(GHashTable *hosts, const char *path)
{
    ViommuHost *host = g_hash_table_lookup(hosts, path);

    if (!host) {
        g_autoptr(GVariant) tree = viommu_request_file_read(path, NULL);

        host = tree ? viommu_host_from_variant(tree, NULL) : NULL;
        if (!host)
            g_error("cannot read %s", path);
        g_hash_table_insert(hosts, g_strdup(path), host);
    }
    return host;
}

static void judge(const ViommuHost *host, const char *path, const char *os)
{
    g_autofree char *xml = NULL;
    g_autoptr(ViommuLint) lint = NULL;
    g_autoptr(GError) error = NULL;
    ViommuPolicy policy;

    viommu_policy_init(&policy);
    if (g_file_get_contents(path, &xml, NULL, &error))
        lint = viommu_lint_judge(
            &(ViommuLintInput){
                .xml = xml, .os = g_str_equal(os, "-") ? NULL : os, .host = host, .policy = &policy},
            &error);
    if (!lint)
        g_error("%s: %s", path, error->message);
    fputs(path, stdout);
    for (guint i = 0; i < lint->findings->len; i++) {
        const ViommuFinding *finding = g_ptr_array_index(lint->findings, i);
        const char *rule = viommu_rule_to_string(finding->rule);

        if (finding->severity != VIOMMU_SEVERITY_NOTE)
            printf("\t%s %s %s", viommu_enum_to_string(&viommu_enum_severity, (int)finding->severity),
                   rule ? rule : "plan", finding->text);
    }
    putchar('\n');
}

int main(void)
{
    g_autoptr(GHashTable) hosts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)viommu_host_free);
    char line[4096];

    while (fgets(line, sizeof(line), stdin)) {
        g_auto(GStrv) words = g_strsplit(g_strchomp(line), "\t", -1);

        if (g_strv_length(words) != 3)
            g_error("a line has a host, a file and a guest, not: %s", line);
        judge(find_host(hosts, words[0]), words[1], words[2]);
    }
    return EXIT_SUCCESS;
}
