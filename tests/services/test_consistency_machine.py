"""Whatever people do to make labels consistent, in any order: nothing that was answered is lost or changed.

Random steps go through the services. After each of them the state equals what a small model of its own makes of the
list of events alone, the answers are what they were, byte for byte, and the counters are what they count. Every few
steps agreement and labels equal those computed here from the replayed answers.

``LABELAPP_MACHINE_STEPS=10000`` runs that many.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.access import Actor
from core.choices import QuestionKind, RelabelTo, Role
from core.exceptions import Conflict
from core.models import (
    Annotation,
    Answer,
    Event,
    Item,
    LabelClass,
    Mapping,
    Membership,
    Project,
    Resolution,
    User,
)
from core.pipelines.agreement import agreement_report
from core.pipelines.exporting import Wanted, export_labels
from core.selectors.check_data import findings
from core.selectors.question import _schema
from core.services.adjudication import settle, take_back
from core.services.annotation import Work, correct, submit
from core.services.erasure import erase_person
from core.services.lease import hand_out
from core.services.mapping import apply_merge, apply_rename, apply_standardise, revert
from core.services.progress import recount
from core.services.relabel import Order, send_again
from core.services.suggestion import edit_suggestions
from core.services.void import undo_void, void_annotations
from tests.factories.account import make_user
from tests.factories.item import make_items
from tests.factories.project import add_member, make_project, make_question
from tests.factories.run import make_run

pytestmark = pytest.mark.django_db
STEPS = int(os.environ.get("LABELAPP_MACHINE_STEPS", "120"))
AT_ONCE = 60  # steps of one project
CLASSES = ("sparrow", "finch", "robin", "wren", "cannot tell")
UNSURE = 4  # the place of the class that tells nothing
TEXTS = ("um", "umm", "ummm", "uh", "erm", "")
OVERLAP = 2
MOST_ITEMS = 12
LOOK_EVERY = 6  # agreement and labels are computed anew so often
index = st.integers(0, 10**6)


# --- The model: what a list of events comes to --------------------------------------------------------


@dataclass
class Chain:
    """What one person said of one item, revision by revision; the last one counts unless it is voided.

    ``shown`` are the questions whose answer was in sight the last time: the others' label, where they were asked by
    name, or what a model suggests.
    """

    said: list[tuple[int, str]] = field(default_factory=list)
    void: int | None = None
    shown: tuple[str, ...] = ()


@dataclass
class State:
    """What the events come to."""

    chains: dict[tuple[str, int], Chain] = field(default_factory=dict)
    voids: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    mappings: dict[int, tuple[str, Any]] = field(default_factory=dict)
    reverted: set[int] = field(default_factory=set)
    settled: dict[int, int | None] = field(default_factory=dict)
    revisions: Counter[int] = field(default_factory=Counter)
    overtaken: set[int] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)

    def counted(self) -> dict[tuple[str, int], tuple[int, str]]:
        """What counts, as it was said."""
        return {key: chain.said[-1] for key, chain in self.chains.items() if chain.void is None}

    def independent(self, question: str) -> dict[tuple[str, int], tuple[int, str]]:
        """What of it counts between people: said without seeing what others said."""
        return {key: said for key, said in self.counted().items() if question not in self.chains[key].shown}

    def classes(self) -> tuple[dict[int, str], dict[int, int]]:
        """What every class is called, and which it is read as."""
        called, reads = dict(enumerate(CLASSES)), {one: one for one in range(len(CLASSES))}
        for number, (kind, what) in sorted(self.mappings.items()):
            if number in self.reverted or kind == "standardise":
                continue
            if kind == "rename":
                called[what[0]] = what[1]
                continue
            group, into, name = what
            root, gone = reads[into], {reads[one] for one in group}
            reads = {one: root if to in gone else to for one, to in reads.items()}
            if name:
                called[into] = name
        return called, reads

    def read_text(self, text: str) -> str:
        """What a text is read as."""
        for number, (kind, rules) in sorted(self.mappings.items()):
            if kind == "standardise" and number not in self.reverted:
                for before, after in rules:
                    text = after if text == before else text
        return text


def replay(events: list[tuple[Any, ...]]) -> State:
    """The state that these events lead to."""
    state = State()
    for verb, *what in events:
        match verb, what:
            case "said", [person, item, value, shown]:
                chain = state.chains.setdefault((person, item), Chain())
                chain.said.append(value)
                chain.void, chain.shown = None, shown
                _came_after(state, item)
            case "corrected", [person, item, value]:
                state.chains[person, item].said.append(value)
                _came_after(state, item)
            case "voided", [number, person]:
                keys = [key for key, chain in state.chains.items() if key[0] == person and chain.void is None]
                state.voids[number] = keys
                for key in keys:
                    state.chains[key].void = number
                    _came_after(state, key[1])
            case "restored", [number]:
                for key, chain in state.chains.items():
                    if chain.void == number:
                        chain.void = None
                        _came_after(state, key[1])
            case "mapped", [number, kind, document]:
                state.mappings[number] = (kind, document)
            case "reverted", [number]:
                state.reverted.add(number)
            case "settled", [item, value]:
                state.settled[item] = value
                state.revisions[item] += 1
                state.overtaken.discard(item)
            case "taken back", [item]:
                state.settled[item] = None
                state.revisions[item] += 1
            case "erased", [person]:
                state.erased.add(person)
            case _:
                raise AssertionError(verb)
    return state


def _came_after(state: State, item: int) -> None:
    if state.settled.get(item) is not None:
        state.overtaken.add(item)


def percent_and_alpha(values: dict[tuple[str, int], Any]) -> tuple[float | None, float | None]:
    """Mean share of equal pairs over the items with two answers or more, and Krippendorff's nominal alpha."""
    units: dict[int, list[Any]] = {}
    for (_person, item), value in values.items():
        units.setdefault(item, []).append(value)
    pairable = [unit for unit in units.values() if len(unit) > 1]
    if not pairable:
        return None, None
    shares = [
        sum(a == b for a, b in combinations(unit, 2)) / (len(unit) * (len(unit) - 1) / 2) for unit in pairable
    ]
    n = sum(map(len, pairable))
    totals = Counter(value for unit in pairable for value in unit)
    observed = (
        sum(2 * sum(a != b for a, b in combinations(unit, 2)) / (len(unit) - 1) for unit in pairable) / n
    )
    expected = (n * n - sum(count * count for count in totals.values())) / (n * (n - 1))
    told = expected and len(pairable) > 1  # alpha is not told of one item
    return sum(shares) / len(shares), 1 - observed / expected if told else None


