"""The token is nowhere to be seen: not shown, logged, raised, pickled, stored or sent elsewhere."""

from __future__ import annotations

import logging
import pickle

import pytest

import cupixgeo as cx
from cupixgeo.emulator import faults
from cupixgeo.errors import CupixGeoError
from tests.net.conftest import told


@pytest.fixture
def token(emu):
    return emu.endpoint("cupix").token


@pytest.fixture
def ids(emu):
    return emu.world.cupix.ids


def test_tables_points_and_sources_do_not_carry_it(account, ids, token):
    tables = [
        account.pointclouds(record_id=ids.record),
        account.panos(capture_id=ids.captures[0]),
        account.me(),
        account.placement_steps(ids.sub),
    ]
    for table in tables:
        assert token.encode() not in pickle.dumps(table)
        assert token not in repr(table.attrs)
    cloud = account.open(ids.sub)
    assert token not in repr(cloud) + repr(cloud.attrs) + repr(cloud.encoding)
    for source in account.sources(record_id=ids.record):
        assert token not in repr(source) + repr(dict(source.provenance)) + repr(source.fetch)
        assert token.encode() not in pickle.dumps(source.transform)
        with pytest.raises(TypeError, match="open connections") as caught:
            pickle.dumps(source)
        assert token not in told(caught.value)


def test_nothing_in_the_cache_holds_it(account, ids, token):
    account.open(ids.sub)
    for path in account.cache_dir.rglob("*"):
        assert token not in path.name
        assert not path.is_file() or token.encode() not in path.read_bytes()


def test_logs_at_debug_hold_neither_token_nor_signature(account, ids, emu, caplog, token, tmp_path):
    caplog.set_level(logging.DEBUG)
    emu.faults.add(faults.expired_midway(100_000), service="storage")
    emu.faults.add(faults.server_error(500), path="/pointclouds")
    account.pointclouds(record_id=ids.record)
    account.download(ids.sub, tmp_path)
    assert "cupix GET /pointclouds 200" in caplog.text
    for leak in (token, "X-Emu-Signature", "X-Emu-Expires", "record_id"):
        assert leak not in caplog.text


FAULTS = [
    faults.json_reply({"result": {"code": "A", "message": "bad"}}, status=400),
    faults.json_reply(None, status=401),
    faults.json_reply(None, status=403),
    faults.json_reply(None, status=404),
    faults.server_error(500),
    faults.html_page(),
    faults.truncated_json(),
    faults.no_answer(),
    faults.cut_body(5),
    faults.json_reply({"result": {"data": [{}]}}),
]


@pytest.mark.parametrize("service", ["cupix", "storage"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_error_holds_token_or_signature(account, ids, emu, token, tmp_path, service, fault):
    emu.faults.add(fault, service=service, times=None)
    raised = []
    for call in (
        lambda: account.pointclouds(record_id=ids.record),
        lambda: account.placement(ids.sub),
        lambda: account.sources(ids=[ids.sub, ids.scaled_sub]),
        lambda: account.download(ids.sub, tmp_path),
        lambda: account.open(ids.sub),
    ):
        try:
            call()
        except CupixGeoError as error:
            raised.append(error)
    assert raised
    for error in raised:
        for leak in (token, "X-Emu-Signature"):
            assert leak not in told(error)
            assert leak.encode() not in pickle.dumps(error)


def test_a_wrong_argument_beside_a_token_does_not_show_it():
    planted = "planted" + "-0123456789-token"
    for arguments in (
        {"service": "dropbox"},
        {"service": "cupix", "region": "mars"},
        {"service": "cupix", "base_url": "ftp://x"},
        {"service": "cupix", "base_url": "http://192.0.2.7/api/v1"},
        {"service": "cupix", "per_page": 0},
        {"service": "cupix", "matrix_order": "x"},
    ):
        with pytest.raises(CupixGeoError) as caught:
            cx.connect(token=planted, **arguments)
        assert planted not in told(caught.value)
    with pytest.raises(CupixGeoError, match="cannot be a token") as caught:
        cx.connect("cupix", f"{planted} and a blank")
    assert planted not in told(caught.value)
