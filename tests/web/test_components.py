"""The design system: what every template must keep to, and what the components say."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import get_template, render_to_string
from django.utils import timezone

from core.templatetags.plain import plain

TEMPLATES = Path(settings.BASE_DIR) / "templates"
STYLES = Path(settings.BASE_DIR) / "static" / "css"
COMPONENTS = TEMPLATES / "components"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
PAGES = [
    name for name in NAMES if '{% extends "base.html" %}' in (TEMPLATES / name).read_text(encoding="utf-8")
]
COMPONENT_NAMES = sorted(path.name for path in COMPONENTS.glob("_*.html"))
STYLE_SHEETS = sorted(path for path in STYLES.rglob("*.css") if path.name != "tokens.css")

REFUSED = {
    "a style attribute": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "an event attribute": re.compile(r"<[a-z][^>]*\s(on[a-z]+|hx-on[a-z:-]*)\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "a script address": re.compile(r"""["'=]\s*javascript:""", re.IGNORECASE),
    "another host": re.compile(r"""(src|href)=["']?(https?:)?//""", re.IGNORECASE),
}


def source(name: str) -> str:
    """The text of a template."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def component(name: str, /, **context: Any) -> str:
    """A component as HTML, runs of white space made one."""
    return " ".join(render_to_string(f"components/{name}.html", context).split())


def words(html: str) -> str:
    """What a reader sees of it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.mark.parametrize("name", NAMES)
def test_every_template_compiles(name: str) -> None:
    assert get_template(name) is not None


@pytest.mark.parametrize("name", NAMES)
def test_no_template_has_anything_that_the_content_security_policy_refuses(name: str) -> None:
    assert [what for what, pattern in REFUSED.items() if pattern.search(source(name))] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_a_title(name: str) -> None:
    title = re.search(r"{% block title %}(.*?){% endblock %}", source(name), re.DOTALL)
    assert title is not None
    assert title[1].strip() != ""


@pytest.mark.parametrize("name", NAMES)
def test_every_static_file_that_a_template_names_exists(name: str) -> None:
    named = re.findall(r"""{% static ["']([^"']+)["'] %}""", source(name))
    assert [path for path in named if finders.find(path) is None] == []


@pytest.mark.parametrize("name", COMPONENT_NAMES)
def test_every_component_says_on_top_what_it_is_for_and_is_in_the_list(name: str) -> None:
    assert source(f"components/{name}").startswith("{% comment %}")
    assert f"`{name.removesuffix('.html')}`" in (COMPONENTS / "README.md").read_text(encoding="utf-8")


# Colours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sheet", STYLE_SHEETS, ids=lambda path: path.name)
def test_colours_are_named_in_the_tokens_only(sheet: Path) -> None:
    code = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*[;}])|\b(?:rgb|hsl|oklch)a?\(", code) == []


def token(name: str, theme: str) -> str:
    """A colour of tokens.css in the light or the dark theme, as #rrggbb."""
    text = (STYLES / "tokens.css").read_text(encoding="utf-8")
    found = re.search(
        rf"--{name}: (?:light-dark\((#\w{{6}}), (#\w{{6}})\)|(#\w{{6}}));",
        text,
    )
    assert found is not None, name
    light, dark, both = found.groups()
    return both or (light if theme == "light" else dark)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str, theme: str) -> float:
    """Contrast of two tokens, 1 to 21."""
    low, high = sorted(luminance(token(name, theme)) for name in (one, other))
    return (high + 0.05) / (low + 0.05)


