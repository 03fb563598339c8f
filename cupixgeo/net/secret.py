"""A text that must not be seen: tokens and signed links.

Knows how to hold one, how to show four characters of it, and how to take it out of other texts.
Must not know what it is used for.
"""

from __future__ import annotations

import hmac
import re
from typing import NoReturn, overload
from urllib.parse import quote

from cupixgeo.errors import CredentialError

SHOWN = 4
"""Most characters of a secret that are ever shown; never more than a third of it."""

_QUERY = re.compile(r"([a-z][a-z0-9+.-]{0,15}://[^\s?#\"'<>]*)[?#][^\s\"'<>]*", re.IGNORECASE)
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]{0,15}://)[^\s/@\"'<>]+@", re.IGNORECASE)


class Secret:
    """Hold a text without showing it.

    ``repr``, ``str`` and formatting show at most its first four characters; it cannot be pickled,
    hashed or iterated, and equals no plain text. Only `reveal` gives the text.

    Parameters
    ----------
    value : str or Secret
        The text to hold.

    Raises
    ------
    TypeError
        If `value` is not a text.

    Examples
    --------
    >>> Secret("a-long-personal-token")
    Secret('a-lo…')
    """

    __slots__ = ("__value",)

    def __init__(self, value: object) -> None:
        self.__value = ""  # so that a traceback through here can show what is there
        if isinstance(value, Secret):
            self.__value = value.__value
        elif isinstance(value, str):
            self.__value = value
        else:
            kind = type(value).__name__
            del value  # a traceback may print the variables of this frame
            raise TypeError(f"a secret is a text, not {kind}")

    @overload
    @classmethod
    def wrap(cls, value: str | Secret) -> Secret: ...
    @overload
    @classmethod
    def wrap(cls, value: None) -> None: ...
    @classmethod
    def wrap(cls, value: str | Secret | None) -> Secret | None:
        """Make a Secret of whatever was given; None stays None."""
        return None if value is None else cls(value)

    def reveal(self) -> str:
        """Give the text itself. Do not keep it in a variable: tracebacks can print variables."""
        return self.__value

    @property
    def shown(self) -> str:
        """The part that may be seen: at most four characters, at most a third, then ``…``."""
        return self.__value[: min(SHOWN, len(self.__value) // 3)] + "…"

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing but white space in it."""
        return not self.__value.strip()

    def stripped(self) -> Secret:
        """Give the same secret without white space around it."""
        return Secret(self.__value.strip())

    def removed_from(self, text: str) -> str:
        """Replace every occurrence of the secret in `text`, plain or percent-encoded."""
        if self.is_blank:
            return text
        for form in {self.__value, quote(self.__value, safe=""), quote(self.__value)}:
            text = text.replace(form, self.shown)
        return text

    def checked_header(self, what: str) -> Secret:
        """Return itself if it can be sent in an HTTP header.

        Raises
        ------
        CredentialError
            If it is blank, or holds anything but printable ASCII without blanks.
        """
        if self.is_blank:
            raise CredentialError(f"{what} is blank: give the token itself, or leave it out.")
        if not self.__value.isascii() or re.search(r"[\s\x00-\x1f\x7f]", self.__value):
            raise CredentialError(
                f"{what} cannot be a token: it holds blanks, line breaks or other characters that "
                "no HTTP header can carry. Copy it again, without quotes."
            )
        return self

    def __repr__(self) -> str:
        return f"Secret({self.shown!r})"

    def __str__(self) -> str:
        return self.shown

    def __format__(self, spec: str) -> str:
        return format(self.shown, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: the copy could end up in a file")


def redact(text: str, *secrets: Secret) -> str:
    """Take secrets, URL queries and URL user names out of a text that will be shown.

    Examples
    --------
    >>> redact("GET https://store.example/a.laz?X-Signature=77 failed")
    'GET https://store.example/a.laz?… failed'
    """
    for secret in secrets:
        text = secret.removed_from(text)
    return _USERINFO.sub(r"\1…@", _QUERY.sub(r"\1?…", text))


def excerpt(body: bytes, *secrets: Secret, limit: int = 80) -> str:
    """Give the first words of an answer, redacted, for an error message."""
    words = " ".join(body[: 20 * limit].decode("utf-8", "replace").split())
    words = redact(words, *secrets)
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
