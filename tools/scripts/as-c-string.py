#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""as-c-string INPUT OUTPUT NAME: write a header with the text of a file as one string."""
import json
import sys

lines = open(sys.argv[1], encoding="ascii").readlines()
body = "\n".join("    " + json.dumps(line) for line in lines)
open(sys.argv[2], "w", encoding="ascii").write(f"/* Made of {sys.argv[1].rsplit('/', 1)[-1]}. */\nstatic const char {sys.argv[3]}[] =\n{body};\n")
