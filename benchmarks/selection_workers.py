"""A selection over many items by two workers that share nothing but PostgreSQL and the broker.

    python -m benchmarks.selection_workers [--items 1000000] [--labels 1000] [--annotators 4] [--skip-kills]

An installation of its own: PostgreSQL, a Redis-protocol broker, gunicorn. Each worker has a data folder of its own,
so each makes its own features; where the system allows it each also has a network of its own without any way out, and
reaches the two by unix sockets only. Shown, and the run ends with 1 when one of them fails:

- the picks of two workers are those of one, and of the command that needs none;
- a worker killed (kill -9) in each stage, and a broker that has forgotten everything, change no pick and no label;
- the p99 of submit-and-next while a selection runs is at most 1.5 times that without one, people working with and
  without one by turns. Beside it stands how much of the machine others used meanwhile: where that is more than a
  little, the figures tell of them.

Only the first round makes features; the kills are in rounds that find them there, and in one whose worker begins with
an empty folder.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import psycopg
import requests

from labelapp.supervisor import worker_command
from tests.faults.load import Annotator, Books
from tests.servers import (
    Broker,
    Installation,
    Postgres,
    Service,
    ServiceError,
    Web,
    Worker,
    wait_until,
)

SLUG = "load"  # the project that tests.faults.load's annotators answer
SIZE = 50
MOST_SLOWER = 1.5
TURNS = 3
PATIENCE = 3600.0
SETUP = """
import json
from core.models import Membership, Project, User
from core.services.project import found_project
from core.services.token import create_token
lead = User.objects.create(username="lead", may_create_projects=True)
project = found_project(lead, json.loads({document!r}))
secrets = []
for number in range({people}):
    user = User.objects.create(username=f"annotator{{number}}")
    Membership.objects.create(project=project, user=user, name=user.username)
    secrets.append(create_token(user, name="load", scopes=["annotate"], days=1)[1])
secrets.append(create_token(lead, name="load", scopes=["lead"], days=1)[1])
print("PRINTED", json.dumps(secrets))
"""
BEGIN = """
from core.selectors.imports import owner_of
from core.services.selection import choose_now
print("PRINTED", choose_now(owner_of({slug!r}), size={size}, seed={seed}, apply={apply}).pk)
"""
CLASSES = [f"class {number}" for number in range(10)]
DOCUMENT: dict[str, Any] = {
    "slug": SLUG,
    "name": "Load",
    "seed": 1,
    "questions": [
        {
            "key": "bird",
            "kind": "single",
            "title": "Which bird?",
            "classes": [{"name": name} for name in ("duck", "swan", *CLASSES)],
        }
    ],
}
ROUND = """
SELECT s.id, p."order", i.external_id, p.stream, p.score, p.inclusion_probability, p.reason::text
FROM core_pick p JOIN core_selection s ON s.id = p.selection_id JOIN core_item i ON i.id = p.item_id
WHERE s.id = %s ORDER BY p."order"
"""


class LonelyWorker(Worker):
    """A worker with a folder of its own and, where the system allows it, a network of its own."""

    def __init__(self, site: Installation, broker: Broker, postgres: Postgres, *, alone: bool) -> None:
        options = {"global_keyprefix": "labelapp:", "socket_connect_timeout": 2, "socket_timeout": 5}
        super().__init__(site.variables, options=options, broker_url=broker.url)
        self.alone = alone
        self.variables = {
            **site.variables,
            "LABELAPP_DATA": str(self.folder / "data"),
            "OMP_NUM_THREADS": "1",
        }
        if alone:
            sockets = {
                "DATABASE_URL": f"{site.variables['DATABASE_URL']}?host={postgres.folder}",
                "REDIS_URL": f"redis+socket://:{broker.password}@{broker.folder / 'socket'}",
            }
            self.variables |= sockets

    def command(self) -> Sequence[str]:
        words = [*worker_command(self.folder / "beat-schedule"), "--hostname", self.node]
        words[words.index("--concurrency") + 1] = "1"
        return ["unshare", "--net", *words] if self.alone else words


def has_namespaces() -> bool:
    """Whether this system gives a process a network of its own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


