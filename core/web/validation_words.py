"""Findings of data validation in words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.choices import Severity
from core.models import Validation
from core.pipelines.validation import SENTENCES

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
