"""The whole suite: on SQLite, then on PostgreSQL, with a real broker, worker and browser.

    python -m tests.run [words for pytest]

The servers are started before pytest, which reads the settings before any of our code. The end is a table of
what ran and what did not, and why. Exit code 1 when anything failed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import ROOT, Broker, Postgres, ServiceError, Unavailable

# Against hanging. On 2 quiet cores the suite is meant to take less than 10 minutes; a busy machine may need more.
LIMIT_SECONDS = float(os.environ.get("LABELAPP_TEST_MINUTES", "45")) * 60
APT_SECONDS = 240.0
NO_TESTS = 5  # pytest's exit code when its words select none
KNOWN_EXITS = (0, 1, NO_TESTS)
PROCESSES = 3  # on two cores: one mostly waits for a browser, one for servers (tests/groups.py)
WITHOUT_DATABASE = (  # or with one of their own, or whose answers do not hang on which it is: once is enough
    "tests/api/test_schema.py",
    "tests/faults/test_worker.py",
    "tests/formats",
    "tests/numerics",
    "tests/pipelines/test_shared_functions.py",
    "tests/pipelines/test_shared_selection.py",
    "tests/pipelines/test_shared_validation.py",
    "tests/pipelines/test_validation_faults.py",
    "tests/setup",
    "tests/test_architecture.py",
    "tests/test_migrations.py",
    "tests/test_permissions_matrix.py",
    "tests/web/test_components.py",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass
class Part:
    """A line of the table."""

    name: str
    skipped: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def line(self, width: int) -> str:
        state = f"skipped: {self.skipped}" if self.skipped else "ran"
        figures = f"{self.counts['passed']:>6} {self.counts['failed']:>6} {self.counts['skipped']:>7}"
        return f"{self.name:<{width}} {figures} {self.seconds:>7.0f} s  {state}"


@dataclass
class Outcome:
    """What one call of pytest did."""

    counts: dict[str, Counter[str]]
    skips: Counter[str]
    seconds: float


def main(words: Sequence[str]) -> int:
    """Run everything, print the table, return the exit code."""
    deadline = time.monotonic() + LIMIT_SECONDS
    browser, no_browser = find_browser()
    shared = Path(os.environ.get("LABELAPP_SHARED_DATA") or ROOT.parent / "shared")
    parts = {
        "all": Part("SQLite"),
        "postgres": Part("PostgreSQL"),
        "worker": Part("  of these, broker and worker"),
        "faults": Part("  of these, faults"),
        "browser": Part("  of these, Chromium", no_browser),
        "shared_data": Part("  of these, shared data", "" if shared.is_dir() else f"no folder {shared}"),
    }
    variables = {"LABELAPP_CHROMIUM": browser, "LABELAPP_SHARED_DATA": str(shared)}
    outcomes: list[Outcome] = []
    with contextlib.ExitStack() as servers:
        # Every process of the tests compiles what it imports once for all, also where bytecode is unwanted.
        variables["PYTHONPYCACHEPREFIX"] = servers.enter_context(
            tempfile.TemporaryDirectory(prefix="labelapp-bytecode-")
        )
        broker = servers.enter_context(Broker())
        parts["worker"].name += f" ({broker.server})"
        parts["browser"].name += f" ({_version_of(browser)})" if browser else ""
        variables["REDIS_URL"] = broker.url
        try:
            postgres = servers.enter_context(Postgres(durable=False))
            parts["postgres"].name = f"PostgreSQL {postgres.version}"
        except Unavailable as error:
            postgres = None
            parts["postgres"].skipped = str(error)
        except ServiceError as error:
            postgres = None
            print(error)
            parts["postgres"].counts["failed"] += 1
        # The browser sees the same pages on either database: its journeys run on the one of production.
        on_sqlite = browser if postgres is None else ""
        outcomes.append(_on(parts["all"], variables, words, deadline, browser=bool(on_sqlite)))
        if postgres is not None:
            variables["DATABASE_URL"] = postgres.url
            rest = [*words, *(f"--ignore={place}" for place in WITHOUT_DATABASE)]
            outcomes.append(_on(parts["postgres"], variables, rest, deadline, browser=bool(browser)))
    for mark in ("worker", "faults", "browser", "shared_data"):
        for outcome in outcomes:
            parts[mark].counts += outcome.counts[mark]
    return _report(parts, outcomes)


def _on(
    part: Part, variables: Mapping[str, str], words: Sequence[str], deadline: float, *, browser: bool
) -> Outcome:
    """Run the suite on one database."""
    print(f"\n== {part.name}", flush=True)
    among = ["-p", "tests.groups", "--numprocesses", str(PROCESSES)]
    chosen = [] if browser else ["-m", "not browser"]
    outcome = _pytest(variables, [*among, *chosen, *words], deadline - time.monotonic())
    part.counts += outcome.counts["all"]
    part.seconds += outcome.seconds
    return outcome


def _pytest(variables: Mapping[str, str], words: Sequence[str], seconds: float) -> Outcome:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="labelapp-tests-") as folder:
        tally = Path(folder, "tally.json")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-p", "tests.tally", "--tally", str(tally)),
                *("--quiet", "--no-header", "--tb=short", "--basetemp", f"{folder}/tmp", *words),
            ],
            cwd=ROOT,
            env=_environment(folder) | dict(variables),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(max(seconds, 1.0))
        except subprocess.TimeoutExpired:
            print(f"stopped: the suite's limit of {LIMIT_SECONDS:.0f} s is reached")
            code = -signal.SIGKILL
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        read = json.loads(tally.read_text()) if tally.exists() else {"counts": {}, "skips": {}}
    marks = ("all", "worker", "faults", "browser", "shared_data")
    counts = {mark: Counter(read["counts"].get(mark, {})) for mark in marks}
    if code not in KNOWN_EXITS and not counts["all"]["failed"]:
        counts["all"]["failed"] += 1
    return Outcome(counts, Counter(read["skips"]), time.monotonic() - started)


def _environment(folder: str) -> dict[str, str]:
    """This environment without what would point the tests at somebody's real installation."""
    ours = (
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "DEBUG",
        "LABELAPP_",
        "PYTHONDONTWRITE",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LABELAPP_DATA": f"{folder}/data",
        # Playwright keeps an event loop in the test's thread; Django would refuse the database there.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
    }


