"""Agreement on a million items beside its peers, and the whole report from PostgreSQL to JSON, in one run.

    python -m benchmarks.agreement [--items 1000000] [--skip-peers] [--skip-database] [--peers FOLDER]

Fifty people, three answers per item, five classes. Every peer runs in an environment of its own (made once in
FOLDER by uv) on the same arrays; none of them is part of what ships. Ours and the peer's seconds are printed with
their ratio, and ours as a ratio to one read of the same bytes. The database is PostgreSQL: a private one, or
that of DATABASE_URL.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.numerics.alpha import krippendorff_alpha, nominal_scale
from core.numerics.bootstrap import item_bootstrap
from core.numerics.coefficients import Observed, brennan_prediger, fleiss_kappa, gwet_ac1, percent_agreement
from core.numerics.dawid_skene import fit_dawid_skene
from core.numerics.pairs import pair_agreements
from core.numerics.results import Figure
from core.numerics.table import LabelTable, Patterns, slot_patterns

CLASSES, PEOPLE, PER_ITEM, DRAWS = 5, 50, 3, 1000
ONES = np.ones(CLASSES)
PEERS = {
    "krippendorff_alpha": "krippendorff==0.9.0",
    "irrcac_ac1": "irrCAC==0.4.4",
    "sklearn_kappas": "scikit-learn==1.9.1",
    "crowdkit_dawid_skene": "crowd-kit==1.4.2",
}
Labels = npt.NDArray[np.int8]
People = npt.NDArray[np.int16]


def simulate(items: int) -> tuple[People, Labels]:
    """Annotators and labels, items x answers: each answer is right with the annotator's own accuracy."""
    rng = np.random.default_rng(7)
    truth = rng.choice(CLASSES, size=items, p=[0.45, 0.25, 0.15, 0.10, 0.05])
    accuracy = rng.beta(8, 2.2, size=PEOPLE)
    first = rng.integers(PEOPLE, size=items)
    second = rng.integers(1, PEOPLE, size=items)  # so many places behind the first
    third = 1 + (second - 1 + rng.integers(1, PEOPLE - 1, size=items)) % (PEOPLE - 1)
    who = (first[:, None] + np.stack([np.zeros_like(first), second, third], axis=1)) % PEOPLE
    right = rng.random((items, PER_ITEM)) < accuracy[who]
    wrong = (truth[:, None] + rng.integers(1, CLASSES, size=(items, PER_ITEM))) % CLASSES
    labels = np.where(right, truth[:, None], wrong)
    return who.astype(np.int16), labels.astype(np.int8)


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of some runs."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def alpha(labels: Labels) -> float:
    """Krippendorff's nominal alpha with its interval, from the array of labels."""
    patterns = slot_patterns(labels, CLASSES)
    return krippendorff_alpha(patterns, nominal_scale(CLASSES), patterns.n_items).value or 0.0


def five(labels: Labels) -> dict[str, Figure]:
    """Percent agreement, alpha, AC1, Fleiss' kappa and Brennan-Prediger, all with standard errors."""
    return _five(slot_patterns(labels, CLASSES))


def _five(patterns: Patterns) -> dict[str, Figure]:
    seen = Observed(patterns, ONES)
    return {
        "percent_agreement": percent_agreement(seen),
        "krippendorff_alpha": krippendorff_alpha(patterns, nominal_scale(CLASSES), patterns.n_items),
        "gwet_ac1": gwet_ac1(seen, CLASSES),
        "fleiss_kappa": fleiss_kappa(seen),
        "brennan_prediger": brennan_prediger(seen, CLASSES),
    }


def bootstrap(labels: Labels) -> dict[str, Figure]:
    """A thousand item bootstraps of those five, from the array of labels."""
    patterns = slot_patterns(labels, CLASSES)
    scale = nominal_scale(CLASSES)
    return item_bootstrap(
        patterns, _five(patterns), scale=scale, weight=ONES, n_permitted=CLASSES, n=DRAWS, seed=1
    )


