"""The guideline: safe HTML of Markdown, versions, and what changed between them."""

import re
from random import Random
from typing import Any

import pytest
from django.urls import reverse

from core.choices import AuditPart, RelabelTo
from core.models import GuidelineVersion, Inquiry, LabelClass, User
from core.selectors.guideline import guideline_html
from core.selectors.line_diff import DiffLine, line_diff
from core.services.guideline import publish_guideline
from core.services.inquiry import ask
from core.services.item import withdraw_item
from core.services.lease import hand_out
from core.services.relabel import Order, send_again
from tests.conftest import Actors, client_of, token_client
from tests.factories.answers import make_answer, make_gold, make_items

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


def test_a_part_that_is_dear_to_compare_is_split_at_what_is_there_once() -> None:
    many = ["blank"] * 3000
    old = "\n".join([*many, "rule one", *many, *("a" * 9)])
    new = "\n".join([*("b" * 9), *many, *many, "rule one", *(("new", "blank") * 3000)])
    lines = line_diff(old, new)
    assert DiffLine("same", "rule one") in lines
    assert len(lines) < 20_000
    assert told_by(old, lines) == new.splitlines()


def told_by(old: str, lines: list[DiffLine]) -> list[str]:
    """The new text that a comparison makes of the old one."""
    left, made = old.splitlines(), list[str]()
    for line in lines:
        n = line.n if line.kind == "gap" else line.kind != "added"
        gone, left = left[:n], left[n:]
        if line.kind == "gap":
            made += gone
        else:
            assert line.kind == "added" or gone == [line.text]
            made += [] if line.kind == "removed" else [line.text]
    assert left == []
    return made


@pytest.mark.parametrize("seed", range(20))
def test_every_comparison_leads_from_the_old_text_to_the_new(seed: int) -> None:
    draw = Random(seed)
    size = (10, 60, 3000)[seed % 3]
    old, new = (
        "\n".join(
            draw.choice(("a", "b", "c", f"line {draw.randrange(size)}")) for _ in range(draw.randrange(size))
        )
        for _ in range(2)
    )
    lines = line_diff(old, new)
    assert not lines or told_by(old, lines) == new.splitlines()
    assert bool(lines) == (old != new)


