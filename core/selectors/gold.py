"""The gold of a project: how much there is and where it comes from, what could become gold, and what looks wrong."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from core.choices import ItemState, Pass, QuestionKind, Role
from core.models import (
    Annotation,
    Answer,
    Gold,
    GuidelineExample,
    Item,
    Membership,
    Project,
    Resolution,
    Review,
)
from core.selectors.disagreement import READ_CLASS
from core.selectors.gold_accuracy import Value, gold_values, said_values, shown_value
from core.selectors.progress import progress_of
from core.selectors.question import QuestionSpec, Schema, schema_of

FEWEST_SAID = 3
MOST_AGREEING = 0.2  # where fewer of the certain answers say what gold says, gold is doubtful
AT_ONCE = 5000


# --- What there is --------------------------------------------------------------------------------------


def gold_of_project(project: Project) -> QuerySet[Gold]:
    """All gold with its items, in the order in which the items came in; that of withdrawn items included."""
    rows = Gold.objects.filter(item__project=project)
    return rows.select_related("item", "question", "resolution__settled_by").order_by("pk")


def gold_on(item: Item, question_id: int) -> Gold | None:
    """The gold of an item for one question, if there is any."""
    rows = Gold.objects.filter(item=item, question=question_id)
    return rows.select_related("item", "question", "resolution__settled_by").first()


def gold_shown(project: Project, rows: Sequence[Gold]) -> dict[int, Any]:
    """What these rows say, by their ids, as the API says a value."""
    schema = schema_of(project)
    values = gold_values(schema, {row.item_id for row in rows})
    questions = {question.id: question for question in schema.questions}
    return {
        row.pk: shown_value(questions[row.question_id], values[row.item_id][row.question_id])
        for row in rows
        if row.question_id in values.get(row.item_id, {})
    }


@dataclass(frozen=True, slots=True)
class GoldOfQuestion:
    """How many items have gold for a question: known from outside, and confirmed by an expert.

    ``classes`` counts them by the class that gold is read as, the uncertain ones included; empty where the question
    has no classes. ``without`` names the classes that a person can be sure of and that no gold has, once there is any.
    """

    question: QuestionSpec
    outside: int
    confirmed: int
    classes: tuple[tuple[str, int], ...] = ()
    without: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """All of them."""
        return self.outside + self.confirmed


def gold_by_question(project: Project) -> list[GoldOfQuestion]:
    """Every question with its gold, that of withdrawn items left out."""
    rows = Gold.objects.filter(item__project=project).exclude(item__state=ItemState.WITHDRAWN).order_by()
    counted: dict[int, tuple[int, int]] = {}
    for question, n, confirmed in rows.values_list("question").annotate(
        n=Count("pk"), of=Count("resolution")
    ):
        counted[question] = (n - confirmed, confirmed)
    single = rows.exclude(label_class=None).values_list("label_class").annotate(n=Count("pk"))
    ticked = rows.exclude(label_classes=None).values_list("label_classes").annotate(n=Count("pk"))
    said: Counter[int] = Counter()
    for class_id, n in [*single, *ticked]:
        said[class_id] += n
    return [
        GoldOfQuestion(
            question,
            *counted.get(question.id, (0, 0)),
            *_by_class(question, said, has_any=question.id in counted),
        )
        for question in schema_of(project).questions
    ]


def _by_class(
    question: QuestionSpec, said: Counter[int], *, has_any: bool
) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    if not question.is_choice:
        return (), ()
    read: Counter[int] = Counter()
    for class_id, spec in question.reads.items():
        read[spec.id] += said[class_id]
    without = [spec.name for spec in question.classes if has_any and not spec.uncertain and not read[spec.id]]
    return tuple((spec.name, read[spec.id]) for spec in question.classes), tuple(without)


@dataclass(frozen=True, slots=True)
class Supply:
    """Whether there is enough gold: ``usable`` items can be handed out as gold, about ``needed`` would be.

    ``needed`` is what one person would get at the project's rate, by the time that everything is labeled; nobody gets
    the same gold twice. ``examples`` are open items with gold that some version of the guideline shows: what people can
    read is never handed out as gold.
    """

    usable: int
    needed: int
    examples: int = 0


def supply_of(project: Project) -> Supply:
    """How much gold there is for the hand-outs, and how much the rate asks for."""
    known = Gold.objects.filter(item__project=project, item__state=ItemState.OPEN)
    shown = known.filter(Exists(GuidelineExample.objects.filter(item=OuterRef("item"))))
    n_known, examples = (rows.values("item").distinct().count() for rows in (known, shown))
    people = Membership.objects.filter(project=project, active=True, user__isnull=False)
    n_people = people.filter(role=Role.ANNOTATOR).count() or people.count()
    items = progress_of(project.pk).items
    each = min(items, items * project.overlap / max(1, n_people))
    rate = float(project.gold_rate)
    others = max(0.01, 1 - rate - float(project.retest_rate))
    return Supply(n_known - examples, ceil(each * rate / others), examples)


def is_example(item: Item) -> bool:
    """Whether any version of the guideline shows the item; all of them can be read."""
    return GuidelineExample.objects.filter(item=item).exists()


# --- What could become gold -----------------------------------------------------------------------------


def candidates_of(project: Project) -> QuerySet[Resolution]:
    """Items that somebody settled and marked for gold, that no gold was made of yet, oldest first."""
    made = Gold.objects.filter(resolution=OuterRef("pk"))
    rows = Resolution.objects.filter(
        ~Exists(made),
        item__project=project,
        current=True,
        gold_candidate=True,
        item_version=F("item__version"),
    ).exclude(item__state=ItemState.WITHDRAWN)
    return rows.select_related("item", "question", "settled_by__project").order_by("pk")


def rests_on_one(membership: Membership, item: Item, resolution: Resolution | None = None) -> bool:
    """Whether an item's gold would be just what this person answered: nobody else answered, settled or reviewed it."""
    answers = Annotation.objects.filter(item=item, item_version=item.version, current=True, voided=False)
    answers = answers.exclude(pass_kind__in=[Pass.TRAINING, Pass.TRIAL])
    if set(answers.values_list("annotator_id", flat=True)) != {membership.pk}:
        return False
    if resolution is None:
        return True
    reviews = Review.objects.filter(item=item, item_version=item.version, question=resolution.question_id)
    reviews = reviews.exclude(answered_at=None).exclude(reviewer=membership)
    return resolution.settled_by_id == membership.pk and not reviews.exists()