def table_of(who: People, labels: Labels) -> LabelTable:
    """The arrays as a table of answers."""
    item = np.repeat(np.arange(len(labels)), PER_ITEM)
    return LabelTable(item, who.ravel().astype(np.intp), labels.ravel().astype(np.intp), CLASSES)


def seconds_per_iteration(who: People, labels: Labels) -> float:
    """Dawid-Skene: what one more iteration costs, on the same answers."""
    table = table_of(who, labels)
    few = best(lambda: fit_dawid_skene(table, tolerance=-1.0, most_iterations=2), 2)
    more = best(lambda: fit_dawid_skene(table, tolerance=-1.0, most_iterations=7), 2)
    return (more - few) / 5


def peer(name: str, folder: Path, arrays: Path) -> dict[str, Any]:
    """A peer's figure on the same arrays, in its own environment."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder / name)], check=True)
        install = [*uv, "pip", "install", "-q", "--python", str(python), PEERS[name]]
        subprocess.run(install, check=True)
    script = Path(__file__).with_name("peers.py")
    done = subprocess.run([python, script, name, arrays], check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def numeric(items: int, folder: Path | None) -> None:
    """The numeric parts beside the peers."""
    who, labels = simulate(items)
    read = best(lambda: labels.sum(dtype=np.int64), 9)
    with tempfile.TemporaryDirectory() as scratch:
        arrays = Path(scratch) / "answers.npz"
        np.savez(arrays, labels=labels, who=who)

        def theirs(name: str) -> dict[str, Any]:
            return {} if folder is None else peer(name, folder, arrays)

        print(f"{items:,} items x {PER_ITEM} answers of {PEOPLE} people, {CLASSES} classes")
        print(f"one read of the labels {read * 1000:.2f} ms")
        print(f"{'':44}{'ours s':>9}{'peer s':>10}{'ratio':>9}{'reads':>8}")
        package = theirs("krippendorff_alpha")
        line("alpha with interval | krippendorff", best(lambda: alpha(labels)), package.get("seconds"), read)
        line(
            "five coefficients with errors | irrCAC AC1",
            best(lambda: five(labels)),
            theirs("irrcac_ac1").get("seconds"),
            read,
        )
        looped = package.get("bootstrap_draw_seconds")
        line(
            f"{DRAWS} item bootstraps | loop over krippendorff",
            best(lambda: bootstrap(labels)),
            None if looped is None else looped * DRAWS,
            read,
        )
        pairs = theirs("sklearn_kappas")
        line(
            f"{pairs.get('pairs', 1225)} pairwise kappas | scikit-learn",
            best(lambda: pair_agreements(table_of(who, labels), ONES, 10**6), 3),
            pairs.get("seconds"),
            read,
        )
        line(
            "Dawid-Skene, an iteration | crowd-kit",
            seconds_per_iteration(who, labels),
            theirs("crowdkit_dawid_skene").get("seconds"),
            read,
        )
        if package:
            print(f"alpha: ours {alpha(labels):.10f}, the package's {package['value']:.10f}")


def line(name: str, ours: float, peers: float | None, read: float) -> None:
    """One row of the table."""
    beside = f"{'':>10}{'':>9}" if peers is None else f"{peers:10.3f}{peers / ours:9.0f}"
    print(f"{name:44}{ours:9.4f}{beside}{ours / read:8.0f}", flush=True)


ANNOTATIONS = """
INSERT INTO core_annotation (id, item_id, item_version, annotator_id, pass_kind, repeat, revision, current, complete,
                             voided, guideline_id, request_hash, comment)
SELECT (i.row - 1) * 3 + s + 1, i.id, 1,
       (%(people)s::bigint[])[1 + (abs(hashint8(i.id)) + s * (1 + abs(hashint8(i.id + 7)) %% 16)) %% 50],
       'normal', 1, 1, true, true, false, %(guideline)s, '', ''
FROM core_item i CROSS JOIN generate_series(0, 2) AS s WHERE i.project_id = %(project)s
"""
ANSWERS = """
INSERT INTO core_answer (annotation_id, question_id, label_class_id)
SELECT a.id, %(question)s, (%(classes)s::bigint[])[1 + CASE
    WHEN abs(hashint8(a.id)) %% 100 < 76 THEN t.truth
    ELSE (t.truth + 1 + abs(hashint8(a.id + 3)) %% 4) %% 5 END]
