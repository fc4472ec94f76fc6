#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints what a CI system would take from the texts of docs/ci.md.
  ci-text.py block SECTION [N]   the first, or N-th, indented text of a section; of docs/$PAGE
  ci-text.py executor VERB       GitLab: the program and its arguments, one a line
  ci-text.py job                 GitLab: the commands of the job, one a line
  ci-text.py variables           GitLab: what the job's variables are for the executor
  ci-text.py workflow            GitHub: the commands of the steps
  ci-text.py pipeline            Jenkins: the commands of the steps"""
import os
import pathlib
import re
import sys
import textwrap
import tomllib

NAME = os.environ.get("PAGE", "ci.md")
PAGE = (pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / NAME).read_text()


def block(section, number=1):
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))*)+", body.group(1), re.M) if body else []
    if len(blocks) < int(number):
        sys.exit(f"docs/{NAME}: section '{section}' has {len(blocks)} indented texts")
    return textwrap.dedent(blocks[int(number) - 1])


def executor(verb):
    settings = tomllib.loads(block("GitLab Runner"))["runners"][0]["custom"]
    return "\n".join([settings[verb + "_exec"], *settings[verb + "_args"]])


def below(text, key):
    """The indented lines below a key, as YAML has them."""
    found = re.search(rf"^( *)(?:- )?{key}:[ |]*\n((?:\1 +.*\n)+)", text, re.M)
    return textwrap.dedent(found.group(2)) if found else sys.exit(f"docs/ci.md: no '{key}' any more")


def job():
    return re.sub(r"^- ", "", below(block("GitLab Runner", 2), "script"), flags=re.M)


def variables():
    text = block("GitLab Runner", 2)
    image = re.search(r"^ +image: (.*)$", text, re.M).group(1)
    return f"CUSTOM_ENV_CI_JOB_IMAGE={image}\n" + \
        re.sub(r"^(\w+): ", r"CUSTOM_ENV_\1=", below(text, "variables"), flags=re.M)


def workflow():
    return below(block("GitHub: a self-hosted runner"), "run")


def pipeline():
    return "\n".join(re.findall(r"^ +sh '(.*)'$", block("Jenkins"), re.M)) or sys.exit("docs/ci.md: no 'sh' any more")


print(globals()[sys.argv[1]](*sys.argv[2:]).rstrip("\n"))
