"""The answers of one question as columns of integers: what the agreement report is computed from.

Millions of answers pass here, so nothing becomes a Python object on the way where the database can send
packed columns instead (PostgreSQL) or the driver can fill an array row by row (SQLite).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, ExtractMonth, ExtractYear

from core.choices import SUGGESTED_KINDS, AuditPart, ItemsChoice, ItemState, Pass, QuestionKind, RelabelTo
from core.models import Annotation, Answer, AnswerChoice, Gold, Item, ItemTag, Project, Tag
from core.selectors.meta import MetaText
from core.selectors.packed import packed
from core.selectors.question import QuestionSpec, fold

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Grouping = Literal["guideline", "batch", "month"]

NONE_TICKED = ""
SEPARATOR = "|"
LONGEST_GROUP = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """Which answers a report rests on.

    ``slice`` is one key of the metadata and its value, as text; ``tag`` is a tag that items must have. Answers that
    were given with a model's suggestion in sight are left out unless ``suggested``: they are labels, but say nothing of
    how far people agree by themselves.
    """

    repeat: int = 1
    items: str = ItemsChoice.ALL
    slice: tuple[str, str] | None = None
    by: Grouping | None = None
    tag: int | None = None
    suggested: bool = False


ALL_LABELS = Scope(suggested=True)


@dataclass(frozen=True)
class AnswerColumns:
    """One row per answer. ``label`` counts from 0 and stands for ``names[label]``.

    ``values`` are the numbers behind the labels of a number question, else None. ``uncertain`` says of
    each label whether it means "I cannot tell". ``group`` is None unless the scope asks for groups.
    ``sets`` are the places of the ticked classes behind the labels of a question of several, else None.
    """

    item: Ints
    annotator: Ints
    label: Ints
    names: tuple[str, ...]
    uncertain: Bools
    values: Floats | None = None
    group: Ints | None = None
    group_names: dict[int, str] = field(default_factory=dict)
    sets: tuple[tuple[int, ...], ...] | None = None

    def __len__(self) -> int:
        return int(self.item.size)

    def keep(self, mask: Bools) -> "AnswerColumns":
        """Only the answers where the mask is true; labels keep their codes."""
        group = None if self.group is None else self.group[mask]
        return replace(
            self, item=self.item[mask], annotator=self.annotator[mask], label=self.label[mask], group=group
        )


def answer_columns(
    project: Project, question: QuestionSpec, scope: Scope, among: QuerySet[Item] | None = None
) -> AnswerColumns:
    """Current answers of the items' current version that count between annotators: normal passes only.

    ``among`` narrows them to some items.
    """
    answers = counted_answers(project, question, scope)
    if among is not None:
        answers = answers.filter(annotation__item__in=among)
    return _columns(answers, question, scope)


def repeated_columns(project: Project, question: QuestionSpec, scope: Scope) -> AnswerColumns:
    """What people answered the second time, in a normal or a retest pass."""
    again = replace(scope, repeat=2, by=None)
    twice = _in_scope(project, question, again).filter(_COMPARABLE)
    if not _takes_all(question, scope):
        twice = twice.filter(annotation__suggested=False)
    return _columns(twice, question, again)


def n_left_to_repeats(project: Project, question: QuestionSpec, scope: Scope) -> int:
    """Answers that belong to the comparison of people with themselves, not to this report."""
    answers = _answers(project, question, scope).filter(_COMPARABLE)
    return answers.exclude(annotation__pass_kind=Pass.NORMAL, annotation__repeat=scope.repeat).count()


_COMPARABLE = Q(annotation__pass_kind__in=[Pass.NORMAL, Pass.RETEST])


def _answers(project: Project, question: QuestionSpec, scope: Scope) -> QuerySet[Answer]:
    answers = Answer.objects.filter(
        question_id=question.id,
        annotation__current=True,
        annotation__voided=False,
        annotation__annotator__project=project,
    ).exclude(Exists(_without_it()))
    if scope.items == ItemsChoice.AUDIT:
        answers = answers.exclude(annotation__item__audit=AuditPart.NONE)
    elif scope.items == ItemsChoice.SELECTED:
        answers = answers.filter(annotation__item__audit=AuditPart.NONE)
    if scope.slice is not None:
        key, value = scope.slice
        answers = answers.alias(slice_value=MetaText("annotation__item__meta", key)).filter(slice_value=value)
    if scope.tag is not None:
        answers = answers.filter(annotation__item__item_tags__tag=scope.tag)
    return answers.order_by()


def _without_it() -> QuerySet[Item]:
    """The item of an answer if the answer is to an earlier version, or the item is withdrawn.

    Such items are few and have an index of their own (an item of version 1 has no earlier one), so that a report
    does not join all items, which are wide.
    """
    withdrawn = Q(state=ItemState.WITHDRAWN)
    return Item.objects.filter(
        Q(version__gt=1) | withdrawn,
        withdrawn | ~Q(version=OuterRef("annotation__item_version")),
        pk=OuterRef("annotation__item_id"),
    )


def _in_scope(project: Project, question: QuestionSpec, scope: Scope) -> QuerySet[Answer]:
    return _answers(project, question, scope).filter(annotation__repeat=scope.repeat)


def counted_answers(project: Project, question: QuestionSpec, scope: Scope) -> QuerySet[Answer]:
    """The answers that count between annotators, as answer_columns takes them.

    Whoever was asked by name with the others' label in sight did not answer independently of them.
    """
    alone = Q(annotation__relabel__isnull=True) | Q(annotation__relabel__blind=True)
    alone |= ~Q(annotation__relabel__to=RelabelTo.NAMED)
    answers = _in_scope(project, question, scope).filter(alone, annotation__pass_kind=Pass.NORMAL)
    return answers if _takes_all(question, scope) else answers.filter(annotation__suggested=False)


def _takes_all(question: QuestionSpec, scope: Scope) -> bool:
    """Whether no answer is left out for a suggestion: texts, numbers and ticks are never suggested."""
    return scope.suggested or question.kind not in SUGGESTED_KINDS


def n_suggested(project: Project, question: QuestionSpec, scope: Scope) -> int:
    """Answers that the report leaves out because a model's suggestion was in sight."""
    if _takes_all(question, scope) or not _with_suggestion(project).exists():
        return 0
    shown = counted_answers(project, question, replace(scope, suggested=True))
    return shown.filter(annotation__in=_with_suggestion(project)).count()


