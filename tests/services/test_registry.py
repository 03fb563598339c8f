"""`connect` finds the service, its address and its token, or says what is wrong."""

from __future__ import annotations

import pytest

import cupixgeo as cx
from cupixgeo.errors import ArgumentError, CredentialError
from cupixgeo.services.cupix.account import CupixAccount

TOKEN = "planted" + "-0123456789-token"


@pytest.fixture(autouse=True)
def no_token_of_the_machine(monkeypatch):
    monkeypatch.delenv("CUPIX_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("region", "root"),
    [
        (None, "https://api.cupix.works/api/v1"),
        ("eu", "https://api.cupix-eu.works/api/v1"),
        ("APSE2", "https://api.cupix-au.works/api/v1"),
        ("cupix-jp.works", "https://api.cupix-jp.works/api/v1"),
        ("sg", "https://api.cupix-sg.works/api/v1"),
        ("ca", "https://api.cupix-ca.works/api/v1"),
    ],
)
def test_each_region_has_its_root(region, root):
    with cx.connect("cupix", TOKEN, region=region) as account:
        assert isinstance(account, CupixAccount)
        assert account.base_url == root


def test_the_base_url_is_the_full_root():
    with cx.connect("cupix", token=TOKEN, base_url="https://team.cupix.works/api/v1/") as account:
        assert account.base_url == "https://team.cupix.works/api/v1"
        assert account.session.origin == "https://team.cupix.works:443"


def test_an_unknown_service_is_told_with_the_nearest_name():
    with pytest.raises(ArgumentError, match="did you mean 'cupix'"):
        cx.connect("Cupixx", TOKEN)
    with pytest.raises(ValueError, match="There is 'cupix'"):
        cx.connect("dropbox", TOKEN)


@pytest.mark.parametrize(
    "arguments",
    [
        {"region": "mars"},
        {"region": "eu", "base_url": "https://x.example/api"},
        {"base_url": "x.example/api"},
        {"matrix_order": "diagonal"},
        {"per_page": 0},
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments):
    with pytest.raises(ArgumentError):
        cx.connect("cupix", TOKEN, **arguments)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="colour"):
        cx.connect("cupix", TOKEN, colour="red")


def test_the_token_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("CUPIX_TOKEN", TOKEN)
    with cx.connect("cupix") as account:
        assert "the environment variable CUPIX_TOKEN" in repr(account)
        assert TOKEN not in repr(account)


def test_no_token_says_where_one_is_made(monkeypatch):
    monkeypatch.setattr("cupixgeo.net.credentials._from_keyring", lambda *_: (None, "no keyring"))
    monkeypatch.setattr("cupixgeo.net.credentials.is_interactive", lambda: False)
    with pytest.raises(CredentialError, match=r"https://app\.cupix-eu\.works/settings/api"):
        cx.connect("cupix", region="eu")
    with pytest.raises(CredentialError, match="blank"):
        cx.connect("cupix", " ")


def test_an_emulator_brings_address_and_token(emu, monkeypatch):
    monkeypatch.setenv("CUPIX_TOKEN", TOKEN)
    with cx.connect("cupix", emulator=emu) as account:
        assert account.base_url == emu.endpoint("cupix").base_url
        assert account.me()["email"][0] == "surveyor@north.example"
    with pytest.raises(ArgumentError, match="its own address"):
        cx.connect("cupix", emulator=emu, base_url="https://x.example")
    assert TOKEN not in str(list(emu.journal))
