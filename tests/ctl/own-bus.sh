# SPDX-License-Identifier: LGPL-2.1-or-later
# own-bus: the common part of viommuctl's tests beside a real viommud: a session bus of their own,
# and nothing of the caller's session.  Sourced by bash in place of tap.sh, with the paths of
# viommuctl and viommud as the first words.

if [ -z "${OWN_BUS:-}" ]; then
    command -v dbus-daemon >/dev/null || { echo '1..0 # SKIP dbus-daemon is not installed'; exit 0; }
    OWN_BUS=1 exec dbus-run-session -- "$0" "$@"
fi
# shellcheck source=tests/ctl/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"
ctl=$(realpath "$1") viommud=$2
export XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/no-system-bus
mkdir -m 700 "$XDG_RUNTIME_DIR"

# start_viommud: over libvirt's test driver; its process is in $daemon, its words are in $work/log.
start_viommud() {
    "$viommud" --user --connect test:///default 2>>"$work/log" &
    # shellcheck disable=SC2034  # for the sourcing script
    daemon=$!
    until_true 20 "$ctl" --user list
}
