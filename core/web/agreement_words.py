"""The agreement report in sentences: the headline, what it rests on, what to do next, and how sure one can be."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.choices import Uncertain
from core.templatetags.charts import decimal, interval, percent, percent_interval, probability
from core.templatetags.figure_words import reason
from core.web.agreement_plots import is_metric

Json = dict[str, Any]

VERDICTS = {
    "almost_perfect": gettext_lazy("almost perfect"),
    "substantial": gettext_lazy("substantial"),
    "moderate": gettext_lazy("moderate"),
    "fair": gettext_lazy("fair"),
    "slight": gettext_lazy("slight"),
    "poor": gettext_lazy("poor"),
    "very_good": gettext_lazy("very good"),
    "good": gettext_lazy("good"),
    "reliable": gettext_lazy("reliable"),
    "tentative": gettext_lazy("good enough for tentative conclusions"),
    "unreliable": gettext_lazy("not to be relied on"),
}
SCALES = {
    "landis_koch": gettext_lazy("Landis and Koch (1977)"),
    "altman": gettext_lazy("Altman (1991)"),
    "krippendorff": gettext_lazy("Krippendorff (2004)"),
}
THESE_PEOPLE, PEOPLE_LIKE_THEM = "items", "two_way"  # intervals over items, or over items and people
LOW_SELF = 0.8  # below, people do not answer the same item the same way again
MUCH = 0.05


def spread(figure: Json, *, shares: bool = False) -> str:
    """A figure with its interval in words."""
    value = percent(figure["value"]) if shares else decimal(figure["value"])
    ends = percent_interval(figure) if shares else interval(figure)
    return f"{value} ({ends})" if ends else value


def shown(name: str) -> str:
    """A class's name in quotation marks, also when it is empty."""
    return f"“{name}”" if name else _("(empty)")


def headline(report: Json) -> str:
    """The answer in one or two sentences."""
    same, alpha = report["coefficients"]["percent_agreement"], report["coefficients"]["krippendorff_alpha"]
    if same["value"] is None:
        return _("Cannot tell yet: %(reason)s.") % {"reason": reason(same)}
    share = {"share": spread(same, shares=True)}
    if is_metric(report):
        equal = _("Two people give exactly the same number on %(share)s of items.") % share
        return f"{_corrected(report, alpha)} {equal}"
    equal = _("Two people give the same answer on %(share)s of items.") % share
    return f"{equal} {_corrected(report, alpha)}"


def _corrected(report: Json, alpha: Json) -> str:
    """What is left when chance is taken out, with the word for it."""
    if alpha["value"] is None:
        return _("Corrected for chance, cannot tell yet: %(reason)s.") % {"reason": reason(alpha)}
    if verdict_of(report) is None:
        return _("Corrected for chance: %(alpha)s.") % {"alpha": spread(alpha)}
    level = report["verdict"]["level"]
    sentence = _("Corrected for chance: %(alpha)s, at least %(verdict)s.")
    if level in {"poor", "almost_perfect"}:  # the ends of the scale
        sentence = _("Corrected for chance: %(alpha)s, %(verdict)s.")
    return sentence % {"alpha": spread(alpha), "verdict": VERDICTS[level]}


def verdict_of(report: Json) -> Json | None:
    """The word for the level; none for people like these, as it does not know how few people there are."""
    found: Json | None = report["verdict"]
    return None if report["interval"] == PEOPLE_LIKE_THEM else found


def lead(report: Json) -> str:
    """The confusion that costs most."""
    worst = next(iter(report["confusions"]), None)
    if worst is None or is_metric(report):
        return ""
    words = ngettext(
        "%(a)s against %(b)s costs most: %(share)s of all disagreements (%(n)s pair of answers).",
        "%(a)s against %(b)s costs most: %(share)s of all disagreements (%(n)s pairs of answers).",
        worst["n"],
    )
    return words % {
        "a": shown(worst["a"]),
        "b": shown(worst["b"]),
        "share": percent(worst["share"]),
        "n": f"{worst['n']:,}",
    }


