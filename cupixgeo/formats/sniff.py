"""What a file is, by its first bytes, for those who were given something else.

Knows signatures. Must not know any format's inside.
"""

from __future__ import annotations

import os
from pathlib import Path

from cupixgeo.formats.refusals import unreadable

HEAD_BYTES = 512
"""Bytes of the file's start that are looked at [byte]."""

_SIGNATURES = (
    (b"LASF", "a LAS or LAZ file"),
    (b"ply\n", "a PLY file"),
    (b"ply\r", "a PLY file"),
    (b"ASTM-E57", "an E57 file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"glTF", "a glTF model"),
    (b"# .PCD", "a PCD file"),
)


def head_of(path: str | os.PathLike[str]) -> bytes:
    """Read the first bytes of a file.

    Returns
    -------
    bytes
        At most `HEAD_BYTES`.

    Raises
    ------
    CloudError
        There is no such file, it is a folder, or it may not be read.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise unreadable(file, error) from error


def describe_content(head: bytes) -> str:
    """Say in a few words what a file with these first bytes looks like.

    Examples
    --------
    >>> describe_content(b"<!DOCTYPE html><html>")
    'an HTML page'
    """
    if not head:
        return "an empty file"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if text.startswith((b"<?xml", b"<Error")):
        return "an XML document"
    if text.startswith((b"{", b"[")):
        return "a JSON text"
    if _is_text(head):
        return "a text file"
    return "a binary file of another kind"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and error.start > 0
    return True
