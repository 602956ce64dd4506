"""False alarms of data validation on clean resplits, and what it costs an import.

    python -m benchmarks.validation --resplits 100 --rows 1000000

Each data set is shuffled and cut in two, in turn in halves and at three quarters; the first part makes the schema and
is the reference, the second is checked, and so are the annotations of its items against those of the first. An alarm is
a finding of severity warn or stop. The sets of ``../shared/data``
(or LABELAPP_SHARED_DATA) are used where they are; a made one always is. Then the profile of so many rows of 200
characters is timed, alone, beside reading the same rows as an import does. Prints one JSON document.
"""

import argparse
import csv
import gzip
import json
import os
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.import_export import write_items
from core.formats.reader import read_rows
from core.formats.rows import ItemRow, item_rows
from core.numerics.class_balance import AnswerProfiler, ItemAnswer, class_balance, pooled_answers
from core.numerics.copies import duplicate_findings
from core.numerics.findings import Finding
from core.numerics.profile import Profiler
from core.numerics.validation import infer_schema, pooled, validated

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared")
SETS = (
    *("convabuse", "crows_pairs", "hatecheck", "music_genre", "snow_rte", "ukpconvarg"),
    *("weather_amt", "xhate_stability", "xsum_hallucination"),
)
AUDIT = 0.12
CHUNK = 5000
MOST = 6000
MOST_CLASSES = 50  # of a question whose labels are taken for classes


class Row(NamedTuple):
    """A row of a set."""

    number: int
    id: str
    data: dict[str, Any]
    meta: dict[str, Any]


class Content(NamedTuple):
    """An item of a set with its annotations."""

    id: str
    data: dict[str, Any]
    meta: dict[str, Any]
    answers: list[ItemAnswer]


def made(n: int) -> list[Content]:
    """Texts (2 % of them copies), numbers with tails of several kinds, quantities, categories, rare fields; three people's answers."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(1500)]
    rows: list[Content] = []
    for number in range(n):
        text = " ".join(draw.choices(words, k=draw.randint(5, 40)))
        if rows and draw.random() < 0.02:
            text = rows[draw.randrange(len(rows))].data["text"]
        data = {
            "text": text,
            "age": str(draw.randint(18, 80)),
            "income": round(draw.lognormvariate(10, 1), 2),
            "weight": f"{draw.gauss(70, 12):.1f} kg",
            "city": draw.choices(["Rome", "Oslo", "Bern", "Linz", "Graz"], [50, 20, 15, 10, 5])[0],
            "note": draw.choice(["", None, "ok", "n/a"]),
            "heavy": draw.gauss(0, 1) / draw.gammavariate(1.5, 2 / 3) ** 0.5,
        }
        if draw.random() < 0.1:
            data["rare"] = f"x{draw.randint(0, 3)}"
        meta = {"country": draw.choice("abcde"), "source": draw.choices(["web", "app", "x"], [8, 3, 0.05])[0]}
        truth = draw.choices(["yes", "no", "unsure"], [30, 65, 5])[0]
        said = [truth if draw.random() < 0.9 else draw.choice(["yes", "no"]) for _ in range(3)]
        answers = [ItemAnswer("made", f"w{who}", (one,)) for who, one in enumerate(said)]
        rows.append(Content(str(number), data, meta, answers))
    return rows


def kept(name: str) -> list[Content]:
    """The items of a set; none where it is not there."""
    path = PARENT / "data" / name / "items.jsonl.gz"
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    answers = annotated(path.parent / "annotations.csv.gz")
    found = [Content(row["id"], row["data"], row.get("meta", {}), answers.get(row["id"], [])) for row in rows]
    return random.Random(0).sample(found, MOST) if len(found) > MOST else found


def annotated(path: Path) -> dict[str, list[ItemAnswer]]:
    """The annotations of each item to questions with classes; labels with a ``|`` name several."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row["question"], set()).add(row["label"])
    found: dict[str, list[ItemAnswer]] = {}
    for number, row in enumerate(rows):
        if len(labels[row["question"]]) <= MOST_CLASSES:
            classes = tuple(filter(None, row["label"].split("|")))
            who = f"{row['annotator']} {number}"
            found.setdefault(row["item_id"], []).append(ItemAnswer(row["question"], who, classes))
    return found


def profiled(content: list[Content], schema: dict[str, Any] | None, draw: random.Random) -> Profiler:
    """A part of a set as a batch."""
    profiler = Profiler(schema)
    rows = [Row(number, "", data, meta) for number, (_, data, meta, _) in enumerate(content, 1)]
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        profiler.add(some, [draw.random() < AUDIT for _ in some])
    return profiler


def answer_findings(first: list[Content], second: list[Content]) -> list[Finding]:
    """What is found in the annotations of the second part."""
    several = {one.question for row in first + second for one in row.answers if len(one.classes) > 1}
    profiles = []
    for part in (first, second):
        profiler = AnswerProfiler()
        for row in part:
            if row.answers:
                profiler.add(row.id, row.answers)
        profiles.append(profiler.profile({row.id: row.meta for row in part}))
    return class_balance(profiles[1], pooled_answers(profiles[:1]), frozenset(several))


def alarms(content: list[Content], resplits: int) -> dict[str, Any]:
    """On how many resplits there was an alarm, and which."""
    n, codes = 0, Counter[str]()
    for seed in range(resplits):
        draw = random.Random(seed)
        shuffled = list(content)
        draw.shuffle(shuffled)
        cut = len(shuffled) // 2 if seed % 2 == 0 else len(shuffled) * 3 // 4
        first = profiled(shuffled[:cut], None, draw)
        profile, texts = first.profile(), first.texts()
        schema = infer_schema(profile)
        second = profiled(shuffled[cut:], schema, draw)
        found = validated(second, schema, pooled([profile]), (texts.texts, texts.limit))
        found += answer_findings(shuffled[:cut], shuffled[cut:])
        told = sorted(
            {f"{one.code} {one.field} {one.slice}".strip() for one in found if one.severity != "note"}
        )
        n += bool(told)
        codes.update(told)
    return {"items": len(content), "resplits": resplits, "alarms": n, "codes": dict(codes)}


def _items(path: Path) -> Iterator[ItemRow]:
    with path.open("rb") as file:
        for row in item_rows(read_rows(file, format="jsonl"), {}):
            assert isinstance(row, ItemRow)
            yield row


def cost(rows: int) -> dict[str, Any]:
    """Seconds of CPU for reading the rows, and for profiling them, with the near-duplicates at the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.jsonl"
        write_items(path, rows)
        profiler, spent, started = Profiler({}), 0.0, time.process_time()
        items = _items(path)
        while some := list(islice(items, CHUNK)):
            before = time.process_time()
            profiler.add(some, [False] * len(some))
            spent += time.process_time() - before
        total = time.process_time() - started
        before = time.process_time()
        profile = profiler.profile()
        duplicate_findings(profiler.texts(), profiler.texts().texts, profiler.texts().limit)
        ended = time.process_time() - before
    return {
        "rows": rows,
        "read_seconds": round(total - spent, 2),
        "profile_seconds": round(spent, 2),
        "end_seconds": round(ended, 2),
        "profile_kb": round(len(json.dumps(profile)) / 1000),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resplits", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sets", nargs="*", default=["made", *SETS])
    asked = parser.parse_args()
    figures: dict[str, Any] = {"cost": cost(asked.rows)} if asked.rows else {}
    for name in asked.sets:
        content = made(2000) if name == "made" else kept(name)
        if content:
            figures[name] = alarms(content, asked.resplits)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
