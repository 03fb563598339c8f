"""Uploaded bytes on disk: parts as they come, in any order, then one file.

Knows files in a temporary folder of its own. Knows no service, no link and no HTTP.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StoredPart:
    """One uploaded part.

    Parameters
    ----------
    number : int
        Its number, from 1.
    size : int
        [byte].
    md5 : str
        Hash of its bytes, hexadecimal: the ETag an S3 store gives it.
    """

    number: int
    size: int
    md5: str


class Spool:
    """Keeps what was uploaded until the spool itself is forgotten."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="cupixgeo-emulator-"))
        self._parts: dict[str, dict[int, StoredPart]] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def put(self, key: str, number: int, body: bytes) -> StoredPart:
        """Keep a part, in place of an earlier one with the same number.

        Parameters
        ----------
        key : str
            Name of the whole: letters, digits and ``-``.
        number : int
            Number of the part, from 1.
        body : bytes
            Its bytes.
        """
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        part = StoredPart(number, len(body), digest)
        self._path(key, number).write_bytes(body)
        with self._lock:
            self._parts.setdefault(key, {})[number] = part
        return part

    def parts(self, key: str) -> dict[int, StoredPart]:
        """Return the parts that are there, by number."""
        with self._lock:
            return dict(self._parts.get(key, {}))

    def join(self, key: str, numbers: Sequence[int]) -> Path:
        """Put the parts together in this order; the parts themselves are gone afterwards."""
        whole = self._folder / f"{key}.whole"
        with whole.open("wb") as target:
            for number in numbers:
                with self._path(key, number).open("rb") as source:
                    shutil.copyfileobj(source, target, 1 << 20)
                self._path(key, number).unlink()
        return whole

    def discard(self, key: str) -> None:
        """Forget everything that was uploaded under this key."""
        with self._lock:
            for number in self._parts.pop(key, {}):
                self._path(key, number).unlink(missing_ok=True)
        (self._folder / f"{key}.whole").unlink(missing_ok=True)

    def _path(self, key: str, number: int) -> Path:
        return self._folder / f"{key}.{number}"
