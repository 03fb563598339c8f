"""The bytes of an upload: unwrapped where they come in signed-protocol chunks, and checked.

Knows payload hashes and digests of S3 and OSS. Knows neither buckets nor keys.

Source: Amazon S3 API Reference, "Signature Calculations … Transferring Payload in Multiple Chunks"
and "Checking object integrity"; RFC 1864 (Content-MD5). Chunks that each carry a signature
(``STREAMING-AWS4-HMAC-SHA256-PAYLOAD``) are refused with 501.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping

from cupixgeo.emulator.objectstore.keys import StoreRefusalError
from cupixgeo.emulator.wire import Request

_UNSIGNED = "UNSIGNED-PAYLOAD"
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_DIGESTS: Mapping[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}


def payload(request: Request) -> bytes:
    """Return the bytes to be stored.

    Raises
    ------
    StoreRefusalError
        If they are not the ones their digests were made of, or wrapped in a way not known here.
    """
    declared = request.headers.get("x-amz-content-sha256", _UNSIGNED)
    body: bytes = request.body
    trailers: dict[str, str] = {}
    if declared == _UNSIGNED_CHUNKS:
        body, trailers = _unwrapped(request)
    elif re.fullmatch(r"[0-9a-f]{64}", declared):
        if hashlib.sha256(body).hexdigest() != declared:
            raise StoreRefusalError(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
    elif declared != _UNSIGNED:
        raise StoreRefusalError(
            501, "NotImplemented", f"A payload of the kind {declared} is not implemented."
        )
    for name, value in {**request.headers, **trailers}.items():
        if name in _DIGESTS and base64.b64encode(_DIGESTS[name](body)).decode() != value:
            md5 = name == "content-md5"
            raise StoreRefusalError(
                400,
                "BadDigest" if not md5 or _is_md5(value) else "InvalidDigest",
                f"The {name} you specified did not match the calculated checksum.",
            )
    return body


def _unwrapped(request: Request) -> tuple[bytes, dict[str, str]]:
    """Take the chunks of ``aws-chunked`` apart: data, and the headers behind them."""
    wrapped, data, at = request.body, bytearray(), 0
    try:
        while True:
            end = wrapped.index(b"\r\n", at)
            size = int(wrapped[at:end].split(b";")[0], 16)
            at = end + 2
            if size == 0:
                break
            data += wrapped[at : at + size]
            at += size + 2
        lines = wrapped[at:].decode("ascii").split("\r\n")
    except ValueError:
        raise StoreRefusalError(
            400, "IncompleteBody", "The request body terminated unexpectedly."
        ) from None
    length = request.headers.get("x-amz-decoded-content-length", "")
    if str(len(data)) != length:
        raise StoreRefusalError(
            400, "IncompleteBody", f"{len(data)} bytes came where {length} were announced."
        )
    trailers = dict(line.split(":", 1) for line in lines if ":" in line)
    return bytes(data), {name.strip().lower(): text.strip() for name, text in trailers.items()}


def _is_md5(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9+/]{22}==", text) is not None
