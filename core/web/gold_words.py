"""What a lead should know about a project's gold, in sentences, and a value in words."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.models import Project
from core.selectors.gold import DoubtfulGold, GoldOfQuestion, Supply
from core.templatetags.charts import DASH

FIRST_JUDGED = 20  # gold answers of one person before the first look (docs/gold.md)


def warnings_about(
    project: Project,
    questions: Sequence[GoldOfQuestion],
    supply: Supply,
    doubtful: Sequence[DoubtfulGold],
) -> list[str]:
    """What a lead should look at, in sentences, the worst first."""
    told: list[str] = []
    if doubtful:
        told.append(
            ngettext(
                "%(n)s item has gold that nearly everybody contradicts: the gold may be wrong.",
                "%(n)s items have gold that nearly everybody contradicts: the gold may be wrong.",
                len(doubtful),
            )
            % {"n": f"{len(doubtful):,}"}
        )
    for one in questions:
        if one.without:
            words = {"title": one.question.title or one.question.key, "classes": ", ".join(one.without)}
            told.append(_("“%(title)s” has no gold of: %(classes)s.") % words)
    if supply.examples:
        told.append(
            ngettext(
                "%(n)s item with gold is an example in the guideline: it is never handed out as gold.",
                "%(n)s items with gold are examples in the guideline: they are never handed out as gold.",
                supply.examples,
            )
            % {"n": f"{supply.examples:,}"}
        )
    if project.gold_bound is not None and not project.gold_rate:
        told.append(_("A bound is set, but no gold is handed out: nobody is ever judged."))
    elif project.gold_bound is not None and supply.usable < FIRST_JUDGED:
        words = {"n": f"{supply.usable:,}", "first": str(FIRST_JUDGED)}
        told.append(
            _(
                "Nobody can be judged: that takes %(first)s gold answers of a person (open items with gold: %(n)s)."
            )
            % words
        )
    if project.gold_rate and supply.usable < supply.needed:
        told.append(
            _(
                "At this rate one person would be handed about %(needed)s gold items (open items with gold: %(n)s). "
                "Nobody gets the same one twice, so the rate falls when they are used up."
            )
            % {"needed": f"{supply.needed:,}", "n": f"{supply.usable:,}"}
        )
    return told


def told(value: Any) -> str:
    """A value in words."""
    if value is None:
        return DASH
    if isinstance(value, list):
        return ", ".join(value) or _("(none)")
    return str(value) or _("(empty)")
