"""The label page's view: what the scripts start from, who gets it, and that it writes nothing."""

import json
import re
from typing import Any

from django.test import Client
from django.urls import reverse

from core.choices import QuestionKind
from core.models import GuidelineVersion, Lease, User
from core.services.guideline import mark_read, publish_guideline
from tests.conftest import Actors, client_of
from tests.factories.item import make_items
from tests.factories.project import make_question


def boot_of(response: Any) -> dict[str, Any]:
    """The data that the page gives to its scripts."""
    found = re.search(r'<script id="boot" type="application/json">(.*?)</script>', response.text)
    assert found is not None
    boot: dict[str, Any] = json.loads(found[1])
    return boot


def test_the_page_starts_from_the_questions_the_guideline_and_the_addresses(actors: Actors) -> None:
    make_question(actors.project, "age", [], kind=QuestionKind.NUMBER, level="ratio", minimum=3, maximum=99)
    boot = boot_of(client_of(actors.bob).get(reverse("label", args=["birds"])))
    member = actors.membership(actors.bob)
    assert boot["project"] == {"slug": "birds", "name": "Birds", "state": "active"}
    assert boot["member"] == {"id": member.pk, "name": "bob"}
    assert [question["key"] for question in boot["questions"]] == ["answer", "age"]
    assert boot["questions"][0]["classes"][2] == {
        "name": "cannot tell",
        "definition": "",
        "colour": 2,
        "key": "0",
        "uncertain": True,
    }
    assert (boot["questions"][1]["min"], boot["questions"][1]["max"]) == (3, 99)
    assert boot["guideline"] == {"version": 1, "html": "<p>Look closely.</p>\n", "read": 0}
    assert boot["settings"] == {"auto_advance": True, "ahead": 5, "offline_ahead": 20}
    assert boot["urls"] == {
        "leases": "/api/v1/projects/birds/leases",
        "lease": "/api/v1/leases/",
        "extend": "/api/v1/leases/extend",
        "annotations": "/api/v1/annotations/",
        "recent": "/api/v1/projects/birds/recent",
        "drafts": "/api/v1/drafts",
        "inquiries": "/api/v1/projects/birds/inquiries",
        "guideline_read": "/projects/birds/guideline/read",
        "examples": "/projects/birds/label/examples",
        "home": "/projects/birds/",
        "sign_in": "/sign-in?next=/projects/birds/label/",
        "sign_out": "/sign-out",
        "service_worker": "/service-worker.js",
    }


def test_opening_the_page_hands_nothing_out(actors: Actors) -> None:
    make_items(actors.project, 3)
    response = client_of(actors.bob).get(reverse("label", args=["birds"]))
    assert Lease.objects.count() == 0
    assert "no-store" in response["Cache-Control"]
    assert "csrftoken" in response.cookies


def test_boot_data_cannot_leave_their_script_element(actors: Actors) -> None:
    nasty = "</script><script>alert(1)</script>"
    question = actors.project.questions.get()
    question.classes.filter(name="yes").update(definition=nasty)
    response = client_of(actors.bob).get(reverse("label", args=["birds"]))
    assert nasty not in response.text
    assert boot_of(response)["questions"][0]["classes"][0]["definition"] == nasty


def test_strangers_find_nothing_and_the_signed_out_are_sent_to_sign_in(actors: Actors) -> None:
    assert client_of(actors.eve).get(reverse("label", args=["birds"])).status_code == 404
    assert (
        Client().get(reverse("label", args=["birds"]))["Location"] == "/sign-in?next=/projects/birds/label/"
    )


def test_the_service_worker_comes_from_the_root_and_is_asked_for_again(client: Client) -> None:
    response = client.get("/service-worker.js")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/javascript; charset=utf-8"
    assert (response["Service-Worker-Allowed"], response["Cache-Control"]) == ("/", "no-cache")


def test_the_instructions_say_first_what_changed_since_they_were_read(actors: Actors) -> None:
    alice, bob = actors.membership(actors.alice), client_of(actors.bob)
    publish_guideline(alice, "Look closely.\n\nA bird has <b>two</b> legs.")
    mark_read(actors.membership(actors.bob), 2)
    publish_guideline(alice, "Look closely.\n\nA bird has wings.", "Wings are what counts")
    publish_guideline(alice, "Look closely.\n\nA bird has wings & a beak.", "Beaks, too")

    html = boot_of(bob.get(reverse("label", args=["birds"])))["guideline"]["html"]
    to_carol = boot_of(client_of(actors.carol).get(reverse("label", args=["birds"])))["guideline"]["html"]
    mark_read(actors.membership(actors.bob), 4)
    read = boot_of(bob.get(reverse("label", args=["birds"])))["guideline"]["html"]

    since, text = html.split("<hr>")
    assert "What changed since version 2" in since
    assert since.index("Version 4: Beaks, too") < since.index("Version 3: Wings are what counts")
    assert "A bird has &lt;b&gt;two&lt;/b&gt; legs.</del>" in since
    assert "A bird has wings &amp; a beak.</ins>" in since
    assert "Look closely." not in since
    assert text.strip() == to_carol.strip() == read.strip() != ""


