"""Kept reports: the same figures while nothing changes, newer ones without anybody waiting."""

from typing import Any

import pytest

from core.choices import JobKind, JobState
from core.models import Event, Job, Membership, Outbox, Project, Report
from core.pipelines.agreement import agreement_report
from core.pipelines.job import run_job
from core.pipelines.report import Kind, kept_at, kept_report, key_of
from core.services import report as services
from core.services.audit import record
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import add_member

ASKED = {"question_key": "answer", "items": "all"}


@pytest.fixture
def people(actors: Actors) -> list[Membership]:
    return [actors.membership(actors.bob), actors.membership(actors.carol)]


@pytest.fixture
def answered(people: list[Membership], project: Project) -> Project:
    """Two people have answered two items and agree on one."""
    for item, values in zip(make_items(project, "a", "b"), (("yes", "yes"), ("no", "yes")), strict=True):
        for member, value in zip(people, values, strict=True):
            make_answer(member, item, {"answer": value})
    return project


def answer_more(project: Project, people: list[Membership]) -> None:
    """One more item on which both agree, counted as a submit counts it."""
    (item,) = make_items(project, "c")
    for member in people:
        make_answer(member, item, {"answer": "no"})
    Outbox.objects.create(project=project, annotations=2, changes=2)


def percent(body: dict[str, Any]) -> Any:
    return body["coefficients"]["percent_agreement"]["value"]


def make_slow(project: Project) -> None:
    Report.objects.filter(project=project).update(seconds=60.0)


def test_what_is_kept_is_what_is_computed(answered: Project) -> None:
    first = kept_report(answered, Kind.AGREEMENT, ASKED)
    again = kept_report(answered, Kind.AGREEMENT, ASKED)

    assert {**first.body, "as_of": ""} == {**agreement_report(answered, "answer"), "as_of": ""}
    assert (again.body, again.as_of, again.stale) == (first.body, first.as_of, False)
    assert Report.objects.count() == 1


def test_a_quick_report_is_computed_anew_when_answers_came_in(
    answered: Project, people: list[Membership]
) -> None:
    first = kept_report(answered, Kind.AGREEMENT, ASKED)
    answer_more(answered, people)

    second = kept_report(answered, Kind.AGREEMENT, ASKED)

    assert (percent(first.body), percent(second.body)) == (0.5, pytest.approx(2 / 3))
    assert second.as_of > first.as_of
    assert not second.stale


def test_nobody_waits_for_a_slow_report(answered: Project, people: list[Membership]) -> None:
    first = kept_report(answered, Kind.AGREEMENT, ASKED)
    make_slow(answered)
    answer_more(answered, people)

    shown = [kept_report(answered, Kind.AGREEMENT, ASKED) for _time in range(3)]

    assert [(kept.body, kept.stale) for kept in shown] == [(first.body, True)] * 3
    job = Job.objects.get(kind=JobKind.REPORT)  # one, however often it was looked at
    run_job(job.pk)
    job.refresh_from_db()
    newer = kept_report(answered, Kind.AGREEMENT, ASKED)
    assert job.state == JobState.DONE
    assert (percent(newer.body), newer.stale) == (pytest.approx(2 / 3), False)
    assert kept_at(answered, Kind.AGREEMENT, ASKED) == newer.as_of


def test_whoever_wants_to_wait_can(answered: Project, people: list[Membership]) -> None:
    kept_report(answered, Kind.AGREEMENT, ASKED)
    make_slow(answered)
    answer_more(answered, people)

    kept = kept_report(answered, Kind.AGREEMENT, ASKED, fresh=True)

    assert (percent(kept.body), kept.stale) == (pytest.approx(2 / 3), False)
    assert not Job.objects.exists()


def test_a_job_for_a_report_that_was_dropped_ends_well(answered: Project, people: list[Membership]) -> None:
    kept_report(answered, Kind.AGREEMENT, ASKED)
    make_slow(answered)
    answer_more(answered, people)
    kept_report(answered, Kind.AGREEMENT, ASKED)
    Report.objects.all().delete()

    run_job(Job.objects.get().pk)

    assert Job.objects.get().state == JobState.DONE
    assert not Report.objects.exists()


