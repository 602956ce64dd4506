"""Item pages: the list and its filter, one item with its history, and what a lead does with it."""

import json
from typing import Any

from django.urls import reverse

from core.choices import AuditPart, ItemState, Pass
from core.models import Event, Flag, Item
from core.selectors.pseudonym import pseudonym
from core.services.lease import hand_out
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items


def ids_of(response: Any) -> list[str]:
    """The items on a page of the list."""
    return [row["item"].external_id for row in response.context["rows"]]


# The list ---------------------------------------------------------------------------------------------


def test_the_list_is_read_forwards_and_backwards_by_key(actors: Actors) -> None:
    make_items(actors.project, 120)
    dave = client_of(actors.dave)
    address = reverse("items", args=["birds"])
    first = dave.get(address)
    assert ids_of(first) == [f"item-{number}" for number in range(1, 51)]
    assert first.context["previous_url"] is None
    second = dave.get(address + first.context["next_url"])
    assert ids_of(second) == [f"item-{number}" for number in range(51, 101)]
    third = dave.get(address + second.context["next_url"])
    assert (ids_of(third)[0], len(ids_of(third)), third.context["next_url"]) == ("item-101", 20, None)
    back = dave.get(address + third.context["previous_url"])
    assert ids_of(back) == ids_of(second)
    start = dave.get(address + back.context["previous_url"])
    assert (ids_of(start), start.context["previous_url"]) == (ids_of(first), None)


def test_the_list_costs_the_same_statements_for_any_number_of_items(
    actors: Actors, django_assert_max_num_queries: Any
) -> None:
    make_items(actors.project, 60)
    dave = client_of(actors.dave)
    with django_assert_max_num_queries(9):
        dave.get(reverse("items", args=["birds"]))


def test_the_filter_narrows_the_list_and_stays_in_the_links(actors: Actors) -> None:
    items = make_items(actors.project, 55)
    Item.objects.filter(pk=items[0].pk).update(state=ItemState.WITH_LEAD, free=0)
    Item.objects.filter(pk=items[1].pk).update(meta={"country": "fr"}, flags=1)
    make_answer(actors.membership(actors.bob), items[2], {"answer": "yes"})
    make_answer(actors.membership(actors.carol), items[2], {"answer": "no"})
    make_answer(actors.membership(actors.bob), items[3], {"answer": "cannot tell"})
    dave = client_of(actors.dave)
    address = reverse("items", args=["birds"])
    for query, found in (
        ({"state": "with_lead"}, ["item-1"]),
        ({"meta_key": "country", "meta_value": "fr"}, ["item-2"]),
        ({"flagged": "on"}, ["item-2"]),
        ({"disagreement_min": "0.5"}, ["item-3"]),
        ({"uncertain": "on"}, ["item-4"]),
        ({"q": "Sentence 5."}, ["item-5"]),
        ({"q": "item-6"}, ["item-6"]),
        ({"batch": "1", "q": "nowhere"}, []),
    ):
        assert ids_of(dave.get(address, query)) == found, query
    narrowed = dave.get(address, {"batch": "1"})
    assert narrowed.context["next_url"] == f"?batch=1&after={items[49].pk}"
    for wrong in ({"state": "lost"}, {"disagreement_min": "2"}, {"batch": "9"}):
        assert dave.get(address, wrong).status_code == 422
    assert dave.get(address, {"after": "x", "before": "9" * 30}).status_code == 200


def test_an_empty_list_says_what_to_do_first(actors: Actors) -> None:
    address = reverse("items", args=["birds"])
    assert reverse("import_new", args=["birds"]) in client_of(actors.alice).get(address).text
    assert reverse("import_new", args=["birds"]) not in client_of(actors.dave).get(address).text


# One item ---------------------------------------------------------------------------------------------


def page_of(actors: Actors, user: Any, item: Item) -> Any:
    """The page of an item."""
    return client_of(user).get(reverse("item", args=["birds", item.pk]))


