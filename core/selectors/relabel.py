"""Items that were sent out again: which, who is left to answer them, and what came of it."""

import hmac
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, When

from core.choices import (
    AuditPart,
    Doubt,
    ItemState,
    Pass,
    RelabelFor,
    RelabelTo,
    Role,
)
from core.exceptions import Invalid, Missing
from core.models import (
    Annotation,
    Answer,
    AnswerChoice,
    Batch,
    GuidelineVersion,
    Item,
    LabelClass,
    Membership,
    Project,
    Relabel,
    RelabelItem,
    RelabelPlace,
    Validation,
)
from core.selectors.agreement import Scope
from core.selectors.disagreement import Behind, items_behind
from core.selectors.item import items_of
from core.selectors.label_error import errors_of, last_search
from core.selectors.overlap import deciding_question
from core.selectors.question import QuestionSpec, schema_of

MOST_ITEMS = 10_000
MOST_PLACES = 50_000
MOST_DRAWN = 1000
MOST_ERRORS = 50
LEAST = 0.5  # of the pairs of answers differ, where people are said to differ
DRAWN = "drawn"  # the reason kept with an item that was drawn from the audit slice by chance
AGAIN = Q(item__done__gt=F("done_before"))  # somebody has answered since
WAITS = Q(annotation=None, dropped=False)  # of places: no answer has come of it yet


class Skipped(StrEnum):
    """Why an item was not sent out again."""

    NOT_HERE = "not-here"  # the project has no such item
    NOT_OPEN = "not-open"  # withdrawn, or with the lead
    NOT_ANSWERED = "not-answered"  # nobody has answered it yet: it waits for its first answers anyway
    WAITS_ALREADY = "waits-already"  # it was sent out again, and nobody has answered since
    NOBODY_LEFT = "nobody-left"  # nobody whom it could be sent to can answer it


# --- Which items --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items are to be sent out again, as asked for.

    ``ids`` are keys of items; without them the list follows from the source: those that ``filters`` (of selectors.item)
    leave, those on which at least the share ``least`` of the pairs of answers to ``question`` differ, those that were answered
    under a version before ``guideline`` with a class that this version touches, the last look's likely errors of
    the kind ``doubt``, those that somebody could not tell, or the answered items of the batch that the data check
    ``validation`` is of, those that its findings name first. ``most`` bounds the list. ``drawn`` items of the audit slice are
    added by chance, whatever their answers, so that before and after can be compared (see docs/timeline.md).
    """

    ids: Sequence[int] | None = None
    source: RelabelFor = RelabelFor.LIST
    filters: Mapping[str, str] = field(default_factory=dict)
    question: str | None = None
    least: float = LEAST
    guideline: int | None = None
    doubt: Doubt = Doubt.CONFIDENCE
    validation: int | None = None
    most: int = MOST_ITEMS
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Items to send, in order; ``drawn`` of them came by chance. ``left_out`` more were found than are taken."""

    ids: list[int]
    drawn: frozenset[int] = frozenset()
    left_out: int = 0


def items_wanted(membership: Membership, wanted: Wanted) -> Found:
    """The items that are asked for. Raises Invalid: ``bad-least``, ``bad-most``, ``bad-drawn``, ``unknown-guideline``,
    ``guideline-needed``, ``unknown-question``, ``no-search``, ``unknown-validation``, and for a filter that is not
    understood.
    """
    project = membership.project
    if not 1 <= wanted.most <= MOST_ITEMS:
        raise _bad("most", f"most is a whole number from 1 to {MOST_ITEMS:,}.")
    if not 0 <= wanted.drawn <= MOST_DRAWN:
        raise _bad("drawn", f"drawn is a whole number from 0 to {MOST_DRAWN:,}.")
    if not 0 < wanted.least <= 1:
        raise _bad("least", "least is a share above 0, at most 1.")
    ids, total = _listed(membership, wanted)
    drawn = drawn_items(project, wanted.drawn)
    together = list(dict.fromkeys([*drawn, *ids]))
    return Found(together, frozenset(drawn), total - len(ids))


