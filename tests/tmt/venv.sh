#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# venv: tmt of PyPI in a virtual environment below the cache of the guests, made once; the newest
# tmt is asked for anew each day.
#   venv VERSION|newest: prints the directory
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/scripts/say.sh
. "$here/../../tools/scripts/say.sh"
python=/usr/bin/python3 # guests' users can run it

case ${1:-} in
newest) name=$(date +%F) package=tmt ;;
[0-9]*) name=$1 package=tmt==$1 ;;
*) say_die "usage: tests/tmt/venv.sh VERSION|newest" ;;
esac
cache=${VIOMMU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viommud}/tmt
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/$name/made" ]; then
    rm -rf "${cache:?}/$name"
    say "tmt: installing $package from PyPI into $cache/$name"
    "$python" -m venv "$cache/$name" >&2
    "$cache/$name/bin/pip" install -q --disable-pip-version-check --retries=2 setuptools wheel "$package" >&2
    touch "$cache/$name/made"
    # Of today's, only the last is kept.
    [ "$1" != newest ] || find "$cache" -mindepth 1 -maxdepth 1 -name '20*' ! -name "$name" -exec rm -rf {} +
fi
echo "$cache/$name"
