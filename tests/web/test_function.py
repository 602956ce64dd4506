"""Pages of labeling functions: the list in every state, the form of each kind, the preview, the job."""

from typing import Any

import pytest
from django.urls import reverse

from core.choices import JobState
from core.models import Item, Job, LabelingFunction, Membership, Prediction
from core.pipelines.function import save_function
from core.pipelines.job import run_job
from core.web.forms.function import typed, written
from tests.conftest import Actors, client_of
from tests.factories.answers import make_gold, make_items
from tests.factories.run import make_run

SAYS_YES = {"name": "sings", "kind": "keywords", "class": "yes", "arguments": {"words": ["sings"]}}
SAYS_NO = {"name": "digits", "kind": "pattern", "class": "no", "arguments": {"pattern": r"\d\d"}}


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    made = make_items(actors.project, "a", "b", "c")
    for item, text in zip(made, ("It <b>sings</b> 20 times", "It sings", "In 1999"), strict=True):
        Item.objects.filter(pk=item.pk).update(data={"text": text}, meta={"lang": "en"})
    return made


def get(actors: Actors, name: str, *args: Any, who: str = "alice", **query: str) -> Any:
    return client_of(getattr(actors, who)).get(reverse(name, args=["birds", *args]), query)


def post(actors: Actors, name: str, data: dict[str, Any], *args: Any, kind: str = "") -> Any:
    address = reverse(name, args=["birds", *args])
    return client_of(actors.alice).post(f"{address}?kind={kind}" if kind else address, data)


def test_without_functions_the_page_says_what_one_is(actors: Actors) -> None:
    shown = get(actors, "functions")
    assert "No labeling function yet" in shown.text
    assert "Add a labeling function" in shown.text
    assert "Add a labeling function" not in get(actors, "functions", who="dave").text


def test_without_a_question_of_classes_there_is_nothing_to_vote_on(actors: Actors) -> None:
    actors.project.questions.update(kind="number")
    shown = get(actors, "functions")
    assert (shown.status_code, "No question has one class as its answer" in shown.text) == (200, True)
    assert get(actors, "function_new").status_code == 404


def test_the_list_has_figures_conflicts_and_what_to_fix(
    actors: Actors, alice: Membership, items: list[Item]
) -> None:
    save_function(alice, SAYS_YES)
    save_function(alice, SAYS_NO)
    save_function(alice, {**SAYS_NO, "name": "sleeps", "active": False})
    shown = get(actors, "functions")
    assert "2 functions vote on 100\xa0% of the items; on 33\xa0% they differ." in shown.text
    assert "“sings” and “digits” differ on 1 item, more than any other two." in shown.text
    assert "Nothing is known yet to judge them by" in shown.text
    assert "switched off: it does not vote" in shown.text
    assert "the model says" in shown.text
    assert reverse("item", args=["birds", items[0].pk]) in shown.text
    for item in items[:2]:
        make_gold(item, "answer", "yes")
    shown = get(actors, "functions", who="dave")
    assert "the label model is right on" in shown.text
    assert "judged by gold, 2 items" in shown.text
    assert reverse("functions_apply", args=["birds"]) not in shown.text


def test_a_function_is_made_changed_and_removed_in_the_page(actors: Actors, items: list[Item]) -> None:
    typed_in = {
        "name": "sings",
        "label_class": "yes",
        "words": "sings\n\n a song ",
        "also": "bird",
        "every": "",
        "active": "on",
    }
    assert post(actors, "function_new", typed_in, kind="keywords").status_code == 302
    made = LabelingFunction.objects.get()
    assert made.arguments == {
        "words": ["sings", "a song"],
        "every": False,
        "also": ["bird"],
        "field": None,
    }
    assert "sings\na song</textarea>" in get(actors, "function_edit", made.pk).text
    off = {key: value for key, value in typed_in.items() if key != "active"}
    assert post(actors, "function_edit", {**off, "field": "text"}, made.pk).status_code == 302
    made.refresh_from_db()
    assert (made.active, made.arguments["field"], made.version) == (False, "text", 2)
    assert post(actors, "function_remove", {}, made.pk).status_code == 302
    assert not LabelingFunction.objects.exists()


