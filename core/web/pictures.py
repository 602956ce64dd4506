"""Pictures of the agreement report as files that stand alone: every colour and size is in the file itself.

A picture is a list of shapes in pixels; ``templates/core/agreement/picture.svg`` writes them down.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from core.templatetags.charts import decimal, interval, lowest, runs_of, shade, tick_text, ticks_from
from core.web.agreement_plots import Course, Forest, Heat

Json = dict[str, Any]

WIDTH = 960
MARGIN = 32
TOP = 72  # below the title
NAME_WIDTH = 260
VALUE_WIDTH = 170
ROW = 30
CELL_HEIGHT = 34
NAME_LETTERS, COLUMN_LETTERS = 34, 12
MOST_SHOWN_IN_CELLS = 14  # with more columns the numbers would not fit

# The light theme of static/css/tokens.css: a file may be printed, pasted and seen on any ground.
COLOURS = {
    "surface": "#ffffff",
    "text": "#1b1f24",
    "text-muted": "#59636e",
    "border": "#d8dee4",
    "border-control": "#818b98",
    "accent": "#1a5fb4",
    "surface-sunken": "#f4f6f8",
    "ink-on-light": "#000000",
    "ink-on-dark": "#ffffff",
    "seq-0": "#e3f7ff",
    "seq-1": "#b5e1ff",
    "seq-2": "#8acaf9",
    "seq-3": "#63b2ef",
    "seq-4": "#4299e0",
    "seq-5": "#2980cb",
    "seq-6": "#1c68b1",
    "seq-7": "#185192",
    "seq-8": "#173c6f",
    "seq-9": "#15294b",
}
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DARK = frozenset({"seq-6", "seq-7", "seq-8", "seq-9"})
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"


@dataclass(frozen=True)
class Picture:
    """Shapes from back to front. ``title`` and ``note`` are written above and below them."""

    title: str
    note: str
    width: int
    height: int
    shapes: Sequence[Json]
    font: str = FONT

    @property
    def note_y(self) -> int:
        """Where the note stands."""
        return self.height - 20


def picture_of(plot: Forest | Heat | Course, note: str) -> Picture:
    """A plot as a picture; ``note`` says what it rests on."""
    if isinstance(plot, Forest):
        height, shapes = _forest(plot)
    elif isinstance(plot, Heat):
        height, shapes = _heat(plot)
    else:
        height, shapes = _course(plot)
    return Picture(plot.title, note, WIDTH, height + 48, shapes)


def _text(x: float, y: float, text: str, **more: Any) -> Json:
    return {
        "kind": "text",
        "x": _number(x),
        "y": _number(y),
        "text": _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text),
        "fill": COLOURS[more.get("colour", "text")],
        "anchor": more.get("anchor", "start"),
        "size": more.get("size", 14),
    }


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "border", **more: Any) -> Json:
    ends = {
        name: _number(value) for name, value in zip(("x1", "y1", "x2", "y2"), (x1, y1, x2, y2), strict=True)
    }
    return {
        "kind": "line",
        **ends,
        "stroke": COLOURS[colour],
        "width": more.get("width", 1),
        "dash": more.get("dash", ""),
    }


def _number(value: float) -> str:
    return f"{value:.1f}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _forest(plot: Forest) -> tuple[int, list[Json]]:
    left, right = MARGIN + NAME_WIDTH, WIDTH - MARGIN - VALUE_WIDTH
    low = lowest(plot.rows)
    bottom = TOP + ROW * len(plot.rows)

    def at(value: float) -> float:
        return left + (right - left) * (min(max(value, low), 1.0) - low) / (1.0 - low)

    shapes = []
    for tick in ticks_from(low):
        shapes.append(_line(at(tick), TOP, at(tick), bottom))
        shapes.append(_text(at(tick), bottom + 20, tick_text(tick), colour="text-muted", anchor="middle"))
    if plot.reference is not None:
        shapes.append(_line(at(plot.reference), TOP, at(plot.reference), bottom, "text-muted", dash="4 3"))
    shapes.append(_text((left + right) / 2, bottom + 44, plot.axis, colour="text-muted", anchor="middle"))
    for place, row in enumerate(plot.rows):
        figure, y = row["figure"], TOP + ROW * (place + 0.5)
        shapes.append(_text(MARGIN, y + 5, _cut(str(row["name"]), NAME_LETTERS)))
        if figure["value"] is None:
            shapes.append(
                _text(WIDTH - MARGIN, y + 5, _("cannot tell yet"), colour="text-muted", anchor="end")
            )
            continue
        ends = figure["ci"] or [figure["value"]] * 2
        value = (
            f"{decimal(figure['value'])} ({interval(figure)})" if figure["ci"] else decimal(figure["value"])
        )
        shapes.append(_text(WIDTH - MARGIN, y + 5, value, anchor="end"))
        shapes.append(_line(at(ends[0]), y, at(ends[1]), y, "accent", width=2))
        shapes.append(
            {"kind": "dot", "x": _number(at(figure["value"])), "y": _number(y), "fill": COLOURS["accent"]}
        )
    return bottom + 56, shapes


def _heat(plot: Heat) -> tuple[int, list[Json]]:
    left, top = MARGIN + NAME_WIDTH, TOP + 20
    width = min(96.0, (WIDTH - MARGIN - left) / max(1, len(plot.columns)))
    shapes = []
    for place, name in enumerate(plot.columns):
        middle = left + width * (place + 0.5)
        letters = max(2, min(COLUMN_LETTERS, int(width / 8)))
        shapes.append(
            _text(middle, top - 8, _cut(str(name), letters), colour="text-muted", anchor="middle", size=13)
        )
    for number, row in enumerate(plot.rows):
        y = top + CELL_HEIGHT * number
        shapes.append(_text(MARGIN, y + 22, _cut(str(row["name"]), NAME_LETTERS)))
        for place, cell in enumerate(row["cells"]):
            shapes += _cell(
                cell, left + width * place, y, width, numbers=len(plot.columns) <= MOST_SHOWN_IN_CELLS
            )
    bottom = top + CELL_HEIGHT * len(plot.rows) + 20
    for step in range(10):
        shapes.append(_box(left + 24 * step, bottom, 24, 14, COLOURS[f"seq-{step}"]))
    shapes.append(_text(left - 8, bottom + 12, plot.low, colour="text-muted", anchor="end", size=13))
    shapes.append(_text(left + 248, bottom + 12, plot.high, colour="text-muted", size=13))
    return bottom + 28, shapes


def _cell(cell: Json | None, x: float, y: float, width: float, *, numbers: bool) -> list[Json]:
    step = shade(None if cell is None else cell["value"])
    fill = COLOURS["surface-sunken"] if step == "cell-none" else COLOURS[step]
    frame = cell is not None and cell.get("same")
    shapes = [_box(x + 1, y + 1, width - 2, CELL_HEIGHT - 2, fill)]
    if frame:
        shapes[0] |= {"stroke": COLOURS["text"], "stroke_width": 2}
    if cell is not None and numbers:
        ink = "ink-on-dark" if step in DARK else "ink-on-light"
        shapes.append(_text(x + width / 2, y + 22, cell["text"], colour=ink, anchor="middle", size=13))
    return shapes


def _box(x: float, y: float, width: float, height: float, fill: str) -> Json:
    return {
        "kind": "box",
        "x": _number(x),
        "y": _number(y),
        "width": _number(width),
        "height": _number(height),
        "fill": fill,
        "stroke": "none",
        "stroke_width": 0,
    }


def _course(plot: Course) -> tuple[int, list[Json]]:
    left, right, top, bottom = MARGIN + 40, WIDTH - MARGIN, TOP, TOP + 260
    low = lowest(plot.points)
    step = max(1, -(-len(plot.points) // 12))

    def at(value: float) -> float:
        return bottom - (bottom - top) * (min(max(value, low), 1.0) - low) / (1.0 - low)

    shapes = []
    for tick in ticks_from(low):
        shapes.append(_line(left, at(tick), right, at(tick)))
        shapes.append(_text(left - 8, at(tick) + 5, tick_text(tick), colour="text-muted", anchor="end"))
    placed = []
    for place, point in enumerate(plot.points):
        x = left + (right - left) * (place + 0.5) / len(plot.points)
        placed.append({**point, "x": x})
        if place % step == 0:
            shapes.append(
                _text(x, bottom + 20, str(point["name"]), colour="text-muted", anchor="middle", size=13)
            )
    for run in runs_of(placed):
        ends = [(p["x"], *(p["figure"]["ci"] or [p["figure"]["value"]] * 2)) for p in run]
        upper = [f"{x:.1f},{at(high):.1f}" for x, _low, high in ends]
        lower = [f"{x:.1f},{at(under):.1f}" for x, under, _high in reversed(ends)]
        shapes.append({"kind": "area", "points": " ".join(upper + lower), "fill": COLOURS["accent"]})
        line = " ".join(f"{p['x']:.1f},{at(p['figure']['value']):.1f}" for p in run)
        shapes.append({"kind": "path", "points": line, "stroke": COLOURS["accent"]})
        for p in run:
            y = _number(at(p["figure"]["value"]))
            shapes.append({"kind": "dot", "x": _number(p["x"]), "y": y, "fill": COLOURS["accent"]})
    shapes.append(_text((left + right) / 2, bottom + 44, plot.axis, colour="text-muted", anchor="middle"))
    return bottom + 56, shapes
