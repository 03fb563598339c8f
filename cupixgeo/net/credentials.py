"""Finding a token: argument, environment, keyring, prompt, in this order.

A rung of this ladder is *unavailable* (not set, no keyring here, nobody to ask: the next one is
tried) or *failed* (set, but blank or no token: the search stops and says so). Must not know any
service, nor write a token anywhere.
"""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass

from cupixgeo.errors import CredentialError
from cupixgeo.net.secret import Secret


@dataclass(frozen=True)
class Credential:
    """A token and where it came from.

    Parameters
    ----------
    secret : Secret
        The token.
    source : str
        The rung it was found on, for people: ``"environment variable CUPIX_TOKEN"``.
    """

    secret: Secret
    source: str


@dataclass(frozen=True)
class Ladder:
    """Where a service's token may lie.

    Parameters
    ----------
    service : str
        Name used in messages and at the prompt.
    variable : str
        Environment variable.
    keyring_service, keyring_user : str
        Entry of the system keyring. The user is the host, so that each region has its own.
    help : str
        Where a token is made.
    is_optional : bool
        Whether the service may work without one: then nobody is asked, and none found is a blank
        one.
    """

    service: str
    variable: str
    keyring_service: str
    keyring_user: str
    help: str = ""
    is_optional: bool = False


def find_credential(ladder: Ladder, *, token: str | Secret | None = None) -> Credential:
    """Find a token on the first rung that has one.

    Parameters
    ----------
    ladder : Ladder
        Where to look.
    token : str, Secret or None
        What the caller gave; None to look further.

    Returns
    -------
    Credential

    Raises
    ------
    CredentialError
        If a rung holds something that is no token, or no rung holds anything.
    """
    token = Secret.wrap(token)
    tried: list[str] = []
    for name, secret in (
        ("the argument token=", token),
        (f"the environment variable {ladder.variable}", _from_environment(ladder.variable)),
    ):
        if secret is not None:
            return _checked(secret, name, ladder)
    tried.append("token= was not given")
    tried.append(f"the environment variable {ladder.variable} is not set")

    entry = f"entry {ladder.keyring_service!r}, user {ladder.keyring_user!r}"
    secret, why = _from_keyring(ladder.keyring_service, ladder.keyring_user)
    if secret is not None:
        return _checked(secret, f"the keyring ({entry})", ladder)
    if ladder.is_optional:
        return Credential(Secret(""), "nowhere: none is needed, or none was found")
    tried.append(f"{why} ({entry})")

    secret, why = _from_prompt(f"{ladder.service} token: ")
    if secret is not None:
        return _checked(secret, "what was typed at the prompt", ladder)
    tried.append(why)
    raise CredentialError(
        f"no {ladder.service} token was found: {'; '.join(tried)}. "
        f"Set {ladder.variable}, or pass token=...{_where(ladder)}"
    )


def is_interactive() -> bool:
    """Say whether there is somebody to ask: a terminal, or a notebook that takes input."""
    kernel = getattr(_ipython(), "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _checked(secret: Secret, name: str, ladder: Ladder) -> Credential:
    if secret.is_blank:
        raise CredentialError(
            f"{name} is blank. Fill it in, or remove it so that the next place is looked at."
            f"{_where(ladder)}"
        )
    return Credential(secret.stripped().checked_header(name), name)


def _where(ladder: Ladder) -> str:
    return f" A token is made at {ladder.help}." if ladder.help else ""


def _from_environment(variable: str) -> Secret | None:
    return Secret.wrap(os.environ.get(variable))


def _from_keyring(service: str, user: str) -> tuple[Secret | None, str]:
    """Ask the system keyring; one that is missing, locked or broken is unavailable."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None, "no keyring package is installed"
    try:
        secret = Secret.wrap(keyring.get_password(service, user))
    except (KeyringError, RuntimeError, OSError) as error:
        return None, f"the keyring is not available ({type(error).__name__})"
    return secret, "the keyring has no such entry"


def _from_prompt(question: str) -> tuple[Secret | None, str]:
    if not is_interactive():
        return None, "nobody can be asked (neither a terminal nor a notebook that takes input)"
    try:
        return Secret(getpass.getpass(question)), ""
    except (EOFError, RuntimeError):
        return None, "the prompt was closed without an answer"


def _ipython() -> object:
    """Give the running IPython shell; None outside of one, without importing it."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None
