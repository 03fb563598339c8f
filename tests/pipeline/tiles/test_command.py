"""`cupixgeo merge --tile-m`: tiles from the shell."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from cupixgeo.cli import app
from cupixgeo.errors import ArgumentError, MissingExtraError
from cupixgeo.pipeline.tiles import cluster, merge
from tests.pipeline.tiles.tiled import tile_files


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def test_tiles_are_made_and_told_of(run, scans, tmp_path):
    result = run("merge", *scans, "--to", tmp_path / "tiles", "--tile-m", 30, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert len(tile_files(tmp_path / "tiles")) == len(report["tiles"]) > 5
    assert report["tile_m"] == 30
    again = run("merge", *scans, "--to", tmp_path / "tiles", "--tile-m", 30)
    assert f"{len(report['tiles'])} tiles of 30 m" in again.stdout


def test_workers_are_started_for_the_merge_alone(run, scans, tmp_path, monkeypatch):
    asked = []

    @contextmanager
    def workers(count):
        asked.append(count)
        yield
        asked.append("ended")

    monkeypatch.setattr(cluster, "local_workers", workers)
    result = run("merge", *scans, "--to", tmp_path / "tiles", "--tile-m", 30, "--workers", 3)
    assert result.exit_code == 0, result.output
    assert asked == [3, "ended"]


def test_workers_without_tiles_are_bad_usage(run, scans, tmp_path):
    result = run("merge", *scans, "--to", tmp_path / "out.laz", "--workers", 3)
    assert result.exit_code == 2
    assert "--tile-m" in result.stderr


def test_ctrl_c_says_that_the_same_command_goes_on(run, scans, tmp_path, monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(merge._Work, "write", stopped)
    result = run("merge", *scans, "--to", tmp_path / "tiles", "--tile-m", 30)
    assert result.exit_code == 130
    said = " ".join(result.stderr.split())
    assert said.startswith("Stopped. ")
    assert said.endswith("the same call goes on from there.")


def test_no_workers_need_no_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with cluster.local_workers(None) as client:
        assert client is None
    with pytest.raises(MissingExtraError, match=r"cupixgeo\[dask\]"), cluster.local_workers(2):
        pass


def test_less_than_one_worker_is_refused():
    with pytest.raises(ArgumentError), cluster.local_workers(0):
        pass
