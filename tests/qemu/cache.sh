# SPDX-License-Identifier: LGPL-2.1-or-later
# cache: where the booted guests are kept, and the mirror that they are made from.  Sourced by bash,
# after tools/scripts/say.sh, by the scripts that make guests.  Does not know the guests.

cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/guests

# The mirror that this machine's own apt uses for its own release: the user chose it, so the other
# releases come from it, too.
cache_mirror() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016  # apt's own variables
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$codename" '$2 == "main" && ($1 == release || $1 == "stable" || $1 == "testing" || $1 == "sid" || $1 == "unstable") \
                                    { print $3; exit }'
}

# cache_lock: until the script ends, so that two runs do not make the same guest.
cache_lock() {
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock -n 9 || {
        say "guests: waiting for another run that fills $cache"
        flock 9
    }
}