class Bench:
    """The installation, its items and labels, and what was found."""

    def __init__(self, options: argparse.Namespace, site: Installation, postgres: Postgres) -> None:
        self.options = options
        self.site = site
        self.postgres = postgres
        self.wanted: list[Any] = []
        self.failed: list[str] = []
        self._session: psycopg.Connection[Any] | None = None

    def query(self, sql: str, *params: Any) -> list[Any]:
        """Rows of the database, by a connection that stays: a new one for every look would be a load of its own."""
        if self._session is None:
            self._session = psycopg.connect(self.site.variables["DATABASE_URL"], autocommit=True)
        return self._session.execute(sql.encode(), params or None).fetchall()

    def close(self) -> None:
        """Give the connection back."""
        if self._session is not None:
            self._session.close()

    def one(self, sql: str, *params: Any) -> Any:
        """The first value of the first row."""
        rows = self.query(sql, *params)
        return rows[0][0] if rows else None

    def printed(self, text: str) -> Any:
        """What a script in the installation's shell printed."""
        out = self.site.manage("shell", "--command", text)
        return json.loads(next(line for line in out.splitlines() if line.startswith("PRINTED"))[8:])

    def begin(self, *, apply: bool = False, seed: int = 1) -> int:
        """Ask for a round; its id."""
        return int(self.printed(BEGIN.format(slug=SLUG, size=SIZE, seed=seed, apply=apply)))

    def end(self, selection: int) -> float:
        """Wait for a round's end; seconds from its creation to it."""
        state = "SELECT j.state FROM core_selection s JOIN core_job j ON j.id = s.job_id WHERE s.id = %s"
        ended = ("done", "failed", "cancelled")
        wait_until(lambda: self.one(state, selection) in ended, "the round", PATIENCE)
        if self.one(state, selection) != "done":
            told = "SELECT j.error::text FROM core_selection s JOIN core_job j ON j.id = s.job_id WHERE s.id = %s"
            raise SystemExit(f"the round failed: {self.one(told, selection)}")
        seconds = """SELECT extract(epoch FROM j.finished_at - j.created_at)::float
                     FROM core_selection s JOIN core_job j ON j.id = s.job_id WHERE s.id = %s"""
        return float(self.one(seconds, selection))

    def picks(self, selection: int) -> list[Any]:
        """A round's picks without row ids."""
        return [row[1:] for row in self.query(ROUND, selection)]

    def check(self, what: str, told: str = "", *, met: bool) -> None:
        """Tell it, and remember when it is not as it should be."""
        print(f"  {'yes' if met else 'NO '}  {what}{f': {told}' if told else ''}", flush=True)
        if not met:
            self.failed.append(what)

    def compare(self, what: str, selection: int) -> None:
        """Whether a round came to the picks of the first one."""
        found = self.picks(selection)
        self.wanted = self.wanted or found
        self.check(f"{what}: the same {len(found)} picks", met=found == self.wanted)


def fill(bench: Bench, folder: Path) -> None:
    """Items of 200 characters and labels, by the import command."""
    items, answers = folder / "items.csv", folder / "answers.csv"
    begin = time.perf_counter()
    with items.open("w") as file, answers.open("w") as said:
        file.write("id,text\n")
        said.write("item_id,annotator,question,label\n")
        for number, (label, text) in enumerate(texts(bench.options.items)):
            file.write(f"t-{number},{text}\n")
            if number < bench.options.labels:
                said.write(f"t-{number},w1,bird,{CLASSES[label]}\n")
    bench.site.manage("import", SLUG, str(items), "--kind", "items")
    bench.site.manage("import", SLUG, str(answers), "--kind", "annotations")
    print(
        f"{bench.options.items:,} items of 200 characters imported in {time.perf_counter() - begin:.0f} s",
        flush=True,
    )


def texts(n: int) -> Iterator[tuple[int, str]]:
    """Class and text: thirty words of a vocabulary of 30,000, some of them of the class's own."""
    state = 12345
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        label, words, draw = (state >> 33) % len(CLASSES), [], state
        for place in range(30):
            draw = (draw * 2862933555777941757 + 3037000493) % 2**64
            word = (draw >> 40) % 30_000
            words.append(f"k{label}{word % 50}" if place % 10 == 0 and word % 3 else f"w{word}")
        yield label, " ".join(words)[:200].rstrip()


