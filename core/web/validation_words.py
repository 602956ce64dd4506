"""Findings of data validation in words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.choices import Severity
from core.models import Validation
from core.pipelines.validation import SENTENCES
from core.web.forms.validation import TYPE_WORDS

KINDS = {
    "missing": gettext_lazy("missing"),
    "schema-skew": gettext_lazy("fields and types"),
    "type": gettext_lazy("type"),
    "unit": gettext_lazy("unit"),
    "range": gettext_lazy("range"),
    "category": gettext_lazy("category"),
    "length": gettext_lazy("length"),
    "encoding": gettext_lazy("encoding"),
    "outlier": gettext_lazy("outlier"),
    "duplicate": gettext_lazy("near-duplicates"),
    "balance": gettext_lazy("balance"),
    "distribution-skew": gettext_lazy("distribution"),
    "schema": gettext_lazy("schema"),
    "rule": gettext_lazy("rule"),
}
TONES = {Severity.STOP.value: "bad", Severity.WARN.value: "attention", Severity.NOTE.value: "neutral"}


def sentence(finding: dict[str, Any]) -> str:
    """What a finding says, in the reader's language."""
    return str(_(SENTENCES[finding["code"]]) % finding["said"])


def shown(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding as the pages show it."""
    return {
        **finding,
        "words": sentence(finding),
        "kind_word": KINDS[finding["kind"]],
        "tone": TONES[finding["severity"]],
        "severity_word": Severity(finding["severity"]).label,
    }


def headline(report: Validation) -> str:
    """How a batch fares, in a sentence."""
    alarms = [one for one in report.findings if one["severity"] != Severity.NOTE]
    if not alarms:
        return _("Nothing in this batch calls for attention.")
    words = ngettext(
        "%(n)s thing in this batch calls for attention.",
        "%(n)s things in this batch call for attention.",
        len(alarms),
    )
    return words % {"n": len(alarms)}


def name_of(report: Validation) -> str:
    """How a report is called: by its batch, else by the file that waits."""
    if report.batch is not None:
        return _("Batch %(number)s: %(name)s") % {"number": report.batch.number, "name": report.batch.name}
    return report.source.file_name if report.source else _("A file that is not published")


CROSSED = {
    "required": gettext_lazy("%(n)s of %(of)s rows do not have it."),
    "type": gettext_lazy("%(n)s of %(of)s values are of another kind (%(found)s)."),
    "unit": gettext_lazy("%(n)s of %(of)s values have another unit or none (%(found)s)."),
    "minimum": gettext_lazy("The lowest number is %(found)s."),
    "maximum": gettext_lazy("The highest number is %(found)s."),
    "shortest": gettext_lazy("The shortest text has %(found)s characters."),
    "longest": gettext_lazy("The longest text has %(found)s characters."),
    "categories": gettext_lazy("%(n)s of %(of)s values are none of the categories: %(found)s."),
}
MOST_NAMED = 5


def crossed_words(crossed: dict[str, Any]) -> str:
    """How the newest batch crosses a bound (core.numerics.validation.crossed_bounds)."""
    if crossed["property"] == "categories" and crossed["n"] is None:
        return _("It has more different values, or longer ones, than categories can be.")
    said = {"n": f"{crossed['n'] or 0:,}", "of": f"{crossed['of']:,}"}
    if crossed["property"] == "type":
        kinds = [str(TYPE_WORDS.get(one, one)) for one in crossed["found"].split(", ")]
        return str(CROSSED["type"] % {**said, "found": ", ".join(kinds)})
    if crossed["property"] == "unit" and not crossed["found"]:
        return _("%(n)s of %(of)s values have no unit.") % said
    return str(CROSSED[crossed["property"]] % {**said, "found": number_words(crossed["found"])})


def field_words(wanted: dict[str, Any]) -> str:
    """What a schema says of a field, in a line."""
    kind = wanted.get("type", "mixed")
    parts = [str(TYPE_WORDS.get(kind, kind))]
    parts.append(_("in every row") if wanted.get("required") else _("may be missing"))
    if wanted.get("unit"):
        parts.append(wanted["unit"])
    parts += _between(wanted.get("minimum"), wanted.get("maximum"), _("%(low)s to %(high)s"))
    parts += _between(wanted.get("shortest"), wanted.get("longest"), _("%(low)s to %(high)s characters"))
    names = wanted.get("categories")
    if names is not None:
        shown_names = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
        words = ngettext("%(n)s category: %(names)s", "%(n)s categories: %(names)s", len(names))
        parts.append(words % {"n": f"{len(names):,}", "names": shown_names})
    return " · ".join(parts)


def _between(low: float | None, high: float | None, both: str) -> list[str]:
    if low is None and high is None:
        return []
    unknown = "…"
    return [
        both
        % {
            "low": unknown if low is None else number_words(low),
            "high": unknown if high is None else number_words(high),
        }
    ]


def number_words(value: Any) -> str:
    """A number with its digits, without a fraction that says nothing; a text as it is."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.6g}"  # noqa: PLR2004 -- all digits are shown
    return f"{value:,}" if isinstance(value, int) else str(value)
