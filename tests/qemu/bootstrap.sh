# SPDX-License-Identifier: LGPL-2.1-or-later
# bootstrap: makes a Debian with mmdebstrap and puts what a hook takes from it into the cache.
# Sourced by bash, with cache.sh, by the scripts that make such guests; each has a function usage.

# shellcheck source=tools/scripts/say.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/scripts/say.sh"
# shellcheck source=tests/qemu/cache.sh
. "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

# Units that no guest of a test needs; under TCG each costs a second or more.
# shellcheck disable=SC2034  # for the sourcing script
bootstrap_masked=(
    console-getty.service dev-hugepages.mount dev-mqueue.mount dpkg-db-backup.timer e2scrub_reap.service fstrim.timer
    kmod-static-nodes.service ldconfig.service modprobe@configfs.service modprobe@drm.service modprobe@efi_pstore.service
    proc-sys-fs-binfmt_misc.automount run-lock.mount sys-fs-fuse-connections.mount sys-kernel-debug.mount
    sys-kernel-tracing.mount systemd-ask-password-console.path systemd-ask-password-wall.path systemd-binfmt.service
    systemd-creds.socket systemd-hostnamed.socket systemd-hwdb-update.service systemd-journal-catalog-update.service
    systemd-journal-flush.service systemd-pstore.service systemd-rfkill.service systemd-sysext.socket systemd-timesyncd.service
    systemd-tpm2-setup-early.service systemd-tpm2-setup.service systemd-udev-settle.service systemd-update-done.service
    systemd-update-utmp.service
)

# bootstrap_open "$@": the script's words, its end, and the cache for it alone.
bootstrap_open() {
    case ${1:-} in
    -h | --help)
        usage
        exit 0
        ;;
    esac
    work=
    trap 'say_abandon; [ -z "$work" ] || rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    cache_lock
}

# bootstrap_begin: sets $work to a directory for the making; what is to be kept goes into
# $work/parts.
bootstrap_begin() {
    [ "$(id -u)" -eq 0 ] || say_die "a guest's disk is made as root, whose files are in it: run $0 as root with your VIOMMU_CACHE"
    command -v mmdebstrap >/dev/null || say_die "this guest is made by mmdebstrap, which is not installed"
    uri=$(cache_mirror)
    [ -n "$uri" ] || say_die "no Debian mirror found in this machine's apt sources"
    work=$(mktemp -d -p "$cache" .bootstrap.XXXXXX)
    mkdir "$work/parts"
}

# bootstrap NAME RELEASE ARCH PACKAGES OPTION...: ARCH is Debian's word.
bootstrap() {
    local name=$1 release=$2
    say_while "guest $name: mmdebstrap $release" "$work/log" nice mmdebstrap --architectures="$3" --include="$4" \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
        "${@:5}" --format=null "$release" - "$uri"
}

# bootstrap_end NAME: the parts are in the cache by that name.
bootstrap_end() {
    # QEMU runs as another user: all files must be readable.
    chmod -R u=rwX,go=rX "$work/parts"
    rm -rf "${cache:?}/$1"
    mv "$work/parts" "$cache/$1"
    rm -rf "$work"
    work=
}
