"""Read the environment, and fail loudly: a wrong setting is one clear line, never a guess."""

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SHORTEST_SECRET = 50
# Keys that stand in public code or documentation, and the words people leave in place of one.
PUBLISHED_SECRETS = (
    "change-me",
    "changeme",
    "change_me",
    "django-insecure",
    "temporary_key",
    "your_secret_key",
    "thisismyscretkey",
    "secret-key",
    "v(8(ps5)xfb#1d!(9u)2$0!9w#-",
    "$(fefwefwef13;lfk",
    "v8sk33sy82!uw3ty=!jjv5vp7=s2phrzw(m(hrn^f7e_#1h2al",
    "default_secret",
)


def env_text(name: str, default: str = "") -> str:
    """The variable without surrounding blanks, or the default when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def env_flag(name: str, *, default: bool = False) -> bool:
    """A yes/no variable; anything but the usual spellings is refused."""
    text = env_text(name).lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    if text:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {text!r}")
    return default


def env_list(name: str, default: list[str]) -> list[str]:
    """A comma-separated variable."""
    text = env_text(name)
    return [part.strip() for part in text.split(",") if part.strip()] if text else default


def env_folder(name: str, default: Path) -> Path:
    """A folder for the embedded default's files; it need not exist yet."""
    return Path(env_text(name, str(default))).expanduser().absolute()


def is_loopback(bind: str) -> bool:
    """Whether ``host:port`` can be reached from this machine only."""
    host = bind.rsplit(":", 1)[0].strip("[]") if ":" in bind else bind
    if host in {"localhost", ""}:
        return host == "localhost"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def weakness_of(secret: str) -> str | None:
    """Why a secret key must not protect a public server, or None when it may."""
    if not secret:
        return "is not set"
    folded = secret.lower()
    if any(known in folded for known in PUBLISHED_SECRETS):
        return "is a published default"
    if len(secret) < SHORTEST_SECRET:
        return f"has fewer than {SHORTEST_SECRET} characters"
    if len(set(secret)) < 10:  # noqa: PLR2004 -- fewer distinct characters than a random key ever has
        return "repeats too few characters"
    return None


def env_secret(*, folder: Path, public: bool) -> str:
    """The secret key.

    On loopback an absent key is made once and kept in ``folder`` (mode 600). Where others can
    reach the server (``public``) a weak or absent key is refused.
    """
    secret = env_text("SECRET_KEY")
    weakness = weakness_of(secret)
    if public and weakness:
        raise ImproperlyConfigured(
            f"SECRET_KEY {weakness}, and this server can be reached from other machines. Set SECRET_KEY "
            f"to at least {SHORTEST_SECRET} random characters, for example: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(64))"'
        )
    return secret or _kept_secret(folder / "secret_key")


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(64)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(made)
    except FileExistsError:
        return path.read_text().strip() or _fail_empty(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {path.parent} cannot be written ({error.strerror}). "
            "Set LABELAPP_DATA to a folder that can."
        ) from error
    return made


def _fail_empty(path: Path) -> str:
    raise ImproperlyConfigured(f"{path} is empty. Delete it; a new key is made at the next start.")


def env_database(*, folder: Path) -> dict[str, Any]:
    """Django's database entry: ``DATABASE_URL`` (PostgreSQL), else SQLite in ``folder``.

    SQLite runs in WAL mode, takes its write lock at the start of a transaction (IMMEDIATE: no
    "database is locked" half-way), and syncs every commit (FULL: acknowledged is durable).
    """
    url = env_text("DATABASE_URL")
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / "labelapp.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must look like postgresql://user:password@host:5432/name")
    options: dict[str, Any] = {"connect_timeout": 5, **dict(parse_qsl(parts.query))}
    wait = env_text("LABELAPP_LOCK_TIMEOUT")
    if wait:
        options.setdefault("options", f"-c lock_timeout={wait}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,
        "OPTIONS": options,
    }
