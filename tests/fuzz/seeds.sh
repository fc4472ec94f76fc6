#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seeds VARIANTS TARGET DIRECTORY: fills DIRECTORY with seeds for this target from the other suites,
# and with corpus/TARGET.  VARIANTS is the program made from variants.c, with the other suites'
# programs beside it.
set -euo pipefail
variants=$1 target=$2 directory=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
golden=$root/tests/golden

# The requests, in one folder, without clashes of names.
flat=$(mktemp -d)
trap 'rm -rf "$flat"' EXIT
for file in "$golden"/requests/*/*.json; do ln -s "$file" "$flat/$(basename "$(dirname "$file")")-$(basename "$file")"; done

case $target in
request | bus) "$variants" "$directory" "$flat"/*.json "$root"/docs/examples/*.json ;;
host) "$variants" "$directory" "$golden"/hosts/*.json ;;
json) cp "$flat"/*.json "$golden"/hosts/*.json "$root"/docs/examples/*.json "$directory" ;;
caps) cp "$root"/tests/unit/data/*.xml "$directory" ;;
lint) cp "$golden"/domains/*.xml "$directory" ;;
acpi) "$(dirname "$variants")/../machines/make-machine" --seeds "$directory" ;;
machine) "$here/records.py" "$(dirname "$variants")/../machines/make-machine" "$directory" ;;
proof) cp "$root"/tests/unit/data/reports/* "$directory" ;;
config) cp "$root"/conf/viommud.conf "$directory" ;;
esac
if [ -d "$here/corpus/$target" ]; then cp "$here/corpus/$target"/* "$directory"; fi
