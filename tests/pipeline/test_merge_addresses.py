"""Sources behind addresses give the output that the same files on this machine give."""

from __future__ import annotations

import json
import logging
import tracemalloc
from pathlib import Path

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import (
    ArgumentError,
    CloudError,
    FormatError,
    MergeError,
    NotFoundError,
    ServerError,
    SourceChangedError,
)
from cupixgeo.formats import remote
from cupixgeo.net.settings import NetSettings
from cupixgeo.pipeline import journal, stream
from tests.formats.lasfiles import REAL
from tests.formats.ranged import RangedFile, serve_folder
from tests.net.conftest import Reply, Server, told
from tests.pipeline.clouds import UTM50, box_of_points, write_las
from tests.pipeline.tiles.tiled import contents

SIGNATURE = "abcdef0123456789"
BOX = (576_705.0, 5_188_155.0, 576_710.0, 5_188_160.0)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def copc(tmp_path_factory):
    """The real scan, 940,393 points, as COPC."""
    path = tmp_path_factory.mktemp("addresses") / "scan.copc.laz"
    cx.merge([REAL], to=path)
    return path


@pytest.fixture
def clouds(tmp_path):
    """Three files side by side: LAZ of format 7, LAS of format 3, LAZ of format 7."""
    paths = []
    for number, (name, kind) in enumerate([("a.laz", 7), ("b.las", 3), ("c.laz", 7)]):
        place = (UTM50[0] + 100 * number, UTM50[1], UTM50[2])
        xyz = box_of_points(12_000, origin=place, seed=number)
        paths.append(write_las(tmp_path / name, xyz, point_format=kind, crs=32650, seed=number))
    return paths


@pytest.fixture
def impatient(monkeypatch):
    """No pauses between tries."""
    monkeypatch.setattr(NetSettings, "wait_s", lambda self, failures, told_s: 0.0)


def addresses(server, paths, query=""):
    return [f"{server.url}/{path.name}{query}" for path in paths]


def points(path):
    return laspy.read(path).points.array


@pytest.mark.parametrize("name", ["out.laz", "out.las", "out.copc.laz"])
def test_the_output_is_that_of_the_files_here(server, clouds, tmp_path, name):
    folder = serve_folder(server, clouds)
    here = cx.merge(clouds, tmp_path / f"here-{name}", crs=32651, source_ids=True)
    there = cx.merge(addresses(server, clouds), tmp_path / name, crs=32651, source_ids=True)
    np.testing.assert_array_equal(points(tmp_path / name), points(tmp_path / f"here-{name}"))
    assert [s.name for s in there.sources] == [path.name for path in clouds]
    assert [s.path for s in there.sources] == addresses(server, clouds)
    assert (there.points_kept, there.bytes_in) == (here.points_kept, here.bytes_in)
    assert {s.method for s in there.sources} == {"records"}
    assert all(seen.method == "GET" and "range" in seen.headers for seen in server.seen)
    assert folder.served < 1.5 * here.bytes_in + 3 * 200_000


def test_much_to_do_does_not_need_a_file_to_be_here(server, clouds, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)
    serve_folder(server, clouds)
    there, here = tmp_path / "there.laz", tmp_path / "here.laz"
    cx.merge(addresses(server, clouds[::2]), there, crs=32651)
    cx.merge(clouds[::2], here, crs=32651)
    np.testing.assert_array_equal(points(there), points(here))


def test_a_source_may_have_a_placement_a_frame_and_a_name(server, clouds, tmp_path):
    serve_folder(server, clouds)
    move = np.eye(4)
    move[:3, 3] = 10, 20, 30
    shift = cx.Transform(move, source="cupix:pointcloud/1", target=32650)
    (url,) = addresses(server, clouds[:1])
    source = cx.Source(url, transform=shift, crs="cupix:pointcloud/1", name="first")
    local = cx.Source(clouds[0], transform=shift, crs="cupix:pointcloud/1")
    report = cx.merge([source], tmp_path / "there.laz")
    cx.merge([local], tmp_path / "here.laz")
    np.testing.assert_array_equal(points(tmp_path / "there.laz"), points(tmp_path / "here.laz"))
    assert report.sources[0].name == "first"


