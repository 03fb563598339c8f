"""The user's files on their way into a job: names, hashes, and whether they are still the same.

Knows files on disk. Must not know any service.
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from cupixgeo.errors import ArgumentError, JobError
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.job_values import Attachment, SourceFile
from cupixgeo.services.parallel import in_parallel

_CHUNK = 1 << 20
_BATCH = 200
_SEPARATORS = re.compile(r"[/\\:\x00-\x1f\x7f]+")


class Hash(Protocol):
    """What is used of a `hashlib` hash."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        ...

    def hexdigest(self) -> str:
        """Give the hash of all bytes taken, hexadecimal."""
        ...


def gather(paths: Iterable[Path], attachments: Iterable[Attachment] = ()) -> list[SourceFile]:
    """Make the list of files of a job, each with a name no other one has.

    Names have no folders. Where two files of different folders have the same name, regardless of
    case, the folder's name is put before it, then a number behind it.

    Raises
    ------
    ArgumentError
        If a file is missing, is none, or is empty.
    """
    chosen = [(path, "photo", "") for path in paths]
    chosen += [(a.path, a.role, a.name) for a in attachments]
    taken: set[str] = set()
    files = []
    for index, (path, role, name) in enumerate(chosen):
        path = path.expanduser().absolute()
        try:
            facts = path.stat()
        except OSError as error:
            raise ArgumentError(f"{path} cannot be read: {error.strerror}.") from error
        if not path.is_file() or facts.st_size == 0:
            what = "empty" if path.is_file() else "no file"
            raise ArgumentError(f"{path} is {what}: leave it out, or put the real one there.")
        unique = _free_name(path, name or path.name, taken)
        taken.add(_folded(unique))
        files.append(SourceFile(index, path, unique, facts.st_size, role, facts.st_mtime_ns))
    return files


def hash_files(record: LedgerRecord, algorithms: Collection[str], *, workers: int) -> None:
    """Hash all files of a job that have no hashes yet, and write them into the ledger.

    Raises
    ------
    JobError
        If a file is not what it was when the job was planned.
    CancelledError
        On request.
    """
    wanted = {"sha256", *algorithms}
    found: list[tuple[int, int, Mapping[str, str]]] = []
    lock = threading.Lock()

    def work(file: SourceFile) -> None:
        record.check()
        digests = file_digests(file.path, wanted)
        facts = file.path.stat()
        if facts.st_size != file.size:
            raise _changed(file)
        with lock:
            found.append((file.index, facts.st_mtime_ns, digests))
            if len(found) >= _BATCH:
                record.write_digests(found)
                found.clear()

    todo = (file for file in record.intent.files if not wanted <= file.digests.keys())
    in_parallel(todo, work, workers=workers)
    record.write_digests(found)


def file_digests(path: Path, algorithms: Iterable[str]) -> dict[str, str]:
    """Hash a file with several algorithms in one reading.

    Parameters
    ----------
    path : Path
        The file.
    algorithms : iterable of str
        Names `hashlib` knows, and ``"crc32"``.

    Returns
    -------
    dict of str to str
        Lower-case hexadecimal, by algorithm.

    Raises
    ------
    JobError
        If it cannot be read.
    """
    hashes: dict[str, Hash] = {
        name: Crc32() if name == "crc32" else hashlib.new(name, usedforsecurity=False)
        for name in algorithms
    }
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                for total in hashes.values():
                    total.update(chunk)
    except OSError as error:
        raise JobError(
            f"{path} cannot be read ({error.strerror}). Put it back, then resume the job."
        ) from error
    return {name: total.hexdigest() for name, total in hashes.items()}


def check_unchanged(record: LedgerRecord) -> None:
    """Make sure that the files on disk are those the job was planned with.

    Raises
    ------
    JobError
        If one is missing, or its content is another.
    """
    for file in record.intent.files:
        record.check()
        try:
            facts = file.path.stat()
        except OSError as error:
            raise JobError(
                f"{file.path} is not there any more ({error.strerror}), and the upload is not "
                "finished. Put it back, then resume the job."
            ) from error
        if facts.st_size == file.size and facts.st_mtime_ns == file.mtime_ns:
            continue
        same_size = facts.st_size == file.size
        if not same_size or file_digests(file.path, ["sha256"])["sha256"] != file.digests["sha256"]:
            raise _changed(file)


class Crc32:
    """The checksum of zip archives, with the manners of a `hashlib` hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        """Give the checksum as eight hexadecimal digits."""
        return f"{self._value:08x}"


def _changed(file: SourceFile) -> JobError:
    return JobError(
        f"{file.path} is another file than the one the job was planned with. Put that one back and "
        "resume the job, or plan a new one: half of each would be uploaded."
    )


def _free_name(path: Path, name: str, taken: set[str]) -> str:
    for candidate in _candidates(path, name):
        if _folded(candidate) not in taken:
            return candidate
    raise AssertionError("names with numbers never run out")


def _candidates(path: Path, name: str) -> Iterator[str]:
    plain = _SEPARATORS.sub("_", unicodedata.normalize("NFC", name))
    yield plain
    with_folder = _SEPARATORS.sub("_", f"{path.parent.name}_{plain}")
    yield with_folder
    stem, dot, suffix = with_folder.rpartition(".")
    number = 2
    while True:
        yield f"{stem}-{number}{dot}{suffix}" if dot else f"{with_folder}-{number}"
        number += 1


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
