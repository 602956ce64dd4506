"""The effort of benchmarks.consistency in a project, through the services that pages and API call."""

import uuid
from collections.abc import Mapping
from typing import Any

import django

django.setup()

import numpy as np  # noqa: E402 -- after setup, as all below
import numpy.typing as npt  # noqa: E402
from django.core.management import call_command  # noqa: E402

from core.access import Actor  # noqa: E402
from core.choices import AuditPart, RelabelFor, RelabelTo, Role  # noqa: E402
from core.models import Annotation, Answer, Batch, Item, Membership, Project, User  # noqa: E402
from core.numerics.table import LabelTable  # noqa: E402
from core.pipelines.adjudication import ranking_of  # noqa: E402
from core.pipelines.hlp import hlp_report  # noqa: E402
from core.pipelines.mapping import suggest  # noqa: E402
from core.pipelines.timeline import timeline_report  # noqa: E402
from core.selectors.question import schema_of  # noqa: E402
from core.selectors.relabel import Wanted, items_wanted  # noqa: E402
from core.services.annotation import Work, submit  # noqa: E402
from core.services.guideline import publish_guideline  # noqa: E402
from core.services.lease import hand_out  # noqa: E402
from core.services.mapping import apply_merge  # noqa: E402
from core.services.progress import recount  # noqa: E402
from core.services.project import create_project  # noqa: E402
from core.services.relabel import Order, send_again  # noqa: E402
from core.web.timeline_words import sentence  # noqa: E402

Said = Mapping[tuple[int, int], int]  # (item, person) to class


class Site:
    """A project with its lead, its people and its items, some of them in the audit slice."""

    def __init__(
        self,
        seed: int,
        n_classes: int,
        n_items: int,
        people: npt.NDArray[np.intp],
        audit: npt.NDArray[np.intp],
    ) -> None:
        call_command("migrate", verbosity=0)
        slug = f"effort-{seed}-{uuid.uuid4().hex[:6]}"
        lead = User.objects.create(username=f"lead-{slug}", may_create_projects=True)
        classes = [f"c{number}" for number in range(n_classes)]
        question = {"key": "q", "kind": "single", "title": "Which?", "classes": classes}
        document = {"slug": slug, "name": slug, "overlap": 3, "audit_overlap": 3, "questions": [question]}
        self.project = create_project(lead, document)
        self.lead = Membership.objects.select_related("project", "user").get(project=self.project, user=lead)
        self.people = [self._person(f"p{number}-{slug}") for number in range(int(people.max()) + 1)]
        batch = Batch.objects.create(
            project=self.project, number=1, name="made up", file_hash="0", n_items=n_items
        )
        chosen = set(audit.tolist())
        self.items = Item.objects.bulk_create(
            Item(
                project=self.project,
                batch=batch,
                row=place,
                external_id=f"i{place}",
                data={"text": f"Item {place}."},
                position=place,
                target=3,
                done=3,
                free=0,
                audit=AuditPart.STREAM if place in chosen else AuditPart.NONE,
            )
            for place in range(n_items)
        )
        self.place = {item.pk: place for place, item in enumerate(self.items)}

    def _person(self, name: str) -> Membership:
        user = User.objects.create(username=name)
        return Membership.objects.create(project=self.project, user=user, name=name, role=Role.ANNOTATOR)

    @property
    def _classes(self) -> list[Any]:
        project = Project.objects.get(pk=self.project.pk)
        return list(schema_of(project).questions[0].classes)

    def answer_first(self, table: LabelTable) -> None:
        """What everybody answered at first, put straight into the tables."""
        (question,) = schema_of(self.project).questions
        rows = zip(table.item.tolist(), table.annotator.tolist(), strict=True)
        made = Annotation.objects.bulk_create(
            Annotation(
                item=self.items[item],
                annotator=self.people[person],
                guideline_id=self.project.guideline_id or 0,
            )
            for item, person in rows
        )
        Answer.objects.bulk_create(
            Answer(annotation=one, question_id=question.id, label_class_id=question.classes[label].id)
            for one, label in zip(made, table.label.tolist(), strict=True)
        )
        recount(self.project.pk)

    def first_causes(self) -> str:
        """What heads each list of the product."""
        project = Project.objects.get(pk=self.project.pk)
        (question,) = schema_of(project).questions
        costs = ranking_of(project, question).costs
        assert costs is not None
        gap = costs["pairs"][0]
        person = next(one for one in self.people if one.pk == costs["people"][0]["member"])
        twins = suggest(project, None)["pairs"][0]
        return (
            f"confused most: {gap['a']} and {gap['b']}; person: {person.name.split('-')[0]}; cannot be told apart: "
            f"{twins['a']} and {twins['b']}"
        )

    def human_level(self) -> float:
        """How often somebody says what most of the others say."""
        report = hlp_report(Project.objects.get(pk=self.project.pk))
        return float(report["leave_one_out"]["value"])

    def new_guideline(self, touched: tuple[int, ...], drawn: int, said: Said) -> None:
        """A version about some classes; what it touches goes out again to the same people, and so do drawn items."""
        classes = self._classes
        version = publish_guideline(self.lead, "How to tell them apart.", "a rule")
        version.touches.set([classes[place].id for place in touched])
        self._again(
            Wanted(source=RelabelFor.GUIDELINE, guideline=version.number, drawn=drawn), "A rule", said
        )

    def train(self, person: int, drawn: int, said: Said) -> None:
        """Somebody is trained; all that they answered goes out again, and so do drawn items."""
        theirs = Annotation.objects.filter(annotator=self.people[person], current=True).values_list(
            "item", flat=True
        )
        self._again(Wanted(ids=sorted(theirs), drawn=drawn), "Training", said)

    def _again(self, wanted: Wanted, reason: str, said: Said) -> None:
        found = items_wanted(self.lead, wanted)
        order = Order(to=RelabelTo.SAME, source=wanted.source, guideline=wanted.guideline)
        send_again(self.lead, found.ids, reason, drawn=found.drawn, order=order)
        classes = self._classes
        for number, person in enumerate(self.people):
            given = hand_out(Membership.objects.get(pk=person.pk), 10).leases
            while given:
                for lease in given:
                    label = classes[said[self.place[lease.item_id], number]].name
                    actor = Actor(person.user)  # type: ignore[arg-type]  # everybody here has an account
                    submit(actor, lease.pk, uuid.uuid4().hex, Work({"q": label}, count=0))
                given = hand_out(Membership.objects.get(pk=person.pk), 10).leases

    def merge(self, into: int, other: int) -> None:
        """Two classes are read as one from now on."""
        classes = self._classes
        ids = [classes[into].id, classes[other].id]
        version = Project.objects.values_list("mapping_version", flat=True).get(pk=self.project.pk)
        apply_merge(self.lead, "q", ids, ids[0], version=version)

    def timeline(self) -> list[str]:
        """What the page says of every change that is judged."""
        report = timeline_report(Project.objects.get(pk=self.project.pk))
        return [
            f"{sentence(change)} [{change['comparison']['design']}]"
            for change in report["changes"]
            if change["comparison"] is not None
        ]
