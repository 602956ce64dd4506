"""The pages of adjudication: what costs most, the queue, one item, many at once, reviews, and who sees what."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.choices import Role
from core.models import Flag, Item, LabelClass, Resolution, Review, User
from core.selectors.question import schema_of
from core.services.lease import hand_out
from core.web.adjudication_words import cost_rows, headline
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


@pytest.fixture
def frank(actors: Actors) -> User:
    """A second lead."""
    user = make_user("frank")
    add_member(actors.project, user, Role.LEAD)
    return user


@pytest.fixture
def split(actors: Actors) -> list[Item]:
    """Bob and Carol differ on three items, agree on one, and Carol cannot tell what the fifth is."""
    items = make_items(actors.project, "a", "b", "c", "same", "unsure")
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    for item, (one, other) in zip(
        items, [("yes", "no")] * 3 + [("yes", "yes"), ("yes", "cannot tell")], strict=True
    ):
        make_answer(bob, item, {"answer": one})
        make_answer(carol, item, {"answer": other}, comment=f"Hard: {item.external_id}")
    return items


def get(client: Client, name: str, actors: Actors, *args: Any, status: int = 200, **query: Any) -> str:
    found = client.get(reverse(name, args=[actors.project.slug, *args]), query)
    assert found.status_code == status, found.content.decode()[:2000]
    return found.content.decode()


def post(client: Client, name: str, actors: Actors, *args: Any, **fields: Any) -> Any:
    return client.post(reverse(name, args=[actors.project.slug, *args]), fields)


def test_the_queue_lists_what_people_differ_on(actors: Actors, split: list[Item], client_of: Browser) -> None:
    shown = get(client_of(actors.alice), "adjudication", actors)

    assert "4 items wait to be settled" in shown
    assert "no (1), yes (1)" in shown
    assert ">same<" not in shown
    assert f"/adjudication/{split[0].pk}?" in shown


def test_without_answers_and_without_questions_the_page_says_what_it_is_for(
    actors: Actors, client_of: Browser
) -> None:
    assert "come here by themselves" in get(client_of(actors.alice), "adjudication", actors)
    LabelClass.objects.all().delete()
    actors.project.questions.all().delete()
    actors.project.schema_version += 1
    actors.project.save()
    assert "It begins with a question" in get(client_of(actors.alice), "adjudication", actors)


def test_an_item_shows_the_answers_side_by_side_without_names(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    make_answer(actors.membership(actors.dave), split[0], {"answer": "no"})
    Flag.objects.create(
        item=split[0], annotator=actors.membership(actors.bob), note="Blurry", idempotency_key="f"
    )

    shown = get(client_of(actors.alice), "adjudication_item", actors, split[0].pk)

    assert "Hard: a" in shown
    assert "Blurry" in shown
    assert "Look closely." in shown
    assert "<strong>A</strong>" in shown
    assert "<strong>B</strong>" in shown
    assert ">bob<" not in shown
    assert ">carol<" not in shown
    assert "answered this item" in shown  # Dave, among those who may be asked


def test_settling_goes_on_to_the_next_item_and_can_be_taken_back_there(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice = client_of(actors.alice)
    first = (
        get(alice, "adjudication", actors)
        .split("data-start")[0]
        .rsplit('href="', 1)[1]
        .split("/adjudication/")[1]
    )
    item = Item.objects.get(pk=int(first.split("?")[0]))

    gone = post(
        alice,
        "adjudication_settle",
        actors,
        item.pk,
        value="yes",
        cause="slip",
        comment="Clear",
        revision="0",
    )

    assert gone.status_code == 302
    made = Resolution.objects.get()
    assert (made.item, made.cause, made.comment, made.settled_by.user) == (
        item,
        "slip",
        "Clear",
        actors.alice,
    )
    assert gone.url.endswith(f"undo={made.pk}")
    shown = alice.get(gone.url).content.decode()
    assert f"{item.external_id} was settled as “yes”." in shown
    assert "1 of 3 in this queue" in shown

    back = post(alice, "adjudication_undo", actors, item.pk, resolution=made.pk, revision="1")
    assert back.status_code == 302
    assert "Taken back" in alice.get(back.url).content.decode()
    assert not Resolution.objects.filter(current=True).exists()


def test_names_show_once_an_item_is_settled(actors: Actors, split: list[Item], client_of: Browser) -> None:
    alice = client_of(actors.alice)
    post(alice, "adjudication_settle", actors, split[0].pk, value="yes", revision="0")

    assert "<strong>bob</strong>" in get(alice, "adjudication_item", actors, split[0].pk)
    for_dave = get(client_of(actors.dave), "adjudication_item", actors, split[0].pk)
    assert "bob" not in for_dave
    assert "<strong>p_" in for_dave


def test_who_comes_second_is_told_and_nothing_is_lost(
    actors: Actors, split: list[Item], client_of: Browser, frank: User
) -> None:
    post(client_of(frank), "adjudication_settle", actors, split[0].pk, value="no", revision="0")

    late = post(
        client_of(actors.alice),
        "adjudication_settle",
        actors,
        split[0].pk,
        value="yes",
        comment="My long comment",
        revision="0",
    )

    assert late.status_code == 412
    shown = late.content.decode()
    assert "Somebody else settled this item since you read it." in shown
    assert "My long comment" in shown
    assert Resolution.objects.filter(label_class__name="no").count() == Resolution.objects.count() == 1


def test_a_value_that_is_none_is_refused_on_the_page(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    refused = post(client_of(actors.alice), "adjudication_settle", actors, split[0].pk, revision="0")
    assert refused.status_code == 422
    assert "is not a class of" in refused.content.decode()


def test_a_broken_item_is_withdrawn_only_when_that_is_ticked(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice = client_of(actors.alice)
    said = {"value": "cannot tell", "cause": "broken", "revision": "0"}
    post(alice, "adjudication_settle", actors, split[0].pk, **said)
    post(alice, "adjudication_settle", actors, split[1].pk, withdraw="1", **said)

    assert list(Item.objects.filter(state="withdrawn")) == [split[1]]


def test_the_holder_of_an_item_sees_no_answers_and_no_such_item_in_the_queue(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    (lease,) = hand_out(actors.membership(actors.alice), 1).leases
    alice = client_of(actors.alice)

    assert lease.item in split
    listed = get(alice, "adjudication", actors)
    assert f"/adjudication/{lease.item_id}?" not in listed
    shown = get(alice, "adjudication_item", actors, lease.item_id)
    assert "You have this item in hand" in shown
    assert "Hard:" not in shown
    assert (
        post(alice, "adjudication_settle", actors, lease.item_id, value="yes", revision="0").status_code
        == 302
    )
    assert not Resolution.objects.exists()


def test_what_was_answered_alike_is_settled_together(
    actors: Actors, split: list[Item], client_of: Browser, frank: User
) -> None:
    alice = client_of(actors.alice)
    patterns = get(alice, "adjudication_bulk", actors)
    key = patterns.split("pattern=")[1].split('"')[0]
    shown = get(alice, "adjudication_bulk", actors, pattern=key)
    assert "3 items were answered so" in shown
    post(client_of(frank), "adjudication_settle", actors, split[2].pk, value="no", revision="0")

    done = post(
        alice,
        "adjudication_bulk",
        actors,
        item=[item.pk for item in split[:3]],
        pattern='{"yes": 1, "no": 1}',
        value="yes",
        cause="guideline_gap",
    )

    assert done.status_code == 302
    told = alice.get(done.url).content.decode()
    assert "2 items were settled." in told
    assert "1 settled by somebody else" in told
    assert Resolution.objects.filter(label_class__name="yes", cause="guideline_gap").count() == 2


def test_a_reviewer_is_asked_answers_blind_and_the_item_comes_back(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice, dave = client_of(actors.alice), client_of(actors.dave)
    daves = actors.membership(actors.dave)

    post(alice, "adjudication_refer", actors, split[0].pk, reviewer=[daves.pk], note="Which is it?")

    review = Review.objects.get()
    assert f"/adjudication/{split[0].pk}?" not in get(alice, "adjudication", actors)
    assert "1 item waits for your view" in get(dave, "reviews", actors)
    blind = get(dave, "review_answer", actors, review.pk)
    assert "Which is it?" in blind
    assert "Hard: a" not in blind
    assert "What people said" not in blind
    post(dave, "review_answer", actors, review.pk, value="no", comment="The tail says it.")
    assert "What people said" in get(dave, "review_answer", actors, review.pk)
    assert f"/adjudication/{split[0].pk}?" in get(alice, "adjudication", actors, state="reviewed")
    assert "The tail says it." in get(alice, "adjudication_item", actors, split[0].pk)


def test_nobody_answers_for_another_reviewer(actors: Actors, split: list[Item], client_of: Browser) -> None:
    alice = client_of(actors.alice)
    post(alice, "adjudication_refer", actors, split[0].pk, reviewer=[actors.membership(actors.dave).pk])
    for sent in ("", "no"):
        gone = post(alice, "review_answer", actors, Review.objects.get().pk, value=sent)
        assert "Somebody else was asked about this item." in alice.get(gone.url).content.decode()
    assert Review.objects.get().answered_at is None
    get(client_of(actors.eve), "review_answer", actors, Review.objects.get().pk, status=404)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"a": "cannot tell"}, {"unsure"}),
        ({"a": "yes", "b": "no"}, {"a", "b", "c"}),
        ({"uncertain": "on"}, {"unsure"}),
        ({"flagged": "on"}, {"same"}),
        ({"state": "settled"}, set()),
    ],
)
def test_the_queue_can_be_narrowed(
    actors: Actors, split: list[Item], client_of: Browser, query: dict[str, Any], found: set[str]
) -> None:
    Item.objects.filter(external_id="same").update(flags=1)
    shown = get(client_of(actors.alice), "adjudication", actors, **query)
    assert {
        item.external_id
        for item in split
        if f'&amp;">{item.external_id}<' in shown or f">{item.external_id}</a>" in shown
    } == found


def test_a_filter_that_is_none_is_refused(actors: Actors, split: list[Item], client_of: Browser) -> None:
    get(client_of(actors.alice), "adjudication", actors, a="bird", status=400)
    get(client_of(actors.alice), "adjudication", actors, state="all", status=400)


SO_ALREADY = "Nothing was changed: the item was settled so already."
SETTLED = {
    "value": "yes",
    "cause": "guideline_gap",
    "comment": "The rule\r\nis missing.",
    "gold_candidate": "1",
}


def settled(actors: Actors, client: Client, item: Item, **more: str) -> str:
    """Settle an item for the first time, or as ``more`` says, and say what the page told."""
    gone = post(client, "adjudication_settle", actors, item.pk, **{**SETTLED, "revision": "0", **more})
    assert gone.status_code == 302
    return client.get(gone.url).content.decode()


def test_a_settled_item_opens_with_all_that_was_decided_and_enter_writes_nothing(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice = client_of(actors.alice)
    settled(actors, alice, split[0])

    shown = alice.get(reverse("adjudication_item", args=["birds", split[0].pk])).context["decision"]
    assert (shown["cause"], shown["comment"], shown["gold"]) == (
        "guideline_gap",
        SETTLED["comment"],
        True,
    )
    assert SO_ALREADY in settled(actors, alice, split[0], comment="The rule\nis missing.", revision="1")
    assert Resolution.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"value": "no"}, {"cause": "slip"}, {"comment": ""}, {"withdraw": "1", "cause": "broken"}]
)
def test_any_change_of_a_decision_is_a_new_one(
    actors: Actors, split: list[Item], client_of: Browser, change: dict[str, str]
) -> None:
    alice = client_of(actors.alice)
    settled(actors, alice, split[0])
    assert SO_ALREADY not in settled(actors, alice, split[0], **{"revision": "1", **change})
    assert Resolution.objects.count() == 2


def test_what_was_answered_anew_since_is_settled_again_as_it_was(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice = client_of(actors.alice)
    settled(actors, alice, split[0])
    Resolution.objects.update(overtaken=True)
    settled(actors, alice, split[0], revision="1")
    assert list(Resolution.objects.order_by("pk").values_list("current", "overtaken")) == [
        (False, True),
        (True, False),
    ]


def test_the_queue_says_what_settling_an_item_is_worth(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice = client_of(actors.alice)
    queue = alice.get("/api/v1/projects/birds/adjudications/next?count=10").json()
    worth = {case["item"]: f"{100 * case['worth']:.2f} %" for case in queue["results"]}
    page = alice.get(reverse("adjudication", args=["birds"]))
    assert {row["item"].external_id: row["worth"] for row in page.context["rows"]} == worth
    assert worth["a"] in page.text
    assert "Worth is the expected value of settling an item" in page.text


def test_after_a_gap_in_the_guideline_the_rule_is_one_link_away(
    actors: Actors, split: list[Item], client_of: Browser
) -> None:
    alice = client_of(actors.alice)
    rule = "/projects/birds/guideline/new?question=answer&amp;class=yes&amp;item=a"
    by_id = {item.external_id: item for item in split}

    assert f'href="{rule}"' in settled(actors, alice, by_id["a"])
    assert f'href="{rule}"' in get(alice, "adjudication", actors, state="settled", cause="guideline_gap")
    for name in ("b", "c"):
        assert "Write the rule" not in settled(actors, alice, by_id[name], cause="slip")
    last = settled(actors, alice, by_id["unsure"])
    assert "That was the last one here." in last
    assert f'href="{rule.removesuffix("a")}unsure"' in last
    assert "Write the rule" not in get(client_of(actors.dave), "adjudication", actors, state="settled")

    shown = alice.get(rule.replace("&amp;", "&"))
    yes = LabelClass.objects.get(question__project=actors.project, name="yes")
    assert shown.context["form"]["touches"].value() == [yes.pk]
    assert [form.initial for form in shown.context["examples"].initial_forms] == [
        {"item": "a", "label_class": yes.pk}
    ]


def test_two_classes_that_look_drawn_are_a_question_with_both_ways_out(actors: Actors) -> None:
    question = schema_of(actors.project).questions[0]
    rate = {"value": 0.5, "ci": [0.4, 0.6], "n_items": 80}
    row = {"a": "yes", "b": "no", "told_apart": 0.002, "rate": rate}
    top = [{"kind": "coin_flip", "cost": 12.0, "row": row}]

    (shown,) = cost_rows(actors.membership(actors.alice), question, top)

    assert "may be one class" in headline(top, 3)[0]
    assert "may be one class" in shown["words"]
    assert "< 1 %" in shown["words"]
    assert shown["sure"].startswith("50 % (40 to 60 %) of 80 answers")
    links = dict(shown["links"])
    classes = "&".join(f"class={question.classes[place].id}" for place in (0, 1))
    assert links["What a merger would do"] == f"/projects/birds/classes/preview?question=answer&{classes}"
    assert links["Write the rule"] == "/projects/birds/guideline/new?question=answer&class=yes&class=no"
    (for_dave,) = cost_rows(actors.membership(actors.dave), question, top)
    assert "Write the rule" not in dict(for_dave["links"])