def _bad(name: str, detail: str) -> Invalid:
    row = {"pointer": f"/{name}", "field": name, "code": f"bad-{name}", "detail": detail}
    return Invalid(f"bad-{name}", detail, errors=[row])


def _listed(membership: Membership, wanted: Wanted) -> tuple[list[int], int]:
    """The keys of the items, at most as many as wanted, and how many there are."""
    project = membership.project
    if wanted.ids is not None:
        ids = list(dict.fromkeys(wanted.ids))
        return ids[: wanted.most], len(ids)
    if wanted.source == RelabelFor.AGREEMENT:
        return _split(membership, wanted)
    if wanted.source == RelabelFor.ERRORS:
        search = last_search(project)
        if search is None:
            raise Invalid("no-search", "Nobody has looked for wrong labels yet.")
        return _cut(
            errors_of(search, wanted.doubt).order_by("rank").values_list("item_id", flat=True), wanted
        )
    if wanted.source == RelabelFor.GUIDELINE:
        version = guideline_numbered(project, wanted.guideline)
        return _cut(items_touched(project, version).values_list("pk", flat=True), wanted)
    if wanted.source == RelabelFor.DRIFT and not wanted.filters:
        return _cut(_checked_items(project, wanted.validation), wanted)
    filters = dict(wanted.filters)
    if wanted.source == RelabelFor.UNCERTAIN:
        filters["uncertain"] = "1"
    answered = items_of(project.pk, filters).filter(state=ItemState.OPEN, done__gt=0)
    return _cut(answered.prefetch_related(None).select_related(None).values_list("pk", flat=True), wanted)


def _cut(ids: "QuerySet[Any, int]", wanted: Wanted) -> tuple[list[int], int]:
    return list(ids[: wanted.most]), ids.count()


def checks_of_batches(project: Project) -> QuerySet[Validation]:
    """Data checks of batches that found something, the newest first."""
    found = Validation.objects.filter(project=project, batch__isnull=False).exclude(findings=[])
    return found.defer("profile").select_related("batch").order_by("-pk")


def _checked_items(project: Project, validation_id: int | None) -> "QuerySet[Any, int]":
    """The answered items of the batch that a data check is of: those of its findings, then the others."""
    check = None if validation_id is None else checks_of_batches(project).filter(pk=validation_id).first()
    if check is None:
        detail = "Say which data check of a batch; this one is not here, or found nothing."
        row = {
            "pointer": "/validation",
            "field": "validation",
            "code": "unknown-validation",
            "detail": detail,
        }
        raise Invalid("unknown-validation", detail, errors=[row])
    named = {row for finding in check.findings for row in finding.get("rows", ())}
    items = Item.objects.filter(project=project, batch=check.batch, state=ItemState.OPEN, done__gt=0)
    first = Case(When(row__in=named, then=0), default=1)
    return items.order_by(first, "pk").values_list("pk", flat=True)


def _split(membership: Membership, wanted: Wanted) -> tuple[list[int], int]:
    """The items that people differ on most, from the most split on."""
    schema = schema_of(membership.project)
    question = (
        deciding_question(membership.project) if wanted.question is None else schema.question(wanted.question)
    )
    if question is None and wanted.question is None and schema.questions:
        question = schema.questions[0]
    if question is None:
        raise Invalid("unknown-question", f"There is no question {str(wanted.question)[:60]!r} here.")
    ids: list[int] = []
    cursor = None
    while True:
        page = items_behind(
            membership.project, question, Scope(), Behind(), membership, cursor=cursor, page_size=500
        )
        ids += [one.item.pk for one in page.items if one.share >= wanted.least - 1e-9]
        cursor = page.next_cursor
        last = page.items[-1].share if page.items else 0.0
        if cursor is None or last < wanted.least or len(ids) > wanted.most:
            return ids[: wanted.most], len(ids)


