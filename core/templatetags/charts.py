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

    ``rows``: {name, figure, note}. ``summary`` is the text for those who do not see it, ``axis`` names the
    x axis, ``reference`` draws a dashed line there.
    """
    low = _lowest(rows)
    plotted = [_row(row, place, low) for place, row in enumerate(rows)]
    bottom = ROW_HEIGHT * len(plotted)
    return {
        "rows": plotted,
        "summary": summary,
        "axis": axis,
        "height": bottom + AXIS_HEIGHT,
        "bottom": bottom,
        "tick_text": bottom + 18,
        "axis_text": bottom + 38,
        "ticks": [{"x": _x(tick, low), "text": f"{tick:.1f}".replace("-", MINUS)} for tick in _ticks(low)],
        "left": _x(low, low),
        "right": _x(1.0, low),
        "reference": None if reference is None or reference < low else _x(reference, low),
    }


def _lowest(rows: Sequence[dict[str, Any]]) -> float:
    """Where the axis begins: 0, or lower in steps of 0.2 where an interval reaches there, at least -1."""
    ends = [row["figure"]["value"] for row in rows] + [(row["figure"]["ci"] or [None])[0] for row in rows]
    least = min((end for end in ends if end is not None), default=0.0)
    return max(-1.0, min(0.0, math.floor(least * 5) / 5))


def _ticks(low: float) -> list[float]:
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
