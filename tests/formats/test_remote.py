"""Clouds behind an address are read as those on this machine, by a small part of their bytes."""

import io
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import cupixgeo as cx
import cupixgeo.formats.remote as remote
from cupixgeo.errors import CloudError, FormatError, NotFoundError, TransferError
from cupixgeo.formats.copc.reader import CopcNodes
from cupixgeo.formats.registry import can_open, open_cloud
from cupixgeo.formats.remote import BLOCK_BYTES, open_remote
from tests.formats.copc.test_reader import COPC
from tests.formats.lasfiles import REAL, las_data
from tests.formats.ranged import RangedFile, serve
from tests.net.conftest import Reply, Server

BOX = (576_705.0, 5_188_155.0, 576_710.0, 5_188_160.0)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def copc(tmp_path_factory):
    """The real scan, 940,393 points, as COPC."""
    path = tmp_path_factory.mktemp("remote") / "scan.copc.laz"
    cx.merge([REAL], to=path)
    return path


# -- clouds ----------------------------------------------------------------------------------------


def test_a_small_area_costs_a_small_part_of_the_file(server, copc):
    url, file = serve(server, copc)
    with open_cloud(url, bounds=BOX) as part, open_cloud(copc, bounds=BOX) as local:
        assert part.sizes["point"] > 1000
        assert part.equals(local)
    assert file.served < 0.2 * len(file.data)
    assert len(file.ranges) < 10


def test_an_overview_costs_a_small_part_of_the_file(server, copc):
    url, file = serve(server, copc)
    with open_cloud(url, spacing_m=2.0) as part, open_cloud(copc, spacing_m=2.0) as local:
        assert part.equals(local)
        assert part.sizes["point"] > 1000
    assert file.served < 0.05 * len(file.data)


def test_opening_costs_the_header_and_the_octree(server, copc):
    url, file = serve(server, copc)
    with open_cloud(url) as cloud:
        assert cloud.sizes["point"] == 940_393
        assert cloud.cloud.crs.to_epsg() == 32615
        assert cloud.attrs["source"] == "cloud.copc.laz"
    assert file.served < 150_000


def test_what_is_read_twice_is_fetched_once(server, copc):
    url, file = serve(server, copc)
    with open_cloud(url, bounds=BOX) as part:
        part.red.to_numpy()
        served = file.served
        part.z.to_numpy()
        part[["green", "gps_time"]].compute()
    assert file.served == served


@pytest.mark.parametrize("name", ["old.laz", "new.laz", "old.las"])
def test_other_files_are_read_whole_but_nothing_is_read_that_is_not_asked_for(
    server, tmp_path, name
):
    path = tmp_path / name
    las_data(7 if "new" in name else 3, 60_000).write(path)
    url, file = serve(server, path, name=name)
    with open_cloud(url) as there, open_cloud(path) as here:
        opened = file.served
        assert there.isel(point=slice(10, 90)).equals(here.isel(point=slice(10, 90)))
        assert opened < 150_000 < len(file.data)
        assert there.equals(here)
    bounds = (500_100.0, 4_400_100.0, 500_500.0, 4_400_900.0)
    with (
        open_cloud(url, crs=32650, bounds=bounds, spacing_m=5.0) as there,
        open_cloud(path, crs=32650, bounds=bounds, spacing_m=5.0) as here,
    ):
        assert there.sizes["point"] > 500
        assert there.equals(here)


def test_cells_are_read_by_many_threads(server, copc):
    url, file = serve(server, copc)
    with CopcNodes(url) as there, CopcNodes(copc) as here:
        assert file.served < 150_000
        assert there.nodes.points.sum() == there.info.point_count == 940_393
        keys = there.nodes.key.tolist()
        with ThreadPoolExecutor(4) as pool:
            blocks = list(pool.map(lambda key: there.read(key, ("red",)), keys))
        for key, block in zip(keys, blocks, strict=True):
            assert_array_equal(block.xyz, here.read(key).xyz)
            assert_array_equal(block.column("red"), here.read(key).column("red"))


def test_a_file_that_is_replaced_while_it_is_open_is_refused(server, copc):
    url, file = serve(server, copc)
    part = open_cloud(url, bounds=BOX)
    whole = open_cloud(url)
    file.etag = '"two"'
    with pytest.raises(TransferError, match=r"has changed since.*Open it again"):
        whole.x.to_numpy()
    part.close()
    with pytest.raises(CloudError, match="has changed since"):
        part.x.to_numpy()
    whole.close()


def test_a_signature_is_not_kept_where_it_can_be_seen(server, copc):
    url, _ = serve(server, copc)
    with open_cloud(f"{url}?X-Signature=abcdef0123456789", bounds=BOX) as part:
        shown = repr(part) + str(part.attrs) + str(part.encoding) + part.cloud._repr_html_()
    assert "abcdef" not in shown


