#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks every file: a licence line, an opening comment, clean white space, and a length that
can be read as one; comments of at most 100 columns; and prose of at most 100 columns, with one
sentence per line."""
import io
import pathlib
import re
import subprocess
import sys
import tokenize

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
LONGEST = 600  # lines of a source file
WIDEST = 100  # columns of a comment, and of prose
CODE = {".c", ".h", ".py", ".sh"}
# Two string literals on lines of their own, the first of which does not end a line of text.
SPLIT = re.compile(r'^[^#\n]*[^"\\\n](?<!\\n)"[ \t]*\n[ \t]*"', re.M)
# Comments; and string literals, in which "/*" begins no comment.
TOKEN = re.compile(r"""(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')|(?P<comment>/\*.*?\*/|//[^\n]*)""", re.S)
# Scripts that users call by these names.
COMMANDS = {".ci/run", "conf/after-install", "tests/run", "tests/bench/run", "tests/fuzz/run", "tests/soak", "tools/quickstart", "tools/package",
            *(f"tools/packaging/debian/{name}" for name in ("rules", "viommud.prerm", "viommud.postrm"))}
PROSE = {".md", ".rst"}
# Written by tests/hosts/matrix.py and tests/emulated/hardware.py.
NO_PROSE = {"docs/matrix.md", "docs/hardware.md"}
MARKER = re.compile(r"^ *([-*] |\d+\. )")
LINK = re.compile(r"\]\([^)]*\)| <[^>]*>`_")
INLINE_CODE = re.compile(r"``[^`]+``|`[^`]+`")
# The end of a sentence, followed by the beginning of another.
NEXT_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)(?<!vs)(?<!cf)(?<!\.)[.!?][\"'*)\]]* +[\"'*(\[]*[A-Za-z]")
# grep -q ends at the first match, and the command before it may die of SIGPIPE: with pipefail, the
# line then fails at random.  grep -q PATTERN <(command) does not.
RACE = re.compile(r"(?<!\|)\| *grep (?:-\S+ +)*(?:-\w*q|--quiet)")
LICENSED = CODE | {".build", ".rst", ".rng"}


def c_comments(text):
    """The first and last line of each comment."""
    for match in TOKEN.finditer(text):
        if match["comment"]:
            first = text.count("\n", 0, match.start())
            yield first, first + match["comment"].count("\n")


def python_comments(text):
    """The same, docstrings included."""
    previous = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        begins = previous in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
        if token.type == tokenize.COMMENT or token.type == tokenize.STRING and begins:
            yield token.start[0] - 1, token.end[0] - 1
        if token.type not in {tokenize.COMMENT, tokenize.NL}:
            previous = token.type


def shell_comments(text):
    """The same.  A comment behind code counts only if no quote can be open before it."""
    for number, line in enumerate(text.split("\n")):
        code = re.match(r"^(|[^'\"]*(?:'[^']*'[^'\"]*|\"[^\"]*\"[^'\"]*)*\s)#", line)
        if code:
            yield number, number


def comments_of(name, text):
    first = text.partition("\n")[0]
    if name.endswith((".c", ".h")):
        return c_comments(text)
    if name.endswith(".py") or re.match("#!.*python", first):
        return python_comments(text)
    if name.endswith((".sh", "meson.build")) or re.match("#!.*sh$", first):
        return shell_comments(text)
    return ()


def wide_comments(name, text):
    lines = text.split("\n")
    for first, last in comments_of(name, text):
        for number in range(first, last + 1):
            if len(lines[number]) > WIDEST:
                yield f"line {number + 1}: a comment of more than {WIDEST} columns"


