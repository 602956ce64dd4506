"""The page on selection: what it says in every state, what a lead can do there, and the books."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from core.choices import AuditPart, JobKind, JobState, QuestionKind, Strategy, Stream
from core.models import Item, ItemVector, Job, Project, ProjectTotals, Question, User
from core.services.job import sign_of_life
from core.services.lease import hand_out
from core.web import selection_words as words
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question
from tests.factories.selection import make_features, make_round, make_trained_run

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]
PAGE = "/projects/birds/selection/"


@pytest.fixture
def learnt(actors: Actors) -> Project:
    """Forty items of the holdout with labels, and five models that learnt from more and more labels."""
    return learn(actors)


def learn(actors: Actors) -> Project:
    project = actors.project
    project.selection_on = True
    project.save()
    held = make_items(project, *(f"h{n:02}" for n in range(40)), audit=AuditPart.HOLDOUT)
    bob = actors.membership(actors.bob)
    for place, item in enumerate(held):
        make_answer(bob, item, {"answer": "yes" if place % 4 else "no"})
    Item.objects.filter(project=project).update(done=1, free=2)
    pool = make_items(project, *(f"p{n:02}" for n in range(60)))
    stream = make_items(project, *(f"s{n:02}" for n in range(10)), audit=AuditPart.STREAM)
    for number in range(5):
        right = 20 + 4 * number
        said = {
            item: ("yes" if place % 4 else "no") if (place * 7) % 40 < right else "no" if place % 4 else "yes"
            for place, item in enumerate(held)
        }
        run = make_trained_run(
            project,
            said,
            n_labels=50 * (number + 1),
            name=f"model {number + 1}",
            metrics={"selected_cv": {"accuracy": figure(0.61), "n": 250}},
        )
        chosen = pool[number * 8 : number * 8 + 8]
        make_round(
            project,
            {Stream.SELECTED: chosen, Stream.AUDIT: stream[number * 2 : number * 2 + 2]},
            run=run,
            kappa=0.9 + number / 100 if number else None,
            ended_at=timezone.now() if number < 4 else None,
        )
    last = project.selections.latest("number")
    last.report |= {
        "hard": [{"a": "yes", "b": "no", "n": 8}],
        "unseen": ["never"],
        "replay": a_replay(cost=500.0, low=400.0, high=900.0),
    }
    last.save()
    Item.objects.filter(picks__selection=last).update(lane=1)
    return project


def figure(value: float) -> dict[str, Any]:
    return {
        "value": value,
        "se": 0.02,
        "ci": [value - 0.05, value + 0.05],
        "method": "wilson",
        "n_items": 250,
        "n_pairs": 250,
        "reason": None,
        "needed": 0,
    }


def a_replay(cost: float, low: float | None, high: float | None) -> dict[str, Any]:
    found = {
        "reach": "extrapolated",
        "value": cost,
        "low": low,
        "high": high,
        "most": 60,
        "quality": 0.8,
    }
    points = [
        {"n": n, "accuracy": figure(0.5 + n / 400), "macro_f1": figure(0.4 + n / 400)} for n in (15, 30, 60)
    ]
    return {
        "n_labels": 250,
        "n_chance": 60,
        "n_holdout": 40,
        "points": points,
        "accuracy": found,
        "macro_f1": found,
    }


def text_of(page: Any) -> str:
    return plain(page.content.decode())


def plain(text: str) -> str:
    """With single blanks, and hyphens for dashes."""
    return " ".join(text.replace("\N{EN DASH}", "-").split())


def test_before_it_is_switched_on_the_page_says_what_it_is_for(actors: Actors, client_of: Browser) -> None:
    page = text_of(client_of(actors.alice).get(PAGE))

    assert "Selection is off: items are handed out at random." in page
    assert "What this is for" in page
    assert "Switch selection on" in page


def test_a_project_without_classes_to_learn_says_so(actors: Actors, client_of: Browser) -> None:
    Question.objects.filter(project=actors.project).delete()
    make_question(actors.project, "why", [], kind=QuestionKind.TEXT)

    assert "No question can be learnt here" in text_of(client_of(actors.alice).get(PAGE))


def test_the_first_line_answers(learnt: Project, alice: User, client_of: Browser) -> None:
    page = text_of(client_of(alice).get(PAGE))

    assert (
        "On: 8 items chosen by margin within clusters and 2 taken at random wait. "
        "After 250 labels the model is right on 90 % (77-96 %) of the holdout." in page
    )
    assert "About 250 labels were saved: by chance it would have taken about 500 (400-900)" in page


def test_another_question_says_for_which_one_items_are_chosen(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    make_question(learnt, "colour", ["red", "blue"])
    Project.objects.update(schema_version=2)
    page = text_of(client_of(alice).get(f"{PAGE}?question=colour"))

    assert "On: items are chosen for another question, “answer”." in page
    assert "Right on the holdout" not in page


def test_what_the_model_finds_hard_and_what_not_to_believe(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    page = text_of(client_of(alice).get(PAGE))

    assert '<th scope="row">no</th><td class="numeric">0.82 (0.60-0.93)</td>' in page
    assert "yes - no" in page
    assert "Never seen so far:</strong> never." in page
    assert "the model seems right on 61 % (56-66 %): 29 points too low." in page


@pytest.mark.parametrize(
    ("cost", "low", "high", "said"),
    [
        (500.0, 400.0, 900.0, "About 250 labels were saved"),
        (500.0, 400.0, None, "(400 or more)"),
        (260.0, 200.0, 900.0, "Cannot tell yet: by chance it would have taken about 260 labels (200-900)"),
        (150.0, 100.0, 200.0, "Nothing was saved so far: by chance about 150 labels (100-200)"),
    ],
)
def test_what_was_saved_is_said_as_far_as_it_is_known(
    cost: float, low: float | None, high: float | None, said: str
) -> None:
    report = {"random": a_replay(cost, low, high)}

    assert said in plain(words.saved(report))


def test_a_cost_beyond_reach_is_not_made_up() -> None:
    replay = a_replay(0.0, None, None)
    replay["macro_f1"] = replay["macro_f1"] | {"reach": "beyond", "value": None}

    assert "much more than the 250 that were needed" in words.saved({"random": replay})


@pytest.mark.parametrize(
    ("kappas", "high", "said"),
    [
        ([], 0.05, "shows from the second model on"),
        ([0.9], 0.05, "Predictions still change: kappa with the model of 50 labels or more before is 0.90"),
        ([0.99], 0.05, "Predictions begin to rest"),
        ([0.99, 0.99, 0.99], 0.05, "Predictions have come to rest"),
        ([0.99, 0.99, 0.99], 0.004, "Hardly. Both signs say so:"),
    ],
)
def test_when_more_labels_stop_paying(kappas: list[float], high: float, said: str) -> None:
    gain = {"value": 0.002, "ci": [0.0, high]}
    n = len(kappas)
    found = {"stable": n == 3, "running": n, "wanted": 3, "kappas": kappas, "threshold": 0.98}

    assert said in " ".join(words.stop({"stop": {**found, "gain": {"macro_f1": gain}}}))


def test_alice_switches_it_on_and_off(actors: Actors, client_of: Browser) -> None:
    make_items(actors.project, "a", "b")
    browser = client_of(actors.alice)

    browser.post(f"{PAGE}settings", {"do": "on", "strategy": "margin", "size": "20", "seed": "3"})
    project = Project.objects.get(pk=actors.project.pk)
    assert (project.selection_on, project.selection_strategy, project.selection_size) == (True, "margin", 20)
    browser.post(f"{PAGE}settings", {"do": "off"})
    project.refresh_from_db()
    assert (project.selection_on, project.selection_strategy) == (False, "margin")


def test_what_cannot_be_is_said_at_the_field_and_nothing_changes(actors: Actors, client_of: Browser) -> None:
    page = client_of(actors.alice).post(
        f"{PAGE}settings", {"do": "on", "strategy": "margin", "size": "4", "seed": ""}
    )

    assert page.status_code == 422
    assert "Items in a batch: Ensure this value is greater than or equal to 5." in text_of(page)
    assert "Seed: This field is required." in text_of(page)
    assert not Project.objects.get(pk=actors.project.pk).selection_on


def test_strategies_worse_than_random_somewhere_are_for_experts(actors: Actors, client_of: Browser) -> None:
    page = text_of(client_of(actors.alice).get(PAGE))
    usual, experts = page.split("For experts: worse than random somewhere")

    assert set(words.STRATEGIES) == set(Strategy)
    for strategy, said in words.STRATEGIES.items():
        assert f'value="{strategy}"' in (experts if said.warning else usual)
        assert said.warning or all(gain + half > 0 for gain, half in said.gains or ())
    assert "Much worse than random with many classes" in experts


def test_the_figures_of_the_strategies_are_those_that_were_measured(settings: Any) -> None:
    table = (Path(settings.BASE_DIR) / "docs" / "selection.md").read_text().split("<!-- curves -->")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table.split("Mean difference")[0], re.MULTILINE))

    assert table.splitlines()[4] == f"| strategy | {' | '.join(words.MEASURED_ON)} |"
    for strategy in set(rows) - {"random", "random_after_cold_start"}:
        told = [
            (float(gain), float(half)) for gain, half in re.findall(r"([-+.\d]+) ± ([.\d]+)", rows[strategy])
        ]
        assert words.STRATEGIES[Strategy(strategy)].gains == tuple(told), strategy
        assert words.STRATEGIES[Strategy(strategy)].warning or "**" not in rows[strategy]
    assert "\N{MINUS SIGN}11.0 ± 0.8 on banking77" in plain(
        words.measured(words.STRATEGIES[Strategy.COMMITTEE])
    )


def test_a_round_that_is_being_made_shows_its_progress_and_can_be_cancelled(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    job = Job.objects.create(project=learnt, kind=JobKind.SELECT, state=JobState.RUNNING, progress=0.3)
    sign_of_life()
    browser = client_of(alice)

    part = text_of(browser.get(f"{PAGE}newer?since=5"))
    assert "The next items are being chosen" in part
    assert "30 %" in part
    assert 'hx-trigger="every 2s"' in part
    browser.post(f"{PAGE}cancel")
    job.refresh_from_db()
    assert job.cancel_requested


def test_no_worker_is_said_loudly(learnt: Project, dave: User, client_of: Browser) -> None:
    said = "No worker is running, so nothing new is chosen."

    assert said in text_of(client_of(dave).get(PAGE))
    sign_of_life()
    assert said not in text_of(client_of(dave).get(PAGE))


def test_a_failed_round_says_why_and_that_the_queue_is_as_it_was(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    fail_a_round(learnt, {"code": "model-dropped", "detail": "The model is gone."})
    sign_of_life()

    page = text_of(client_of(alice).get(PAGE))
    assert "The last round failed: The model is gone. (model-dropped) The queue is as it was" in page
    assert "On: 8 items chosen" in page


def fail_a_round(project: Project, error: dict[str, str]) -> None:
    job = Job.objects.create(project=project, kind=JobKind.SELECT, state=JobState.FAILED, error=error)
    make_round(project, {}, job=job, applied_at=None, report={})


def test_an_empty_project_is_told_to_import_items_first(actors: Actors, client_of: Browser) -> None:
    Project.objects.update(selection_on=True)
    fail_a_round(actors.project, {"code": "no-items", "detail": "There are no items."})
    sign_of_life()

    page = text_of(client_of(actors.alice).get(PAGE))
    assert "On, but there are no items to choose from." in page
    assert "import items first." in page
    assert '<a href="/projects/birds/imports/new">Import items</a>' in page
    assert "The last round failed" not in page
    assert "Choose again now" not in page
    make_items(actors.project, "a")
    assert "Now there are: choose again" in text_of(client_of(actors.alice).get(PAGE))


@pytest.mark.parametrize(
    ("fraction", "said"),
    [(0.12, "There are too few items for an audit slice"), (0, "This project has no audit slice")],
)
def test_without_an_audit_slice_nothing_is_called_spent(
    actors: Actors, client_of: Browser, fraction: float, said: str
) -> None:
    items = make_items(actors.project, "a", "b", "c")
    Project.objects.update(selection_on=True, audit_fraction=fraction)
    selection = make_round(actors.project, {Stream.SELECTED: items})
    selection.report |= {"stream_left": 0}
    selection.save()
    browser = client_of(actors.alice)

    page = text_of(browser.get(PAGE))
    assert f"{said}, so how good the model is cannot be estimated without bias." in page
    assert "The audit stream is spent" not in page
    Item.objects.filter(external_id="a").update(audit=AuditPart.STREAM)
    assert "The audit stream is spent" in text_of(browser.get(PAGE))


@pytest.mark.parametrize(("number", "said"), [(3, "This is as of round 3, 250 labels."), (5, None)])
def test_an_older_estimate_of_what_was_saved_names_its_round(
    learnt: Project, alice: User, client_of: Browser, number: int, said: str | None
) -> None:
    last = learnt.selections.latest("number")
    last.report["replay"]["round"] = number
    last.save()

    page = text_of(client_of(alice).get(PAGE))
    assert said in page if said else "This is as of round" not in page


def test_off_with_picks_in_the_queue_says_that_they_come_first(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    Project.objects.update(selection_on=False)

    page = text_of(client_of(alice).get(PAGE))
    assert "Selection is off, but 10 picks of round 5 are still handed out first." in page
    assert "items are handed out at random" not in page


def test_when_everything_is_labelled_nothing_more_is_promised(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    Item.objects.update(done=3, free=0)
    ProjectTotals.objects.filter(project=learnt).update(items=110, items_done=110)
    browser = client_of(alice)

    page = text_of(browser.get(PAGE))
    assert "Everything is labelled: nothing is left to choose. After 250 labels the model is right" in page
    assert "Export the labels, or import more items to go on." in page
    assert "others follow at random" not in page
    assert "the interval narrows" not in page
    assert "Choose again now" not in page
    ProjectTotals.objects.filter(project=learnt).update(items_done=109)
    assert "Choose again now" in text_of(browser.get(PAGE))


def test_macro_f1_says_over_how_many_classes_and_why_it_is_not_there(
    actors: Actors, learnt: Project, client_of: Browser
) -> None:
    browser = client_of(actors.alice)
    assert "40 items · over 2 of 2 classes" in text_of(browser.get(PAGE))
    held = Item.objects.filter(audit=AuditPart.HOLDOUT)
    held.exclude(external_id="h00").update(audit=AuditPart.NONE)

    page = text_of(browser.get(PAGE))
    assert "only 1 item of the holdout has a label" in page
    assert "no item of the holdout has a label</p>" not in page


def test_a_class_that_was_never_seen_leads_to_the_items(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    page = text_of(client_of(alice).get(PAGE))
    assert '<a href="/projects/birds/items">Look for such items in the list of items</a>' in page


def test_five_rounds_are_shown_the_older_ones_folded_and_the_settings_stand_before_them(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    make_round(learnt, {})
    make_round(learnt, {})

    before, books = text_of(client_of(alice).get(PAGE)).split("The books</h2>")
    assert "How it chooses</h2>" in before
    newest, older = books.split('<details class="older"><summary>2 older rounds</summary>')
    assert re.findall(r"Round (\d+)</a>", newest) == ["7", "6", "5", "4", "3"]
    assert re.findall(r"Round (\d+)</a>", older) == ["2", "1"]


def test_nobody_is_promised_a_round_while_no_worker_is_there(
    learnt: Project, alice: User, client_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.job.enqueue", lambda *_said: None)
    browser = client_of(alice)

    page = text_of(browser.post(f"{PAGE}now", follow=True))
    assert "A round is asked for: it waits for a worker." in page
    assert "The next items are being chosen" not in page
    assert "The round waits for one." in page
    assert "Start one with “make run” or “celery -A labelapp worker -B”" in page
    browser.post(f"{PAGE}cancel")
    assert Job.objects.get(kind=JobKind.SELECT).state == JobState.CANCELLED
    assert f'action="{PAGE}cancel"' in page
    sign_of_life()
    assert "The next items are being chosen." in text_of(browser.post(f"{PAGE}now", follow=True))


@pytest.mark.parametrize(
    ("spec", "n_vectors", "said"),
    [
        ({"texts": ["text"], "characters": True}, 0, "the words of “text”, and their runs of characters."),
        ({"texts": ["a", "b"], "numbers": ["n"]}, 0, "the words of “a”, “b”; the numbers of “n”."),
        ({"image": "file"}, 0, "small descriptors of the pictures of “file”."),
        ({"n_vector": 64}, 0, "the vectors that were brought, of 64 numbers each, and nothing else."),
        (
            {"texts": ["text"]},
            40,
            "Vectors were brought for 40 of 100 items only, and are not used: it takes 95 %",
        ),
        (
            {"texts": ["text"]},
            95,
            "Vectors were brought for 95 of 100 items: the next round reads them instead.",
        ),
    ],
)
def test_what_features_are_made_of_is_one_sentence(spec: dict[str, Any], n_vectors: int, said: str) -> None:
    assert said in plain(words.features(spec, n_vectors, 100))


def test_the_page_tells_the_features_and_the_vectors_that_are_not_used(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    features = make_features(learnt)
    features.spec |= {"texts": ["text"]}
    features.save()
    ProjectTotals.objects.filter(project=learnt).update(items=110)
    ItemVector.objects.create(item=Item.objects.get(external_id="p00"), content=b"")

    page = text_of(client_of(alice).get(PAGE))
    assert "Features: the words of “text”" in page
    assert "Vectors were brought for 1 of 110 items only" in page


def test_a_newer_round_is_told_to_who_looks_at_an_older_page(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    sign_of_life()
    browser = client_of(alice)

    assert "Round 5 is in the queue." in text_of(browser.get(f"{PAGE}newer?since=4"))
    assert "Round 5" not in text_of(browser.get(f"{PAGE}newer?since=5"))
    assert browser.get(f"{PAGE}newer?since=%00{'9' * 40}").status_code == 200


def test_every_pick_says_why(learnt: Project, alice: User, client_of: Browser) -> None:
    page = text_of(client_of(alice).get(f"{PAGE}rounds/5"))

    assert "Round 5 picked 10 items" in page
    assert "110 items" in page
    assert "The model hesitates between yes (0.48) and no (0.45). It stands for 12 alike." in page
    assert "By chance, from the audit stream" in page
    assert "0.250" in page
    assert "Score: 1 less the distance between the shares of the two likeliest classes" in page
    assert client_of(alice).get(f"{PAGE}rounds/9").status_code == 404


def test_every_score_has_its_line_and_unknown_chances_are_called_so(
    learnt: Project, alice: User, client_of: Browser
) -> None:
    """Badge draws one item after the other, and region at random where it has few labels."""
    assert set(words.SCORES) == {*Strategy, words.COLD_START}
    items = [Item.objects.get(external_id=f"p{n}") for n in (50, 51, 52, 53)]
    last = make_round(learnt, {Stream.SELECTED: items}, used="badge")
    notes = [{"why": "badge"}, {"why": "region", "by": "random"}, {"why": "region", "by": "margin"}, {}]
    for pick, reason in zip(last.picks.order_by("order"), notes, strict=True):
        pick.reason = reason
        pick.save()

    page = text_of(client_of(alice).get(f"{PAGE}rounds/{last.number}"))
    assert re.findall(r'data-label="Probability" class="numeric">(.*?)</td>', page) == [
        "not known",
        "not known",
        "1.000",
        "1.000",
    ]
    assert "Score: the squared length of the item" in page


def test_what_alice_has_in_hand_is_not_told_her(actors: Actors, learnt: Project, client_of: Browser) -> None:
    (lease,) = hand_out(actors.membership(actors.alice), 1).leases
    held = lease.item
    make_round(learnt, {Stream.SELECTED: [held]}, run=learnt.runs.latest("pk"))
    browser = client_of(actors.alice)

    assert "This item is in your hands: answer it first." in text_of(browser.get(f"{PAGE}rounds/6"))
    assert "hesitates" not in text_of(browser.get(f"{PAGE}rounds/6"))
    assert "hesitates" not in text_of(browser.get(f"/projects/birds/items/{held.pk}"))


def test_an_item_says_in_which_rounds_it_was_picked(learnt: Project, dave: User, client_of: Browser) -> None:
    item = Item.objects.get(external_id="p33")

    page = text_of(client_of(dave).get(f"/projects/birds/items/{item.pk}"))
    assert "Why it was picked" in page
    assert "The model hesitates between yes (0.48) and no (0.45)." in page
    assert "Round 5" in page


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("curve", ["model,labels,", '"model 1",50,', '"model 2",100,']),
        ("classes", ["class,n,", '"yes",30,', '"no",10,']),
        ("rounds", ["number,strategy,", '5,"hybrid",', '4,"hybrid",']),
    ],
)
def test_every_picture_has_its_table(
    learnt: Project, alice: User, client_of: Browser, name: str, lines: list[str]
) -> None:
    file = client_of(alice).get(f"{PAGE}{name}.csv")

    found = b"".join(file).decode("utf-8-sig").replace('"', "").splitlines()
    assert all(one.startswith(wanted.replace('"', "")) for one, wanted in zip(found, lines, strict=False))
    assert len(found) == (3 if name == "classes" else 6)


def test_the_page_costs_the_same_whatever_the_number_of_rounds(
    learnt: Project, alice: User, client_of: Browser, django_assert_max_num_queries: Any
) -> None:
    browser = client_of(alice)
    browser.get(PAGE)
    with django_assert_max_num_queries(30) as few:
        browser.get(PAGE)
    n = len(few)
    items = list(Item.objects.filter(audit=AuditPart.HOLDOUT))
    for number in range(6, 16):
        run = make_trained_run(
            learnt, dict.fromkeys(items, "yes"), n_labels=50 * number, name=f"model {number}"
        )
        make_round(learnt, {}, run=run)

    with django_assert_max_num_queries(n):
        browser.get(PAGE)


def test_the_home_page_leads_here(learnt: Project, alice: User, client_of: Browser) -> None:
    ProjectTotals.objects.filter(project=learnt).update(items=110)

    assert "chosen by margin within clusters" in text_of(client_of(alice).get("/projects/birds/"))
