"""What a file is, by its first bytes, as the service wants to be told.

Sources: altizure/alti-cli file/helper.go (the first 512 bytes decide), types/helper.go
(IMAGE_TYPE); that client sends meta files as text, and those under 512 bytes as plain bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cupixgeo.errors import TransferError
from cupixgeo.net.body import Body

SNIFFED_BYTES = 512


@dataclass(frozen=True)
class ImageKind:
    """A kind of image: the service's name for it, and its media type."""

    name: str
    media_type: str


_KINDS = (
    (b"\xff\xd8\xff", ImageKind("JPEG", "image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", ImageKind("PNG", "image/png")),
    (b"II*\x00", ImageKind("TIFF", "image/tiff")),
    (b"MM\x00*", ImageKind("TIFF", "image/tiff")),
)


def image_kind(body: Body) -> ImageKind:
    """Tell what kind of image a body is.

    Raises
    ------
    TransferError
        If it is none the service takes.
    """
    head = _head(body)
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return kind
    raise TransferError(
        f"{body.name} is no JPEG, PNG or TIFF image, and Altizure takes no other. Leave it out and "
        "plan the job anew."
    )


def media_type(body: Body) -> str:
    """Give the media type of a file that is no image."""
    head = _head(body)
    if head.startswith(b"PK\x03\x04"):
        return "application/zip"
    is_text = len(head) == SNIFFED_BYTES and b"\x00" not in head
    return "text/plain; charset=utf-8" if is_text else "application/octet-stream"


def _head(body: Body) -> bytes:
    with body.open() as stream:
        return stream.read(SNIFFED_BYTES)
