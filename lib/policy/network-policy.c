/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/policy/network-policy.h"

#include <string.h>

#include "lib/base/error.h"

/* libvirt's firewall does not guard "open"; the other modes connect guests to a network of the
 * site, or assign a device. */
bool viommu_network_policy_is_own(const char *mode)
{
    static const char *const own[] = {"nat", "route", "none", NULL};

    return mode && g_strv_contains(own, mode);
}

static bool lists(char **names, const char *name)
{
    return g_strv_contains((const char *const *)names, name);
}

static bool check_network(const ViommuSite *site, const char *source, unsigned index, const char *mode,
                          GError **error)
{
    g_autofree char *whatever = g_strdup_printf("%s!", source);

    if (site && lists(site->networks, whatever))
        return true;
    /* "NAME!" in the list means NAME, even if a network has that very name. */
    if (!site || g_str_has_suffix(source, "!") || !lists(site->networks, source))
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "networks[%u].source '%s' is not among the libvirt networks that this site offers to users other than root; use type 'user', or have root add it to [networks] networks in viommud.conf(5)",
            index, source);
    if (viommu_network_policy_is_own(mode))
        return true;
    if (!mode || !*mode)
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "networks[%u].source '%s': libvirt does not report the forward mode of this network, so viommud treats it as the site's own; have root add '%s' to [networks] networks in viommud.conf(5)",
            index, source, whatever);
    return viommu_fail(
        error, VIOMMU_ERROR_POLICY_REFUSED,
        "networks[%u].source '%s' has the forward mode '%s', which gives access to networks or devices of the host; have root add '%s' to [networks] networks in viommud.conf(5)",
        index, source, mode, whatever);
}

bool viommu_network_policy_check(const ViommuSite *site, const ViommuRequestNetwork *network, unsigned index,
                                 const char *mode, GError **error)
{
    switch ((ViommuNetworkType)network->type) {
    case VIOMMU_NETWORK_TYPE_USER:
        return !site || site->user_networks ||
               viommu_fail(
                   error, VIOMMU_ERROR_POLICY_REFUSED,
                   "networks[%u].type 'user' is reserved for root by [networks] user=no in viommud.conf(5); use a network or bridge that this site offers",
                   index);
    case VIOMMU_NETWORK_TYPE_NETWORK:
        return check_network(site, network->source, index, mode, error);
    case VIOMMU_NETWORK_TYPE_BRIDGE:
        return (site && lists(site->bridges, network->source)) ||
               viommu_fail(
                   error, VIOMMU_ERROR_POLICY_REFUSED,
                   "networks[%u].source '%s' is not among the bridges that this site offers to users other than root; use type 'user', or have root add it to [networks] bridges in viommud.conf(5)",
                   index, network->source);
    case VIOMMU_NETWORK_TYPE_VHOSTUSER:
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "networks[%u].type 'vhostuser': only root may have it on this host, because libvirt gives the socket to QEMU's user, whoever owned it; use another type, or your own viommud (viommuctl --user)",
            index);
    case VIOMMU_NETWORK_TYPE_VDPA:
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "networks[%u].type 'vdpa': only root may have it on this host, because libvirt opens the device with root's rights, and it is a part of the host's hardware; use another type",
            index);
    case VIOMMU_NETWORK_TYPE_LAST:
        break;
    }
    return false;
}
