"""Annotators over HTTP who lose some of the replies, and what must be true when they are done.

Used by test_load.py and test_kills.py, and by hand for the full campaign:

    python -m tests.faults.load [--postgres] [--items 2000] [--people 8] [--web 50 --worker 20 --broker 10 --database 10]
"""

import argparse
import contextlib
import http.client
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil

from tests.servers import Broker, Installation, Postgres, Service, Web, Worker

DROPPED = 0.05
OVERLAP = 3
SLUG = "load"
GIVE_UP_SECONDS = 120.0
TARGETS = ("web", "worker", "broker", "database")
DOCUMENT: dict[str, Any] = {
    "slug": SLUG,
    "name": "Load",
    "overlap": OVERLAP,
    "audit_fraction": 0.1,
    "questions": [
        {
            "key": "bird",
            "kind": "single",
            "title": "Which bird?",
            "classes": ["duck", "swan", {"name": "cannot tell", "uncertain": True}],
        }
    ],
}
SEED = """
import json
from core.models import Membership, User
from core.services.progress import recount
from core.services.project import create_project
from core.services.token import create_token
from tests.factories.item import make_items
lead = User.objects.create(username="lead", may_create_projects=True)
project = create_project(lead, json.loads({document!r}))
make_items(project, {items})
recount(project.pk)
secrets = []
for number in range({people}):
    user = User.objects.create(username=f"annotator{{number}}")
    Membership.objects.create(project=project, user=user, name=user.username)
    secrets.append(create_token(user, name="load", scopes=["annotate"], days=1)[1])
print("PRINTED", json.dumps(secrets))
"""
FACTS = """
import json
from collections import Counter
from core.models import Annotation, Item
from core.selectors.check_data import findings
rows = list(Annotation.objects.values_list("idempotency_key", "item_id", "annotator_id"))
people = Counter(item for _key, item, _person in rows)
print("PRINTED", json.dumps({
    "keys": [key for key, _item, _person in rows],
    "by_count": Counter(people.values()),
    "items": Item.objects.count(),
    "twice": sum(n - 1 for n in Counter((item, person) for _key, item, person in rows).values()),
    "findings": [found.rule.name for found in findings()],
}))
"""


@dataclass
class Books:
    """What all annotators saw: acknowledged keys, replays, refusals, errors."""

    acked: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, detail: str = "") -> None:
        """Count something; keep the first few details."""
        with self.lock:
            self.counts[what] += 1
            if detail and len(self.errors) < 20:
                self.errors.append(f"{what}: {detail}")

    def acknowledge(self, key: str) -> None:
        """The server said that this answer is stored."""
        with self.lock:
            self.acked.append(key)


