"""Shapes of projects, questions, classes and guidelines."""

from typing import Any

from rest_framework import serializers

from core.api.serializers.agreement import Figure
from core.choices import Gate, Level, ProjectState, QuestionKind, Role, Strategy
from core.models import GuidelineVersion, LabelClass, Membership, Project
from core.selectors.guideline import example_document, touched_by
from core.selectors.overlap import Saving
from core.selectors.progress import Progress
from core.selectors.project import document_of


class ClassDocument(serializers.Serializer[Any]):
    """A class in a project document."""

    name = serializers.CharField(allow_blank=True)
    definition = serializers.CharField(required=False, allow_blank=True)
    colour = serializers.IntegerField(required=False)
    key = serializers.CharField(required=False, allow_blank=True)
    uncertain = serializers.BooleanField(required=False)


class QuestionDocument(serializers.Serializer[Any]):
    """A question in a project document."""

    key = serializers.CharField()
    kind = serializers.ChoiceField(choices=QuestionKind.choices)
    title = serializers.CharField()
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]  # a field that is called so
    level = serializers.ChoiceField(choices=Level.choices, required=False)
    minimum = serializers.FloatField(required=False)
    maximum = serializers.FloatField(required=False)
    when = serializers.DictField(required=False)
    classes = ClassDocument(many=True, required=False)


class RetestDocument(serializers.Serializer[Any]):
    """The same person twice: after how many days, at which rate, and how often in the end at least."""

    after_days = serializers.IntegerField(required=False)
    rate = serializers.FloatField(required=False)
    per_person_minimum = serializers.IntegerField(required=False)


class AdaptiveDocument(serializers.Serializer[Any]):
    """Overlap that adapts: up to how many people, until how sure, and how many places may be bought in all."""

    most = serializers.IntegerField(required=False, allow_null=True)
    sure = serializers.FloatField(required=False)
    budget = serializers.IntegerField(required=False, allow_null=True)


class SelectionDocument(serializers.Serializer[Any]):
    """Choosing what to label next: by which strategy, how many at a time, for which question (null: the first)."""

    on = serializers.BooleanField(required=False)
    strategy = serializers.ChoiceField(choices=Strategy.choices, required=False)
    size = serializers.IntegerField(required=False)
    seed = serializers.IntegerField(required=False)
    question = serializers.CharField(required=False, allow_null=True)


class SettingsDocument(serializers.Serializer[Any]):
    """What can be changed later."""

    name = serializers.CharField(required=False)
    overlap = serializers.IntegerField(required=False)
    audit_fraction = serializers.FloatField(required=False)
    audit_overlap = serializers.IntegerField(required=False)
    lease_minutes = serializers.IntegerField(required=False)
    retest = RetestDocument(required=False)
    gold_rate = serializers.FloatField(required=False)
    gold_bound = serializers.FloatField(
        required=False,
        allow_null=True,
        help_text="Whoever's accuracy on gold is surely below it gets no further items; null: nobody is paused.",
    )
    validation_gate = serializers.ChoiceField(
        choices=Gate.choices, required=False, help_text="What findings about a batch do to its import."
    )
    adaptive = AdaptiveDocument(required=False, allow_null=True)
    selection = SelectionDocument(required=False)
    display = serializers.DictField(required=False)


class DocumentOut(SettingsDocument):
    """What a project was made from, and can be made from again."""

    slug = serializers.CharField(required=False)
    guideline = serializers.CharField(required=False, allow_blank=True)
    questions = QuestionDocument(many=True)


class ProjectDocument(DocumentOut):
    """A project document: what makes a project. With a seed the same items fall into the same audit slice anywhere."""

    seed = serializers.IntegerField(required=False)


class ProgressDocument(serializers.Serializer[Any]):
    """How far a project is."""

    items = serializers.IntegerField()
    items_done = serializers.IntegerField()
    annotations = serializers.IntegerField()


class ProjectOut(DocumentOut):
    """A project as its members see it."""

    state = serializers.ChoiceField(choices=ProjectState.choices)
    version = serializers.IntegerField()
    guideline_version = serializers.IntegerField()
    role = serializers.ChoiceField(choices=Role.choices)
    progress = ProgressDocument(required=False)


class ProjectLine(serializers.Serializer[Any]):
    """A project in a list."""

    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=ProjectState.choices)
    role = serializers.ChoiceField(choices=Role.choices)


