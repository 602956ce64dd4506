"""The guideline: safe HTML of Markdown, versions, and what changed between them."""

import re

import pytest
from django.urls import reverse

from core.models import GuidelineVersion
from core.selectors.guideline import DiffLine, guideline_html, line_diff
from tests.conftest import Actors, client_of

PAYLOADS = [
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "${7*7}",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:x)",
    "[click](/projects/birds/archive)",
    "[click](//evil.example)",
    "![x](https://evil.example/pixel.png)",
    "![x](//evil.example/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](javascript:alert(1))",
    '![<b>](y.png "onerror=alert(1)")',
    '<https://evil.example/"onmouseover=alert(1)>',
    "[a]: javascript:alert(1)\n\n[a]",
    "```\n<script>alert(1)</script>\n```",
    "<!-- <img src=x> --><style>*{display:none}</style>",
    "| a |\n|---|\n| <svg/onload=alert(1)> |",
]
ALLOWED = re.compile(
    r"</?(?:a|blockquote|br|code|em|h[2-6]|hr|img|li|ol|p|pre|s|strong|table|tbody|td|th|thead|tr|ul)"
    r'(?: (?:href="(?:https?|mailto):[^"<>]*"|rel="noopener nofollow"|src="/api/v1/projects/birds/assets/[^"/<>]*"'
    r'|alt="[^"<>]*"|title="[^"<>]*"|start="\d+"))*>'
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_of_a_payload_becomes_markup(actors: Actors, payload: str) -> None:
    html = guideline_html(actors.project, f"Before.\n\n{payload}\n\nAfter.")
    tags = re.findall(r"<[^>]*>", html)
    assert [tag for tag in tags if not ALLOWED.fullmatch(tag)] == []
    assert "<p>Before.</p>" in html
    assert "<p>After.</p>" in html


@pytest.mark.parametrize(
    "payload", ["<img src=x onerror=alert(1)>", '"><svg/onload=alert(1)>', "{{7*7}}", "${7*7}"]
)
def test_payloads_are_shown_as_they_were_typed(actors: Actors, payload: str) -> None:
    shown = payload.replace("<", "&lt;").replace(">", "&gt;")
    assert guideline_html(actors.project, payload) == f"<p>{shown}</p>\n"


def test_links_and_own_images_are_kept(actors: Actors) -> None:
    html = guideline_html(actors.project, "[see](https://example.org/a?b=1&c=2) ![a wren](birds/wren 1.png)")
    assert html == (
        '<p><a href="https://example.org/a?b=1&amp;c=2" rel="noopener nofollow">see</a> '
        "![a wren](birds/wren 1.png)</p>\n"
    )
    image = guideline_html(actors.project, "![a wren](birds/wren%201.png)")
    assert image == '<p><img src="/api/v1/projects/birds/assets/birds%2Fwren%201.png" alt="a wren"></p>\n'
    assert guideline_html(actors.project, "![a *wren*](https://x.example/w.png)") == "<p>a wren</p>\n"


def test_headings_begin_below_the_pages_own_and_leave_no_level_out(actors: Actors) -> None:
    html = guideline_html(actors.project, "# One\n\n### Three\n\n###### Six\n\n# Again")
    assert re.findall(r"<(h\d)>", html) == ["h2", "h3", "h4", "h2"]


def test_a_diff_shows_what_changed_and_how_much_was_left_out() -> None:
    old = "\n".join(f"line {number}" for number in range(20))
    new = old.replace("line 9", "line nine")
    assert line_diff(old, new) == [
        DiffLine("gap", "", 6),
        *(DiffLine("same", f"line {number}") for number in (6, 7, 8)),
        DiffLine("removed", "line 9"),
        DiffLine("added", "line nine"),
        *(DiffLine("same", f"line {number}") for number in (10, 11, 12)),
        DiffLine("gap", "", 7),
    ]
    assert line_diff(old, old) == []


def test_a_new_version_is_in_force_and_the_old_one_can_be_compared(actors: Actors) -> None:
    alice = client_of(actors.alice)
    sent = {"text": "Look closely.\r\nListen.", "note": "Listening", "based_on": "1"}
    assert alice.post(reverse("guideline_new", args=["birds"]), sent).status_code == 302
    actors.project.refresh_from_db()
    version = actors.project.guideline
    assert version is not None
    assert (version.number, version.text, version.note) == (2, "Look closely.\nListen.", "Listening")
    page = alice.get(reverse("guideline_version", args=["birds", 2]))
    assert page.context["lines"] == [DiffLine("same", "Look closely."), DiffLine("added", "Listen.")]
    assert "in force" in page.text
    assert alice.get(reverse("guideline_version", args=["birds", 1])).context["lines"] == []
    assert alice.get(reverse("guideline_version", args=["birds", 3])).status_code == 404
    assert (
        alice.get(reverse("guideline_version", args=["birds", 1]) + "?against=2").context["other"] == version
    )


def test_a_preview_publishes_nothing(actors: Actors) -> None:
    sent = {"text": "**Bold** <script>", "based_on": "1", "preview": "1"}
    response = client_of(actors.alice).post(reverse("guideline_new", args=["birds"]), sent)
    assert "<strong>Bold</strong> &lt;script&gt;" in response.text
    assert GuidelineVersion.objects.filter(project=actors.project).count() == 1


def test_two_leads_who_write_at_once_do_not_pass_each_other_by(actors: Actors) -> None:
    alice = client_of(actors.alice)
    address = reverse("guideline_new", args=["birds"])
    alice.post(address, {"text": "Hers.", "based_on": "1"})
    late = alice.post(address, {"text": "His.", "based_on": "1"})
    assert late.status_code == 422
    assert "Version 2 was published while you wrote" in late.text
    assert 'value="2"' in late.text
    assert alice.post(address, {"text": "His.", "based_on": "2"}).status_code == 302


def test_annotators_read_and_do_not_write(actors: Actors) -> None:
    bob = client_of(actors.bob)
    page = bob.get(reverse("guideline", args=["birds"]))
    assert "I have read version 1" in page.text
    assert reverse("guideline_new", args=["birds"]) not in page.text
    assert bob.get(reverse("guideline_new", args=["birds"])).status_code == 403
    bob.post(reverse("guideline_read", args=["birds"]), {"version": "1"})
    assert "I have read version 1" not in bob.get(reverse("guideline", args=["birds"])).text
    assert client_of(actors.eve).get(reverse("guideline", args=["birds"])).status_code == 404
