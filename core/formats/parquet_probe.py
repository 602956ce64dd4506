"""Try a Parquet file in a process of its own, because some damaged ones end the process that reads them.

The C++ library calls abort() on certain contradictions in a footer. A worker, or the web process behind a
preview, must survive that, so a child reads the file to its end first and what kills it is refused.
"""

import contextlib
import resource
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from core.formats.errors import FileError
from core.formats.parquet_rows import ParquetReader
from core.formats.table import DEFAULT_LIMITS

SECONDS = 300
ADDRESS_SPACE_BYTES = 4 * 2**30

_ROOT = Path(__file__).resolve().parents[2]


def probe(file: BinaryIO) -> None:
    """Raise FileError `invalid-parquet` if reading the file ends the child; other faults are left to the reader.

    `file` must have a descriptor. Its position is lost.
    """
    file.seek(0)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "core.formats.parquet_probe"],
            stdin=file,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FileError("invalid-parquet", "The Parquet file takes too long to read.") from error
    if child.returncode != 0:
        raise FileError("invalid-parquet", "The Parquet file is damaged, or needs too much memory.")


def main() -> None:
    """Read standard input to its end, within the memory that a child is given."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(FileError), open(0, "rb", closefd=False) as file:
        for _ in ParquetReader(file, DEFAULT_LIMITS).batches():
            pass


if __name__ == "__main__":
    main()
