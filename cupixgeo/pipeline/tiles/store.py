"""Where tiles are kept: a folder, or a place in an object store.

Whatever gets a name there is whole. Knows file systems. Must not know tiles.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from cupixgeo.atomic import NO_ROOM, atomic_output, check_output, output_error
from cupixgeo.errors import CupixGeoError, DiskFullError, MissingExtraError, OutputError
from cupixgeo.net.secret import redact

LOCAL = "file://"

KEPT = "What is finished there is kept: the same call goes on from it."

SAID = 300
"""Most characters of what a driver says that are repeated."""

NO_ROOM_WORDS = re.compile(r"QuotaExceeded|InsufficientStorage|EntityTooLarge|\b507\b", re.I)

REMEDIES: tuple[tuple[type[OSError], re.Pattern[str], str], ...] = (
    (
        PermissionError,
        re.compile(
            r"credential|access.?denied|forbidden|unauthori[sz]ed|accesskey|signature|"
            r"(expired|invalid).?token|authenticat|permission|anonymous|\b40[13]\b",
            re.I,
        ),
        "Give every worker credentials that may list, read and write there, the way the driver "
        "looks for them: in its environment, its profile or its instance's role.",
    ),
    (
        FileNotFoundError,
        re.compile(r"NoSuchBucket|(bucket|container).*not.*(exist|found)|\b404\b", re.I),
        "Check the address; the bucket has to be there before.",
    ),
    (
        TimeoutError,
        re.compile(r"time.?out|timed.?out|endpoint|connect|resol|unreachable|\b50[234]\b", re.I),
        f"Check the network, the store's endpoint and any proxy. {KEPT}",
    ),
)
"""Class of an error, or words in its name and text, and what to do about it."""


class Store(Protocol):
    """A place for files, by names that may have one folder in front."""

    address: str
    """Under which all machines find it."""

    def prepare(self) -> None:
        """Make the place, or see that files can be put there.

        Raises
        ------
        OutputError
            They cannot.
        """
        ...

    def sizes(self) -> dict[str, int]:
        """Size of everything that is there [byte], by name, folders included."""
        ...

    def size(self, name: str) -> int | None:
        """Size of a file [byte]; None where there is none."""
        ...

    def read(self, name: str) -> bytes | None:
        """Content of a file; None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, in place of one of that name."""
        ...

    def output(self, name: str) -> Any:
        """Context manager: a path to write to; the file gets its name when the block ends well."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        ...

    def remains(self, start: str) -> list[str]:
        """Names of what processes that were killed have left of files that begin so."""
        ...


