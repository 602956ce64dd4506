"""What the environment becomes, and which line a wrong setting gets."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from labelapp.env import env_database, env_flag, is_loopback, weakness_of


def test_a_database_url_becomes_an_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:p%40ss@db:5433/labels?sslmode=require")
    monkeypatch.delenv("LABELAPP_LOCK_TIMEOUT", raising=False)
    entry = env_database(folder=tmp_path)
    assert (entry["NAME"], entry["USER"], entry["PASSWORD"], entry["HOST"], entry["PORT"]) == (
        "labels",
        "ann",
        "p@ss",
        "db",
        "5433",
    )
    assert entry["OPTIONS"] == {"connect_timeout": 5, "sslmode": "require"}


def test_a_web_process_waits_only_so_long_for_a_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann@db/labels")
    monkeypatch.setenv("LABELAPP_LOCK_TIMEOUT", "10s")
    assert env_database(folder=tmp_path)["OPTIONS"]["options"] == "-c lock_timeout=10s"


@pytest.mark.parametrize("url", ["mysql://db/labels", "postgresql://db", "labels"])
def test_another_database_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        env_database(folder=tmp_path)


def test_a_flag_is_yes_or_no_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "maybe")
    with pytest.raises(ImproperlyConfigured, match="DEBUG"):
        env_flag("DEBUG")


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:1", True),
        ("[::1]:8000", True),
        ("0.0.0.0:8000", False),
        (":8000", False),
    ],
)
def test_what_only_this_machine_can_reach(bind: str, *, expected: bool) -> None:
    assert is_loopback(bind) is expected


@pytest.mark.parametrize(
    ("secret", "weakness"),
    [
        ("", "is not set"),
        ("change-me" * 10, "is a published default"),
        ("short", "has fewer than 50 characters"),
        ("abc" * 30, "repeats too few characters"),
    ],
)
def test_a_weak_secret_is_named(secret: str, weakness: str) -> None:
    assert weakness_of(secret) == weakness
