"""Multipart forms: text fields, and files that are streamed from disk.

Knows the format, and the length of a body before it is read. Must not know any service.

Sources: RFC 7578 (multipart/form-data); WHATWG HTML, *multipart form data* (how names are quoted).
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from cupixgeo.net.body import Body
from cupixgeo.net.session import Form


def _boundary() -> str:
    return f"cupixgeo-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class FormFile:
    """A file of a form.

    Parameters
    ----------
    field : str
        Name of the form field.
    name : str
        File name the service is told.
    body : Body
        The bytes.
    media_type : str
        Its Content-Type.
    """

    field: str
    name: str
    body: Body
    media_type: str = "application/octet-stream"


@dataclass(frozen=True)
class MultipartForm(Form):
    """A request body of the kind ``multipart/form-data``.

    Parameters
    ----------
    fields : mapping
        Names and values; a `Secret` is revealed only as it is sent.
    files : sequence of FormFile
        Files, behind the fields.
    further : mapping
        Headers that go with it, besides its Content-Type.

    Examples
    --------
    >>> MultipartForm({"name": "Pier 4"}, boundary="b").headers["Content-Type"]
    'multipart/form-data; boundary=b'
    """

    files: Sequence[FormFile] = ()
    further: Mapping[str, str] = field(default_factory=dict)
    boundary: str = field(default_factory=_boundary)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that go with it."""
        kind = f"multipart/form-data; boundary={self.boundary}"
        return {"Content-Type": kind, **self.further}

    def encoded(self) -> bytes:
        """Give the whole body; for forms without large files."""
        return b"".join(self.body().chunks())

    def body(self, *, name: str = "") -> Body:
        """Give the body as a stream, read when it is sent.

        Parameters
        ----------
        name : str
            What messages call it; the first file's name unless given.
        """
        pieces: list[bytes | Body] = []
        for file in self.files:
            pieces += [self._head(file.field, file), file.body, b"\r\n"]
        pieces.append(f"--{self.boundary}--\r\n".encode())
        shown = name or next((file.name for file in self.files), "a form")
        # The fields may hold secrets: they are written when the body is opened, not before.
        size = len(self._text()) + sum(p.size if isinstance(p, Body) else len(p) for p in pieces)
        return Body(
            size, lambda: io.BufferedReader(_Chain([self._text(), *pieces]), 256 * 1024), shown
        )

    def _text(self) -> bytes:
        """Write the fields."""
        text = b""
        for name, value in self.fields.items():
            plain = value if isinstance(value, str) else value.reveal()
            text += self._head(name) + plain.encode() + b"\r\n"
        return text

    def _head(self, name: str, file: FormFile | None = None) -> bytes:
        lines = [f"--{self.boundary}", f'Content-Disposition: form-data; name="{_quoted(name)}"']
        if file is not None:
            lines[1] += f'; filename="{_quoted(file.name)}"'
            lines.append(f"Content-Type: {file.media_type}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class _Chain(io.RawIOBase):
    """Bytes and bodies one behind the other, to be read once from the start."""

    def __init__(self, pieces: Sequence[bytes | Body]) -> None:
        super().__init__()
        self._rest = list(pieces)
        self._current: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while self._current is not None or self._rest:
            if self._current is None:
                piece = self._rest.pop(0)
                self._current = io.BytesIO(piece) if isinstance(piece, bytes) else piece.open()
            data = self._current.read(len(view))
            if data or not len(view):
                view[: len(data)] = data
                return len(data)
            self._current.close()
            self._current = None
        return 0

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
        super().close()


def _quoted(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