def _with_suggestion(project: Project) -> QuerySet[Annotation]:
    return Annotation.objects.filter(
        annotator__in=project.memberships.all(), suggestion__isnull=False, suggested=True
    )


READ_TEXT = Coalesce("standard", "text")  # what a text answer is read as
_VALUE_COLUMN = {
    QuestionKind.SINGLE: "label_class_id",
    QuestionKind.SCALE: "label_class_id",
    QuestionKind.MULTIPLE: "pk",
    QuestionKind.NUMBER: "number",
    QuestionKind.TEXT: "read_text",
}
_CREATED = Coalesce("annotation__answered_at", "annotation__created_at")
_GROUP = {
    "guideline": F("annotation__guideline__number"),
    "batch": F("annotation__item__batch__number"),
    "month": ExtractYear(_CREATED) * 100 + ExtractMonth(_CREATED),
}


def _columns(answers: QuerySet[Answer], question: QuestionSpec, scope: Scope) -> AnswerColumns:
    columns = ["annotation__item_id", "annotation__annotator_id", _VALUE_COLUMN[QuestionKind(question.kind)]]
    kinds = ["i8", "i8", "f8" if question.kind == QuestionKind.NUMBER else "i8"]
    if scope.by is not None:
        answers = answers.annotate(group_value=_GROUP[scope.by])
        columns.append("group_value")
        kinds.append("i8")
    if question.kind == QuestionKind.TEXT:
        answers = answers.annotate(read_text=READ_TEXT)
    rows = answers.values_list(*columns)
    if question.kind == QuestionKind.TEXT:
        item, annotator, value, *group = _text_columns(rows, len(columns))
    else:
        item, annotator, value, *group = packed(rows, kinds)
    order = _by_item(item, annotator)
    if order is not None:
        item, annotator, group = item[order], annotator[order], [column[order] for column in group]
        value = [value[place] for place in order.tolist()] if isinstance(value, list) else value[order]
    label, names, uncertain, values, sets = _labels(answers, question, value)
    return AnswerColumns(
        item=item,
        annotator=annotator,
        label=label,
        names=names,
        uncertain=uncertain,
        values=values,
        group=group[0] if group else None,
        group_names=_group_names(scope, group[0]) if group else {},
        sets=sets,
    )


