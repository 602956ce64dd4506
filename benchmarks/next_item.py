"""What a hand-out plus a submit costs, by the size of the project, on PostgreSQL.

    DATABASE_URL=postgresql://… python -m benchmarks.next_item [--rounds 600] [--sizes 10000,100000,1000000]

Each round is what the label page does: one POST of an answer that carries the next item back, through the whole
API (token, access, service, database), in this process. The annotator is new, except in the last rows: there the
person has answered 100,000 items that are still open to others; and in the very last, half of the hand-outs are
repeats of these or gold, of which there is some on every hundredth item. Every project is as large as its row says and
stands in the same database. Reported: milliseconds (p50, p99), statements per submit, and the ratio to the first
row.
"""

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402 -- after setup
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from core.models import Batch, Membership, Project, User  # noqa: E402
from core.services.project import create_project  # noqa: E402
from core.services.token import create_token  # noqa: E402

TEXT = "A sentence of about two hundred characters, as items of text classification usually are, " * 2
ANSWERED = 100_000
CONTROL = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})


def make(size: int, lead: User, classes: Sequence[str] = ("one", "two", "three")) -> Project:
    """A project of this many open items, overlap 3."""
    slug = f"bench-{size}-{uuid.uuid4().hex[:6]}"
    document = {
        "slug": slug,
        "name": slug,
        "overlap": 3,
        "questions": [{"key": "q", "kind": "single", "title": "Which?", "classes": list(classes)}],
    }
    project = create_project(lead, document)
    batch = Batch.objects.create(project=project, number=1, name="bench", file_hash="0", n_items=size)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core_item (project_id, batch_id, row, external_id, version, data, meta, audit, state, lane,
                                      position, pool, target, done, leased, free, skips, flags)
               SELECT %s, %s, n, 'item-' || n, 1, jsonb_build_object('text', n || ' ' || %s::text), '{}', '', 'open', 2,
                      (n * 2654435761) %% 1099511627776, 0, 3, 0, 0, 3, 0, 0
               FROM generate_series(1, %s) AS n""",
            [project.pk, batch.pk, TEXT[:190], size],
        )
    return project


def worker(project: Project) -> tuple[Membership, str]:
    """A new annotator and a token."""
    user = User.objects.create(username=uuid.uuid4().hex[:12])
    member = Membership.objects.create(project=project, user=user, name=user.username)
    _token, secret = create_token(user, name="bench", scopes=["annotate"], days=1)
    return member, secret


@transaction.atomic
def answer_many(member: Membership, count: int) -> None:
    """This person has answered ``count`` items of the queue's front; all of them still want others."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core_annotation (item_id, item_version, annotator_id, pass_kind, repeat, revision, current,
                                            complete, voided, guideline_id, request_hash, comment)
               SELECT i.id, 1, %s, 'normal', 1, 1, true, true, false, %s, '', ''
               FROM core_item i WHERE i.project_id = %s ORDER BY i.position LIMIT %s""",
            [member.pk, member.project.guideline_id, member.project_id, count],
        )
        cursor.execute(
            """UPDATE core_item SET done = 1, free = 2
               WHERE id IN (SELECT item_id FROM core_annotation WHERE annotator_id = %s)""",
            [member.pk],
        )
        cursor.execute("UPDATE core_membership SET answered = %s WHERE id = %s", [count, member.pk])


@transaction.atomic
def mix_passes(member: Membership) -> None:
    """From now on half of the hand-outs are repeats and gold; half of this person's answers are old enough."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE core_annotation SET created_at = created_at - interval '30 days' WHERE annotator_id = %s
               AND id <= (SELECT (min(id) + max(id)) / 2 FROM core_annotation WHERE annotator_id = %s)""",
            [member.pk, member.pk],
        )
        cursor.execute(
            """INSERT INTO core_gold (item_id, question_id, label_class_id)
               SELECT i.id, q.id, (SELECT min(c.id) FROM core_labelclass c WHERE c.question_id = q.id)
               FROM core_item i JOIN core_question q ON q.project_id = i.project_id
               WHERE i.project_id = %s AND i.id %% 100 = 0""",
            [member.project_id],
        )
    Project.objects.filter(pk=member.project_id).update(retest_rate="0.25", gold_rate="0.25")


def analyse() -> None:
    """Let the planner know the tables as it would after the first minutes of use."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) core_item")
        cursor.execute("VACUUM (ANALYZE) core_annotation")
        cursor.execute("VACUUM (ANALYZE) core_lease")
        cursor.execute("VACUUM (ANALYZE) core_gold")


def post(client: Client, secret: str, path: str, body: dict[str, Any]) -> Any:
    """One API call; anything but success ends the run."""
    reply = client.post(
        path,
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Token {secret}", "Idempotency-Key": str(uuid.uuid4())},
    )
    if reply.status_code not in {200, 201}:
        sys.exit(f"{path}: {reply.status_code} {reply.content[:500]!r}")
    return reply.json()


def measure(project: Project, secret: str, rounds: int) -> dict[str, float]:
    """Milliseconds of ``rounds`` submits that each bring the next item, and statements of one."""
    client = Client(SERVER_NAME="localhost")
    start = time.perf_counter()
    lease = post(client, secret, f"/api/v1/projects/{project.slug}/leases", {"count": 1})["leases"][0]
    first = (time.perf_counter() - start) * 1000
    times = []
    for round_number in range(rounds + 30):
        path = f"/api/v1/leases/{lease['id']}/annotation"
        body = {"answers": {"q": "one"}, "elapsed_ms": 900, "count": 1}
        start = time.perf_counter()
        lease = post(client, secret, path, body)["next"][0]
        if round_number >= 30:
            times.append((time.perf_counter() - start) * 1000)
    with CaptureQueriesContext(connection) as captured:
        post(
            client, secret, f"/api/v1/leases/{lease['id']}/annotation", {"answers": {"q": "one"}, "count": 1}
        )
    statements = sum(query["sql"].split()[0] not in CONTROL for query in captured.captured_queries)
    cuts = statistics.quantiles(times, n=100)
    return {"first": first, "p50": statistics.median(times), "p99": cuts[98], "statements": statements}


def main() -> None:
    """Make the projects, measure them in turn, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        sys.exit("Set DATABASE_URL to a PostgreSQL database that may be filled.")
    lead = User.objects.create(username=f"bench-{uuid.uuid4().hex[:8]}", may_create_projects=True)
    projects = {int(size): make(int(size), lead) for size in options.sizes.split(",")}
    largest = projects[max(projects)]
    veteran, veteran_secret = worker(largest)
    answer_many(veteran, min(ANSWERED, max(projects) // 2))
    analyse()
    rows = [
        (f"{size:,} items, new annotator", measure(project, worker(project)[1], options.rounds))
        for size, project in projects.items()
    ]
    rows.append(
        (
            f"{max(projects):,} items, {veteran.answered or ANSWERED:,} answered",
            measure(largest, veteran_secret, options.rounds),
        )
    )
    mix_passes(veteran)
    analyse()
    rows.append(("the same, half of them blind passes", measure(largest, veteran_secret, options.rounds)))
    base = rows[0][1]
    print(f"{'':<36} {'first':>8} {'p50 ms':>8} {'p99 ms':>8} {'p50 x':>6} {'p99 x':>6} {'statements':>10}")
    for name, row in rows:
        print(
            f"{name:<36} {row['first']:8.1f} {row['p50']:8.2f} {row['p99']:8.2f} {row['p50'] / base['p50']:6.2f}"
            f" {row['p99'] / base['p99']:6.2f} {row['statements']:10.0f}"
        )


if __name__ == "__main__":
    main()
