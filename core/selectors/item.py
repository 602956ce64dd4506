"""Reads of items and batches: the filtered list, one item with everything known about it."""

from collections.abc import Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.sql.compiler import SQLCompiler

from core.access import LEADS, Action, role_may
from core.choices import ItemState, Pass, QuestionKind
from core.exceptions import Invalid, Missing
from core.models import Annotation, Answer, Asset, Batch, Gold, Item, Membership
from core.selectors.agreement import read_text
from core.selectors.annotation import answers_of
from core.selectors.lease import in_hand
from core.selectors.meta import MetaText
from core.selectors.pseudonym import pseudonym
from core.selectors.question import schema_of
from core.selectors.tag import items_tagged

# What a list may be filtered by; a name that ends in a dot stands for all that begin with it.
FILTERS = frozenset({"state", "batch", "tag", "meta.", "q", "disagreement_min", "uncertain", "flagged"})
LATER = frozenset({"split"})
LONGEST_QUERY = 200
LONGEST_KEY = 200
TELL_GOLD = (Pass.GOLD, Pass.TRAINING)
FINISHED = Q(state=ItemState.OPEN, free=0, leased=0, done__gt=0)
STATES: Mapping[str, Q] = {
    "open": Q(state=ItemState.OPEN) & ~FINISHED,
    "done": FINISHED,
    "with_lead": Q(state=ItemState.WITH_LEAD),
    "withdrawn": Q(state=ItemState.WITHDRAWN),
}


def items_of(project_id: int, filters: Mapping[str, str]) -> QuerySet[Item]:
    """A project's items in the order in which they came in. Raises Invalid for a filter that is not understood."""
    items = Item.objects.filter(project_id=project_id).select_related("batch").order_by("pk")
    items = items.prefetch_related("item_tags__tag")
    for name, value in filters.items():
        items = items.filter(_condition(project_id, name, value))
    return items


def _condition(project_id: int, name: str, value: str) -> Q | Exists | Func | RawSQL:
    if name.startswith("meta.") and len(name) <= LONGEST_KEY:
        return Q(MetaEquals(name.removeprefix("meta."), value))
    if name == "state":
        return _state(value)
    if name == "batch":
        if not (value.isascii() and value.isdigit()) or len(value) > 9:  # noqa: PLR2004 -- a number of the column's kind
            raise Invalid("bad-filter", "batch is the number of a batch")
        return Q(batch__number=int(value), batch__project=project_id)
    if name == "tag":
        if not value or len(value) > LONGEST_QUERY:
            raise Invalid("bad-filter", "tag is the name of a tag")
        return Q(pk__in=items_tagged(project_id, value))
    if name == "q":
        if not value or len(value) > LONGEST_QUERY:
            raise Invalid("bad-filter", f"q is a text of 1 to {LONGEST_QUERY} characters")
        return Q(external_id=value) | Q(DataContains(value))
    if name == "disagreement_min":
        return _disagreement(_share(value))
    if name == "uncertain":
        return _uncertain(wanted=_flag(name, value))
    if name == "flagged":
        return Q(flags__gt=0) if _flag(name, value) else Q(flags=0)
    raise Invalid("unknown-filter", f"There is no filter {name[:60]!r} here")


def _state(value: str) -> Q:
    if value not in STATES:
        raise Invalid("bad-filter", f"state is one of {', '.join(STATES)}")
    return STATES[value]


def _flag(name: str, value: str) -> bool:
    if value not in {"0", "1", "false", "true"}:
        raise Invalid("bad-filter", f"{name} is true or false")
    return value in {"1", "true"}


def _share(value: str) -> float:
    digits = value.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(value) > 12 or not 0 <= float(value) <= 1:  # noqa: PLR2004 -- more digits say nothing
        raise Invalid("bad-filter", "disagreement_min is a number from 0 to 1")
    return float(value)


def _uncertain(*, wanted: bool) -> Q:
    unsure = Exists(
        Answer.objects.filter(
            annotation__item=OuterRef("pk"),
            annotation__item_version=OuterRef("version"),
            annotation__current=True,
            annotation__voided=False,
            label_class__uncertain=True,
        )
    )
    return Q(unsure) if wanted else ~Q(unsure)


def _disagreement(least: float) -> RawSQL:
    """Items with a question on which at least this share of the pairs of first answers differ."""
    return RawSQL(
        """
        EXISTS (SELECT 1 FROM (
            SELECT x.question_id, COALESCE(c.merged_into_id, c.id), count(*) AS n
            FROM core_annotation a JOIN core_answer x ON x.annotation_id = a.id
            JOIN core_labelclass c ON c.id = x.label_class_id
            WHERE a.item_id = core_item.id AND a.item_version = core_item.version AND a."current"
                AND NOT a.voided AND a.repeat = 1 AND a.pass_kind = 'normal'
            GROUP BY x.question_id, COALESCE(c.merged_into_id, c.id)) AS votes
        GROUP BY question_id HAVING sum(n) > 1
            AND 1.0 - 1.0 * (sum(n * n) - sum(n)) / (sum(n) * (sum(n) - 1)) >= %s - 1e-9)
        """,
        (least,),
        output_field=BooleanField(),
    )


