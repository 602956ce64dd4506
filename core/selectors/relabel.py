"""Items that were sent out again: who is left to answer them, and what came of it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from core.choices import ItemState, Pass, Role
from core.exceptions import Invalid
from core.models import Annotation, Answer, Batch, Item, Membership, Project, Relabel, RelabelItem
from core.selectors.overlap import deciding_question
from core.selectors.question import QuestionSpec

MOST_ITEMS = 2000
MOST_ERRORS = 50
AGAIN = Q(item__done__gt=F("done_before"))  # somebody has answered since


def items_named(project: Project, names: object) -> list[int]:
    """The keys of items by their ids in files, in the same order, each once.

    Raises Invalid ``bad-items`` or ``unknown-item``.
    """
    if not isinstance(names, Sequence) or isinstance(names, str) or not 1 <= len(names) <= MOST_ITEMS:
        raise Invalid("bad-items", f"items lists the ids of 1 to {MOST_ITEMS:,} items.")
    if not all(isinstance(name, str) for name in names):
        raise Invalid("bad-items", "The id of an item is a text.")
    known = dict(Item.objects.filter(project=project, external_id__in=names).values_list("external_id", "pk"))
    errors = [
        {
            "pointer": f"/items/{place}",
            "code": "unknown-item",
            "detail": f"The project has no item {name[:80]!r}.",
        }
        for place, name in enumerate(names)
        if name not in known
    ]
    if errors:
        detail = "Some of these items are not here; nothing was changed."
        raise Invalid("unknown-item", detail, errors=errors[:MOST_ERRORS])
    return list(dict.fromkeys(known[name] for name in names))


def people_left(project: Project, items: Collection[Item]) -> dict[int, int]:
    """How many people could still answer each of the items.

    Who labels: annotators, and whoever else has answered something; not those who have reached their cap, and of
    a batch given to named people only those.
    """
    people = Membership.objects.filter(project=project, active=True, user__isnull=False)
    people = people.filter(Q(role=Role.ANNOTATOR) | Q(answered__gt=0))
    people = people.filter(Q(cap=None) | Q(cap__gt=F("answered")))
    pools = {item.pool for item in items if item.pool}
    named = dict(
        Batch.objects.filter(pk__in=pools)
        .values_list("pk")
        .annotate(n=Count("members", Q(members__in=people)))
    )
    answered = dict(_answered_by(items, people).values_list("item").annotate(n=Count("pk")))
    everybody = people.count()
    return {
        item.pk: (named.get(item.pool, 0) if item.pool else everybody) - answered.get(item.pk, 0)
        for item in items
    }


def _answered_by(items: Collection[Item], people: QuerySet[Membership]) -> QuerySet[Annotation]:
    """First answers to the items' current version, of those of the people who may have the item."""
    mine = Batch.members.through.objects.filter(
        batch=OuterRef("item__pool"), membership=OuterRef("annotator")
    )
    return (
        Annotation.objects.filter(item__in=items, annotator__in=people, current=True, voided=False, repeat=1)
        .filter(Q(item__pool=0) | Exists(mine), item_version=F("item__version"))
        .order_by()
    )


@dataclass(frozen=True, slots=True)
class RelabelProgress:
    """How far a queue is: its items, by what became of them.

    ``answered`` were answered again, ``waiting`` were not yet, and ``dropped`` will not be (withdrawn or corrected).
    Of those answered, by majority of the certain answers to ``question``: ``kept`` have the label that they had,
    ``changed`` have another, and ``tied`` have none, because the answers are even. All three are None in a project
    without a question of kind single or scale.
    """

    relabel: Relabel
    question: str | None
    items: int
    answered: int
    waiting: int
    dropped: int
    kept: int | None
    changed: int | None
    tied: int | None


def relabels_of(project_id: int) -> QuerySet[Relabel]:
    """A project's relabel queues, newest first."""
    return Relabel.objects.filter(project=project_id).select_related("created_by").order_by("-pk")


def progress_of_relabels(project: Project, relabels: Iterable[Relabel]) -> list[RelabelProgress]:
    """What became of each of these queues, in their order."""
    shown = list(relabels)
    question = deciding_question(project)
    rows = RelabelItem.objects.filter(relabel__in=shown).order_by("pk")
    waits = Q(item__state=ItemState.OPEN, item__extra__gt=0) & ~AGAIN
    counted = (
        rows.order_by()
        .values_list("relabel")
        .annotate(n=Count("pk"), answered=Count("pk", AGAIN), waiting=Count("pk", waits))
    )
    counts = {pk: (n, answered, waiting) for pk, n, answered, waiting in counted}
    became = _what_became(question, rows, {one.pk: one for one in shown}) if question else {}
    told = []
    for one in shown:
        n, answered, waiting = counts.get(one.pk, (0, 0, 0))
        found = became.get(one.pk, Counter())
        told.append(
            RelabelProgress(
                relabel=one,
                question=question.key if question else None,
                items=n,
                answered=answered,
                waiting=waiting,
                dropped=n - answered - waiting,
                kept=found["kept"] if question else None,
                changed=found["changed"] if question else None,
                tied=found["tied"] if question else None,
            )
        )
    return told


def _what_became(
    question: QuestionSpec, rows: QuerySet[RelabelItem], relabels: dict[int, Relabel]
) -> dict[int, Counter[str]]:
    """How many of the items that were answered again have the same label, another or none, by queue."""
    reads = {pk: spec.id for pk, spec in question.reads.items() if not spec.uncertain}
    answered = rows.filter(AGAIN)
    answers = Answer.objects.filter(
        question_id=question.id,
        annotation__item__in=answered.values("item"),
        annotation__item_version=F("annotation__item__version"),
        annotation__current=True,
        annotation__voided=False,
        annotation__repeat=1,
        annotation__pass_kind=Pass.NORMAL,
        label_class__in=list(reads),
    ).order_by()
    given: defaultdict[int, list[tuple[datetime, int]]] = defaultdict(list)
    for item, at, label in answers.values_list("annotation__item", "annotation__created_at", "label_class"):
        given[item].append((at, reads[label]))
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for relabel, item in answered.values_list("relabel", "item"):
        sent = relabels[relabel].created_at
        before = _majority(label for at, label in given[item] if at < sent)
        after = _majority(label for _at, label in given[item])
        found[relabel]["tied" if after is None else "kept" if after == before else "changed"] += 1
    return found


def _majority(labels: Iterable[int]) -> int | None:
    """The label that most say; None without one, and where several are even."""
    most = Counter(labels).most_common(2)
    return most[0][0] if most and (len(most) == 1 or most[0][1] > most[1][1]) else None
