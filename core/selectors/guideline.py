"""The guideline as people read it: Markdown made into safe HTML, and what changed between versions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import nh3
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from core.access import Action, role_may
from core.choices import AuditPart, ItemState, LeaseState, Pass, ProjectState
from core.exceptions import Invalid
from core.models import (
    Annotation,
    GuidelineExample,
    GuidelineVersion,
    Item,
    LabelClass,
    Lease,
    Membership,
    Project,
    RelabelPlace,
    TrainingItem,
)
from core.selectors.display import Block, asset_url, blocks_of
from core.selectors.line_diff import DiffLine, line_diff

SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    {"a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p"}
    | {"pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}}
LOWEST_HEADING = 6
LONGEST_BLOCK = 400


def versions_of(project: Project) -> QuerySet[GuidelineVersion]:
    """All versions of a project's guideline, the newest first."""
    return project.guidelines.select_related("created_by").order_by("-number")


def whole_versions_of(
    project: Project, *, items: bool = True, reader: Membership | None = None
) -> QuerySet[GuidelineVersion]:
    """As versions_of, with what they touch and their examples; without ``items``, of these only the ids.

    With a ``reader``, without the examples whose items they have yet to label: an example tells the answer.
    """
    examples = GuidelineExample.objects.select_related(
        "item", "label_class__question", "label_class__merged_into__question"
    ).order_by("order", "pk")
    if reader is not None:
        examples = examples.exclude(item__in=yet_to_label(reader))
    classes = LabelClass.objects.select_related("question", "merged_into__question")
    return versions_of(project).prefetch_related(
        Prefetch("touches", classes),
        Prefetch("examples", examples if items else examples.defer("item__data", "item__meta")),
    )


def yet_to_label(member: Membership) -> QuerySet[Item]:
    """The items that somebody has in hand or may still be given for the first time, or was asked to answer again.

    Whoever may read items reads their answers as well: of theirs only those in hand. It does not ask for gold, so that
    what it leaves out tells none.
    """
    items = Item.objects.filter(project=member.project_id)
    if member.project.state == ProjectState.ARCHIVED:
        return items.none()
    own = {"item": OuterRef("pk"), "annotator": member.pk}
    held = Q(Exists(Lease.objects.filter(**own, state=LeaseState.ACTIVE)))
    if role_may(member.role, Action.ITEMS_READ):
        return items.filter(held)
    partly = {"voided": False, "complete": False, "pass_kind": Pass.NORMAL}
    first = Annotation.objects.filter(**own, item_version=OuterRef("version"), current=True, repeat=1)
    queued = Q(done__lt=F("target")) & (Q(pool=0) | Q(pool__in=member.batches.values("pk")))
    queued &= ~Q(Exists(first.exclude(**partly)))
    asked = Q(Exists(RelabelPlace.objects.filter(**own, annotation=None, dropped=False)))
    taught = Q(pk__in=TrainingItem.objects.filter(training_round=member.training_round_id).values("item"))
    return items.exclude(state=ItemState.WITHDRAWN).filter(held | queued | asked | taught)


def withheld_from(member: Membership, version: GuidelineVersion) -> int:
    """How many examples of a version somebody is not shown yet."""
    return GuidelineExample.objects.filter(version=version, item__in=yet_to_label(member)).count()


def guideline_html(project: Project, text: str) -> SafeString:
    """Markdown as HTML without scripts, foreign images or addresses other than http, https and mailto.

    ``![what it shows](photo.png)`` shows an uploaded image of the project. Headings begin at level 2,
    below the page's own.
    """
    return _rendered(text, asset_url(project, ""))


@lru_cache(maxsize=32)
def _rendered(text: str, assets: str) -> SafeString:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer = RendererHTML(parser)
    tokens = parser.parse(text)
    _shift_headings(tokens)
    for token in tokens:
        _own_images(renderer, parser.options, token.children or [], assets)
    clean = nh3.clean(
        renderer.render(tokens, parser.options, {}),
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=lambda tag, name, value: value if _allowed(tag, name, value, assets) else None,
        url_schemes=set(SCHEMES),
        link_rel="noopener nofollow",
    )
    return mark_safe(clean)  # noqa: S308 -- cleaned in the line above


def _allowed(tag: str, name: str, value: str, assets: str) -> bool:
    if (tag, name) == ("a", "href"):
        scheme, colon, _rest = value.partition(":")
        return bool(colon) and scheme.lower() in SCHEMES
    return (tag, name) != ("img", "src") or value.startswith(assets)


def _shift_headings(tokens: Sequence[Token]) -> None:
    """One level lower, and never a level left out on the way down."""
    level = 1
    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + 1, level + 1, LOWEST_HEADING)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{level}"


def _own_images(renderer: RendererHTML, options: OptionsDict, tokens: Sequence[Token], assets: str) -> None:
    """Point images at the project's uploads; of any other image the describing text is left."""
    for token in tokens:
        if token.type != "image":
            continue
        name = unquote(str(token.attrs.get("src", "")))
        if name and ":" not in name and not name.startswith(("/", "\\")):
            token.attrs["src"] = assets + quote(name, safe="")
        else:
            token.content = renderer.renderInlineAsText(token.children, options, {})
            token.type, token.tag, token.children, token.attrs = "text", "", None, {}