class MetaEquals(Func):
    """Whether one key of an item's metadata has this value, compared as text."""

    template = "%(expressions)s"
    arg_joiner = " = "
    output_field = BooleanField()
    conditional = True

    def __init__(self, key: str, value: str) -> None:
        super().__init__(MetaText("meta", key), Value(value))


class DataContains(Func):
    """Whether some text or number in an item's data contains a text, whatever its case.

    PostgreSQL searches the document as text, so names of fields are found too; SQLite may have stored
    letters as escapes and looks into every value.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, wanted: str) -> None:
        super().__init__(F("data"))
        self.wanted = wanted

    def as_postgresql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 -- called by Django
        **context: Any,  # noqa: ARG002
    ) -> tuple[str, tuple[Any, ...]]:
        """As a text search; quotes and backslashes stand escaped in the document."""
        field, params = compiler.compile(self.source_expressions[0])
        wanted = self.wanted.replace("\\", "\\\\").replace('"', '\\"')
        return f"CAST({field} AS text) ILIKE %s", (*params, _pattern(wanted))

    def as_sqlite(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 -- called by Django
        **context: Any,  # noqa: ARG002
    ) -> tuple[str, tuple[Any, ...]]:
        """Value by value."""
        field, params = compiler.compile(self.source_expressions[0])
        sql = f"EXISTS (SELECT 1 FROM json_tree({field}) WHERE atom LIKE %s ESCAPE '\\')"  # noqa: S608 -- a column's name
        return sql, (*params, _pattern(self.wanted))


def _pattern(wanted: str) -> str:
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _whole_items(project_id: int) -> QuerySet[Item]:
    items = Item.objects.filter(project_id=project_id).select_related("batch", "project")
    return items.prefetch_related("item_tags__tag")


def item_of(project_id: int, item_id: int) -> Item:
    """One item of a project with its batch. Raises Missing."""
    item = _whole_items(project_id).filter(pk=item_id).first()
    if item is None:
        raise Missing
    return item


def item_named(project_id: int, external_id: str) -> Item:
    """One item of a project by the id that files use. Raises Missing."""
    item = _whole_items(project_id).filter(external_id=external_id).first()
    if item is None:
        raise Missing
    return item


def item_line(item: Item) -> dict[str, Any]:
    """An item as lists tell it."""
    return {
        "id": item.external_id,
        "version": item.version,
        "state": "done" if is_done(item) else item.state,
        "data": item.data,
        "meta": item.meta,
        "batch": item.batch.number,
        "row": item.row,
        "target": item.target,
        "done": item.done,
        "leased": item.leased,
        "free": item.free,
        "skips": item.skips,
        "flags": item.flags,
        "tags": tag_names(item),
        "audit": item.audit or None,
    }


def tag_names(item: Item) -> list[str]:
    """The tags of an item, in the order of their names."""
    tags = sorted((one.tag for one in item.item_tags.all()), key=lambda tag: tag.name_key)
    return [tag.name for tag in tags]


def is_done(item: Item) -> bool:
    """Whether it has all the people it wants."""
    return item.state == ItemState.OPEN and not item.free and not item.leased and item.done > 0


def item_document(item: Item, reader: Membership, *, may_read_labels: bool = True) -> dict[str, Any]:
    """One item with where it came from, what it was before, what people answered, noted and know.

    Leads see names, reviewers pseudonyms and nothing of gold. Whoever holds the item for labeling sees no
    answers, gold or notes until they have answered (``hidden_because`` is ``held``), and neither does a
    token without a scope for labels (``scope``).
    """
    hidden = "held" if holds(reader, item) else "" if may_read_labels else "scope"
    versions = item.versions.order_by("version")
    return {
        **item_line(item),
        "provenance": {
            "batch": item.batch.number,
            "file_name": item.batch.name,
            "file_hash": item.batch.file_hash,
            "row": item.row,
            "imported_at": item.created_at,
        },
        "versions": [
            {"version": old.version, "data": old.data, "meta": old.meta, "replaced_at": old.created_at}
            for old in versions
        ],
        "hidden_because": hidden or None,
        "annotations": [] if hidden else [_annotation(one, reader) for one in history_of(item, reader)],
        "gold": {} if hidden or not reads_gold(reader) else gold_of(item),
        "notes": [] if hidden else _notes(item, reader),
    }


def shown_name(member: Membership, reader: Membership) -> str:
    """What a reader may call somebody: leads by name, others by pseudonym except themselves."""
    if reader.role in LEADS or member.pk == reader.pk:
        return member.name
    return pseudonym(reader.project, member.pk)


def _notes(item: Item, reader: Membership) -> list[dict[str, Any]]:
    flags = item.flagged.filter(resolved_at=None).select_related("annotator").order_by("pk")
    return [
        {
            "annotator": shown_name(flag.annotator, reader),
            "note": flag.note,
            "broken": flag.broken,
            "at": flag.created_at,
        }
        for flag in flags
    ]


def reads_gold(reader: Membership) -> bool:
    """Whether somebody may know which items have gold. Who may not is handed gold themselves."""
    return role_may(reader.role, Action.GOLD_READ)


def told_to(reader: Membership, path: str = "") -> Q:
    """The annotations and leases, found along ``path``, that somebody may know of.

    The passes that only items with gold get would tell them, and so would a count of the others: who may not know
    gold sees of these passes their own only, which ``pass_told`` calls normal.
    """
    if reads_gold(reader):
        return Q()
    return ~Q(**{f"{path}pass_kind__in": TELL_GOLD}) | Q(**{f"{path}annotator": reader})


def pass_told(pass_kind: str, reader: Membership) -> str:
    """The pass as somebody may know it."""
    return Pass.NORMAL if pass_kind == Pass.GOLD and not reads_gold(reader) else pass_kind


def history_of(item: Item, reader: Membership) -> QuerySet[Annotation]:
    """Every annotation of an item that the reader may know of, all versions and revisions, oldest first."""
    return (
        Annotation.objects.filter(told_to(reader), item=item)
        .select_related("annotator__project", "guideline")
        .prefetch_related("answers__choices")
        .order_by("pk")
    )


def _annotation(annotation: Annotation, reader: Membership) -> dict[str, Any]:
    return {
        "id": annotation.pk,
        "annotator": shown_name(annotation.annotator, reader),
        "answers": answers_of(annotation),
        "item_version": annotation.item_version,
        "pass": pass_told(annotation.pass_kind, reader),
        "repeat": annotation.repeat,
        "revision": annotation.revision,
        "current": annotation.current,
        "complete": annotation.complete,
        "voided": annotation.voided,
        "guideline_version": annotation.guideline.number,
        "comment": annotation.comment,
        "elapsed_ms": annotation.elapsed_ms,
        "created_at": annotation.created_at,
        "answered_at": annotation.answered_at,
        "extra": annotation.extra,
    }


def gold_of(item: Item) -> dict[str, Any]:
    """What is known to be true about an item: question key to value."""
    found: dict[str, Any] = {}
    rows = {
        gold.question_id: gold for gold in Gold.objects.filter(item=item).prefetch_related("label_classes")
    }
    for question in schema_of(item.project).questions:
        gold = rows.get(question.id)
        if gold is None:
            continue
        if question.kind == QuestionKind.MULTIPLE:
            places = sorted({question.places[spec.pk] for spec in gold.label_classes.all()})
            found[question.key] = [question.classes[place].name for place in places]
        elif question.is_choice:
            found[question.key] = question.reads[gold.label_class_id].name if gold.label_class_id else None
        else:
            found[question.key] = read_text(question, gold.text) if gold.number is None else gold.number
    return found


def batches_of(project_id: int) -> QuerySet[Batch]:
    """A project's batches with the people that they were given to."""
    return Batch.objects.filter(project_id=project_id).prefetch_related("members").order_by("number")


