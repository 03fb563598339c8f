"""The values of an upload: what is sent, in which parts, and what was given for them.

All are frozen and hold no secret: the ledger keeps them. Must not know any service.
"""

from __future__ import annotations

from dataclasses import dataclass

from cupixgeo.services.job_values import SourceFile


@dataclass(frozen=True)
class Part:
    """A stretch of an item that is sent in one request.

    Parameters
    ----------
    number : int
        From 1, without gaps.
    offset, size : int
        Where it begins in the item and how long it is [byte].
    """

    number: int
    offset: int
    size: int


@dataclass(frozen=True)
class UploadItem:
    """One object at the service: a photo, or an archive of all of them.

    Parameters
    ----------
    key : str
        Unique in the job, and the same whenever the items are listed again.
    name : str
        What progress and messages call it.
    size : int
        [byte]
    parts : tuple of Part
        At least one; together they are the whole item.
    file : int or None
        `SourceFile.index` of the file it is; None where `JobDriver.body` makes it of several.
    """

    key: str
    name: str
    size: int
    parts: tuple[Part, ...]
    file: int | None = None

    @classmethod
    def of_file(cls, file: SourceFile, *, part_bytes: int | None = None) -> UploadItem:
        """Make the item that is one file, in parts of `part_bytes` [byte] or in one."""
        parts = split(file.size, part_bytes or max(1, file.size))
        return cls(f"{file.index}", file.name, file.size, parts, file.index)


def split(size: int, part_bytes: int) -> tuple[Part, ...]:
    """Cut `size` bytes into parts of `part_bytes`, the last one shorter; at least one part."""
    starts = range(0, max(size, 1), part_bytes)
    return tuple(
        Part(number, start, min(part_bytes, size - start)) for number, start in enumerate(starts, 1)
    )


@dataclass(frozen=True)
class Receipt:
    """What the service gave for a part that it has whole. Kept in the ledger.

    Parameters
    ----------
    etag : str
        Entity tag without quotes; empty where there is none.
    ref : str
        The service's id of the object (an image id); empty where there is none. Never a link.
    """

    etag: str = ""
    ref: str = ""


@dataclass(frozen=True)
class Sent:
    """A part that is at the service, with what was given for it.

    Parameters
    ----------
    key, name : str
        Of the item.
    part : Part
        Which part of it.
    receipt : Receipt
        What `JobDriver.send` returned.
    """

    key: str
    name: str
    part: Part
    receipt: Receipt


@dataclass(frozen=True)
class UploadCheck:
    """What the service made of the files it got.

    Parameters
    ----------
    is_ready : bool
        Whether the job can be started.
    done, total : int
        Files it has looked at, and all.
    rejected : tuple of (str, str)
        Name and reason of each file it will not use. They are told, and do not stop the job: a
        driver for which they do raises `JobFailedError`.
    """

    is_ready: bool = True
    done: int = 0
    total: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
