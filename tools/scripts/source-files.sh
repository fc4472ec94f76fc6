#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# source-files: prints the names of the files that belong to the sources, each with a NUL after it:
# of a checkout what git knows, and what is new; of an unpacked archive, which has no git, all but
# what builds make.
#   source-files.sh ROOT
set -euo pipefail
cd "$1"
if [ -e .git ]; then
    # git refuses a checkout of another user.
    git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard
else
    find . -mindepth 1 \( -path './build*' -o -name __pycache__ -o -name '*.egg-info' -o -path ./tools/tmt/build \) -prune \
        -o \( -type f -o -type l \) -printf '%P\0'
fi | while IFS= read -r -d '' file; do
    if [ -f "$file" ]; then printf '%s\0' "$file"; fi
done