def _report(parts: Mapping[str, Part], outcomes: Sequence[Outcome]) -> int:
    skips: Counter[str] = sum((outcome.skips for outcome in outcomes), Counter())
    total = parts["all"].counts + parts["postgres"].counts
    width = max(len(part.name) for part in parts.values())
    print(f"\n{'part':<{width}} {'passed':>6} {'failed':>6} {'skipped':>7} {'time':>9}  state")
    for part in parts.values():
        print(part.line(width))
    for reason, count in skips.most_common():
        print(f"skipped {count}: {reason}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    return 1 if total["failed"] or not total["passed"] else 0


# --- Chromium ---------------------------------------------------------------------------------------


def find_browser() -> tuple[str, str]:
    """A Chromium of the system, installed from its packages when that is possible, and else why there is none."""
    found = _browser_on_path()
    if found:
        return found, ""
    apt = shutil.which("apt-get")
    if apt is None:
        return "", "no chromium on the path, and no apt-get to install it"
    root = [] if os.getuid() == 0 else _sudo()
    if root is None:
        return "", "no chromium on the path; install it with: sudo apt-get install chromium"
    print("installing chromium from the system's packages", flush=True)
    for words in (("update",), ("install", "--yes", "--no-install-recommends", "chromium")):
        if not _quietly([*root, "env", "DEBIAN_FRONTEND=noninteractive", apt, "-qq", *words]):
            return "", f"apt-get {words[0]} failed or took longer than {APT_SECONDS:.0f} s"
    found = _browser_on_path()
    return (found, "") if found else ("", "the system's package of chromium has no program of that name")


def _browser_on_path() -> str:
    return next((path for name in BROWSERS if (path := shutil.which(name))), "")


def _sudo() -> list[str] | None:
    """The words in front of a command that needs root, when sudo asks for no password."""
    sudo = shutil.which("sudo")
    return [sudo, "-n"] if sudo and _quietly([sudo, "-n", "true"]) else None


def _quietly(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=APT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _version_of(browser: str) -> str:
    done = subprocess.run([browser, "--version"], capture_output=True, text=True, check=False)
    return next((word for word in done.stdout.split() if word[:1].isdigit()), "version unknown")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