def typed(text: str, based_on: int, *examples: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the editor sends: the text, the version that it started from, and rows of examples."""
    sent = {"text": text, "based_on": str(based_on), **more}
    sent |= {"examples-TOTAL_FORMS": str(len(examples)), "examples-INITIAL_FORMS": "0"}
    for place, row in enumerate(examples):
        sent |= {f"examples-{place}-{name}": value for name, value in row.items()}
    return sent


def test_a_version_that_changes_nothing_is_refused_above_the_form(actors: Actors) -> None:
    alice = client_of(actors.alice)
    address = reverse("guideline_new", args=["birds"])
    assert alice.post(address, typed("Look.", 1)).status_code == 302
    again = alice.post(address, typed("Look.", 2))
    assert (again.status_code, "Nothing is changed" in again.text) == (422, True)
    assert GuidelineVersion.objects.filter(project=actors.project).count() == 2


def class_id(name: str) -> int:
    return LabelClass.objects.get(question__project__slug="birds", name=name).pk


def test_a_new_version_is_in_force_and_the_old_one_can_be_compared(actors: Actors) -> None:
    alice = client_of(actors.alice)
    sent = typed("Look closely.\r\nListen.", 1, note="Listening")
    assert alice.post(reverse("guideline_new", args=["birds"]), sent).status_code == 302
    actors.project.refresh_from_db()
    version = actors.project.guideline
    assert version is not None
    assert (version.number, version.text, version.note) == (2, "Look closely.\nListen.", "Listening")
    page = alice.get(reverse("guideline_version", args=["birds", 2]))
    lines = [DiffLine("same", "Look closely."), DiffLine("added", "Listen.")]
    assert page.context["changes"].lines == lines
    assert "in force" in page.text
    assert "This is the first version." in alice.get(reverse("guideline_version", args=["birds", 1])).text
    assert alice.get(reverse("guideline_version", args=["birds", 3])).status_code == 404
    assert (
        alice.get(reverse("guideline_version", args=["birds", 1]) + "?against=2").context["other"] == version
    )


def test_a_preview_publishes_nothing(actors: Actors) -> None:
    sent = typed("**Bold** <script>", 1, preview="1")
    response = client_of(actors.alice).post(reverse("guideline_new", args=["birds"]), sent)
    assert "<strong>Bold</strong> &lt;script&gt;" in response.text
    assert GuidelineVersion.objects.filter(project=actors.project).count() == 1


def test_two_leads_who_write_at_once_do_not_pass_each_other_by(actors: Actors) -> None:
    make_items(actors.project, "a")
    alice = client_of(actors.alice)
    address = reverse("guideline_new", args=["birds"])
    alice.post(address, typed("Hers.", 1, {"item": "a", "label_class": class_id("yes")}))
    late = alice.post(address, typed("His.", 1))
    assert late.status_code == 412
    assert "Version 2 was published while you wrote" in late.text
    assert "What version 2 changed meanwhile" in late.text
    assert "1 example more" in late.text
    assert '<input type="hidden" name="based_on" value="2"' in late.text
    assert alice.post(address, typed("His.", 2)).status_code == 302


ANSWERED: dict[str, Any] = {"done": 3, "free": 0}  # of an item: it has all the answers that it wants

# --- Examples -----------------------------------------------------------------------------------------


def test_examples_stand_under_their_class_near_misses_behind(actors: Actors) -> None:
    make_items(actors.project, "a", "b", "c", **ANSWERED)
    rows: list[dict[str, Any]] = [
        {"item": "a", "label_class": class_id("no")},
        {"item": "b", "label_class": class_id("yes"), "near_miss": "on", "note": "Only a feather"},
        {"item": "c", "label_class": class_id("yes"), "note": "The whole bird"},
        {"item": "", "note": "left out"},
    ]
    answer = client_of(actors.alice).post(reverse("guideline_new", args=["birds"]), typed("Look.", 1, *rows))
    assert answer.status_code == 302

    page = client_of(actors.bob).get(reverse("guideline", args=["birds"]))
    shown = [
        (group.label_class.name, [one.example.item.external_id for one in group.examples])
        for group in page.context["groups"]
    ]
    assert shown == [("yes", ["c", "b"]), ("no", ["a"])]
    assert "Text of c" in page.text
    assert "near miss: it is none" in page.text
    assert reverse("items", args=["birds"]) not in page.text
    assert (
        f'value="{class_id("yes")}" selected'
        in client_of(actors.alice).get(reverse("guideline_new", args=["birds"])).text
    )


def test_what_is_wrong_with_an_example_is_said_beside_it(actors: Actors) -> None:
    (golden, _other) = make_items(actors.project, "golden", "plain")
    make_gold(golden, "answer", "yes")
    rows = [{"item": ""}, {"item": "plain"}, {"item": "golden"}, {"item": "nowhere"}]
    page = client_of(actors.alice).post(reverse("guideline_new", args=["birds"]), typed("Look.", 1, *rows))
    assert page.status_code == 422
    errors = [form.errors.get("item") for form in page.context["examples"]]
    assert errors[:2] == [None, None]
    assert "has gold" in errors[2][0]
    assert "no item" in errors[3][0]
    assert GuidelineVersion.objects.filter(project=actors.project).count() == 1


def test_an_item_of_the_audit_slice_is_an_example_only_on_purpose(actors: Actors) -> None:
    make_items(actors.project, "held", audit=AuditPart.HOLDOUT)
    alice, address = client_of(actors.alice), reverse("guideline_new", args=["birds"])
    page = alice.post(address, typed("Look.", 1, {"item": "held"}))
    assert page.status_code == 422
    assert "of the audit slice or a training round: held" in page.text
    assert "Not published yet: confirm an example, or leave it out." in page.text
    assert alice.post(address, typed("Look.", 1, {"item": "held"}, known="on")).status_code == 302


def test_a_case_opens_the_editor_with_its_class_ticked_and_its_item_as_an_example(actors: Actors) -> None:
    (plain, golden, gone) = make_items(actors.project, "plain", "golden", "gone")
    make_gold(golden, "answer", "yes")
    withdraw_item(actors.membership(actors.alice), gone.pk)
    alice, address = client_of(actors.alice), reverse("guideline_new", args=["birds"])

    def opened(**case: Any) -> tuple[list[int] | None, list[dict[str, Any]]]:
        page = alice.get(address, case)
        assert page.status_code == 200
        ticked = page.context["form"]["touches"].value()
        return ticked, [form.initial for form in page.context["examples"].initial_forms]

    yes, no = class_id("yes"), class_id("no")
    case = {"item": plain.external_id, "class": "yes", "question": "answer"}
    assert opened(**case) == ([yes], [{"item": "plain", "label_class": yes}])
    assert 'value="plain"' in alice.get(address, case).text
    assert opened(**{**case, "class": ["yes", "no"]}) == ([yes, no], [{"item": "plain", "label_class": ""}])
    assert opened(item="golden", question="other", **{"class": "yes"}) == (None, [])
    for strange in ("gone", "nowhere", "x" * 300, "pl\0ain"):
        assert opened(item=strange, **{"class": "pl\0ain"}) == (None, [])
    publish_guideline(actors.membership(actors.alice), "Look.", examples=[{"item": "plain"}])
    assert len(opened(**case)[1]) == 1


def test_long_texts_are_cut_in_an_example(actors: Actors) -> None:
    (item,) = make_items(actors.project, "a", **ANSWERED)
    item.data = {"text": "x" * 5000}
    item.save(update_fields=["data"])
    publish_guideline(actors.membership(actors.alice), "Look.", examples=[{"item": "a"}])
    text = client_of(actors.bob).get(reverse("guideline", args=["birds"])).text
    assert "x" * 400 in text
    assert "x" * 401 not in text


# --- Who is shown an example --------------------------------------------------------------------------


def shown_to(user: User) -> list[str]:
    """The examples that somebody is shown on the guideline page, in the last version, on the label page and by the API."""
    address = reverse("guideline", args=["birds"])
    page = client_of(user).get(address)
    version = client_of(user).get(f"{address}/{page.context['guideline'].number}")
    found: list[list[str]] = [
        sorted(one.example.item.external_id for group in where.context["groups"] for one in group.examples)
        for where in (page, version)
    ]
    html = client_of(user).get(reverse("label_examples", args=["birds"])).json()["html"]
    found.append(re.findall(r"Text of (\w+)", html))
    listed = token_client(user).get("/api/v1/projects/birds/guidelines").json()
    if user.username != "alice":
        found.append(sorted(one["item"] for one in listed[-1]["examples"]))
    assert all(sorted(one) == found[0] for one in found), found
    return found[0]


def test_nobody_is_shown_the_answer_to_an_item_that_they_have_yet_to_label(actors: Actors) -> None:
    fresh, *_others = make_items(actors.project, "fresh", "other")
    (finished,) = make_items(actors.project, "finished", **ANSWERED)
    names = ("fresh", "finished", "other")
    rows = [{"item": name, "class": "yes", "note": f"Why {name}"} for name in names]
    publish_guideline(actors.membership(actors.alice), "Look.", examples=rows)
    assert shown_to(actors.bob) == ["finished"]
    text = client_of(actors.bob).get(reverse("guideline", args=["birds"])).text
    assert "2 more examples are of items that you have yet to label" in text
    assert "Why fresh" not in text

    make_answer(actors.membership(actors.bob), fresh, {"answer": "no"})
    assert shown_to(actors.bob) == ["finished", "fresh"]
    assert shown_to(actors.carol) == ["finished"]

    order = Order(to=RelabelTo.NAMED, members=[actors.membership(actors.bob).pk])
    make_answer(actors.membership(actors.carol), finished, {"answer": "no"})
    send_again(actors.membership(actors.alice), [finished.pk], "The rule changed", order=order)
    assert shown_to(actors.bob) == ["fresh"]
    assert shown_to(actors.carol) == ["finished"]


def test_who_reads_items_is_shown_all_examples_but_those_in_hand(actors: Actors) -> None:
    make_items(actors.project, "first", "second")
    rows = [{"item": name, "class": "yes"} for name in ("first", "second")]
    publish_guideline(actors.membership(actors.alice), "Look.", examples=rows)
    assert shown_to(actors.dave) == ["first", "second"]
    (lease,) = hand_out(actors.membership(actors.dave), 1).leases
    assert shown_to(actors.dave) == [{"first": "second", "second": "first"}[lease.item.external_id]]
    assert shown_to(actors.alice) == ["first", "second"]


def test_who_writes_the_guideline_by_script_gets_every_example(actors: Actors) -> None:
    make_items(actors.project, "first", "second")
    alice = actors.membership(actors.alice)
    publish_guideline(alice, "Look.", examples=[{"item": name} for name in ("first", "second")])
    assert len(hand_out(alice, 2).leases) == 2
    listed = token_client(actors.alice).get("/api/v1/projects/birds/guidelines").json()
    assert [one["item"] for one in listed[-1]["examples"]] == ["first", "second"]
    assert shown_to(actors.alice) == []


# --- What changed since somebody read it --------------------------------------------------------------


def test_somebody_reads_what_changed_since_they_last_read_it_and_why(actors: Actors) -> None:
    make_items(actors.project, "a", **ANSWERED)
    alice, bob = actors.membership(actors.alice), client_of(actors.bob)
    address, read = reverse("guideline", args=["birds"]), reverse("guideline_read", args=["birds"])
    assert bob.get(address).context["since"] is None  # never read: all of it is new
    bob.post(read, {"version": "1"})
    publish_guideline(alice, "Look closely.\nListen.", "Songs")
    publish_guideline(alice, "Look closely.\nListen well.", "Calls", examples=[{"item": "a", "class": "yes"}])

    page = bob.get(address)
    assert "What changed since you read version 1" in page.text
    since = page.context["since"]
    assert [version.note for version in since["notes"]] == ["Calls", "Songs"]
    assert since["changes"].lines == [DiffLine("same", "Look closely."), DiffLine("added", "Listen well.")]
    assert [one.example.item.external_id for one in since["changes"].added] == ["a"]
    bob.post(read, {"version": "3"})
    assert bob.get(address).context["since"] is None


def test_versions_are_compared_with_their_examples(actors: Actors) -> None:
    make_items(actors.project, "a", "b", **ANSWERED)
    alice = actors.membership(actors.alice)
    publish_guideline(alice, "Look.", examples=[{"item": "a", "class": "yes"}, {"item": "b", "note": "Old"}])
    publish_guideline(alice, "Look.", examples=[{"item": "b", "note": "New"}])
    page = client_of(actors.bob).get(reverse("guideline_version", args=["birds", 3]))
    changes = page.context["changes"]
    assert changes.lines == []
    assert [(one.example.item.external_id, one.example.note) for one in changes.added] == [("b", "New")]
    assert [one.example.item.external_id for one in changes.removed] == ["a", "b"]


def test_the_lead_is_offered_to_send_out_again_what_a_version_touches(actors: Actors) -> None:
    alice, address = client_of(actors.alice), reverse("guideline", args=["birds"])
    link = reverse("relabel_new", args=["birds"]) + "?source=guideline&amp;guideline=2"
    assert link not in alice.get(address).text
    sent = typed("Look.", 1, touches=[str(class_id("yes")), str(class_id("no"))])
    alice.post(reverse("guideline_new", args=["birds"]), sent)
    text = alice.get(address).text
    assert "This version changes the rules of yes, no." in text
    assert link in text
    assert link not in client_of(actors.bob).get(address).text
    assert "Send items out again" in alice.get(link.replace("&amp;", "&")).text


def test_a_question_becomes_a_rule_with_its_item_as_an_example(actors: Actors) -> None:
    (item,) = make_items(actors.project, "a")
    inquiry = ask(actors.membership(actors.bob), item, "Is a feather a bird?", "k").inquiry
    alice = client_of(actors.alice)
    alice.post(
        reverse("inquiry_answer", args=["birds", inquiry.pk]),
        {"answer": "A feather alone is a no.", "seen": "0", "rule": "1"},
    )
    page = alice.get(reverse("guideline_new", args=["birds"]) + f"?inquiry={inquiry.pk}")
    assert page.context["form"].initial["text"] == "Look closely.\n\nA feather alone is a no.\n"
    assert page.context["examples"].forms[0].initial == {"item": "a"}
    assert "Is a feather a bird?" in page.text

    example = {"item": "a", "label_class": class_id("no")}
    alice.post(
        reverse("guideline_new", args=["birds"]), typed("A feather is a no.", 1, example, inquiry=inquiry.pk)
    )
    inquiry = Inquiry.objects.select_related("guideline").get()
    assert inquiry.guideline is not None
    assert (inquiry.state, inquiry.guideline.number, inquiry.answer) == (
        "rule",
        2,
        "A feather alone is a no.",
    )
    bob = client_of(actors.bob).get(reverse("inquiries", args=["birds"])).text
    assert "A rule since version 2 of the guideline" in bob


def test_annotators_read_and_do_not_write(actors: Actors) -> None:
    bob = client_of(actors.bob)
    page = bob.get(reverse("guideline", args=["birds"]))
    assert "I have read version 1" in page.text
    assert reverse("guideline_new", args=["birds"]) not in page.text
    assert bob.get(reverse("guideline_new", args=["birds"])).status_code == 403
    bob.post(reverse("guideline_read", args=["birds"]), {"version": "1"})
    assert "I have read version 1" not in bob.get(reverse("guideline", args=["birds"])).text
    assert client_of(actors.eve).get(reverse("guideline", args=["birds"])).status_code == 404