def complaints(name, text):
    lines = text.split("\n")
    suffix = pathlib.Path(name).suffix
    script = text.startswith("#!")
    if (suffix in LICENSED or script) and "SPDX-License-Identifier: LGPL-2.1-or-later" not in "\n".join(lines[:4]):
        yield "no SPDX line at its top"
    if suffix == ".h" and not re.search(r"^/\*.*\S", "\n".join(lines[1:4]), re.M):
        yield "does not say what the module is (a comment below the licence)"
    if suffix == ".h" and "#pragma once" not in text:
        yield "no #pragma once"
    if script and suffix not in CODE and name not in COMMANDS:
        yield "a script without an ending (.sh, .py)"
    if text and not text.endswith("\n") and not name.startswith("tests/fuzz/corpus/"):
        yield "no newline at its end"
    if (suffix in CODE or script) and len(lines) > LONGEST + 1:
        yield f"{len(lines) - 1} lines; more than {LONGEST} are not read as one"
    if suffix == ".c" and name.startswith(("lib/", "daemon/", "tools/")):
        for match in SPLIT.finditer(text):
            yield f"line {text.count(chr(10), 0, match.start()) + 1}: a message in two pieces, which nobody finds by its words"
    yield from wide_comments(name, text)
    for number, line in enumerate(lines, 1):
        if line != line.rstrip() and not name.startswith("tests/"):
            yield f"line {number}: white space at its end"
        if "\t" in line and suffix in CODE:
            yield f"line {number}: a tab"
        if script and "pipefail" in text and RACE.search(line) and "sh -c" not in line:
            yield f"line {number}: a pipe into grep -q fails at random; use grep -q PATTERN <(command)"


def prose_lines(name, lines):
    """(number, line) of prose: neither code, table, directive nor comment."""
    code = None  # the indentation of the line that begins a literal block or directive of .rst
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if code is not None and indent > code:
            continue
        code = None
        if name.endswith(".rst"):
            if line.rstrip().endswith("::") or line.lstrip().startswith(".. "):
                code = indent
        elif indent >= 4:
            continue
        if not line.lstrip().startswith(("|", "#", "<!--", "+-", "+=", ".. ")):
            yield number, line


def prose_faults(name, lines):
    for number, line in prose_lines(name, lines):
        text = LINK.sub("]", line)
        if len(text) > WIDEST:
            yield f"line {number}: {len(text)} columns of prose, more than {WIDEST}"
        if NEXT_SENTENCE.search(INLINE_CODE.sub("Code", MARKER.sub("", text))):
            yield f"line {number}: a sentence begins within the line; one sentence per line"


def news_faults():
    """Checks that the first version in NEWS is the one that is built."""
    built = re.search(r"^  version: '([^']+)'", (ROOT / "meson.build").read_text(), re.M).group(1)
    told = re.findall(r"^## (\d\S*)$", (ROOT / "NEWS").read_text(), re.M)
    if told[:1] != [built]:
        yield f"NEWS: tells first of version {' '.join(told[:1])}, and meson.build has {built}"


def tables_of_words():
    """Checks that tests/unit/base/test-words.c walks each table of words."""
    defined = {match for path in (ROOT / "lib").rglob("*.c")
               for match in re.findall(r"^VIOMMU_ENUM_DEFINE\((\w+),", path.read_text(), re.M)}
    test = (ROOT / "tests/unit/base/test-words.c").read_text()
    walked = set(re.findall(r"&viommu_enum_(\w+)[,}]", re.search(r" tables\[\] = \{(.*?)\};", test, re.S).group()))
    for name in sorted(defined ^ walked):
        yield f"tests/unit/base/test-words.c: its list of tables and those of lib/ differ in '{name}'"


def main():
    files = subprocess.run([ROOT / "tools/scripts/source-files.sh", ROOT], capture_output=True, text=True, check=True)
    files = files.stdout.split("\0")[:-1]
    found, read = [], 0
    for name in files:
        path = ROOT / name
        if name == "COPYING" or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        read += 1
        found += [f"{name}: {complaint}" for complaint in complaints(name, text)]
        if (path.suffix in PROSE or name == "NEWS") and name not in NO_PROSE:
            found += [f"{name}: {fault}" for fault in prose_faults(name, text.split("\n"))]
    found += tables_of_words()
    found += news_faults()
    if not read:
        sys.exit("no files found")
    print("\n".join(found) or f"{read} files are in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
