"""The page of classes: what looks like one, what a merger would do, doing it and taking it back."""

import pytest
from django.urls import reverse

from core.models import LabelClass, Mapping, Project, Question
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import make_question

AGAIN = "Somebody else changed how classes or texts are read"


@pytest.fixture
def question(actors: Actors) -> Question:
    """Bob and Carol say red and rose at random, and agree on blue."""
    made = make_question(actors.project, "colour", ["red", "rose", "blue", "?"], uncertain={"?"})
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    pairs = ["red red", "red rose", "rose red", "rose rose"] * 5 + ["blue blue"] * 10
    names = [f"i{number}" for number in range(len(pairs))]
    for item, pair in zip(make_items(actors.project, *names), pairs, strict=True):
        for member, label in zip((bob, carol), pair.split(), strict=True):
            make_answer(member, item, {"colour": label})
        make_gold(item, "colour", pair.split()[0])
    return made


def pk(question: Question, name: str) -> int:
    return question.classes.get(name=name).pk


def form(question: Question, *names: str, **more: str) -> dict[str, object]:
    """What a browser sends to merge classes into the first of them."""
    ids = [str(pk(question, name)) for name in names]
    return {
        "question": question.key,
        "class": ids,
        "into": ids[0],
        "name": "",
        "note": "",
        "version": "0",
        **more,
    }


def test_the_page_names_the_pair_that_looks_like_one_class(actors: Actors, question: Question) -> None:
    address = reverse("mappings", args=["birds"])
    page = client_of(actors.alice).get(f"{address}?question=colour")
    assert "People hardly tell “red” from “rose”" in page.text
    assert [(row["a"], row["b"]) for row in page.context["pairs"]] == [("“red”", "“rose”")]
    assert [row["n"] for row in page.context["classes"]] == [20, 20, 20, 0]
    assert "All answers are read as they were given." in page.text


def test_a_what_if_says_every_figure_before_and_after_and_changes_nothing(
    actors: Actors, question: Question
) -> None:
    ids = "&".join(f"class={pk(question, name)}" for name in ("red", "rose"))
    page = client_of(actors.alice).get(f"{reverse('mapping_preview', args=['birds'])}?question=colour&{ids}")
    assert [row["name"] for row in page.context["rows"]] == [
        "Krippendorff's alpha",
        "Two people give the same answer",
        "People's answers equal gold",
        "One person against the others",
    ]
    alpha, percent = page.context["rows"][:2]
    assert percent["before"].startswith("0.67 (")
    assert (alpha["after"][:5], percent["after"][:5]) == ("1.00 ", "1.00 ")
    assert page.context["facts"][0].startswith("20 of 60 answers on 15 items are read otherwise")
    assert page.context["facts"][-1] == "Labels that tie between classes: 10 before, 0 after."
    assert not Mapping.objects.exists()
    assert Project.objects.get(slug="birds").mapping_version == 0


def test_classes_are_merged_and_the_merger_is_taken_back(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    done = alice.post(
        reverse("mapping_apply", args=["birds"]), form(question, "red", "rose", name="reddish", note="Alike.")
    )
    assert done.status_code == 302
    page = alice.get(done["Location"])
    assert "“rose” read as “reddish”" in page.text
    assert "Alike." in page.text
    assert [row["read_here"] for row in page.context["classes"]] == [["rose"], [], []]

    assert alice.post(reverse("mapping_revert", args=["birds", 1]), {"version": "1"}).status_code == 302
    names = LabelClass.objects.filter(question=question, merged_into=None).values_list("name", flat=True)
    assert list(names) == ["red", "rose", "blue", "?"]
    assert "reverted" in alice.get(done["Location"]).text


def test_a_merger_that_rests_on_old_figures_is_shown_again(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    address = reverse("mapping_apply", args=["birds"])
    alice.post(address, form(question, "blue", "red"))
    page = alice.post(address, form(question, "blue", "rose"))
    assert (page.status_code, Mapping.objects.count()) == (412, 1)
    assert AGAIN in page.text
    assert page.context["form"]["version"].value() == "1"
    assert alice.post(address, form(question, "blue", "rose", version="1")).status_code == 302


def test_of_two_leads_who_merge_the_same_pair_the_second_learns_what_happened(
    actors: Actors, question: Question
) -> None:
    alice = client_of(actors.alice)
    address = reverse("mapping_apply", args=["birds"])
    alice.post(address, form(question, "red", "rose", note="They look <alike>."))
    late = alice.post(address, form(question, "rose", "red", name="reddish", note="My long reason."))
    assert (late.status_code, Mapping.objects.count()) == (412, 1)
    assert "Somebody else changed the classes meanwhile" in late.text
    assert late.context["meanwhile"] == ["“rose” read as “red” (Alice): They look <alike>."]
    assert "My long reason." in late.text
    assert "reddish" in late.text
    assert "two classes at least" not in late.text


def test_what_was_reverted_meanwhile_is_told_too(actors: Actors, question: Question) -> None:
    alice = client_of(actors.alice)
    address = reverse("mapping_apply", args=["birds"])
    alice.post(address, form(question, "red", "rose"))
    alice.post(reverse("mapping_revert", args=["birds", 1]), {"version": "1"})
    late = alice.post(address, form(question, "red", "rose", note="Mine.", version="1"))
    assert late.status_code == 412
    assert late.context["meanwhile"] == ["Reverted: “rose” read as “red” (Alice)"]
    assert late.context["form"]["note"].value() == "Mine."
    now = late.context["form"]["version"].value()
    assert alice.post(address, form(question, "red", "rose", version=now)).status_code == 302


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("red",), "A merger takes two classes at least."),
        (("red", "?"), "cannot be merged with one that does tell"),
    ],
)
def test_what_cannot_be_merged_is_said(
    actors: Actors, question: Question, names: tuple[str, ...], said: str
) -> None:
    ids = "&".join(f"class={pk(question, name)}" for name in names)
    address = reverse("mapping_preview", args=["birds"])
    page = client_of(actors.alice).get(f"{address}?question=colour&{ids}")
    assert (page.status_code, said in page.text) == (422, True)
    refused = client_of(actors.alice).post(reverse("mapping_apply", args=["birds"]), form(question, *names))
    assert refused.status_code == 422
    assert not Mapping.objects.exists()


def test_a_taken_name_stands_above_the_form(actors: Actors, question: Question) -> None:
    page = client_of(actors.alice).post(
        reverse("mapping_apply", args=["birds"]), form(question, "red", "rose", name="Blue")
    )
    assert page.status_code == 422
    assert "Two classes would be called &#x27;blue&#x27;." in page.text


def test_a_project_without_classes_says_what_the_page_is_for(actors: Actors) -> None:
    actors.project.questions.all().delete()
    Project.objects.filter(pk=actors.project.pk).update(schema_version=2)
    make_question(actors.project, "why", [], kind="text")
    page = client_of(actors.alice).get(reverse("mappings", args=["birds"]))
    assert "No question has classes" in page.text


def test_reviewers_look_and_annotators_do_not(actors: Actors, question: Question) -> None:
    ids = "&".join(f"class={pk(question, name)}" for name in ("red", "rose"))
    address = f"{reverse('mapping_preview', args=['birds'])}?question=colour&{ids}"
    page = client_of(actors.dave).get(address)
    assert "A lead of this project can merge them." in page.text
    apply = reverse("mapping_apply", args=["birds"])
    assert client_of(actors.dave).post(apply, form(question, "red", "rose")).status_code == 403
    assert client_of(actors.bob).get(address).status_code == 403
