"""A project with something of every kind in it, everybody who might ask for it, and every address of the site."""

import base64
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from core.choices import (
    Cause,
    Doubt,
    FunctionKind,
    ImportKind,
    JobKind,
    LeaseState,
    MappingKind,
    NoticeKind,
    Role,
    RunKind,
    Stream,
)
from core.models import (
    Annotation,
    Batch,
    DataSchema,
    Draft,
    ErrorSearch,
    Flag,
    GuidelineExample,
    GuidelineVersion,
    Import,
    Inquiry,
    Invitation,
    Item,
    ItemTag,
    Job,
    LabelClass,
    LabelError,
    LabelingFunction,
    Membership,
    Notice,
    Prediction,
    Project,
    Question,
    RefusedRow,
    Relabel,
    RelabelItem,
    Resolution,
    Review,
    Run,
    SignInLink,
    Tag,
    Token,
    Trainee,
    TrainingItem,
    TrainingRound,
    User,
    Validation,
    ValidationRule,
    Void,
)
from core.models import (
    Mapping as ClassMapping,
)
from core.selectors.account import digest_of
from core.services.asset import add_assets, store_image
from core.services.audit import record
from core.services.lease import hand_out
from tests.factories.account import make_user
from tests.factories.item import make_items
from tests.factories.project import add_member
from tests.factories.selection import make_features, make_round, make_trained_run

SECRET = "s" * 43
PAYLOAD = "<img src=x onerror=__xss=1>\"'><svg/onload=__xss=1></script><script>__xss=1</script>{{7*7}}${7*7}"
NAMES = {
    "api:asset": "bird.png",
    "agreement_table": "coefficients",
    "hlp_table": "scores",
    "aggregation_table": "rules",
    "selection_table": "rounds",
    "timeline_table": "course",
    "agreement_picture": "coefficients",
}
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every address of the site with its full name."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from routes(pattern.url_patterns, inner)
        else:
            assert pattern.name, f"{pattern.pattern} has no name"
            yield prefix + pattern.name, pattern


ALL = dict(routes())


@dataclass
class World:
    """The project birds with something of every kind in it, and everybody who might ask for it."""

    project: Project
    people: dict[str, User | None]
    members: dict[str, Membership] = field(default_factory=dict)

    def values(self, who: str, name: str) -> dict[str, Any]:
        """The parts of an address: the asker's own things where things have an owner, else Bob's."""
        owner = self.members[who if who in self.members and self.members[who].active else "annotator"]
        known: dict[str, Callable[[], Any]] = {
            "slug": lambda: self.project.slug,
            "secret": lambda: SECRET,
            "key": lambda: "answer",
            "class_id": lambda: LabelClass.objects.filter(question__project=self.project).latest("pk").pk,
            "member_id": lambda: self.members["annotator"].pk,
            "invitation_id": lambda: Invitation.objects.latest("pk").pk,
            "lease_id": lambda: owner.leases.filter(state=LeaseState.ACTIVE).latest("created_at").pk,
            "annotation_id": lambda: Annotation.objects.get(annotator=owner).pk,
            "draft_id": lambda: Draft.objects.get(annotator=owner).pk,
            "token_id": lambda: self._token(who),
            "mapping_id": lambda: self.project.mappings.earliest("number").pk,
            "resolution_id": lambda: Resolution.objects.get(item__project=self.project).pk,
            "review_id": lambda: Review.objects.get(item__project=self.project).pk,
            "inquiry_id": lambda: Inquiry.objects.get(item__project=self.project).pk,
            "relabel_id": lambda: self.project.relabels.get().pk,
            "round_id": lambda: self.project.training_rounds.get().pk,
            "validation_id": lambda: self.project.validations.get().pk,
            "rule_id": lambda: self.project.validation_rules.get().pk,
            "void_id": lambda: self.project.voids.get().pk,
            "item_id": lambda: self.project.items.earliest("pk").pk,
            "run_id": lambda: self.project.runs.get(kind=RunKind.TRAINED).pk,
            "function_id": lambda: self.project.functions.get().pk,
            "import_id": lambda: Import.objects.get(project=self.project).pk,
            "job_id": lambda: Job.objects.get(project=self.project).pk,
            "batch_id": lambda: self.project.batches.get().pk,
            "number": lambda: 1,
            "name": lambda: NAMES.get(name, "item-1"),
        }
        wanted = ALL[name].pattern.converters
        unknown = set(wanted) - set(known)
        assert not unknown, f"tests/factories/world.py has no value for {unknown} of {name}"
        return {part: known[part]() for part in wanted}

    def body(self, who: str, name: str) -> dict[str, Any]:
        """What must be in a body for the address to know what is asked for; otherwise nothing."""
        if name == "api:leases-extend":
            return {"leases": [str(self.values(who, "api:lease-skip")["lease_id"])]}
        if name == "api:annotations-void":
            return {"member": self.members["annotator"].pk}
        if name == "api:lease-annotation":
            return {"answers": {"answer": "yes"}}
        return {}

    def _token(self, who: str) -> int:
        user = self.people[who] or self.people["annotator"]
        token, _made = Token.objects.get_or_create(
            user=user,
            name="of " + who,
            defaults={"digest": who, "prefix": who[:12], "expires_at": "2099-01-01T00:00Z"},
        )
        return token.pk


