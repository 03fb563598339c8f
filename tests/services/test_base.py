"""An account is shown without its token, keeps its cache apart, and is not pickled."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import cupixgeo as cx
from cupixgeo.errors import ConnectionFailedError, OutputError

TOKEN = "planted" + "-0123456789-token"


def test_it_is_shown_with_four_characters_of_its_token():
    with cx.connect("cupix", TOKEN) as account:
        for shown in (repr(account), str(account), account._repr_html_()):
            assert "plan…" in shown
            assert "https://api.cupix.works/api/v1" in shown
            assert TOKEN[:5] not in shown


def test_it_is_not_pickled():
    with cx.connect("cupix", TOKEN) as account:
        with pytest.raises(TypeError, match="connect again") as caught:
            pickle.dumps(account)
        assert TOKEN not in str(caught.value)


def test_each_address_has_a_cache_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = set()
    for region in ("us", "eu"):
        with cx.connect("cupix", TOKEN, region=region) as account:
            folders.add(account.cache_dir)
            assert account.cache_dir.is_dir()
            assert "cupixgeo" in account.cache_dir.parts
    assert len(folders) == 2


def test_the_cache_of_a_service_on_this_machine_ends_with_the_process():
    code = (
        "import cupixgeo as cx; "
        "a = cx.connect('cupix', 'some-token', base_url='http://127.0.0.1:9/api/v1'); "
        "print(a.cache_dir); assert a.cache_dir.is_dir()"
    )
    root = Path(cx.__file__).parents[1]
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    folder = Path(shown.stdout.strip())
    assert folder.name.startswith("cupixgeo-cupix-")
    assert not folder.exists()


def test_a_cache_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        cx.connect("cupix", TOKEN, cache_dir=tmp_path / "file" / "cache") as account,
        pytest.raises(OutputError, match="cache_dir="),
    ):
        _ = account.cache_dir


def test_an_account_that_is_dropped_leaves_no_socket_open(emu):
    account = cx.connect("cupix", emulator=emu)
    account.me()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        del account
        gc.collect()
    assert [str(w.message) for w in caught if issubclass(w.category, ResourceWarning)] == []


def test_a_closed_account_sends_nothing_more(emu):
    with cx.connect("cupix", emulator=emu) as account:
        account.me()
    with pytest.raises(ConnectionFailedError, match="connect again"):
        account.me()
    assert len(emu.journal) == 1
