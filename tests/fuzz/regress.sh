#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# regress VARIANTS TARGET PROGRAM: PROGRAM, a target with driver.c, over all inputs of TARGET.
set -euo pipefail
inputs=$(mktemp -d)
trap 'rm -rf "$inputs"' EXIT
"$(dirname "${BASH_SOURCE[0]}")/seeds.sh" "$1" "$2" "$inputs"
"$3" "$inputs"
