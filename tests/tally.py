"""A pytest plugin that counts results by part and writes them where `tests.run` reads them.

python -m pytest -p tests.tally --tally FILE
"""

import json
from collections import Counter
from pathlib import Path

import pytest

MARKERS = ("browser", "worker", "faults", "shared_data")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tally", type=Path, help="file to write the counts to")


def pytest_configure(config: pytest.Config) -> None:
    # A process of xdist only passes its reports on; the one that started it counts.
    if config.getoption("--tally") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tally(config.getoption("--tally")), "labelapp-tally")


def pytest_itemcollected(item: pytest.Item) -> None:
    marks = [name for name in MARKERS if item.get_closest_marker(name)]
    item.user_properties.append(("marks", " ".join(marks)))


class Tally:
    """The outcome of each test, and the counts by mark."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, str] = {}
        self.marks: dict[str, list[str]] = {}
        self.skips: Counter[str] = Counter()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcomes[f"collecting {report.nodeid}"] = "failed"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.marks[report.nodeid] = str(dict(report.user_properties).get("marks", "")).split()
        if report.failed or self.outcomes.get(report.nodeid) == "failed":
            self.outcomes[report.nodeid] = "failed"
        elif report.skipped:
            self.outcomes[report.nodeid] = "skipped"
            if isinstance(report.longrepr, tuple):
                self.skips[report.longrepr[2].removeprefix("Skipped: ")] += 1
        elif report.when == "call":
            self.outcomes[report.nodeid] = "passed"

    def pytest_sessionfinish(self) -> None:
        counts = {"all": Counter(self.outcomes.values())}
        for mark in MARKERS:
            named = [nodeid for nodeid, marks in self.marks.items() if mark in marks]
            counts[mark] = Counter(self.outcomes[nodeid] for nodeid in named if nodeid in self.outcomes)
        self.path.write_text(json.dumps({"counts": counts, "skips": self.skips}))
