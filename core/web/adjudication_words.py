"""What disagreement costs, in sentences."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.access import LEADS, Action, role_may
from core.models import Membership
from core.selectors.question import QuestionSpec

Json = dict[str, Any]
LEAST_SHOWN = 0.005  # of a probability in whole percent


def said(pattern: Any) -> str:
    """Who said what: yes (2), no (1)."""
    return ", ".join(f"{label or _('(empty)')} ({n})" for label, n in pattern)


def headline(top: list[Json] | None, n_open: int) -> tuple[str, str]:
    """Where most is to be gained, and how many items wait."""
    waiting = ngettext("%(n)s item waits to be settled.", "%(n)s items wait to be settled.", n_open) % {
        "n": f"{n_open:,}"
    }
    if not top:
        return (waiting, "") if n_open else (_("Nothing waits to be settled"), "")
    row, kind = top[0]["row"], top[0]["kind"]
    if kind == "person":
        return _("The answers of %(who)s cost most") % {"who": row["id"]}, waiting
    if kind == "coin_flip":
        return _("“%(a)s” and “%(b)s” may be one class") % row, waiting
    return _("“%(a)s” against “%(b)s” costs most") % row, waiting


def rule_url(
    membership: Membership, question: QuestionSpec, classes: Sequence[str] = (), item: str = ""
) -> str:
    """The editor of the guideline with these classes ticked and this item as an example; empty for who may not."""
    if not role_may(membership.role, Action.GUIDELINE_EDIT):
        return ""
    names = classes if question.is_choice else ()
    query = [("question", question.key), *(("class", name) for name in names)]
    query += [("item", item)] if item else []
    return f"{reverse('guideline_new', args=[membership.project.slug])}?{urlencode(query)}"


def cost_rows(membership: Membership, question: QuestionSpec, top: list[Json] | None) -> list[Json]:
    """The most costly disagreements: what each is, how sure that is, and what to do about it."""
    return [_cost_row(membership, question, one) for one in top or ()]


def _cost_row(membership: Membership, question: QuestionSpec, one: Json) -> Json:
    key = question.key
    row, slug, leads = one["row"], membership.project.slug, membership.role in LEADS
    queue = reverse("adjudication", args=[slug])
    n = f"{one['cost']:,.0f}"
    if one["kind"] == "person":
        links = [
            (_("Look at the items"), f"{queue}?{urlencode({'question': key, 'person': row['member']})}#queue")
        ]
        accuracy = row["accuracy"]
        told = ""
        if accuracy["value"] is not None and accuracy["ci"]:
            low, high = accuracy["ci"]
            told = _(
                "Right on about %(value)s %% (%(low)s to %(high)s %%) of %(n)s answers, by a model of the annotators."
            ) % {
                "value": _percent(accuracy["value"]),
                "low": _percent(low),
                "high": _percent(high),
                "n": f"{accuracy['n_items']:,}",
            }
        return {
            "kind": _("a person"),
            "tone": "attention",
            "title": row["id"],
            "n": n,
            "words": _(
                "Wrong more often than others on the same items. A word with them, or a training round, helps."
            ),
            "sure": told,
            "links": links if leads else [],
        }
    pair = {"question": key, "a": row["a"], "b": row["b"]}
    links = [(_("Look at the items"), f"{queue}?{urlencode(pair)}#queue")]
    low, high = row["rate"]["ci"] or (row["rate"]["value"] or 0, row["rate"]["value"] or 0)
    sure = _("%(rate)s %% (%(low)s to %(high)s %%) of %(n)s answers to items of the two are confused.") % {
        "rate": _percent(row["rate"]["value"] or 0),
        "low": _percent(low),
        "high": _percent(high),
        "n": f"{row['rate']['n_items']:,}",
    }
    rule = rule_url(membership, question, (row["a"], row["b"]))
    if one["kind"] == "coin_flip":
        links.append((_("What a merger would do"), _merger_url(slug, question, row)))
        words = _(
            "The two may be one class: by these answers the probability that people can tell them apart is "
            "%(apart)s %%. That is a question, not an order: a clearer rule may help as well as a merger."
        ) % {"apart": _percent(row["told_apart"]) if row["told_apart"] >= LEAST_SHOWN else "< 1"}
        kind, tone = _("one class or two"), "neutral"
    else:
        words = _(
            "People can tell the two apart, but mix them up more than their other errors explain. A rule with an "
            "example helps."
        )
        kind, tone = _("a gap in the guideline"), "active"
    if rule:
        links.append((_("Write the rule"), rule))
    title = _("“%(a)s” and “%(b)s”") % row
    return {"kind": kind, "tone": tone, "title": title, "n": n, "words": words, "sure": sure, "links": links}


def _merger_url(slug: str, question: QuestionSpec, row: Json) -> str:
    """The what-if of a merger of the two classes."""
    pair = [spec.id for name in (row["a"], row["b"]) if (spec := question.class_named(name)) is not None]
    query = urlencode([("question", question.key), *(("class", pk) for pk in pair)])
    return f"{reverse('mapping_preview', args=[slug])}?{query}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
