"""AWS Signature Version 4 in the Authorization header, checked from the specification.

Knows how S3 makes a signature of a request. Knows neither buckets nor objects.

Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header". Decided
here: how far the request's date may be from the clock is not checked unless `Bucket.max_skew_s`
is set, because clients sign with the computer's clock and the emulator has one of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from cupixgeo.emulator.objectstore.keys import KeyRing, StoreRefusalError, TemporaryKey
from cupixgeo.emulator.wire import Request

ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    ALGORITHM + r"\s+Credential=(?P<credential>[^\s,]+),\s*"
    r"SignedHeaders=(?P<signed>[^\s,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z")


def verify(request: Request, keys: KeyRing, *, region: str) -> TemporaryKey:
    """Return the key a request is signed with.

    Parameters
    ----------
    request : Request
        Any request to the store.
    keys : KeyRing
        The keys that were issued.
    region : str
        Region of the bucket.

    Raises
    ------
    StoreRefusalError
        With the code S3 has for what is wrong.
    """
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise StoreRefusalError(
            400, "AuthorizationHeaderMalformed", "The authorization header is malformed."
        )
    access_key_id, scope = _split(match["credential"])
    date = request.headers.get("x-amz-date", "")
    if not _DATE.fullmatch(date):
        raise StoreRefusalError(403, "AccessDenied", "AWS authentication requires a valid Date.")
    day, wanted_region, *_ = scope.split("/")
    if wanted_region != region:
        raise StoreRefusalError(
            400,
            "AuthorizationHeaderMalformed",
            f"The region '{wanted_region}' is wrong; expecting '{region}'",
        )
    if scope != f"{day}/{region}/s3/aws4_request" or day != date[:8]:
        raise StoreRefusalError(
            400, "AuthorizationHeaderMalformed", f"The credential scope '{scope}' is invalid."
        )
    key = keys.find(access_key_id)
    if key is None:
        raise StoreRefusalError(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
    signed = match["signed"].split(";")
    _check_signed_headers(signed, request.headers)
    expected = signature(request, signed, scope=scope, secret=key.secret_access_key)
    if not hmac.compare_digest(expected, match["signature"]):
        raise StoreRefusalError(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )
    if request.headers.get("x-amz-security-token", "") != key.session_token:
        raise StoreRefusalError(400, "InvalidToken", "The provided token is malformed or invalid.")
    if keys.is_expired(key):
        raise StoreRefusalError(400, "ExpiredToken", "The provided token has expired.")
    return key


def signature(request: Request, signed: Iterable[str], *, scope: str, secret: str) -> str:
    """Calculate the signature of a request, 64 hexadecimal digits."""
    names = list(signed)
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/-_.~"),
            canonical_query(request.pairs),
            "".join(f"{n}:{' '.join(request.headers.get(n, '').split())}\n" for n in names),
            ";".join(names),
            request.headers.get("x-amz-content-sha256", ""),
        )
    )
    text = "\n".join(
        (
            ALGORITHM,
            request.headers["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Write query parameters sorted and percent-encoded, empty values with ``=``."""
    encoded = sorted((quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in pairs)
    return "&".join(f"{name}={text}" for name, text in encoded)


def signed_at(request: Request) -> float:
    """Return when the request says it was signed, [s] since 1970-01-01 UTC."""
    text = request.headers["x-amz-date"]
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _split(credential: str) -> tuple[str, str]:
    access_key_id, _, scope = credential.partition("/")
    if scope.count("/") != 3:
        raise StoreRefusalError(
            400, "AuthorizationHeaderMalformed", f"The credential scope '{scope}' is invalid."
        )
    return access_key_id, scope


def _check_signed_headers(signed: list[str], headers: Mapping[str, str]) -> None:
    must = {"host", *(name for name in headers if name.startswith("x-amz-"))}
    if not must <= set(signed) or signed != sorted(signed):
        raise StoreRefusalError(
            403, "AccessDenied", "There were headers present in the request which were not signed."
        )
