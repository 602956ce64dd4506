"""Who did how much on which day. One statement, whatever the number of answers."""

# ruff: noqa: S608 -- what is put into the statement here are names of our own, never input

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from core.choices import LeaseState, Pass
from core.models import Project


class WorkDay(NamedTuple):
    """One person's work of one day (UTC).

    ``answers`` counts what they submitted, corrections aside, voided ones included; ``voided`` those of them that were
    taken out of the counts since. ``median_seconds`` is the time spent on an answer, where it was measured.
    ``uncertain`` is the share of the answers that hold a class saying that they cannot tell.
    """

    member: int
    name: str
    day: date
    answers: int
    voided: int
    skips: int
    median_seconds: float | None
    uncertain: float | None


def _day(column: str) -> str:
    return f"({column} AT TIME ZONE 'UTC')::date" if connection.vendor == "postgresql" else f"date({column})"


def _statement() -> str:
    nowhere = f"('{Pass.TRAINING.value}', '{Pass.TRIAL.value}')"
    return f"""
    WITH said AS (
        SELECT a.annotator_id AS member, {_day("coalesce(a.answered_at, a.created_at)")} AS day, a.elapsed_ms,
            CASE WHEN a.voided THEN 1 ELSE 0 END AS voided,
            CASE WHEN EXISTS (
                SELECT 1 FROM core_answer x LEFT JOIN core_answerchoice t ON t.answer_id = x.id
                JOIN core_labelclass c ON c.id = coalesce(x.label_class_id, t.label_class_id)
                WHERE x.annotation_id = a.id AND c.uncertain) THEN 1 ELSE 0 END AS uncertain
        FROM core_annotation a JOIN core_membership m ON m.id = a.annotator_id
        WHERE m.project_id = %(project)s AND (%(member)s = 0 OR m.id = %(member)s) AND a.pass_kind NOT IN {nowhere}
            AND {_within("coalesce(a.answered_at, a.created_at)")}
            AND (a.revision = 1 OR EXISTS (
                SELECT 1 FROM core_annotation b WHERE b.item_id = a.item_id AND b.annotator_id = a.annotator_id
                    AND b.item_version = a.item_version AND b.repeat = a.repeat AND b.revision = a.revision - 1
                    AND (b.lease_id IS NULL OR b.lease_id <> a.lease_id)))
    ), ranked AS (
        SELECT member, day, elapsed_ms, count(*) OVER (PARTITION BY member, day) AS n,
            row_number() OVER (PARTITION BY member, day ORDER BY elapsed_ms) AS place
        FROM said WHERE elapsed_ms IS NOT NULL
    ), parts AS (
        SELECT member, day, count(*) AS answers, sum(voided) AS voided, sum(uncertain) AS uncertain, 0 AS skips,
            CAST(NULL AS double precision) AS seconds
        FROM said GROUP BY member, day
      UNION ALL
        SELECT member, day, 0, 0, 0, 0, avg(elapsed_ms) / 1000.0 FROM ranked
        WHERE place = (n + 1) / 2 OR place = (n + 2) / 2 GROUP BY member, day
      UNION ALL
        SELECT l.annotator_id, {_day("l.closed_at")}, 0, 0, 0, count(*), NULL
        FROM core_lease l JOIN core_membership m ON m.id = l.annotator_id
        WHERE m.project_id = %(project)s AND (%(member)s = 0 OR m.id = %(member)s)
            AND l.state = '{LeaseState.SKIPPED.value}' AND l.pass_kind NOT IN {nowhere}
            AND {_within("l.closed_at")}
        GROUP BY l.annotator_id, {_day("l.closed_at")}
    )
    SELECT p.member, m.name, p.day, sum(p.answers), sum(p.voided), sum(p.skips), max(p.seconds), sum(p.uncertain)
    FROM parts p JOIN core_membership m ON m.id = p.member
    GROUP BY p.member, m.name, p.day ORDER BY p.day DESC, m.name, p.member
    """


def _within(column: str) -> str:
    """SQL: a moment is of one of the days that are asked for."""
    kind = "CAST(%({})s AS date)" if connection.vendor == "postgresql" else "%({})s"
    return f"{_day(column)} BETWEEN {kind.format('since')} AND {kind.format('until')}"


def work_of(
    project: Project, *, member: int | None = None, since: date = date.min, until: date = date.max
) -> Iterator[WorkDay]:
    """The days from ``since`` to ``until`` on which people of a project worked, the newest first, then by name.

    Of ``member`` (a membership's id) alone, if given. Training and trial are no work; a day is that of the answer, as
    an imported file says it, else as the server's clock does.
    """
    values: dict[str, int | str] = {
        "project": project.pk,
        "member": member or 0,
        "since": str(since),
        "until": str(until),
    }
    with connection.cursor() as cursor:
        cursor.execute(_statement(), values)
        rows = cursor.fetchall()
    return map(_work_day, rows)


def _work_day(row: Any) -> WorkDay:
    member, name, day, answers, voided, skips, seconds, uncertain = row
    return WorkDay(
        member,
        name,
        date.fromisoformat(day) if isinstance(day, str) else day,
        int(answers),
        int(voided),
        int(skips),
        None if seconds is None else round(float(seconds), 3),
        int(uncertain) / int(answers) if answers else None,
    )
