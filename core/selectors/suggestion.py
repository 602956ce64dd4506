"""What a run suggests to annotators beside an item, and what that does to their answers."""

import hmac
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Min, OuterRef, QuerySet

from core.choices import AuditPart, Pass, QuestionKind, RunKind
from core.models import Annotation, Item, Lease, Prediction, Project, Run
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.run import runs_of

Json = dict[str, Any]
SUGGESTED_KINDS = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE})


def runs_to_suggest(project: Project) -> QuerySet[Run]:
    """The runs that may be suggested, newest first: those that say something of items outside the audit slice.

    What was spread to near neighbours is left out: it is about items without a label only, so that a suggestion
    would tell that an item is no repeat.
    """
    said = Prediction.objects.filter(
        run=OuterRef("pk"),
        question__in=[spec.id for spec in suggested_questions(project)],
        item__audit=AuditPart.NONE,
    )
    return runs_of(project.pk).exclude(kind=RunKind.SPREAD).filter(Exists(said))


def suggested_questions(project: Project) -> list[QuestionSpec]:
    """The questions of which an answer can be suggested: those with one class as their answer."""
    return [spec for spec in schema_of(project).questions if spec.kind in SUGGESTED_KINDS]


def suggestions(project: Project, items: Collection[Item]) -> dict[int, Json]:
    """What the project's run has to say of these items, by their ids: ``{"run", "shown", "answers", "probability"}``.

    ``answers`` and ``probability`` are by question key; a run without probabilities is taken to be sure. It hangs on
    the item alone, never on its pass: items of the audit slice have nothing, so that estimates rest on people's own
    answers, and ``shown`` is false for the share that is withheld, drawn by hash. One statement, none where nothing
    is suggested.
    """
    if project.suggestion_run_id is None:
        return {}
    open_to = {item.pk: item.version for item in items if item.audit == AuditPart.NONE}
    questions = {spec.id: spec for spec in suggested_questions(project)}
    # Asked also where all items are of the audit slice: the time of a reply tells nothing.
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


def shown_on(lease: Lease) -> Json | None:
    """What the annotator sees of a lease's suggestion: nothing where it is withheld, or there is none."""
    if lease.suggestion is None or not lease.suggestion["shown"]:
        return None
    return {key: lease.suggestion[key] for key in ("run", "answers", "probability")}


@dataclass(frozen=True, slots=True)
class Arm:
    """Of how many items the first answer was what the run says, of ``n``."""

    taken: int
    n: int


def arms(run: Run, question: QuestionSpec) -> dict[bool, Arm]:
    """First answers to items of which the run had something to say: with its suggestion in sight, and withheld.

    One answer of each item, the first that was given, so that the items are independent of each other.
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
    counts = {True: [0, 0], False: [0, 0]}
    rows = Annotation.objects.filter(pk__in=firsts).values_list("suggested", "suggestion")
    for suggested, told in rows.iterator(2_000):
        taken = (told or {}).get("taken", {}).get(question.key)
        if taken is not None:
            counts[suggested][0] += taken
            counts[suggested][1] += 1
    return {suggested: Arm(*found) for suggested, found in counts.items()}
