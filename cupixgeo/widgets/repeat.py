"""Python that repeats what was clicked: calls written as a person would write them.

Knows how an account is connected again. Writes no token: it is found as always. Must not know any
widget.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cupixgeo.services.base import Account, JobAccount

WIDTH = 88


def call(function: str, *arguments: Any, **keywords: Any) -> str:
    """Write a call, on one line where it fits.

    Parameters
    ----------
    function : str
        What is called, ``"cx.merge"``.
    *arguments, **keywords
        Values, or `Name` for something that has a name.

    Examples
    --------
    >>> call("account.plan", "photos/", name="Pier 4")
    'account.plan("photos/", name="Pier 4")'
    """
    short = [_text(value, 0) for value in arguments]
    short += [f"{name}={_text(value, 0)}" for name, value in keywords.items()]
    line = f"{function}({', '.join(short)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    long = [f"    {_text(value, 4)},\n" for value in arguments]
    long += [f"    {name}={_text(value, 4)},\n" for name, value in keywords.items()]
    return f"{function}(\n{''.join(long)})"


def written(value: Any) -> str:
    """Write a value: numbers, texts, lists, dicts."""
    return _text(value, 0)


class Name(str):
    """Something that is written as it is: a name, an expression."""

    __slots__ = ()


def connect(account: Account) -> str:
    """Write how an account is connected again, with the token found as always."""
    options: Mapping[str, Any] = (
        account.reconnect_options() if isinstance(account, JobAccount) else {}
    )
    said = {name: _unusual(account, name, value) for name, value in options.items()}
    kept = {name: value for name, value in said.items() if value not in ({}, None)}
    return (
        f"# the token is taken from {account.token_variable} or the keyring, or asked for\n"
        f"account = {call('cx.connect', account.service, base_url=account.base_url, **kept)}"
    )


def _unusual(account: Account, name: str, value: Any) -> Any:
    """Leave out settings that are as they always are."""
    for holder in (account, getattr(account, "api", None)):
        settings: Any = getattr(holder, name, None)
        if isinstance(value, Mapping) and hasattr(settings, "to_dict"):
            usual = type(settings)().to_dict()
            return {key: one for key, one in value.items() if usual.get(key) != one}
    return value


def _text(value: Any, indent: int) -> str:
    """Write a value; containers that do not fit on a line have an entry on each."""
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        parts = [(f"{json.dumps(str(key))}: ", inner) for key, inner in value.items()]
        return _container("{", parts, "}", indent)
    if isinstance(value, list | tuple):
        return _container("[", [("", inner) for inner in value], "]", indent)
    return repr(value)


def _container(begin: str, parts: list[tuple[str, Any]], end: str, indent: int) -> str:
    line = begin + ", ".join(head + _text(inner, 0) for head, inner in parts) + end
    if len(line) + indent <= WIDTH and "\n" not in line:
        return line
    inside = " " * (indent + 4)
    lines = [f"{inside}{head}{_text(inner, indent + 4)},\n" for head, inner in parts]
    return f"{begin}\n{''.join(lines)}{' ' * indent}{end}"
