"""`labelapp.supervisor` with real processes: kept alive, ended together, nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from labelapp import supervisor
from labelapp.supervisor import (
    BROKER,
    CannotStartError,
    Child,
    Supervisor,
    check_folder,
    check_port,
    only_one,
    socket_path,
    split_bind,
)
from tests.servers import ROOT, free_port, wait_until

SERVER = "import http.server as h, sys; h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"


@pytest.fixture
def bind() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No test leaves a process behind."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) - before == set()


def child(folder: Path, name: str, *words: str) -> Child:
    return Child(name, [sys.executable, "-c", *words], dict(os.environ), folder / f"{name}.log", folder)


class Running:
    """A supervisor watched from a test: a thread acts once the web server answers, then ends it."""

    def __init__(self, children: list[Child], bind: str) -> None:
        self.said: list[str] = []
        self.supervisor = Supervisor(children, self.said.append)
        self.bind = bind

    def until_ready_then(self, act: object) -> int:
        def later() -> None:
            try:
                act()  # type: ignore[operator]
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=later)
        code = self.supervisor.run(self.bind, thread.start)
        thread.join()
        return code


def test_a_killed_child_is_started_again(tmp_path: Path, bind: str) -> None:
    worker = child(tmp_path, "worker", "import time; time.sleep(600)")
    web = child(tmp_path, "web", SERVER, bind.rpartition(":")[2])
    running = Running([worker, web], bind)
    pids: list[int] = []

    def kill_the_worker() -> None:
        assert worker.process is not None
        pids.append(worker.process.pid)
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: worker.process is not None and worker.process.pid != pids[0], "a new worker", 10)

    assert running.until_ready_then(kill_the_worker) == 0
    assert running.said == [
        f"worker: ended (SIGKILL), starting it again in 0.5 s; see {tmp_path / 'worker.log'}"
    ]


def test_on_ctrl_c_everything_ends_also_grandchildren_and_the_stubborn(
    tmp_path: Path, bind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 1.0)
    broker = child(tmp_path, BROKER, STUBBORN)
    worker = child(tmp_path, "worker", PARENT)
    web = child(tmp_path, "web", SERVER, bind.rpartition(":")[2])
    family: list[psutil.Process] = []

    def look() -> None:
        wait_until(lambda: len(psutil.Process().children(recursive=True)) == 4, "four processes", 10)
        wait_until(lambda: broker.log.read_text() == "up\n", "a broker that does not listen", 10)
        family.extend(psutil.Process().children(recursive=True))

    assert Running([broker, worker, web], bind).until_ready_then(look) == 0
    # The orphan of a killed leader is collected by the system's first process, in its own time.
    _gone, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_web_server_that_cannot_start_is_given_up_with_the_end_of_its_log(
    tmp_path: Path, bind: str
) -> None:
    web = child(tmp_path, "web", "raise SystemExit('no such module')")
    said: list[str] = []
    assert Supervisor([web], said.append).run(bind, lambda: None) == 1
    assert said[-1].endswith("no such module\nno such module")


def test_when_the_supervisor_is_killed_its_children_end(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom labelapp.supervisor import Child\nimport os\n"
        "c = Child('x', [sys.executable, '-c', 'import time; time.sleep(600)'], dict(os.environ),"
        f" Path({str(tmp_path / 'log')!r}), Path('/'))\nc.start()\nprint(c.process.pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    orphan = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    assert psutil.wait_procs([orphan], timeout=10)[1] == []


def test_a_taken_port_is_one_line_that_names_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStartError) as refused:
            check_port(f"127.0.0.1:{port}")
    assert str(refused.value) == (
        f"port {port} on 127.0.0.1 is taken; choose another, for example: "
        f"LABELAPP_BIND=127.0.0.1:{port + 1} make run"
    )


def test_a_port_used_a_moment_ago_is_free(bind: str) -> None:
    check_port(bind)
    check_port(bind)


@pytest.mark.parametrize("bind", ["8000", "localhost", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", ":80"])
def test_an_address_that_is_none_is_refused(bind: str) -> None:
    with pytest.raises(CannotStartError):
        split_bind(bind)


def test_an_address_is_split() -> None:
    assert split_bind("127.0.0.1:8000") == ("127.0.0.1", 8000)
    assert split_bind("[::1]:8000") == ("::1", 8000)


def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    with pytest.raises(CannotStartError) as refused:
        check_folder(folder)
    assert str(refused.value) == (
        f"the data folder {folder} cannot be written (Not a directory); set LABELAPP_DATA to a folder that can"
    )


def test_one_data_folder_serves_one_installation(tmp_path: Path) -> None:
    with (
        only_one(tmp_path),
        pytest.raises(CannotStartError, match="is running on"),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass


def test_a_long_data_folder_gets_a_short_private_socket(tmp_path: Path) -> None:
    short = Path("/run/labelapp/broker.sock")
    assert socket_path(short) == short
    long = tmp_path / ("long" * 30) / "broker.sock"
    path = socket_path(long)
    assert path == socket_path(long)
    assert len(os.fsencode(path)) <= supervisor.SOCKET_PATH_BYTES
    assert path.parent.stat().st_mode & 0o077 == 0
    path.parent.rmdir()


def test_a_log_that_has_grown_large_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    quick = child(tmp_path, "quick", "print('new')")
    quick.log.write_text("something old")
    quick.start()
    wait_until(quick.has_ended, "the end of a print", 10)
    assert quick.last_words() == "new"
    assert (tmp_path / "quick.old.log").read_text() == "something old"
