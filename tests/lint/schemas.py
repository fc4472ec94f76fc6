#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the published schemas with viommuctl: for each golden request and host, both must
accept it, or both must refuse it."""
import json
import pathlib
import re
import sys

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(77)

ROOT = pathlib.Path(sys.argv[1]).resolve()
GOLDEN = ROOT / "tests" / "golden"
# Recorded hosts that are refused.
BROKEN_HOSTS = ("unknown-key", "auto-accelerator")


def load(path):
    return json.loads(path.read_text())


def refused_requests():
    """Requests that some golden case refuses as InvalidRequest, and requests that some case
    accepts."""
    refused, taken = set(), set()
    for path in (GOLDEN / "expected").glob("*/*.txt"):
        table = path.read_text().partition("\n=== ")[0]
        rows = [row for row in re.findall(r"^(\S+).*?  \d+  (\w+)", table, re.M) if row[0] not in BROKEN_HOSTS]
        for _, word in rows:
            (refused if word == "InvalidRequest" else taken).add(f"{path.parent.name}/{path.stem}")
    return refused - taken, taken


def main():
    failures, checked, caught = [], 0, 0
    for name in ("request", "host"):
        jsonschema.validators.validator_for(load(ROOT / "schemas" / f"{name}.schema.json")).check_schema(
            load(ROOT / "schemas" / f"{name}.schema.json"))
    request_schema = load(ROOT / "schemas" / "request.schema.json")
    validator = jsonschema.validators.validator_for(request_schema)(request_schema)
    refused, taken = refused_requests()
    for name in sorted(taken):
        checked += 1
        failures += [f"requests/{name}.json is taken, but the schema says: {error.message}"
                     for error in validator.iter_errors(load(GOLDEN / "requests" / f"{name}.json"))]
    for name in sorted(refused):
        caught += not validator.is_valid(load(GOLDEN / "requests" / f"{name}.json"))
    host_schema = load(ROOT / "schemas" / "host.schema.json")
    host_validator = jsonschema.validators.validator_for(host_schema)(host_schema)
    for path in sorted((GOLDEN / "hosts").glob("*.json")):
        checked += 1
        if host_validator.is_valid(load(path)) != (path.stem not in BROKEN_HOSTS):
            failures.append(f"hosts/{path.name}: schema and reader disagree")
    if not taken or caught < len(refused) // 2:
        failures.append(f"the schema catches only {caught} of {len(refused)} requests that are refused as invalid")
    print("\n".join(failures) or f"{checked} accepted documents fit; {caught} of {len(refused)} invalid requests are "
                                 "caught by the schema alone")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