def test_planning_costs_the_headers_only(server, clouds, tmp_path):
    far = write_las(
        tmp_path / "far.laz",
        box_of_points(150_000, origin=(UTM50[0] + 5000, UTM50[1], 0.0)),
        crs=32650,
    )
    folder = serve_folder(server, [clouds[0], far])
    box = (UTM50[0], UTM50[1], UTM50[0] + 50, UTM50[1] + 50)
    report = cx.merge(addresses(server, [clouds[0], far]), tmp_path / "out.laz", bounds=box)
    assert [source.method for source in report.sources] == ["records", "skipped"]
    assert far.stat().st_size > 1_500_000
    assert folder.files["far.laz"].served < 150_000


def test_of_an_area_only_the_cells_that_touch_it_are_fetched(server, copc, tmp_path):
    folder = serve_folder(server, [copc])
    there, here = tmp_path / "there.laz", tmp_path / "here.laz"
    report = cx.merge(addresses(server, [copc]), there, bounds=BOX)
    cx.merge([copc], here, bounds=BOX)
    assert report.points_kept > 1000
    np.testing.assert_array_equal(points(there), points(here))
    assert folder.served < 0.3 * copc.stat().st_size


def test_a_tile_fetches_only_the_cells_that_touch_it(server, copc, tmp_path):
    folder = serve_folder(server, [copc])
    there = cx.merge(addresses(server, [copc]), tmp_path / "there", tile_m=4, bounds=BOX)
    cx.merge([copc], tmp_path / "here", tile_m=4, bounds=BOX)
    assert len(there.tiles) >= 4
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert folder.served < 0.9 * copc.stat().st_size


def test_tiles_are_those_of_the_files_here(server, clouds, tmp_path):
    serve_folder(server, clouds)
    cx.merge(addresses(server, clouds, f"?sig={SIGNATURE}"), tmp_path / "there", tile_m=60)
    cx.merge(clouds, tmp_path / "here", tile_m=60)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    written = [p.read_bytes() for p in (tmp_path / "there").rglob("*") if p.is_file()]
    assert not any(SIGNATURE.encode() in data for data in written)
    again = cx.merge(addresses(server, clouds, "?sig=renewed"), tmp_path / "there", tile_m=60)
    assert len(again.tiles) == len(contents(tmp_path / "there"))


def test_tiles_of_a_file_that_is_another_now_do_not_mix(server, clouds, tmp_path):
    folder = serve_folder(server, clouds)

    def stop(progress):
        if progress.stage == "merge":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cx.merge(addresses(server, clouds), tmp_path / "tiles", tile_m=60, progress=stop)
    folder.files["b.las"].etag = '"two"'
    with pytest.raises(MergeError, match=r"of source b\.las the time of change has changed"):
        cx.merge(addresses(server, clouds), tmp_path / "tiles", tile_m=60)


def test_memory_does_not_grow_with_the_file(server, clouds, tmp_path, monkeypatch):
    """Of a file that was read, or only looked at, nothing is kept."""
    kept = []
    close = remote.RemoteStream.close

    def closing(self):
        close(self)
        kept.append((len(self._blocks), len(self.source.first), self.source._whole))

    monkeypatch.setattr(remote.RemoteStream, "close", closing)
    serve_folder(server, clouds)
    tracemalloc.start()
    cx.merge(addresses(server, clouds), tmp_path / "out.laz", block_points=5_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) >= 2 * len(clouds)
    assert set(kept) == {(0, 0, None)}
    assert peak < 60e6


# -- changes ---------------------------------------------------------------------------------------


def new_etag(file):
    file.etag = '"two"'


def new_time(file):
    file.etag, file.modified = None, "Wed, 22 Oct 2025 07:28:00 GMT"


def new_size(file):
    file.etag = file.modified = None
    file.data += b"\0"