def guideline_numbered(project: Project, number: int | None) -> GuidelineVersion:
    """A version of the guideline. Raises Invalid ``guideline-needed``, ``unknown-guideline``."""
    if number is None:
        row = {"pointer": "/guideline", "field": "guideline", "code": "guideline-needed"}
        detail = "Say which version of the guideline made it necessary."
        raise Invalid("guideline-needed", detail, errors=[{**row, "detail": detail}])
    version = project.guidelines.filter(number=number).first()
    if version is None:
        detail = f"The guideline has no version {number}."
        row = {"pointer": "/guideline", "field": "guideline", "code": "unknown-guideline", "detail": detail}
        raise Invalid("unknown-guideline", detail, errors=[row])
    return version


def items_touched(project: Project, version: GuidelineVersion) -> QuerySet[Item]:
    """Open items answered under an earlier version, with a class that the version touches (all, where it names none)."""
    roots = {merged or pk for pk, merged in version.touches.values_list("pk", "merged_into")}
    earlier = Annotation.objects.filter(
        item=OuterRef("pk"),
        item_version=OuterRef("version"),
        current=True,
        voided=False,
        repeat=1,
        pass_kind=Pass.NORMAL,
        guideline__number__lt=version.number,
    )
    if roots:
        read_so = LabelClass.objects.filter(Q(pk__in=roots) | Q(merged_into__in=roots)).values_list(
            "pk", flat=True
        )
        classes = list(read_so)
        said = Answer.objects.filter(annotation=OuterRef("pk"), label_class__in=classes)
        ticked = AnswerChoice.objects.filter(answer__annotation=OuterRef("pk"), label_class__in=classes)
        earlier = earlier.filter(Exists(said) | Exists(ticked))
    return Item.objects.filter(Exists(earlier), project=project, state=ItemState.OPEN).order_by("pk")


def drawn_items(project: Project, n: int) -> list[int]:
    """``n`` items of the audit slice that two people or more have answered, by chance and whatever they answered.

    In the order of a keyed hash of the item's id and the number of queues so far: it can be drawn again, and not foreseen.
    """
    if n <= 0:
        return []
    rows = Item.objects.filter(project=project, state=ItemState.OPEN, done__gt=1).exclude(
        audit=AuditPart.NONE
    )
    key, queue = project.audit_key.encode(), Relabel.objects.filter(project=project).count()

    def chance(name: str) -> bytes:
        return hmac.digest(key, f"relabel {queue} {name}".encode(), "sha256")

    ordered = sorted((chance(name), pk) for pk, name in rows.order_by().values_list("pk", "external_id"))
    return [pk for _chance, pk in ordered[:n]]


def n_drawable(project: Project) -> int:
    """How many items of the audit slice could be drawn."""
    rows = Item.objects.filter(project=project, state=ItemState.OPEN, done__gt=1)
    return rows.exclude(audit=AuditPart.NONE).count()


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


