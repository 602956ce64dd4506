"""The mappings of a project, and what those in force make of the classes."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from core.choices import MappingKind, QuestionKind
from core.exceptions import Missing
from core.models import Gold, LabelClass, Mapping, Prediction, Question, Run
from core.selectors.question import QuestionSpec

OF_CLASSES = (MappingKind.MERGE, MappingKind.RENAME)


@dataclass(frozen=True, slots=True)
class ClassState:
    """What a class is called, and the current class that its answers are read as (None: it is current itself)."""

    name: str
    into: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A mapping's document, and whether it is in force."""

    document: Map[str, Any]
    in_force: bool = True


def folded(names: Map[int, str], steps: Iterable[Step]) -> dict[int, ClassState]:
    """The state of the classes of one question after its steps, oldest first.

    ``names`` are what the classes are called at present, by id. A class was first called what the oldest step that
    gave it another name says, reverted or not; it is called what the last one in force says. A merge in force reads
    whatever its classes stand for by then as what ``into`` stands for by then, so nothing is ever read as a class
    that is itself read as another.
    """
    called = dict(names)
    seen: set[int] = set()
    renames: list[tuple[int, str]] = []
    into = {pk: pk for pk in names}
    for step in steps:
        document = step.document
        subject = document.get("into", document.get("class"))
        if "name" in document and subject in called:
            before, after = document["name"]
            if subject not in seen:
                seen.add(subject)
                called[subject] = before
            if step.in_force:
                renames.append((subject, after))
        if step.in_force and "into" in document:
            target = into[document["into"]]
            gone = {into[pk] for pk in document["classes"]} - {target}
            into = {pk: target if root in gone else root for pk, root in into.items()}
    called.update(renames)
    return {pk: ClassState(called[pk], None if into[pk] == pk else into[pk]) for pk in names}


def states_of(question: Question) -> dict[int, ClassState]:
    """What the mappings make of the classes of a question, by id. Reads the database."""
    names = dict(LabelClass.objects.filter(question=question).values_list("pk", "name"))
    rows = Mapping.objects.filter(question=question, kind__in=OF_CLASSES).order_by("number")
    steps = [Step(document, at is None) for document, at in rows.values_list("document", "reverted_at")]
    return folded(names, steps)


def mappings_of(project_id: int) -> QuerySet[Mapping]:
    """A project's mappings, newest first, with who applied and who reverted them."""
    rows = Mapping.objects.filter(project_id=project_id)
    return rows.select_related("question", "created_by", "reverted_by").order_by("-number")


def mapping_of(mapping_id: int) -> Mapping:
    """One mapping. Raises Missing."""
    found = Mapping.objects.select_related("question").filter(pk=mapping_id).first()
    if found is None:
        raise Missing
    return found


def class_names(project_id: int) -> dict[int, str]:
    """What every class of a project is called at present, by id: the words in which mappings are told."""
    return dict(LabelClass.objects.filter(question__project_id=project_id).values_list("pk", "name"))


def mapping_document(mapping: Mapping, names: Map[int, str]) -> dict[str, Any]:
    """A mapping as the API tells it, with the names of classes in place of their ids.

    ``names`` are what the classes are called at present (see class_names).
    """
    document = mapping.document
    told: dict[str, Any] = {"classes": [], "into": None, "name": document.get("name"), "rules": []}
    if mapping.kind == MappingKind.MERGE:
        told["classes"] = [names[pk] for pk in document["classes"]]
        told["into"] = names[document["into"]]
    elif mapping.kind == MappingKind.RENAME:
        told["classes"] = [names[document["class"]]]
    else:
        told["rules"] = document["rules"]
    return {
        "id": mapping.pk,
        "number": mapping.number,
        "kind": mapping.kind,
        "question": mapping.question.key,
        **told,
        "note": mapping.note,
        "by": None if mapping.created_by is None else mapping.created_by.username,
        "at": mapping.created_at,
        "reverted_by": None if mapping.reverted_by is None else mapping.reverted_by.username,
        "reverted_at": mapping.reverted_at,
    }


@dataclass(frozen=True, slots=True)
class OutsideAnswers:
    """How many gold values and predictions say some classes."""

    gold: int
    predictions: int


def outside_answers(question: QuestionSpec, class_ids: Collection[int]) -> OutsideAnswers:
    """How much gold and how many predictions of a question say any of these classes."""
    ids = list(class_ids)
    gold = Gold.objects.filter(question_id=question.id)
    if question.kind == QuestionKind.MULTIPLE:
        gold = gold.filter(label_classes__in=ids).distinct()
    else:
        gold = gold.filter(label_class__in=ids)
    runs = Run.objects.filter(project__questions=question.id)  # predictions are indexed by run first
    said = Prediction.objects.filter(run__in=runs, question_id=question.id, label_class__in=ids)
    return OutsideAnswers(gold.count(), said.count())