@pytest.mark.parametrize(
    ("change", "words"),
    [(new_etag, "another version"), (new_time, "another version"), (new_size, "bytes and has")],
)
@pytest.mark.parametrize("stage", ["open", "merge"])
def test_a_source_that_changes_is_named(server, clouds, tmp_path, change, words, stage):
    folder = serve_folder(server, clouds[:2])
    file = folder.files["b.las"]
    if change is new_time:
        file.modified = "Tue, 21 Oct 2025 07:28:00 GMT"

    def watch(progress):
        if progress.stage == stage and progress.item == "b.las" and watch.todo:
            watch.todo.pop()(file)

    watch.todo = [change]
    words = rf"b\.las changed.*{words}.*b\.las\?…\).*Start again"
    with pytest.raises(SourceChangedError, match=words) as caught:
        cx.merge(
            addresses(server, clouds[:2], f"?sig={SIGNATURE}"),
            tmp_path / "out.laz",
            block_points=5_000,
            progress=watch,
        )
    assert not watch.todo
    assert SIGNATURE not in str(caught.value)
    assert not list(tmp_path.glob("*out.laz*"))


@pytest.mark.parametrize("tile_m", [None, 60])
def test_a_source_that_is_gone_is_named(server, clouds, tmp_path, tile_m):
    folder = serve_folder(server, clouds)

    def watch(progress):
        if progress.stage == "open" and progress.done == 3:
            folder.files.pop("b.las")

    out = tmp_path / ("out.laz" if tile_m is None else "tiles")
    with pytest.raises(SourceChangedError, match=r"b\.las changed.*cannot be found"):
        cx.merge(addresses(server, clouds), out, progress=watch, tile_m=tile_m)


def test_a_server_that_ends_is_named_and_leaves_nothing(server, clouds, tmp_path, impatient):
    folder = serve_folder(server, clouds)

    def watch(progress):
        if progress.stage == "merge":
            server.answer = lambda seen: Reply(503)

    with pytest.raises(ServerError, match=r"b\.las answers 503"):
        cx.merge(addresses(server, clouds), tmp_path / "out.laz", progress=watch)
    assert folder.served
    assert not list(tmp_path.glob("*out.laz*"))


def test_an_expired_link_at_the_very_end_is_no_reason_to_fail(server, clouds, tmp_path):
    """Every part has been proven to be of one version by then."""
    folder = serve_folder(server, clouds[:1])

    def expire(seen):
        return Reply(403) if seen.headers.get("range") == "bytes=0-0" else folder(seen)

    server.answer = expire
    report = cx.merge(addresses(server, clouds[:1]), tmp_path / "out.laz")
    assert report.points_kept == 12_000
    assert any(seen.headers.get("range") == "bytes=0-0" for seen in server.seen)


# -- going on --------------------------------------------------------------------------------------


def interrupt_behind(label):
    def watch(progress):
        if progress.stage == "merge" and progress.item == label:
            raise KeyboardInterrupt

    return watch


def test_an_interrupted_merge_goes_on_under_a_new_signature(server, clouds, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "NOTE_EVERY_S", 0.0)
    folder = serve_folder(server, clouds)
    out = tmp_path / "out.laz"
    with pytest.raises(KeyboardInterrupt):
        cx.merge(
            addresses(server, clouds, f"?sig={SIGNATURE}"),
            out,
            resume=True,
            progress=interrupt_behind("c.laz"),
        )
    (notes,) = tmp_path.glob(".out.laz*.json")
    assert SIGNATURE not in notes.read_text()
    before = folder.files["a.laz"].served
    report = cx.merge(addresses(server, clouds, "?sig=other"), out, resume=True)
    assert any("2 of 3 sources" in note for note in report.notes)
    assert folder.files["a.laz"].served - before < 150_000
    cx.merge(clouds, tmp_path / "here.laz")
    np.testing.assert_array_equal(points(out), points(tmp_path / "here.laz"))


# -- secrets ---------------------------------------------------------------------------------------