TEXT_ON = [
    *(
        (ink, paper)
        for ink in ("text", "text-muted")
        for paper in ("surface", "surface-sunken", "surface-raised")
    ),
    *(("text", f"{tone}-soft") for tone in ("accent", "good", "attention", "bad")),
    *((tone, "surface") for tone in ("accent", "good", "attention", "bad")),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-hover"),
    ("bad-ink", "bad"),
    ("class-7-ink", "class-7"),
    ("ink-on-dark", "class-0"),
    *(("ink-on-light", f"class-{n}") for n in range(1, 7)),
    *(("ink-on-light", f"seq-{n}") for n in range(6)),
    *(("ink-on-dark", f"seq-{n}") for n in range(6, 10)),
    *(("ink-on-light", f"div-{side}-{n}") for side in ("lower", "higher") for n in (1, 2, 3)),
    *(("ink-on-dark", f"div-{side}-4") for side in ("lower", "higher")),
    ("ink-on-light", "div-0"),
]
GRAPHICS_ON = [
    ("border-control", "surface"),
    ("border-control", "surface-sunken"),
    *((tone, f"{tone}-soft") for tone in ("accent", "good", "attention", "bad")),
    *((f"class-{n}-edge", "surface") for n in range(8)),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_a_contrast_of_at_least_4_5(theme: str) -> None:
    assert [pair for pair in TEXT_ON if contrast(*pair, theme) < 4.5] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_graphics_have_a_contrast_of_at_least_3(theme: str) -> None:
    assert [pair for pair in GRAPHICS_ON if contrast(*pair, theme) < 3] == []


def test_agreement_is_drawn_from_light_to_dark() -> None:
    steps = [luminance(token(f"seq-{n}", "light")) for n in range(10)]
    assert steps == sorted(steps, reverse=True)


# What the components say ------------------------------------------------------------------------------


def test_a_badge_has_a_word_and_a_shape() -> None:
    html = component("_badge", state="failed", word="failed")
    assert words(html) == "failed"
    assert 'data-tone="bad"' in html
    assert html.count("<svg") == 1


def test_a_figure_is_shown_with_its_interval_and_n() -> None:
    figure = {"value": 0.5812, "ci": [0.531, 0.632], "n_items": 16927, "n_pairs": 84445, "reason": None}
    html = component("_figure", label="Krippendorff's alpha", figure=figure)
    assert words(html) == "Krippendorff's alpha 0.58 0.53\N{EN DASH}0.63 · 16,927 items, 84,445 pairs"


def test_a_figure_that_cannot_be_told_says_why() -> None:
    figure = {"value": None, "ci": None, "n_items": 4, "n_pairs": 0, "reason": "no_overlap"}
    html = component("_figure", label="Agreement", figure=figure)
    assert words(html) == "Agreement Cannot tell yet no item has answers of two people · 4 items"


def test_a_figure_that_needs_more_items_says_how_many() -> None:
    html = component("_figure", label="Agreement", figure={"value": None, "n_items": 60}, needed=140)
    assert words(html) == "Agreement Cannot tell yet about 140 more items · 60 items"


class NewProject(forms.Form):
    """A form as the pages have them."""

    name = forms.CharField(help_text="What people read in their list.")
    kind = forms.ChoiceField(choices=[("a", "one"), ("b", "two")], widget=forms.RadioSelect)
    note = forms.CharField(required=False)


def test_a_field_with_an_error_is_described_by_its_hint_and_its_error() -> None:
    html = component("_field", field=NewProject(data={})["name"])
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert words(html) == "Name What people read in their list. Error: This field is required."


def test_the_error_summary_links_to_the_control_of_each_wrong_field() -> None:
    html = component("_form_errors", form=NewProject(data={}))
    assert re.findall(r'href="([^"]+)"', html) == ["#id_name", "#id_kind_0"]


def test_a_field_that_may_stay_empty_says_so() -> None:
    assert words(component("_field", field=NewProject()["note"])) == "Note (optional)"
    assert words(component("_field", field=NewProject()["note"], hide_optional=True)) == "Note"


@pytest.mark.parametrize(
    ("state", "asks"),
    [("queued", 1), ("running", 1), ("done", 0), ("failed", 0), ("cancelled", 0)],
)
def test_a_job_asks_again_only_while_it_is_not_over(state: str, asks: int) -> None:
    job = {"id": "j1", "state": state, "progress": 0.423, "error": {}}
    html = component("_job", job=job, title="Import of items.csv", word=state, poll_url="/jobs/j1")
    assert html.count('hx-get="/jobs/j1"') == asks


def test_a_running_job_shows_its_progress_as_a_number() -> None:
    job = {"id": "j1", "state": "running", "progress": 0.423, "error": None}
    html = component("_job", job=job, title="Import of items.csv", word="running", poll_url="/jobs/j1")
    assert words(html) == "Import of items.csv running 42 % 42 %"


def test_a_waiting_job_without_a_worker_says_so() -> None:
    job = {"id": "j1", "state": "queued", "progress": 0.0, "error": None}
    html = component("_job", job=job, title="Import", word="queued", poll_url="/j", worker_missing=True)
    assert "No worker is running, so this waits." in words(html)


def test_a_dialog_says_in_numbers_what_will_happen() -> None:
    html = component(
        "_dialog", id="merge", title="Merge?", facts=["312 answers move."], action="/merge", confirm="Merge"
    )
    assert words(html) == "Merge? 312 answers move. Cancel Merge"
    assert 'aria-labelledby="merge-title"' in html


def test_a_pager_says_how_many_of_how_many() -> None:
    html = component("_pager", shown=50, total=16927, unit="items", next_url="?after=50")
    assert words(html) == "50 of 16,927 items Next"


@pytest.mark.parametrize("total", [None, 1])
def test_a_pager_of_one_row_names_it_in_the_singular(total: int | None) -> None:
    html = component("_pager", shown=1, total=total, unit="items", unit_one="item")
    assert words(html).endswith("1 item")


def test_a_moment_of_the_last_minute_is_just_now() -> None:
    now = timezone.now()
    assert words(component("_time", when=now - timedelta(seconds=30))) == "just now"
    assert words(component("_time", when=now - timedelta(seconds=70))) == "1 minute ago"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["name", "tries"], "name, tries"),
        ([{"id": 1, "name": "asks"}, {"id": 2, "name": "thanks"}], "id 1 name asks; id 2 name thanks"),
        (True, "yes"),
        (None, "\N{EN DASH}"),
        (0, "0"),
    ],
)
def test_values_of_a_document_are_told_as_people_read_them(value: Any, told: str) -> None:
    assert plain(value) == told


def test_a_class_whose_name_is_the_empty_text_can_be_seen() -> None:
    assert words(component("_swatch", index=0, name="")) == "(empty)"


def test_text_of_people_is_never_markup() -> None:
    html = component("_empty", title="<b>Bob</b>", text="<script>alert(1)</script>")
    assert "<b>" not in html
    assert "<script>" not in html
