"""How good people are, and a model beside them: the report of one question as a page, and its tables as files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import LEADS, Action
from core.choices import ItemsChoice, Uncertain
from core.exceptions import Invalid, Missing
from core.models import Membership, Run
from core.pipelines.hlp import BATCH, EPSILON, KINDS, MARGIN, META
from core.pipelines.hlp_table import TABLES, table_csv
from core.pipelines.report import Kept, Kind, kept_report
from core.selectors.question import QuestionSpec, Schema, schema_of
from core.selectors.report import meta_keys
from core.selectors.run import runs_for
from core.templatetags.charts import decimal, interval, percent, percent_interval
from core.web.access import project_view
from core.web.pages import project_page

Json = dict[str, Any]

MOST_RUNS = 100
MOST_ROWS = 100
MOST_PLOTTED = 12
LONGEST_SHOWN = 20
GOLD_WANTED = 30  # as numerics.hlp.GOLD_ITEMS: people are judged by gold from so many items on
NEVER = "-"  # of the choice of a run: none

REASONS = {
    "no_overlap": gettext_lazy("no item has answers of two people"),
    "one_class": gettext_lazy("every answer is the same"),
    "one_annotator": gettext_lazy("only one person has answered"),
    "too_few_items": gettext_lazy("too few items"),
}
WORDS = {
    "above": gettext_lazy("above people"),
    "at": gettext_lazy("as good as people"),
    "below": gettext_lazy("below people"),
    "cannot_tell": gettext_lazy("cannot tell yet"),
}


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The report in words and pictures."""
    schema = _comparable(membership)
    template = "core/hlp/page.html"
    if not schema.questions:
        return project_page(request, membership, "hlp", template, {"report": None})
    question = _question(request, schema)
    runs = list(runs_for(membership.project_id, question.id)[:MOST_RUNS])
    try:
        kept = _report(request, membership, question, runs)
    except Invalid as error:
        refused = {"report": None, "refused": error.detail}
        return project_page(request, membership, "hlp", template, refused, status=400)
    report = kept.body
    model = report["model"]
    context: Json = {
        "stale": kept.stale,
        "report": report,
        "model": model,
        "question": question,
        "runs": runs,
        "as_of": datetime.fromisoformat(report["as_of"]),
        "headline": headline(report),
        "why": _why(report),
        "verdict": None if model is None else verdict(report),
        "steps": _steps(membership, report, runs),
        "controls": _controls(membership, schema, question, report, runs),
        "query": urlencode({"run": NEVER, **_chosen(report)}),
        "people_scores": _people_scores(report),
        "people": _people_rows(report),
        "may_import": membership.role in LEADS,
        "api_url": f"{reverse('api:hlp', args=[membership.project.slug])}?{urlencode(_chosen(report))}",
        **({} if model is None else _model_pictures(report)),
    }
    return project_page(request, membership, "hlp", template, context)


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def table(request: HttpRequest, membership: Membership, name: str) -> StreamingHttpResponse:
    """One table of the report as CSV."""
    schema = _comparable(membership)
    if name not in TABLES or not schema.questions:
        raise Missing
    question = _question(request, schema)
    kept = _report(request, membership, question, list(runs_for(membership.project_id, question.id)[:1]))
    return StreamingHttpResponse(
        table_csv(kept.body, name),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{membership.project.slug}-hlp-{name}.csv"'},
    )


def _comparable(membership: Membership) -> Schema:
    """The questions whose answers are simply the same or not."""
    questions = schema_of(membership.project).questions
    return Schema(tuple(spec for spec in questions if spec.kind in KINDS))


def _question(request: HttpRequest, schema: Schema) -> QuestionSpec:
    key = request.GET.get("question")
    question = schema.question(key) if key else schema.questions[0]
    if question is None:
        raise Missing
    return question


def _report(
    request: HttpRequest, membership: Membership, question: QuestionSpec, runs: Sequence[Run]
) -> Kept:
    """With the run that was chosen, else with the newest that answers the question."""
    run = request.GET.get("run") or (str(runs[0].pk) if runs else NEVER)
    asked = {
        "question_key": question.key,
        "uncertain": request.GET.get("uncertain") or Uncertain.CLASS.value,
        "items": request.GET.get("items") or ItemsChoice.ALL.value,
        "slice": request.GET.get("slice") or None,
        "by": request.GET.get("by") or None,
        "run": None if run == NEVER else run,
        "margin": MARGIN,
        "epsilon": EPSILON,
        "real_names": membership.role in LEADS,
    }
    return kept_report(membership.project, Kind.HLP, asked, fresh=request.GET.get("fresh") == "1")


