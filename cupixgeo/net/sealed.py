"""Secrets put away for a later process, readable only with the token they came with.

Temporary storage credentials are secrets, and some services bind what was uploaded to them: a
process that goes on after a crash needs the very same ones. They are kept as a sealed text, which
is worth nothing without the service's token, and the token itself is never written anywhere.

Knows how to seal and open. Must not know what is inside.

The key is derived from the token and 16 random bytes with BLAKE2b; the text is combined with a
SHAKE-256 stream of that key and protected with HMAC-SHA-256 (encrypt, then authenticate). No key is
used twice, and the token is assumed to be one a machine made.

Sources: RFC 7693 (BLAKE2), FIPS 202 (SHAKE), RFC 2104 (HMAC).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping

from cupixgeo.net.secret import Secret

_PERSON = b"cupixgeo-sealed"
_SALT_BYTES = 16
_TAG_BYTES = 32


def seal(values: Mapping[str, Secret], token: Secret) -> str:
    """Make a text of secrets that only the same token opens.

    Parameters
    ----------
    values : mapping of str to Secret
        What to put away.
    token : Secret
        What will be needed to open it.

    Returns
    -------
    str
        Base64; different each time.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    plain = json.dumps({name: value.reveal() for name, value in values.items()}).encode()
    hidden, tag = _transformed(plain, salt, token)
    return base64.b64encode(salt + tag(hidden) + hidden).decode()


def unseal(text: str, token: Secret) -> dict[str, Secret] | None:
    """Open what `seal` made.

    Returns
    -------
    dict of str to Secret, or None
        None if it was sealed with another token, or changed since.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    salt, sent = data[:_SALT_BYTES], data[_SALT_BYTES : _SALT_BYTES + _TAG_BYTES]
    hidden = data[_SALT_BYTES + _TAG_BYTES :]
    plain, tag = _transformed(hidden, salt, token)
    if not hmac.compare_digest(tag(hidden), sent):
        return None
    return {name: Secret(value) for name, value in json.loads(plain).items()}


class _Tag:
    """The seal of a text under one key."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._key = key
        self._salt = salt

    def __call__(self, hidden: bytes) -> bytes:
        return hmac.new(self._key, self._salt + hidden, hashlib.sha256).digest()


def _transformed(data: bytes, salt: bytes, token: Secret) -> tuple[bytes, _Tag]:
    """Combine data with the key stream; the same again gives it back."""
    key = hashlib.blake2b(
        token.reveal().encode(), salt=salt.ljust(_SALT_BYTES, b"\0"), person=_PERSON
    ).digest()
    stream = hashlib.shake_256(key[:32]).digest(len(data))
    mixed = bytes(a ^ b for a, b in zip(data, stream, strict=True))
    return mixed, _Tag(key[32:], salt)
