"""Reads multipart/form-data bodies: fields, files, and what is wrong with them.

Knows the format. Knows no service.

Sources: RFC 7578 (multipart/form-data), RFC 2046 section 5.1 (multipart), RFC 8187 (extended
parameter values).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_PARAMETER = r'(?:^|;)\s*{}="((?:[^"\\]|\\.)*)"'
_NAME = re.compile(_PARAMETER.format("name"))
_FILENAME = re.compile(_PARAMETER.format("filename"))
_EXTENDED = re.compile(r"(?:^|;)\s*filename\*=[^']*'[^']*'([^\s;]+)")


class FormError(ValueError):
    """The body is no whole multipart form."""


@dataclass(frozen=True)
class FormFile:
    """One file of a form.

    Parameters
    ----------
    field : str
        Name of the form field.
    name : str
        File name without folders, whatever the client sent before it.
    content : bytes
        The file.
    """

    field: str
    name: str
    content: bytes


@dataclass(frozen=True)
class FormData:
    """A form: text fields (of a repeated one the last counts), and files in their order."""

    fields: dict[str, str] = field(default_factory=dict)
    files: tuple[FormFile, ...] = ()


def is_multipart(content_type: str) -> bool:
    """Return whether a Content-Type header announces a multipart form."""
    return content_type.strip().lower().startswith("multipart/form-data")


def read_form(content_type: str, body: bytes) -> FormData:
    """Take a form apart.

    Parameters
    ----------
    content_type : str
        The Content-Type header, with the boundary.
    body : bytes
        The whole body.

    Raises
    ------
    FormError
        If there is no boundary, or the body ends before its last part.
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise FormError("Multipart: Boundary not found")
    delimiter = b"\r\n--" + (match[1] or match[2]).encode()
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise FormError("Unexpected end of form")
    fields: dict[str, str] = {}
    files = []
    for piece in pieces[1:-1]:
        head, gap, content = piece.partition(b"\r\n\r\n")
        disposition = _disposition(head)
        name = _NAME.search(disposition)
        if not gap or name is None:
            raise FormError("Malformed part header")
        filename = _filename(disposition)
        if filename is None:
            fields[_plain(name[1])] = content.decode("utf-8", "replace")
        else:
            files.append(FormFile(_plain(name[1]), filename, content))
    return FormData(fields, tuple(files))


def _disposition(head: bytes) -> str:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            return value.strip().removeprefix("form-data")
    return ""


def _filename(disposition: str) -> str | None:
    """Return the file name without folders; None for a part that is no file."""
    extended, plain = _EXTENDED.search(disposition), _FILENAME.search(disposition)
    if extended is not None:
        name = unquote(extended[1])
    elif plain is not None:
        name = _plain(plain[1])
    else:
        return None
    return re.split(r"[/\\]", name)[-1]


def _plain(text: str) -> str:
    """Undo both ways in which clients write a quote inside quotes."""
    return re.sub(r"\\(.)", r"\1", text).replace("%22", '"')
