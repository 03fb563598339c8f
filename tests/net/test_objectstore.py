"""Both vendors' stores behind one interface, against the emulator's buckets."""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cupixgeo.emulator import Emulator, faults
from cupixgeo.emulator.objectstore import Bucket
from cupixgeo.emulator.objectstore.keys import WRITE
from cupixgeo.errors import (
    ArgumentError,
    CancelledError,
    ConnectionFailedError,
    CupixGeoError,
    MissingExtraError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.objectstore import EXPIRED_CODES, StoreAccess, open_store, with_scheme
from cupixgeo.net.secret import Secret
from cupixgeo.net.settings import NetSettings
from tests.net.conftest import told

PART = 5 << 20
REGIONS = {"s3": "eu-central-1", "oss": "oss-cn-hangzhou"}
SEEDS = itertools.count(1)


@pytest.fixture(scope="module")
def running():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def emu(running):
    running.faults.clear()
    running.journal.clear()
    return running


@pytest.fixture(params=["s3", "oss"])
def vendor(request):
    return request.param


@pytest.fixture
def bucket(emu, vendor):
    stage = emu._stage
    made = Bucket("demo-bucket", storage=stage.storage, clock=emu.clock, seed=next(SEEDS))
    made.dialect, made.region = vendor, REGIONS[vendor]
    return made


def access_to(emu, bucket, key):
    return StoreAccess(
        bucket.dialect,
        emu.storage_url,
        bucket.region,
        bucket.name,
        key.access_key_id,
        Secret(key.secret_access_key),
        Secret(key.session_token),
    )


@pytest.fixture
def key(bucket):
    return bucket.keys.issue(lifetime_s=600, prefix="p/", actions=WRITE | {"GetObject"})


@pytest.fixture
def access(emu, bucket, key):
    return access_to(emu, bucket, key)


@pytest.fixture
def store(access):
    made = open_store(access, service="demo", settings=NetSettings(read_timeout_s=2.0))
    yield made
    made.close()


def test_objects_are_stored_whole(store, bucket, tmp_path):
    file = tmp_path / "DJI_0001.JPG"
    file.write_bytes(b"head" + b"photo" * 1000 + b"tail")
    body = Body.from_file(file, offset=4, size=5000)
    etag = store.put("p/DJI 0001+ü.JPG", body)
    assert bucket.objects["p/DJI 0001+ü.JPG"].content == b"photo" * 1000
    assert etag.lower() == hashlib.md5(b"photo" * 1000).hexdigest()


def test_a_known_md5_is_taken_and_a_wrong_one_is_refused_by_the_store(store):
    data = b"photo"
    store.put("p/a", Body.from_bytes(data), md5=hashlib.md5(data).hexdigest())
    with pytest.raises(TransferError, match="not the ones that were sent"):
        store.put("p/a", Body.from_bytes(data, name="a"), md5=hashlib.md5(b"x").hexdigest())


def test_parts_are_joined_fetched_and_thrown_away(store, bucket, tmp_path):
    upload = store.begin("p/big")
    pieces = [b"a" * PART, b"tail"]
    bodies = [Body.from_bytes(piece, name="big") for piece in pieces]
    with ThreadPoolExecutor(2) as pool:
        etags = list(
            pool.map(
                lambda nb: store.put_part("p/big", upload, *nb), [(1, bodies[0]), (2, bodies[1])]
            )
        )
    whole = store.finish("p/big", upload, etags)
    joined = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in etags)).hexdigest()
    assert whole.lower() == f"{joined}-2"
    assert store.get("p/big", tmp_path / "big").read_bytes() == b"".join(pieces)
    with pytest.raises(NotFoundError, match="NoSuchUpload"):
        store.finish("p/big", upload, etags)
    other = store.begin("p/other")
    store.abort("p/other", other)
    assert not bucket.uploads
    with pytest.raises(NotFoundError):
        store.get("p/nothing", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_credentials_that_are_over_can_be_told_from_ones_that_were_never_enough(emu, bucket):
    short = bucket.keys.issue(lifetime_s=60, prefix="p/")
    store = open_store(access_to(emu, bucket, short), service="demo")
    with pytest.raises(PermissionDeniedError) as caught:
        store.put("elsewhere/a", Body.from_bytes(b"1", name="a"))
    assert caught.value.code == "AccessDenied"
    assert caught.value.code not in EXPIRED_CODES
    emu.clock.advance(60)
    with pytest.raises(PermissionDeniedError, match="expired") as caught:
        store.put("p/a", Body.from_bytes(b"1", name="a"))
    assert caught.value.code in EXPIRED_CODES
    store.close()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.server_error(500), ServerError),
        (faults.server_error(503), ServerError),
        (faults.rate_limited(), RateLimitError),
        (faults.no_answer(), ConnectionFailedError),
        (faults.lost_reply(), ConnectionFailedError),
    ],
    ids=lambda value: getattr(value, "name", None) or value.__name__,
)
def test_faults_have_their_error_and_nothing_is_sent_twice(emu, store, fault, error):
    emu.faults.add(fault, service="storage", times=None)
    with pytest.raises(error):
        store.put("p/a", Body.from_bytes(b"1", name="a.jpg"))
    assert len(emu.journal.where(origin="storage")) == 1