def test_leads_see_names_and_the_audit_part_and_reviewers_do_not(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1, audit=AuditPart.STREAM)
    bob = actors.membership(actors.bob)
    make_answer(bob, item, {"answer": "yes"}, comment="Look at the wings.")
    make_gold(item, "answer", "no")
    Flag.objects.create(item=item, annotator=bob, note="Blurry", idempotency_key="k")
    lead, reviewer = page_of(actors, actors.alice, item), page_of(actors, actors.dave, item)
    assert [row["name"] for row in lead.context["current"]] == ["bob"]
    assert [row["name"] for row in reviewer.context["current"]] == [pseudonym(actors.project, bob.pk)]
    assert reviewer.context["flags"][0]["name"] == pseudonym(actors.project, bob.pk)
    for text in (lead.text, reviewer.text):
        assert "Look at the wings." in text
        assert "batch 1" in text
        assert f"{1:064}" in text
    assert ("Audit slice" in lead.text, "Audit slice" in reviewer.text) == (True, False)
    assert (lead.context["gold"], reviewer.context["gold"]) == ([("answer", "no")], [])


def test_reviewers_are_not_told_which_items_have_gold(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1)
    bob, carol, dave = (actors.membership(user) for user in (actors.bob, actors.carol, actors.dave))
    make_answer(bob, item, {"answer": "yes"})
    make_answer(carol, item, {"answer": "no"}, pass_kind=Pass.GOLD)
    make_gold(item, "answer", "yes")
    lead, reviewer = page_of(actors, actors.alice, item), page_of(actors, actors.dave, item)
    assert [row["pass"] for row in lead.context["current"]] == [Pass.NORMAL.label, Pass.GOLD.label]
    assert [row["pass"] for row in reviewer.context["current"]] == [Pass.NORMAL.label]
    assert "Gold" not in reviewer.text
    make_answer(dave, item, {"answer": "no"}, pass_kind=Pass.GOLD)
    own = page_of(actors, actors.dave, item).context["current"][-1]
    assert (own["name"], own["pass"]) == ("dave", Pass.NORMAL.label)


def test_whoever_has_an_item_in_hand_does_not_see_what_others_answered(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1, target=3)
    make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
    make_gold(item, "answer", "no")
    hand_out(actors.membership(actors.dave), 1)
    page = page_of(actors, actors.dave, item)
    assert (page.context["current"], page.context["gold"]) == ([], [])
    assert "Answers of others show when you have given yours." in page.text


def test_annotators_and_strangers_see_no_item(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1)
    assert page_of(actors, actors.bob, item).status_code == 403
    assert page_of(actors, actors.eve, item).status_code == 404
    other = reverse("item", args=["flowers", item.pk])
    assert client_of(actors.eve).get(other).status_code == 404


def test_an_item_is_shown_literally(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1)
    nasty = "<img src=x onerror=alert(1)>"
    Item.objects.filter(pk=item.pk).update(data={nasty: nasty}, meta={nasty: nasty}, external_id=nasty)
    make_answer(actors.membership(actors.bob), item, {"answer": "yes"}, comment=nasty)
    for address in (reverse("item", args=["birds", item.pk]), reverse("items", args=["birds"])):
        text = client_of(actors.alice).get(address).text
        assert nasty not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_a_lead_withdraws_restores_and_returns(actors: Actors) -> None:
    first, second = make_items(actors.project, 2)
    Item.objects.filter(pk=second.pk).update(state=ItemState.WITH_LEAD, free=0, skips=2)
    alice = client_of(actors.alice)
    for name, item, state in (
        ("item_withdraw", first, ItemState.WITHDRAWN),
        ("item_restore", first, ItemState.OPEN),
        ("item_return", second, ItemState.OPEN),
    ):
        assert alice.get(reverse(name, args=["birds", item.pk])).status_code == 405
        alice.post(reverse(name, args=["birds", item.pk]))
        item.refresh_from_db()
        assert item.state == state
    twice = alice.post(reverse("item_return", args=["birds", second.pk]), follow=True)
    assert "This item does not wait for the lead." in twice.text
    assert Event.objects.filter(verb__startswith="item.").count() == 3
    assert client_of(actors.dave).post(reverse("item_withdraw", args=["birds", first.pk])).status_code == 403


