"""The agreement timeline of one question: how far people agreed over time, what was changed when, and whether it helped.

What can be proved rests on the audit slice, whose items came by chance. A change of what people do (a guideline
version, a training round, items sent out again) is judged by answers as they stood just before it against answers
given since, until the next such change: on the same items where some of the audit slice were drawn by chance and answered anew
(``paired``), else on the items that were answered before and on others that were first answered after (``independent``).
A change of how answers are read (a mapping) or of whose answers count (a void) is judged by the same answers without
and with it (``same_answers``). Items that were sent out because of how they were answered are shown apart: they
would agree better the second time whatever was changed.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.choices import ItemsChoice, MappingKind, QuestionKind, RelabelTo, Uncertain
from core.models import GuidelineVersion, Mapping, Project, Relabel, Void
from core.numerics.alpha import Level, Scale, krippendorff_alpha
from core.numerics.coefficients import Observed, percent_agreement
from core.numerics.proof import (
    Compared,
    Measure,
    alpha,
    alpha_of_classes,
    compare_pairs,
    compare_sets,
    figure,
    percent,
    specific_agreement,
)
from core.numerics.results import Figure
from core.numerics.table import LabelTable, factorise, find_patterns
from core.pipelines.agreement import check_asked
from core.selectors.agreement import collapsed, number_name, set_name
from core.selectors.mapping import Step, class_names, folded
from core.selectors.moment import database_now, one_moment
from core.selectors.question import QuestionSpec, TextRule, text_rule
from core.selectors.relabel import relabels_of
from core.selectors.timeline import (
    History,
    PassedRound,
    RelabelCounts,
    counts_of_relabels,
    drawn_by_queue,
    has_audit,
    history_of_answers,
    rounds_passed,
    steps_of,
    voids_of,
)

Json = dict[str, Any]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_POINTS = 60
MOST_CHANGES = 50
LEAST_PAIRED = 10  # items of the audit slice answered on both sides; with fewer, two sets of items say more
WEEK = 7 * 86_400.0
_PAIR = 2


# --- How answers are read -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reading:
    """What raw answers are read as under some of the mappings: a code per place in ``History.raw``, and the codes' names.

    ``scale`` says how far codes lie apart; ``touched`` are the codes of the classes that a change is about.
    """

    code: Ints
    names: tuple[str, ...]
    scale: Scale
    of_class: Map[int, int]

    def touched(self, class_ids: Iterable[int]) -> Bools | None:
        """The codes of these classes; None where they are none, or all there are."""
        found = np.zeros(len(self.names), dtype=np.bool_)
        found[[self.of_class[pk] for pk in class_ids if pk in self.of_class]] = True
        return found if found.any() and not found.all() else None


class _Readings:
    """Readings of a question's answers with and without single mappings, each made once."""

    def __init__(self, project: Project, question: QuestionSpec, level: str, raw: Sequence[Any]) -> None:
        self.question, self.level, self.raw = question, Level(level), raw
        self.steps = steps_of(project, question)
        ids = {spec.id for spec in question.classes} | {one.id for one in question.merged}
        self.names = {pk: name for pk, name in class_names(project.pk).items() if pk in ids}
        self.unsure = {spec.id for spec in question.classes if spec.uncertain}
        self.unsure |= {one.id for one in question.merged if one.into in self.unsure}
        self._known: dict[tuple[int, ...], Reading] = {}

    def now(self) -> Reading:
        """As answers are read at present."""
        return self._of(None, in_force=True)

    def with_step(self, mapping: Mapping, *, in_force: bool) -> Reading:
        """As at present, but with this mapping in force or not."""
        return self._of(mapping.pk, in_force=in_force)

    def _of(self, changed: int | None, *, in_force: bool) -> Reading:
        steps = [(step, in_force if step.pk == changed else step.reverted_at is None) for step in self.steps]
        key = tuple(step.pk for step, is_in_force in steps if is_in_force)
        if key not in self._known:
            self._known[key] = self._read(steps)
        return self._known[key]

    def _read(self, steps: list[tuple[Mapping, bool]]) -> Reading:
        kind = QuestionKind(self.question.kind)
        if kind == QuestionKind.TEXT:
            return self._texts(steps)
        if kind == QuestionKind.NUMBER:
            numbers, code = np.unique(np.array(self.raw, dtype=np.float64), return_inverse=True)
            names = tuple(number_name(number) for number in numbers.tolist())
            return self._reading(code.astype(np.int64), names, {}, numbers)
        merges = [
            Step(step.document, in_force) for step, in_force in steps if step.kind != MappingKind.STANDARDISE
        ]
        states = folded(self.names, merges)
        current = [pk for pk in self._ordered() if states[pk].into is None]
        place = {pk: code for code, pk in enumerate(current)}
        of_class = {pk: place[state.into or pk] for pk, state in states.items()}
        if kind == QuestionKind.MULTIPLE:
            return self._sets(of_class, [states[pk].name for pk in current])
        names = tuple(states[pk].name for pk in current)
        unsure = np.array([pk in self.unsure for pk in current], dtype=np.bool_)
        code = np.array([of_class[pk] for pk in self.raw], dtype=np.int64)
        return self._reading(code, names, of_class, self._numbers(names), unsure)

    def _ordered(self) -> list[int]:
        """Classes in the order of the question, with merged ones behind those that they are read as."""
        order = {spec.id: float(place) for place, spec in enumerate(self.question.classes)}
        order |= {one.id: order[one.into] + 0.5 for one in self.question.merged}
        return sorted(self.names, key=lambda pk: (order[pk], pk))

    def _numbers(self, names: tuple[str, ...]) -> npt.NDArray[np.float64] | None:
        if self.level not in {Level.INTERVAL, Level.RATIO}:
            return None
        return np.array([_number(name) for name in names])

    def _sets(self, of_class: dict[int, int], names: list[str]) -> Reading:
        codes: dict[tuple[int, ...], int] = {}
        code = [
            codes.setdefault(tuple(sorted({of_class[pk] for pk in ticked})), len(codes))
            for ticked in self.raw
        ]
        found = tuple(set_name([names[place] for place in chosen]) for chosen in codes)
        return self._reading(np.array(code, dtype=np.int64), found, {})

    def _texts(self, steps: list[tuple[Mapping, bool]]) -> Reading:
        rules: list[TextRule] = []
        for step, in_force in steps:
            if in_force and step.kind == MappingKind.STANDARDISE:
                rules += map(text_rule, step.document["rules"])
        code, texts = self._texts_as_given
        read_as, names = texts_read_by(rules, texts)
        return self._reading(read_as[code], tuple(names), {})

    @cached_property
    def _texts_as_given(self) -> tuple[Ints, list[str]]:
        """Each raw answer's text with blanks collapsed, as a place among the different ones."""
        return factorise([collapsed(text) for text in self.raw])

    def _reading(
        self,
        code: Ints,
        names: tuple[str, ...],
        of_class: dict[int, int],
        values: npt.NDArray[np.float64] | None = None,
        unsure: Bools | None = None,
    ) -> Reading:
        n = len(names)
        positions = np.arange(n, dtype=np.float64) if values is None else values
        none = np.zeros(n, dtype=np.bool_)
        scale = Scale(self.level, positions, none if unsure is None else unsure, np.ones(n))
        return Reading(code, names, scale, of_class)


