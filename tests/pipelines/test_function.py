"""Labeling functions over a project: votes of every kind, a report that says what it rests on, a run of labels."""

from typing import Any

import pytest

from core.choices import AuditPart, FunctionKind, JobState, RunKind
from core.exceptions import Invalid
from core.models import Annotation, Item, Job, LabelingFunction, Membership, Prediction, Project, Run
from core.pipelines import function as pipeline
from core.pipelines.exporting import Wanted, export_labels
from core.pipelines.function import Voters, apply_functions, preview, reference_of, save_function
from core.pipelines.function_report import function_report
from core.pipelines.job import run_job
from core.selectors import function as selector
from core.selectors.function import every_row, functions_of
from core.selectors.question import schema_of
from core.services.function import begin_weak_run
from core.services.job import JobCancelled, claim_job, request_cancel
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.run import make_run

SAYS_YES = {"name": "sings", "kind": "keywords", "class": "yes", "arguments": {"words": ["sings", "song"]}}
SAYS_NO = {"name": "digits", "kind": "pattern", "class": "no", "arguments": {"pattern": r"\d\d"}}
TEXTS = {"a": "It sings 20 times", "b": "It sings", "c": "In 1999 it slept", "d": "Nothing", "e": "A song"}


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


@pytest.fixture
def items(actors: Actors) -> dict[str, Item]:
    """Five items with a text each and a language in their metadata."""
    made = make_items(actors.project, *TEXTS)
    for item in made:
        item.data = {"text": TEXTS[item.external_id]}
        item.meta = {"lang": "en" if item.external_id < "c" else "de", "n": len(TEXTS[item.external_id])}
        item.save()
    return {item.external_id: item for item in made}


def voted(project: Project) -> dict[str, dict[str, str]]:
    """Function name to item to class, by the functions that are there."""
    question = schema_of(project).questions[0]
    voters = Voters.of(question, functions_of(project.pk))
    chunks = list(every_row(project.pk))
    votes = voters.votes(chunks)
    names = [row[1] for rows in chunks for row in rows]
    found: dict[str, dict[str, str]] = {one.name: {} for one in voters.functions}
    for item, function, label in zip(votes.item, votes.function, votes.label, strict=True):
        found[voters.functions[function].name][names[item]] = voters.class_names[label]
    return found


def apply(member: Membership, rule: str = "default") -> Run:
    job = apply_functions(member, None, rule)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    assert job.result is not None
    return Run.objects.get(pk=job.result["run"])


def test_every_kind_of_function_votes(alice: Membership, items: dict[str, Item]) -> None:
    run = make_run(alice.project, {"a": "yes", "b": "no", "e": "cannot tell"})
    question = alice.project.questions.get()
    yes, no = question.classes.get(name="yes").pk, question.classes.get(name="no").pk
    Prediction.objects.filter(run=run, item=items["a"]).update(probabilities={str(yes): 0.9, str(no): 0.1})
    Prediction.objects.filter(run=run, item=items["b"]).update(probabilities={str(yes): 0.4, str(no): 0.6})
    english = {"key": "lang", "operator": "=", "value": "en"}
    for body in (
        SAYS_YES,
        SAYS_NO,
        {"name": "english", "kind": "meta", "class": "yes", "arguments": english},
        {"name": "model", "kind": "run", "arguments": {"run": run.pk}},
        {"name": "sure", "kind": "run", "arguments": {"run": run.pk, "above": 0.8}},
        {"name": "no only", "kind": "run", "class": "no", "arguments": {"run": run.pk}},
        {**SAYS_NO, "name": "off", "active": False},
    ):
        save_function(alice, body)
    assert voted(alice.project) == {
        "sings": {"a": "yes", "b": "yes", "e": "yes"},
        "digits": {"a": "no", "c": "no"},
        "english": {"a": "yes", "b": "yes"},
        "model": {"a": "yes", "b": "no"},
        "sure": {"a": "yes"},
        "no only": {"b": "no"},
    }


