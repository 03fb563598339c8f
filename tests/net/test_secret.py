"""A secret shows four characters and leaves through no side door."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from cupixgeo.errors import CredentialError
from cupixgeo.net.secret import Secret, excerpt, redact
from tests.net.conftest import told

PLANTED = "planted" + "-0123456789-token"


@pytest.mark.parametrize("form", [repr, str, "{}".format, "{:>30}".format, "{!r}".format])
def test_every_form_shows_at_most_four_characters(form):
    shown = form(Secret(PLANTED))
    assert "plan…" in shown
    assert "plant" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", "…"), ("ab", "…"), ("abc", "a…"), ("abcdefgh", "ab…"), ("x" * 99, "xxxx…")],
)
def test_never_more_than_a_third_is_shown(text, shown):
    assert str(Secret(text)) == shown


def test_pickling_is_refused_and_copies_are_the_secret_itself():
    secret = Secret(PLANTED)
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps({"token": secret})
    assert PLANTED not in str(caught.value)
    assert copy.deepcopy([secret])[0] is secret
    assert copy.copy(secret) is secret


def test_nothing_equals_a_secret_but_the_same_secret():
    assert Secret(PLANTED) == Secret(PLANTED)
    assert Secret(PLANTED) != Secret("other")
    assert Secret(PLANTED) != PLANTED
    with pytest.raises(TypeError):
        hash(Secret(PLANTED))


def test_it_has_no_attributes_to_look_into():
    with pytest.raises(TypeError):
        vars(Secret(PLANTED))
    with pytest.raises(TypeError):
        json.dumps(Secret(PLANTED))
    with pytest.raises(TypeError):
        list(Secret(PLANTED))


def test_wrapping_keeps_none_and_secrets():
    assert Secret.wrap(None) is None
    assert Secret.wrap(Secret(PLANTED)).reveal() == PLANTED


def test_a_wrong_type_is_refused_without_showing_it():
    with pytest.raises(TypeError, match="not bytes") as caught:
        Secret(PLANTED.encode())
    assert "secret.py" in told(caught.value)
    assert PLANTED not in told(caught.value)


@pytest.mark.parametrize("bad", ["  ", "two words", "line\nbreak", "naïve", "nul\0"])
def test_what_no_header_can_carry_is_refused_without_showing_it(bad):
    with pytest.raises(CredentialError, match="the token") as caught:
        Secret(bad).checked_header("the token")
    assert bad.strip() == "" or bad not in str(caught.value)


def test_redaction_takes_out_secrets_queries_and_user_names():
    text = f"x {PLANTED} https://u:p@host/a.laz?X-Amz-Signature=55aa#frag end a%2Fb"
    shown = redact(text, Secret(PLANTED), Secret("a/b"))
    assert shown == "x plan… https://…@host/a.laz?… end a…"


def test_an_excerpt_is_short_plain_and_redacted():
    body = b"<!doctype html>\n\n<title>Log in</title> \xff " + PLANTED.encode() + b" word" * 90
    shown = excerpt(body, Secret(PLANTED))
    assert shown.startswith("<!doctype html> <title>Log in</title>")
    assert len(shown) <= 80
    assert PLANTED not in shown