def label_page(bench: Bench, web: Web, secrets: Sequence[str], until: Callable[[], bool]) -> list[float]:
    """Milliseconds of every submit-and-next of some people at work, until something is true."""
    taken: list[float] = []
    enough, books = threading.Event(), Books()

    class Timed(Annotator):
        """Paced like people in a hurry, and timed."""

        def send(
            self, method: str, path: str, body: dict[str, Any], key: str, *, lose: bool
        ) -> tuple[int, dict[str, Any]]:
            begin = time.perf_counter()
            answer = super().send(method, path, body, key, lose=lose)
            if key:
                taken.append(1000 * (time.perf_counter() - begin))
            time.sleep(0.1)
            return answer

    people = [Timed(web.url, secret, books, enough, seed) for seed, secret in enumerate(secrets)]
    for person in people:
        person.start()
    while not until():
        time.sleep(0.2)
    enough.set()
    for person in people:
        person.join()
    bench.check("no request failed", "; ".join(books.errors[:3]), met=not books.errors)
    return taken


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def asked_for(bench: Bench, web: Web, lead: str, seed: int) -> int:
    """Ask for a round as a lead's script does, which costs the machine next to nothing; its id."""
    answer = requests.post(
        f"{web.url}/api/v1/projects/{SLUG}/selections",
        json={"size": SIZE, "seed": seed},
        headers={"Authorization": f"Token {lead}"},
        timeout=30,
    )
    answer.raise_for_status()
    return int(bench.one("SELECT max(id) FROM core_selection WHERE seed = %s", seed))


def told(taken: Sequence[float]) -> str:
    """Median and p99 of some milliseconds."""
    return f"{len(taken)} submits, p50 {quantiles(taken, n=2)[0]:.0f} ms, p99 {quantiles(taken, n=100)[-1]:.0f} ms"


