"""What the emulator received, in order, for tests and for the curious.

Knows requests as facts. Never holds a token: credential values are replaced before they get here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, overload


@dataclass(frozen=True)
class Entry:
    """One received request.

    Parameters
    ----------
    number : int
        Position in the journal, from 0.
    time : float
        Emulator time, [s] since 1970-01-01 UTC.
    origin : str
        ``"api"`` or ``"storage"``: which of the two ports received it.
    service : str
        Emulated service, ``"storage"`` for the second origin, ``""`` when no service matched.
    method, path : str
        As received; the path is complete (``"/api/v1/pointclouds"``) and without the query.
    query : Mapping of str to str
        Query parameters, credential values replaced by ``"[redacted]"``.
    status : int
        Status of the answer, 0 when the connection was closed without one.
    range : str or None
        The Range header.
    carried_token : bool
        Whether a credential came along, in a header or in the query.
    fault : str or None
        Name of the fault that was injected.
    bytes_sent : int
        [byte] of body handed to the socket so far.
    bytes_received : int
        [byte] of the request's body.
    operation : str
        What was asked for, where one path takes every request (GraphQL); else empty.
    """

    number: int
    time: float
    origin: str
    service: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    range: str | None = None
    carried_token: bool = False
    fault: str | None = None
    bytes_sent: int = 0
    bytes_received: int = 0
    operation: str = ""


_FIELDS = {f.name for f in fields(Entry)}


class Journal(Sequence[Entry]):
    """The received requests, oldest first; safe to read while the emulator runs."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        with self._lock:
            return self._entries[index]

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(self._entries.copy())

    def where(self, **criteria: Any) -> list[Entry]:
        """Return the entries that match every criterion.

        A criterion is a field of `Entry`. Text is a pattern with ``*`` and ``?``, everything else
        must be equal: ``journal.where(origin="storage", path="*/5310/*", status=206)``.
        """
        unknown = sorted(criteria.keys() - _FIELDS)
        if unknown:
            raise ValueError(
                f"the journal has no field {unknown[0]!r}; it has {', '.join(sorted(_FIELDS))}"
            )
        return [entry for entry in self if all(_fits(entry, *c) for c in criteria.items())]

    def clear(self) -> None:
        """Forget every entry."""
        with self._lock:
            self._entries.clear()

    def add(self, entry: Entry) -> int:
        """Append `entry` under the next number and return that number."""
        with self._lock:
            number = len(self._entries)
            self._entries.append(replace(entry, number=number))
            return number

    def count_bytes(self, number: int, sent: int) -> None:
        """Add `sent` [byte] to the entry with this number, if it is still there."""
        with self._lock:
            if number < len(self._entries):
                entry = self._entries[number]
                self._entries[number] = replace(entry, bytes_sent=entry.bytes_sent + sent)


def _fits(entry: Entry, name: str, wanted: Any) -> bool:
    value = getattr(entry, name)
    if isinstance(wanted, str) and isinstance(value, str):
        return fnmatchcase(value, wanted)
    return bool(value == wanted)
