"""Uploads that wait between the preview of a page and its decision: files without a row of their own.

They lie where imports lie; one that nobody decides on is swept away after an hour (services.imports.sweep).
"""

import os
import re
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.conf import settings

from core.exceptions import Invalid, Missing, TooLarge
from core.services.imports import CHUNK_BYTES, import_folder

_NAME = re.compile(r"[0-9a-f]{32}")


def keep_upload(upload: BinaryIO) -> str:
    """Store a file under a random name and return that. Raises Invalid when it is empty, TooLarge."""
    path = import_folder() / uuid4().hex
    try:
        _write(upload, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path.name


def _write(upload: BinaryIO, path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    size = 0
    with os.fdopen(handle, "wb") as file:
        while chunk := upload.read(CHUNK_BYTES):
            size += len(chunk)
            if size > settings.IMPORT_MAX_BYTES:
                raise TooLarge("too-large", f"A file may have {settings.IMPORT_MAX_BYTES:,} bytes.")
            file.write(chunk)
    if not size:
        raise Invalid("empty-file", "The file is empty.")


def open_upload(name: str) -> BinaryIO:
    """The stored file. Raises Missing when it has been swept away."""
    try:
        return _path(name).open("rb")
    except FileNotFoundError:
        raise Missing from None


def drop_upload(name: str) -> None:
    """Remove the stored file."""
    _path(name).unlink(missing_ok=True)


def _path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise Missing
    return import_folder() / name
