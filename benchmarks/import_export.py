"""Import of items on a private PostgreSQL: time and peak memory, beside a bare COPY of the same rows.

    python -m benchmarks.import_export --rows 1000000

Prints one JSON document.
"""

import argparse
import json
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
DOCUMENT = {
    "slug": "bench",
    "name": "Bench",
    "overlap": 3,
    "questions": [
        {"key": "q", "kind": "single", "title": "Which?", "classes": [{"name": "a"}, {"name": "b"}]}
    ],
}


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


def measured(site: Installation, *words: str) -> dict[str, Any]:
    """Run a command there; its seconds and the peak memory of its process."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, *words],
        cwd=ROOT,
        env=site.variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}: {out}")
    *_, last = out.strip().splitlines()
    return {"seconds": round(time.perf_counter() - started, 2), **json.loads(last)}


_CHILD = """
import json, os, resource, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"peak_mb": round(used.ru_maxrss / 1024), "cpu_seconds": round(used.ru_utime + used.ru_stime, 2)}))
"""


def bare_copy(url: str, path: Path) -> float:
    """Seconds that PostgreSQL alone takes for the same rows: COPY into a table with the same columns of text."""
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


def make_project(site: Installation) -> None:
    """One owner and one project."""
    site.manage(
        "shell",
        "--command",
        "import json, sys\n"
        "from core.models import User\n"
        "from core.services.project import create_project\n"
        "user = User.objects.create(username='alice', may_create_projects=True)\n"
        f"create_project(user, json.loads({json.dumps(DOCUMENT)!r}))\n",
    )


def measure_import(site: Installation, rows: int) -> dict[str, Any]:
    """Import ``rows`` items by command, and COPY the same rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.jsonl"
        write_items(path, rows)
        copied = bare_copy(site.variables["DATABASE_URL"], path)
        figures = measured(site, "import", "bench", str(path), "--kind", "items", "--json")
    return {
        "rows": rows,
        "bytes": rows * CHARACTERS,
        **figures,
        "bare_copy_seconds": copied,
        "ratio": round(figures["seconds"] / copied, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    postgres = Postgres()
    postgres.start()
    try:
        with Installation(postgres) as site:
            make_project(site)
            figures = {"import": measure_import(site, options.rows)}
    finally:
        postgres.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
