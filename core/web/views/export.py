"""What can be pulled out of a project: files to download, and lines for scripts."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.choices import FileFormat
from core.models import Membership
from core.pipelines.aggregation import RULES
from core.selectors.progress import progress_of
from core.selectors.question import schema_of
from core.selectors.site import public_address
from core.web.access import project_view
from core.web.pages import project_page

MAJORITY = "majority"


@require_safe
@never_cache
@project_view(Action.LABELS_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Labels and annotations in every format, with this project's addresses for curl and pandas."""
    project = membership.project
    addresses = {what: reverse(f"api:{what}", args=[project.slug]) for what in ("labels", "annotations")}
    rule = request.GET.get("rule", MAJORITY)
    rule = rule if rule in RULES else MAJORITY
    by_rule = "" if rule == MAJORITY else f"&rule={rule}"
    context = {
        "progress": progress_of(project.pk),
        "downloads": [
            {
                "id": "labels",
                "title": _("Labels"),
                "text": _(
                    "One row per item and question: its value by the rule chosen here, how it came about, how many "
                    "answers stand behind it, and every tie."
                ),
                "rules": [
                    {"value": name, "label": label, "chosen": name == rule}
                    for name, label in _rule_names().items()
                ],
                "rule_text": _rule_texts()[rule],
                "links": _links(addresses["labels"], by_rule),
            },
            {
                "id": "annotations",
                "title": _("Annotations"),
                "text": _(
                    "One row per answer: who gave it, when, in which pass, under which version of the guideline."
                ),
                "links": _links(addresses["annotations"]),
            },
        ],
        "labels_url": public_address(request, addresses["labels"]),
        "annotations_url": public_address(request, addresses["annotations"]),
        "agreement_url": public_address(request, reverse("api:agreement", args=[project.slug])),
        "question": next((spec.key for spec in schema_of(project).questions), ""),
        "may_name": membership.role in LEADS,
        "names_url": f"{addresses['annotations']}?format={FileFormat.CSV}&annotators=name",
        "lossless_url": f"{addresses['labels']}?format={FileFormat.CSV}&lossless=1{by_rule}",
    }
    return project_page(request, membership, "exports", "core/export/page.html", context)


def _rule_names() -> dict[str, str]:
    return {
        "majority": _("Majority"),
        "default": _("By answers per person"),
        "one_coin": _("One accuracy per person"),
        "dawid_skene": _("Dawid-Skene"),
    }


def _rule_texts() -> dict[str, str]:
    return {
        "majority": _("The value that most people gave; everybody's answer weighs the same."),
        "default": _(
            "Dawid-Skene where the median person has answered much, one accuracy per person where less, and else "
            "majority. Every row says which it was."
        ),
        "one_coin": _(
            "How often each person is right is learnt from all answers, and their answers weigh accordingly. "
            "Questions with several classes, numbers and texts keep their own rule."
        ),
        "dawid_skene": _(
            "Which classes each person takes for which is learnt from all answers; it wants many answers per person. "
            "Questions with several classes, numbers and texts keep their own rule."
        ),
    }


def _links(address: str, more: str = "") -> list[dict[str, str]]:
    formats = (FileFormat.CSV, FileFormat.JSONL, FileFormat.JSON, FileFormat.PARQUET)
    return [{"label": str(kind.label), "url": f"{address}?format={kind}{more}"} for kind in formats]