# --- To whom ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What sending would do: items in order, whom each waits for (empty for ``others``), and what is passed over.

    ``unreachable`` are people who answered and cannot be asked again (they have no account here, or have left): how
    many of the items sent each of them answered.
    """

    items: list[Item]
    people: dict[int, list[int]]
    skipped: dict[int, Skipped]
    unreachable: dict[int, int]

    @property
    def n_places(self) -> int:
        """How many answers are asked for."""
        return sum(map(len, self.people.values())) if self.people else len(self.items)

    @property
    def per_person(self) -> Counter[int]:
        """How many items each person gets (none where anybody else may answer)."""
        return Counter(pk for asked in self.people.values() for pk in asked)


def plan_of(
    project: Project, ids: Sequence[int], items: Mapping[int, Item], to: RelabelTo, members: Collection[int]
) -> Plan:
    """What sending these items would do, given their rows; ``members`` are those named.

    Of the same people, only ``members`` are asked where there are any (those whose rows are locked).
    """
    if to == RelabelTo.OTHERS:
        left = people_left(project, items.values())
        skipped = {pk: why for pk in ids if (why := _why_not(items.get(pk), left))}
        return Plan([items[pk] for pk in ids if pk not in skipped], {}, skipped, {})
    answered = answered_by(items.values())
    reachable = set(reachable_people(project).values_list("pk", flat=True))
    named = set(members) & reachable if members or to == RelabelTo.NAMED else reachable
    waiting = _waiting_for(items.values())
    skipped, people = {}, {}
    unreachable: Counter[int] = Counter()
    for pk in ids:
        why = _not_sendable(items.get(pk))
        if why is None:
            wanted = answered[pk] & named if to == RelabelTo.SAME else named
            if not wanted:
                why = Skipped.NOBODY_LEFT
            elif wanted <= waiting[pk]:
                why = Skipped.WAITS_ALREADY
            else:
                people[pk] = sorted(wanted - waiting[pk])
                if to == RelabelTo.SAME:
                    unreachable.update(answered[pk] - reachable)
        if why is not None:
            skipped[pk] = why
    return Plan([items[pk] for pk in people], people, skipped, dict(unreachable))


def _not_sendable(item: Item | None) -> Skipped | None:
    if item is None:
        return Skipped.NOT_HERE
    if item.state != ItemState.OPEN:
        return Skipped.NOT_OPEN
    return None if item.done else Skipped.NOT_ANSWERED


def _why_not(item: Item | None, left: Mapping[int, int]) -> Skipped | None:
    """Why an item cannot be given to one more person."""
    why = _not_sendable(item)
    if why is not None or item is None:
        return why
    waiting = item.target - item.done
    if item.extra and waiting:
        return Skipped.WAITS_ALREADY
    return Skipped.NOBODY_LEFT if left[item.pk] <= waiting else None


def reachable_people(project: Project) -> QuerySet[Membership]:
    """Members who can be given items by name: active, with an account that works."""
    return Membership.objects.filter(project=project, active=True, user__is_active=True, erased_at=None)


def answered_by(items: Iterable[Item]) -> dict[int, set[int]]:
    """Who has answered each of the items as it is now."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = Annotation.objects.filter(
        item__in=[item.pk for item in items],
        item_version=F("item__version"),
        current=True,
        voided=False,
        repeat=1,
        pass_kind=Pass.NORMAL,
    ).order_by()
    for item, person in rows.values_list("item", "annotator"):
        found[item].add(person)
    return found


def _waiting_for(items: Iterable[Item]) -> dict[int, set[int]]:
    """Whom each of the items waits for already."""
    found: dict[int, set[int]] = defaultdict(set)
    rows = RelabelPlace.objects.filter(WAITS, item__in=[item.pk for item in items]).order_by()
    for item, person in rows.values_list("item", "annotator"):
        found[item].add(person)
    return found


def members_named(project: Project, named: object) -> list[int]:
    """The keys of members who can be given items, by their ids. Raises Invalid ``bad-members``, ``unknown-member``."""
    known = isinstance(named, Sequence) and not isinstance(named, str)
    if not known or not all(isinstance(one, int) and not isinstance(one, bool) for one in named):  # type: ignore[attr-defined]
        raise _bad("members", "members lists the ids of members.")
    wanted = list(dict.fromkeys(named))  # type: ignore[call-overload]
    here = set(reachable_people(project).filter(pk__in=wanted).values_list("pk", flat=True))
    errors = [
        {
            "pointer": f"/members/{place}",
            "code": "unknown-member",
            "detail": f"No active member with an account has the id {pk}.",
        }
        for place, pk in enumerate(wanted)
        if pk not in here
    ]
    if errors:
        raise Invalid("unknown-member", "Some of these people cannot be asked.", errors=errors[:MOST_ERRORS])
    return wanted


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
    """First answers to the items' current version, of those of the people who may have the item; also voided ones,
    whose people are not asked again.
    """
    mine = Batch.members.through.objects.filter(
        batch=OuterRef("item__pool"), membership=OuterRef("annotator")
    )
    return (
        Annotation.objects.filter(item__in=items, annotator__in=people, current=True, repeat=1)
        .filter(Q(item__pool=0) | Exists(mine), item_version=F("item__version"))
        .order_by()
    )


