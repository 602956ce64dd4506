"""The learning curve as SVG without a style attribute: figures against the number of labels, a fitted line, a band."""

import math
from collections.abc import Sequence
from typing import Any

from django import template

from core.templatetags.charts import MINUS

register = template.Library()
Json = dict[str, Any]

HEIGHT = 240
TOP = 8
LEFT, RIGHT = 9.0, 98.0  # percent of the width: between them is the box
STEPS = (0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 6
ROUND_NUMBERS = (1, 2, 2.5, 5)


@register.inclusion_tag("core/selection/_curve.html")
def learning_curve(
    points: Sequence[Json], fit: Sequence[Json], random: Sequence[Json], summary: str, axis: str
) -> Json:
    """Figures against labels.

    ``points``: {n, figure} of the runs; ``fit`` and ``random``: {n, value, low, high} along a fitted line and along
    what random labels are estimated to give (either may be empty). ``summary`` is the text for those who do not see
    it, ``axis`` names the x axis.
    """
    told = [point for point in points if point["figure"]["value"] is not None]
    low, step = _scale([*_ends(told), *_values(fit), *_values(random)])
    most = max([1.0, *(float(row["n"]) for row in (*told, *fit, *random))])

    def at(row: Json, value: float) -> tuple[float, float]:
        return 100 * row["n"] / most, 100 - 100 * (min(max(value, low), 1.0) - low) / (1.0 - low)

    return {
        "dots": [_dot(point, *at(point, point["figure"]["value"]), at) for point in told],
        "fit": _line(fit, at),
        "fit_band": _band(fit, at),
        "random": _line(random, at),
        "random_band": _band(random, at),
        "summary": summary,
        "axis": axis,
        "box": {"x": f"{LEFT}%", "y": TOP, "width": f"{RIGHT - LEFT}%", "height": HEIGHT},
        "right": f"{RIGHT}%",
        "ticks": [
            {"y": _down(100 - 100 * (tick - low) / (1.0 - low)), "text": _tick(tick, step)}
            for tick in _ticks(low, step)
        ],
        "tick_x": f"{LEFT - 1}%",
        "counts": [
            {"x": _across(100 * count / most), "text": f"{count:,.0f}", "end": count > 0.95 * most}
            for count in _counts(most)
        ],
        "bottom": TOP + HEIGHT,
        "name_y": TOP + HEIGHT + 18,
        "axis_y": TOP + HEIGHT + 40,
        "height": TOP + HEIGHT + 48,
    }


def _ends(points: Sequence[Json]) -> list[float]:
    return [end for point in points for end in (point["figure"]["ci"] or [point["figure"]["value"]])]


def _values(rows: Sequence[Json]) -> list[float]:
    return [row["value"] for row in rows]


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """Where the y axis begins, a whole number of steps below 1, and the step of its lines."""
    least = min(values, default=0.0)
    step = next((step for step in STEPS if (1 - least) / step <= MOST_TICKS), STEPS[-1])
    return max(0.0, 1 - step * max(1, math.ceil((1 - least) / step - 1e-9))), step


def _ticks(low: float, step: float) -> list[float]:
    return [1 - step * back for back in range(round((1 - low) / step), -1, -1)]


def _tick(tick: float, step: float) -> str:
    text = f"{tick:.{2 if step < 0.1 else 1}f}"  # noqa: PLR2004 -- two places only where they tell steps apart
    return text.replace("-", MINUS)


def _counts(most: float) -> list[float]:
    """Round numbers of labels, at most six of them."""
    size = 10.0 ** math.floor(math.log10(max(most, 1)))
    steps = (size / 10 * number * scale for scale in (1, 10) for number in ROUND_NUMBERS)
    step = next(step for step in (*steps, 100 * size) if most / step <= MOST_TICKS - 1 and step >= 1)
    return [step * place for place in range(math.floor(most / step) + 1)]


def _across(share: float) -> str:
    return f"{LEFT + (RIGHT - LEFT) * share / 100:.2f}%"


def _down(share: float) -> str:
    return f"{TOP + HEIGHT * share / 100:.1f}"


def _dot(point: Json, x: float, y: float, at: Any) -> Json:
    low, high = point["figure"]["ci"] or (point["figure"]["value"],) * 2
    return {
        "x": _across(x),
        "y": _down(y),
        "low": _down(at(point, low)[1]),
        "high": _down(at(point, high)[1]),
    }


def _line(rows: Sequence[Json], at: Any) -> str:
    return " ".join("{:.2f},{:.2f}".format(*at(row, row["value"])) for row in rows)


def _band(rows: Sequence[Json], at: Any) -> str:
    told = [row for row in rows if row.get("low") is not None]
    upper = ["{:.2f},{:.2f}".format(*at(row, row["high"])) for row in told]
    lower = ["{:.2f},{:.2f}".format(*at(row, row["low"])) for row in reversed(told)]
    return " ".join(upper + lower)