def texts_read_by(rules: Sequence[TextRule], texts: Sequence[str]) -> tuple[Ints, list[str]]:
    """What different texts are read as, each rule on what the ones before it made: places in the list of names.

    A rule for a single text costs the same whatever the number of texts.
    """
    held = {
        text: place for place, text in enumerate(texts)
    }  # by what texts are read as, the place of one of them
    stands = np.arange(len(texts))
    for rule in rules:
        found = [text for text in held if rule.applies(text)] if rule.text is None else [rule.text]
        for text in found:
            if text in held and text != rule.to:
                place = held.pop(text)
                stands[place] = held.setdefault(rule.to, place)
    while (stands[stands] != stands).any():
        stands = stands[stands]
    number = np.zeros(len(texts), dtype=np.int64)
    number[list(held.values())] = np.arange(len(held))
    return number[stands], list(held)


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


# --- What was changed ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Event:
    """Something that was changed.

    ``opens`` tells whether people may answer otherwise from it on; ``adds``, that it only added answers of others.
    """

    kind: str
    at: datetime
    told: Json
    opens: bool = False
    class_ids: tuple[int, ...] = ()
    queues: tuple[int, ...] = ()
    same_people: bool = False
    adds: bool = False
    mapping: Mapping | None = None
    void: Void | None = None

    @property
    def moment(self) -> float:
        """Seconds since 1970."""
        return self.at.timestamp()


