"""The history of an item in words."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.choices import Cause, MappingKind, Pass, RelabelTo, SkipReason
from core.models import Item
from core.selectors.display import as_text
from core.selectors.history import HistoryEvent

KINDS = {
    "imported": gettext_lazy("Imported"),
    "corrected": gettext_lazy("The data were corrected"),
    "handed-out": gettext_lazy("Handed out"),
    "skipped": gettext_lazy("Skipped"),
    "put-off": gettext_lazy("Saved for later"),
    "expired": gettext_lazy("Held too long"),
    "given-back": gettext_lazy("Given back"),
    "answered": gettext_lazy("Answered"),
    "changed": gettext_lazy("Answer corrected"),
    "voided": gettext_lazy("Answer taken out of the counts"),
    "void-undone": gettext_lazy("Answer put back into the counts"),
    "flagged": gettext_lazy("Flagged"),
    "flags-resolved": gettext_lazy("Flags read"),
    "settled": gettext_lazy("Settled"),
    "settlement-undone": gettext_lazy("Settlement taken back"),
    "review-asked": gettext_lazy("A review was asked for"),
    "reviewed": gettext_lazy("Reviewed"),
    "tagged": gettext_lazy("Tagged"),
    "picked": gettext_lazy("Picked to be labeled next"),
    "sent-again": gettext_lazy("Sent out again"),
    "mapped": gettext_lazy("Answers are read otherwise"),
    "mapping-reverted": gettext_lazy("Answers are read as before"),
    "withdrawn": gettext_lazy("Withdrawn"),
    "restored": gettext_lazy("Restored"),
    "returned": gettext_lazy("Returned to the queue"),
    "meta-changed": gettext_lazy("The metadata were changed"),
}


def history_line(slug: str, item: Item, event: HistoryEvent) -> dict[str, Any]:
    """An event as the page shows it: what, by whom, details, and where it can be taken back."""
    return {
        "event": event,
        "what": KINDS.get(event.kind, event.kind.replace("-", " ")),
        "details": [part for part in _details(event.kind, event.data) if part],
        "texts": [event.data[key] for key in ("comment", "note", "reason") if _is_text(event, key)],
        **_undo(slug, item, event),
    }


def _is_text(event: HistoryEvent, key: str) -> bool:
    return bool(event.data.get(key)) and not (event.kind == "skipped" and key == "reason")


def _details(kind: str, data: dict[str, Any]) -> list[str]:
    if kind == "imported":
        return [_("batch %(batch)s, row %(row)s") % data]
    if kind == "corrected":
        return [_("version %(version)s") % data]
    if kind in {"answered", "changed"}:
        answers = [f"{key}: {as_text(value) or _('(empty)')}" for key, value in data["answers"].items()]
        return [
            *answers,
            _pass(data),
            _in_sight(data["suggestion"]),
            "" if data["counts"] else _("does not count any more"),
        ]
    if kind == "skipped":
        return [str(SkipReason(data["reason"]).label) if data["reason"] else ""]
    if kind in {"voided", "void-undone"}:
        return [_("the answer of %(annotator)s") % data]
    if kind in {"settled", "reviewed"}:
        cause = data.get("cause")
        overtaken = _("answered anew since") if data.get("overtaken") else ""
        said = f"{data['question']}: {as_text(data['value'])}"
        return [said, str(Cause(cause).label) if cause else "", overtaken]
    return _further(kind, data)


def _further(kind: str, data: dict[str, Any]) -> list[str]:
    if kind == "settlement-undone":
        return [str(data["question"])]
    if kind == "review-asked":
        return [_("of %(reviewer)s") % data]
    if kind == "tagged":
        return [str(data["tag"])]
    if kind == "picked":
        return [_("round %(round)s") % data]
    if kind == "sent-again":
        return [str(RelabelTo(data["to"]).label)]
    if kind in {"mapped", "mapping-reverted"}:
        classes = " + ".join(data["classes"])
        into = f"{classes} → {data['into']}" if data["into"] else classes
        return [f"{MappingKind(data['kind']).label} ({data['question']})", into]
    if kind == "handed-out" and data["relabel"]:
        return [_("once more")]
    return [_("said to be broken")] if data.get("broken") else []


def _in_sight(suggestion: dict[str, Any] | None) -> str:
    """What the person saw beside the item."""
    if suggestion is None or not suggestion.get("shown", True):
        return ""
    seen = suggestion.get("earlier", suggestion.get("answers", {}))
    words = ", ".join(f"{key}: {as_text(value) or _('(empty)')}" for key, value in seen.items())
    return (
        _("with the earlier answer in sight: %s") if "earlier" in suggestion else _("suggested: %s")
    ) % words


def _pass(data: dict[str, Any]) -> str:
    return "" if data["pass"] == Pass.NORMAL else str(Pass(data["pass"]).label)


def _undo(slug: str, item: Item, event: HistoryEvent) -> dict[str, str]:
    """Where the event can be taken back, and what the link says."""
    if event.undo == "void":
        return {"undo_url": f"{reverse('people', args=[slug])}#voids", "undo": _("Put back")}
    if event.undo == "mapping":
        return {"undo_url": reverse("mappings", args=[slug]), "undo": _("Revert")}
    if event.undo == "withdrawal":
        return {"undo_url": reverse("item", args=[slug, item.pk]), "undo": _("Restore")}
    if event.undo == "resolution":
        return {"undo_url": reverse("adjudication_item", args=[slug, item.pk]), "undo": _("Take back")}
    return {"undo_url": "", "undo": ""}
