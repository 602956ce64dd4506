"""Standard texts: groups, what rules would do, putting them in force and taking them back."""

import json

import pytest
from django.urls import reverse

from core.choices import QuestionKind
from core.models import Answer, Mapping, Question
from core.pipelines.agreement import agreement_report
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question

SAID = [("um", "Um…"), ("um", "um"), ("um", "ummm"), ("uh huh", "uh huh"), ("uh huh", "uh-huh"), ("um", "no")]


@pytest.fixture
def question(actors: Actors) -> Question:
    """Bob and Carol wrote down what they heard."""
    made = make_question(actors.project, "heard", [], kind=QuestionKind.TEXT)
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    names = [f"i{number}" for number in range(len(SAID))]
    for item, said in zip(make_items(actors.project, *names), SAID, strict=True):
        for member, text in zip((bob, carol), said, strict=True):
            make_answer(member, item, {"heard": text})
    return made


def percent(actors: Actors) -> float:
    actors.project.refresh_from_db()
    report = agreement_report(actors.project, "heard")
    return float(report["coefficients"]["percent_agreement"]["value"])


def raw(question: Question) -> list[tuple[int, str | None]]:
    return list(Answer.objects.filter(question=question).order_by("pk").values_list("pk", "text"))


def test_a_lead_ticks_a_group_reads_what_it_does_applies_it_and_takes_it_back(
    actors: Actors, question: Question
) -> None:
    alice, before, written = client_of(actors.alice), percent(actors), raw(question)
    page = alice.get(reverse("standard", args=["birds"]))
    assert "2 groups of texts look like one answer each" in page.text
    assert [row["canonical"] for row in page.context["clusters"]] == ["um", "uh huh"]

    ticked = {"question": "heard", "cluster": ["1"], "to-1": "um", "from-1": ["Um…", "ummm"], "own": ""}
    shown = alice.post(reverse("standard_preview", args=["birds"]), ticked)
    assert "2 texts would be read otherwise" in shown.text
    assert raw(question) == written
    assert percent(actors) == before

    sent = {"question": "heard", "rules": shown.context["rules"], "version": "0", "note": "hesitations"}
    done = alice.post(reverse("standard_apply", args=["birds"]), sent, follow=True)
    assert "2 rules are in force." in done.text
    assert percent(actors) == pytest.approx(before + 2 / 6)
    assert raw(question) == written

    undo = reverse("mapping_revert", args=["birds", Mapping.objects.get().number])
    alice.post(undo, {"version": "1"})
    assert percent(actors) == before
    assert not Answer.objects.exclude(standard=None).exists()


def test_rules_of_ones_own_are_texts_and_whole_patterns(actors: Actors, question: Question) -> None:
    own = "no => nothing\n\n/u+m+/ => um"
    shown = client_of(actors.alice).post(
        reverse("standard_preview", args=["birds"]), {"question": "heard", "own": own}
    )

    assert [(row["from"], row["to"]) for row in shown.context["found"]["changes"]] == [
        ("no", "nothing"),
        ("ummm", "um"),
    ]
    assert "text is matched by several rules" not in shown.text


def test_a_line_without_an_arrow_and_a_wrong_pattern_are_told_by_their_place(
    actors: Actors, question: Question
) -> None:
    address, alice = reverse("standard_preview", args=["birds"]), client_of(actors.alice)

    missing = alice.post(address, {"question": "heard", "own": "um => um\nno arrow"})
    wrong = alice.post(address, {"question": "heard", "own": "/(a/ => b"})
    nothing = alice.post(address, {"question": "heard", "own": ""})

    assert missing.status_code == wrong.status_code == nothing.status_code == 422
    assert "Line 2 has no" in missing.text
    assert "RE2 does not take the pattern" in wrong.text
    assert "Tick a group" in nothing.text


def test_a_rule_applied_meanwhile_by_somebody_else_is_seen_first(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    rules = json.dumps([{"from": "no", "to": "nothing"}])
    sent = {"question": "heard", "rules": rules, "version": "0", "note": ""}
    alice.post(reverse("standard_apply", args=["birds"]), sent)

    late = alice.post(reverse("standard_apply", args=["birds"]), sent)

    assert late.status_code == 412
    assert "Somebody else changed how classes or texts are read" in late.text
    assert Mapping.objects.count() == 1


def test_a_project_without_texts_says_what_the_page_is_for(actors: Actors) -> None:
    page = client_of(actors.alice).get(reverse("standard", args=["birds"]))

    assert "No question is answered with a text" in page.text
