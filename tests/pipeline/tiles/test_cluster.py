"""The same tiles from a dask cluster, whatever happens to a worker."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from contextlib import ExitStack

import pytest
from distributed import Client, LocalCluster

import cupixgeo as cx
from cupixgeo.errors import CancelledError, MergeError, SourceChangedError
from cupixgeo.pipeline.tiles.plan import TileOptions, plan_tiles
from tests.pipeline.tiles.tiled import contents, tile_files

ANSWER_S = 60


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as local:
        yield local


@pytest.fixture
def client(cluster):
    with Client(cluster) as connected:
        connected.wait_for_workers(2, timeout=ANSWER_S)
        yield connected


def test_a_killed_worker_costs_nothing_but_time(scans, tmp_path, client):
    cx.merge(scans, tmp_path / "here", tile_m=20, crs=32616)
    killed = []

    def kill(progress):
        if progress.stage == "merge" and len(tile_files(tmp_path / "there")) >= 3 and not killed:
            pid = next(iter(client.run(os.getpid).values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    report = cx.merge(scans, tmp_path / "there", tile_m=20, crs=32616, client=client, progress=kill)
    assert killed
    assert report.points_kept == report.points_in
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert not list((tmp_path / "there").glob(".*"))


def test_an_error_in_a_worker_is_ours_and_leaves_no_half_tile(scans, tmp_path, client):
    copy = tmp_path / "scan.laz"
    copy.write_bytes(scans[0].read_bytes())

    def change(progress):
        if progress.stage == "index":
            os.utime(copy, ns=(1, 1))

    with pytest.raises(SourceChangedError, match=r"scan\.laz"):
        cx.merge([copy], tmp_path / "tiles", tile_m=15, client=client, progress=change)
    assert not list((tmp_path / "tiles").glob(".tile*"))


def test_cancelling_waits_for_tiles_under_way_and_keeps_them(scans, tmp_path, client):
    cancel = threading.Event()
    folder = tmp_path / "tiles"

    def stop(progress):
        if progress.stage == "merge":
            cancel.set()

    with pytest.raises(CancelledError, match="goes on from there"):
        cx.merge(scans, folder, tile_m=15, client=client, progress=stop, cancel=cancel)
    assert 0 < len(tile_files(folder)) < 30
    assert not list(folder.glob(".tile*"))
    finished = contents(folder)
    cx.merge(scans, folder, tile_m=15)
    assert contents(folder).items() >= finished.items()


def test_a_cluster_that_goes_away_is_said_in_our_words(scans, tmp_path, cluster):
    connected = Client(cluster)

    def close(progress):
        connected.close()

    with pytest.raises(MergeError, match="cluster"):
        cx.merge(scans, tmp_path / "tiles", tile_m=30, client=connected, progress=close)


def test_what_travels_is_small(scans, tmp_path):
    placement = cx.Transform.from_georeference(
        lat_deg=46.8, lon_deg=-92.0, source=cx.local_frame("scan:1")
    )
    sources = [cx.Source(path, crs=cx.local_frame("scan:1"), transform=placement) for path in scans]
    with ExitStack() as stack:
        options = TileOptions(250, 32615, None, (), 1e-4, False, None)
        plan = plan_tiles(sources, str(tmp_path / "tiles"), stack, options)
    for source in plan.sources:
        assert source.fitted is not None or source.points < 5000
        assert len(pickle.dumps(source)) < 6000
    assert len(pickle.dumps(plan.job)) < 6000
    again = pickle.loads(pickle.dumps(plan.sources[0]))
    low, high = plan.merge.inputs[0].low, plan.merge.inputs[0].high
    assert (again.chain.apply([low, high]) == plan.sources[0].chain.apply([low, high])).all()