def make_world(project: Project, known: Mapping[str, User]) -> World:
    """Everybody, with a lease, an annotation and a draft each; otherwise one of everything."""
    frank, gina = make_user("frank"), make_user("gina")
    add_member(project, frank, Role.LEAD)
    former = add_member(project, gina)
    people: dict[str, User | None] = {"anonymous": None, "former member": gina, "lead": frank, **known}
    world = World(project, people)
    items = make_items(project, 30, target=10)
    for who, user in people.items():
        if user is None or who == "stranger":
            continue
        member = Membership.objects.select_related("project").get(project=project, user=user)
        world.members[who] = member
        Annotation.objects.create(item=items[29], annotator=member, guideline=project.guidelines.get())
        (late,) = hand_out(member, 1).leases
        Draft.objects.create(
            annotator=member,
            item=late.item,
            item_version=1,
            lease_id=late.pk,
            idempotency_key="k",
            answers={"answer": "yes"},
            because="lease-gone",
        )
        hand_out(member, 1)
    Membership.objects.filter(pk=former.pk).update(active=False)
    former.refresh_from_db()
    world.members["former member"] = former
    in_a_day = "2099-01-01T00:00:00Z"
    Invitation.objects.create(project=project, digest=digest_of(SECRET), expires_at=in_a_day)
    SignInLink.objects.create(user=people["annotator"], digest=digest_of(SECRET), expires_at=in_a_day)
    job = Job.objects.create(project=project, kind=JobKind.IMPORT)
    source = Import.objects.create(
        project=project,
        kind=ImportKind.ITEMS,
        file="none",
        file_name="none.csv",
        file_hash="0" * 64,
        file_size=0,
        job=job,
    )
    run = Run.objects.create(project=project, name="baseline")
    question = project.questions.get(key="answer")
    said = question.classes.earliest("order")
    Prediction.objects.create(run=run, item=items[29], question=question, label_class=said)
    _learn(project, items, said)
    _mend(world, items, said)
    ItemTag.objects.create(
        tag=Tag.objects.create(project=project, name="blurry", name_key="blurry"), item=items[0]
    )
    RefusedRow.objects.create(source=source, row=1, line=2, column="text", code="empty", detail="empty")
    Flag.objects.create(
        item=items[0], annotator=world.members["annotator"], note="blurry", idempotency_key="f"
    )
    picture, _new = store_image(project.pk, "bird.png", PICTURE, "png")
    add_assets(world.members["owner"], [picture])
    return world


def _learn(project: Project, items: list[Item], said: LabelClass) -> None:
    """A trained run, a round with its picks, a labeling function, likely errors, and items that were sent back."""
    run = make_trained_run(project, {items[28]: said.name}, n_labels=12, feature_set=make_features(project))
    make_round(project, {Stream.SELECTED: items[:3], Stream.AUDIT: items[3:4]}, run=run)
    LabelingFunction.objects.create(
        project=project,
        question=said.question,
        name="says yes",
        kind=FunctionKind.KEYWORDS,
        arguments={"words": ["yes"], "every": False, "also": [], "field": None},
        label_class=said,
    )
    relabel = Relabel.objects.create(project=project, reason="likely wrong")
    RelabelItem.objects.create(relabel=relabel, item=items[29], reason="a model differs")
    search = ErrorSearch.objects.create(project=project, question=said.question)
    LabelError.objects.create(
        search=search, item=items[29], doubt=Doubt.CONFIDENCE, rank=1, score=0.1, given=said, relabel=relabel
    )