def _chosen(report: Json) -> dict[str, str]:
    chosen = {
        name: report[name] for name in ("question", "uncertain", "items", "slice", "by") if report[name]
    }
    return chosen if report["run"] is None else {**chosen, "run": str(report["run"]["id"])}


# --- In words -----------------------------------------------------------------------------------------


def _share(figure: Json) -> str:
    ends = percent_interval(figure)
    return f"{percent(figure['value'])} ({ends})" if ends else percent(figure["value"])


def _spread(figure: Json) -> str:
    ends = interval(figure)
    return f"{decimal(figure['value'])} ({ends})" if ends else decimal(figure["value"])


def headline(report: Json) -> str:
    """The answer in one or two sentences: the people's own figure, then what the run is beside it."""
    figure = report[report["headline"]]
    if figure["value"] is None:
        reason = REASONS.get(figure["reason"], figure["reason"])
        people = _("Cannot tell yet how good people are: %(reason)s.") % {"reason": reason}
    elif report["headline"] == "gold":
        people = _("People are right on %(share)s of items with gold.") % {"share": _share(figure)}
    else:
        people = _("Two people give the same answer on %(share)s of items.") % {"share": _share(figure)}
    return people if report["model"] is None else f"{people} {verdict(report)}"


def _why(report: Json) -> str:
    """Why this figure and not another speaks for the people."""
    n = report["gold"]["n_items"]
    reason = report["headline_reason"]
    if reason == "gold":
        words = ngettext(
            "The truth is known from elsewhere for %(n)d item, so people are held against gold.",
            "The truth is known from elsewhere for %(n)d items, so people are held against gold.",
            n,
        )
        return words % {"n": n}
    if reason == "too_little_gold":
        words = ngettext(
            "Only %(n)d item with answers has gold; from %(wanted)d on, people are held against gold. Until then "
            "they are held against each other.",
            "Only %(n)d items with answers have gold; from %(wanted)d on, people are held against gold. Until "
            "then they are held against each other.",
            n,
        )
        return words % {"n": n, "wanted": GOLD_WANTED}
    if reason == "no_overlap":
        return _("No item has answers of two people, so only the items with gold say how good people are.")
    return _(
        "No item with answers has gold, so people are held against each other: where people decide what is "
        "right, nothing else can tell how good they are."
    )


def verdict(report: Json) -> str:
    """Where the run stands, in one sentence."""
    model = report["model"]
    words = {
        "run": f"“{report['run']['name']}”",
        "by": _spread(model["difference"]),
        "margin": decimal(model["margin"]),
    }
    if model["imitates_majority"]:
        return _("%(run)s imitates the majority: not above human.") % words
    if model["verdict"] == "above":
        return _("%(run)s is above people, by %(by)s.") % words
    if model["verdict"] == "below":
        return _("%(run)s is below people; the difference is %(by)s.") % words
    if model["verdict"] == "at":
        return _("%(run)s is as good as people: the difference, %(by)s, is within ±%(margin)s.") % words
    n = model["n_used"]
    if n == 0:
        return _("%(run)s says nothing about the items that people answered here.") % words
    sentence = ngettext(
        "Whether %(run)s is as good as people cannot be told from %(n)d item",
        "Whether %(run)s is as good as people cannot be told from %(n)d items",
        n,
    ) % {**words, "n": n}
    return f"{sentence}{_more(model['needed'])}."


def _more(needed: int | None) -> str:
    if not needed:
        return ""
    words = ngettext("; about %s more item would tell", "; about %s more items would tell", needed)
    return words % f"{needed:,}"


def verdict_word(row: Json) -> str:
    """The verdict on one part of the items, short."""
    word = str(WORDS[row["verdict"]])
    return f"{word}{_more(row['needed'])}" if row["verdict"] == "cannot_tell" else word


