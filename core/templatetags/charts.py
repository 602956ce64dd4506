"""Numbers as people read them, and plots as SVG without a style attribute.

Positions along x are percents and heights are pixels, so a plot fits any width and its text keeps its size.
"""

import math
from collections.abc import Sequence
from typing import Any

from django import template

register = template.Library()

ROW_HEIGHT = 48
AXIS_HEIGHT = 44
N_SHADES = 10
DASH, MINUS, PERCENT = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}%"
LEFT, WIDTH = 1.5, 97.0  # of the plot's width, so that dots at the ends are not cut


@register.filter
def decimal(value: float | None, places: int = 2) -> str:
    """A number with so many places and a real minus; a dash where there is none."""
    if value is None:
        return DASH
    text = f"{value:.{places}f}"
    return "0." + "0" * places if float(text) == 0 else text.replace("-", MINUS)


@register.filter
def percent(value: float | None) -> str:
    """A share as whole percents."""
    return DASH if value is None else f"{100 * value:.0f}{PERCENT}"


@register.filter
def interval(figure: dict[str, Any]) -> str:
    """The ends of a figure's interval, or nothing."""
    ends = figure.get("ci")
    return _span(ends[0], decimal(ends[0]), decimal(ends[1])) if ends else ""


@register.filter
def percent_interval(figure: dict[str, Any]) -> str:
    """The ends of a share's interval as whole percents, or nothing."""
    ends = figure.get("ci")
    return _span(ends[0], percent(ends[0]).removesuffix(PERCENT), percent(ends[1])) if ends else ""


@register.filter
def probability(value: float | None) -> str:
    """A p-value: "p = 0.012", or "p < 0.001"."""
    if value is None:
        return ""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"  # noqa: PLR2004 -- as papers print it


@register.filter
def wanted(figure: dict[str, Any]) -> str:
    """About how many more items would make the figure sure to within 0.05; a dash where it is already."""
    needed = figure.get("needed")
    return f"{needed:,}" if needed else DASH


def _span(low: float, first: str, last: str) -> str:
    return f"{first} to {last}" if low < 0 else f"{first}{DASH}{last}"


@register.filter
def shade(value: float | None) -> str:
    """The class of the sequential scale for a share or a coefficient: 0 and below is light, 1 is dark."""
    if value is None:
        return "cell-none"
    return f"seq-{min(max(int(value * N_SHADES), 0), N_SHADES - 1)}"


@register.inclusion_tag("core/agreement/_intervals.html")
def intervals(
    rows: Sequence[dict[str, Any]], summary: str, axis: str, reference: float | None = None
) -> dict[str, Any]:
    """A plot of figures with their intervals, one below the other.

    ``rows``: {name, figure, url}; a name with a url is a link. ``summary`` is the text for those who do not see it, ``axis`` names the
    x axis, ``reference`` draws a dashed line there.
    """
    low = lowest(rows)
    plotted = [_row(row, place, low) for place, row in enumerate(rows)]
    bottom = ROW_HEIGHT * len(plotted)
    return {
        "rows": plotted,
        "linked": any(row.get("url") for row in rows),
        "summary": summary,
        "axis": axis,
        "height": bottom + AXIS_HEIGHT,
        "bottom": bottom,
        "tick_text": bottom + 18,
        "axis_text": bottom + 38,
        "ticks": [{"x": _x(tick, low), "text": tick_text(tick)} for tick in ticks_from(low)],
        "left": _x(low, low),
        "right": _x(1.0, low),
        "reference": None if reference is None or reference < low else _x(reference, low),
    }


def lowest(rows: Sequence[dict[str, Any]]) -> float:
    """Where the axis begins: 0, or lower in steps of 0.2 where an interval reaches there, at least -1."""
    ends = [row["figure"]["value"] for row in rows] + [(row["figure"]["ci"] or [None])[0] for row in rows]
    least = min((end for end in ends if end is not None), default=0.0)
    return max(-1.0, min(0.0, math.floor(least * 5) / 5))