class CloneRequest(serializers.Serializer[Any]):
    """What the copy is called."""

    slug = serializers.CharField()
    name = serializers.CharField(required=False, allow_blank=True, default="")


class SavingOut(serializers.Serializer[Any]):
    """What adaptive overlap has saved on the finished items outside the audit slice, and how good the labels are."""

    most = serializers.IntegerField()
    question = serializers.CharField(allow_null=True)
    items = serializers.IntegerField()
    labels_used = serializers.IntegerField()
    labels_everywhere = serializers.IntegerField()
    labels_saved = serializers.IntegerField()
    bought = serializers.IntegerField()
    budget = serializers.IntegerField(allow_null=True)
    sure = serializers.IntegerField(allow_null=True)
    gold_accuracy = Figure(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)


class TouchedClass(serializers.Serializer[Any]):
    """A class by its name, with its question where two have a class of that name."""

    locals()["class"] = serializers.CharField()
    question = serializers.CharField(required=False)


class ExampleDocument(serializers.Serializer[Any]):
    """An item that shows what belongs to a class, or only nearly does."""

    item = serializers.CharField(trim_whitespace=False, help_text="Its id.")
    locals()["class"] = serializers.CharField(
        required=False, allow_null=True, help_text="Null: an example of no class in particular."
    )
    question = serializers.CharField(
        required=False, allow_null=True, help_text="Needed where two questions have a class of this name."
    )
    near_miss = serializers.BooleanField(required=False, help_text="It looks like one and is none.")
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)


class GuidelineRequest(serializers.Serializer[Any]):
    """A new version of the guideline."""

    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    note = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=500, help_text="Why it changed."
    )
    touches = TouchedClass(many=True, required=False, help_text="The classes whose rules it changes.")
    examples = ExampleDocument(
        many=True, required=False, help_text="All of them; without this field those of the version before."
    )
    inquiry = serializers.IntegerField(
        required=False, help_text="The id of the question that becomes a rule with it."
    )


class GuidelineOut(serializers.Serializer[Any]):
    """One version of the guideline."""

    number = serializers.IntegerField()
    text = serializers.CharField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    touches = TouchedClass(many=True)
    examples = ExampleDocument(many=True)
    known_to_all = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="When it is published: examples of the audit slice or of a training round. "
        "Everybody knows their answers from here on, so figures that rest on them come out too high.",
    )


class ClassOut(ClassDocument):
    """A class with its id."""

    id = serializers.IntegerField()


def project_line(member: Membership) -> dict[str, Any]:
    """A project in a person's list."""
    project = member.project
    return {"slug": project.slug, "name": project.name, "state": project.state, "role": member.role}


def project_out(project: Project, role: str, progress: Progress | None) -> dict[str, Any]:
    """A project document with its state; the project's counts for those who may see everybody's work."""
    body = {
        **document_of(project),
        "state": project.state,
        "version": project.version,
        "guideline_version": project.guideline.number if project.guideline else 0,
        "role": role,
    }
    if progress is not None:
        body["progress"] = {
            "items": progress.items,
            "items_done": progress.items_done,
            "annotations": progress.annotations,
        }
    return body


def saving_out(saving: Saving) -> dict[str, Any]:
    """What adaptive overlap has saved."""
    return {
        "most": saving.most,
        "question": saving.question,
        "items": saving.items,
        "labels_used": saving.used,
        "labels_everywhere": saving.everywhere,
        "labels_saved": saving.saved,
        "bought": saving.bought,
        "budget": saving.budget,
        "sure": saving.sure,
        "gold_accuracy": saving.gold,
        "as_of": saving.as_of,
    }


def guideline_out(version: GuidelineVersion) -> dict[str, Any]:
    """One version of guideline.whole_versions_of."""
    return {
        "number": version.number,
        "text": version.text,
        "note": version.note,
        "created_at": version.created_at,
        "created_by": str(version.created_by) if version.created_by else None,
        "touches": [{"question": spec.question.key, "class": spec.name} for spec in touched_by(version)],
        "examples": [example_document(one) for one in version.examples.all()],
    }


def class_out(spec: LabelClass) -> dict[str, Any]:
    """One class."""
    return {
        "id": spec.pk,
        "name": spec.name,
        "definition": spec.definition,
        "colour": spec.colour,
        "key": spec.key,
        "uncertain": spec.uncertain,
    }