def _steps(membership: Membership, report: Json, runs: Sequence[Run]) -> list[dict[str, str]]:
    """At most three things to do next; what this reader may not do is left out."""
    slug = membership.project.slug
    leads = membership.role in LEADS
    importing = reverse("import_new", args=[slug])
    steps: list[tuple[str, str]] = []
    if report["n_annotations"] == 0:
        steps.append((_("Label"), reverse("label", args=[slug])))
    elif report["between_humans"]["value"] is None and leads:
        steps.append((_("Ask for more than one answer per item"), reverse("project_settings", args=[slug])))
    if not runs and leads and report["n_annotations"]:
        steps.append((_("Import a model's predictions"), f"{importing}?kind=predictions"))
    if report["headline_reason"] in {"no_gold", "too_little_gold"} and leads and report["n_annotations"]:
        steps.append((_("Import gold, if the truth is known"), f"{importing}?kind=gold"))
    if report["between_humans"]["value"] is not None:
        split = f"{reverse('items', args=[slug])}?disagreement_min=0.5"
        steps.append((_("Look at the items on which people split"), split))
    return [{"label": label, "url": url} for label, url in steps[:3]]


def _controls(
    membership: Membership, schema: Schema, question: QuestionSpec, report: Json, runs: Sequence[Run]
) -> list[Json]:
    """The choices of the form above the report; what offers no choice is left out."""
    groups = [("", _("no parts")), (BATCH, _("batches"))]
    groups += [(f"{META}{key}", key) for key in meta_keys(membership.project)]
    models = [(NEVER, _("none")), *((str(run.pk), run.name) for run in runs)] if runs else []
    controls: list[tuple[str, str, list[tuple[Any, Any]], str]] = [
        (
            "question",
            _("Question"),
            [(spec.key, spec.title or spec.key) for spec in schema.questions],
            report["question"],
        ),
        ("run", _("Model"), models, NEVER if report["run"] is None else str(report["run"]["id"])),
        ("items", _("Items"), list(ItemsChoice.choices), report["items"]),
    ]
    if any(spec.uncertain for spec in question.classes):
        controls.append(
            ("uncertain", _("Uncertain answers count"), list(Uncertain.choices), report["uncertain"])
        )
    if report["model"] is not None:
        controls.append(("by", _("Parts of the items"), groups, report["by"] or ""))
    return [
        {"name": name, "label": label, "options": options, "chosen": chosen}
        for name, label, options, chosen in controls
        if len(options) > 1
    ]


# --- In pictures --------------------------------------------------------------------------------------


def _people_scores(report: Json) -> list[Json]:
    """What people reach, and what nobody can exceed; figures without a value are left out."""
    ceiling = report["ceiling"]
    rows = [
        (_("A person against gold"), report["gold"]),
        (_("Two people, the same answer"), report["between_humans"]),
        (_("A person against the others"), report["leave_one_out"]),
        (_("Ceiling, from below"), ceiling["split_half"]),
        (_("Ceiling, estimated"), ceiling["posterior"]),
        (_("Ceiling, from above"), ceiling["plug_in"]),
    ]
    return [{"name": name, "figure": figure} for name, figure in rows if figure["value"] is not None]


def _people_rows(report: Json) -> list[Json]:
    gold = {row["id"]: row["score"] for row in report["gold"]["annotators"]}
    others = {row["id"]: row["score"] for row in report["leave_one_out"]["annotators"]}
    rows = [{"name": name, "gold": gold.get(name), "others": others.get(name)} for name in {**gold, **others}]
    rows.sort(key=lambda row: -max(score["n_items"] for score in (row["gold"], row["others"]) if score))
    return rows[:MOST_ROWS]