class Annotator(threading.Thread):
    """Leases, answers, loses one reply in twenty, and sends again with the same key until acknowledged."""

    def __init__(self, address: str, secret: str, books: Books, enough: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.secret = secret
        self.books = books
        self.enough = enough
        self.draw = random.Random(seed)
        self.connection: http.client.HTTPConnection | None = None
        self.retry_after: str | None = None

    def run(self) -> None:
        """Until nothing is left, or it is enough."""
        try:
            while (leases := self.lease()) is not None:
                while leases and not self.enough.is_set():
                    leases = self.answer(leases.pop(0), leases)
        except Exception as error:
            self.books.note("crashed", repr(error))
        finally:
            self.hang_up()

    def lease(self) -> list[dict[str, Any]] | None:
        """What to do next; None when all is done, or it is enough."""
        while not self.enough.is_set():
            reply = self.insist("POST", f"/api/v1/projects/{SLUG}/leases", {"count": 2, "have": []}, "")
            if reply["leases"]:
                found: list[dict[str, Any]] = reply["leases"]
                return found
            if reply["empty_because"] == "all_done":
                return None
            time.sleep(0.1)
        return None

    def answer(self, lease: dict[str, Any], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answer one lease; the leases held afterwards."""
        key = str(uuid4())
        have = [other["id"] for other in others]
        body = {
            "answers": {"bird": self.draw.choice(["duck", "swan"])},
            "elapsed_ms": 900,
            "have": have,
            "count": 2,
        }
        reply = self.insist("POST", f"/api/v1/leases/{lease['id']}/annotation", body, key)
        if "annotation" in reply:
            self.books.acknowledge(key)
            return others + list(reply["next"])
        self.books.note("refused", json.dumps(reply)[:300])
        return others

    def insist(self, method: str, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Send until there is a final answer. Lost replies, 5xx and closed connections are sent again."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        wait = 0.05
        lose = bool(key) and self.draw.random() < DROPPED
        while time.monotonic() < deadline:
            try:
                status, reply = self.send(method, path, body, key, lose=lose)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.hang_up()
                self.books.note("lost reply" if lose else "network error", "" if lose else repr(error)[:120])
                if lose:
                    lose = False
                    continue
            else:
                if status < 500 and status != 429:
                    self.books.note(f"{status}")
                    if status == 200 and key:
                        self.books.note("replayed")
                    return reply
                self.books.note(f"{status}", "" if status == 503 else str(reply)[:300])
                if status not in {429, 503} or not self.retry_after:
                    self.books.note("server error")
            time.sleep(wait * (0.5 + self.draw.random()))
            wait = min(wait * 2, 2.0)
        raise TimeoutError(f"no answer for {path}")

    def send(
        self, method: str, path: str, body: dict[str, Any], key: str, *, lose: bool
    ) -> tuple[int, dict[str, Any]]:
        """One request. With ``lose`` the connection is cut once everything was sent."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        headers = {
            "Authorization": f"Token {self.secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        self.connection.request(method, path, json.dumps(body), headers)
        if lose:
            time.sleep(self.draw.choice((0.0, 0.03)))
            raise ConnectionError("the reply was lost")
        reply = self.connection.getresponse()
        self.retry_after = reply.getheader("Retry-After")
        return reply.status, json.loads(reply.read())

    def hang_up(self) -> None:
        """Close the connection; the next request opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@dataclass
class Site:
    """An installation with a project of open items and people who may answer."""

    installation: Installation
    web: Web
    worker: Worker | None
    secrets: list[str]

    def run(self, nemesis: "Nemesis") -> Books:
        """Let everybody work until nothing is left, or until all kills are done when there are any."""
        books, enough = Books(), threading.Event()
        people = [
            Annotator(self.web.url, secret, books, enough, seed)
            for seed, secret in enumerate(self.secrets, start=1)
        ]
        for person in people:
            person.start()
        if nemesis.todo:
            try:
                nemesis.rage(self, people)
            finally:
                enough.set()
        for person in people:
            person.join()
        return books

    def cpu_seconds(self) -> float:
        """What web server and database have used so far, without processes that have ended."""
        services: list[Service] = [self.web]
        if self.installation.postgres is not None:
            services.append(self.installation.postgres)
        seconds = 0.0
        for service in services:
            for process in [service.process, *service.children()]:
                if process is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        times = process.cpu_times()
                        seconds += times.user + times.system
        return seconds

    def verdict(self, books: Books) -> dict[str, int]:
        """The invariants, as counts that must be as large as they say."""
        facts = run_in(self.installation, FACTS)
        stored = Counter(facts["keys"])
        return {
            "items": facts["items"],
            "with_exactly_the_overlap": facts["by_count"].get(str(OVERLAP), 0),
            "acknowledged": len(books.acked),
            "lost": sum(key not in stored for key in books.acked),
            "doubled": sum(n - 1 for n in stored.values()) + facts["twice"],
            "over_overlap": sum(n for count, n in facts["by_count"].items() if int(count) > OVERLAP),
            "replayed": books.counts["replayed"],
            "broken_rules": len(facts["findings"]),
            "server_errors": books.counts["server error"],
            "crashed": books.counts["crashed"],
            "refused": books.counts["refused"],
        }


def run_in(installation: Installation, script: str) -> Any:
    """Run Python in an installation; what it printed as JSON."""
    printed = installation.manage("shell", "--no-imports", text=script)
    return json.loads(printed.split("PRINTED ", 1)[1].splitlines()[0])


@contextlib.contextmanager
def site(
    *, items: int, people: int, postgres: Postgres | None = None, worker: bool = False
) -> Iterator[Site]:
    """A running installation with a project of ``items`` items."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker())
        installation = stack.enter_context(Installation(postgres, broker))
        seed = SEED.format(document=json.dumps(DOCUMENT), items=items, people=people)
        secrets = run_in(installation, seed)
        working = stack.enter_context(installation.worker()) if worker else None
        web = stack.enter_context(installation.web())
        yield Site(installation, web, working, secrets)


class Nemesis:
    """Kills -9 so many of each, evenly mixed, and starts again what does not start by itself."""

    def __init__(self, kills: Mapping[str, int], pause: float) -> None:
        self.todo = [name for name, count in kills.items() for _ in range(count)]
        random.Random(7).shuffle(self.todo)
        self.pause = pause
        self.done: Counter[str] = Counter()

    def rage(self, here: Site, people: Sequence[Annotator]) -> None:
        """All kills, one after the other, while anybody still works."""
        for name in self.todo:
            time.sleep(self.pause)
            if not any(person.is_alive() for person in people):
                print(f"the load ended after {self.done.total()} of {len(self.todo)} kills", file=sys.stderr)
                return
            self.strike(here, name)
            self.done[name] += 1

    def strike(self, here: Site, name: str) -> None:
        """One kill."""
        if name == "web":
            here.web.kill_one_process()
            return
        service: Service | None = {
            "worker": here.worker,
            "broker": here.installation.broker,
            "database": here.installation.postgres,
        }[name]
        if service is None:
            raise ValueError(f"there is no {name} to kill")
        service.kill()
        service.start()


def main() -> None:
    """The campaign by hand, with its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two kills")
    for name in TARGETS:
        parser.add_argument(f"--{name}", type=int, default=0, metavar="KILLS")
    options = parser.parse_args()
    nemesis = Nemesis({name: getattr(options, name) for name in TARGETS}, options.pause)
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres()) if options.postgres else None
        here = stack.enter_context(
            site(items=options.items, people=options.people, postgres=postgres, worker=options.worker > 0)
        )
        before, start = here.cpu_seconds(), time.monotonic()
        books = here.run(nemesis)
        seconds, used = time.monotonic() - start, here.cpu_seconds() - before
        figures = {"seconds": round(seconds, 1), "submits_per_second": round(len(books.acked) / seconds, 1)}
        if not nemesis.done:
            figures["cpu_ms_per_submit"] = round(1000 * used / len(books.acked), 2)
        print(json.dumps({**figures, "killed": nemesis.done, **here.verdict(books), "replies": books.counts}))
        for line in books.errors:
            print(line)
        print(here.installation.manage("check_data").strip())


if __name__ == "__main__":
    main()
