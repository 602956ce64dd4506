"""Choosing what to label next: what can be learnt, the rounds with their picks, and the items as arrays."""

import operator
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Case, Count, F, Func, IntegerField, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from core.choices import AuditPart, ItemState, JobKind, JobState, Lane, QuestionKind, Strategy
from core.exceptions import Missing
from core.models import Gold, Item, Job, Pick, Project, Selection, SelectionPart
from core.selectors.features import tie_of_name
from core.selectors.job import unfinished_jobs
from core.selectors.packed import packed
from core.selectors.question import QuestionSpec, Schema, schema_of

LEARNT_KINDS = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE})
SHARD = 65536  # ids that the features of one shard have between them
LEAST_CLASSES = 2


def learnable(question: QuestionSpec) -> bool:
    """Whether a model can learn it: one class per item, of two at least that are not uncertain."""
    certain = [spec for spec in question.classes if not spec.uncertain]
    return question.kind in LEARNT_KINDS and len(certain) >= LEAST_CLASSES


def learnable_questions(project: Project, schema: Schema | None = None) -> list[QuestionSpec]:
    """The questions that a model can learn, the one that items are chosen for first."""
    specs = [spec for spec in (schema or schema_of(project)).questions if learnable(spec)]
    return sorted(specs, key=lambda spec: spec.id != project.selection_question_id)


def learnable_question(project: Project, schema: Schema | None = None) -> QuestionSpec | None:
    """The question that items are chosen for: the one that was set, else the first that can be learnt."""
    return next(iter(learnable_questions(project, schema)), None)


# --- Rounds -----------------------------------------------------------------------------------------


def rounds_of(project: Project) -> QuerySet[Selection]:
    """All rounds, the newest first, those that failed among them; without their heavy columns."""
    rounds = Selection.objects.filter(project=project).select_related("job", "run", "question", "feature_set")
    return rounds.defer("predicted", "run__metrics", "run__parameters", "feature_set__basis").order_by(
        "-number"
    )


def round_of(project: Project, number: int) -> Selection:
    """One round. Raises Missing."""
    found = rounds_of(project).filter(number=number).first()
    if found is None:
        raise Missing
    return found


def in_queue(project_id: int) -> QuerySet[Selection]:
    """The round whose picks are in the queue now (at most one)."""
    return Selection.objects.filter(project=project_id, applied_at__isnull=False, ended_at=None)


def picks_of(selection: Selection) -> QuerySet[Pick]:
    """What a round chose, in the order of the queue."""
    return Pick.objects.filter(selection=selection).select_related("item").order_by("order")


def picks_of_item(item: Item) -> QuerySet[Pick]:
    """The rounds in which an item was chosen, the newest first."""
    return Pick.objects.filter(item=item).select_related("selection").order_by("-selection__number")


def queue_left(project: Project) -> int:
    """How many picks of the present round still have a place to give."""
    waiting = Pick.objects.filter(selection__in=in_queue(project.pk), item__state=ItemState.OPEN)
    return waiting.filter(item__lane=Lane.PICKED, item__free__gt=0).count()


def choosing(project: Project) -> Job | None:
    """The job that chooses now, or waits to."""
    return unfinished_jobs(project.pk).filter(kind=JobKind.SELECT).first()


def has_pool(project: Project) -> bool:
    """Whether there is any item that may be picked; to label again, any that has an answer."""
    waits = Q(free__gt=0, done=0) & ~Q(lane=Lane.RETURNED)
    if project.selection_strategy == Strategy.LABEL_AGAIN:
        waits |= Q(done__gt=0, audit=AuditPart.NONE)
    items = Item.objects.filter(waits, project=project, leased=0, state=ItemState.OPEN)
    return items.order_by().exists()


@dataclass(frozen=True, slots=True)
class Attempts:
    """The rounds of a project so far, as it matters for when to begin the next one.

    ``last`` is the newest round that was to go into the queue, ``age`` the seconds since its job ended, ``seconds``
    how long that took, ``failures`` how many rounds up to it failed one after another.
    """

    last: Selection | None
    age: float
    seconds: float
    failures: int


def attempts_of(project: Project) -> Attempts:
    """Rounds that only looked do not count."""
    newest = list(rounds_of(project).filter(apply=True).annotate(now=Now())[:8])
    if not newest:
        return Attempts(None, 0.0, 0.0, 0)
    last = newest[0]
    failures = 0
    for one in newest:
        if one.job is None or one.job.state != JobState.FAILED:
            break
        failures += 1
    began, ended = last.created_at, last.created_at
    if last.job is not None:
        began, ended = last.job.started_at or began, last.job.finished_at or ended
    return Attempts(last, (last.now - ended).total_seconds(), (ended - began).total_seconds(), failures)


def selection_of(job: Job) -> Selection:
    """The round that a job or a part of one is about."""
    rounds = Selection.objects.select_related("project", "question", "feature_set", "run", "created_by")
    return rounds.defer("predicted", "feature_set__basis").get(pk=job.arguments["selection"])


