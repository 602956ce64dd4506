"""The guideline as people read it: Markdown made into safe HTML, and what changed between versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import nh3
from django.db.models import QuerySet
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from core.models import GuidelineVersion, Project
from core.selectors.display import asset_url

SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    "a blockquote br code em h2 h3 h4 h5 h6 hr img li ol p pre s strong table tbody td th thead tr ul".split()
)
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}}
LOWEST_HEADING = 6


def guideline_html(project: Project, text: str) -> SafeString:
    """Markdown as HTML without scripts, foreign images or addresses other than http, https and mailto.

    ``![what it shows](photo.png)`` shows an uploaded image of the project. Headings begin at level 2,
    below the page's own.
    """
    return _rendered(text, asset_url(project, ""))


@lru_cache(maxsize=32)
def _rendered(text: str, assets: str) -> SafeString:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    _shift_headings(tokens)
    html = parser.renderer.render(tokens, parser.options, {"assets": assets})
    clean = nh3.clean(
        html,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=lambda tag, name, value: _allowed(tag, name, value, assets),
        url_schemes=set(SCHEMES),
        link_rel="noopener nofollow",
    )
    return mark_safe(clean)  # noqa: S308 -- cleaned in the line above


def _allowed(tag: str, name: str, value: str, assets: str) -> str | None:
    if (tag, name) == ("a", "href"):
        return value if value.split(":", 1)[0].lower() in SCHEMES and ":" in value else None
    if (tag, name) == ("img", "src"):
        return value if value.startswith(assets) else None
    return value


def _shift_headings(tokens: Sequence[Token]) -> None:
    """One level lower, and never a level left out on the way down."""
    above = 1
    for token in tokens:
        if token.type == "heading_open":
            above = min(int(token.tag[1]) + 1, above + 1, LOWEST_HEADING)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{above}"


class _Renderer(RendererHTML):
    """Images by the name of an upload; any other image is told by its alternative text."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        name = unquote(str(tokens[idx].attrs.get("src", "")))
        if ":" in name or name.startswith(("/", "\\")):
            return self.renderInlineAsText(tokens[idx].children or [], options, env)
        tokens[idx].attrs["src"] = env["assets"] + asset_url_part(name)
        return super().image(tokens, idx, options, env)