def _by_item(item: Ints, annotator: Ints) -> Ints | None:
    """The order of the rows by item, then person; None where they are in it.

    A database gives rows in any order, and sums of rounded numbers differ in their last digit with it: the same
    answers are to give the same report to the byte. Nearly sorted rows, as they come, are sorted in one pass.
    """
    key = item * (int(annotator.max(initial=0)) + 1) + annotator
    return None if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")


def _text_columns(rows: QuerySet[Answer, tuple[Any, ...]], width: int) -> list[Any]:
    columns: list[list[Any]] = [list(column) for column in zip(*rows.iterator(10_000), strict=True)]
    item, annotator, text, *group = columns or [[] for _ in range(width)]
    return [np.array(column, dtype=np.int64) for column in (item, annotator)] + [
        text,
        *(np.array(column, dtype=np.int64) for column in group),
    ]


def _labels(
    answers: QuerySet[Answer], question: QuestionSpec, value: Any
) -> tuple[Ints, tuple[str, ...], Bools, Floats | None, tuple[tuple[int, ...], ...] | None]:
    """Codes, their names, which of them are uncertain, and the numbers or the sets of classes behind them."""
    if question.kind == QuestionKind.NUMBER:
        numbers, label = np.unique(value, return_inverse=True)
        names = tuple(number_name(number) for number in numbers.tolist())
        return label.astype(np.int64), names, np.zeros(len(names), dtype=np.bool_), numbers, None
    if question.kind == QuestionKind.TEXT:
        return *_coded([collapsed(text) for text in value]), None, None
    if question.kind == QuestionKind.MULTIPLE:
        label, names, uncertain, sets = _set_labels(answers, question, value)
        return label, names, uncertain, None, sets
    names = tuple(spec.name for spec in question.classes)
    uncertain = np.array([spec.uncertain for spec in question.classes], dtype=np.bool_)
    return _places(question.places, value), names, uncertain, None, None