def how_sure(report: Json) -> str:
    """How many more items the headline would take to be sure; nothing where it is sure already."""
    needed = report["coefficients"]["krippendorff_alpha"].get("needed")
    if not needed:
        return ""
    return ngettext(
        "To know it to within 0.05 takes about %(n)s more item with two answers or more.",
        "To know it to within 0.05 takes about %(n)s more items with two answers or more.",
        needed,
    ) % {"n": f"{needed:,}"}


def cost(report: Json) -> str:
    """What it would cost to know more; why that cannot be told; nothing where there is no plan."""
    plan = report["planning"]
    if plan is None:
        return ""
    if not plan["rows"]:
        return _("Cannot tell yet: %(reason)s.") % {"reason": reason(plan)}
    values = {"wanted": percent(plan["wanted_consensus"])}
    if plan["labels_needed"] is None:
        return _(
            "Even with %(n)s labels per item, fewer than %(wanted)s of items are expected to get the label that most "
            "people would choose."
        ) % {**values, "n": plan["rows"][-1]["labels_per_item"]}
    n = plan["labels_needed"]
    return ngettext(
        "With %(n)s label per item, %(wanted)s of items or more are expected to get the label that most people would "
        "choose.",
        "With %(n)s labels per item, %(wanted)s of items or more are expected to get the label that most people "
        "would choose.",
        n,
    ) % {**values, "n": n}


def verdict_rows(report: Json) -> list[Json]:
    """What each scale calls the coefficient."""
    if verdict_of(report) is None:
        return []
    return [
        {
            "scale": SCALES.get(row["scale"], row["scale"]),
            "word": VERDICTS.get(row["level"], row["level"]),
            "probability": row["probability"],
            "by_interval": row["scale"] == "krippendorff",
        }
        for row in report.get("verdicts", [])
    ]


def warnings(report: Json) -> list[str]:
    """What a reader could be misled by."""
    sentences = []
    if "skewed_classes" in report["warnings"]:
        sentences.append(
            _(
                "Most answers fall into few classes, so people would often agree by chance. That is why alpha is "
                "far from the share of equal answers and from AC1, which judges chance more mildly. Look at the "
                "agreement on the rare classes below before you trust either."
            )
        )
    if "too_many_values" in report["warnings"]:
        sentences.append(
            _(
                "There are too many different answers to weigh every two of them, so no weighted figures are shown."
            )
        )
    if report["dropped"]["one_annotation"]:
        n = report["dropped"]["one_annotation"]
        sentences.append(
            ngettext(
                "%d item has one answer only and says nothing about agreement.",
                "%d items have one answer only and say nothing about agreement.",
                n,
            )
            % n
        )
    if report["uncertain"] == Uncertain.MISSING and report["dropped"]["uncertain"]:
        n = report["dropped"]["uncertain"]
        sentences.append(
            ngettext(
                "%d uncertain answer is left out. People are uncertain on hard items, so agreement looks better "
                "than it is.",
                "%d uncertain answers are left out. People are uncertain on hard items, so agreement looks better "
                "than it is.",
                n,
            )
            % n
        )
    return sentences


def leans_on(report: Json) -> str:
    """How much the headline depends on what uncertain answers count as."""
    found = report.get("headline_leans_on")
    if not found:
        return ""
    words = {
        Uncertain.CLASS: _("as a class of their own"),
        Uncertain.MISSING: _("as missing"),
        Uncertain.DISAGREE: _("as disagreement"),
    }
    if abs(found["difference"]) < MUCH:
        return _("The headline hardly depends on it: counted otherwise, alpha moves by at most %(by)s.") % {
            "by": decimal(abs(found["difference"]))
        }
    return _("The headline leans on it: counted %(reading)s, alpha would be %(by)s %(direction)s.") % {
        "reading": words[Uncertain(found["reading"])],
        "by": decimal(abs(found["difference"])),
        "direction": _("higher") if found["difference"] > 0 else _("lower"),
    }