# --- Examples -----------------------------------------------------------------------------------------


def class_read(spec: LabelClass) -> LabelClass:
    """What a class is read as by the mappings in force."""
    return spec.merged_into or spec


def touched_by(version: GuidelineVersion) -> list[LabelClass]:
    """The classes whose rules a version changes, as they are read, each once and in order."""
    read = {class_read(spec) for spec in version.touches.all()}
    return sorted(read, key=lambda spec: (spec.question_id, spec.order, spec.pk))


def example_document(example: GuidelineExample) -> dict[str, Any]:
    """An example as it is sent to publish a version."""
    spec = class_read(example.label_class) if example.label_class else None
    return {
        "item": example.item.external_id,
        "question": spec.question.key if spec else None,
        "class": spec.name if spec else None,
        "near_miss": example.near_miss,
        "note": example.note,
    }


@dataclass(frozen=True, slots=True)
class ShownExample:
    """An example with its item as annotators see it, long texts cut."""

    example: GuidelineExample
    label_class: LabelClass | None
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class ClassExamples:
    """The examples of one class, or of none."""

    label_class: LabelClass | None
    examples: list[ShownExample]


def shown_example(project: Project, example: GuidelineExample) -> ShownExample:
    """One example as a page shows it."""
    spec = class_read(example.label_class) if example.label_class else None
    return ShownExample(example, spec, [_short(block) for block in blocks_of(project, example.item.data)])


def examples_by_class(project: Project, version: GuidelineVersion) -> list[ClassExamples]:
    """The examples of a version in the order of questions and classes, those of no class last; near misses behind."""
    groups: dict[int, ClassExamples] = {}
    for example in version.examples.all():
        shown = shown_example(project, example)
        key = shown.label_class.pk if shown.label_class else 0
        groups.setdefault(key, ClassExamples(shown.label_class, [])).examples.append(shown)
    for group in groups.values():
        group.examples.sort(key=lambda one: one.example.near_miss)
    return sorted(groups.values(), key=_place)


def _place(group: ClassExamples) -> tuple[bool, int, int, int]:
    spec = group.label_class
    if spec is None:
        return (True, 0, 0, 0)
    return (False, spec.question.order, spec.order, spec.pk)


def _short(block: Block) -> Block:
    """A block whose texts are no longer than an example needs."""
    if block["kind"] == "text":
        return {**block, "value": _cut(block["value"])}
    if block["kind"] == "pair":
        return {**block, **{side: {**block[side], "value": _cut(block[side]["value"])} for side in "ab"}}
    if block["kind"] == "table":
        return {**block, "rows": [[field, _cut(value)] for field, value in block["rows"]]}
    return block


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_BLOCK else f"{text[:LONGEST_BLOCK].rstrip()}\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed from one version to another: lines of the text, and examples."""

    lines: list[DiffLine]
    added: list[ShownExample]
    removed: list[ShownExample]

    def __bool__(self) -> bool:
        return bool(self.lines or self.added or self.removed)


def changes_between(project: Project, old: GuidelineVersion, new: GuidelineVersion) -> Changes:
    """The difference of two versions. An example whose note or kind changed is removed and added."""
    before, after = _by_content(old), _by_content(new)
    return Changes(
        line_diff(old.text, new.text),
        [shown_example(project, one) for content, one in after.items() if content not in before],
        [shown_example(project, one) for content, one in before.items() if content not in after],
    )


def _by_content(version: GuidelineVersion) -> dict[tuple[int | None, int, bool, str], GuidelineExample]:
    found = {}
    for one in version.examples.all():
        spec = class_read(one.label_class) if one.label_class else None
        found[spec.pk if spec else None, one.item_id, one.near_miss, one.note] = one
    return found


def known_to_all(project: Project, external_ids: Collection[str]) -> list[str]:
    """Those of the items whose use as an example spoils what rests on them: the audit slice and training rounds.

    Their answers become known to everybody, so that agreement and quality on them come out too high.
    """
    items = Item.objects.filter(project=project, external_id__in=external_ids)
    training = TrainingItem.objects.filter(item__in=items).values("item_id")
    spoilt = items.exclude(audit=AuditPart.NONE) | items.filter(pk__in=training)
    return sorted(spoilt.values_list("external_id", flat=True))


def classes_named(project: Project, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The keys of classes given as ``{"class": name, "question": key}``; the question where two have the name.

    Raises Invalid ``unknown-class`` with a row per class that is not there.
    """
    known: dict[tuple[str | None, str], set[int]] = {}
    for spec in LabelClass.objects.filter(question__project=project).select_related("question"):
        for question in (spec.question.key, None):
            known.setdefault((question, spec.name), set()).add(spec.merged_into_id or spec.pk)
    found: list[int] = []
    errors: list[dict[str, Any]] = []
    for place, row in enumerate(rows):
        classes = known.get((row.get("question"), row["class"]), set())
        if len(classes) == 1:
            found += classes
            continue
        detail = f"There is no class {row['class'][:80]!r} here, or in several questions."
        errors.append({"pointer": f"/touches/{place}", "code": "unknown-class", "detail": detail})
    if errors:
        raise Invalid("unknown-class", errors[0]["detail"], errors=errors[:50])
    return found