def plan_of(selection: Selection) -> bytes | None:
    """What the round's parts are scored with, once that is known."""
    content = (
        SelectionPart.objects.filter(selection=selection, number=0).values_list("content", flat=True).first()
    )
    return None if content is None else bytes(content)


def scored_parts(selection: Selection) -> dict[int, bytes]:
    """What the parts that are done came to, by their number from 1."""
    parts = SelectionPart.objects.filter(selection=selection, number__gt=0)
    return {number: bytes(content) for number, content in parts.values_list("number", "content")}


def rounds_before(selection: Selection, count: int, *, fewer: int = 0) -> list[Selection]:
    """The rounds of the same question before this one that came to an end, the newest first.

    With ``fewer`` only those whose models learnt from so many labels fewer at least.
    """
    rounds = Selection.objects.filter(
        project=selection.project_id, question=selection.question_id, number__lt=selection.number, apply=True
    )
    if fewer:
        rounds = rounds.filter(n_labels__lte=selection.n_labels - fewer)
    return list(rounds.filter(applied_at__isnull=False).order_by("-number")[:count])


# --- Items as arrays --------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """Items whose ids are from ``low`` to ``high``, and how many there are."""

    low: int
    high: int
    n: int


def stretches_of(project: Project) -> list[Stretch]:
    """The project's items cut at the bounds of shards: at most a shard's number of items in each.

    Shards that other projects have most of are put together.
    """
    shard = Func(
        F("pk"), Value(SHARD), arg_joiner=" / ", template="(%(expressions)s)", output_field=IntegerField()
    )
    counted = Item.objects.filter(project=project).order_by().annotate(shard=shard).values_list("shard")
    found: list[Stretch] = []
    for number, n in sorted(counted.annotate(n=Count("pk"))):
        low, high = number * SHARD, number * SHARD + SHARD - 1
        if found and found[-1].n + n <= SHARD:
            found[-1] = Stretch(found[-1].low, high, found[-1].n + n)
        else:
            found.append(Stretch(low, high, n))
    return found


def pool_size(project: Project, *, again: bool) -> int:
    """About how many items may be picked, outside the audit slice; with those that may be answered again."""
    items = Item.objects.filter(project=project, state=ItemState.OPEN, audit=AuditPart.NONE, leased=0)
    fresh = Q(free__gt=0, done=0) & ~Q(lane=Lane.RETURNED)
    return items.filter(fresh | Q(done__gt=0) if again else fresh).count()


STREAM, HOLDOUT = 1, 2
_BITS = (1, 2, 4, 8, 16)
_CONDITIONS = (
    Q(state=ItemState.OPEN, leased=0),
    Q(free__gt=0, done=0) & ~Q(lane=Lane.RETURNED),
    Q(done__gt=0),
    Q(audit=AuditPart.STREAM),
    Q(audit=AuditPart.HOLDOUT),
)


def _marks() -> Combinable:
    """The conditions that hold for an item, a bit each: one word comes from the server, and not six columns."""
    bits = [Case(When(one, then=bit), default=0) for one, bit in zip(_CONDITIONS, _BITS, strict=True)]
    return reduce(operator.add, bits)


PLACE = np.dtype(
    [
        ("item", "i8"),
        ("version", "i4"),
        ("tie", "u8"),
        ("part", "i1"),
        ("untouched", "?"),
        ("answered", "?"),
        ("known", "?"),
    ]
)


def places_in(project: Project, question_id: int, low: int, high: int) -> npt.NDArray[np.void]:
    """One row (PLACE) per item of these ids that is not withdrawn.

    ``part`` is the part of the audit slice (0: none). ``untouched`` items may be picked: they are open with places to
    give and without gold, and nobody has answered them, holds them or has given them back (what came back is handed
    out before any pick). ``answered`` ones may be answered again. ``known`` says that people have answered or there
    is gold.
    """
    gold = Gold.objects.filter(question=question_id, item__project=project, item__gte=low, item__lte=high)
    has_gold = np.fromiter(gold.values_list("item_id", flat=True), dtype=np.int64)
    items = Item.objects.filter(project=project, pk__gte=low, pk__lte=high)
    items = items.exclude(state=ItemState.WITHDRAWN).order_by()
    rows = items.values_list("pk", "version", "external_id", _marks())
    item, version, name, marks = packed(rows, ["i8", "i8", "text", "i8"])
    known = np.isin(item, has_gold)
    here, waits, answered, stream, held = ((marks & bit) > 0 for bit in _BITS)
    here &= ~known
    places = np.empty(item.size, dtype=PLACE)
    places["item"], places["version"] = item, version
    places["tie"] = np.fromiter(map(tie_of_name, name), dtype=np.uint64, count=name.size)
    places["part"] = STREAM * stream + HOLDOUT * held
    places["untouched"], places["answered"], places["known"] = here & waits, here & answered, answered | known
    return places
