#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# regress VARIANTS TARGET PROGRAM: runs PROGRAM, a target with driver.c, over all inputs of TARGET.
set -euo pipefail
inputs=$(mktemp -d)
# A target that aborts leaves its files behind.
VIOMMU_FUZZ_FILES=$(mktemp -d -p /dev/shm viommu-fuzz-XXXXXX 2>/dev/null || mktemp -d)
export VIOMMU_FUZZ_FILES
trap 'rm -rf "$inputs" "$VIOMMU_FUZZ_FILES"' EXIT
"$(dirname "${BASH_SOURCE[0]}")/seeds.sh" "$1" "$2" "$inputs"
"$3" "$inputs"