def test_every_kind_has_its_own_fields(actors: Actors, items: list[Item]) -> None:
    run = make_run(actors.project, {"a": "yes"})
    for kind, data, arguments in (
        ("pattern", {"pattern": "a|b", "case": "on"}, {"pattern": "a|b", "case": True, "field": None}),
        (
            "meta",
            {"key": "lang", "operator": "!=", "value": "5"},
            {"key": "lang", "operator": "!=", "value": 5},
        ),
        ("run", {"run": str(run.pk), "above": "0.5"}, {"run": run.pk, "above": 0.5}),
    ):
        assert f'name="{next(iter(data))}"' in get(actors, "function_new", kind=kind).text
        sent = {"name": kind, "label_class": "no", "active": "on", **data}
        assert post(actors, "function_new", sent, kind=kind).status_code == 302
        assert LabelingFunction.objects.get(name=kind).arguments == arguments
    shown = get(actors, "functions").text
    assert "/a|b/" in shown
    assert "lang != 5" in shown
    assert f"predictions of run {run.pk} above 50\xa0%" in shown
    assert get(actors, "function_new", kind="magic").status_code == 400


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(actors: Actors) -> None:
    wrong = {"name": "", "label_class": "", "pattern": "(?=a)", "active": "on"}
    shown = post(actors, "function_new", wrong, kind="pattern")
    assert shown.status_code == 422
    errors = shown.context["form"].errors
    assert set(errors) == {"name", "label_class", "pattern"}
    assert "Lookaheads" in errors["pattern"][0]
    assert 'value="(?=a)"' in shown.text
    assert not LabelingFunction.objects.exists()


def test_the_preview_marks_matches_and_escapes_the_text(actors: Actors, items: list[Item]) -> None:
    sent = {"label_class": "yes", "words": "sings"}
    shown = post(actors, "function_preview", sent, kind="keywords")
    assert "<mark>sings</mark>" in shown.text
    assert "It &lt;b&gt;" in shown.text
    assert "<strong>2</strong> of the first 3 items" in shown.text
    assert "<mark>sings</mark>" in post(actors, "function_preview", {"words": "sings"}, kind="keywords").text
    told = post(actors, "function_preview", {"label_class": "yes", "pattern": "(a"}, kind="pattern")
    assert (told.status_code, "This is not a regular expression" in told.text) == (200, True)


def test_labels_for_all_items_are_made_by_a_worker(
    actors: Actors, alice: Membership, items: list[Item]
) -> None:
    save_function(alice, SAYS_YES)
    assert post(actors, "functions_apply", {}).status_code == 302
    waiting = get(actors, "functions", part="job")
    assert "every 1s" in waiting.text
    assert "No worker is running" in waiting.text
    job = Job.objects.get()
    run_job(job.pk)
    done = get(actors, "functions", part="job").text
    assert "2 items have a label by functions." in done
    run = Prediction.objects.values_list("run", flat=True).distinct().get()
    assert reverse("model", args=["birds", run]) in done


def test_a_job_that_waits_is_cancelled_in_the_page(
    actors: Actors, alice: Membership, items: list[Item]
) -> None:
    save_function(alice, SAYS_YES)
    post(actors, "functions_apply", {})
    address = reverse("functions_apply", args=["birds"])
    assert client_of(actors.alice).post(f"{address}?cancel=1").status_code == 302
    assert Job.objects.get().state == JobState.CANCELLED
    assert "It was cancelled" in get(actors, "functions").text


@pytest.mark.parametrize("value", [5, 0.5, True, False, "en", "5", "true", '"', "nan", "1e400"])
def test_a_value_that_is_written_and_typed_again_is_the_same(value: Any) -> None:
    again = typed(written(value))
    assert (again, type(again)) == (value, type(value))