def test_withdrawn_items_are_not_voted_on_and_chunks_change_nothing(
    alice: Membership, items: dict[str, Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_function(alice, SAYS_YES)
    whole = voted(alice.project)
    monkeypatch.setattr(selector, "CHUNK", 2)
    assert voted(alice.project) == whole
    Item.objects.filter(external_id="b").update(state="withdrawn", free=0)
    assert voted(alice.project) == {"sings": {"a": "yes", "e": "yes"}}


@pytest.mark.parametrize(
    ("wrong", "pointer", "code"),
    [
        ({"name": " "}, "/name", "bad-name"),
        ({"name": "x" * 121}, "/name", "bad-name"),
        ({"kind": "magic"}, "/kind", "bad-kind"),
        ({"colour": "red"}, "/colour", "unknown-field"),
        ({"active": 1}, "/active", "bad-flag"),
        ({"class": "maybe"}, "/class", "bad-class"),
        ({"class": None}, "/class", "bad-class"),
        ({"class": ["yes"]}, "/class", "bad-class"),
        ({"class": "cannot tell"}, "/class", "bad-class"),
        ({"question": "other"}, "/question", "unknown-question"),
        ({"arguments": []}, "/arguments", "not-an-object"),
        ({"arguments": {"words": []}}, "/arguments/words", "bad-words"),
        ({"arguments": {"words": ["  "]}}, "/arguments/words", "bad-words"),
        ({"arguments": {"words": "sings"}}, "/arguments/words", "bad-words"),
        ({"arguments": {"words": ["a"], "every": "no"}}, "/arguments/every", "bad-flag"),
        ({"arguments": {"words": ["a"], "field": 3}}, "/arguments/field", "bad-field"),
        ({"arguments": {"words": ["a"], "pattern": "a"}}, "/arguments/pattern", "unknown-field"),
        ({"kind": "pattern", "arguments": {"pattern": "(?=a)"}}, "/arguments/pattern", "bad-pattern"),
        ({"kind": "pattern", "arguments": {"pattern": ""}}, "/arguments/pattern", "bad-pattern"),
        ({"kind": "meta", "arguments": {"key": "a", "operator": []}}, "/arguments/operator", "bad-operator"),
        ({"kind": "meta", "arguments": {"key": "", "operator": "missing"}}, "/arguments/key", "bad-key"),
        ({"kind": "meta", "arguments": {"key": "a", "operator": "=", "value": None}}, "/arguments/value", "bad-value"),
        ({"kind": "meta", "arguments": {"key": "a", "operator": "<", "value": True}}, "/arguments/value", "bad-value"),
        ({"kind": "run", "arguments": {"run": 999_999}}, "/arguments/run", "unknown-run"),
        ({"kind": "run", "arguments": {"run": True, "above": 2}}, "/arguments/above", "bad-probability"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(
    alice: Membership, wrong: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(Invalid) as told:
        save_function(alice, {**SAYS_YES, **wrong})
    assert (pointer, code) in {(row["pointer"], row["code"]) for row in told.value.errors}
    assert not LabelingFunction.objects.exists()


def test_labels_of_functions_do_not_vote_again(alice: Membership, items: dict[str, Item]) -> None:
    save_function(alice, SAYS_YES)
    run = apply(alice)
    with pytest.raises(Invalid, match="that functions have not made"):
        save_function(alice, {"name": "echo", "kind": "run", "arguments": {"run": run.pk}})


def test_a_preview_marks_what_matches_and_keeps_nothing(alice: Membership, items: dict[str, Item]) -> None:
    shown = preview(alice.project, {key: value for key, value in SAYS_YES.items() if key != "name"})
    assert (shown["n_items"], shown["n_matched"], shown["cut"]) == (5, 3, False)
    assert shown["examples"][0] == {
        "item": "a",
        "class": "yes",
        "parts": [
            {"text": "It ", "marked": False},
            {"text": "sings", "marked": True},
            {"text": " 20 times", "marked": False},
        ],
    }
    longer = {"kind": "meta", "class": "no", "arguments": {"key": "n", "operator": ">", "value": 10}}
    assert preview(alice.project, longer)["examples"][0]["parts"][0] == {"text": "n: 17", "marked": True}
    assert not LabelingFunction.objects.exists()


def test_a_preview_begins_near_the_match_and_ends_when_its_time_is_up(
    alice: Membership, items: dict[str, Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    Item.objects.filter(external_id="a").update(data={"text": "x" * 1000 + " sings " + "y" * 1000})
    parts = preview(alice.project, SAYS_YES)["examples"][0]["parts"]
    assert [part["text"] for part in parts if part["marked"]] == ["sings"]
    assert (parts[0]["text"], parts[-1]["text"]) == ("…", "…")
    assert sum(len(part["text"]) for part in parts) < 300
    monkeypatch.setattr(pipeline, "PREVIEW_SECONDS", -1)
    shown = preview(alice.project, SAYS_YES)
    assert (shown["n_items"], shown["cut"]) == (0, True)


def test_the_report_counts_conflicts_and_names_the_items_behind(
    alice: Membership, items: dict[str, Item]
) -> None:
    yes, no = save_function(alice, SAYS_YES), save_function(alice, SAYS_NO)
    told = function_report(alice.project)
    assert (told["n_items"], told["n_looked"]) == (5, 5)
    assert [told[name]["value"] for name in ("coverage", "overlap", "conflict")] == [0.8, 0.2, 0.2]
    assert [(row["name"], row["n"], row["classes"]) for row in told["functions"]] == [
        ("sings", 3, ["yes"]),
        ("digits", 2, ["no"]),
    ]
    (pair,) = told["pairs"]
    assert (pair["a"], pair["b"], pair["n_both"], pair["n_differ"], pair["items"]) == (
        yes.pk,
        no.pk,
        1,
        1,
        ["a"],
    )
    assert told["reference"] == {"from": None, "n_items": 0}
    assert told["label_model"]["why"] == "no_reference"
    assert [row["code"] for row in told["advice"]] == ["conflict", "no_reference"]


def test_accuracy_is_judged_by_gold_or_else_by_people_and_says_so(
    actors: Actors, alice: Membership, items: dict[str, Item]
) -> None:
    save_function(alice, SAYS_YES)
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    make_answer(bob, items["a"], {"answer": "no"})
    make_answer(bob, items["b"], {"answer": "yes"})
    make_answer(carol, items["b"], {"answer": "no"})  # a tie says nothing
    make_answer(bob, items["e"], {"answer": "cannot tell"})
    told = function_report(actors.project)
    assert told["reference"] == {"from": "labels", "n_items": 1}
    assert told["functions"][0]["accuracy"]["value"] == 0.0
    for name in "be":
        make_gold(items[name], "answer", "yes")
    told = function_report(actors.project)
    assert told["reference"] == {"from": "gold", "n_items": 2}
    assert (told["functions"][0]["accuracy"]["value"], told["functions"][0]["accuracy"]["n_items"]) == (
        1.0,
        2,
    )


def test_enough_of_the_audit_slice_goes_before_more_labels_of_other_items(actors: Actors) -> None:
    audit = make_items(actors.project, *(f"u{n:02}" for n in range(20)), audit=AuditPart.STREAM)
    others = make_items(actors.project, *(f"o{n:02}" for n in range(30)))
    bob = actors.membership(actors.bob)
    for item in [*audit, *others]:
        make_answer(bob, item, {"answer": "yes"})
    voters = Voters.of(schema_of(actors.project).questions[0], [])
    found = reference_of(actors.project, voters)
    assert (found.source, found.item.tolist()) == ("audit", [item.pk for item in audit])
    Item.objects.filter(pk=audit[0].pk).update(audit=AuditPart.NONE)
    found = reference_of(actors.project, voters)
    assert (found.source, found.item.size) == ("labels", 50)


def test_the_classes_are_weighed_by_the_stream_and_never_by_the_holdout(actors: Actors) -> None:
    stream = make_items(actors.project, *(f"s{n:02}" for n in range(30)), audit=AuditPart.STREAM)
    holdout = make_items(actors.project, *(f"h{n:02}" for n in range(30)), audit=AuditPart.HOLDOUT)
    bob = actors.membership(actors.bob)
    for item in stream[:29]:
        make_answer(bob, item, {"answer": "yes"})
    for item in holdout:
        make_answer(bob, item, {"answer": "no"})
    save_function(actors.membership(actors.alice), SAYS_YES)
    assert function_report(actors.project)["label_model"]["balance"]["from"] == "votes"
    make_answer(bob, stream[29], {"answer": "yes"})
    known = function_report(actors.project)["label_model"]["balance"]
    assert (known["from"], known["n"]) == ("audit_stream", 30)
    assert known["shares"][0] == {"class": "yes", "share": pytest.approx(30.5 / 31)}


def test_a_function_that_is_mostly_wrong_is_what_to_fix_first(
    alice: Membership, items: dict[str, Item]
) -> None:
    more = make_items(alice.project, *(f"m{n}" for n in range(8)))
    for item in more:
        Item.objects.filter(pk=item.pk).update(data={"text": "song 77"})
        make_gold(item, "answer", "no")
    wrong = save_function(alice, SAYS_YES)
    silent = save_function(alice, {**SAYS_NO, "arguments": {"pattern": "never"}})
    advice = function_report(alice.project)["advice"]
    assert [(row["code"], row["functions"]) for row in advice] == [
        ("wrong_mostly", [wrong.pk]),
        ("never_votes", [silent.pk]),
    ]


def test_a_large_project_is_looked_at_in_a_sample_that_stays_the_same(
    alice: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items(alice.project, *(f"i{n:03}" for n in range(400)))
    save_function(alice, {**SAYS_YES, "arguments": {"words": ["text"]}})
    monkeypatch.setattr("core.pipelines.function_report.SAMPLE", 100)
    first, second = function_report(alice.project), function_report(alice.project)
    assert first["n_items"] == 400
    assert 70 <= first["n_looked"] <= 130
    assert first["n_looked"] == second["n_looked"] == first["functions"][0]["n"]


def test_a_run_has_a_prediction_for_every_covered_item_and_nobodys_label_changes(
    alice: Membership, items: dict[str, Item]
) -> None:
    functions = [save_function(alice, SAYS_YES), save_function(alice, SAYS_NO)]
    run = apply(alice)
    said = Prediction.objects.filter(run=run).select_related("item", "label_class")
    assert {one.item.external_id: str(one.label_class) for one in said} | {"a": "?"} == {
        "a": "?",
        "b": "yes",
        "c": "no",
        "e": "yes",
    }
    for one in said:
        assert one.probabilities is not None
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=0.01)
        assert max(one.probabilities, key=one.probabilities.get) == str(one.label_class_id)
    assert (run.kind, run.name, run.created_by) == (RunKind.WEAK, "Labeling functions 1", alice.user)
    assert run.parameters["functions"] == [
        {"id": one.pk, "name": one.name, "version": 1} for one in functions
    ]
    assert run.metrics is not None
    assert (run.metrics["n_covered"], run.metrics["n_predictions"], run.metrics["cut"]) == (4, 4, 0)
    assert not Annotation.objects.exists()
    exported = b"".join(export_labels(alice.project, Wanted())).decode()
    assert exported == ""


def test_by_majority_the_shares_of_the_votes_are_kept(alice: Membership, items: dict[str, Item]) -> None:
    save_function(alice, SAYS_YES)
    save_function(alice, SAYS_NO)
    run = apply(alice, "majority")
    torn = Prediction.objects.get(run=run, item=items["a"])
    assert torn.probabilities is not None
    assert set(torn.probabilities.values()) == {0.5}
    assert run.parameters["rule"] == "majority"


def test_the_same_functions_make_the_same_labels_again(alice: Membership, items: dict[str, Item]) -> None:
    save_function(alice, SAYS_YES)
    save_function(alice, SAYS_NO)
    runs = [apply(alice), apply(alice)]
    first, second = (
        list(
            Prediction.objects.filter(run=run)
            .order_by("item")
            .values_list("item", "label_class", "probabilities")
        )
        for run in runs
    )
    assert first == second
    assert [run.name for run in runs] == ["Labeling functions 1", "Labeling functions 2"]


def test_a_large_project_gets_evenly_spread_predictions_and_says_how_many_were_left_out(
    alice: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_items(alice.project, *(f"i{n:02}" for n in range(21)))
    save_function(alice, {**SAYS_YES, "arguments": {"words": ["text"]}})
    monkeypatch.setattr(pipeline, "MOST_PREDICTED", 5)
    monkeypatch.setattr(pipeline, "AT_ONCE", 2)
    run = apply(alice)
    assert run.metrics is not None
    assert (run.metrics["n_covered"], run.metrics["n_predictions"], run.metrics["cut"]) == (21, 5, 16)
    chosen = Prediction.objects.filter(run=run).order_by("item").values_list("item", flat=True)
    assert list(chosen) == [made[place].pk for place in (0, 5, 10, 15, 20)]


def test_a_second_try_after_a_dead_worker_leaves_one_whole_run(
    alice: Membership, items: dict[str, Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_function(alice, SAYS_YES)
    job = apply_functions(alice, None, "default")
    monkeypatch.setattr(pipeline, "AT_ONCE", 1)
    claimed = claim_job(job.pk)
    assert claimed is not None
    with monkeypatch.context() as dying:
        dying.setattr(pipeline, "end_weak_run", lambda *_args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pipeline.run_weak(claimed)
    assert Run.objects.get().metrics is None
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    run_job(job.pk)
    run = Run.objects.get()
    assert run.metrics is not None
    assert Prediction.objects.filter(run=run).count() == 3


def test_a_cancelled_job_leaves_no_run(
    alice: Membership, items: dict[str, Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_function(alice, SAYS_YES)
    job = apply_functions(alice, None, "default")
    claimed = claim_job(job.pk)
    assert claimed is not None

    def cancelled_meanwhile(*given: Any) -> Run:
        run = begin_weak_run(*given)
        request_cancel(job.pk)
        return run

    monkeypatch.setattr(pipeline, "begin_weak_run", cancelled_meanwhile)
    with pytest.raises(JobCancelled):
        pipeline.run_weak(claimed)
    assert not Run.objects.exists()


def test_functions_need_a_question_with_one_class_as_its_answer(actors: Actors, alice: Membership) -> None:
    actors.project.questions.update(kind="text")
    with pytest.raises(Invalid, match="No question here has one class"):
        save_function(alice, SAYS_YES)


def test_every_kind_has_arguments() -> None:
    assert set(pipeline.ARGUMENTS) == set(FunctionKind)
