/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* built-machine: a machine that a test builds in a directory of its own and reads as a topology;
 * there is one at a time. */
#pragma once

#include <string.h>

#include "lib/host/topology-internal.h"
#include "tests/machines/machine.h"
#include "tests/unit/unit.h"

static char root[64];
static Host host;
static ViommuTopology topology;

static inline void setup(void)
{
    strcpy(root, "/tmp/viommu-machine-XXXXXX");
    ck_assert_ptr_nonnull(g_mkdtemp(root));
    host.root = root;
    viommu_fields_init(&viommu_topology_fields, &topology);
}

static inline void teardown(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", root);

    viommu_fields_clear(&viommu_topology_fields, &topology);
    ck_assert_int_eq(system(command), 0);
}

static inline void read_it(void)
{
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_topology_read(root, &topology, &error), error);
}
