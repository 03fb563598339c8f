"""The ledger's lists: files of a job, items to send, parts that are sent.

Rows are read as they are needed: a job of 20,000 photos takes no more memory than one of twenty.
Must not know what is done with them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

from cupixgeo.services.database import Database
from cupixgeo.services.job_values import SourceFile
from cupixgeo.services.upload_values import Part, Receipt, Sent, UploadItem

_PAGE = 500
_KEPT = 256


class Files(Sequence[SourceFile]):
    """The files of a job, read from the ledger.

    Parameters
    ----------
    database : Database
        The ledger's.
    job_id : str
        Which job.
    count : int
        How many there are.
    """

    def __init__(self, database: Database, job_id: str, count: int) -> None:
        self._database = database
        self._job = job_id
        self._count = count
        self._read = lru_cache(_KEPT)(self._row)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> SourceFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SourceFile]: ...
    def __getitem__(self, index: int | slice) -> SourceFile | Sequence[SourceFile]:
        if isinstance(index, slice):
            return [self._read(number) for number in range(*index.indices(self._count))]
        number = index + self._count if index < 0 else index
        if not 0 <= number < self._count:
            raise IndexError(f"the job has {self._count} files, none of number {index}")
        return self._read(number)

    def __iter__(self) -> Iterator[SourceFile]:
        at = -1
        while rows := self._database.read(
            "SELECT * FROM files WHERE job = ? AND idx > ? ORDER BY idx LIMIT ?",
            self._job, at, _PAGE,
        ):  # fmt: skip
            for row in rows:
                yield _file(row)
            at = rows[-1]["idx"]

    def __repr__(self) -> str:
        return f"<{self._count} files of job {self._job}>"

    def _row(self, number: int) -> SourceFile:
        rows = self._database.read(
            "SELECT * FROM files WHERE job = ? AND idx = ?", self._job, number
        )
        return _file(rows[0])


def insert_files(connection: sqlite3.Connection, job_id: str, files: Iterable[SourceFile]) -> None:
    """Write the files of a job."""
    connection.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                *(job_id, file.index, str(file.path), file.name, file.size, file.role),
                *(file.mtime_ns, json.dumps(dict(file.digests)), file.width, file.height),
            )
            for file in files
        ),
    )


def write_digests(
    connection: sqlite3.Connection,
    job_id: str,
    digests: Iterable[tuple[int, int, Mapping[str, str]]],
) -> None:
    """Write hashes of files: index, time of last change [ns], and digests by algorithm."""
    connection.executemany(
        "UPDATE files SET mtime_ns = ?, digests = ? WHERE job = ? AND idx = ?",
        ((mtime_ns, json.dumps(dict(found)), job_id, index) for index, mtime_ns, found in digests),
    )


@dataclass(frozen=True)
class Waiting:
    """A part that still has to be sent.

    Parameters
    ----------
    item : UploadItem
        Its item; with this part only.
    part : Part
        The part.
    order : int
        Position of the item.
    is_doubtful : bool
        Whether it was being sent when an earlier process ended.
    """

    item: UploadItem
    part: Part
    order: int
    is_doubtful: bool


def insert_items(connection: sqlite3.Connection, job_id: str, items: Iterable[UploadItem]) -> None:
    """Write the items of a job and their parts, all anew."""
    connection.execute("DELETE FROM items WHERE job = ?", (job_id,))
    connection.execute("DELETE FROM parts WHERE job = ?", (job_id,))
    for order, item in enumerate(items):
        connection.execute(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)",
            (job_id, order, item.key, item.name, item.size, item.file),
        )
        connection.executemany(
            "INSERT INTO parts (job, ord, number, offset, size) VALUES (?, ?, ?, ?, ?)",
            ((job_id, order, part.number, part.offset, part.size) for part in item.parts),
        )


_PARTS = (
    "SELECT parts.*, items.key, items.name, items.size AS item_size, items.file FROM parts"
    " JOIN items ON items.job = parts.job AND items.ord = parts.ord WHERE parts.job = ?"
    " AND (parts.ord > ? OR (parts.ord = ? AND parts.number > ?))"
)


def waiting_parts(database: Database, job_id: str) -> Iterator[Waiting]:
    """Yield what has no receipt yet, in order."""
    for row in _pages(database, job_id, " AND parts.state != 'sent'"):
        part = Part(row["number"], row["offset"], row["size"])
        item = UploadItem(row["key"], row["name"], row["item_size"], (part,), row["file"])
        yield Waiting(item, part, row["ord"], row["state"] == "sending")


def sent_parts(database: Database, job_id: str) -> Iterator[Sent]:
    """Yield what has a receipt, in order."""
    for row in _pages(database, job_id, " AND parts.state = 'sent'"):
        part = Part(row["number"], row["offset"], row["size"])
        yield Sent(row["key"], row["name"], part, Receipt(row["etag"], row["ref"]))


def mark_part(
    connection: sqlite3.Connection, job_id: str, waiting: Waiting, receipt: Receipt | None
) -> bool:
    """Write that a part is about to be sent (no receipt yet), or that it was.

    Returns
    -------
    bool
        Whether its item is whole now.
    """
    values = ("sending", "", "") if receipt is None else ("sent", receipt.etag, receipt.ref)
    connection.execute(
        "UPDATE parts SET state = ?, etag = ?, ref = ? WHERE job = ? AND ord = ? AND number = ?",
        (*values, job_id, waiting.order, waiting.part.number),
    )
    left = connection.execute(
        "SELECT 1 FROM parts WHERE job = ? AND ord = ? AND state != 'sent' LIMIT 1",
        (job_id, waiting.order),
    )
    return left.fetchone() is None


@dataclass(frozen=True)
class Totals:
    """How much of an upload is done: bytes [byte] and items."""

    bytes_done: int
    bytes_total: int
    files_done: int
    files_total: int

    def with_part(self, size: int, *, is_whole: bool) -> Totals:
        """Count one more part of `size` bytes [byte], the last one of its item or not."""
        return Totals(
            self.bytes_done + size,
            self.bytes_total,
            self.files_done + is_whole,
            self.files_total,
        )


def upload_totals(database: Database, job_id: str) -> Totals:
    """Add up what was sent."""
    (row,) = database.read(
        "SELECT coalesce(sum(size), 0) AS total, coalesce(sum(size * (state = 'sent')), 0) AS done,"
        " count(DISTINCT ord) AS items,"
        " count(DISTINCT CASE WHEN state != 'sent' THEN ord END) AS open FROM parts WHERE job = ?",
        job_id,
    )
    return Totals(row["done"], row["total"], row["items"] - row["open"], row["items"])


def _pages(database: Database, job_id: str, condition: str) -> Iterator[Any]:
    order, number = -1, 0
    statement = f"{_PARTS}{condition} ORDER BY parts.ord, parts.number LIMIT ?"
    while rows := database.read(statement, job_id, order, order, number, _PAGE):
        yield from rows
        order, number = rows[-1]["ord"], rows[-1]["number"]


def _file(row: sqlite3.Row) -> SourceFile:
    return SourceFile(
        index=row["idx"],
        path=Path(row["path"]),
        name=row["name"],
        size=row["size"],
        role=row["role"],
        mtime_ns=row["mtime_ns"],
        digests=json.loads(row["digests"]),
        width=row["width"],
        height=row["height"],
    )