def test_having_read_the_guideline_is_kept_and_never_goes_back(actors: Actors) -> None:
    second = GuidelineVersion.objects.create(project=actors.project, number=2, text="More.")
    actors.project.guideline = second
    actors.project.save()
    bob = client_of(actors.bob)
    address = reverse("guideline_read", args=["birds"])
    for sent, kept in (({"version": "1"}, 1), ({}, 2), ({"version": "1"}, 2), ({"version": "99"}, 2)):
        assert bob.post(address, sent, headers={"accept": "application/json"}).status_code == 204
        assert actors.membership(actors.bob).guideline_read == kept
    assert boot_of(bob.get(reverse("label", args=["birds"])))["guideline"]["read"] == 2
    assert bob.get(address).status_code == 405


# --- The examples below the instructions --------------------------------------------------------------


def examples_for(user: User) -> str:
    """What the page puts below the instructions, without white space that says nothing."""
    answer = client_of(user).get(reverse("label_examples", args=["birds"]))
    assert "no-store" in answer["Cache-Control"]
    html: str = answer.json()["html"]
    return re.sub(r"\s+", " ", html)


def summaries(html: str) -> list[tuple[bool, str]]:
    """The folded parts: whether they are open, and what stands on them."""
    found = re.findall(r"<details class=\"example-group\"( open)?> <summary>(.*?)</summary>", html)
    return [(bool(is_open), " ".join(re.sub("<[^>]*>", " ", text).split())) for is_open, text in found]


def test_the_instructions_have_their_examples_with_the_class_and_why(actors: Actors) -> None:
    items = make_items(actors.project, 5, target=0)
    items[0].data = {"text": "A wing & <b>a</b> prayer"}
    items[0].save()
    rows: list[dict[str, Any]] = [{"item": item.external_id, "class": "yes"} for item in items[:3]]
    rows[0]["note"] = "Wings <i>are</i> enough"
    rows += [{"item": items[3].external_id, "class": "no", "near_miss": True}]
    publish_guideline(actors.membership(actors.alice), "Look.", examples=rows)
    html = examples_for(actors.bob)
    assert summaries(html) == [(False, "yes 3 examples"), (False, "no 1 example")]
    assert "A wing &amp; &lt;b&gt;a&lt;/b&gt; prayer" in html
    assert "Wings &lt;i&gt;are&lt;/i&gt; enough" in html
    assert html.count("Near miss") == 1
    assert "item-5" not in html
    publish_guideline(actors.membership(actors.alice), "Look.", examples=rows[:2])
    assert summaries(examples_for(actors.bob)) == [(True, "yes 2 examples")]  # few: nothing is folded


def test_examples_are_marked_that_came_since_the_reader_last_read(actors: Actors) -> None:
    items = make_items(actors.project, 5, target=0)
    rows = [{"item": item.external_id, "class": "yes"} for item in items[:4]]
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    publish_guideline(alice, "Look.", examples=rows)
    assert summaries(examples_for(actors.bob)) == [(False, "yes 4 examples")]  # never read: all of it is new
    mark_read(bob, 2)
    publish_guideline(alice, "Look.", examples=[*rows, {"item": items[4].external_id, "class": "no"}])
    html = examples_for(actors.bob)
    assert summaries(html) == [(False, "yes 4 examples"), (True, "no 1 example 1 new")]
    assert html.count("New since you last read") == 1
    assert summaries(examples_for(actors.alice)) == [(False, "yes 4 examples"), (False, "no 1 example")]
    mark_read(bob, 3)
    assert "New since" not in examples_for(actors.bob)


def test_of_items_yet_to_be_labelled_only_the_number_is_told(actors: Actors) -> None:
    (waiting,) = make_items(actors.project, 1)
    example = {"item": waiting.external_id, "class": "yes", "note": "A whole bird"}
    publish_guideline(actors.membership(actors.alice), "Look.", examples=[example])
    html = examples_for(actors.bob)
    assert "1 more example is of an item that you have yet to label" in html
    for told in ("yes", "A whole bird", waiting.external_id, waiting.data["text"]):
        assert told not in html.replace("yet", "")


def test_a_project_without_examples_shows_none(actors: Actors) -> None:
    assert examples_for(actors.bob).strip() == ""
    assert client_of(actors.eve).get(reverse("label_examples", args=["birds"])).status_code == 404
