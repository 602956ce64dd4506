"""Export of annotations and the agreement report on a private PostgreSQL, beside a bare COPY of the same rows.

    python -m benchmarks.export --annotations 1000000

Three people answer every item, from five classes. Prints one JSON document: seconds, first byte, and peak memory
after a tenth and after all of the file (flat: the two are close).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

import psycopg

from tests.servers import ROOT, Installation, Postgres

PER_ITEM = 3
PEOPLE = 50
DOCUMENT = {
    "slug": "pull",
    "name": "Pull",
    "overlap": PER_ITEM,
    "audit_fraction": 0,
    "questions": [
        {"key": "q", "kind": "single", "title": "Which?", "classes": [{"name": name} for name in "abcde"]}
    ],
}
_MAKE = """
import json
from core.models import Batch, Membership, User
from core.services.project import create_project
user = User.objects.create(username="puller", may_create_projects=True)
project = create_project(user, json.loads({document!r}))
Batch.objects.create(project=project, number=1, name="made", file_hash="0" * 64)
Membership.objects.bulk_create(Membership(project=project, name=f"w{{n:03}}") for n in range({people}))
"""
_FILL = (
    """INSERT INTO core_item (created_at, project_id, batch_id, row, external_id, version, data, meta, audit, state,
           pool, lane, position, target, done, leased, free, skips, flags)
       SELECT now(), b.project_id, b.id, i, 'item-' || lpad(i::text, 8, '0'), 1,
              jsonb_build_object('text', repeat('x', 200)), '{{}}', '', 'open', 0, 2, i, 3, 3, 0, 0, 0, 0
       FROM generate_series(1, {items}) i, core_batch b WHERE b.name = 'made'""",
    """INSERT INTO core_annotation (created_at, item_id, item_version, annotator_id, pass_kind, repeat, revision,
           current, complete, voided, guideline_id, request_hash, comment, elapsed_ms)
       SELECT now() + i.row * interval '1 ms', i.id, 1, w.first + (i.row * 7 + j * 13) % {people}, 'normal', 1, 1,
              true, true, false, g.id, '', '', 1000 + i.row % 5000
       FROM core_item i JOIN core_guidelineversion g ON g.project_id = i.project_id,
            generate_series(0, {last}) j, (SELECT min(id) AS first FROM core_membership WHERE name LIKE 'w%') w""",
    """INSERT INTO core_answer (annotation_id, question_id, label_class_id)
       SELECT n.id, c.question_id,
              c.first + (CASE WHEN random() < 0.7 THEN n.item_id % 5 ELSE floor(random() * 5) END)::int
       FROM core_annotation n, (SELECT question_id, min(id) AS first FROM core_labelclass GROUP BY 1) c""",
)
# The same columns by the database alone, without pseudonyms, in the order of the items.
_COPY = """COPY (
    SELECT i.external_id, m.name, q.key, c.name, c.uncertain, n.pass_kind, n.repeat, n.revision, n.item_version,
           g.number, n.suggestion, n.elapsed_ms, n.created_at, n.answered_at, b.number
    FROM core_item i JOIN core_batch b ON b.id = i.batch_id JOIN core_annotation n ON n.item_id = i.id
         JOIN core_membership m ON m.id = n.annotator_id JOIN core_guidelineversion g ON g.id = n.guideline_id
         JOIN core_answer a ON a.annotation_id = n.id JOIN core_question q ON q.id = a.question_id
         JOIN core_labelclass c ON c.id = a.label_class_id
    WHERE n.current AND NOT n.voided AND i.state <> 'withdrawn' ORDER BY i.external_id, n.id
) TO STDOUT (FORMAT csv)"""
_EXPORT = """
import json, resource, sys, time
import django
django.setup()
from core.models import Project
from core.pipelines.exporting import Wanted, export_annotations, export_labels
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
what, kind, expected = sys.argv[1], sys.argv[2], int(sys.argv[3])
export = export_annotations if what == "annotations" else export_labels
started, cpu = time.perf_counter(), time.process_time()
first, early, n_bytes = None, None, 0
for part in export(Project.objects.get(slug="pull"), Wanted(format=kind)):
    first = first or time.perf_counter() - started
    n_bytes += len(part)
    if early is None and n_bytes > expected // 10:
        early = peak()
print(json.dumps({"seconds": round(time.perf_counter() - started, 2), "cpu_seconds": round(time.process_time() - cpu, 2),
    "first_byte_seconds": round(first, 3), "megabytes": round(n_bytes / 1e6), "peak_mb_early": early, "peak_mb": peak()}))
"""
_REPORT = """
import json, resource, time
import django
django.setup()
from core.models import Project
from core.pipelines.agreement import agreement_report
project = Project.objects.get(slug="pull")
started = time.perf_counter()
text = json.dumps(agreement_report(project))
print(json.dumps({"seconds": round(time.perf_counter() - started, 2),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""


def fill(site: Installation, annotations: int) -> None:
    """A project with so many annotations, three on every item."""
    site.manage("shell", "--command", _MAKE.format(document=json.dumps(DOCUMENT), people=PEOPLE))
    words = {"items": -(-annotations // PER_ITEM), "people": PEOPLE, "last": PER_ITEM - 1}
    with psycopg.connect(site.variables["DATABASE_URL"]) as session:
        session.execute(
            "SET session_replication_role = replica"
        )  # the rows are right; no need to check each key
        for statement in _FILL:
            session.execute(statement.format(**words))
    with psycopg.connect(site.variables["DATABASE_URL"], autocommit=True) as session:
        session.execute("ANALYZE")


def bare_copy(url: str) -> tuple[float, int]:
    """Seconds and bytes of PostgreSQL's own export of the same rows."""
    started, n_bytes = time.perf_counter(), 0
    with psycopg.connect(url) as session, session.cursor().copy(_COPY) as copy:
        for part in copy:
            n_bytes += len(part)
    return round(time.perf_counter() - started, 2), n_bytes


def child(site: Installation, code: str, *words: str) -> dict[str, Any]:
    """What a process of its own says about itself."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env={**os.environ, **site.variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure_export(site: Installation, annotations: int) -> dict[str, Any]:
    """Fill a project and pull it in every way."""
    fill(site, annotations)
    copied, n_bytes = bare_copy(site.variables["DATABASE_URL"])
    figures: dict[str, Any] = {"annotations": annotations, "bare_copy_seconds": copied}
    for what, kind in (("annotations", "csv"), ("annotations", "jsonl"), ("labels", "csv")):
        figures[f"{what}_{kind}"] = child(site, _EXPORT, what, kind, str(n_bytes))
    figures["ratio_csv"] = round(figures["annotations_csv"]["seconds"] / copied, 2)
    figures["agreement_report"] = child(site, _REPORT)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", type=int, default=1_000_000)
    options = parser.parse_args()
    postgres = Postgres()
    postgres.start()
    try:
        with Installation(postgres) as site:
            figures = {"export": measure_export(site, options.annotations)}
    finally:
        postgres.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
