"""The written instruction: each edit is a new version, with its examples."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from core.access import LEADS
from core.choices import InquiryState, NoticeKind
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import (
    GuidelineExample,
    GuidelineVersion,
    Inquiry,
    Item,
    LabelClass,
    Membership,
    Project,
    User,
)
from core.services.archive import check_open
from core.services.audit import record
from core.services.notice import notify

LONGEST_GUIDELINE = 200_000
LONGEST_NOTE = 500
MOST_EXAMPLES = 200
EXAMPLE_FIELDS = frozenset({"item", "class", "question", "near_miss", "note"})
Rows = list[dict[str, str]]


def first_version(project: Project, user: User | None, text: str) -> GuidelineVersion:
    """Version 1 of a new project. Call it inside the transaction that makes the project."""
    version = GuidelineVersion.objects.create(project=project, number=1, text=_checked(text), created_by=user)
    project.guideline = version
    project.save(update_fields=["guideline"])
    return version


@transaction.atomic
def publish_guideline(
    membership: Membership,
    text: str,
    note: str = "",
    *,
    examples: Sequence[Mapping[str, Any]] | None = None,
    touches: Collection[int] = (),
    seen: int | None = None,
    inquiry_id: int | None = None,
) -> GuidelineVersion:
    """Put a new version in force; annotations made from now on carry it, and every member is told.

    ``examples`` are ``{"item": external id, "question": key, "class": name or None, "near_miss", "note"}``; None
    keeps those of the version before. ``touches`` are ids of the classes whose rules it changes. ``seen`` is the
    number of the version that its writer started from. ``inquiry_id`` is the question of an annotator that became
    a rule of it; they are told.

    An item with gold is no example: shown to everybody, it could not test anybody any more. What got gold since it
    became one is left out when examples are kept.

    Raises Stale, Invalid ``guideline-too-long``, ``bad-character``, ``bad-note``, ``bad-examples``, ``unknown-class``,
    Missing without such an inquiry; Conflict in an archive, and ``guideline-unchanged`` where text and
    examples are those in force, no class is named as touched and no question becomes a rule.
    """
    project = (
        Project.objects.select_for_update(no_key=True, of=("self",))
        .select_related("guideline")
        .get(pk=membership.project_id)
    )
    check_open(project)
    before = project.guideline
    number = before.number + 1 if before else 1
    if seen is not None and seen != number - 1:
        raise Stale(
            "stale", "Another version was published since you read the guideline.", version=number - 1
        )
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise Invalid("bad-note", f"A note is a text of at most {LONGEST_NOTE} characters.")
    version = GuidelineVersion.objects.create(
        project=project, number=number, text=_checked(text), note=note, created_by=membership.user
    )
    _write_examples(version, before, examples)
    classes = LabelClass.objects.filter(question__project=project, pk__in=touches)
    if len(classes) != len(set(touches)):
        raise Invalid("unknown-class", "Not all of these are classes of this project.")
    version.touches.set(classes)
    if inquiry_id is not None:
        _make_rule(membership, inquiry_id, version)
    if before is not None and not touches and inquiry_id is None and _same(before, version):
        raise Conflict(
            "guideline-unchanged", "Nothing is changed: this text with these examples is in force."
        )
    project.guideline = version
    project.save(update_fields=["guideline"])
    record(
        membership.user,
        project,
        "guideline.published",
        f"version {number}",
        version=number,
        touches=sorted(set(touches)),
        **({} if inquiry_id is None else {"inquiry": inquiry_id}),
    )
    mark_read(membership, number)
    readers = Membership.objects.filter(project=project, active=True, user__isnull=False)
    told = readers.exclude(pk=membership.pk).values_list("pk", flat=True)
    notify(told, NoticeKind.GUIDELINE, version=number, note=note)
    return version


def _make_rule(membership: Membership, inquiry_id: int, version: GuidelineVersion) -> None:
    """A question became a rule: that is its answer, where it had none."""
    inquiry = (
        Inquiry.objects.select_for_update(of=("self",), no_key=True)
        .select_related("item")
        .filter(pk=inquiry_id, item__project=membership.project_id)
        .first()
    )
    if inquiry is None:
        raise Missing
    rows = Inquiry.objects.filter(pk=inquiry.pk)
    rows.update(state=InquiryState.RULE, guideline=version)
    rows.filter(answered_at=None).update(answered_by=membership.user, answered_at=Now())
    if inquiry.annotator_id != membership.pk:
        told = {"inquiry": inquiry.pk, "item": inquiry.item.external_id, "version": version.number}
        notify([inquiry.annotator_id], NoticeKind.ANSWERED, **told)


def _write_examples(
    version: GuidelineVersion,
    before: GuidelineVersion | None,
    examples: Sequence[Mapping[str, Any]] | None,
) -> None:
    if examples is not None:
        GuidelineExample.objects.bulk_create(_checked_examples(version, examples))
        return
    kept = before.examples.filter(item__gold=None) if before else ()
    GuidelineExample.objects.bulk_create(
        GuidelineExample(
            version=version,
            label_class_id=one.label_class_id,
            item_id=one.item_id,
            near_miss=one.near_miss,
            note=one.note,
            order=one.order,
        )
        for one in kept
    )


def _same(before: GuidelineVersion, version: GuidelineVersion) -> bool:
    """Whether two versions say the same: the text, and the examples in their order."""
    columns = ("item", "label_class", "near_miss", "note")
    shown, said = (list(one.examples.values_list(*columns)) for one in (before, version))
    return before.text == version.text and shown == said


def _checked_examples(
    version: GuidelineVersion, examples: Sequence[Mapping[str, Any]]
) -> list[GuidelineExample]:
    """Rows of the new version. Raises Invalid ``bad-examples`` with a row per example that is wrong."""
    if not isinstance(examples, list | tuple) or len(examples) > MOST_EXAMPLES:
        raise Invalid("bad-examples", f"examples are a list of at most {MOST_EXAMPLES}.")
    errors: Rows = []
    made: list[GuidelineExample] = []
    seen: set[tuple[int | None, int]] = set()
    items, classes = _things(version.project, examples)
    for order, example in enumerate(examples):
        wrong = _wrong_with(example, items, classes)
        if wrong is None:
            item, spec = items[example["item"]], _class_of(example, classes)
            place = (spec.pk if spec else None, item.pk)
            wrong = REPEATED if place in seen else None
            seen.add(place)
        if wrong is not None:
            pointer = f"/examples/{order}"
            errors.append({"field": pointer, "pointer": pointer, "code": wrong[0], "detail": wrong[1]})
            continue
        made.append(
            GuidelineExample(
                version=version,
                item=item,
                label_class=spec,
                near_miss=example.get("near_miss", False),
                note=example.get("note") or "",
                order=order,
            )
        )
    if errors:
        raise Invalid("bad-examples", f"{errors[0]['pointer']}: {errors[0]['detail']}", errors=errors[:50])
    return made


Classes = dict[tuple[str | None, str], LabelClass | None]
REPEATED = ("repeated-example", "This item is an example of this class already.")
HAS_GOLD = ("has-gold", "This item has gold: shown to everybody, it could not test anybody any more.")


def _things(project: Project, examples: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Item], Classes]:
    """The items by their ids, and the classes as they are read by question and name; None where a name is in two."""
    names = {one["item"] for one in examples if isinstance(one, Mapping) and isinstance(one.get("item"), str)}
    items = Item.objects.filter(project=project, external_id__in=names).prefetch_related("gold")
    classes: Classes = {}
    rows = LabelClass.objects.filter(question__project=project).select_related("question", "merged_into")
    for spec in rows:
        read = spec.merged_into or spec
        classes[spec.question.key, spec.name] = read
        known = classes.get((None, spec.name), read)
        classes[None, spec.name] = read if known and known.question_id == read.question_id else None
    return {item.external_id: item for item in items}, classes


def _class_of(example: Mapping[str, Any], classes: Classes) -> LabelClass | None:
    name = example.get("class")
    return None if name is None else classes.get((example.get("question"), name))


def _wrong_with(example: Any, items: dict[str, Item], classes: Classes) -> tuple[str, str] | None:
    """The code and the sentence of what is wrong with one example."""
    if not isinstance(example, Mapping) or set(example) - EXAMPLE_FIELDS:
        return "bad-example", "An example has item, class, question, near_miss and note."
    texts = (example.get("class"), example.get("question"), example.get("note"))
    flag = example.get("near_miss", False)
    if not isinstance(flag, bool) or any(text is not None and not isinstance(text, str) for text in texts):
        return "bad-example", "class, question and note are texts, near_miss is true or false."
    note = example.get("note") or ""
    if len(note) > LONGEST_NOTE or "\0" in note:
        return "bad-note", f"A note is a text of at most {LONGEST_NOTE} characters."
    if not isinstance(example.get("item"), str) or example["item"] not in items:
        return "unknown-item", f"The project has no item {str(example.get('item'))[:80]!r}."
    if example.get("class") is not None and _class_of(example, classes) is None:
        return "unknown-class", f"There is no class {example['class'][:80]!r} here, or in several questions."
    return HAS_GOLD if items[example["item"]].gold.all() else None


def mark_read(membership: Membership, number: int) -> None:
    """Note that somebody has read the guideline up to this version; never back to an earlier one."""
    newest = Membership.objects.filter(pk=membership.pk, project__guideline__number__gte=number)
    newest.filter(guideline_read__lt=number).update(guideline_read=number)


def in_force(project: Project) -> int:
    """The id of the version that annotations made now carry (a project has one from its first moment)."""
    if project.guideline_id is None:
        raise Invalid("no-guideline", "This project has no guideline version.")
    return project.guideline_id


def leads_of(project_id: int) -> list[int]:
    """The members who lead a project."""
    leads = Membership.objects.filter(project=project_id, active=True, role__in=LEADS)
    return list(leads.values_list("pk", flat=True))


def _checked(text: str) -> str:
    if len(text) > LONGEST_GUIDELINE:
        raise Invalid("guideline-too-long", f"A guideline has at most {LONGEST_GUIDELINE:,} characters")
    if "\0" in text:
        raise Invalid("bad-character", "A guideline cannot hold the character U+0000")
    return text