def _model_pictures(report: Json) -> Json:
    model, name = report["model"], _short(report["run"]["name"])
    rule, worth = model["majority_rule"], model["worth_labelers"]
    parts = {
        "classes": [(row["class"] or _("(empty)"), row) for row in model["per_class"]],
        "groups": [(row["group"] or _("(empty)"), row) for row in model["per_group"]],
    }
    return {
        "beside": [
            {"name": name, "figure": model["score"]},
            {"name": _("People, same items"), "figure": model["human"]},
            *(
                [
                    {"name": _("Only the majority's habits"), "figure": rule["rule"]},
                    {"name": _("Always the commonest class"), "figure": rule["constant"]},
                ]
                if model["reference"] == "between_humans"
                else []
            ),
        ],
        "ahead": [
            {"name": _("All items"), "figure": model["difference"]},
            {
                "name": _("Items people agree on"),
                "figure": model["split_items"]["on_clear"]["difference"],
            },
            {
                "name": _("Items people split on"),
                "figure": model["split_items"]["on_split"]["difference"],
            },
        ],
        "worth_words": _worth_words(worth),
        "worth_rows": [
            {
                "name": _("the most frequent class")
                if point["k"] == 0
                else ngettext("%d person", "majority of %d people", point["k"]) % point["k"],
                "figure": point["score"],
            }
            for point in worth["curve"]
        ],
        "split_words": _split_words(model),
        "parts": {
            key: {
                "rows": [
                    {"name": word, "figure": row["difference"], "row": row, "word": verdict_word(row)}
                    for word, row in rows[:MOST_ROWS]
                ],
                "plotted": [
                    {"name": _short(word), "figure": row["difference"]} for word, row in rows[:MOST_PLOTTED]
                ],
            }
            for key, rows in parts.items()
            if rows
        },
        "tests": [
            {
                "epsilon": f"{model[key]['epsilon']:g}",
                "words": _test_words(model[key]),
                "people": model[key]["people"][:MOST_ROWS],
            }
            for key in ("alt_test", "alt_test_strict")
        ],
        "beaten_words": _beaten_words(model["humans_beaten"]),
    }


def _short(name: str) -> str:
    """A name as it fits beside a number on a phone."""
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


def _worth_words(worth: Json) -> str:
    most: int | None = worth["more_than"]
    if worth["value"] is None and most is not None:
        words = ngettext(
            "The model is worth more than %d labeler, which is as far as these answers reach.",
            "The model is worth more than %d labelers, which is as far as these answers reach.",
            most,
        )
        return words % most
    if worth["value"] is None:
        return _("How many labelers the model is worth cannot be told yet.")
    value = decimal(worth["value"], 1)
    if not worth["ci"]:
        return _("The model is worth %(n)s labelers.") % {"n": value}
    low, high = worth["ci"]
    ends = {"n": value, "low": decimal(low, 1), "high": decimal(high, 1)}
    if high is None:
        return _("The model is worth %(n)s labelers (%(low)s, or more than the data can show).") % ends
    return _("The model is worth %(n)s labelers (%(low)s to %(high)s).") % ends


def _split_words(model: Json) -> str:
    share = model["split_item_share"]
    if share is None or share["value"] is None:
        return ""
    words = _("%(share)s of the model's lead comes from items on which people split.") % {
        "share": _share(share)
    }
    if model["reference"] == "gold":  # gold says who is right there, so a lead is one
        return words
    warning = (
        _("It imitates the majority there, which does not make the answers better.")
        if model["imitates_majority"]
        else _("To be ahead there can be imitation of the majority, which does not make the answers better.")
    )
    return f"{words} {warning}"


def _test_words(test: Json) -> str:
    words = {"epsilon": f"{test['epsilon']:g}"}
    if test["passed"] is None:
        sentence = _(
            "With ε = %(epsilon)s it cannot be told: fewer than two people have 30 items in common with others."
        )
        return sentence % words
    words |= {"rate": percent(test["winning_rate"]), "advantage": percent(test["advantage"])}
    if test["passed"]:
        sentence = _(
            "With ε = %(epsilon)s the model replaces %(rate)s of the people: the test is passed. On average it does "
            "at least as well as the person on %(advantage)s of the items."
        )
    else:
        sentence = _(
            "With ε = %(epsilon)s the model replaces %(rate)s of the people: half are needed, so the test is not "
            "passed. On average it does at least as well as the person on %(advantage)s of the items."
        )
    return sentence % words


def _beaten_words(beaten: Json) -> str:
    if not beaten["n"]:
        return _("Nobody shares enough items with the others and the model to be compared one by one.")
    words = ngettext(
        "Of %(n)d person with enough items the model surely beats %(beaten)d.",
        "Of %(n)d people with enough items the model surely beats %(beaten)d.",
        beaten["n"],
    )
    return words % {"n": beaten["n"], "beaten": beaten["n_beaten"]}
