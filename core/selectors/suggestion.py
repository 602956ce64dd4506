"""What a run suggests to annotators beside an item, and what that does to their answers."""

import hmac
from collections import Counter, defaultdict
from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from core.choices import SUGGESTED_KINDS, AuditPart, Pass, RunKind
from core.models import Annotation, Gold, Item, Lease, Prediction, Project, Run
from core.selectors.question import QuestionSpec, Schema, schema_of
from core.selectors.run import runs_of

Json = dict[str, Any]
LEAST_OF_KNOWN = 0.5
MOST_LOOKED = 1_000  # items


def runs_to_suggest(project: Project) -> QuerySet[Run]:
    """The runs that may be suggested, newest first: those that say something of items outside the audit slice.

    They must not tell gold or repeats from other items. A model that was trained here has learnt from both, and is
    surer of them; what was spread to near neighbours is about items without a label only.
    """
    said = Prediction.objects.filter(
        run=OuterRef("pk"),
        question__in=[spec.id for spec in suggested_questions(project)],
        item__audit=AuditPart.NONE,
    )
    return runs_of(project.pk).filter(Exists(said), kind__in=[RunKind.WEAK, RunKind.OUTSIDE])


def tells_known(run: Run) -> bool:
    """Whether it is by far rarer that a run says something of items with answers or gold than of the others.

    Then a suggestion would tell that an item is neither gold nor a repeat. Items of the audit slice have no part.
    """
    items = Item.objects.filter(project=run.project_id, audit=AuditPart.NONE)
    known = Q(done__gt=0) | Exists(Gold.objects.filter(item=OuterRef("pk")))
    said = Exists(Prediction.objects.filter(run=run, item=OuterRef("pk")))
    shares = []
    for part in (items.filter(known), items.filter(~known)):
        n = part.count()
        shares.append(part.filter(said).count() / n if n else None)
    of_known, of_others = shares
    return of_known is not None and of_others is not None and of_known < of_others * LEAST_OF_KNOWN


def suggested_questions(project: Project) -> list[QuestionSpec]:
    """The questions of which an answer can be suggested: those with one class as their answer."""
    return [spec for spec in schema_of(project).questions if spec.kind in SUGGESTED_KINDS]


def suggestions(project: Project, items: Collection[Item]) -> dict[int, Json]:
    """What the project's run has to say of these items, by their ids: ``{"run", "shown", "answers", "probability"}``.

    ``answers`` and ``probability`` are by question key; a run without probabilities is taken to be sure. It hangs on
    the item alone, never on its pass: items of the audit slice have nothing, so that estimates rest on people's own
    answers, nor have those that were sent out for further people; ``shown`` is false for the share that is withheld,
    drawn by hash. One statement, none where nothing is suggested.
    """
    if project.suggestion_run_id is None:
        return {}
    open_to = {item.pk: item.version for item in items if item.audit == AuditPart.NONE and not item.extra}
    questions = {spec.id: spec for spec in suggested_questions(project)}
    # Asked also where none of the items may have any: the time of a reply tells nothing.
    rows = Prediction.objects.filter(
        run=project.suggestion_run_id,
        item__in=[item.pk for item in items],
        question__in=questions,
        label_class__isnull=False,
    ).values_list("item_id", "item_version", "question_id", "label_class_id", "probabilities")
    found: defaultdict[int, Json] = defaultdict(lambda: {"answers": {}, "probability": {}})
    for item, version, question_id, class_id, probabilities in rows:
        question = questions[question_id]
        if open_to.get(item) != version or class_id not in question.reads:
            continue
        sure = _probability(question, class_id, probabilities)
        if sure is None or sure >= project.suggestion_sure:
            found[item]["answers"][question.key] = question.reads[class_id].name
            found[item]["probability"][question.key] = sure
    return {
        item: {"run": project.suggestion_run_id, "shown": not _withheld(project, item), **told}
        for item, told in found.items()
    }


def _probability(
    question: QuestionSpec, class_id: int, probabilities: dict[str, float] | None
) -> float | None:
    """How sure a run is of what a class is read as by now; classes that were merged since are one."""
    if not probabilities:
        return None
    name = question.reads[class_id].name
    same = (
        share
        for pk, share in probabilities.items()
        if int(pk) in question.reads and question.reads[int(pk)].name == name
    )
    return round(min(sum(same), 1.0), 4)


def _withheld(project: Project, item_id: int) -> bool:
    digest = hmac.digest(project.audit_key.encode(), f"suggestion {item_id}".encode(), "sha256")
    return int.from_bytes(digest[:8]) / 2**64 < project.suggestion_withheld


def share_suggested(project: Project, run: Run) -> float | None:
    """Of what share of a run's items outside the audit slice it is sure enough, by 1,000 of them at most; None: of no items."""
    ids = Prediction.objects.filter(run=run, item__audit=AuditPart.NONE).order_by("pk")
    items = list(Item.objects.filter(pk__in=list(ids.values_list("item_id", flat=True)[:MOST_LOOKED])))
    supposed = copy(project)
    supposed.suggestion_run_id = run.pk
    return len(suggestions(supposed, items)) / len(items) if items else None


def shown_on(lease: Lease, schema: Schema) -> Json | None:
    """What the annotator sees of a lease's suggestion: nothing where it is withheld, or there is none.

    Classes are called as they are now.
    """
    if lease.suggestion is None or not lease.suggestion["shown"]:
        return None
    now = {}
    for key, name in lease.suggestion["answers"].items():
        question = schema.question(key)
        spec = question.class_named(name) if question else None
        now[key] = spec.name if spec else name
    return {key: lease.suggestion[key] for key in ("run", "probability")} | {"answers": now}


@dataclass(frozen=True, slots=True)
class Arm:
    """Of how many items the first answer was what the run says, of ``n``."""

    taken: int
    n: int


def arms(run: Run) -> dict[str, dict[bool, Arm]]:
    """First answers to items of which the run had something to say, by question key: with it in sight, and withheld.

    One answer of each item, the first that was given, so that the items are independent of each other. A question that
    was left open counts as not answered so: whether it was asked may hang on what was in sight.
    """
    given = Annotation.objects.filter(
        annotator__in=run.project.memberships.all(),
        suggestion__isnull=False,
        suggestion__run=run.pk,
        revision=1,
        voided=False,
        repeat=1,
    ).exclude(pass_kind__in=[Pass.TRAINING, Pass.TRIAL])
    firsts = given.order_by().values("item_id").annotate(first=Min("pk")).values("first")
    n: Counter[tuple[str, bool, bool]] = Counter()
    rows = Annotation.objects.filter(pk__in=firsts).values_list("suggested", "suggestion")
    for suggested, told in rows.iterator(2_000):
        n.update((key, suggested, taken) for key, taken in (told or {})["taken"].items())
    return {
        key: {
            shown: Arm(n[key, shown, True], n[key, shown, True] + n[key, shown, False])
            for shown in (True, False)
        }
        for key in {key for key, _shown, _taken in n}
    }
