"""Import and export on a private PostgreSQL: time and peak memory, beside a bare COPY of the same rows.

    python -m benchmarks.import_export --rows 1000000

Imports so many items of 200 characters and as many annotations, exports the annotations, and does all of
it once more with a tenth of the rows, so that memory can be compared. Prints one JSON document.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.servers import ROOT, Installation, Postgres

CHARACTERS = 200
PEOPLE = 3
CLASSES = ("yes", "no", "maybe")
QUESTION = {"key": "q", "kind": "single", "title": "Which?", "classes": [{"name": name} for name in CLASSES]}
CHILD = """
import json, os, resource, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"peak_mb": round(used.ru_maxrss / 1024), "cpu_seconds": round(used.ru_utime + used.ru_stime, 2)}))
"""
ANSWERS = """
    SELECT i.external_id, m.id, q.key, c.name, a.pass_kind, a.repeat, a.revision, a.created_at, a.answered_at
    FROM core_answer x JOIN core_annotation a ON a.id = x.annotation_id JOIN core_item i ON i.id = a.item_id
    JOIN core_membership m ON m.id = a.annotator_id JOIN core_question q ON q.id = x.question_id
    JOIN core_labelclass c ON c.id = x.label_class_id JOIN core_project p ON p.id = i.project_id
    WHERE p.slug = '{slug}' ORDER BY i.id, a.id
"""


def texts(rows: int) -> Iterator[str]:
    """Texts of 200 characters, the same in every run."""
    draw = random.Random(7)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 11))) for _ in range(5000)]
    for _ in range(rows):
        yield " ".join(draw.choices(words, k=40))[:CHARACTERS].ljust(CHARACTERS, "x")


def write_items(path: Path, rows: int) -> None:
    """A JSONL file of items."""
    with path.open("w") as file:
        for number, text in enumerate(texts(rows)):
            file.write(
                f'{{"id": "item-{number}", "data": {{"text": "{text}"}}, "meta": {{"source": "bench"}}}}\n'
            )


def write_annotations(path: Path, rows: int) -> None:
    """A CSV file of annotations, three people per item."""
    draw = random.Random(11)
    with path.open("w") as file:
        file.write("item_id,annotator,question,label,created_at\n")
        for number in range(rows):
            label = CLASSES[draw.randrange(len(CLASSES))]
            who = f"w{number % PEOPLE + PEOPLE * (number % 300)}"
            file.write(f"item-{number // PEOPLE},{who},q,{label},2026-01-01T00:00:00Z\n")


def measured(site: Installation, *words: str) -> dict[str, Any]:
    """Run a command there; its seconds, and the peak memory and CPU seconds of its process."""
    started = time.perf_counter()
    command = [sys.executable, "-c", CHILD, *words]
    done = subprocess.run(command, cwd=ROOT, env=site.variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words} ended with {done.returncode}: {done.stdout} {done.stderr}")
    *_, last = done.stdout.strip().splitlines()
    return {"seconds": round(time.perf_counter() - started, 2), **json.loads(last)}


def copy_in(url: str, path: Path) -> float:
    """Seconds that a bare COPY of the same items into a table of its own takes, reading the file included."""
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE bare (id text PRIMARY KEY, data jsonb, meta jsonb)")
        started = time.perf_counter()
        with path.open() as file, session.cursor().copy("COPY bare (id, data, meta) FROM STDIN") as copy:
            for line in file:
                row = json.loads(line)
                copy.write_row((row["id"], json.dumps(row["data"]), json.dumps(row["meta"])))
        session.commit()
        seconds = time.perf_counter() - started
        session.execute("DROP TABLE bare")
    return round(seconds, 2)


def copy_out(url: str, slug: str, path: Path) -> float:
    """Seconds that a bare COPY of the same answers to a file takes."""
    started = time.perf_counter()
    statement = f"COPY ({ANSWERS.format(slug=slug)}) TO STDOUT WITH CSV".encode()
    with psycopg.connect(url) as session, path.open("wb") as file, session.cursor().copy(statement) as copy:
        for part in copy:
            file.write(part)
    return round(time.perf_counter() - started, 2)


def make_project(site: Installation, slug: str) -> None:
    """One more project of the same owner."""
    document = {"slug": slug, "name": slug, "overlap": PEOPLE, "questions": [QUESTION]}
    site.manage(
        "shell",
        "--command",
        "import json\n"
        "from core.models import User\n"
        "from core.services.project import create_project\n"
        "user, _ = User.objects.get_or_create(username='alice', defaults={'may_create_projects': True})\n"
        f"create_project(user, json.loads({json.dumps(document)!r}))\n",
    )


def measure(site: Installation, slug: str, rows: int, folder: Path) -> dict[str, Any]:
    """Everything, once, with so many rows."""
    url = site.variables["DATABASE_URL"]
    items, annotations, out = folder / "items.jsonl", folder / "annotations.csv", folder / "out.jsonl"
    make_project(site, slug)
    write_items(items, rows)
    write_annotations(annotations, rows)
    bare_in = copy_in(url, items)
    figures: dict[str, Any] = {
        "rows": rows,
        "items": measured(site, "import", slug, str(items), "--kind", "items", "--json"),
        "bare_copy_in": bare_in,
        "annotations": measured(site, "import", slug, str(annotations), "--kind", "annotations", "--json"),
        "bare_copy_out": copy_out(url, slug, out),
    }
    words = ("export", slug, "--what", "annotations", "--format", "jsonl", "--output", str(out))
    figures["export"] = measured(site, *words)
    with out.open("rb") as file:
        figures["exported_rows"] = sum(1 for _ in file)
    figures["import_to_copy"] = round(figures["items"]["seconds"] / figures["bare_copy_in"], 2)
    figures["export_to_copy"] = round(figures["export"]["seconds"] / figures["bare_copy_out"], 2)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    postgres = Postgres()
    postgres.start()
    try:
        with Installation(postgres) as site, tempfile.TemporaryDirectory() as folder:
            load = os.getloadavg()[0]
            tenth = measure(site, "bench-tenth", options.rows // 10, Path(folder))
            whole = measure(site, "bench", options.rows, Path(folder))
    finally:
        postgres.close()
    print(
        json.dumps({"load_before": load, "cores": os.cpu_count(), "tenth": tenth, "whole": whole}, indent=2)
    )


if __name__ == "__main__":
    main()
