"""The agreement timeline in sentences: what was changed, and whether it helped."""

from collections.abc import Sequence
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.choices import MappingKind
from core.templatetags.charts import decimal, interval
from core.web.agreement_words import shown

Json = dict[str, Any]
OUTCOMES = {
    "rose": {"word": gettext_lazy("it helped"), "tone": "good"},
    "fell": {"word": gettext_lazy("agreement fell"), "tone": "bad"},
    "same": {"word": gettext_lazy("no change to speak of"), "tone": "neutral"},
    "cannot_tell": {"word": gettext_lazy("cannot tell yet"), "tone": "attention"},
}
DESIGNS = {
    "paired": gettext_lazy(
        "The same items of the audit slice, drawn by chance: as people answered them before, and as they answered them "
        "anew. The difference is paired by item."
    ),
    "independent": gettext_lazy(
        "Items of the audit slice answered before, against others that were first answered after: two sets of items "
        "(Welch's t)."
    ),
    "same_answers": gettext_lazy(
        "The same answers on the audit slice, without it and with it: what is read otherwise, not what people do."
    ),
}
MOST_NAMES = 6
FEWEST = 2  # items that have a spread


def joined(names: Sequence[str]) -> str:
    """Class names in a sentence: “a”, “b” and “c”."""
    told = [shown(name) for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        return _("%(first)s and %(n)s more") % {"first": ", ".join(told), "n": len(names) - MOST_NAMES}
    if len(told) > 1:
        return _("%(first)s and %(last)s") % {"first": ", ".join(told[:-1]), "last": told[-1]}
    return "".join(told)


def title(change: Json) -> str:
    """What was changed, as a row of the table is called."""
    kind = change["kind"]
    if kind == "guideline":
        return _("Guideline version %(n)s") % {"n": change["number"]}
    if kind == "training":
        words = ngettext(
            "Training “%(name)s” passed by %(n)s person",
            "Training “%(name)s” passed by %(n)s people",
            change["n_passed"],
        )
        return words % {"name": change["name"], "n": change["n_passed"]}
    if kind == "relabel":
        words = ngettext(
            "%(n)s item sent out again: %(reason)s",
            "%(n)s items sent out again: %(reason)s",
            change["n_items"],
        )
        return words % {"n": f"{change['n_items']:,}", "reason": change["reason"]}
    if kind == "void":
        words = ngettext("%(n)s answer voided", "%(n)s answers voided", change["n_annotations"])
        return words % {"n": f"{change['n_annotations']:,}"}
    done = mapping_title(change)
    return _("Taken back: %(what)s") % {"what": done} if kind == "reverted" else done


def mapping_title(change: Json) -> str:
    """What a mapping does."""
    if change["mapping"] == MappingKind.MERGE:
        merged = [name for name in change["classes"] if name != change["into"]]
        return _("%(classes)s merged into %(into)s") % {
            "classes": joined(merged),
            "into": shown(change["into"]),
        }
    if change["mapping"] == MappingKind.RENAME:
        before, after = change["name"]
        return _("%(before)s renamed to %(after)s") % {"before": shown(before), "after": shown(after)}
    words = ngettext(
        "Texts standardised by %(n)s rule", "Texts standardised by %(n)s rules", change["n_rules"]
    )
    return words % {"n": change["n_rules"]}


def compared(change: Json) -> Json | None:
    """The comparison that speaks for a change: alpha of the classes that it touches, else of all."""
    found = change["comparison"]
    if found is None:
        return None
    spoken: Json = (found["touched"] or found["overall"])["alpha"]
    return spoken


def about(change: Json) -> str:
    """What the comparison is about, to be put after “agreement”."""
    found = change["comparison"]
    names = change.get("touches") or change.get("classes") or []
    return _(" on %(classes)s") % {"classes": joined(names)} if found and found["touched"] else ""


def named(change: Json) -> str:
    """A change within a sentence."""
    if change["kind"] == "guideline":
        return _("guideline version %(n)s") % {"n": change["number"]}
    if change["kind"] == "mapping" and change["mapping"] == MappingKind.MERGE:
        merged = [name for name in change["classes"] if name != change["into"]]
        words = {"classes": joined(merged), "into": shown(change["into"])}
        return _("the merger of %(classes)s into %(into)s") % words
    if change["kind"] == "mapping":
        return _("the standardised texts")
    if change["kind"] == "void":
        return _("the voiding")
    return _("“%(what)s”") % {"what": title(change)}


def sentence(change: Json) -> str:
    """What came of a change, with the difference and, where it cannot be told, why."""
    return " ".join(part for part in (_first(change), difference_told(change)) if part)


def _first(change: Json) -> str:
    """What came of a change, without the difference."""
    found = compared(change)
    if found is None:
        return ""
    words = {"about": about(change), "what": named(change)}
    before, after = found["before"], found["after"]
    if before["value"] is None or after["value"] is None:
        return _("Whether %(what)s helped cannot be told yet: %(why)s") % {**words, "why": _missing(change)}
    words |= {"before": figure_told(before), "after": figure_told(after)}
    if change["comparison"]["design"] == "same_answers":
        return _("Agreement%(about)s is %(after)s with %(what)s and %(before)s without it. %(outcome)s") % {
            **words,
            "outcome": _outcome(change, found),
        }
    return _("Agreement%(about)s went from %(before)s to %(after)s since %(what)s: %(outcome)s") % {
        **words,
        "outcome": _outcome(change, found),
    }


def figure_told(figure: Json) -> str:
    """A figure with its interval and its items, in brackets."""
    n = figure["n_items"]
    items = ngettext("%(n)s item", "%(n)s items", n) % {"n": f"{n:,}"}
    ends = interval(figure)
    return (
        f"{decimal(figure['value'])} ({ends}; {items})" if ends else f"{decimal(figure['value'])} ({items})"
    )


def difference_told(change: Json) -> str:
    """The difference with its interval, and why it cannot be told what it means; empty where there is none."""
    found = compared(change)
    if found is None or found["difference"]["value"] is None:
        return ""
    difference = found["difference"]
    ends = interval(difference)
    value = f"{decimal(difference['value'])} ({ends})" if ends else decimal(difference["value"])
    told = [_("The difference is %(value)s.") % {"value": value}]
    why = without_intervals([found["before"], found["after"]])
    if why or not ends:
        told.append(why or _("It has no interval, as its spread over the items is not known."))
    if ends and found["outcome"] == "cannot_tell" and found["more_items"] is None:
        told.append(_("More items of the same kind cannot tell it: those of before stay as few as they are."))
    return " ".join(told)


def without_intervals(figures: Sequence[Json]) -> str:
    """Why some of these figures have no interval, each reason once; empty where all have one."""
    return " ".join(dict.fromkeys(why for figure in figures if (why := no_interval(figure))))


def no_interval(figure: Json) -> str:
    """Why a figure that has a value has no interval; empty where it has one."""
    n = figure["n_items"]
    if figure["value"] is None or figure["ci"] is not None:
        return ""
    words = {"value": decimal(figure["value"]), "n": f"{n:,}"}
    if n < FEWEST:
        return _("%(value)s has no interval: one item has no spread.") % words
    if figure["value"] == 1:
        return (
            _(
                "%(value)s has no interval: on all %(n)s items people agree, so that their spread is not known."
            )
            % words
        )
    return _("%(value)s has no interval: of these %(n)s items the spread cannot be computed.") % words


def _outcome(change: Json, found: Json) -> str:
    outcome = found["outcome"]
    read = change["comparison"]["design"] == "same_answers"
    if outcome == "cannot_tell":
        return capfirst(more(found)) if read else more(found)
    if outcome == "rose":
        return _("That is more.") if read else _("it helped.")
    if outcome == "fell":
        return _("That is less.") if read else _("it did not help, agreement fell.")
    return _("That is no change to speak of.") if read else _("no change to speak of.")


def more(found: Json) -> str:
    """What it would take to tell."""
    n = found["more_items"]
    if n is None:
        return _("cannot tell yet.")
    words = ngettext("cannot tell yet, about %(n)s more item.", "cannot tell yet, about %(n)s more items.", n)
    return words % {"n": f"{n:,}"}


def _missing(change: Json) -> str:
    if change["comparison"]["design"] == "same_answers":
        return _("too few items of the audit slice have two answers.")
    if compared(change)["after"]["n_items"]:  # type: ignore[index]  # the caller has looked
        return _("agreement by chance cannot be told apart where every answer is the same.")
    return _(
        "no item of the audit slice was answered since by two people or more. Send some that are drawn by chance out again."
    )


def elsewhere(change: Json) -> str:
    """Before and after where nothing is proved."""
    found = change["comparison"] and change["comparison"]["elsewhere"]
    if not found or found["before"] is None or found["after"] is None:
        return ""
    words = ngettext(
        "On %(n)s other item: %(before)s before, %(after)s after.",
        "On %(n)s other items: %(before)s before, %(after)s after.",
        found["n_items"],
    )
    told = words % {
        "n": f"{found['n_items']:,}",
        "before": decimal(found["before"]),
        "after": decimal(found["after"]),
    }
    if change["comparison"]["design"] == "same_answers":
        return f"{told} {_('They lie outside the audit slice and prove nothing for the whole.')}"
    proves = _(
        "They lie outside the audit slice or were sent out because of how they were answered, and would agree better "
        "the second time whatever was changed: this proves nothing."
    )
    return f"{told} {proves}"


def headline(report: Json) -> tuple[str, str]:
    """The first line, and what it rests on: the last change of which something can be said, else the last one."""
    if not report["has_audit"]:
        return _("Whether a change helped cannot be told without an audit slice"), _(
            "Only items that came by chance can prove it. Set a share of the items apart in the project's settings."
        )
    judged = [change for change in report["changes"] if compared(change)]
    if not judged:
        last = report["course"][-1]["alpha"] if report["course"] else None
        if last is None or last["value"] is None:
            return _("Nothing was changed yet, and nobody has answered the audit slice twice"), ""
        return _("Agreement on the audit slice is %(alpha)s; nothing was changed yet") % {
            "alpha": figure_told(last)
        }, _(
            "Write down a missing rule, merge classes or send items out again: here you will see whether it helped."
        )
    change = judged[-1]  # the newest, whatever came of it: the best of many would be one by chance
    found = change["comparison"]
    difference = compared(change)["difference"]  # type: ignore[index]
    if difference["value"] is None:
        return sentence(change), ""
    n = difference["n_items"]
    basis = ngettext("%(design)s %(n)s item.", "%(design)s %(n)s items.", n)
    basis %= {"design": DESIGNS[found["design"]], "n": f"{n:,}"}
    return _first(change), f"{difference_told(change)} {basis}"
