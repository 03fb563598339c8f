"""Calls written as Python: what is written is what was meant, and holds no token."""

from __future__ import annotations

import pytest

from cupixgeo.emulator import Emulator
from cupixgeo.widgets.repeat import Name, call, connect, written
from tests.widgets.accounts import SERVICES
from tests.widgets.accounts import connect as connect_to

VALUES = [
    1,
    2.5,
    True,
    None,
    'it\'s "quoted"\nand ümlaut',
    [],
    {},
    {"a": [1, {"b": None}], "long": list(range(60)), "text": "x" * 100},
    [[-91.123456789, 46.1], [1e-9, -0.0]],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_written_as_they_are(value):
    assert eval(written(value)) == value
    got = {}
    exec(call("keep", value, named=value), {"keep": lambda *a, **k: got.update(a=a, k=k)})
    assert got == {"a": (value,), "k": {"named": value}}


def test_short_calls_stand_on_a_line_and_long_ones_below_each_other():
    assert call("f", 1, a="b") == 'f(1, a="b")'
    long = call("account.plan", "photos/", name="n" * 60, crs="EPSG:32615")
    assert long.splitlines()[0] == "account.plan("
    assert max(map(len, long.splitlines())) < 90


def test_a_name_is_written_as_it_is():
    assert call("cx.merge", Name("sources"), "a.laz") == 'cx.merge(sources, "a.laz")'


@pytest.mark.parametrize("service", [*SERVICES, "cupix"])
def test_an_account_is_connected_again_without_its_token(service):
    with Emulator(seed=7) as emu, connect_to(emu, service) as account:
        text = connect(account)
        assert str(emu.endpoint(service).token) not in text
        assert account.token_variable in text
        assert f'base_url="{account.base_url}"' in text
        assert "assume=" not in text  # all of it is as always
        kept = {"cx": type("cx", (), {"connect": staticmethod(lambda *a, **k: (a, k))})}
        exec(text, kept)
        assert kept["account"][0] == (service,)


def test_settings_that_are_not_as_always_are_written():
    with Emulator(seed=7) as emu, connect_to(emu, "teleport", assume={"per_page": 7}) as account:
        assert 'assume={"per_page": 7}' in connect(account)