def batch_of(project_id: int, number: int) -> Batch:
    """One batch. Raises Missing."""
    batch = batches_of(project_id).filter(number=number).first()
    if batch is None:
        raise Missing
    return batch


def batch_document(batch: Batch) -> dict[str, Any]:
    """A batch as the API tells it."""
    return {
        "number": batch.number,
        "name": batch.name,
        "file_hash": batch.file_hash,
        "n_items": batch.n_items,
        "members": [{"id": member.pk, "name": member.name} for member in batch.members.all()],
        "created_at": batch.created_at,
    }


def asset_of(project_id: int, name: str) -> Asset:
    """One uploaded image by its name. Raises Missing."""
    asset = Asset.objects.filter(project_id=project_id, name=name).first()
    if asset is None:
        raise Missing
    return asset


def assets_of(project_id: int) -> QuerySet[Asset]:
    """A project's uploaded images."""
    return Asset.objects.filter(project_id=project_id).order_by("pk")


def asset_document(asset: Asset) -> dict[str, Any]:
    """An image as the API tells it."""
    return {
        "name": asset.name,
        "content_type": asset.content_type,
        "size": asset.size,
        "sha256": asset.sha256,
        "created_at": asset.created_at,
    }


def holds(membership: Membership, item: Item) -> bool:
    """Whether this person has the item in hand and is to answer it without seeing others' answers."""
    return in_hand(membership).filter(item=item).exists()
