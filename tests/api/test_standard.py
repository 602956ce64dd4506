"""Texts by script: groups, previews, rules in force for whatever comes in."""

import pytest

from core.choices import QuestionKind
from core.models import Answer, Question
from core.services.lease import hand_out
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question

ADDRESS = "/api/v1/projects/birds/standard/heard"
RULES = {"rules": [{"from": "umm", "to": "um"}, {"pattern": "u+m+", "to": "um"}]}


@pytest.fixture
def question(actors: Actors) -> Question:
    """What Bob and Carol heard on three items."""
    made = make_question(actors.project, "heard", [], kind=QuestionKind.TEXT, required=False)
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    said = [("um", "umm"), ("um", "um"), ("um", "yes")]
    for item, texts in zip(make_items(actors.project, "i1", "i2", "i3"), said, strict=True):
        for member, text in zip((bob, carol), texts, strict=True):
            make_answer(member, item, {"heard": text})
    return made


def test_groups_come_with_what_they_would_gain(actors: Actors, question: Question) -> None:
    told = client_of(actors.alice).get(ADDRESS).json()

    assert [(row["canonical"], [one["text"] for one in row["variants"]]) for row in told["clusters"]] == [
        ("um", ["umm"])
    ]
    assert told["clusters"][0]["gain"] == pytest.approx(1 / 3)
    assert told["all"]["before"]["percent_agreement"]["value"] == pytest.approx(1 / 3)
    assert told["all"]["after"]["percent_agreement"]["value"] == pytest.approx(2 / 3)


def test_a_preview_says_what_every_rule_matches_and_writes_nothing(
    actors: Actors, question: Question
) -> None:
    told = client_of(actors.alice).post(f"{ADDRESS}/preview", RULES, content_type="application/json").json()

    assert told["changes"] == [{"from": "umm", "to": "um", "n": 1}]
    assert told["per_rule"] == [
        {"rule": 0, "texts": 1, "answers": 1},
        {"rule": 1, "texts": 4 - 1 - 1, "answers": 5},
    ]
    assert not Answer.objects.exclude(standard=None).exists()


def test_rules_in_force_read_answers_that_come_later(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    body = {"kind": "standardise", "question": "heard", **RULES}
    made = alice.post(
        "/api/v1/projects/birds/mappings",
        body,
        content_type="application/json",
        headers={"if-match": '"m0"'},
    )
    assert made.status_code == 201, made.json()
    bob = actors.membership(actors.bob)
    make_items(actors.project, "i4")
    (lease,) = hand_out(bob, 1).leases

    sent = client_of(actors.bob).post(
        f"/api/v1/leases/{lease.pk}/annotation",
        {"answers": {"answer": "yes", "heard": "  UUmm uum "}},
        content_type="application/json",
        headers={"idempotency-key": "k1"},
    )
    again = client_of(actors.carol).post(
        f"/api/v1/leases/{hand_out(actors.membership(actors.carol), 1).leases[0].pk}/annotation",
        {"answers": {"answer": "yes", "heard": " uumm "}},
        content_type="application/json",
        headers={"idempotency-key": "k2"},
    )

    assert sent.status_code == again.status_code == 201
    kept = Answer.objects.filter(question=question, annotation__item__external_id="i4").order_by("pk")
    assert list(kept.values_list("text", "standard")) == [("  UUmm uum ", None), (" uumm ", "um")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad-rules"),
        ({"rules": []}, "bad-rules"),
        ({"rules": [{"pattern": "(a", "to": "b"}]}, "bad-rules"),
        ({"rules": [{"from": "a"}]}, "bad-rules"),
        ({**RULES, "items": "some"}, "bad-items"),
        ({**RULES, "rule": 1}, "unknown-field"),
    ],
)
def test_what_is_wrong_with_a_preview_is_told(
    actors: Actors, question: Question, body: dict[str, object], code: str
) -> None:
    answer = client_of(actors.alice).post(f"{ADDRESS}/preview", body, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_question_of_classes_has_no_texts(actors: Actors) -> None:
    answer = client_of(actors.alice).get("/api/v1/projects/birds/standard/answer")

    assert answer.json()["code"] == "not-a-text"
