"""Where tiles are kept: a folder, or a place in an object store.

Whatever gets a name there is whole. Knows file systems. Must not know tiles.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from cupixgeo.atomic import atomic_output, check_output, output_error
from cupixgeo.errors import MissingExtraError, OutputError

LOCAL = "file://"


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
        try:
            fsspec: Any = import_module("fsspec")
            # Other machines write there: what was listed a moment ago need not be true.
            self._files, root = fsspec.core.url_to_fs(self.address, use_listings_cache=False)
        except ImportError as error:
            raise MissingExtraError(
                f"writing to {protocol}:// needs fsspec and its driver: {error}. Install both, for "
                "s3:// with: pip install fsspec s3fs"
            ) from error
        except ValueError as error:
            raise OutputError(f"cannot write to {address}: {error}.") from error
        self._root = PurePosixPath(root)

    def prepare(self) -> None:
        """See `Store.prepare`."""
        self.sizes()

    def sizes(self) -> dict[str, int]:
        """See `Store.sizes`."""
        with self._errors("") as root:
            if not self._files.exists(root):
                return {}
            found = self._files.ls(root, detail=True)
        return {PurePosixPath(entry["name"]).name: int(entry["size"] or 0) for entry in found}

    def size(self, name: str) -> int | None:
        """See `Store.size`."""
        with self._errors(name) as file:
            return int(self._files.size(file)) if self._files.isfile(file) else None

    def read(self, name: str) -> bytes | None:
        """See `Store.read`."""
        with self._errors(name) as file:
            return bytes(self._files.cat_file(file)) if self._files.isfile(file) else None

    def write(self, name: str, data: bytes) -> None:
        """See `Store.write`."""
        with self._errors(name) as file:
            self._files.pipe_file(file, data)

    @contextmanager
    def output(self, name: str) -> Iterator[Path]:
        """See `Store.output`."""
        with (
            tempfile.TemporaryDirectory(prefix="cupixgeo-") as folder,
            self._errors(name) as target,
        ):
            file = Path(folder) / PurePosixPath(name).name
            yield file
            self._files.put_file(os.fspath(file), target)

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        with self._errors(name) as place:
            if self._files.exists(place):
                self._files.rm(place, recursive=True)

    def remains(self, start: str) -> list[str]:
        """See `Store.remains`: what is not whole has no name there."""
        return []

    @contextmanager
    def _errors(self, name: str) -> Iterator[str]:
        """Give the place of a name; what the store answers is said in our words."""
        place = str(self._root / name)
        try:
            yield place
        except OutputError:
            raise
        except OSError as error:
            raise output_error(error, Path(place)) from error


def open_store(to: str | os.PathLike[str]) -> Store:
    """Take a path or an fsspec address for the place it names."""
    text = os.fspath(to)
    if text.startswith(LOCAL):
        return FolderStore(Path(text.removeprefix(LOCAL)))
    return ObjectStore(text) if "://" in text else FolderStore(Path(text))
