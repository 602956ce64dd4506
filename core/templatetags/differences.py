"""A plot of differences: 0 stands in the middle, and the axis is as wide as the intervals need."""

import math
from collections.abc import Sequence
from typing import Any

from django import template

from core.templatetags.charts import AXIS_HEIGHT, DASH, LEFT, MINUS, ROW_HEIGHT, WIDTH, decimal, interval

register = template.Library()
NARROWEST = 0.1
STEPS = (0.05, 0.1, 0.25, 0.5)
MOST_TICKS = 9


@register.inclusion_tag("core/agreement/_intervals.html")
def differences(rows: Sequence[dict[str, Any]], summary: str, axis: str) -> dict[str, Any]:
    """Figures around 0 with their intervals, one below the other; ``rows``: {name, figure}."""
    ends = [
        abs(end)
        for row in rows
        for end in (row["figure"]["value"], *(row["figure"]["ci"] or ()))
        if end is not None
    ]
    reach = min(1.0, math.ceil(max([NARROWEST, *ends]) * 20 - 1e-9) / 20)
    step = next((step for step in STEPS if 2 * reach / step + 1 <= MOST_TICKS), STEPS[-1])
    marks = math.floor(reach / step + 1e-9)
    bottom = ROW_HEIGHT * len(rows)
    return {
        "rows": [_row(row, place, reach) for place, row in enumerate(rows)],
        "linked": False,
        "summary": summary,
        "axis": axis,
        "height": bottom + AXIS_HEIGHT,
        "bottom": bottom,
        "tick_text": bottom + 18,
        "axis_text": bottom + 38,
        "ticks": [
            {"x": _x(mark * step, reach), "text": signed(mark * step)} for mark in range(-marks, marks + 1)
        ],
        "left": _x(-reach, reach),
        "right": _x(reach, reach),
        "reference": _x(0.0, reach),
    }


@register.filter
def signed(value: float | None) -> str:
    """A difference with its sign: +0.05, and 0.00 without one."""
    text = decimal(value)
    return text if value is None or text == "0.00" or text.startswith(MINUS) else f"+{text}"


@register.filter
def spread(figure: dict[str, Any]) -> str:
    """A figure with its interval in one cell."""
    if figure["value"] is None:
        return DASH
    ends = interval(figure)
    return f"{decimal(figure['value'])} ({ends})" if ends else decimal(figure["value"])


def _x(value: float, reach: float) -> str:
    share = (min(max(value, -reach), reach) + reach) / (2 * reach)
    return f"{LEFT + WIDTH * share:.2f}%"


def _row(row: dict[str, Any], place: int, reach: float) -> dict[str, Any]:
    figure = row["figure"]
    top = ROW_HEIGHT * place
    plotted = {**row, "text_y": top + 18, "y": top + 32, "line_y": top + ROW_HEIGHT}
    if figure["value"] is None:
        return plotted
    low, high = figure["ci"] or (figure["value"], figure["value"])
    return {**plotted, "x": _x(figure["value"], reach), "low": _x(low, reach), "high": _x(high, reach)}
