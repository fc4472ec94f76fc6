#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws docs/flow.svg, README's picture, from docs/flow.txt.
  flow.py          write it
  flow.py --check  compare it with what would be written now"""
import html
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE, PICTURE = HERE / "flow.txt", HERE / "flow.svg"
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 204, 74, 40, 34, 8
BOX = re.compile(r"box (\w+)\s+(\d)(?:-(\d))?\s+(\d) (outside|decide|act|bad)\s*\| (.*)")
ARROW = re.compile(r"(\w+) (left|right|top|bottom)\s*-> (\w+) (left|right|top|bottom)(?: \| (.*))?")
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #57606a; text-anchor: middle; }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328; }
  rect { stroke-width: 1.5; rx: 8; }
  .outside { fill: #f6f8fa; stroke: #8c959f; }
  .decide { fill: #ddf4ff; stroke: #218bff; }
  .act { fill: #dafbe1; stroke: #2da44e; }
  .bad { fill: #ffebe9; stroke: #cf222e; }
  .arrow { fill: none; stroke: #6e7781; stroke-width: 1.5; marker-end: url(#head); }
  #head path { fill: #6e7781; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .title { fill: #f0f6fc; }
    .outside { fill: #21262d; stroke: #8b949e; }
    .decide { fill: #0c2d6b; stroke: #388bfd; }
    .act { fill: #033a16; stroke: #2ea043; }
    .bad { fill: #490202; stroke: #f85149; }
    .arrow { stroke: #8b949e; }
    #head path { fill: #8b949e; }
  }
"""


class Box:
    def __init__(self, match):
        self.name, column, last, row, self.kind, words = match.groups()
        column, last = int(column), int(last or column)
        self.x = MARGIN + column * (WIDTH + GAP_X)
        self.y = MARGIN + int(row) * (HEIGHT + GAP_Y)
        self.width = (last - column + 1) * (WIDTH + GAP_X) - GAP_X
        self.title, *self.lines = [word.strip() for word in words.split("|")]

    def draw(self):
        yield f'<rect class="{self.kind}" x="{self.x}" y="{self.y}" width="{self.width}" height="{HEIGHT}"/>'
        middle = self.x + self.width // 2
        first = self.y + HEIGHT // 2 + 5 - 9 * len(self.lines)
        yield f'<text class="title" x="{middle}" y="{first}">{html.escape(self.title)}</text>'
        for number, line in enumerate(self.lines, 1):
            yield f'<text x="{middle}" y="{first + 18 * number}">{html.escape(line)}</text>'

    def side(self, name, other):
        """Where an arrow to or from @other meets this side: on a wide box, before the middle of
        the narrow one."""
        narrow = min(self, other, key=lambda box: box.width)
        middle = (narrow.x + narrow.width // 2) if name in ("top", "bottom") else 0
        return {"left": (self.x, self.y + HEIGHT // 2), "right": (self.x + self.width, self.y + HEIGHT // 2),
                "top": (middle, self.y), "bottom": (middle, self.y + HEIGHT)}[name]


def draw_arrow(boxes, match):
    start, start_side, end, end_side, words = match.groups()
    x1, y1 = boxes[start].side(start_side, boxes[end])
    x2, y2 = boxes[end].side(end_side, boxes[start])
    if x1 != x2 and y1 != y2:
        sys.exit(f"{SOURCE.name}: the arrow from {start} to {end} is not straight")
    yield f'<path class="arrow" d="M{x1} {y1} L{x2} {y2}"/>'
    if words:
        yield f'<text x="{(x1 + x2) // 2 + 8}" y="{(y1 + y2) // 2 + 5}" style="text-anchor: start">{html.escape(words)}</text>'


def picture(text):
    boxes, arrows = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if match := BOX.fullmatch(line):
            boxes[match.group(1)] = Box(match)
        elif match := ARROW.fullmatch(line):
            arrows.append(match)
        else:
            sys.exit(f"{SOURCE.name}:{number}: neither a box nor an arrow: {line}")
    width = max(box.x + box.width for box in boxes.values()) + MARGIN
    height = max(box.y + HEIGHT for box in boxes.values()) + MARGIN
    body = [line for box in boxes.values() for line in box.draw()]
    body += [line for match in arrows for line in draw_arrow(boxes, match)]
    return "\n".join([
        "<!-- SPDX-License-Identifier: LGPL-2.1-or-later.  Made by docs/flow.py from docs/flow.txt: edit that one. -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 Z"/></marker></defs>',
        *body, "</svg>", ""])


def main():
    now = picture(SOURCE.read_text())
    if sys.argv[1:] != ["--check"]:
        PICTURE.write_text(now)
    elif not PICTURE.exists() or PICTURE.read_text() != now:
        sys.exit("docs/flow.svg is not what docs/flow.py makes of docs/flow.txt: run docs/flow.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
