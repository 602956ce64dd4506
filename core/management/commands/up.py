"""Start the whole installation: database, demo, broker, worker and web server."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from core.services.account import first_sign_in_link
from labelapp.supervisor import (
    BROKER,
    WEB,
    WORKER,
    CannotStartError,
    Child,
    Supervisor,
    broker_command,
    check_folder,
    check_port,
    only_one,
    reachable,
    socket_path,
    split_bind,
    valkey_program,
    web_command,
    worker_command,
)


class Command(BaseCommand):
    """Check, migrate, seed, start, watch; end everything on Ctrl-C."""

    help = "Start labelapp: database, demo, broker, worker and web server. Ctrl-C ends all of them."
    requires_system_checks = ()
    _link: str | None = None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Two switches; everything else comes from the environment."""
        parser.add_argument("--bind", help="address to listen on, host:port (else LABELAPP_BIND)")
        parser.add_argument(
            "--no-worker", action="store_true", help="leave background work to other machines"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal; a reason not to start is one line and exit code 1."""
        if options["bind"] and options["bind"] != settings.BIND:
            _start_again_with(options["bind"])
        try:
            code = self._run(with_worker=not options["no_worker"])
        except CannotStartError as error:
            sys.exit(f"labelapp: {error}")
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)

    def _run(self, *, with_worker: bool) -> int:
        started = time.monotonic()
        os.umask(0o077)  # what is written from here on, by the children too, is for this user alone
        check_folder(settings.DATA_DIR)
        check_port(settings.BIND)
        with only_one(settings.DATA_DIR):
            _check_database()
            self._say(_check_broker())
            self._migrate()
            call_command("collectstatic", verbosity=0, interactive=False)
            call_command("demo", "--once", stdout=self.stdout)
            connection.close()
            supervisor = Supervisor(_children(with_worker=with_worker), self._say)
            code = supervisor.run(
                settings.BIND, lambda: self._welcome(time.monotonic() - started), meanwhile=self._prepare_link
            )
        self._say("ended" if code == 0 else "gave up")
        return code

    def _say(self, text: str) -> None:
        if text:
            self.stdout.write(text)
            self.stdout.flush()

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            self._say(f"database: applying {len(plan)} migrations")
            call_command("migrate", verbosity=0, interactive=False)

    def _prepare_link(self) -> None:
        self._link = first_sign_in_link()
        connection.close()

    def _welcome(self, seconds: float) -> None:
        host, port = split_bind(settings.BIND)
        shown = reachable(host)
        address = settings.PUBLIC_URL or f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        self._say(f"labelapp is ready after {seconds:.1f} s: {address}/")
        if self._link:
            self._say(f"First lead, sign in here once: {address}{self._link}")
        self._say(f"Logs: {settings.DATA_DIR / 'logs'}    Ctrl-C ends everything.")


def _start_again_with(bind: str) -> None:
    """Run this command anew, so that the settings judge the secret by the address really used."""
    os.environ["LABELAPP_BIND"] = bind
    words = [word for word in sys.argv[1:] if word == "--no-worker"]
    os.execv(sys.executable, [sys.executable, sys.argv[0], "up", *words])  # noqa: S606 -- no shell is meant


def _check_database() -> None:
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        place = (
            f"{connection.settings_dict['HOST'] or 'local socket'}:{connection.settings_dict['PORT'] or 5432}"
        )
        named = f"at {place} (DATABASE_URL)" if connection.vendor == "postgresql" else "in the data folder"
        raise CannotStartError(f"the database {named} cannot be reached: {reason}") from None


def _check_broker() -> str:
    """A sentence when the shared broker is away: pages work without it, only background work waits."""
    if not settings.REDIS_URL:
        return ""
    import redis  # noqa: PLC0415 -- slow import

    url = settings.REDIS_URL.replace("redis+socket://", "unix://", 1)  # kombu's word for it, and redis-py's
    try:
        redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2).ping()
    except (redis.RedisError, ValueError, OSError):
        place = urlsplit(settings.REDIS_URL).hostname or "the given socket"
        return f"broker: {place} (REDIS_URL) cannot be reached; background work waits until it can"
    return ""


def _children(*, with_worker: bool) -> list[Child]:
    """What to start, in order: the private broker unless `REDIS_URL` names one, web server, worker."""
    data: Path = settings.DATA_DIR
    path = socket_path(settings.BROKER_SOCKET)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "labelapp.settings",
        "LABELAPP_DATA": str(data),
        "LABELAPP_BROKER_SOCKET": str(path),
        "PYTHONUNBUFFERED": "1",
    }

    def child(name: str, command: list[str]) -> Child:
        return Child(name, command, environment, data / "logs" / f"{name}.log", settings.BASE_DIR)

    children = [child(WEB, web_command(settings.BIND))]
    if not settings.REDIS_URL:
        children.insert(0, child(BROKER, broker_command(valkey_program(), data / BROKER, path)))
    if with_worker:
        children.append(child(WORKER, worker_command(data / "beat-schedule")))
        children[-1].waits = True
    return children