# --- The machine --------------------------------------------------------------------------------------


class Effort(RuleBasedStateMachine):
    """Alice leads, Dave reviews, three people annotate; everything is done through the services."""

    steps = 0

    @initialize()
    def begin(self) -> None:
        """A project of its own, which is undone in the end."""
        self.around = transaction.atomic()
        self.around.__enter__()
        _schema.cache_clear()
        mark = "1"
        alice = make_user(f"alice-{mark}", may_create_projects=True)
        self.project = make_project(f"effort-{mark}", owner=alice, overlap=OVERLAP, audit_overlap=OVERLAP)
        self.project.questions.all().delete()
        spec = make_question(self.project, "bird", list(CLASSES), uncertain={"cannot tell"})
        make_question(self.project, "note", [], kind=QuestionKind.TEXT)
        self.class_ids = list(spec.classes.order_by("order").values_list("pk", flat=True))
        self.people = {}
        for name in ("bob", "carol", "gina"):
            self.people[name] = add_member(
                self.project, make_user(f"{name}-{mark}"), name=f"{name} {mark}"
            ).pk
        self.names = {name: f"{name} {mark}" for name in self.people}
        self.lead = Membership.objects.get(project=self.project, user=alice).pk
        self.reviewer = add_member(self.project, make_user(f"dave-{mark}"), Role.REVIEWER).pk
        self.items = [item.pk for item in make_items(self.project, 5, target=OVERLAP)]
        recount(self.project.pk)
        self.events: list[tuple[Any, ...]] = []
        self.raw: dict[int, str] = {}
        self.lines: dict[int, str] = {}
        self.since_look = 0

    def teardown(self) -> None:
        """Nothing of it stays."""
        if hasattr(self, "around"):
            try:
                self.look()
            finally:
                transaction.set_rollback(True)
                self.around.__exit__(None, None, None)

    # --- Who and what -------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the events come to."""
        return replay(self.events)

    def member(self, pk: int) -> Membership:
        """Somebody as the database has them now."""
        return Membership.objects.select_related("project", "user").get(pk=pk)

    def at_work(self) -> list[str]:
        """Who can still sign in."""
        gone = self.state.erased
        return [name for name in self.people if name not in gone]

    def did(self, *event: Any) -> None:
        """Something happened."""
        self.events.append(event)

    def values(self, a: int, b: int) -> tuple[tuple[int, str], dict[str, str]]:
        """A class (also a merged one) and a text, and how a page would say them."""
        place, text = a % len(CLASSES), TEXTS[b % len(TEXTS)]
        called, _reads = self.state.classes()
        return (place, text), {"bird": called[place], "note": text}

    # --- What people do -----------------------------------------------------------------------------

    @rule(who=index, a=index, b=index)
    def label(self, who: int, a: int, b: int) -> None:
        """Somebody takes what they are given and answers it."""
        people = self.at_work()
        name = people[who % len(people)]
        member = self.member(self.people[name])
        given = hand_out(member, 1)
        if not given.leases:
            return
        (lease,) = given.leases
        chain = self.state.chains.get((name, lease.item_id))
        assert chain is None or lease.relabel_id is not None, "asked twice about one item"
        value, answers = self.values(a, b)
        assert member.user is not None
        submit(Actor(member.user), lease.pk, str(uuid4()), Work(answers, elapsed_ms=1000, count=0))
        relabel = lease.relabel
        shown: tuple[str, ...] = ()
        if relabel is not None and relabel.to == RelabelTo.NAMED and not relabel.blind:
            shown = ("bird", "note")
        elif lease.suggestion and lease.suggestion["shown"]:
            shown = ("bird",)  # texts are never suggested
        self.did("said", name, lease.item_id, value, shown)

    @rule(which=index, on=st.booleans())
    def suggest(self, which: int, *, on: bool) -> None:
        """A lead has a model's answers shown beside the items that there are, or ends it."""
        run = None
        if on:
            names = dict(Item.objects.filter(pk__in=self.items).values_list("pk", "external_id"))
            said = LabelClass.objects.get(pk=self.class_ids[which % len(CLASSES)]).name
            told = dict.fromkeys(names.values(), said)
            run = make_run(self.project, told, name=f"model {self.project.runs.count()}", key="bird").pk
        edit_suggestions(self.member(self.lead), {"run": run, "withheld": 0.3})

    @precondition(lambda self: any(name not in self.state.erased for name, _item in self.state.chains))
    @rule(which=index, a=index, b=index)
    def correct(self, which: int, a: int, b: int) -> None:
        """Somebody corrects an answer of theirs; not one that was taken out of the counts."""
        state = self.state
        mine = [key for key in state.chains if key[0] not in state.erased]
        name, item = mine[which % len(mine)]
        newest = Annotation.objects.get(annotator=self.people[name], item=item, current=True)
        value, answers = self.values(a, b)
        if state.chains[name, item].void is not None:
            with pytest.raises(Conflict, match="taken out by a lead"):
                correct(newest.pk, answers)
            return
        correct(newest.pk, answers)
        self.did("corrected", name, item, value)

    @precondition(lambda self: self.state.counted())
    @rule(who=index)
    def void(self, who: int) -> None:
        """A lead takes somebody's answers out of the counts."""
        people = sorted({name for name, _item in self.state.counted()})
        name = people[who % len(people)]
        made, _counts = void_annotations(self.member(self.lead), self.people[name], "in haste")
        self.did("voided", made.pk, name)

    @precondition(lambda self: self.open_voids())
    @rule(which=index)
    def undo(self, which: int) -> None:
        """A lead puts them back."""
        voids = self.open_voids()
        number = voids[which % len(voids)]
        undo_void(self.member(self.lead), number)
        self.did("restored", number)

    def open_voids(self) -> list[int]:
        """Voids that were not undone."""
        undone = {what[0] for verb, *what in self.events if verb == "restored"}
        return [number for number in self.state.voids if number not in undone]

    def version(self) -> int:
        """The mapping version that an editor sees."""
        return Project.objects.values_list("mapping_version", flat=True).get(pk=self.project.pk)

    def mapped(self, apply: Callable[[], Mapping], kind: str, document: Any) -> None:
        """A mapping is applied, or refused as a whole."""
        try:
            with transaction.atomic():
                made = apply()
        except Conflict:
            return
        self.did("mapped", made.pk, kind, document)

    @rule(a=index, b=index, renamed=st.booleans())
    def merge(self, a: int, b: int, *, renamed: bool) -> None:
        """Two classes that tell something are read as one."""
        first, second = a % 4, b % 4
        if first == second:
            return
        name = f"small bird {len(self.events)}" if renamed else None
        ids = [self.class_ids[first], self.class_ids[second]]
        self.mapped(
            lambda: apply_merge(
                self.member(self.lead), "bird", ids, ids[1], name=name, version=self.version()
            ),
            "merge",
            ([first, second], second, name),
        )

    @rule(which=index)
    def rename(self, which: int) -> None:
        """A class is called otherwise."""
        place, name = which % len(CLASSES), f"bird {len(self.events)}"
        self.mapped(
            lambda: apply_rename(
                self.member(self.lead), "bird", self.class_ids[place], name, version=self.version()
            ),
            "rename",
            (place, name),
        )

    @rule(a=index, b=index)
    def standardise(self, a: int, b: int) -> None:
        """A text is read as another."""
        before, after = TEXTS[a % 5], TEXTS[b % 5]
        if before == after:
            return
        rules = [{"from": before, "to": after}]
        self.mapped(
            lambda: apply_standardise(self.member(self.lead), "note", rules, version=self.version()),
            "standardise",
            [(before, after)],
        )

    @precondition(lambda self: set(self.state.mappings) - self.state.reverted)
    @rule(which=index)
    def take_mapping_back(self, which: int) -> None:
        """A mapping is reverted, in any order."""
        mappings = sorted(set(self.state.mappings) - self.state.reverted)
        number = mappings[which % len(mappings)]
        revert(self.member(self.lead), number, self.version())
        self.did("reverted", number)

    @rule(which=index, a=index)
    def settle(self, which: int, a: int) -> None:
        """A reviewer settles an item."""
        item, place = self.items[which % len(self.items)], a % len(CLASSES)
        state = self.state
        called, _reads = state.classes()
        settle(self.member(self.reviewer), item, "bird", called[place], revision=state.revisions[item])
        self.did("settled", item, place)

    @precondition(lambda self: any(value is not None for value in self.state.settled.values()))
    @rule(which=index)
    def take_back(self, which: int) -> None:
        """And takes it back."""
        state = self.state
        settled = [item for item, value in state.settled.items() if value is not None]
        item = settled[which % len(settled)]
        found = Resolution.objects.get(item=item, current=True)
        take_back(self.member(self.reviewer), found.pk, state.revisions[item])
        self.did("taken back", item)

    @rule(which=index, to=st.sampled_from(list(RelabelTo)), who=index, blind=st.booleans())
    def relabel(self, which: int, to: RelabelTo, who: int, *, blind: bool) -> None:
        """A lead sends two items out again; what comes of it is said under ``label``."""
        people = self.at_work()
        members = [self.people[people[who % len(people)]]] if to == RelabelTo.NAMED else []
        items = sorted({self.items[which % len(self.items)], self.items[who % len(self.items)]})
        send_again(
            self.member(self.lead), items, "a new rule", order=Order(to=to, members=members, blind=blind)
        )

    @precondition(lambda self: len(self.items) < MOST_ITEMS)
    @rule()
    def more_items(self) -> None:
        """Two more items come in."""
        self.items += [item.pk for item in make_items(self.project, 2, target=OVERLAP)]
        recount(self.project.pk)

    @precondition(lambda self: len(self.state.erased) < 2 and len(self.events) > 15)
    @rule(who=index)
    def erase(self, who: int) -> None:
        """Somebody wants to be forgotten."""
        people = self.at_work()
        name = people[who % len(people)]
        erase_person(self.member(self.lead), self.people[name], self.names[name])
        self.did("erased", name)

    # --- What holds after every step ------------------------------------------------------------------

    @invariant()
    def all_is_as_replayed(self) -> None:
        """The tables say what the events say."""
        if not hasattr(self, "events"):
            return
        type(self).steps += 1
        state = self.state
        self.answers_are_as_they_were(state)
        self.people_and_items(state)
        self.classes_and_resolutions(state)
        self.lines_of_the_log_stay(state)
        self.since_look += 1
        if self.since_look >= LOOK_EVERY:
            self.look()

    def answers_are_as_they_were(self, state: State) -> None:
        """Every answer that was ever given is there, unchanged, and is what was said."""
        rows = Answer.objects.filter(annotation__item__project=self.project).order_by("pk")
        columns = ("pk", "annotation_id", "question_id", "label_class_id", "number", "text", "fingerprint")
        seen = {row[0]: hashlib.sha256(repr(row).encode()).hexdigest() for row in rows.values_list(*columns)}
        assert {pk: seen.get(pk) for pk in self.raw} == self.raw
        self.raw = seen
        person = {pk: name for name, pk in self.people.items()}
        found: dict[tuple[str, int], list[tuple[int, str]]] = {}
        chains = Annotation.objects.filter(item__project=self.project).order_by("revision")
        chains = chains.prefetch_related("answers")
        for row in chains:
            said = {answer.label_class_id: answer.text for answer in row.answers.all()}
            text = said.pop(None)
            (class_id,) = said
            assert class_id is not None
            value = (self.class_ids.index(class_id), text or "")
            key = (person[row.annotator_id], row.item_id)
            found.setdefault(key, []).append(value)
            assert row.revision == len(found[key])
            newest = row.revision == len(state.chains[key].said)
            assert row.current == newest
            if newest:
                assert row.voided == (state.chains[key].void is not None)
        assert found == {key: chain.said for key, chain in state.chains.items()}

    def people_and_items(self, state: State) -> None:
        """The counters are what the events come to; the overlap grows only where it was asked for."""
        counted = state.counted()
        done = Counter(item for _person, item in counted)
        for item in Item.objects.filter(project=self.project):
            assert item.done == done[item.pk]
            assert item.leased == 0
        answered = Counter(person for person, _item in counted)
        for name, pk in self.people.items():
            member = self.member(pk)
            assert member.answered == answered[name]
            forgotten = name in state.erased
            assert (member.name != self.names[name]) == forgotten
            assert (member.user_id is None) == forgotten

    def classes_and_resolutions(self, state: State) -> None:
        """Classes are called and read as replayed, resolutions in force are the last ones."""
        called, reads = state.classes()
        for place, pk in enumerate(self.class_ids):
            spec = LabelClass.objects.get(pk=pk)
            assert spec.name == called[place]
            assert spec.merged_into_id == (None if reads[place] == place else self.class_ids[reads[place]])
        texts = Answer.objects.filter(annotation__item__project=self.project, text__isnull=False)
        for text, standard in texts.values_list("text", "standard").distinct():
            assert (text if standard is None else standard) == state.read_text(text or "")
        current = {
            row.item_id: (self.class_ids.index(row.label_class_id or 0), row.overtaken)
            for row in Resolution.objects.filter(item__project=self.project, current=True)
        }
        wanted = {
            item: (value, item in state.overtaken)
            for item, value in state.settled.items()
            if value is not None
        }
        assert current == wanted

    def lines_of_the_log_stay(self, state: State) -> None:
        """No line goes or changes but for the names of who was erased, which are nowhere."""
        columns = ("pk", "verb", "data", "created_at")
        rows = Event.objects.filter(project=self.project).order_by("pk")
        seen = {row[0]: repr(row) for row in rows.values_list(*columns)}
        assert {pk: seen.get(pk) for pk in self.lines} == self.lines
        self.lines = seen
        gone = [self.names[name] for name in state.erased]
        assert not rows.filter(thing__in=gone).exists()
        assert not Membership.objects.filter(name__in=gone).exists()
        assert not User.objects.filter(username__in=[name.replace(" ", "-") for name in gone]).exists()

    def look(self) -> None:
        """Agreement and labels are those of the replayed answers, and every counter of the tables is right."""
        self.since_look = 0
        assert list(findings()) == []
        state = self.state
        _called, reads = state.classes()
        counted = state.counted()
        as_read: dict[str, dict[tuple[str, int], Any]] = {
            "bird": {key: reads[value[0]] for key, value in counted.items()},
            "note": {key: state.read_text(value[1]) for key, value in counted.items()},
        }
        project = Project.objects.get(pk=self.project.pk)
        for key, values in as_read.items():
            independent = state.independent(key)
            figures = agreement_report(project, key, details=False)["coefficients"]
            told = [figures[name]["value"] for name in ("percent_agreement", "krippendorff_alpha")]
            own = percent_and_alpha({of: value for of, value in values.items() if of in independent})
            assert told == [None if figure is None else pytest.approx(figure, abs=1e-9) for figure in own]
        self.labels_are_as_replayed(project, state, as_read["bird"])

    def labels_are_as_replayed(
        self, project: Project, state: State, said: dict[tuple[str, int], int]
    ) -> None:
        """What was settled is the label; else what most people said."""
        called, reads = state.classes()
        body = b"".join(export_labels(project, Wanted(format="json", question="bird")))
        rows = {row["item"]: row for row in json.loads(body)}
        names = dict(Item.objects.filter(project=project).values_list("pk", "external_id"))
        for item in self.items:
            votes = Counter(value for (_person, one), value in said.items() if one == item)
            certain = Counter({value: n for value, n in votes.items() if value != UNSURE})
            settled, row = state.settled.get(item), rows.get(names[item])
            if settled is not None:
                assert row is not None
                assert (row["how"], row["value"]) == ("adjudicated", called[reads[settled]])
            elif certain:
                assert row is not None
                winners = [called[value] for value, n in certain.items() if n == max(certain.values())]
                assert row["value"] == (winners[0] if len(winners) == 1 else None)
                assert (row["n"], row["n_uncertain"]) == (certain.total(), votes[UNSURE])
            elif not votes:
                assert row is None


@pytest.mark.timeout(max(300, STEPS))
def test_nothing_is_lost_whatever_is_done_in_whatever_order() -> None:
    Effort.steps = 0
    examples = 1 + STEPS * 3 // (2 * AT_ONCE)  # some end early
    run_state_machine_as_test(
        Effort,
        settings=settings(
            max_examples=examples,
            stateful_step_count=AT_ONCE,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Effort.steps >= STEPS
