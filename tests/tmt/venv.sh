#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# venv: tmt of PyPI in a virtual environment below the cache of the guests, made once; the newest
# tmt is asked for anew after a day.
#   venv VERSION|newest: prints the directory
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
python=/usr/bin/python3 # guests' users can run it

case ${1:-} in
newest) package=tmt ;;
[0-9]*) package=tmt==$1 ;;
*) say_die "usage: tests/tmt/venv.sh VERSION|newest" ;;
esac
cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/tmt
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
made=$cache/$1/made
if [ ! -e "$made" ] || [ "$1:$(find "$made" -mtime +0)" = "newest:$made" ]; then
    new=$cache/$1.new
    rm -rf "$new"
    say "tmt: installing $package from PyPI into $cache/$1"
    "$python" -m venv "$new" >&2
    # Only its modules and its python are used, so it may be renamed.
    if "$new/bin/python" -m pip install -q --disable-pip-version-check --retries=2 setuptools wheel "$package" >&2; then
        touch "$new/made"
        rm -rf "${cache:?}/$1"
        mv "$new" "$cache/$1"
    else
        rm -rf "$new"
        [ -e "$made" ] || exit 1
        say "tmt: PyPI is not reached; using what was installed on $(date -r "$made" +%F)"
    fi
fi
echo "$cache/$1"