# --- What looks wrong -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DoubtfulGold:
    """Gold that nearly everybody contradicts: ``agreeing`` of ``n`` certain answers say it, most say ``instead``."""

    gold: Gold
    question: QuestionSpec
    value: Any
    agreeing: int
    n: int
    instead: Any
    n_instead: int


def doubtful_gold(project: Project) -> list[DoubtfulGold]:
    """Gold of choice questions that at most one in five of three or more certain answers agrees with, worst first.

    Counted are everybody's newest first answers, in normal and gold passes, to the item as it is now. Equal ones are
    in the order of the items' ids.
    """
    schema = Schema(tuple(spec for spec in schema_of(project).questions if spec.is_choice))
    several = [spec.id for spec in schema.questions if spec.kind == QuestionKind.MULTIPLE]
    wanted = Q(pk__in=_contradicted(project)) | Q(question__in=several)
    rows = gold_of_project(project).exclude(item__state=ItemState.WITHDRAWN).filter(wanted)
    held = {(gold.item_id, gold.question_id): gold for gold in rows}
    items = sorted({item for item, _question in held})
    found: list[DoubtfulGold] = []
    for start in range(0, len(items), AT_ONCE):
        found += _doubtful(schema, held, items[start : start + AT_ONCE])
    found.sort(key=lambda one: (one.agreeing / one.n, -one.n, one.gold.item.external_id, one.question.id))
    return found


def _contradicted(project: Project) -> list[int]:
    """The ids of gold that says one class, of which the database counts that it is doubtful."""
    gold = "annotation__item__gold"
    answers = Answer.objects.filter(
        annotation__in=_counted(),
        annotation__item__project=project,
        label_class__uncertain=False,
        **{f"{gold}__question": F("question"), f"{gold}__label_class__isnull": False},
    )
    true = Coalesce(f"{gold}__label_class__merged_into_id", f"{gold}__label_class_id")
    agreeing = Count("pk", filter=Q(read=F("true")))
    counted = (
        answers.annotate(read=READ_CLASS, true=true)
        .values(gold)
        .order_by()
        .annotate(n=Count("pk"), agreeing=agreeing)
    )
    doubtful = counted.filter(n__gte=FEWEST_SAID, agreeing__lte=F("n") * MOST_AGREEING)
    return list(doubtful.values_list(gold, flat=True))


def _counted() -> QuerySet[Annotation]:
    return Annotation.objects.filter(
        current=True,
        voided=False,
        suggested=False,
        repeat=1,
        pass_kind__in=[Pass.NORMAL, Pass.GOLD],
        item_version=F("item__version"),
    )


def _doubtful(
    schema: Schema, held: dict[tuple[int, int], Gold], items: Collection[int]
) -> Iterable[DoubtfulGold]:
    truth = gold_values(schema, items)
    given = _counted().filter(item__in=items)
    item_of = dict(given.order_by().values_list("pk", "item_id"))
    said: defaultdict[tuple[int, int], Counter[Value]] = defaultdict(Counter)
    for annotation, values in said_values(schema, given).items():
        for question, value in values.items():
            said[item_of[annotation], question][value] += 1
    for spec in schema.questions:
        unsure = {one.id for one in spec.classes if one.uncertain}
        for item in items:
            votes = said.get((item, spec.id))
            if votes is None or (item, spec.id) not in held:
                continue
            certain = {value: n for value, n in votes.items() if not _overlaps(value, unsure)}
            n, value = sum(certain.values()), truth[item][spec.id]
            agreeing = certain.pop(value, 0)
            if n < FEWEST_SAID or agreeing > MOST_AGREEING * n:
                continue
            instead = max(certain, key=lambda one: (certain[one], str(shown_value(spec, one))))
            yield DoubtfulGold(
                held[item, spec.id],
                spec,
                shown_value(spec, value),
                agreeing,
                n,
                shown_value(spec, instead),
                certain[instead],
            )


def _overlaps(value: Value, classes: Collection[int]) -> bool:
    return isinstance(value, frozenset) and not value.isdisjoint(classes)


def settled_comments(items: Collection[int], longest: int) -> dict[int, str]:
    """What was said when these items were settled as their gold: a first draft of an explanation, cut to a length."""
    rows = Gold.objects.filter(item__in=items).exclude(resolution=None).exclude(resolution__comment="")
    said: defaultdict[int, list[str]] = defaultdict(list)
    for item, comment in rows.order_by("question").values_list("item_id", "resolution__comment"):
        said[item].append(comment.strip())
    return {item: "\n".join(comments)[:longest] for item, comments in said.items()}
