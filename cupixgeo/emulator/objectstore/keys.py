"""Temporary keys to a bucket: who issued them, what they open, until when.

Knows no HTTP and no signature.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cupixgeo.emulator.clock import Clock

WRITE = frozenset({"PutObject", "AbortMultipartUpload"})
"""What a key for uploads may do; reading, listing and deleting are other permissions."""


class StoreRefusalError(Exception):
    """The store refuses a request.

    Parameters
    ----------
    status : int
        HTTP status.
    code, message : str
        As in the error document.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class TemporaryKey:
    """A triple as a security token service hands it out.

    Parameters
    ----------
    access_key_id, secret_access_key, session_token : str
        The triple.
    expires : float
        [s] since 1970-01-01 UTC, the moment from which it opens nothing any more.
    prefix : str
        Only keys of objects that begin with it.
    actions : frozenset of str
        Permissions, as S3 names them.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: float
    prefix: str = ""
    actions: frozenset[str] = WRITE

    def allows(self, action: str, key: str) -> bool:
        """Return whether the key may do `action` to the object `key`."""
        return action in self.actions and key.startswith(self.prefix)


class KeyRing:
    """The temporary keys of one bucket.

    Parameters
    ----------
    seed : int
        Decides the triples.
    clock : Clock
        Decides when one has expired.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self.clock = clock
        self._seed = seed
        self._keys: dict[str, TemporaryKey] = {}
        self._serials = itertools.count(1)
        self._lock = threading.Lock()

    def issue(
        self, *, lifetime_s: float, prefix: str = "", actions: frozenset[str] = WRITE
    ) -> TemporaryKey:
        """Make a new key that lasts `lifetime_s` [s] by the emulator's clock."""
        serial = next(self._serials)
        digest = hashlib.sha256(f"keys/{self._seed}/{serial}".encode()).hexdigest()
        key = TemporaryKey(
            access_key_id=f"EMUAK{digest[:15].upper()}",
            secret_access_key=f"emu-store-key-{digest[15:45]}",
            session_token=f"emu-store-session-{digest[45:]}-{serial}",
            expires=self.clock.now() + lifetime_s,
            prefix=prefix,
            actions=actions,
        )
        with self._lock:
            self._keys[key.access_key_id] = key
        return key

    def find(self, access_key_id: str) -> TemporaryKey | None:
        """Return the key with this id, expired or not."""
        with self._lock:
            return self._keys.get(access_key_id)

    def is_expired(self, key: TemporaryKey) -> bool:
        """Return whether the key has had its time."""
        return self.clock.now() >= key.expires
