"""A download is whole or not there, continues where it stopped, and tells the storage nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest

import cupixgeo.net.partial as partial
from cupixgeo.errors import CancelledError, DiskFullError, OutputError, TransferError
from cupixgeo.net.secret import Secret
from cupixgeo.net.transfer import Expected, download, storage_suffix
from tests.net.conftest import Reply, told

DATA = bytes(range(256)) * 4000
SIGNATURE = "abcdef" + "0123456789"
OPEN = Expected(name="pointcloud 5310", plain_http=True)


class Storage:
    """An object store in two lines: Range, If-Range, ETag; breaks as told."""

    def __init__(self, data: bytes = DATA, **headers: str) -> None:
        self.data = data
        self.headers = {"ETag": '"v1"', **headers}
        self.cuts: list[int] = []
        self.expired_links: set[str] = set()

    def __call__(self, seen) -> Reply:
        if seen.path in self.expired_links:
            return Reply(403, body=b"<Error><Code>AccessDenied</Code>Request has expired</Error>")
        cut = self.cuts.pop(0) if self.cuts else None
        match = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        if match is None or seen.headers.get("if-range") != self.headers["ETag"]:
            return Reply(200, self.data, self.headers, cut=cut)
        start, size = int(match[1]), len(self.data)
        if start >= size:
            return Reply(416)
        headers = {**self.headers, "Content-Range": f"bytes {start}-{size - 1}/{size}"}
        return Reply(206, self.data[start:], headers, cut=cut)


class Links:
    """Gives a new signed link each time it is asked."""

    def __init__(self, server) -> None:
        self.server = server
        self.given = 0

    def __call__(self) -> Secret:
        self.given += 1
        return Secret(f"{self.server.url}/store/{self.given}?X-Signature={SIGNATURE}")

    def path(self, number: int) -> str:
        return f"/store/{number}?X-Signature={SIGNATURE}"


@pytest.fixture
def links(server):
    return Links(server)


def ranges(server) -> list[str | None]:
    return [seen.headers.get("range") for seen in server.seen]


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_under_its_name(server, links, settings, tmp_path):
    server.answer = Storage()
    steps = []
    path = download(
        links, tmp_path / "5310.laz", expected=OPEN, settings=settings, progress=steps.append
    )
    assert path == tmp_path / "5310.laz"
    assert path.read_bytes() == DATA
    assert leftovers(tmp_path) == ["5310.laz"]
    last = steps[-1]
    assert (last.stage, last.unit, last.item) == ("download", "bytes", "pointcloud 5310")
    assert last.done == last.total == len(DATA)


def test_the_storage_is_sent_nothing_but_the_range(server, links, settings, tmp_path):
    storage = Storage()
    storage.cuts = [300_000]
    server.answer = storage
    download(links, tmp_path / "a", expected=OPEN, settings=settings)
    allowed = {"accept", "accept-encoding", "connection", "host", "if-range", "range", "user-agent"}
    for seen in server.seen:
        assert set(seen.headers) <= allowed
        assert seen.headers["accept-encoding"] == "identity"


def test_a_cut_connection_is_continued_where_it_broke(server, links, settings, tmp_path, pauses):
    storage = Storage()
    storage.cuts = [300_000, 200_000]
    server.answer = storage
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, "bytes=300000-", "bytes=500000-"]
    assert server.seen[1].headers["if-range"] == '"v1"'
    assert links.given == 1
    assert pauses == [0.25, 0.5]


def test_a_download_is_continued_by_the_next_process(server, links, settings, tmp_path):
    storage = Storage()
    storage.cuts = [400_000]
    server.answer = storage
    once = replace(settings, attempts=1)
    with pytest.raises(TransferError, match="400000 of 1024000 bytes that came are kept"):
        download(links, tmp_path / "a.laz", expected=OPEN, settings=once)
    assert leftovers(tmp_path) == ["a.laz.part", "a.laz.part.json"]
    path = download(links, tmp_path / "a.laz", expected=OPEN, settings=once)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, "bytes=400000-"]
    assert leftovers(tmp_path) == ["a.laz"]


def test_the_note_beside_a_partial_file_holds_no_link(server, links, settings, tmp_path):
    server.answer = storage = Storage()
    storage.cuts = [400_000]
    with pytest.raises(TransferError):
        download(links, tmp_path / "a", expected=OPEN, settings=replace(settings, attempts=1))
    note = json.loads((tmp_path / "a.part.json").read_text())
    assert note["etag"] == '"v1"'
    assert note["length"] == len(DATA)
    assert SIGNATURE not in str(note)
    assert "http" not in str(note)


def test_a_file_that_changed_meanwhile_is_taken_anew(server, links, settings, tmp_path):
    server.answer = storage = Storage()
    storage.cuts = [400_000]
    with pytest.raises(TransferError):
        download(links, tmp_path / "a", expected=OPEN, settings=replace(settings, attempts=1))
    newer = DATA[::-1] + b"more"
    server.answer = Storage(newer, ETag='"v2"')
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == newer


def test_a_storage_without_strong_etag_is_never_continued(server, links, settings, tmp_path):
    storage = Storage(ETag='W/"v1"')
    storage.cuts = [300_000]
    server.answer = storage
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, None]


def test_a_storage_that_ignores_ranges_starts_over(server, links, settings, tmp_path):
    whole = Reply(200, DATA, {"ETag": '"v1"'})
    server.script(replace(whole, cut=300_000), whole)
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, "bytes=300000-"]


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(416),
        Reply(206, DATA[5:724_005], {"Content-Range": "bytes 5-724004/1024000"}),
        Reply(206, DATA[300_000:], {"Content-Range": "bytes 300000-1023999/2000000"}),
        Reply(206, DATA[300_000:]),
        Reply(
            206,
            DATA[300_000:],
            {"Content-Range": "bytes 300000-1023999/1024000", "ETag": '"v2"'},
        ),
    ],
    ids=["416", "other start", "other length", "no Content-Range", "other ETag"],
)
def test_a_part_that_does_not_fit_starts_over(server, links, settings, tmp_path, wrong):
    whole = Reply(200, DATA, {"ETag": '"v1"'})
    server.script(replace(whole, cut=300_000), wrong, whole)
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, "bytes=300000-", None]


def test_a_link_that_expires_midway_is_renewed_once_for_the_same_range(
    server, links, settings, tmp_path, pauses
):
    storage = Storage()
    storage.cuts = [300_000]
    storage.expired_links = set()

    def answer(seen):
        reply = storage(seen)
        storage.expired_links.add(links.path(1))
        return reply

    server.answer = answer
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert links.given == 2
    assert ranges(server) == [None, "bytes=300000-", "bytes=300000-"]
    assert [seen.path for seen in server.seen] == [links.path(1), links.path(1), links.path(2)]


def test_a_link_may_be_renewed_at_each_expiry(server, links, settings, tmp_path):
    storage = Storage()
    storage.cuts = [300_000, 300_000]

    def answer(seen):
        reply = storage(seen)
        if reply.cut:
            storage.expired_links.add(seen.path)
        return reply

    server.answer = answer
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert links.given == 3


@pytest.mark.parametrize(
    "refusal", [Reply(403), Reply(401), Reply(400, b"<Code>ExpiredToken</Code>")]
)
def test_a_fresh_link_that_is_refused_too_ends_it(server, links, settings, tmp_path, refusal):
    server.script(refusal)
    with pytest.raises(TransferError, match="also through a fresh link") as caught:
        download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert links.given == 2
    assert SIGNATURE not in told(caught.value)
    assert leftovers(tmp_path) == []


def test_a_busy_storage_is_asked_again_when_it_says(server, links, settings, tmp_path, pauses):
    server.script(Reply(503, headers={"Retry-After": "4"}), Reply(500), Reply(200, DATA))
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA
    assert pauses == [4.25, 0.5]


def test_a_missing_object_ends_it_at_once(server, links, settings, tmp_path):
    server.script(Reply(404, b"<Code>NoSuchKey</Code>"))
    with pytest.raises(TransferError, match=r"pointcloud 5310 .* 404, '<Code>NoSuchKey") as caught:
        download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert len(server.seen) == 1
    assert SIGNATURE not in told(caught.value)


def test_it_gives_up_after_tries_without_progress(server, links, settings, tmp_path):
    storage = Storage()
    storage.cuts = [0] * 50
    server.answer = storage
    with pytest.raises(TransferError, match="try 5 of 5") as caught:
        download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert len(server.seen) == 5
    assert SIGNATURE not in told(caught.value)


def test_progress_earns_new_tries(server, links, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("cupixgeo.net.transfer.NOTEWORTHY_BYTES", 50_000)
    storage = Storage()
    storage.cuts = [100_000] * 8
    server.answer = storage
    once_more = replace(settings, attempts=2)
    assert download(links, tmp_path / "a", expected=OPEN, settings=once_more).read_bytes() == DATA


def test_a_stalled_body_is_continued(server, links, settings, tmp_path):
    first = Reply(200, DATA, {"ETag": '"v1"'}, cut=300_000, stall_s=5.0)
    storage = Storage()
    replies = [first]
    server.answer = lambda seen: replies.pop() if replies else storage(seen)
    quick = replace(settings, read_timeout_s=0.2)
    assert download(links, tmp_path / "a", expected=OPEN, settings=quick).read_bytes() == DATA
    assert ranges(server) == [None, "bytes=300000-"]


# -- redirects and addresses ---------------------------------------------------------------------


def test_redirects_of_the_storage_are_followed_by_hand(
    server, other_server, links, settings, tmp_path
):
    server.answer = lambda seen: Reply(307, headers={"Location": f"{other_server.url}/x?sig=1"})
    other_server.answer = Storage()
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA
    assert "cookie" not in other_server.seen[0].headers
    assert "referer" not in other_server.seen[0].headers


def test_redirects_end_after_three(server, links, settings, tmp_path):
    server.script(Reply(302, headers={"Location": "/again?sig=secretsig"}))
    with pytest.raises(TransferError, match="more than 3 times") as caught:
        download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert len(server.seen) == 4
    assert "secretsig" not in told(caught.value)


def test_an_open_storage_is_refused_where_the_service_is_encrypted(links, settings, tmp_path):
    with pytest.raises(TransferError, match="not encrypted") as caught:
        download(links, tmp_path / "a", expected=Expected("x"), settings=settings)
    assert SIGNATURE not in told(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "https://u:pw@host/x"])
def test_an_address_that_is_none_is_refused(server, links, settings, tmp_path, target):
    server.script(Reply(302, headers={"Location": target}))
    with pytest.raises(TransferError, match="cannot be used"):
        download(links, tmp_path / "a", expected=OPEN, settings=settings)


def test_a_downgrade_from_https_is_refused(settings, tmp_path, monkeypatch):
    class Redirecting:
        status, is_redirect = 302, True

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            pass

        def location(self):
            return Secret(f"http://other.example/x?sig={SIGNATURE}")

    monkeypatch.setattr("cupixgeo.net.wire.Wire.open", lambda *args, **kw: Redirecting())
    with pytest.raises(TransferError, match="from https to an open connection") as caught:
        download(
            lambda: Secret("https://store.example/x"), tmp_path / "a", expected=OPEN,
            settings=settings,
        )  # fmt: skip
    assert SIGNATURE not in told(caught.value)


# -- what is whole -------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("x-amz-checksum-sha256", lambda d: base64.b64encode(sha256(d)).decode()),
        ("Repr-Digest", lambda d: f"sha-256=:{base64.b64encode(sha256(d)).decode()}:"),
        ("Content-MD5", lambda d: base64.b64encode(hashlib.md5(d).digest()).decode()),
        (
            "x-goog-hash",
            lambda d: f"crc32c=AAAAAA==,md5={base64.b64encode(hashlib.md5(d).digest()).decode()}",
        ),
    ],
)
def test_a_hash_the_storage_gives_is_verified(server, links, settings, tmp_path, name, form):
    good = Reply(200, DATA, {name: form(DATA), "ETag": '"v1"'})
    bad = Reply(200, DATA[::-1], {name: form(DATA), "ETag": '"v1"'})
    server.script(bad, good)
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA
    server.script(bad)
    with pytest.raises(TransferError, match="hash is not the one given"):
        download(links, tmp_path / "b", expected=OPEN, settings=settings)
    assert leftovers(tmp_path) == ["a"]


def test_a_hash_is_that_of_the_whole_file_after_a_resume(server, links, settings, tmp_path):
    digest = base64.b64encode(sha256(DATA)).decode()
    server.answer = storage = Storage(**{"x-amz-checksum-sha256": digest})
    storage.cuts = [300_000]
    wanted = replace(OPEN, sha256=sha256(DATA).hex())
    assert download(links, tmp_path / "a", expected=wanted, settings=settings).read_bytes() == DATA


def test_a_hash_the_caller_gives_is_verified(server, links, settings, tmp_path):
    server.answer = Storage()
    wanted = replace(OPEN, sha256="00" * 32)
    with pytest.raises(TransferError, match="sha256 hash"):
        download(links, tmp_path / "a", expected=wanted, settings=settings)


def test_a_checksum_of_parts_is_not_taken_for_one_of_the_file(server, links, settings, tmp_path):
    composite = base64.b64encode(sha256(b"parts")).decode() + "-3"
    server.answer = Storage(**{"x-amz-checksum-sha256": composite})
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(200, DATA, length=False), "does not say how long"),
        (Reply(200, DATA, {"Content-Encoding": "gzip"}), "compressed"),
        (Reply(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"}), "web page"),
    ],
)
def test_what_cannot_be_verified_is_refused(server, links, settings, tmp_path, reply, why):
    server.script(reply)
    with pytest.raises(TransferError, match=why):
        download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert leftovers(tmp_path) == []


def test_an_empty_file_is_a_file(server, links, settings, tmp_path):
    server.answer = Storage(b"")
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == b""


# -- names and disks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "suffix"),
    [
        ('attachment; filename="scan.LAZ"', ".laz"),
        ("attachment; filename=scan.copc.laz", ".copc.laz"),
        ("attachment; filename=x.txt; filename*=UTF-8''na%20me.E57", ".e57"),
        ('attachment; filename="../../etc/cron.d/x.laz"', ".laz"),
        ('attachment; filename="/abs/olute"', ".ply"),
        ('attachment; filename="C:\\\\x.laz:stream"', ".ply"),
        (None, ".ply"),
    ],
)
def test_only_an_extension_is_taken_from_the_servers_name(disposition, suffix):
    assert storage_suffix(disposition, Secret("https://s/a/b.ply?name=x.exe")) == suffix


@pytest.mark.parametrize(("named", "ending"), [("x.laz", ".laz"), ("x.exe", ".bin"), ("x", ".bin")])
def test_an_extension_outside_the_allowed_set_becomes_bin(
    server, links, settings, tmp_path, named, ending
):
    server.answer = Storage(**{"Content-Disposition": f'attachment; filename="../{named}"'})
    wanted = replace(OPEN, suffixes=(".laz", ".ply"))
    path = download(links, tmp_path / "5310", expected=wanted, settings=settings)
    assert path == tmp_path / f"5310{ending}"
    assert leftovers(tmp_path) == [path.name]


def test_a_missing_folder_is_told_before_anything_is_asked(server, links, settings, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        download(links, tmp_path / "no" / "a", expected=OPEN, settings=settings)
    assert links.given == 0


def test_an_existing_file_stays_until_the_new_one_is_whole(server, links, settings, tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    storage = Storage()
    storage.cuts = [300_000]
    server.answer = storage
    with pytest.raises(TransferError):
        download(links, tmp_path / "a", expected=OPEN, settings=replace(settings, attempts=1))
    assert (tmp_path / "a").read_bytes() == b"old"
    download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_full_disk_is_told_before_it_is_filled(server, links, settings, tmp_path, monkeypatch):
    server.answer = Storage()
    usage = os.statvfs(tmp_path)
    assert usage.f_bavail > 0
    monkeypatch.setattr(
        partial.shutil, "disk_usage", lambda _: type("Usage", (), {"free": len(DATA) - 1})
    )
    with pytest.raises(DiskFullError, match="1024000 bytes and the disk 1023999 left"):
        download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert leftovers(tmp_path) == []


def test_a_disk_that_fills_up_is_a_disk_full_error(server, links, settings, tmp_path):
    server.answer = Storage()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(DiskFullError, match="no room") as caught:
            download(links, tmp_path / "a", expected=OPEN, settings=settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "a").exists()
    assert SIGNATURE not in told(caught.value)
    path = download(links, tmp_path / "a", expected=OPEN, settings=settings)
    assert path.read_bytes() == DATA
    assert re.fullmatch(r"bytes=\d{5,}-", ranges(server)[-1])


def test_a_watcher_that_stops_it_leaves_a_part_to_continue(server, links, settings, tmp_path):
    server.answer = Storage()

    def stop(progress):
        raise CancelledError("enough")

    with pytest.raises(CancelledError):
        download(links, tmp_path / "a", expected=OPEN, settings=settings, progress=stop)
    assert leftovers(tmp_path) == ["a.part", "a.part.json"]
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA


def test_two_downloads_of_one_file_do_not_mix(server, links, settings, tmp_path):
    server.answer = Storage()
    inner = []

    def second(progress):
        if not inner:
            inner.append(
                download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes()
            )

    path = download(links, tmp_path / "a", expected=OPEN, settings=settings, progress=second)
    assert inner == [DATA]
    assert path.read_bytes() == DATA
    assert leftovers(tmp_path) == ["a"]


def test_a_whole_part_that_never_got_its_name_costs_one_byte(server, links, settings, tmp_path):
    server.answer = Storage()
    (tmp_path / "a.part").write_bytes(DATA)
    note = {"length": len(DATA), "etag": '"v1"', "algorithm": "", "digest": "", "suffix": ""}
    (tmp_path / "a.part.json").write_text(json.dumps(note))
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA
    assert ranges(server) == [f"bytes={len(DATA) - 1}-"]


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"length": "x", "etag": 5}', "not json", '{"length": 3}']
)
def test_a_note_that_makes_no_sense_starts_over(server, links, settings, tmp_path, note):
    server.answer = Storage()
    (tmp_path / "a.part").write_bytes(b"rubbish")
    (tmp_path / "a.part.json").write_text(note)
    assert download(links, tmp_path / "a", expected=OPEN, settings=settings).read_bytes() == DATA
    assert ranges(server) == [None]