def _events(
    project: Project, question: QuestionSpec, steps: Sequence[Mapping], names: Map[int, str]
) -> list[Event]:
    """Everything that was changed, oldest first."""
    relabels = list(relabels_of(project.pk))
    counts = counts_of_relabels(relabels)
    events = [
        *_guidelines(project, question, relabels),
        *(event for step in steps for event in _mapping_events(step, names)),
        *(_training(one) for one in rounds_passed(project)),
        *(_relabel(one, counts.get(one.pk)) for one in relabels),
        *(
            Event("void", one.created_at, {"id": one.pk, "n_annotations": one.n_annotations}, void=one)
            for one in voids_of(project, question)
        ),
    ]
    return sorted(events, key=lambda event: (event.at, event.kind, event.told["id"]))


def _guidelines(project: Project, question: QuestionSpec, relabels: Sequence[Relabel]) -> list[Event]:
    """Versions after the first, each with the queues that it made necessary."""
    reads = question.reads
    found = []
    versions: Iterable[GuidelineVersion] = project.guidelines.filter(number__gt=1).prefetch_related("touches")
    for version in versions:
        touched = {
            reads[spec.pk].id: reads[spec.pk].name for spec in version.touches.all() if spec.pk in reads
        }
        told = {"id": version.pk, "number": version.number, "note": version.note}
        told["touches"] = [spec.name for spec in question.classes if spec.id in touched]
        queues = [one for one in relabels if one.guideline_id == version.pk]
        found.append(
            Event(
                "guideline",
                version.created_at,
                told,
                opens=True,
                class_ids=tuple(touched),
                queues=tuple(one.pk for one in queues),
                same_people=_all_same(queues),
            )
        )
    return found


def _mapping_events(step: Mapping, names: Map[int, str]) -> list[Event]:
    """When a mapping was applied, and when it was reverted. Renaming changes nothing that is counted."""
    document = step.document
    told: Json = {
        "id": step.pk,
        "number": step.number,
        "mapping": step.kind,
        "note": step.note,
        "classes": [names[pk] for pk in document.get("classes", [])],
        "into": names.get(document.get("into", 0)),
        "name": document.get("name"),
        "n_rules": len(document.get("rules", [])),
        "reverted": step.reverted_at is not None,
    }
    classes = {*document.get("classes", []), document.get("into", 0)} - {0}
    judged = None if step.kind == MappingKind.RENAME else step
    events = [Event("mapping", step.created_at, told, class_ids=tuple(sorted(classes)), mapping=judged)]
    if step.reverted_at is not None:
        events.append(Event("reverted", step.reverted_at, told))
    return events


def _training(one: PassedRound) -> Event:
    return Event("training", one.at, {"id": one.pk, "name": one.name, "n_passed": one.n}, opens=True)


def _relabel(one: Relabel, counts: RelabelCounts | None) -> Event:
    """A queue; one that a guideline version made necessary belongs to that change."""
    told: Json = {
        "id": one.pk,
        "reason": one.reason,
        "to": one.to,
        "source": one.source,
        "blind": one.blind,
        "guideline": one.guideline.number if one.guideline else None,
        "n_items": counts.items if counts else 0,
        "n_places": counts.places if counts else 0,
        "n_answered": counts.answered if counts else 0,
        "n_waiting": counts.waiting if counts else 0,
        "n_drawn": counts.drawn if counts else 0,
    }
    own, adds = one.guideline_id is None, one.to == RelabelTo.OTHERS
    return Event(
        "relabel",
        one.created_at,
        told,
        opens=own and not adds,
        queues=(one.pk,),
        same_people=_all_same([one]),
        adds=own and adds,
    )


def _all_same(queues: Sequence[Relabel]) -> bool:
    """Whether only people who had answered were asked again: each is then compared with themselves."""
    return all(one.to == RelabelTo.SAME for one in queues)


# --- The report ---------------------------------------------------------------------------------------


def timeline_report(project: Project, question: str | None = None) -> Json:
    """The timeline as the API says it; figures in the one shape.

    ``course``: at the end of every week (or of some, at most MOST_POINTS) the agreement of the answers that stood then.
    ``changes``: oldest first, the last MOST_CHANGES. Raises Invalid ``unknown-question``, ``question-needed``.
    """
    asked = check_asked(
        project,
        question,
        level=None,
        uncertain=Uncertain.CLASS,
        items=ItemsChoice.AUDIT,
        slice=None,
        by=None,
        repeat=1,
    )
    spec = asked.question
    with one_moment():
        as_of = database_now(project)
        history = history_of_answers(project, spec)
        readings = _Readings(project, spec, asked.level, history.raw)
        events = _events(project, spec, readings.steps, readings.names | class_names(project.pk))
        drawn = drawn_by_queue(project)
        audit = has_audit(project)
    judge = _Judge(history, readings, drawn)
    return {
        "project": project.slug,
        "question": spec.key,
        "level": asked.level.value,
        "as_of": as_of.isoformat(),
        "has_audit": audit,
        "n_items": int(np.unique(history.item[history.audit]).size),
        "course": _course(history, readings.now(), [event.moment for event in events], as_of),
        "changes": judge.newest(events),
        "cut": max(0, len(events) - MOST_CHANGES),
    }