# --- What came of it ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RelabelProgress:
    """How far a queue is: its items, by what became of them.

    ``answered`` were answered again, ``waiting`` were not yet, and ``dropped`` will not be (withdrawn, corrected, or the
    queue was closed). Of those answered, by majority of the certain answers to ``question``: ``kept`` have the label that they had,
    ``changed`` have another, and ``tied`` have none, because the answers are even. All three are None in a project
    without a question of kind single or scale. ``places`` are the answers that were asked for, ``places_answered`` those
    that came; ``drawn`` items came from the audit slice by chance.
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
    places: int
    places_answered: int
    drawn: int


@dataclass(frozen=True, slots=True)
class PersonProgress:
    """How far one person is in a queue of theirs, and how many of their answers to the question are others now."""

    member: Membership
    places: int
    answered: int
    waiting: int
    dropped: int
    changed: int | None


def relabels_of(project_id: int) -> QuerySet[Relabel]:
    """A project's relabel queues, newest first."""
    rows = Relabel.objects.filter(project=project_id).select_related("created_by", "guideline")
    return rows.order_by("-pk")


def relabel_of(project_id: int, relabel_id: int) -> Relabel:
    """One queue of a project; raises Missing."""
    relabel = relabels_of(project_id).filter(pk=relabel_id).first()
    if relabel is None:
        raise Missing
    return relabel


def progress_of_relabels(project: Project, relabels: Iterable[Relabel]) -> list[RelabelProgress]:
    """What became of each of these queues, in their order."""
    shown = list(relabels)
    question = deciding_question(project)
    rows = RelabelItem.objects.filter(relabel__in=shown).order_by("pk")
    answered_again = _answered_again()
    rows = rows.annotate(again=answered_again, waits=_still_waits())
    counted = (
        rows.order_by()
        .values_list("relabel")
        .annotate(
            n=Count("pk"),
            answered=Count("pk", Q(again=True)),
            waiting=Count("pk", Q(again=False, waits=True)),
            by_chance=Count("pk", Q(reason=DRAWN)),
        )
    )
    counts = {pk: counts for pk, *counts in counted}
    places = _places_of(shown)
    became = _what_became(question, rows, {one.pk: one for one in shown}) if question else {}
    told = []
    for one in shown:
        n, answered, waiting, drawn = counts.get(one.pk, (0, 0, 0, 0))
        asked, came = places.get(one.pk, (n, answered))
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
                places=asked,
                places_answered=came,
                drawn=drawn,
            )
        )
    return told


def _own_places() -> QuerySet[RelabelPlace]:
    return RelabelPlace.objects.filter(relabel=OuterRef("relabel"), item=OuterRef("item"))


def _answered_again() -> Q:
    """Of a queue's item: whether somebody has answered it since; where people were named, one of these."""
    theirs = Exists(_own_places().filter(annotation__isnull=False))
    return theirs | (Q(relabel__to=RelabelTo.OTHERS) & AGAIN)


def _still_waits() -> Q:
    """Of a queue's item that nobody has answered since: whether somebody may yet."""
    theirs = Exists(_own_places().filter(WAITS))
    open_place = Q(item__extra__gt=0, item__target__gt=F("item__done"))
    return Q(item__state=ItemState.OPEN) & (theirs | (Q(relabel__to=RelabelTo.OTHERS) & open_place))


def _places_of(relabels: Collection[Relabel]) -> dict[int, tuple[int, int]]:
    """How many places each queue has for certain people, and how many of these were answered."""
    rows = RelabelPlace.objects.filter(relabel__in=relabels).order_by().values_list("relabel")
    counted = rows.annotate(n=Count("pk"), came=Count("pk", Q(annotation__isnull=False)))
    return {pk: (n, came) for pk, n, came in counted}


def people_of_relabel(project: Project, relabel: Relabel) -> list[PersonProgress]:
    """How far everybody is in a queue for certain people, in the order in which they joined."""
    question = deciding_question(project)
    places = RelabelPlace.objects.filter(relabel=relabel).order_by()
    counted = places.values_list("annotator").annotate(
        n=Count("pk"), answered=Count("pk", Q(annotation__isnull=False)), waiting=Count("pk", WAITS)
    )
    counts = {pk: tuple(numbers) for pk, *numbers in counted}
    changed = _changed_answers(question, places) if question else {}
    people = Membership.objects.filter(pk__in=counts).select_related("user", "project").order_by("pk")
    return [
        PersonProgress(
            member=one,
            places=counts[one.pk][0],
            answered=counts[one.pk][1],
            waiting=counts[one.pk][2],
            dropped=counts[one.pk][0] - counts[one.pk][1] - counts[one.pk][2],
            changed=changed.get(one.pk, 0) if question else None,
        )
        for one in people
    ]


