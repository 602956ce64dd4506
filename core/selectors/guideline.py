"""The guideline as people read it: Markdown made into safe HTML, and what changed between versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from urllib.parse import quote, unquote

import nh3
from django.db.models import QuerySet
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from core.models import GuidelineVersion, Project
from core.selectors.display import asset_url

SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    {"a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p"}
    | {"pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}}
LOWEST_HEADING = 6
CONTEXT_LINES = 3


def versions_of(project: Project) -> QuerySet[GuidelineVersion]:
    """All versions of a project's guideline, the newest first."""
    return project.guidelines.select_related("created_by").order_by("-number")


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


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison: ``kind`` is same, added, removed or gap (``n`` unchanged lines left out)."""

    kind: str
    text: str
    n: int = 0


def line_diff(old: str, new: str) -> list[DiffLine]:
    """What changed from one version to another, line by line, with three lines around each change."""
    before, after = old.splitlines(), new.splitlines()
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    lines: list[DiffLine] = []
    shown = 0
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        if group[0][1] > shown:
            lines.append(DiffLine("gap", "", group[0][1] - shown))
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                lines += [DiffLine("same", text) for text in before[start:end]]
            else:
                lines += [DiffLine("removed", text) for text in before[start:end]]
                lines += [DiffLine("added", text) for text in after[new_start:new_end]]
        shown = group[-1][2]
    if lines and shown < len(before):
        lines.append(DiffLine("gap", "", len(before) - shown))
    return lines