def _mend(world: World, items: list[Item], said: LabelClass) -> None:
    """A mapping, a resolution and a review, what somebody asked, a training round, a checked batch, voided answers."""
    project, owner = world.project, world.members["owner"]
    ClassMapping.objects.create(
        project=project,
        number=1,
        kind=MappingKind.RENAME,
        question=said.question,
        document={"class": said.pk, "name": ["aye", said.name]},
        note="clearer",
    )
    Resolution.objects.create(
        item=items[0],
        question=said.question,
        label_class=said,
        cause=Cause.SLIP,
        comment="a slip",
        guideline=project.guidelines.get(),
        settled_by=owner,
    )
    Review.objects.create(
        item=items[27], question=said.question, reviewer=world.members["reviewer"], note="look"
    )
    Inquiry.objects.create(
        item=items[0], annotator=world.members["annotator"], text="is this one?", idempotency_key="i"
    )
    for member in world.members.values():
        Notice.objects.create(member=member, kind=NoticeKind.GUIDELINE, data={"version": 1})
    training = TrainingRound.objects.create(project=project, name="first steps", pass_mark="0.8")
    TrainingItem.objects.create(training_round=training, item=items[26], order=1, explanation="it says so")
    Trainee.objects.create(training_round=training, member=world.members["annotator"])
    batch = project.batches.get()
    schema = DataSchema.objects.create(project=project, number=1, document={"fields": {}})
    ValidationRule.objects.create(
        project=project, name="not empty", document={"field": "text", "rule": "required"}
    )
    Validation.objects.create(project=project, batch=batch, schema=schema, n_items=30)
    Void.objects.create(project=project, member=world.members["annotator"], reason="in haste")
    GuidelineExample.objects.create(version=project.guidelines.get(), label_class=said, item=items[25])


def body_of(answer: Any) -> bytes:
    """A body to its end, which closes what it is read from."""
    if not answer.streaming:
        return bytes(answer.content)
    parts = list(answer)
    answer.streaming_content = parts
    return b"".join(parts)


def ask(world: World, client: Client, method: str, who: str, name: str) -> Any:
    """One request whose effects are undone."""
    address = reverse(name, kwargs=world.values(who, name))
    more: dict[str, Any] = {}
    if method != "GET" and name.startswith("api:"):
        more = {"data": json.dumps(world.body(who, name)), "content_type": "application/json"}
        more["headers"] = {"idempotency-key": "0" * 32}
    elif method != "GET":
        more = {"data": "", "content_type": "application/x-www-form-urlencoded"}
    cookies = copy.deepcopy(client.cookies)  # some addresses sign out
    with transaction.atomic():
        answer = client.generic(method, address, **more)
        body_of(answer)
        transaction.set_rollback(True)
    client.cookies = cookies
    return answer


def plant_everywhere(world: World, text: str) -> None:
    """Put a text into everything that somebody can name or write."""
    project = world.project
    Project.objects.filter(pk=project.pk).update(name=text[:200], note=text, display={"text": "text"})
    Question.objects.filter(project=project).update(title=text)
    LabelClass.objects.filter(question__project=project, order=0).update(name=text, definition=text)
    GuidelineVersion.objects.filter(project=project).update(
        text=f"{text}\n\n[click](javascript:__xss=1)\n\n<div onclick=__xss=1>x</div>", note=text
    )
    Item.objects.filter(project=project).update(data={"text": text, text: text}, meta={text: text})
    Batch.objects.filter(project=project).update(name=text)
    Import.objects.filter(project=project).update(file_name=text, columns={text: text})
    Membership.objects.filter(project=project, user=world.people["annotator"]).update(name=text)
    User.objects.update(display_name=text[:120])
    for run in Run.objects.filter(project=project):
        Run.objects.filter(pk=run.pk).update(name=f"{run.pk} {text}"[:120])
    LabelingFunction.objects.filter(project=project).update(name=text[:120])
    Relabel.objects.filter(project=project).update(reason=text)
    RelabelItem.objects.filter(relabel__project=project).update(reason=text[:200])
    Tag.objects.filter(project=project).update(name=text[:80])
    for flag in world.members["annotator"].flags.all():
        flag.note = text
        flag.save()
    for annotation in world.members["annotator"].annotations.all():
        annotation.comment = text
        annotation.save()
    ClassMapping.objects.filter(project=project).update(note=text)
    Notice.objects.filter(member__project=project).update(data={"version": 1, "note": text})
    Resolution.objects.filter(item__project=project).update(comment=text)
    Review.objects.filter(item__project=project).update(note=text, comment=text)
    Inquiry.objects.filter(item__project=project).update(text=text, answer=text)
    TrainingRound.objects.filter(project=project).update(name=text[:120])
    TrainingItem.objects.filter(training_round__project=project).update(explanation=text)
    ValidationRule.objects.filter(project=project).update(name=text[:120])
    Void.objects.filter(project=project).update(reason=text)
    GuidelineExample.objects.filter(item__project=project).update(note=text)
    record(world.people["owner"], project, "member.changed", text, note=text)
