"""A file on its way: `<name>.part` with a note of what it will be, renamed when whole.

Knows how a partial file survives a crash (sidecar with the validators), how it is kept from two
processes at once, and how it becomes the final file. Must not know where the bytes come from.

Sources: RFC 9110 §8.8.3 (strong and weak ETags), RFC 9530 (Repr-Digest), RFC 1864 (Content-MD5);
the ``x-amz-checksum-sha256`` and ``x-goog-hash`` headers of S3 and Google Cloud Storage.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from cupixgeo.atomic import check_output, output_error
from cupixgeo.errors import DiskFullError

Header = Callable[[str], str | None]

_DIGEST_HEADERS: tuple[tuple[str, str, str], ...] = (
    ("x-amz-checksum-sha256", r"([A-Za-z0-9+/]{43}=)\s*$", "sha256"),
    ("repr-digest", r"sha-256=:([A-Za-z0-9+/]{43}=):", "sha256"),
    ("x-goog-hash", r"md5=([A-Za-z0-9+/]{22}==)", "md5"),
    ("content-md5", r"([A-Za-z0-9+/]{22}==)\s*$", "md5"),
)
"""Header, the form in which it holds the digest of the *whole* file, algorithm; best first.

An ETag is none of these: it is an MD5 only sometimes. A checksum of parts (``...=-3``) does not
match.
"""


@dataclass(frozen=True)
class Validators:
    """What the storage says of the whole file.

    Parameters
    ----------
    length : int or None
        Its size [byte].
    etag : str
        Strong ETag; empty where there is none, and then nothing can be resumed.
    algorithm, digest : str
        Hash of the whole file, hexadecimal; empty where none was given.
    suffix : str
        Extension the storage names, ``".laz"``.
    """

    length: int | None = None
    etag: str = ""
    algorithm: str = ""
    digest: str = ""
    suffix: str = ""

    @classmethod
    def from_headers(cls, header: Header, *, suffix: str) -> Validators:
        """Read the headers of a full answer (status 200)."""
        length = header("content-length")
        etag = (header("etag") or "").strip()
        algorithm, digest = "", ""
        for name, form, algorithm_of_it in _DIGEST_HEADERS:
            if match := re.search(form, header(name) or ""):
                with contextlib.suppress(binascii.Error):
                    digest = base64.b64decode(match[1], validate=True).hex()
                    algorithm = algorithm_of_it
                    break
        return cls(
            length=int(length) if length and length.isascii() and length.isdecimal() else None,
            etag="" if etag.startswith("W/") else etag,
            algorithm=algorithm,
            digest=digest,
            suffix=suffix,
        )


class Part:
    """The partial file of one download.

    Where another process is filling the same one, this becomes a private one that is not kept.

    Parameters
    ----------
    to : Path
        The final name, or that name without its extension.

    Raises
    ------
    OutputError
        If the folder does not exist or cannot be written.
    """

    def __init__(self, to: Path) -> None:
        check_output(to)
        self.to = to
        self.path = to.with_name(f"{to.name}.part")
        self.known = Validators()
        self._shared = True
        self._finished = False
        try:
            self._file = self._opened()
            if self._shared:
                self.known = self._noted()
            # A whole file that never got its name lacks a byte now, so that there is one to ask
            # for, together with the question whether the file is still the same.
            self._cut(max(0, min(self.size, (self.known.length or 1) - 1)))
        except OSError as error:
            raise output_error(error, to) from None

    @property
    def size(self) -> int:
        """Bytes here so far [byte]."""
        return self._file.tell()

    def restart(self, known: Validators | None = None) -> None:
        """Forget the bytes; note what the file will be."""
        self.known = known or Validators()
        try:
            self._cut(0)
            if self._shared:
                self._note.write_text(json.dumps(asdict(self.known)), encoding="utf-8")
        except OSError as error:
            raise output_error(error, self.to) from None
        self._check_room()

    def write(self, chunk: bytes) -> None:
        """Add bytes at the end.

        Raises
        ------
        DiskFullError
            If there is no room; what is there stays for a later try.
        """
        try:
            self._file.write(chunk)
        except OSError as error:
            raise output_error(error, self.to) from None

    def digest(self, algorithm: str) -> str:
        """Hash the whole file, from the disk."""
        self._file.flush()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()

    def finish(self, final: Path) -> Path:
        """Give the file its final name, once it is safely on the disk."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            if os.name == "nt":  # Windows does not rename open files; elsewhere the lock is kept
                self._file.close()
            os.replace(self.path, final)
            self._finished = True
            _sync_folder(final.parent)
        except OSError as error:
            raise output_error(error, final) from None
        if self._shared:
            self._note.unlink(missing_ok=True)
        return final

    def close(self) -> None:
        """Stop; a shared partial file stays for the next try, unless it is of no use to it."""
        useless = self._file.closed or not self._shared or not self.known.etag or self.size == 0
        with contextlib.suppress(OSError):  # a full disk was already reported by write()
            self._file.close()
        if useless and not self._finished:
            self.path.unlink(missing_ok=True)
            if self._shared:
                self._note.unlink(missing_ok=True)

    def _cut(self, size: int) -> None:
        self._file.seek(size)
        self._file.truncate(size)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _opened(self) -> IO[bytes]:
        """Open the partial file for this process alone, at its end."""
        file = self.path.open("ab")
        if _locked(file) and _is_same(file, self.path):
            return file
        file.close()
        self._shared = False
        self.path = self.to.with_name(f"{self.to.name}.{secrets.token_hex(4)}.part")
        return self.path.open("ab")

    def _noted(self) -> Validators:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            known = Validators(**{field.name: note[field.name] for field in fields(Validators)})
        except (OSError, ValueError, KeyError, TypeError):
            return Validators()
        whole = isinstance(known.length, int) and self.size <= known.length
        texts = (known.etag, known.algorithm, known.digest, known.suffix)
        return known if whole and all(isinstance(text, str) for text in texts) else Validators()

    def _check_room(self) -> None:
        """Refuse a download the disk cannot hold before it fills the disk."""
        free = shutil.disk_usage(self.path.parent).free
        if self.known.length is not None and self.known.length > free:
            raise DiskFullError(
                f"no room for {self.to}: it has {self.known.length} bytes and the disk "
                f"{free} left. Free some space or choose a folder on another disk."
            )


def _locked(file: IO[bytes]) -> bool:
    """Take the file for this process; False where another one has it."""
    try:
        import fcntl
    except ImportError:  # Windows has no advisory locks; two processes must not share a folder
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_same(file: IO[bytes], path: Path) -> bool:
    """Say whether `path` still names the open file; its owner may just have finished it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
