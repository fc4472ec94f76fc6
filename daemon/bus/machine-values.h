/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-values: the properties of org.viommu1.Machine as values of D-Bus.  Knows no connection.
 * Loop thread. */
#pragma once

#include <systemd/sd-bus.h>
#include "daemon/machines/properties.h"

/** The signature of a property's value.  Static. */
const char *viommu_machine_value_type(const ViommuProperty *property);
/** Appends the value that @machine has to @message.  Negative: an error of sd-bus. */
int viommu_machine_value_append(sd_bus_message *message, const ViommuProperty *property,
                                const ViommuMachine *machine);
