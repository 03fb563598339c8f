"""Getting a token: four ways, and none of them keeps a password."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
import pytest

from cupixgeo import errors
from cupixgeo.services.altizure.signin import SignIn, token_from_redirect
from tests.net.conftest import told


@pytest.fixture
def door(emu, at):
    return SignIn(at.app_key, base_url=emu.endpoint("altizure").base_url)


def test_a_password_gives_a_token_that_lets_in(door, at, connect):
    north = at.store.accounts[0]
    token = door.by_password(north.email, north.password)
    assert connect(token=token, key=at.app_key).me()["email"][0] == north.email
    assert at.user_token() not in repr(token) + repr(door)


def test_a_fresh_token_replaces_the_old_one(door, at):
    north, old = at.store.accounts[0], at.user_token()
    token = door.by_password(north.email, north.password, fresh=True)
    assert token.reveal() == at.user_token() != old


def test_a_wrong_password_is_refused_and_not_shown(door, at):
    north = at.store.accounts[0]
    with pytest.raises(errors.AuthenticationError, match="sign in again") as caught:
        door.by_password(north.email, "planted-0123456789")
    assert "planted" not in told(caught.value)


def test_the_password_is_in_no_error_of_the_network(door, at, emu):
    from cupixgeo.emulator import faults

    for fault in (faults.no_answer(), faults.server_error(), faults.html_page()):
        emu.faults.add(fault, service="altizure")
        with pytest.raises(errors.ServiceError) as caught:
            door.by_password("a@b.example", "planted-0123456789")
        assert "planted" not in told(caught.value)


def test_a_code_comes_to_the_phone_and_works_once(door, at):
    door.request_code("+852 90000000")
    code = at.access.sms["85290000000"]
    assert door.by_code("85290000000", code).reveal() == at.user_token()
    with pytest.raises(errors.AuthenticationError):
        door.by_code("85290000000", code)
    with pytest.raises(errors.AuthenticationError, match="not verified"):
        door.request_code("123")


def test_the_page_gives_the_token_in_the_address_of_the_redirect(door, at):
    page = door.page("http://localhost/back", state="s7")
    target = httpx.get(page).headers["Location"]
    assert token_from_redirect(target, state="s7").reveal() == at.user_token()
    for wrong in (target, target.split("#")[0]):
        with pytest.raises(errors.AuthenticationError) as caught:
            token_from_redirect(wrong, state="other")
        assert at.user_token() not in told(caught.value)


def test_a_code_of_the_page_is_exchanged_with_the_applications_secret(door, at):
    page = door.page("http://localhost/back", response_type="code")
    code = httpx.URL(httpx.get(page).headers["Location"]).params["code"]
    with pytest.raises(errors.ServiceError) as caught:
        door.exchange(code, "planted-0123456789")
    assert "planted" not in told(caught.value)
    assert door.exchange(code, at.access.app_secret).reveal() == at.user_token()
    with pytest.raises(errors.ArgumentError):
        door.page("http://localhost/", response_type="x")


def test_the_page_names_key_and_address_only(door, at):
    query = urlencode({"client_id": at.app_key})
    assert query in door.page("http://localhost/")