class FolderStore:
    """A folder that all machines see.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.address = str(path.resolve())
        self._path = Path(self.address)

    def prepare(self) -> None:
        """See `Store.prepare`."""
        if self._path.is_dir():
            return
        check_output(self._path)
        try:
            self._path.mkdir()
        except OSError as error:
            raise output_error(error, self._path) from error

    def sizes(self) -> dict[str, int]:
        """See `Store.sizes`."""
        if not self._path.is_dir():
            return {}
        with os.scandir(self._path) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}

    def size(self, name: str) -> int | None:
        """See `Store.size`."""
        file = self._path / name
        return file.stat().st_size if file.is_file() else None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        file = self._path / name
        return file.read_bytes() if file.is_file() else None

    def write(self, name: str, data: bytes) -> None:
        """See `Store.write`."""
        (self._path / name).parent.mkdir(exist_ok=True)
        with self.output(name) as partial:
            partial.write_bytes(data)

    @contextmanager
    def output(self, name: str) -> Iterator[Path]:
        """See `Store.output`."""
        with atomic_output(self._path / name) as partial:
            yield partial

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        file = self._path / name
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)

    def remains(self, start: str) -> list[str]:
        """See `Store.remains`."""
        return [path.name for path in self._path.glob(f".{start}*.partial")]


class ObjectStore:
    """A place behind an address of fsspec, such as ``s3://bucket/tiles``.

    Files are written on the worker's own disk and sent when they are whole. Who may write, and
    how, fsspec learns from the worker's surroundings.

    Parameters
    ----------
    address : str
        With its protocol.

    Raises
    ------
    MissingExtraError
        fsspec, or what it needs for this protocol, is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        protocol = address.partition("://")[0]
        with StoreErrors("reach", self.address):
            try:
                fsspec: Any = import_module("fsspec")
                # Other machines write there: what was listed a moment ago need not be true.
                self._files, root = fsspec.core.url_to_fs(self.address, use_listings_cache=False)
            except ImportError as error:
                raise MissingExtraError(
                    f"writing to {protocol}:// needs fsspec and its driver: {error}. Install both, "
                    "for s3:// with: pip install fsspec s3fs"
                ) from error
            except ValueError as error:
                shown = redact(address)
                raise OutputError(f"cannot write to {shown}: {redact(str(error))}.") from error
        self._root = PurePosixPath(root)

    def prepare(self) -> None:
        """See `Store.prepare`."""
        self.sizes()

    def sizes(self) -> dict[str, int]:
        """See `Store.sizes`."""
        with self._place("list") as root:
            if not self._files.exists(root):
                return {}
            found = self._files.ls(root, detail=True)
        return {PurePosixPath(entry["name"]).name: int(entry["size"] or 0) for entry in found}

    def size(self, name: str) -> int | None:
        """See `Store.size`."""
        with self._place("look for", name) as file:
            return int(self._files.size(file)) if self._files.isfile(file) else None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        with self._place("read", name) as file:
            return bytes(self._files.cat_file(file)) if self._files.isfile(file) else None

    def write(self, name: str, data: bytes) -> None:
        """See `Store.write`."""
        with self._place("write", name) as file:
            self._files.pipe_file(file, data)

    @contextmanager
    def output(self, name: str) -> Iterator[Path]:
        """See `Store.output`."""
        try:
            with tempfile.TemporaryDirectory(prefix="cupixgeo-") as folder:
                file = Path(folder) / PurePosixPath(name).name
                yield file
                with self._place("write", name) as target:
                    self._files.put_file(os.fspath(file), target)
        except OutputError:
            raise
        except OSError as error:  # of this machine's own disk
            raise output_error(error, Path(error.filename or name)) from error

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        with self._place("remove", name) as place:
            if self._files.exists(place):
                self._files.rm(place, recursive=True)

    def remains(self, start: str) -> list[str]:
        """See `Store.remains`: what is not whole has no name there."""
        return []

    @contextmanager
    def _place(self, action: str, name: str = "") -> Iterator[str]:
        """Give the place of a name to its driver; what that answers is said in our words."""
        with StoreErrors(action, f"{self.address}/{name}".rstrip("/")):
            yield str(self._root / name)


class StoreErrors:
    """Says in our words what a driver of fsspec raises: whatever comes out is about the store.

    Drivers raise errors of dozens of libraries, which share no root and need not be installed here.
    They are told by what they are called and what they say.

    Parameters
    ----------
    action : str
        What was tried.
    address : str
        With what.

    Raises
    ------
    OutputError
        Naming the address and the remedy; `DiskFullError` where no room is left.
    """

    def __init__(self, action: str, address: str) -> None:
        self._action, self._shown = action, redact(address)

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, (CupixGeoError, MemoryError)):
            raise self._told(error) from error

    def _told(self, error: Exception) -> OutputError:
        said = " ".join(redact(getattr(error, "strerror", None) or str(error)).split())
        said = said if len(said) <= SAID else f"{said[: SAID - 1]}…"
        name = type(error).__name__
        if not isinstance(error, OSError):
            said = f"{name}: {said}" if said else name
        said = (said or name).rstrip(".")
        if getattr(error, "errno", None) in NO_ROOM or NO_ROOM_WORDS.search(said):
            return DiskFullError(
                f"no room left to {self._action} {self._shown}: {said}. Free some space there or "
                f"raise its quota. {KEPT}"
            )
        known = (remedy for kind, words, remedy in REMEDIES if _is(error, kind, words, said))
        remedy = next(known, KEPT)
        return OutputError(f"cannot {self._action} {self._shown}: {said}. {remedy}")


def _is(error: Exception, kind: type[OSError], words: re.Pattern[str], said: str) -> bool:
    return isinstance(error, kind) or words.search(said) is not None


def open_store(to: str | os.PathLike[str]) -> Store:
    """Take a path or an fsspec address for the place it names."""
    text = os.fspath(to)
    if text.startswith(LOCAL):
        return FolderStore(Path(text.removeprefix(LOCAL)))
    return ObjectStore(text) if "://" in text else FolderStore(Path(text))