def _table(history: History, reading: Reading, rows: Ints) -> LabelTable:
    """Some rows as a table; items and people keep their codes within the history."""
    label = reading.code[history.value[rows]]
    return LabelTable(history.item_code[rows], history.person_code[rows], label, len(reading.names))


def _course(history: History, reading: Reading, moments: Sequence[float], as_of: datetime) -> list[Json]:
    """The agreement of the audit slice as answers stood, week by week, up to the present."""
    given = history.at[history.audit]
    if given.size == 0:
        return []
    first, last = float(given.min()), as_of.timestamp()
    weeks = max(1, int(np.ceil((last - first) / WEEK)))
    step = WEEK * max(1, -(-weeks // MOST_POINTS))
    ends = [first + step * number for number in range(1, int((last - first) // step) + 1)]
    ends = [*ends, last + 1.0] if not ends or ends[-1] < last else ends
    points = []
    for begin, end in zip([first, *ends], ends, strict=False):
        rows = history.standing(end)
        rows = rows[history.audit[rows]]
        patterns = find_patterns(_table(history, reading, rows)).patterns
        at = datetime.fromtimestamp(min(end, last), UTC)
        points.append(
            {
                "at": at.isoformat(),
                "alpha": krippendorff_alpha(patterns, reading.scale, patterns.n_items).to_dict(),
                "percent": percent_agreement(Observed(patterns, np.ones(len(reading.names)))).to_dict(),
                "n_changes": sum(begin <= moment < end for moment in moments),
            }
        )
    return points


class _Judge:
    """Compares before with after for every change."""

    def __init__(self, history: History, readings: _Readings, drawn: Map[int, set[int]]) -> None:
        self.history, self.readings, self.drawn = history, readings, drawn
        self.reading = readings.now()

    def newest(self, events: Sequence[Event]) -> list[Json]:
        """The last MOST_CHANGES changes, oldest first, each with its comparison, if it has one."""
        opening = [event for event in events if event.opens]
        told = []
        for event in events[-MOST_CHANGES:]:
            later = [other.at for other in opening if other.at > event.at]
            until = min(later, default=None) if event.opens or event.adds else None
            told.append(
                {
                    "kind": event.kind,
                    "at": event.at.isoformat(),
                    "until": None if until is None else until.isoformat(),
                    **event.told,
                    "comparison": self._compared(event, until),
                }
            )
        return told

    def _compared(self, event: Event, until: datetime | None) -> Json | None:
        if event.mapping is not None:
            return self._by_reading(event)
        if event.void is not None:
            return self._by_void(event.void)
        if not (event.opens or event.adds):
            return None
        return self._by_answers(event, None if until is None else until.timestamp())

    # The same answers, otherwise read or counted

    def _by_reading(self, event: Event) -> Json:
        """Answers as they stand now, read without a mapping and with it."""
        assert event.mapping is not None  # noqa: S101 -- by the caller
        without = self.readings.with_step(event.mapping, in_force=False)
        with_it = self.readings.with_step(event.mapping, in_force=True)
        classes = (without.touched(event.class_ids), with_it.touched(event.class_ids))
        rows = self.history.standing()
        return self._both_ways("same_answers", rows, rows, (without, with_it), classes)

    def _by_void(self, void: Void) -> Json:
        """Answers as they stand, with somebody's voided ones and without."""
        before, after = self.history.standing(voided=void.pk), self.history.standing()
        return self._both_ways("same_answers", before, after, (self.reading, self.reading), (None, None))

    def _both_ways(
        self,
        design: str,
        before: Ints,
        after: Ints,
        readings: tuple[Reading, Reading],
        classes: tuple[Bools | None, Bools | None],
    ) -> Json:
        history = self.history

        def tables(*, audit: bool) -> tuple[LabelTable, LabelTable]:
            first, second = (side[history.audit[side] == audit] for side in (before, after))
            return _table(history, readings[0], first), _table(history, readings[1], second)

        proved, apart = tables(audit=True), tables(audit=False)
        overall = {
            name: compare_pairs(proved[0], proved[1], made(readings[0]), made(readings[1]))
            for name, made in _OVERALL.items()
        }
        touched = None
        if classes[0] is not None and classes[1] is not None:
            touched = {
                name: compare_pairs(proved[0], proved[1], made(classes[0]), made(classes[1]))
                for name, made in _TOUCHED.items()
            }
        elsewhere = _plain(apart, alpha(readings[0].scale), alpha(readings[1].scale))
        return _comparison(design, overall, touched, elsewhere)

    # Answers before against answers since

    def _by_answers(self, event: Event, until: float | None) -> Json:
        history, at = self.history, event.moment
        before, now = history.standing(at), history.standing(until)
        since = now[history.at[now] >= at]
        if event.adds:  # one answer more: what was answered before still stands beside it
            since = now[np.isin(history.item[now], history.item[since])]
        classes = self.reading.touched(event.class_ids)
        fair = np.array(
            sorted(set().union(*(self.drawn.get(pk, set()) for pk in event.queues))), dtype=np.int64
        )
        anew = before[np.isin(history.chain[before], history.chain[since])] if event.same_people else before
        elsewhere = _plain(
            self._tables(anew, since, np.setdiff1d(np.unique(history.item), fair)),
            alpha(self.reading.scale) if classes is None else alpha_of_classes(classes),
        )
        pair = self._tables(anew, since, fair)
        if event.adds or np.count_nonzero(_on_both_sides(pair)) >= LEAST_PAIRED:
            overall = {name: compare_pairs(*pair, made(self.reading)) for name, made in _OVERALL.items()}
            touched = (
                None
                if classes is None
                else {name: compare_pairs(*pair, made(classes)) for name, made in _TOUCHED.items()}
            )
            return _comparison("paired", overall, touched, elsewhere)
        early = before[history.audit[before]]
        new = since[history.audit[since] & ~np.isin(history.item[since], history.item[history.at < at])]
        sets = _table(history, self.reading, early), _table(history, self.reading, new)
        overall = {name: _apart(sets, made(self.reading)) for name, made in _OVERALL.items()}
        touched = (
            None
            if classes is None
            else {name: _apart(sets, made(classes)) for name, made in _TOUCHED.items()}
        )
        return _comparison("independent", overall, touched, elsewhere)

    def _tables(self, before: Ints, since: Ints, items: Ints) -> tuple[LabelTable, LabelTable]:
        first, second = (rows[np.isin(self.history.item[rows], items)] for rows in (before, since))
        return _table(self.history, self.reading, first), _table(self.history, self.reading, second)


_OVERALL: dict[str, Callable[[Reading], Measure]] = {
    "alpha": lambda reading: alpha(reading.scale),
    "percent": lambda _: percent,
}
_TOUCHED: dict[str, Callable[[Bools], Measure]] = {"alpha": alpha_of_classes, "percent": specific_agreement}


def _on_both_sides(pair: tuple[LabelTable, LabelTable]) -> Bools:
    """By item code, whether it has two answers or more before and after."""
    n = min(table.sizes.size for table in pair)
    found: Bools = (pair[0].sizes[:n] >= _PAIR) & (pair[1].sizes[:n] >= _PAIR)
    return found


def _apart(sets: tuple[LabelTable, LabelTable], measure: Measure) -> Compared:
    return compare_sets(figure(sets[0], measure), figure(sets[1], measure))


def _plain(pair: tuple[LabelTable, LabelTable], of_before: Measure, of_after: Measure | None = None) -> Json:
    """Before and after on the same items without an interval: nothing is proved by it."""
    items = np.flatnonzero(_on_both_sides(pair))
    found = [
        _value(table.keep(np.isin(table.item, items)), measure)
        for table, measure in zip(pair, (of_before, of_after or of_before), strict=True)
    ]
    return {"n_items": int(items.size), "before": found[0], "after": found[1]}


def _value(table: LabelTable, measure: Measure) -> float | None:
    if len(table) == 0:
        return None
    patterns = find_patterns(table).patterns
    value = measure(patterns).value
    return None if np.isnan(value) else value


def _comparison(
    design: str, overall: Map[str, Compared], touched: Map[str, Compared] | None, elsewhere: Json
) -> Json:
    return {
        "design": design,
        "overall": {name: _told(one) for name, one in overall.items()},
        "touched": None if touched is None else {name: _told(one) for name, one in touched.items()},
        "elsewhere": elsewhere,
    }


def _told(one: Compared) -> Json:
    return {
        "before": one.before.to_dict(),
        "after": one.after.to_dict(),
        "difference": _difference(one.difference),
        "p": one.p,
        "outcome": one.outcome.value,
        "more_items": one.more_items,
    }


def _difference(found: Figure) -> Json:
    """What more items are needed for is told by ``more_items``, not by a fixed precision."""
    return {**found.to_dict(), "needed": None}
