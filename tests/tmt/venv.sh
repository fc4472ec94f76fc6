#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# venv: tmt of PyPI in a virtual environment below the cache of the guests, made once; the newest
# tmt is asked for anew after a day.
#   venv VERSION|newest|oldest[-virtual]: prints the directory; with -virtual there is testcloud
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
python=/usr/bin/python3 # guests' users can run it

name=${1:-}
package=tmt
[ "$name" = "${name%-virtual}" ] || package+="[provision-virtual]"
case $name in
newest*) ;;
oldest*) package+="==1.37.0" ;; # its schema was the first with iommu
[0-9]*) package+="==${name%-virtual}" ;;
*) say_die "usage: tests/tmt/venv.sh VERSION|newest|oldest[-virtual]" ;;
esac
cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/tmt
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
made=$cache/$name/made
if [ ! -e "$made" ] || { [ "${name%-virtual}" = newest ] && [ -n "$(find "$made" -mtime +0)" ]; }; then
    new=$cache/$name.new
    rm -rf "$new"
    say "tmt: installing $package from PyPI into $cache/$name"
    "$python" -m venv "$new" >&2
    # Only its modules and its python are used, so it may be renamed.
    if "$new/bin/python" -m pip install -q --disable-pip-version-check --retries=2 setuptools wheel "$package" >&2; then
        touch "$new/made"
        rm -rf "${cache:?}/$name"
        mv "$new" "$cache/$name"
    else
        rm -rf "$new"
        [ -e "$made" ] || exit 1
        say "tmt: PyPI is not reached; using what was installed on $(date -r "$made" +%F)"
    fi
fi
echo "$cache/$name"
