from __future__ import annotations

import base64

import pytest

from cupixgeo.net.sealed import seal, unseal
from cupixgeo.net.secret import Secret

TOKEN = Secret("an-organization-key-made-by-a-machine")
VALUES = {"session_token": Secret("planted-session-ü"), "secret_access_key": Secret("planted-key")}


def test_the_same_token_opens_what_it_sealed():
    assert unseal(seal(VALUES, TOKEN), TOKEN) == VALUES


def test_the_text_shows_nothing_and_is_never_the_same_twice():
    texts = {seal(VALUES, TOKEN) for _ in range(3)}
    assert len(texts) == 3
    for text in texts:
        assert b"planted" not in base64.b64decode(text)
        assert "planted" not in text


def test_another_token_opens_nothing():
    assert unseal(seal(VALUES, TOKEN), Secret("an-organization-key-made-by-a-machinf")) is None


@pytest.mark.parametrize("at", [0, 15, 16, 47, 48, -1])
def test_a_changed_text_is_not_opened(at):
    data = bytearray(base64.b64decode(seal(VALUES, TOKEN)))
    data[at] ^= 1
    assert unseal(base64.b64encode(data).decode(), TOKEN) is None


@pytest.mark.parametrize("text", ["", "????", "AAAA", "ümlaut"])
def test_what_was_never_sealed_is_not_opened(text):
    assert unseal(text, TOKEN) is None