def change_sentence(change: Json) -> str:
    """From one guideline version to the next: what became of agreement, or that it cannot be told yet."""
    versions = {"old": change["from"], "new": change["to"]}
    found = change["krippendorff_alpha"]
    figure = found["difference"]
    if figure["value"] is None:
        return _("From version %(old)s to %(new)s: cannot tell yet.") % versions
    values = {
        **versions,
        "by": decimal(abs(figure["value"])),
        "interval": interval(figure),
        "p": probability(found["p"]),
    }
    if figure["ci"] and figure["ci"][0] > 0:
        return (
            _("From version %(old)s to %(new)s agreement (alpha) rose by %(by)s (%(interval)s), %(p)s.")
            % values
        )
    if figure["ci"] and figure["ci"][1] < 0:
        values["interval"] = interval({"ci": [-figure["ci"][1], -figure["ci"][0]]})
        return (
            _("From version %(old)s to %(new)s agreement (alpha) fell by %(by)s (%(interval)s), %(p)s.")
            % values
        )
    if figure.get("needed"):
        values["n"] = f"{figure['needed']:,}"
        return (
            _(
                "From version %(old)s to %(new)s: cannot tell yet whether agreement changed; about %(n)s more "
                "items would tell a change of 0.05."
            )
            % values
        )
    return _(
        "From version %(old)s to %(new)s agreement (alpha) changed by no more than %(most)s (%(p)s)."
    ) % {**values, "most": decimal(max(map(abs, figure["ci"] or [figure["value"]])))}


def read_together(report: Json) -> str:
    """Agreement with oneself beside agreement with others: is it the item, the person or the guideline?"""
    intra, inter = report["intra"], report["coefficients"]["percent_agreement"]
    if intra["value"] is None or inter["value"] is None:
        return ""
    values = {"intra": spread(intra, shares=True), "inter": spread(inter, shares=True)}
    if intra["ci"] is None or intra["ci"][0] < LOW_SELF <= intra["ci"][1]:
        return (
            _(
                "People repeat their own answer on %(intra)s of items, and give each other's on %(inter)s. The "
                "first is not known well enough yet to say where the trouble lies: more retests will tell."
            )
            % values
        )
    if intra["ci"][1] < LOW_SELF:
        return (
            _(
                "People repeat their own answer on only %(intra)s of items (each other's on %(inter)s). Nobody can "
                "agree with others more than with themselves: look at the items, and at haste and fatigue, first."
            )
            % values
        )
    if inter["ci"] is None or inter["ci"][1] < intra["ci"][0]:
        return (
            _(
                "People repeat their own answer on %(intra)s of items, but give each other's on only %(inter)s. "
                "Each of them knows what they mean, and they mean different things: the guideline is the place to "
                "mend."
            )
            % values
        )
    return (
        _(
            "People agree with each other (%(inter)s) as much as with themselves (%(intra)s): more is hardly possible."
        )
        % values
    )


def split_sentence(split: Json) -> str:
    """Whether the items outside the audit slice are harder or easier than those drawn at random."""
    figure = split["change"]["difference"]
    if figure["value"] is None or figure["ci"] is None:
        return _("Cannot tell yet whether the two differ.")
    values = {"by": decimal(abs(figure["value"])), "p": probability(split["change"]["p"])}
    if figure["ci"][0] > 0:
        return (
            _(
                "Items outside the audit slice are harder: alpha is %(by)s lower there (%(p)s). Quote the audit "
                "slice when you speak of all items."
            )
            % values
        )
    if figure["ci"][1] < 0:
        return (
            _(
                "Items outside the audit slice are easier: alpha is %(by)s higher there (%(p)s). Quote the audit "
                "slice when you speak of all items."
            )
            % values
        )
    if figure.get("needed"):
        return _(
            "Cannot tell yet whether the two differ; about %(n)s more items would tell a difference of 0.05."
        ) % {"n": f"{figure['needed']:,}"}
    return _("The two differ by no more than %(most)s.") % {"most": decimal(max(map(abs, figure["ci"])))}
