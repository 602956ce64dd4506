"""`deploy/bootstrap.py`: what a person meets on a machine that has less than expected."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import bootstrap
from deploy.bootstrap import PipSettings

ROOT = Path(__file__).resolve().parent.parent.parent
UNREACHABLE = "http://127.0.0.1:9/simple"
SMALL = """\
six==1.17.0 \\
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the set-up needs, with a lock of one small package."""
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / "deploy/bootstrap.py", folder / "deploy")
    shutil.copy(ROOT / "requirements/installer.lock", folder / "requirements")
    for level in ("runtime", "dev"):
        (folder / "requirements" / f"{level}.lock").write_text(SMALL)
    (tmp_path / "home").mkdir()
    return folder


@pytest.fixture
def without_ensurepip(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH that makes `ensurepip` fail as on a Debian without python3-venv."""
    (tmp_path / "blocked/ensurepip").mkdir(parents=True)
    (tmp_path / "blocked/ensurepip/__init__.py").write_text(
        'raise ImportError("No module named ensurepip")\n'
    )
    return tmp_path / "blocked"


def set_up(checkout: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as a shell would, with an empty home; `-S` hides the packages of the running Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABELAPP_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *options, "deploy/bootstrap.py", "runtime"],
        cwd=checkout,
        env={**kept, "HOME": str(checkout.parent / "home"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("ensurepip", [True, False])
def test_an_empty_checkout_is_set_up_once_and_left_alone_after(
    checkout: Path, without_ensurepip: Path, *, ensurepip: bool
) -> None:
    first = set_up(checkout) if ensurepip else set_up(checkout, "-S", PYTHONPATH=str(without_ensurepip))
    if "urlopen error" in first.stderr:
        pytest.skip("the package index cannot be reached")
    if not ensurepip and "no package index gave" in first.stderr:
        pytest.skip("no configured package index has pip, and without ensurepip it comes from there")
    assert (first.returncode, first.stderr) == (0, "")
    version = [str(checkout / ".venv/bin/python"), "-c", "import six; print(six.__version__)"]
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout == "1.17.0\n"
    made = (checkout / ".venv/.labelapp-setup").stat().st_mtime_ns

    second = set_up(checkout)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert (checkout / ".venv/.labelapp-setup").stat().st_mtime_ns == made

    (checkout / "requirements/runtime.lock").write_text("# changed\n" + SMALL)
    third = set_up(checkout)
    assert third.returncode == 0
    assert "installing 1 packages" in third.stdout


def test_without_ensurepip_pip_and_index_one_line_names_the_package(
    checkout: Path, without_ensurepip: Path
) -> None:
    result = set_up(
        checkout,
        "-S",
        PYTHONPATH=str(without_ensurepip),
        PIP_INDEX_URL=UNREACHABLE,
        PIP_CONFIG_FILE=os.devnull,
    )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "apt-get install python3-venv" in result.stderr


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(checkout / ".venv"))

    _point_at(checkout, monkeypatch)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(bootstrap.SetupError) as refused:
        bootstrap.set_up("runtime")
    assert str(refused.value) == f"no permission to write {checkout / '.venv'}; use a folder of your own"


def test_the_development_level_is_never_taken_away_again(
    monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> None:
    _point_at(checkout, monkeypatch)
    installed: list[str] = []
    monkeypatch.setattr(bootstrap, "_make_venv", lambda: (checkout / ".venv").mkdir(exist_ok=True))
    monkeypatch.setattr(bootstrap, "_ensure_pip", lambda: None)
    monkeypatch.setattr(bootstrap, "_install", lambda lock: installed.append(lock.name))
    bootstrap.set_up("dev")
    (checkout / "requirements/dev.lock").write_text("# changed\n" + SMALL)
    bootstrap.set_up("runtime")
    assert installed == ["dev.lock", "dev.lock"]


def test_the_environment_wins_over_the_files_of_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_these_settings(monkeypatch, tmp_path)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror.example/simple\nextra_index_url =\n  https://a.example/\n"
        "  https://b.example/\n[install]\ncert = /ca.pem\n"
    )
    settings = PipSettings.read()
    assert settings.indexes() == ["https://mirror.example/simple", "https://a.example/", "https://b.example/"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert PipSettings.read().indexes()[0] == "https://other.example/simple"
    assert PipSettings.read().get("cert") == "/ca.pem"


def test_uv_is_told_what_pip_was_told(tmp_path: Path) -> None:
    settings = PipSettings(
        {
            "index-url": "https://mirror.example/simple",
            "extra-index-url": "\nhttps://a.example/\nhttps://b.example/",
            "find-links": f"{tmp_path} {tmp_path}/not-there",
            "trusted-host": "mirror.example",
            "cert": "/ca.pem",
            "timeout": "90",
        }
    )
    assert settings.for_uv() == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/ https://b.example/",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_INSECURE_HOST": "mirror.example",
        "UV_HTTP_TIMEOUT": "90",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_without_settings_there_is_no_index() -> None:
    assert PipSettings({}).indexes() == []
    assert PipSettings({"no-index": "true"}).indexes() == []


def test_a_pip_wheel_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_these_settings(monkeypatch, tmp_path)
    page = tmp_path / "simple/pip"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="../../{bootstrap.PIP_WHEEL}#sha256=0">pip</a>')
    (tmp_path / bootstrap.PIP_WHEEL).write_bytes(b"something else")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    with pytest.raises(ValueError, match="another hash than the pinned one"):
        bootstrap._install_pip_wheel()


def test_a_password_of_the_index_is_not_shown() -> None:
    shown = bootstrap._without_password("https://carol:secret@mirror.example/simple/pip/")
    assert shown == "https://mirror.example/simple/pip/"


def test_the_locks_pin_every_package_by_hash_and_name_no_index() -> None:
    for name in ("installer", "runtime", "dev"):
        text = (ROOT / "requirements" / f"{name}.lock").read_text()
        pins = [line for line in text.splitlines() if line[:1].isalnum()]
        assert [pin for pin in pins if "==" not in pin] == []
        assert text.count("\n    --hash=sha256:") >= len(pins)
        assert [
            word for word in ("://", "--index-url", "--extra-index-url", "--find-links") if word in text
        ] == []


def test_the_development_lock_holds_the_runtime_lock_unchanged() -> None:
    runtime, dev = (_pins(ROOT / "requirements" / f"{level}.lock") for level in ("runtime", "dev"))
    assert {name: dev.get(name) for name in runtime} == runtime


def test_with_a_fitting_stamp_no_process_is_started(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    _point_at(checkout, monkeypatch)
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").touch()
    bootstrap.STAMP.write_text(bootstrap._stamp("runtime"))
    started: list[object] = []
    monkeypatch.setattr(bootstrap, "_run", lambda *words: started.append(words))
    bootstrap.set_up("runtime")
    assert started == []


def _pins(lock: Path) -> dict[str, str]:
    lines = [line.split("\\")[0].split(";")[0].strip() for line in lock.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line[:1].isalnum())


def _point_at(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", checkout)
    monkeypatch.setattr(bootstrap, "VENV", checkout / ".venv")
    monkeypatch.setattr(bootstrap, "PYTHON", checkout / ".venv/bin/python")
    monkeypatch.setattr(bootstrap, "STAMP", checkout / ".venv/.labelapp-setup")


def _only_these_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """pip's settings are those of `folder/pip.conf` and of variables set from here on."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(bootstrap, "_pip_files", lambda: [folder / "pip.conf"])