def test_a_signature_is_seen_nowhere(server, clouds, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    serve_folder(server, clouds)
    urls = addresses(server, clouds, f"?X-Signature={SIGNATURE}")
    sources = [cx.Source(url) for url in urls]
    report = cx.merge(sources, tmp_path / "out.laz")
    shown = repr(sources) + str(report) + repr(report) + json.dumps(report.to_dict())
    shown += "".join(source.label for source in sources)
    assert SIGNATURE not in shown + caplog.text
    assert SIGNATURE.encode() not in (tmp_path / "out.laz").read_bytes()
    assert report.sources[0].path == f"{server.url}/a.laz?…"
    assert any(f"X-Signature={SIGNATURE}" in seen.path for seen in server.seen)


def test_a_signature_is_in_no_error(server, clouds, tmp_path):
    serve_folder(server, clouds)
    missing = cx.Source(f"{server.url}/missing.laz?X-Signature={SIGNATURE}")
    with pytest.raises(NotFoundError, match=r"/missing\.laz") as caught:
        cx.merge([missing], tmp_path / "out.laz")
    assert SIGNATURE not in str(caught.value) + repr(caught.value)
    with pytest.raises(CloudError, match=r"missing\.laz is behind an address") as other:
        missing.local_path()
    assert SIGNATURE not in told(other.value)


def test_a_password_in_an_address_is_refused_unseen(tmp_path):
    source = cx.Source(f"https://me:{SIGNATURE}@host.example/a.laz")
    assert SIGNATURE not in repr(source)
    with pytest.raises(ArgumentError, match="user name or password") as caught:
        cx.merge([source], tmp_path / "out.laz")
    assert SIGNATURE not in str(caught.value)


# -- what it says ----------------------------------------------------------------------------------


def test_the_same_file_twice_is_said(server, clouds, tmp_path):
    serve_folder(server, clouds)
    urls = [*addresses(server, clouds[:1], "?sig=1"), *addresses(server, clouds[:1], "?sig=2")]
    report = cx.merge(urls, tmp_path / "out.laz")
    assert any("a.laz is listed 2 times" in note for note in report.notes)


def test_files_told_apart_by_their_query_are_not_the_same(server, clouds, tmp_path):
    files = [RangedFile(path.read_bytes(), etag=f'"{path.name}"') for path in clouds]
    server.answer = lambda seen: files[int(seen.path[-1])](seen)
    report = cx.merge([f"{server.url}/get?id={n}" for n in range(3)], tmp_path / "out.laz")
    assert report.points_kept == 36_000
    assert not any("listed" in note for note in report.notes)


def test_what_has_no_parts_is_refused_with_a_remedy(server, tmp_path):
    server.answer = RangedFile(b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    with pytest.raises(FormatError, match="Download it"):
        cx.merge([f"{server.url}/a.ply"], tmp_path / "out.laz")


def test_workers_read_by_address_too(server, clouds, tmp_path):
    from distributed import Client, LocalCluster

    folder = serve_folder(server, clouds)
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False}
    with LocalCluster(dashboard_address=None, **options) as cluster, Client(cluster) as dask:
        cx.merge(addresses(server, clouds), tmp_path / "there", tile_m=60, client=dask)
        folder.files.pop("b.las")
        with pytest.raises(NotFoundError, match=r"/b\.las answers 404"):
            cx.merge(addresses(server, clouds), tmp_path / "other", tile_m=70, client=dask)
    cx.merge(clouds, tmp_path / "here", tile_m=60)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_an_address_that_became_a_path_is_refused_unseen():
    with pytest.raises(CloudError, match="give it as text") as caught:
        cx.Source(Path(f"https://host.example/a.laz?sig={SIGNATURE}"))
    assert SIGNATURE not in str(caught.value)


def test_a_source_that_is_fetched_shows_no_signature_of_where_from(clouds, tmp_path):
    url = f"https://host.example/folder/a%20b.laz?sig={SIGNATURE}"
    source = cx.Source(url, fetch=lambda progress: clouds[0])
    assert (source.label, source.address) == ("a b.laz", None)
    assert SIGNATURE not in repr(source)
    report = cx.merge([source], tmp_path / "out.laz")
    assert SIGNATURE not in json.dumps(report.to_dict())
    assert report.sources[0].path == str(clouds[0])