def number_name(number: float) -> str:
    """A number as people write it: 5, not 5.0."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)  # noqa: PLR2004


def collapsed(text: str) -> str:
    """A text with every run of blanks as one space, and none at its ends."""
    return " ".join(text.split())


def read_text(question: QuestionSpec, text: str | None) -> str:
    """What a text that stands outside of answers is read as (an answer's is kept with it, see READ_TEXT)."""
    return question.standard_form(text or "") or collapsed(text or "")


def _places(place_of: dict[int, int], column: Ints) -> Ints:
    """The place of each entry of a column of ids (all are known)."""
    known = np.array(sorted(place_of), dtype=np.int64)
    place = np.array([place_of[pk] for pk in known.tolist()], dtype=np.int64)
    return place[np.searchsorted(known, column)] if known.size else column


def _coded(texts: Iterable[str]) -> tuple[Ints, tuple[str, ...], Bools]:
    codes: dict[str, int] = {}
    label = np.array([codes.setdefault(text, len(codes)) for text in texts], dtype=np.int64)
    return label, tuple(codes), np.zeros(len(codes), dtype=np.bool_)


def _set_labels(
    answers: QuerySet[Answer], question: QuestionSpec, answer_ids: Ints
) -> tuple[Ints, tuple[str, ...], Bools, tuple[tuple[int, ...], ...]]:
    """Every set of ticked classes that occurs is one label; one with an uncertainty class is uncertain."""
    ticked = AnswerChoice.objects.filter(answer__in=answers.values("pk")).values_list(
        "answer_id", "label_class_id"
    )
    place = question.places
    sets: defaultdict[int, set[int]] = defaultdict(set)
    for answer_id, class_id in ticked.iterator(10_000):
        sets[answer_id].add(place[class_id])
    codes: dict[tuple[int, ...], int] = {}
    label = [codes.setdefault(tuple(sorted(sets.get(pk, ()))), len(codes)) for pk in answer_ids.tolist()]
    names = tuple(set_name([question.classes[number].name for number in chosen]) for chosen in codes)
    uncertain = [any(question.classes[number].uncertain for number in chosen) for chosen in codes]
    return np.array(label, dtype=np.int64), names, np.array(uncertain, dtype=np.bool_), tuple(codes)


def set_name(names: Iterable[str]) -> str:
    """How a set of classes is written in one cell."""
    return SEPARATOR.join(names) or NONE_TICKED


def _group_names(scope: Scope, group: Ints) -> dict[int, str]:
    present = np.unique(group).tolist()
    if scope.by == "month":
        return {number: f"{number // 100:04}-{number % 100:02}" for number in present}
    return {number: str(number) for number in present}


def tag_named(project: Project, name: str) -> int | None:
    """The tag of this name, whatever its case or Unicode form."""
    return Tag.objects.filter(project=project, name_key=fold(name)).values_list("pk", flat=True).first()


@dataclass(frozen=True)
class ItemGroups:
    """Which items are in which group, one row each; an item can be in several.

    ``group`` is a place in ``names``, which are cut at LONGEST_GROUP characters.
    """

    names: tuple[str, ...]
    item: Ints
    group: Ints


def meta_groups(project: Project, key: str) -> ItemGroups:
    """Items by the value of one key of their metadata; those without it are in no group."""
    items = Item.objects.filter(project=project).annotate(value=MetaText("meta", key))
    return _item_groups(items.exclude(value__isnull=True).order_by("pk").values_list("value", "pk"))


def tag_groups(project: Project) -> ItemGroups:
    """Items by their tags."""
    tagged = ItemTag.objects.filter(tag__project=project).order_by("item_id", "tag_id")
    return _item_groups(tagged.values_list("tag__name", "item_id"))


def _item_groups(rows: QuerySet[Any, tuple[str, int]]) -> ItemGroups:
    codes: dict[str, int] = {}
    pairs = [(codes.setdefault(name, len(codes)), item) for name, item in rows.iterator(10_000)]
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return ItemGroups(tuple(name[:LONGEST_GROUP] for name in codes), columns[:, 1], columns[:, 0])


@dataclass(frozen=True)
class GoldColumns:
    """One row per item with gold; ``label`` uses the codes of the answers' names, extended where needed."""

    item: Ints
    label: Ints
    names: tuple[str, ...]


def has_gold(project: Project, question: QuestionSpec) -> bool:
    """Whether any item has gold for this question."""
    return Gold.objects.filter(question_id=question.id, item__project=project).exists()


def gold_columns(
    project: Project, question: QuestionSpec, scope: Scope, names: tuple[str, ...]
) -> GoldColumns:
    """The gold of the items in scope, in the codes of ``names``."""
    gold = Gold.objects.filter(question_id=question.id, item__project=project)
    gold = gold.exclude(item__state=ItemState.WITHDRAWN).order_by("item_id")  # for _by_item's reason
    if scope.items == ItemsChoice.AUDIT:
        gold = gold.exclude(item__audit=AuditPart.NONE)
    elif scope.items == ItemsChoice.SELECTED:
        gold = gold.filter(item__audit=AuditPart.NONE)
    if scope.slice is not None:
        key, value = scope.slice
        gold = gold.alias(slice_value=MetaText("item__meta", key)).filter(slice_value=value)
    if scope.tag is not None:
        gold = gold.filter(item__item_tags__tag=scope.tag)
    codes = {name: number for number, name in enumerate(names)}
    items, labels = [], []
    for item_id, name in _gold_names(gold, question):
        items.append(item_id)
        labels.append(codes.setdefault(name, len(codes)))
    return GoldColumns(np.array(items, dtype=np.int64), np.array(labels, dtype=np.int64), tuple(codes))


def _gold_names(gold: QuerySet[Gold], question: QuestionSpec) -> Iterable[tuple[int, str]]:
    if question.kind == QuestionKind.NUMBER:
        return [(item, number_name(number or 0.0)) for item, number in gold.values_list("item_id", "number")]
    if question.kind == QuestionKind.TEXT:
        return [(item, read_text(question, text)) for item, text in gold.values_list("item_id", "text")]
    place = question.places
    if question.kind != QuestionKind.MULTIPLE:
        pairs = gold.values_list("item_id", "label_class_id")
        return [
            (item, question.classes[place[class_id]].name) for item, class_id in pairs if class_id is not None
        ]
    sets: defaultdict[int, set[int]] = defaultdict(set)
    for item, class_id in gold.values_list("item_id", "label_classes"):
        sets[item] |= {place[class_id]} if class_id is not None else set()
    return [
        (item, set_name([question.classes[number].name for number in sorted(chosen)]))
        for item, chosen in sets.items()
    ]
