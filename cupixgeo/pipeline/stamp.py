"""What tells a file from another one, and from itself after a change.

Of a file behind an address its server tells: by its size, its ETag and when it was modified. Must
not know what is in it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from cupixgeo.errors import (
    CloudError,
    ConnectionFailedError,
    ServiceError,
    SourceChangedError,
    TransferError,
)
from cupixgeo.formats.opening import OpenFile, RemoteFile, Where, is_address, open_file
from cupixgeo.formats.refusals import unreadable

if TYPE_CHECKING:
    from cupixgeo.net.ranges import FileVersion

T = TypeVar("T")

GONE = frozenset({404, 410})
"""HTTP statuses that say that there is no such file any more."""


class Checked(ABC):
    """What a file was at one moment, to be held against what it is now."""

    @abstractmethod
    def check(self, where: Where, name: str) -> None:
        """Refuse a file that is not what it was.

        Parameters
        ----------
        where : path or str
            The file, or its http(s) address.
        name : str
            What to call it.

        Raises
        ------
        SourceChangedError
            Saying what is different.
        """

    @contextmanager
    def reading(self, where: Where, name: str) -> Iterator[None]:
        """Check the file when reading ends, well or with an error that a change explains.

        Raises
        ------
        SourceChangedError
            It is not what it was.
        """
        with self.explaining(where, name):
            yield
        self.check(where, name)

    @contextmanager
    def explaining(self, where: Where, name: str) -> Iterator[None]:
        """Check the file where what was read of it turns out wrong: a change may explain that.

        Raises
        ------
        SourceChangedError
            It is not what it was.
        """
        try:
            yield
        except ConnectionFailedError:
            raise
        except (CloudError, ServiceError, TransferError):
            self.check(where, name)
            raise


@dataclass(frozen=True)
class FileStamp(Checked):
    """A file as it was at one moment.

    Parameters
    ----------
    inode : int
        Number of the file on its disk: another where the name was given to another file.
    size_bytes : int
        [byte]
    changed_ns : int
        When its content was written last [ns since 1970].
    """

    inode: int
    size_bytes: int
    changed_ns: int

    @property
    def mark(self) -> int:
        """What changes with the content, besides the size."""
        return self.changed_ns

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> FileStamp:
        """Look at a file; links are followed.

        Raises
        ------
        CloudError
            It is not there, or may not be looked at.
        """
        try:
            status = os.stat(path)
        except OSError as error:
            raise unreadable(Path(path), error) from error
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)

    def elsewhere(self, path: str | os.PathLike[str]) -> FileStamp:
        """Give the stamp as another machine has it: there a file may have another inode.

        Raises
        ------
        CloudError
            The file is not there.
        """
        return replace(self, inode=FileStamp.of(path).inode)

    def check(self, where: Where, name: str) -> None:
        """See `Checked.check`."""
        try:
            now = FileStamp.of(where)
        except CloudError as error:
            raise _changed(where, name, "it cannot be found any more") from error
        if now.inode != self.inode:
            raise _changed(where, name, "another file has its name now")
        if now.size_bytes != self.size_bytes:
            raise _changed(where, name, _other_size(self.size_bytes, now.size_bytes))
        if now.changed_ns != self.changed_ns:
            raise _changed(where, name, "it was written to")


@dataclass(frozen=True)
class AddressStamp(Checked):
    """A file behind an address, as its server described it at one moment.

    Parameters
    ----------
    version : FileVersion
        Without ETag and time a change of the same size goes unnoticed.
    """

    version: FileVersion

    @property
    def size_bytes(self) -> int:
        """Length of the file [byte]."""
        return self.version.size_bytes

    @property
    def mark(self) -> str:
        """What changes with the content, besides the size."""
        return self.version.etag or self.version.modified or ""

    def elsewhere(self, address: Where) -> AddressStamp:
        """Give the stamp as another machine has it: the same."""
        return self

    def compare(self, file: RemoteFile, name: str) -> None:
        """Refuse a file that was opened and is not what it was.

        Raises
        ------
        SourceChangedError
            Saying what is different.
        """
        self._compare(file.version_seen, str(file.path), name)

    def check(self, where: Where, name: str) -> None:
        """Ask the server, and refuse a file that is not what it was.

        A server that does not answer, or not any more because the link has expired, is no reason
        to: it has said with every part of which file it is.

        Raises
        ------
        SourceChangedError
            Saying what is different.
        """
        from cupixgeo.net.ranges import RangeReader
        from cupixgeo.net.secret import redact

        shown = redact(str(where))
        try:
            reader = RangeReader(str(where), first_bytes=1)
        except ServiceError as error:
            if error.status in GONE:
                raise _changed(shown, name, "it cannot be found any more") from error
            return
        except TransferError:
            return
        reader.close()
        self._compare(reader.version, shown, name)

    def _compare(self, now: FileVersion, shown: str, name: str) -> None:
        if self.version.is_followed_by(now):
            how = "its server says that it is another version"
            if now.size_bytes != self.size_bytes:
                how = _other_size(self.size_bytes, now.size_bytes)
            raise _changed(shown, name, how)


Stamp: TypeAlias = FileStamp | AddressStamp


def open_stamped(where: Where) -> tuple[OpenFile, Stamp]:
    """Open a file, and remember what it was then.

    Parameters
    ----------
    where : path or str
        A file on this machine, or its http(s) address.

    Raises
    ------
    CloudError
        The file is missing or may not be read.
    ServiceError, TransferError
        The server does not give it.
    """
    if not is_address(where):
        stamp = FileStamp.of(where)
        return open_file(where), stamp
    file = open_file(where)
    assert isinstance(file, RemoteFile)
    return file, AddressStamp(file.version_seen)


def open_again(where: Where, stamp: Stamp, name: str) -> OpenFile:
    """Open a file that was looked at before.

    Parameters
    ----------
    where : path or str
        The file, or its http(s) address.
    stamp : FileStamp or AddressStamp
        What it was then.
    name : str
        What to call it.

    Raises
    ------
    SourceChangedError
        It is not what it was.
    CloudError, ServiceError, TransferError
        As `open_stamped`.
    """
    if isinstance(stamp, FileStamp):
        stamp.check(where, name)
        return open_file(where)
    file = open_file(where)
    assert isinstance(file, RemoteFile)
    try:
        stamp.compare(file, name)
    except SourceChangedError:
        file.close()
        raise
    return file


def _changed(where: str | os.PathLike[str], name: str, how: str) -> SourceChangedError:
    return SourceChangedError(
        f"{name} changed while it was read: {how} ({where}). Start again when nothing writes to "
        "it any more, or work on a copy."
    )


def _other_size(before: int, now: int) -> str:
    return f"it had {before:,} bytes and has {now:,} now"


def naming_the_source(items: Iterator[T], path: Path) -> Iterator[T]:
    """Hand items on; a system's error while reading them names the file they are read from.

    Raises
    ------
    CloudError
        The file cannot be read.
    """
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except OSError as error:
            raise unreadable(path, error) from error
        yield item
