"""Make or refresh `.venv` of this checkout from the hashed locks.

    python3 deploy/bootstrap.py runtime|dev

Standard library only, so that it runs on a bare Debian, also one without `ensurepip`. The order is:
`.venv` without pip; pip from `ensurepip`, else from a pip of the running Python, else the wheel whose
hash is pinned below, read from the package index that pip itself is configured to use; then the pinned
uv by pip; then the whole lock by uv, or by pip when uv fails. A second run with the same locks changes
nothing.
"""

import base64
import configparser
import contextlib
import fcntl
import hashlib
import html.parser
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".labelapp-setup"
LEVELS = ("runtime", "dev")
OLDEST_PYTHON = (3, 11)
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
TIMEOUT_SECONDS = 60.0
DEBIAN_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class SetupError(Exception):
    """Something a person must put right; its text is the whole message."""


def main(arguments: list[str]) -> int:
    """Set up the level named in `arguments`; 0 when it stands, 1 after one line on standard error."""
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        print(f"usage: bootstrap.py {'|'.join(LEVELS)}", file=sys.stderr)
        return 2
    try:
        with _only_one_at_a_time():
            set_up(arguments[0])
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


def set_up(wanted: str) -> None:
    """Bring `.venv` to the level `wanted`: "runtime", or "dev", which contains it."""
    if sys.version_info < OLDEST_PYTHON:
        found = sys.version.split()[0]
        raise SetupError(f"Python 3.11 or newer is needed, this is {found}; name another with PYTHON=...")
    stamp = _read_stamp()
    level = "dev" if "dev" in (wanted, stamp.partition(" ")[0]) else wanted
    if stamp == _stamp(level) and PYTHON.exists():
        return
    started = time.monotonic()
    lock = ROOT / "requirements" / f"{level}.lock"
    print(
        f"setup: installing {_pins(lock)} packages into .venv (a few hundred MB the first time)", flush=True
    )
    try:
        _make_venv()
        _ensure_pip()
        _install(lock)
        STAMP.write_text(_stamp(level))
    except PermissionError as error:
        raise SetupError(
            f"no permission to write {error.filename or ROOT}; use a folder of your own"
        ) from None
    except OSError as error:
        raise SetupError(f"cannot write {error.filename or VENV}: {error.strerror}") from None
    print(f"setup: done in {time.monotonic() - started:.0f} s", flush=True)


@contextlib.contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """Hold a lock on the checkout's folder, so that two runs do not install over each other."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _pins(lock: Path) -> int:
    return sum(1 for line in lock.read_text().splitlines() if line[:1].isalnum())


def _read_stamp() -> str:
    with contextlib.suppress(OSError):
        return STAMP.read_text()
    return ""


def _stamp(level: str) -> str:
    """What `.venv` was made from. The folder counts, since a moved `.venv` has wrong paths in its scripts."""
    digest = hashlib.sha256()
    for name in (level, "installer"):
        digest.update((ROOT / "requirements" / f"{name}.lock").read_bytes())
    return f"{level} {digest.hexdigest()} {ROOT}"


def _make_venv() -> None:
    """Create `.venv` without pip, unless a usable one made for this folder is there."""
    stamp = _read_stamp()
    moved = bool(stamp) and not stamp.endswith(f" {ROOT}")
    if _works() and not moved:
        return
    if VENV.is_symlink() or VENV.is_file():
        raise SetupError(f"{VENV} is not a folder; remove it")
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir(exist_ok=True)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(VENV)
    if not _works():
        raise SetupError("the new .venv has no working Python; try: apt-get install python3 python3-venv")


def _works() -> bool:
    probe = "import sys; sys.exit(sys.version_info < (3, 11))"
    return PYTHON.exists() and _run([str(PYTHON), "-c", probe]).returncode == 0


def _run(
    command: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal's input, both outputs captured together as text."""
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


# --- pip -----------------------------------------------------------------------------------------


