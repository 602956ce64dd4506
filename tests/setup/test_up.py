"""`manage.py up`, the whole of it: what `make run` does after the packages are there."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.servers import ROOT, free_port, wait_until

START_SECONDS = 120


def environment(data: Path, **variables: str) -> dict[str, str]:
    """This environment as on a machine where nothing of labelapp is set."""
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "DJANGO_", "LABELAPP_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "LABELAPP_DATA": str(data), **variables}


def refused(data: Path, *words: str, **variables: str) -> str:
    """What `up` writes to standard error when it does not start: one line, without a traceback."""
    done = subprocess.run(
        [sys.executable, "manage.py", "up", *words],
        cwd=ROOT,
        env=environment(data, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


class Up:
    """A running `manage.py up` and what it has printed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.bind = f"127.0.0.1:{free_port()}"
        self.lines: list[str] = []
        self.process = psutil.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment(data, LABELAPP_BIND=self.bind),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        wait_until(
            lambda: self.is_ready() or self.process.poll() is not None, "a ready server", START_SECONDS
        )
        assert self.is_ready(), self.lines

    def _read(self) -> None:
        self.lines.extend(line.rstrip("\n") for line in iter(self.process.stdout.readline, ""))

    def is_ready(self) -> bool:
        return any(line.startswith("Logs: ") for line in self.lines)

    def get(self, path: str) -> int:
        """The status of a page."""
        connection = http.client.HTTPConnection(self.bind, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def part(self, word: str) -> psutil.Process:
        """The child with a word in its command."""
        return next(child for child in self.process.children() if word in " ".join(child.cmdline()))

    def end(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        code: int = self.process.wait(30)
        self._reader.join()
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[Up]:
    up = Up(data)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end()


@pytest.mark.worker
class TestRunning:
    """In this order, on one installation."""

    def test_the_first_page_answers_and_the_first_lead_gets_a_link(self, running: Up) -> None:
        assert running.get("/sign-in") == 200
        links = [line for line in running.lines if line.startswith("First lead")]
        assert len(links) == 1
        path = re.sub(r".*http://[^/]+", "", links[0])
        assert running.get(path) == 200

    def test_a_second_one_on_the_same_port_is_refused(self, running: Up, tmp_path: Path) -> None:
        port = running.bind.rpartition(":")[2]
        line = refused(tmp_path, LABELAPP_BIND=running.bind)
        assert line.startswith(f"labelapp: port {port} on 127.0.0.1 is taken; choose another")

    def test_a_second_one_on_the_same_data_is_refused(self, running: Up) -> None:
        line = refused(running.data, LABELAPP_BIND=f"127.0.0.1:{free_port()}")
        assert line.startswith(f"labelapp: labelapp is running on {running.data} already")

    def test_what_is_killed_comes_back(self, running: Up) -> None:
        for word in ("valkey-server", "celery", "gunicorn"):
            killed = running.part(word)
            killed.kill()
            killed.wait(10)
            wait_until(partial(_has, running, word), f"a new {word}", 15)
        wait_until(lambda: _answers(running), "a page", 30)

    def test_ctrl_c_ends_everything(self, running: Up) -> None:
        family = running.process.children(recursive=True)
        assert running.end() == 0
        assert psutil.wait_procs(family, timeout=10)[1] == []
        assert running.lines[-1] == "ended"
        assert {path.name for path in running.data.glob("logs/*")} == {"broker.log", "worker.log", "web.log"}

    def test_the_second_start_migrates_and_seeds_nothing(self, data: Path) -> None:
        again = Up(data)
        assert again.end() == 0
        assert [line for line in again.lines if "migration" in line] == []


def _has(up: Up, word: str) -> bool:
    return any(word in " ".join(child.cmdline()) for child in up.process.children())


def _answers(up: Up) -> bool:
    try:
        return up.get("/sign-in") == 200
    except OSError:
        return False


def test_an_unreachable_database_is_one_line(tmp_path: Path) -> None:
    port = free_port()
    url = f"postgresql://carol:secret-word@127.0.0.1:{port}/labels"
    line = refused(tmp_path, LABELAPP_BIND=f"127.0.0.1:{free_port()}", DATABASE_URL=url)
    assert line.startswith(f"labelapp: the database at 127.0.0.1:{port} (DATABASE_URL) cannot be reached: ")
    assert "secret-word" not in line


def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(tmp_path / "file" / "data")
    assert line.startswith(f"labelapp: The data folder {tmp_path / 'file' / 'data'} cannot be written")


@pytest.mark.parametrize(("secret", "why"), [("", "is not set"), ("change-me" * 9, "is a published default")])
def test_a_weak_secret_on_a_public_address_is_refused(tmp_path: Path, secret: str, why: str) -> None:
    line = refused(tmp_path, "--bind", f"0.0.0.0:{free_port()}", SECRET_KEY=secret)
    assert line.startswith(f"labelapp: SECRET_KEY {why}, and this server can be reached from other machines.")