class Others:
    """How many cores of the machine processes used that are not of this run."""

    def __init__(self, ours: Sequence[Service]) -> None:
        self._ours = ours
        self._seconds = self._used = 0.0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Count what is used within the block."""
        begin, machine, ours = time.monotonic(), _used_by_machine(), self._used_by_us()
        yield
        self._seconds += time.monotonic() - begin
        self._used += _used_by_machine() - machine - (self._used_by_us() - ours)

    @property
    def cores(self) -> float:
        """Over all blocks."""
        return self._used / self._seconds

    def _used_by_us(self) -> float:
        leaders = [service.process for service in self._ours if service.process is not None]
        family = [
            psutil.Process(),
            *leaders,
            *(child for service in self._ours for child in service.children()),
        ]
        used = 0.0
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system
        return used


def _used_by_machine() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


STAGES: Mapping[str, str] = {
    "before the model is kept": "SELECT 1 FROM core_job WHERE kind = 'select' AND state = 'running' AND attempts = 1",
    "while parts are scored": "SELECT 1 FROM core_job WHERE kind = 'score' AND state = 'running'",
    "when the first part is done": "SELECT 1 FROM core_selectionpart WHERE number > 0",
    "when the picks are chosen": """SELECT 1 FROM core_job j WHERE kind = 'select' AND state = 'running'
        AND EXISTS (SELECT 1 FROM core_job p WHERE p.parent_id = j.id)""",
}


def kills(bench: Bench, workers: Sequence[LonelyWorker]) -> None:
    """kill -9 both workers in each stage and let the broker forget: the picks stay."""
    for stage, sql in STAGES.items():
        labels = bench.one("SELECT count(*) FROM core_annotation")
        with ThreadPoolExecutor(1) as beside:  # a stage may be over before the command has ended
            begun = beside.submit(bench.begin)
            try:
                wait_until(lambda sql=sql: bool(bench.query(sql)), stage, 120)  # type: ignore[misc]
            except ServiceError as reason:
                bench.check(f"the stage was met ({stage})", str(reason), met=False)
            for worker in workers:
                worker.kill()
            bench.site.broker.client().flushall()
            selection = begun.result()
        for worker in workers:
            worker.start()
        seconds = bench.end(selection)
        bench.compare(f"killed {stage}, broker flushed ({seconds:.0f} s)", selection)
        same = bench.one("SELECT count(*) FROM core_annotation") == labels
        bench.check("no label touched", met=same)


def main() -> None:
    """Print what was found; 1 when something was not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--annotators", type=int, default=4)
    parser.add_argument(
        "--seconds", type=float, default=90, help="how long people label without a selection, in all"
    )
    parser.add_argument("--skip-kills", action="store_true")
    options = parser.parse_args()
    alone = has_namespaces()
    folder = Path(tempfile.mkdtemp(prefix="labelapp-bench-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(Postgres())
        site = stack.enter_context(Installation(postgres))
        bench = Bench(options, site, postgres)
        stack.callback(bench.close)
        print(f"PostgreSQL {postgres.version}, {site.broker.server}, {os.cpu_count()} cores")
        print(
            f"network namespaces: {'each worker has its own' if alone else 'not allowed on this system'}",
            flush=True,
        )
        secrets = bench.printed(SETUP.format(document=json.dumps(DOCUMENT), people=options.annotators))
        fill(bench, folder)
        first, second = (LonelyWorker(site, site.broker, postgres, alone=alone) for _ in range(2))
        with first:
            seconds = bench.end(alone_round := bench.begin())
            print(f"one worker, its features made on the way: {seconds:.0f} s", flush=True)
            bench.compare("one worker", alone_round)
            seconds = bench.end(again := bench.begin())
            print(f"one worker, features at hand: {seconds:.1f} s", flush=True)
            bench.compare("one worker again", again)
            with second:
                seconds = bench.end(both := bench.begin())
                print(f"two workers, the second with an empty folder: {seconds:.0f} s", flush=True)
                bench.compare("two workers", both)
                seconds = bench.end(both := bench.begin())
                print(f"two workers, features at hand: {seconds:.1f} s", flush=True)
                bench.compare("two workers again", both)
                if not options.skip_kills:
                    kills(bench, [first, second])
                people_at_work(bench, secrets, [first, second])
        clean = json.loads(site.manage("check_data", "--json"))["clean"]
        bench.check("every counter is what it counts", met=clean)
    sys.exit(1 if bench.failed else 0)


def people_at_work(bench: Bench, secrets: Sequence[str], workers: Sequence[Service]) -> None:
    """The label page with and without a selection, by turns; the last secret is the lead's."""
    *secrets, lead = secrets
    seconds = bench.options.seconds / TURNS
    without: list[float] = []
    during: list[float] = []
    rounds: list[int] = []
    state = "SELECT j.state FROM core_selection s JOIN core_job j ON j.id = s.job_id WHERE s.id = %s"
    with bench.site.web() as web:
        services = [web, bench.postgres, bench.site.broker, *workers]
        beside_without, beside_during = Others(services), Others(services)
        label_page(bench, web, secrets, after(5))  # both processes load their code

        def over() -> bool:
            if bench.one(state, rounds[-1]) not in {"done", "failed"}:
                return False
            if enough():
                return True
            rounds.append(asked_for(bench, web, lead, len(rounds) + 1))
            return False

        for _ in range(TURNS):
            with beside_without.watched():
                without += label_page(bench, web, secrets, after(seconds))
            rounds.append(asked_for(bench, web, lead, len(rounds) + 1))
            enough = after(seconds)
            with beside_during.watched():
                during += label_page(bench, web, secrets, over)
        ended = [bench.one(state, one) for one in rounds]
        bench.check("the rounds ended well", f"{len(rounds)} rounds", met=set(ended) == {"done"})
    print(f"  without a selection: {told(without)}; others used {beside_without.cores:.2f} cores")
    print(f"  while one runs:      {told(during)}; others used {beside_during.cores:.2f} cores")
    ratio = quantiles(during, n=100)[-1] / quantiles(without, n=100)[-1]
    bench.check(
        f"p99 while a selection runs is at most {MOST_SLOWER} times that without",
        f"{ratio:.2f}",
        met=ratio <= MOST_SLOWER,
    )


if __name__ == "__main__":
    main()
