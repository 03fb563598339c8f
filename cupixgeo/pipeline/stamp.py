"""What tells a file from another one, and from itself after a change.

Must not know what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cupixgeo.errors import CloudError, SourceChangedError
from cupixgeo.formats.refusals import unreadable

T = TypeVar("T")


@dataclass(frozen=True)
class FileStamp:
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

    def check(self, path: str | os.PathLike[str], name: str) -> None:
        """Refuse a file that is not what it was.

        Parameters
        ----------
        path : path
            The file.
        name : str
            What to call it.

        Raises
        ------
        SourceChangedError
            Saying what is different.
        """
        try:
            now = FileStamp.of(path)
        except CloudError as error:
            raise self._changed(path, name, "it cannot be found any more") from error
        if now.inode != self.inode:
            raise self._changed(path, name, "another file has its name now")
        if now.size_bytes != self.size_bytes:
            raise self._changed(
                path, name, f"it had {self.size_bytes:,} bytes and has {now.size_bytes:,} now"
            )
        if now.changed_ns != self.changed_ns:
            raise self._changed(path, name, "it was written to")

    @contextmanager
    def reading(self, path: str | os.PathLike[str], name: str) -> Iterator[None]:
        """Check the file when reading ends, well or with an error that a change explains.

        Raises
        ------
        SourceChangedError
            It is not what it was.
        """
        with self.explaining(path, name):
            yield
        self.check(path, name)

    @contextmanager
    def explaining(self, path: str | os.PathLike[str], name: str) -> Iterator[None]:
        """Check the file where what was read of it turns out wrong: a change may explain that.

        Raises
        ------
        SourceChangedError
            It is not what it was.
        """
        try:
            yield
        except CloudError:
            self.check(path, name)
            raise

    @staticmethod
    def _changed(path: str | os.PathLike[str], name: str, how: str) -> SourceChangedError:
        return SourceChangedError(
            f"{name} changed while it was read: {how} ({path}). Start again when nothing writes to "
            "it any more, or work on a copy."
        )


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