def ticks_from(low: float) -> list[float]:
    step = 0.2 if low > -0.5 else 0.5  # noqa: PLR2004 -- more ticks would not fit a phone
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, round(1 / step) + 1)]


def _x(value: float, low: float) -> str:
    share = (min(max(value, low), 1.0) - low) / (1.0 - low)
    return f"{LEFT + WIDTH * share:.2f}%"


def _row(row: dict[str, Any], place: int, low: float) -> dict[str, Any]:
    figure = row["figure"]
    top = ROW_HEIGHT * place
    plotted = {**row, "text_y": top + 18, "y": top + 32, "line_y": top + ROW_HEIGHT}
    if figure["value"] is None:
        return plotted
    ends = figure["ci"] or (figure["value"], figure["value"])
    return {**plotted, "x": _x(figure["value"], low), "low": _x(ends[0], low), "high": _x(ends[1], low)}


COURSE_HEIGHT = 180
COURSE_LEFT = 9.0  # percent of the width, for the numbers of the y axis
MOST_NAMES = 6  # more would not fit a phone


@register.inclusion_tag("core/agreement/_course.html")
def course(points: Sequence[dict[str, Any]], summary: str, axis: str) -> dict[str, Any]:
    """A figure over time as a line with its interval as a band; where it has no value the line has a gap.

    ``points``: {name, figure} in order. The line is drawn in a box of 100 by 100 that is stretched.
    """
    low = lowest(points)
    step = max(1, math.ceil(len(points) / MOST_NAMES))
    width = 98.0 - COURSE_LEFT
    placed = [
        {**point, "across": 100 * (place + 0.5) / len(points), "named": place % step == 0}
        for place, point in enumerate(points)
    ]
    for point in placed:
        point["x"] = f"{COURSE_LEFT + width * point['across'] / 100:.2f}%"
        value = point["figure"]["value"]
        point["y"] = None if value is None else f"{_height(value, low) * COURSE_HEIGHT / 100 + 6:.1f}"
    runs = runs_of(placed)
    return {
        "points": placed,
        "summary": summary,
        "axis": axis,
        "bands": [_band(run, low) for run in runs],
        "lines": [
            " ".join(f"{p['across']:.2f},{_height(p['figure']['value'], low):.2f}" for p in run)
            for run in runs
        ],
        "box": {"x": f"{COURSE_LEFT}%", "y": 6, "width": f"{width}%", "height": COURSE_HEIGHT},
        "right": f"{COURSE_LEFT + width}%",
        "ticks": [
            {"y": f"{_height(tick, low) * COURSE_HEIGHT / 100 + 6:.1f}", "text": tick_text(tick)}
            for tick in ticks_from(low)
        ],
        "tick_x": f"{COURSE_LEFT - 1}%",
        "name_y": COURSE_HEIGHT + 24,
        "axis_y": COURSE_HEIGHT + 46,
        "height": COURSE_HEIGHT + 54,
    }


def runs_of(points: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The points with a value, cut where one has none."""
    runs: list[list[dict[str, Any]]] = [[]]
    for point in points:
        if point["figure"]["value"] is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _band(run: Sequence[dict[str, Any]], low: float) -> str:
    ends = [(p["across"], *(p["figure"]["ci"] or [p["figure"]["value"]] * 2)) for p in run]
    upper = [f"{x:.2f},{_height(high, low):.2f}" for x, _low, high in ends]
    lower = [f"{x:.2f},{_height(under, low):.2f}" for x, under, _high in reversed(ends)]
    return " ".join(upper + lower)


def _height(value: float, low: float) -> float:
    """From the top, in percent."""
    return 100 - 100 * (min(max(value, low), 1.0) - low) / (1.0 - low)


def tick_text(tick: float) -> str:
    """A number of an axis."""
    return f"{tick:.1f}".replace("-", MINUS)
