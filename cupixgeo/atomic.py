"""Files that appear whole or not at all.

Output is written beside its final name and renamed when it is complete. A failure, a
cancellation and Ctrl-C remove the partial file; an existing file of that name stays as it was.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cupixgeo.errors import DiskFullError, OutputError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers that mean the file cannot grow: disk full, quota, file-size limit."""


@contextmanager
def atomic_output(to: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `to`; rename it to `to` when the block ends well.

    Parameters
    ----------
    to : path
        Final name. Its folder must exist.

    Yields
    ------
    Path
        A name in the same folder that does not exist yet.

    Raises
    ------
    OutputError
        The folder is missing, or the file cannot be written.
    DiskFullError
        The file system has no room left.
    """
    final = Path(to)
    check_output(final)
    partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, final)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise output_error(error, final) from error
    finally:
        partial.unlink(missing_ok=True)


def check_output(to: Path) -> None:
    """Refuse an output that cannot be written, before any work is done for it.

    Raises
    ------
    OutputError
        The folder does not exist, is not a folder, or `to` is a folder itself.
    """
    if to.is_dir():
        raise OutputError(f"cannot write {to}: it is a folder. Give a file name inside it.")
    if not to.parent.is_dir():
        raise OutputError(
            f"cannot write {to}: the folder {to.parent} does not exist. "
            "Create it first, or choose another output."
        )


def output_error(error: OSError, to: Path) -> OutputError:
    """Turn the system's error about `to` into ours, naming the file and the remedy."""
    if error.errno in NO_ROOM:
        return DiskFullError(
            f"no room left while writing {to} ({error.strerror}). Free some space or choose "
            "an output on another disk; nothing was kept under that name."
        )
    if isinstance(error, FileNotFoundError) and not to.parent.is_dir():
        return OutputError(
            f"cannot write {to}: the folder {to.parent} was removed meanwhile. Create it and start "
            "again, or choose another output."
        )
    return OutputError(f"cannot write {to}: {error.strerror or error}.")