def _has_pip() -> bool:
    return _run([str(PYTHON), "-m", "pip", "--version"]).returncode == 0


def _ensure_pip() -> None:
    """Put pip into `.venv` by the first of three ways that works."""
    if _has_pip():
        return
    if _run([str(PYTHON), "-m", "ensurepip", "--default-pip"]).returncode == 0 and _has_pip():
        return
    pinned = f"pip=={PIP_WHEEL.split('-')[1]}"
    if importlib.util.find_spec("pip") is not None:
        # The pip of the running Python works on another one's folder, with the user's own configuration.
        _run([sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", pinned])
        if _has_pip():
            return
    try:
        _install_pip_wheel()
    except (OSError, ValueError) as error:
        raise SetupError(
            f"this Python has no ensurepip and no pip, and no package index gave {PIP_WHEEL} ({error}). Install it "
            "with: apt-get install python3-venv, or name an index in pip.conf or PIP_INDEX_URL"
        ) from None


def _install_pip_wheel() -> None:
    """Fetch the pinned pip wheel from the configured index and let it install itself."""
    content = _fetch_pip_wheel(PipSettings.read())
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise ValueError(f"{PIP_WHEEL} from the index has another hash than the pinned one")
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / PIP_WHEEL
        wheel.write_bytes(content)
        result = _run([str(PYTHON), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)])
    if result.returncode != 0:
        raise ValueError(_last_line(result.stdout))


def _fetch_pip_wheel(settings: "PipSettings") -> bytes:
    problems: list[str] = []
    for index in settings.indexes():
        page = f"{index.rstrip('/')}/pip/"
        try:
            links = _Links(page)
            links.feed(_fetch(page, settings).decode("utf-8", "replace"))
            if PIP_WHEEL in links.found:
                return _fetch(links.found[PIP_WHEEL], settings)
            problems.append(f"not listed at {_without_password(page)}")
        except (OSError, ValueError) as error:
            problems.append(f"{_without_password(page)}: {error}")
    raise ValueError("; ".join(problems) or "no index is configured")


class _Links(html.parser.HTMLParser):
    """The files of a package's page on an index (PEP 503): name to address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href")
        if tag == "a" and address:
            absolute = urllib.parse.urldefrag(urllib.parse.urljoin(self.page, address)).url
            self.found[urllib.parse.unquote(absolute.rpartition("/")[2])] = absolute


def _fetch(address: str, settings: "PipSettings") -> bytes:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file":
        path = Path(urllib.request.url2pathname(parts.path))
        return (path / "index.html" if path.is_dir() else path).read_bytes()
    request = urllib.request.Request(_bare(parts), headers={"Accept": "text/html, */*"})
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    context = ssl.create_default_context(cafile=settings.certificates() or None)
    if parts.hostname in settings.get("trusted-host").split():
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as reply:
        content: bytes = reply.read()
    return content


def _bare(parts: urllib.parse.SplitResult) -> str:
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _without_password(address: str) -> str:
    return _bare(urllib.parse.urlsplit(address))


class PipSettings:
    """pip's configuration as pip itself would read it: files from general to particular, then `PIP_*`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def read(cls) -> "PipSettings":
        """The settings of the machine, the user and the environment, later ones winning."""
        values: dict[str, str] = {}
        for path in _pip_files():
            parser = configparser.RawConfigParser()
            try:
                parser.read(path, encoding="utf-8")
            except (OSError, configparser.Error, UnicodeDecodeError):
                continue
            for section in ("global", "install"):
                if parser.has_section(section):
                    values |= {key.replace("_", "-"): value for key, value in parser.items(section)}
        for name, value in os.environ.items():
            if name.startswith("PIP_"):
                values[name.removeprefix("PIP_").lower().replace("_", "-")] = value
        return cls(values)

    def get(self, name: str) -> str:
        """The value of a setting, or an empty string."""
        return self._values.get(name, "").strip()

    def certificates(self) -> str:
        """The file of trusted authorities: the configured one, else the system's, which knows a company's own."""
        return self.get("cert") or (str(DEBIAN_CERTIFICATES) if DEBIAN_CERTIFICATES.exists() else "")

    def forbids_indexes(self) -> bool:
        """Whether only files that are here already may be installed."""
        return self.get("no-index").lower() in ("1", "true", "yes", "on")

    def indexes(self) -> list[str]:
        """The configured package indexes, the main one first; none with `no-index`."""
        if self.forbids_indexes():
            return []
        return [*self.get("index-url").split(), *self.get("extra-index-url").split()]

    def for_uv(self) -> dict[str, str]:
        """The same configuration in uv's words. What the user set for uv is left to win (see `_install`)."""
        words = {
            "UV_DEFAULT_INDEX": self.get("index-url"),
            "UV_INDEX": " ".join(self.get("extra-index-url").split()),
            # pip skips a folder that is not there, uv stops at it.
            "UV_FIND_LINKS": ",".join(place for place in self.get("find-links").split() if _is_there(place)),
            "UV_INSECURE_HOST": " ".join(self.get("trusted-host").split()),
            "UV_HTTP_TIMEOUT": self.get("timeout") or self.get("default-timeout"),
            "SSL_CERT_FILE": self.certificates(),
            "SSL_CLIENT_CERT": self.get("client-cert"),
            "ALL_PROXY": self.get("proxy"),
        }
        return {name: value for name, value in words.items() if value}


def _is_there(place: str) -> bool:
    parts = urllib.parse.urlsplit(place)
    if parts.scheme not in ("", "file"):
        return True
    return Path(urllib.request.url2pathname(parts.path)).expanduser().exists()


def _pip_files() -> list[Path]:
    """Give pip's configuration files in its order of precedence, the last one strongest."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    system = os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
    files = [*(Path(folder, "pip/pip.conf") for folder in reversed(system)), Path("/etc/pip.conf")]
    if not (named and Path(named).exists()):
        home = Path(os.environ.get("HOME") or "/nonexistent")
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        files += [home / ".pip/pip.conf", config / "pip/pip.conf"]
    files.append(Path(sys.prefix, "pip.conf"))
    return [*files, Path(named)] if named else files


# --- packages ------------------------------------------------------------------------------------


def _install(lock: Path) -> None:
    """Install exactly the lock: by uv, or by pip when uv cannot."""
    settings = PipSettings.read()
    _pip_install("--require-hashes", "--requirement", str(ROOT / "requirements" / "installer.lock"))
    command = [str(PYTHON), "-m", "uv", "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes"]
    # pip looks at all indexes for the version asked for. The hashes make that as safe in uv.
    command += ["--index-strategy", "unsafe-best-match"]
    if settings.forbids_indexes():
        command.append("--no-index")
    by_uv = _run([*command, str(lock)], _uv_environment(settings))
    if by_uv.returncode == 0:
        return
    print("setup: the fast installer failed, going on with pip (some minutes)", flush=True)
    by_pip = _pip_install("--require-hashes", "--requirement", str(lock))
    if by_pip.returncode != 0:
        reasons = f"uv: {_last_line(by_uv.stdout)}; pip: {_last_line(by_pip.stdout)}"
        raise SetupError(f"the packages could not be installed; {reasons}")


def _pip_install(*words: str) -> subprocess.CompletedProcess[str]:
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    certificates = PipSettings.read().certificates()
    return _run([*pip, *words], os.environ | ({"PIP_CERT": certificates} if certificates else {}))


def _uv_environment(settings: PipSettings) -> dict[str, str]:
    environment = {**settings.for_uv(), **os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    home = environment.get("HOME") or "/nonexistent"
    cache = Path(environment.get("XDG_CACHE_HOME") or f"{home}/.cache", "uv")
    if "UV_CACHE_DIR" not in environment and not _can_make(cache):
        environment["UV_NO_CACHE"] = "1"
    return environment


def _can_make(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