@pytest.mark.parametrize("change", ["audit", "schema", "settings", "correction"])
def test_every_change_of_the_project_makes_a_report_old(
    answered: Project, actors: Actors, change: str
) -> None:
    kept_report(answered, Kind.AGREEMENT, ASKED)
    make_slow(answered)
    if change == "audit":
        record(actors.alice, answered, "item.withdrawn", "a")
    elif change == "correction":
        Outbox.objects.create(project=answered, changes=1)
    elif change == "schema":
        Project.objects.filter(pk=answered.pk).update(schema_version=answered.schema_version + 1)
    else:
        Project.objects.filter(pk=answered.pk).update(version=answered.version + 1)

    assert kept_report(answered, Kind.AGREEMENT, ASKED).stale


def test_what_happens_elsewhere_leaves_a_report_new(answered: Project, actors: Actors) -> None:
    kept_report(answered, Kind.AGREEMENT, ASKED)
    make_slow(answered)
    other = Project.objects.get(slug="flowers")
    Event.objects.create(project=other, actor=actors.eve, verb="item.withdrawn")
    Outbox.objects.create(project=other, annotations=5, changes=5)

    assert not kept_report(answered, Kind.AGREEMENT, ASKED).stale


def test_names_and_pseudonyms_are_kept_apart() -> None:
    assert key_of({**ASKED, "real_names": True}) != key_of(ASKED)
    assert key_of({**ASKED, "real_names": False, "slice": None}) == key_of(ASKED)


def test_the_reports_that_nobody_looks_at_are_dropped(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_KEPT", 3)

    for repeat in range(1, 6):
        kept_report(answered, Kind.AGREEMENT, {**ASKED, "repeat": repeat})

    assert [report.asked["repeat"] for report in Report.objects.order_by("pk")] == [3, 4, 5]


def test_a_slow_computation_does_not_undo_a_later_one(answered: Project) -> None:
    kept_report(answered, Kind.AGREEMENT, ASKED)
    newer = Report.objects.get()

    services.keep_report(
        answered,
        newer.kind,
        newer.key,
        asked=ASKED,
        body={"old": True},
        marker="",
        as_of=newer.as_of.replace(year=2001),
        seconds=1.0,
    )

    assert Report.objects.get().body == newer.body


def test_every_pair_of_people_is_kept_as_a_line(answered: Project, people: list[Membership]) -> None:
    third = add_member(answered, None, name="w001")
    make_answer(third, answered.items.get(external_id="a"), {"answer": "yes"})

    body = kept_report(answered, Kind.PAIRS, {**ASKED, "real_names": True}).body

    whole = agreement_report(answered, "answer", real_names=True)
    assert [line[:4] for line in body["pairs"]] == [
        [row["a"], row["b"], row["n_items"], row["percent"]["value"]] for row in whole["pairs"]
    ]
    assert sorted(line[2] for line in body["pairs"]) == [1, 1, 2]


def test_the_audit_slice_stands_beside_the_rest(people: list[Membership], project: Project) -> None:
    for audit, values in (("stream", "yyyn"), ("", "ynyn")):
        for place, item in enumerate(make_items(project, *(f"{audit}{n}" for n in range(4)), audit=audit)):
            first = "yes" if place % 2 else "no"
            second = {"y": first, "n": "no" if first == "yes" else "yes"}[values[place]]
            for member, value in zip(people, (first, second), strict=True):
                make_answer(member, item, {"answer": value})

    body = kept_report(project, Kind.SPLIT, ASKED).body

    shares = [percent(body[part]) for part in ("audit", "selected")]
    assert shares == [0.75, 0.5]
    alphas = [body[part]["coefficients"]["krippendorff_alpha"]["value"] for part in ("audit", "selected")]
    assert body["change"]["difference"]["value"] == pytest.approx(alphas[0] - alphas[1])


def test_groups_are_the_same_as_in_the_report(answered: Project) -> None:
    body = kept_report(answered, Kind.PART, {**ASKED, "by": "batch"}).body

    whole = agreement_report(answered, "answer", by="batch")
    assert [group["coefficients"] for group in body["groups"]] == [
        group["coefficients"] for group in whole["groups"]
    ]
    assert body["coefficients"] == whole["coefficients"]