FROM core_annotation a JOIN core_item i ON i.id = a.item_id CROSS JOIN LATERAL (
    SELECT CASE WHEN h < 45 THEN 0 WHEN h < 70 THEN 1 WHEN h < 85 THEN 2 WHEN h < 95 THEN 3 ELSE 4 END AS truth
    FROM (SELECT abs(hashint8(i.id + 11)) %% 100 AS h) AS draw) AS t
WHERE i.project_id = %(project)s
"""


def fill(items: int) -> str:
    """A project of this many finished items; its slug."""
    from django.db import connection

    from benchmarks.next_item import make
    from core.models import Membership, User

    lead = User.objects.create(username="bench-lead", may_create_projects=True)
    project = make(items, lead, ["one", "two", "three", "four", "five"])
    people = [Membership.objects.create(project=project, name=f"w{n:02}").pk for n in range(PEOPLE)]
    question = project.questions.get()
    values: dict[str, Any] = {
        "project": project.pk,
        "people": people,
        "guideline": project.guideline_id,
        "question": question.pk,
        "classes": list(question.classes.values_list("pk", flat=True)),
    }
    with connection.cursor() as cursor:
        cursor.execute(ANNOTATIONS, values)
        cursor.execute(ANSWERS, values)
        cursor.execute("UPDATE core_item SET done = 3, free = 0 WHERE project_id = %s", [project.pk])
        cursor.execute("VACUUM (ANALYZE)")
    return project.slug


def report(slug: str) -> None:
    """The whole report, from the database to JSON, in a process of its own."""
    from django.db import connection

    from core.models import Answer, Project
    from core.pipelines.agreement import agreement_report
    from core.services.progress import recount

    project = Project.objects.get(slug=slug)
    recount(project.pk)
    rows = Answer.objects.filter(annotation__item__project=project).values_list(
        "annotation__item_id", "annotation__annotator_id", "label_class_id"
    )
    sql, params = rows.query.sql_with_params()

    def bare() -> None:
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT BINARY)", params) as rows,
        ):
            for _ in rows:
                pass

    plain = best(bare, 2)
    begin = time.perf_counter()
    text = json.dumps(agreement_report(project))
    first = time.perf_counter() - begin
    again = best(lambda: json.dumps(agreement_report(project)), 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    alone = json.loads(text)["coefficients"]["krippendorff_alpha"]["value"]
    print(
        f"report from PostgreSQL to JSON: {first:.2f} s, then {again:.2f} s; peak {peak} MB; {len(text):,} bytes"
    )
    print(f"a bare COPY of the same columns: {plain:.2f} s, ratio {first / plain:.1f}; alpha {alone:.4f}")


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """The environment of processes that use the database of DATABASE_URL, or else a private PostgreSQL."""
    settings = {"DJANGO_SETTINGS_MODULE": "labelapp.settings"}
    with tempfile.TemporaryDirectory() as scratch:
        settings["LABELAPP_DATA"] = scratch
        if os.environ.get("DATABASE_URL"):
            yield {**os.environ, **settings}
            return
        from tests.servers import Postgres

        with Postgres() as server:
            yield {**os.environ, **settings, "DATABASE_URL": server.create_database()}


def whole_report(items: int) -> None:
    """Fill a database and time the report on it."""
    with database() as environment:
        for step in (["manage.py", "migrate", "-v0"], ["-m", "benchmarks.agreement", "--fill", str(items)]):
            done = subprocess.run(
                [sys.executable, *step], env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
        slug = done.stdout.split()[-1]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.agreement", "--report", slug], env=environment, check=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--skip-database", action="store_true")
    parser.add_argument("--peers", type=Path, default=Path("data/peers"))
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill or options.report:
        import django

        django.setup()
        print(fill(options.fill)) if options.fill else report(options.report)
        return
    numeric(options.items, None if options.skip_peers else options.peers)
    if not options.skip_database:
        whole_report(options.items)


if __name__ == "__main__":
    main()