def test_a_store_that_is_not_there_is_no_answer(access):
    store = open_store(replace(access, endpoint="http://127.0.0.1:9"), service="demo")
    with pytest.raises(ConnectionFailedError, match=r"no whole answer .* http://127\.0\.0\.1:9,"):
        store.put("p/a", Body.from_bytes(b"1", name="a.jpg"))
    store.close()


def test_a_file_that_was_cut_or_is_gone_is_said_by_name(store, tmp_path, bucket):
    file = tmp_path / "cut.jpg"
    file.write_bytes(b"1" * 100)
    body = Body.from_file(file)
    file.write_bytes(b"1" * 50)
    md5 = hashlib.md5(b"1" * 100).hexdigest()
    with pytest.raises(TransferError, match=r"cut\.jpg ended before its 100 bytes"):
        store.put("p/a", body, md5=md5)
    file.unlink()
    for known in (md5, ""):
        with pytest.raises(TransferError, match=r"cut\.jpg cannot be read"):
            store.put("p/a", body, md5=known)
    assert not bucket.objects


def test_a_wish_to_stop_passes_through_the_library(store):
    class Stopping(io.BytesIO):
        def read(self, size=-1):
            raise CancelledError("stopped on request")

    body = Body(10, lambda: Stopping(b"1" * 10), "a.jpg")
    with pytest.raises(CancelledError):
        store.put("p/a", body, md5=hashlib.md5(b"1" * 10).hexdigest())


def test_nothing_secret_is_shown_logged_raised_or_pickled(emu, access, key, store, caplog):
    caplog.set_level(logging.DEBUG)
    leaks = (key.secret_access_key, key.session_token)
    store.put("p/a", Body.from_bytes(b"1", name="a"))
    raised = []
    for fault in (faults.server_error(500), faults.no_answer(), faults.expired_signature()):
        emu.faults.add(fault, service="storage")
        with pytest.raises(CupixGeoError) as caught:
            store.put("p/a", Body.from_bytes(b"1", name="a"))
        raised.append(caught.value)
    shown = [repr(access), repr(store), caplog.text, *map(told, raised)]
    for leak in leaks:
        assert not [text for text in shown if leak in text]
        assert not [error for error in raised if leak.encode() in pickle.dumps(error)]
    assert key.access_key_id not in caplog.text


def test_other_uses_of_the_libraries_are_logged_as_ever(store, caplog):
    caplog.set_level(logging.DEBUG, logger="botocore.auth")
    logging.getLogger("botocore.auth").debug("the user's own call")
    assert "the user's own call" in caplog.text


def test_the_machine_s_own_set_up_is_not_looked_at(access, monkeypatch, bucket):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    store = open_store(access, service="demo")
    store.put("p/a", Body.from_bytes(b"1"))
    store.close()
    assert "p/a" in bucket.objects


def test_a_missing_library_names_the_extra(access, monkeypatch):
    library = {"s3": "botocore", "oss": "oss2"}[access.vendor]
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cupixgeo\[uploads\]'"):
        open_store(access, service="demo")


def test_an_open_store_behind_an_encrypted_service_is_refused(access):
    with pytest.raises(TransferError, match="not encrypted"):
        open_store(replace(access, endpoint="http://store.example"), service="demo")
    open_store(replace(access, endpoint="http://store.example"), service="d", plain_http=True)


def test_there_are_two_vendors(access):
    with pytest.raises(ArgumentError, match="'azure'"):
        open_store(replace(access, vendor="azure"), service="demo")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("https://s3.example", "https://s3.example"),
        ("s3.example", "https://s3.example"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
    ],
)
def test_an_endpoint_without_a_scheme_means_https(given, expected):
    assert with_scheme(given) == expected


def test_names_the_library_does_not_take_are_said_without_the_secrets(access, vendor, key):
    wrong = {"bucket": "B"} if vendor == "oss" else {"region": "no region"}
    with pytest.raises(ArgumentError, match="cannot be used") as caught:
        open_store(replace(access, **wrong), service="demo")
    assert key.secret_access_key not in told(caught.value)
