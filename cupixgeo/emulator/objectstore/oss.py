"""Alibaba OSS signatures V1 and V4 in the Authorization header, checked from the specification.

Knows how OSS makes a signature of a request. Knows neither buckets nor objects.

Source: Alibaba Cloud OSS API reference, "Include signatures in the Authorization header" (V1) and
"V4 signatures". Date and clock: see `cupixgeo.emulator.objectstore.sigv4`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from cupixgeo.emulator.objectstore.keys import KeyRing, StoreRefusalError, TemporaryKey
from cupixgeo.emulator.wire import Request

_V1 = re.compile(r"OSS (?P<id>[^:\s]+):(?P<signature>[A-Za-z0-9+/=]+)")
_V4 = re.compile(
    r"OSS4-HMAC-SHA256 Credential=(?P<credential>[^\s,]+)"
    r"(?:,\s*AdditionalHeaders=(?P<before>[^\s,]*))?"
    r",\s*Signature=(?P<signature>[0-9a-f]{64})"
    r"(?:,\s*AdditionalHeaders=(?P<after>[^\s,]*))?"
)
_SIGNED = ("content-type", "content-md5")
_SUBRESOURCES = frozenset(
    {"acl", "append", "delete", "objectMeta", "partNumber", "position", "restore", "security-token",
     "symlink", "tagging", "uploadId", "uploads", "versionId"}
)  # fmt: skip
"""Query parameters that are part of a V1 signature, as far as requests to objects have them."""


def verify(request: Request, keys: KeyRing, *, region: str) -> TemporaryKey:
    """Return the key a request is signed with.

    Parameters
    ----------
    request : Request
        Any request to the store.
    keys : KeyRing
        The keys that were issued.
    region : str
        Region of the bucket, with or without ``oss-`` before it.

    Raises
    ------
    StoreRefusalError
        With the code OSS has for what is wrong.
    """
    header = request.headers.get("authorization", "")
    if not header:
        raise StoreRefusalError(403, "AccessDenied", "You have no right to access this object.")
    if (match := _V4.fullmatch(header)) is not None:
        key = _verify_v4(request, match, keys, region.removeprefix("oss-"))
    elif (match := _V1.fullmatch(header)) is not None:
        key = _known(keys, match["id"])
        expected = signature_v1(request, secret=key.secret_access_key)
        _compare(expected, match["signature"])
    else:
        raise StoreRefusalError(400, "InvalidArgument", "Authorization header is invalid.")
    if request.headers.get("x-oss-security-token", "") != key.session_token:
        raise StoreRefusalError(
            403, "InvalidSecurityToken", "The security token you provided is invalid."
        )
    if keys.is_expired(key):
        raise StoreRefusalError(
            403, "SecurityTokenExpired", "The security token you provided has expired."
        )
    return key


def signature_v1(request: Request, *, secret: str) -> str:
    """Calculate a V1 signature: HMAC-SHA1 in base64."""
    headers = request.headers
    subresources = sorted(pair for pair in request.pairs if pair[0] in _SUBRESOURCES)
    query = "&".join(f"{name}={text}" if text else name for name, text in subresources)
    canonical_headers = "".join(
        f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-oss-")
    )
    text = "\n".join(
        (
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            headers.get("x-oss-date") or headers.get("date", ""),
            canonical_headers + request.path + (f"?{query}" if query else ""),
        )
    )
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def signature_v4(request: Request, additional: list[str], *, scope: str, secret: str) -> str:
    """Calculate a V4 signature, 64 hexadecimal digits."""
    headers = request.headers
    query = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in request.pairs)
    names = sorted(n for n in headers if n.startswith("x-oss-") or n in _SIGNED or n in additional)
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={text}" if text else name for name, text in query),
            "".join(f"{name}:{headers[name].strip()}\n" for name in names),
            ";".join(sorted(additional)),
            headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("OSS4-HMAC-SHA256", headers.get("x-oss-date", ""), scope, digest))
    key = f"aliyun_v4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signed_at(request: Request) -> float:
    """Return when the request says it was signed, [s] since 1970-01-01 UTC."""
    iso = request.headers.get("x-oss-date", "")
    try:
        if re.fullmatch(r"\d{8}T\d{6}Z", iso):
            return datetime.strptime(iso, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        return parsedate_to_datetime(iso or request.headers.get("date", "")).timestamp()
    except ValueError:
        raise StoreRefusalError(
            403, "AccessDenied", "OSS authentication requires a valid Date."
        ) from None


def _verify_v4(request: Request, match: re.Match[str], keys: KeyRing, region: str) -> TemporaryKey:
    access_key_id, _, scope = match["credential"].partition("/")
    day = request.headers.get("x-oss-date", "")[:8]
    if scope != f"{day}/{region}/oss/aliyun_v4_request":
        raise StoreRefusalError(400, "InvalidArgument", f"Invalid signing scope in {scope}.")
    key = _known(keys, access_key_id)
    additional = [n for n in (match["before"] or match["after"] or "").split(";") if n]
    expected = signature_v4(request, additional, scope=scope, secret=key.secret_access_key)
    _compare(expected, match["signature"])
    return key


def _known(keys: KeyRing, access_key_id: str) -> TemporaryKey:
    key = keys.find(access_key_id)
    if key is None:
        raise StoreRefusalError(
            403,
            "InvalidAccessKeyId",
            "The OSS Access Key Id you provided does not exist in our records.",
        )
    return key


def _compare(expected: str, sent: str) -> None:
    if not hmac.compare_digest(expected, sent):
        raise StoreRefusalError(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )
