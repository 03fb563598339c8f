"""A token is looked for in order; a rung that is unavailable is skipped, one that failed stops."""

from __future__ import annotations

import getpass
import io
import sys
import types
from dataclasses import replace

import keyring
import keyring.backend
import keyring.errors
import pytest

from cupixgeo.errors import CredentialError
from cupixgeo.net.credentials import Ladder, find_credential, is_interactive
from cupixgeo.net.secret import Secret
from tests.net.conftest import told

PLANTED = "planted" + "-0123456789-token"
LADDER = Ladder("cupix", "CUPIX_TOKEN", "cupixgeo:cupix", "api.cupix.works", "https://app.example")


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory, or a broken one."""

    priority = 1

    def __init__(self, entries: dict[tuple[str, str], str], error: Exception | None = None):
        super().__init__()
        self.entries = entries
        self.error = error

    def get_password(self, service, username):
        if self.error is not None:
            raise self.error
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        raise AssertionError("the search for a token writes nothing")


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch):
    """No variable, an empty keyring, nobody at the terminal."""
    monkeypatch.delenv("CUPIX_TOKEN", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    before = keyring.get_keyring()
    keyring.set_keyring(Ring({}))
    yield
    keyring.set_keyring(before)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    there = types.SimpleNamespace(stdin=Terminal(), stderr=Terminal(), modules={})
    monkeypatch.setattr("cupixgeo.net.credentials.sys", there)


def test_the_argument_comes_first(monkeypatch):
    monkeypatch.setenv("CUPIX_TOKEN", "from-environment")
    found = find_credential(LADDER, token=f" {PLANTED}\n")
    assert found.secret == Secret(PLANTED)
    assert "token=" in found.source


def test_the_environment_comes_before_the_keyring(monkeypatch):
    keyring.set_keyring(Ring({("cupixgeo:cupix", "api.cupix.works"): "from-keyring"}))
    monkeypatch.setenv("CUPIX_TOKEN", PLANTED)
    found = find_credential(LADDER)
    assert found.secret == Secret(PLANTED)
    assert found.source == "the environment variable CUPIX_TOKEN"


def test_the_keyring_holds_one_token_a_host():
    ring = Ring({("cupixgeo:cupix", "api.cupix.works"): PLANTED})
    keyring.set_keyring(ring)
    assert find_credential(LADDER).secret == Secret(PLANTED)
    europe = Ladder("cupix", "CUPIX_TOKEN", "cupixgeo:cupix", "api.cupix-eu.works")
    with pytest.raises(CredentialError, match="no such entry"):
        find_credential(europe)


@pytest.mark.parametrize(
    "error",
    [keyring.errors.NoKeyringError("none"), keyring.errors.KeyringLocked("x"), OSError("dbus")],
)
def test_a_broken_keyring_is_unavailable_and_skipped(error, terminal, monkeypatch):
    keyring.set_keyring(Ring({}, error))
    monkeypatch.setattr(getpass, "getpass", lambda _: PLANTED)
    assert find_credential(LADDER).secret == Secret(PLANTED)


def test_a_machine_without_keyring_package_is_no_obstacle(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(CredentialError, match="no keyring package is installed"):
        find_credential(LADDER)


def test_somebody_at_a_terminal_is_asked(terminal, monkeypatch):
    asked = []
    monkeypatch.setattr(getpass, "getpass", lambda text: asked.append(text) or PLANTED)
    assert find_credential(LADDER).source == "what was typed at the prompt"
    assert asked == ["cupix token: "]


def test_nobody_there_ends_with_the_list_of_what_was_tried():
    with pytest.raises(CredentialError) as caught:
        find_credential(LADDER)
    message = str(caught.value)
    for part in ("token= was not given", "CUPIX_TOKEN is not set", "no such entry", "nobody can"):
        assert part in message
    assert "https://app.example" in message


def test_a_blank_rung_fails_and_says_which(monkeypatch, terminal):
    with pytest.raises(CredentialError, match="argument token= is blank"):
        find_credential(LADDER, token="  ")
    monkeypatch.setattr(getpass, "getpass", lambda _: "")
    with pytest.raises(CredentialError, match="typed at the prompt is blank"):
        find_credential(LADDER)
    keyring.set_keyring(Ring({("cupixgeo:cupix", "api.cupix.works"): " "}))
    with pytest.raises(CredentialError, match=r"keyring .* is blank"):
        find_credential(LADDER)
    monkeypatch.setenv("CUPIX_TOKEN", "\n")
    with pytest.raises(CredentialError, match="variable CUPIX_TOKEN is blank"):
        find_credential(LADDER)


def test_a_rung_that_holds_no_token_fails_without_showing_it(monkeypatch):
    monkeypatch.setenv("CUPIX_TOKEN", f"{PLANTED} and more")
    with pytest.raises(CredentialError, match="CUPIX_TOKEN cannot be a token") as caught:
        find_credential(LADDER)
    assert PLANTED not in told(caught.value)


def test_a_closed_prompt_is_unavailable(terminal, monkeypatch):
    def closed(_):
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", closed)
    with pytest.raises(CredentialError, match="closed without an answer"):
        find_credential(LADDER)


def test_a_notebook_is_asked_only_if_it_takes_input(monkeypatch):
    kernel = types.SimpleNamespace(_allow_stdin=True)
    shell = types.SimpleNamespace(kernel=kernel)
    fake = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    assert is_interactive()
    kernel._allow_stdin = False
    assert not is_interactive()


def test_where_a_token_is_optional_none_is_a_blank_one_and_nobody_is_asked(terminal, monkeypatch):
    monkeypatch.setattr(getpass, "getpass", lambda question: pytest.fail("somebody was asked"))
    found = find_credential(replace(LADDER, is_optional=True))
    assert found.secret.is_blank
    assert found.source.startswith("nowhere")
    monkeypatch.setenv("CUPIX_TOKEN", PLANTED)
    assert find_credential(replace(LADDER, is_optional=True)).secret.reveal() == PLANTED