def test_what_is_no_cloud_is_told_by_its_address(server, tmp_path):
    page = RangedFile(b"<!DOCTYPE html><html>Sign in</html>")
    server.answer = page
    with pytest.raises(FormatError, match=r"127\.0\.0\.1/a\.laz is not a point cloud.*HTML page"):
        open_cloud(f"{server.url}/a.laz")
    server.answer = RangedFile(b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    with pytest.raises(FormatError, match=r"PLY has no parts.*Download it"):
        open_cloud(f"{server.url}/a.ply")
    server.script(Reply(404))
    with pytest.raises(NotFoundError, match="Check the address"):
        open_cloud(f"{server.url}/a.laz")


def test_the_engine_guesses_an_address_by_its_name():
    assert can_open("https://example.com/a.copc.laz?sig=1")
    assert can_open("HTTP://example.com/A.LAS")
    assert can_open("https://example.com/tiles/index.vpc")
    assert not can_open("https://example.com/a.nc")


# -- the stream ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, 5 * BLOCK_BYTES, 5 * BLOCK_BYTES + 17, 10**6])
def test_the_stream_reads_as_a_file_does(server, size):
    rng = np.random.default_rng(size)
    data = rng.bytes(size)
    server.answer = RangedFile(data)
    plain = io.BytesIO(data)
    file = open_remote(f"{server.url}/a")
    assert file.size_bytes == size
    for _ in range(40):
        at, count = (int(n) for n in rng.integers(0, size + 100, 2) // rng.integers(1, 20, 2))
        assert file.stream.seek(at) == plain.seek(at)
        assert file.stream.read(count) == plain.read(count)
        assert file.stream.tell() == plain.tell()
    spans = [(int(a), int(n)) for a, n in rng.integers(0, size + 100, (30, 2))]
    assert file.spans(spans) == [data[a : a + n] for a, n in spans]
    file.close()


def test_neighbours_are_fetched_together_and_large_parts_side_by_side(server):
    data = bytes(200 * BLOCK_BYTES)
    server.answer = file = RangedFile(data)
    stream = open_remote(f"{server.url}/a")
    file.ranges.clear()
    stream.spans([(100 * BLOCK_BYTES, 10), (102 * BLOCK_BYTES, 10), (150 * BLOCK_BYTES, 10)])
    assert sorted(file.ranges) == [
        (100 * BLOCK_BYTES, 103 * BLOCK_BYTES - 1),
        (150 * BLOCK_BYTES, 151 * BLOCK_BYTES - 1),
    ]
    file.ranges.clear()
    stream.spans([(5 * BLOCK_BYTES, 194 * BLOCK_BYTES)])
    assert max(last - first + 1 for first, last in file.ranges) <= 128 * BLOCK_BYTES
    stream.close()


def test_blocks_are_kept_up_to_a_limit(server, monkeypatch):
    monkeypatch.setattr(remote, "KEPT_BLOCKS", 8)
    server.answer = file = RangedFile(bytes(100 * BLOCK_BYTES))
    stream = open_remote(f"{server.url}/a")
    stream.spans([(20 * BLOCK_BYTES, 8 * BLOCK_BYTES)])
    served = file.served
    stream.spans([(20 * BLOCK_BYTES, 8 * BLOCK_BYTES)])
    assert file.served == served
    stream.spans([(50 * BLOCK_BYTES, 8 * BLOCK_BYTES)])
    stream.spans([(20 * BLOCK_BYTES, 8 * BLOCK_BYTES)])
    assert file.served == served + 16 * BLOCK_BYTES
    stream.close()


# -- damage ----------------------------------------------------------------------------------------


def test_damage_is_refused_or_read_but_never_anything_else(server, tmp_path):
    """Header, records, chunk table and octree of a COPC file, here and behind an address."""
    good = COPC.read_bytes()
    page = struct.unpack_from("<Q", good, 375 + 54 + 40)[0]
    points = struct.unpack_from("<I", good, 96)[0]
    table = struct.unpack_from("<q", good, points)[0]
    regions = [(0, 375), (375, points + 100), (table - 20, page), (page - 60, len(good))]
    values = [0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]
    numbers = [np.nan, np.inf, 1e300, -1e300, 1e-300, 0.0]
    rng = np.random.default_rng(7)
    path = tmp_path / "a.laz"
    worst, refusals = 0.0, []
    for case in range(80):
        data = bytearray(good)
        for at in rng.integers(*regions[case % 4], rng.integers(1, 4)):
            match rng.integers(3):
                case 0:
                    data[at] ^= 1 << rng.integers(8)
                case 1:
                    data[at : at + 8] = values[rng.integers(len(values))].to_bytes(8, "little")
                case 2:
                    data[at : at + 8] = struct.pack("<d", rng.choice(numbers))
        del data[len(good) if case % 10 else int(rng.integers(len(good))) :]
        path.write_bytes(data)
        server.answer = RangedFile(bytes(data))
        where = f"{server.url}/a.laz" if case % 3 == 0 else path
        options = {"bounds": BOX, "spacing_m": None if case % 2 else 3.0} if case % 5 else {}
        started = time.process_time()
        try:
            with open_cloud(where, **options) as cloud:
                cloud[["red"]].compute()
        except CloudError as error:
            refusals.append(str(error))
        worst = max(worst, time.process_time() - started)
    assert worst < 2.0
    assert 30 < len(refusals) < 75
    assert all("/a.laz" in words for words in refusals)


@pytest.mark.parametrize("point_format", [3, 7])
def test_damaged_laz_is_refused_in_parts_too(tmp_path, point_format):
    path = tmp_path / "cloud.laz"
    las_data(point_format, 1000).write(path)
    good = path.read_bytes()
    head = struct.unpack_from("<I", good, 96)[0] + 64
    rng = np.random.default_rng(point_format)
    box = (500_000.0, 4_400_000.0, 500_400.0, 4_401_000.0)
    worst, refusals = 0.0, []
    for _ in range(40):
        data = bytearray(good)
        for at in rng.integers(0, head, rng.integers(1, 4)):
            data[at] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        started = time.process_time()
        try:
            with open_cloud(path, crs=32650, bounds=box, spacing_m=10.0) as cloud:
                cloud.red.to_numpy()
        except CloudError as error:
            refusals.append(str(error))
        worst = max(worst, time.process_time() - started)
    assert worst < 2.0
    assert len(refusals) > 10
