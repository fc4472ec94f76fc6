#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""report: docs/PERFORMANCE.md and docs/performance.svg, from what the benches printed.

  report.py CONDITIONS DOCS < LINES

CONDITIONS is a sentence about the machine.  The picture has a bar for each goal: how far the figure
is from it, and the goal itself as a line."""
import datetime
import html
import math
import pathlib
import re
import sys
import textwrap

PAGE = """<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
# Performance

`tests/bench/run --report` wrote this page and its picture on {date}.
{conditions}

What is compared was measured in one run and in turns, so look at the ratios; CPU time is what the
measured process took, which other processes change less than they change the time of the clock.
`tests/bench/run --help` says what each bench does.

![The figures, as multiples of their goals.](performance.svg)

| bench | figure | measured | goal | |
|---|---|---|---|---|
{goals}

## All lines

{lines}
"""
GOAL = re.compile(r"  = (?P<what>.*?) {2,}(?P<value>[0-9.e+]+)(?P<unit>.*?) goal: (?P<bound>at most|at least) (?P<goal>[0-9.]+).*?(?P<verdict>met|MISSED)")


def read_goals(lines):
    title = ""
    for line in lines:
        if re.match("[a-z]", line):
            engine = re.search(r"[a-z+]+:///[a-z]+", line)
            title = line.split(":")[0].split()[0] + (f" {engine[0]}" if engine else "")
        found = GOAL.match(line)
        if found:
            yield title, found


def draw(goals):
    """Logarithmic: the line is the goal, what is right of it is better."""
    rows, width, row, middle = [], 760, 22, 480
    distances = []  # in doublings
    for _, goal in goals:
        ratio = max(float(goal["value"]) / float(goal["goal"]), 1e-6)
        distances.append(math.log2(ratio if goal["bound"] == "at least" else 1 / ratio))
    unit = int(min(90, 160 / max(1, *map(abs, distances))))  # beside the texts
    for i, (title, goal) in enumerate(goals):
        end = middle + unit * distances[i]
        y = 40 + i * row
        color = "#2a7" if goal["verdict"] == "met" else "#c52"
        rows.append(f'<text x="8" y="{y + 11}">{html.escape(title)}: {html.escape(goal["what"])}</text>'
                    f'<rect x="{min(middle, end):.0f}" y="{y}" width="{abs(end - middle):.0f}" height="14" fill="{color}"/>'
                    f'<text x="{width - 8}" y="{y + 11}" text-anchor="end">{goal["value"]}{html.escape(goal["unit"].rstrip())}</text>')
    height = 50 + len(rows) * row
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        '<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->', f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{middle}" y="20" text-anchor="middle">the goal; a bar to the right is better, each {unit} points twice</text>',
        *rows, f'<line x1="{middle}" y1="28" x2="{middle}" y2="{height - 8}" stroke="#333"/>', "</svg>", ""])


def main():
    conditions, docs = sys.argv[1], pathlib.Path(sys.argv[2])
    lines = [re.sub(r"\?(root|socket)=[^,; ]*", "", line.rstrip()) for line in sys.stdin]
    goals = list(read_goals(lines))
    table = "\n".join(f"| {title} | {goal['what']} | {goal['value']}{goal['unit'].rstrip()} | {goal['bound']} {goal['goal']} | {goal['verdict'].lower()} |"
                      for title, goal in goals)
    (docs / "PERFORMANCE.md").write_text(PAGE.format(date=datetime.date.today(), conditions="\n".join(textwrap.fill(sentence, 100) for sentence in conditions.splitlines()), goals=table,
                                                     lines="\n".join(f"    {line}".rstrip() for line in lines)))
    (docs / "performance.svg").write_text(draw(goals))


main()
