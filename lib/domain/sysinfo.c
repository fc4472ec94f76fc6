/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/domain/sysinfo.h"

#include <string.h>

static bool is_seeded_by(const ViommuPlan *plan, ViommuSeedBy by)
{
    return plan->seed.present && plan->seed.by == by;
}

bool viommu_sysinfo_has_smbios(const ViommuPlan *plan)
{
    return is_seeded_by(plan, VIOMMU_SEED_BY_CREDENTIALS) || plan->ready_port;
}

static void write_credential(ViommuXmlWriter *xml, const char *name, const char *value)
{
    g_autofree char *base64 = g_base64_encode((const guchar *)value, strlen(value));
    g_autofree char *entry = g_strconcat("io.systemd.credential.binary:", name, "=", base64, NULL);

    viommu_xml_leaf(xml, "entry", entry);
}

static void write_credentials(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    const ViommuPlanSeed *seed = &plan->seed;

    if (is_seeded_by(plan, VIOMMU_SEED_BY_CREDENTIALS)) {
        g_autofree char *keys = seed->ssh_keys ? g_strjoinv("\n", seed->ssh_keys) : NULL;

        if (keys)
            write_credential(xml, "ssh.authorized_keys.root", keys);
        write_credential(xml, "system.hostname", seed->hostname);
    }
    if (plan->ready_port) {
        g_autofree char *address = g_strdup_printf("vsock-stream:2:%" G_GUINT32_FORMAT, plan->ready_port);

        write_credential(xml, "vmm.notify_socket", address);
    }
}

void viommu_sysinfo_write(ViommuXmlWriter *xml, const ViommuPlan *plan)
{
    if (is_seeded_by(plan, VIOMMU_SEED_BY_IGNITION)) {
        viommu_xml_open(xml, "sysinfo");
        viommu_xml_attribute(xml, "type", "fwcfg");
        viommu_xml_empty(xml, "entry", "name", "opt/com.coreos/config", "file", plan->seed.path, NULL);
        viommu_xml_close(xml);
    }
    if (viommu_sysinfo_has_smbios(plan)) {
        viommu_xml_open(xml, "sysinfo");
        viommu_xml_attribute(xml, "type", "smbios");
        viommu_xml_open(xml, "oemStrings");
        write_credentials(xml, plan);
        viommu_xml_close(xml);
        viommu_xml_close(xml);
    }
}