def test_flags_are_marked_as_read(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1, flags=1)
    Flag.objects.create(
        item=item, annotator=actors.membership(actors.bob), note="Blurry", idempotency_key="k"
    )
    client_of(actors.alice).post(reverse("item_flags_read", args=["birds", item.pk]))
    item.refresh_from_db()
    assert (item.flags, Flag.objects.filter(resolved_at=None).count()) == (0, 0)


def test_corrected_data_are_a_new_version_and_the_answers_stay_with_the_old(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1, target=1)
    Item.objects.filter(pk=item.pk).update(done=1, free=0)
    make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
    alice = client_of(actors.alice)
    address = reverse("item_correct", args=["birds", item.pk])
    sent = {"item_data": json.dumps({"text": "Corrected."}), "item_meta": "{}", "version": "1"}
    done = alice.post(address, sent, follow=True)
    assert "Saved as version 2. People are asked again." in done.text
    page = page_of(actors, actors.alice, item)
    assert (len(page.context["current"]), len(page.context["earlier"])) == (0, 1)
    assert "given to version 1 of the item" in page.text
    assert page.context["versions"][0]["blocks"] == [
        {"kind": "text", "label": "text", "value": "Sentence 1."}
    ]
    assert alice.post(address, {**sent, "item_data": '{"text": "Later."}'}).status_code == 412


def test_data_that_are_not_an_object_are_refused_at_their_field(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1)
    alice = client_of(actors.alice)
    for data in ("{", "[]", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000):
        sent = {"item_data": data, "item_meta": "{}", "version": "1"}
        response = alice.post(reverse("item_correct", args=["birds", item.pk]), sent)
        assert (response.status_code, list(response.context["form"].errors)) == (422, ["item_data"]), data
    empty = alice.post(
        reverse("item_correct", args=["birds", item.pk]),
        {"item_data": "{}", "item_meta": "{}", "version": "1"},
    )
    assert empty.status_code == 422
    item.refresh_from_db()
    assert item.version == 1


# Tags -------------------------------------------------------------------------------------------------


def test_an_item_is_tagged_on_its_page(actors: Actors) -> None:
    (item,) = make_items(actors.project, 1)
    dave = client_of(actors.dave)
    page, change = (reverse(name, args=["birds", item.pk]) for name in ("item", "item_tags"))
    assert "No tags yet" in dave.get(page).text
    response = dave.post(change, {"name": "Car noise", "do": "add"}, follow=True)
    assert response.redirect_chain == [(page, 302)]
    assert response.context["tags"] == ["Car noise"]
    assert f'href="{reverse("items", args=["birds"])}?tag=Car%20noise"' in response.text
    gone = dave.post(change, {"name": "Car noise", "do": "remove"}, follow=True)
    assert gone.context["tags"] == []
    refused = dave.post(change, {"name": " ", "do": "add"}, follow=True)
    assert "A tag is a text of 1 to 80 printable characters." in refused.text


def test_ticked_items_are_tagged_and_the_filter_stays(actors: Actors) -> None:
    make_items(actors.project, 4)
    dave = client_of(actors.dave)
    address, change = reverse("items", args=["birds"]), reverse("items_tag", args=["birds"])
    sent = {"item": ["item-1", "item-3"], "name": "blurry", "do": "add", "query": "state=open&q=Sentence"}
    response = dave.post(change, sent, follow=True)
    assert response.redirect_chain == [(f"{address}?state=open&q=Sentence", 302)]
    assert "“blurry” is on 2 more items." in response.text
    assert ids_of(dave.get(address, {"tag": "blurry"})) == ["item-1", "item-3"]
    nothing = dave.post(change, {"name": "blurry", "do": "add"}, follow=True)
    assert "Tick the items that the tag is for." in nothing.text
    dave.post(change, {"item": "item-1", "name": "blurry", "do": "remove"})
    assert ids_of(dave.get(address, {"tag": "blurry"})) == ["item-3"]