def _changed_answers(question: QuestionSpec, places: QuerySet[RelabelPlace]) -> Counter[int]:
    """How many answers of each person are read as another class than the revision before."""
    given = Annotation.objects.filter(pk__in=places.filter(annotation__isnull=False).values("annotation"))
    before = Answer.objects.filter(
        question_id=question.id,
        annotation__item=OuterRef("annotation__item"),
        annotation__item_version=OuterRef("annotation__item_version"),
        annotation__annotator=OuterRef("annotation__annotator"),
        annotation__repeat=OuterRef("annotation__repeat"),
        annotation__revision=OuterRef("annotation__revision") - 1,
    )
    answers = Answer.objects.filter(question_id=question.id, annotation__in=given).order_by()
    rows = answers.annotate(before=Subquery(before.values("label_class")[:1]))
    reads = question.reads
    changed: Counter[int] = Counter()
    for person, was, now in rows.values_list("annotation__annotator", "before", "label_class"):
        if was is not None and (now is None or reads[was].id != reads[now].id):
            changed[person] += 1
    return changed


def _what_became(
    question: QuestionSpec, rows: QuerySet[Any], relabels: dict[int, Relabel]
) -> dict[int, Counter[str]]:
    """How many of the items that were answered again have the same label, another or none, by queue."""
    answered = rows.filter(again=True)
    chains = _chains(question, answered)
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for relabel, item in answered.values_list("relabel", "item"):
        sent = relabels[relabel].created_at
        before = _majority(_standing(chain, sent) for chain in chains[item])
        after = _majority(_standing(chain, None) for chain in chains[item])
        found[relabel]["tied" if after is None else "kept" if after == before else "changed"] += 1
    return found


Chain = list[tuple[datetime, bool, int | None]]


def _chains(question: QuestionSpec, rows: QuerySet[Any]) -> dict[int, list[Chain]]:
    """By item the revisions of everybody's answer, each with its time, whether it stands, and its certain class."""
    reads = {pk: spec.id for pk, spec in question.reads.items() if not spec.uncertain}
    said = Answer.objects.filter(annotation=OuterRef("pk"), question_id=question.id)
    annotations = (
        Annotation.objects.filter(
            item__in=rows.values("item"),
            item_version=F("item__version"),
            voided=False,
            repeat=1,
            pass_kind=Pass.NORMAL,
        )
        .annotate(label=Subquery(said.values("label_class")[:1]))
        .order_by("revision")
    )
    chains: defaultdict[tuple[int, int], Chain] = defaultdict(list)
    columns = ("item", "annotator", "created_at", "current", "label")
    for item, person, at, current, label in annotations.values_list(*columns):
        chains[item, person].append((at, current, reads.get(label)))
    found: defaultdict[int, list[Chain]] = defaultdict(list)
    for (item, _person), chain in chains.items():
        found[item].append(chain)
    return found


def _standing(chain: Chain, sent: datetime | None) -> int | None:
    """What somebody's answer was just before a moment; without one what it is now."""
    stood = [label for at, current, label in chain if (current if sent is None else at < sent)]
    return stood[-1] if stood else None


def _majority(labels: Iterable[int | None]) -> int | None:
    """The label that most say; None without one, and where several are even."""
    most = Counter(label for label in labels if label is not None).most_common(2)
    return most[0][0] if most and (len(most) == 1 or most[0][1] > most[1][1]) else None


def find_relabel(relabel_id: int) -> Relabel:
    """A queue by its key alone, for addresses that name no project; raises Missing."""
    relabel = Relabel.objects.select_related("guideline").filter(pk=relabel_id).first()
    if relabel is None:
        raise Missing
    return relabel
