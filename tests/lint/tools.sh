#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs external checkers: formatting, spelling, shell scripts.
#   tools.sh format|spelling|shell ROOT
set -euo pipefail

mode=$1
cd "$2"
need() { command -v "$1" >/dev/null || { echo "$1 is not installed"; exit 77; }; }
list() { tools/scripts/source-files.sh . | tr '\0' '\n'; }

case $mode in
format)
    need clang-format
    list | grep '\.[ch]$' | xargs -r clang-format --dry-run -Werror
    ;;
spelling)
    need codespell
    list | grep -v -e '^COPYING$' -e '^tests/golden/' | xargs -r codespell --ignore-words tests/lint/words
    ;;
shell)
    need shellcheck
    list | while read -r file; do if grep -qE '^#!.*\b(ba)?sh\b' <(head -n 1 "$file"); then echo "$file"; fi; done |
        xargs -r shellcheck --external-sources --severity=warning
    ;;
*)
    echo "usage: tools.sh format|spelling|shell ROOT" >&2
    exit 2
    ;;
esac
