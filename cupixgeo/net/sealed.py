"""Secrets put away for a later process, readable only with the token they came with.

Temporary storage credentials are secrets, and some services bind what was uploaded to them: a
process that goes on after a crash needs the very same ones. They are kept as a sealed text, which
is worth nothing without the service's token, and the token itself is never written anywhere.

Knows how to seal and open. Must not know what is inside.

AES-256-GCM under a key derived from the token and a random salt with HKDF-SHA-256, both from the
``cryptography`` package. No key is used twice, and the token is assumed to be one a machine made.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cupixgeo.errors import MissingExtraError
from cupixgeo.net.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PURPOSE = b"cupixgeo sealed credentials"
_SALT_BYTES = 16
_NONCE_BYTES = 12


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

    Raises
    ------
    MissingExtraError
        The ``uploads`` extra is not installed.
    """
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps({name: value.reveal() for name, value in values.items()}).encode()
    hidden = _cipher(token, salt).encrypt(nonce, plain, _PURPOSE)
    return base64.b64encode(salt + nonce + hidden).decode()


def unseal(text: str, token: Secret) -> dict[str, Secret] | None:
    """Open what `seal` made.

    Returns
    -------
    dict of str to Secret, or None
        None if it was sealed with another token, or changed since.

    Raises
    ------
    MissingExtraError
        The ``uploads`` extra is not installed.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    start = _SALT_BYTES + _NONCE_BYTES
    salt, nonce, hidden = data[:_SALT_BYTES], data[_SALT_BYTES:start], data[start:]
    if len(nonce) < _NONCE_BYTES:
        return None
    cipher = _cipher(token, salt)
    from cryptography.exceptions import InvalidTag

    try:
        plain = cipher.decrypt(nonce, hidden, _PURPOSE)
    except InvalidTag:
        return None
    return {name: Secret(value) for name, value in json.loads(plain).items()}


def _cipher(token: Secret, salt: bytes) -> AESGCM:
    """Cipher under the key of this token and salt."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise MissingExtraError(
            "keeping temporary credentials for a later process needs cryptography, which is not "
            "installed: pip install 'cupixgeo[uploads]'"
        ) from error
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=_PURPOSE)
    return AESGCM(derived.derive(token.reveal().encode()))
