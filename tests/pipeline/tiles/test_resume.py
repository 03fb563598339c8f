"""A merge that was stopped goes on where it was; tiles of two merges never mix."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest

import cupixgeo as cx
from cupixgeo.errors import CancelledError, MergeError
from cupixgeo.pipeline.tiles import write
from cupixgeo.pipeline.tiles.report import TiledReport
from tests.pipeline.tiles.tiled import contents, tile_files

FINISHED = ["index.vpc", "plan.json", "report.json"]


@pytest.fixture
def written(monkeypatch):
    """Names of the tiles that were begun."""
    names = []
    begin = write._TileWork.open_writer

    def watch(work, path):
        names.append(work._tile.name)
        return begin(work, path)

    monkeypatch.setattr(write._TileWork, "open_writer", watch)
    return names


def stop_after(tiles):
    """A progress function that stops the merge by an error once so many tiles are done."""
    seen = []

    def watch(progress):
        if progress.stage == "merge":
            seen.append(progress.item)
            if len(seen) == tiles:
                raise KeyboardInterrupt

    return watch


def test_the_same_call_again_does_nothing_and_tells_the_same(scans, tmp_path, written):
    first = cx.merge(scans, tmp_path / "tiles", tile_m=30)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tiles").iterdir()}
    count = len(written)
    again = cx.merge(scans, tmp_path / "tiles", tile_m=30)
    assert len(written) == count == len(first.tiles)
    assert again == first
    assert str(again) == str(first)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "tiles").iterdir()} == before


def test_a_stopped_merge_makes_only_what_is_missing(scans, tmp_path, written):
    folder = tmp_path / "tiles"
    whole = cx.merge(scans, tmp_path / "whole", tile_m=30)
    written.clear()
    with pytest.raises(KeyboardInterrupt):
        cx.merge(scans, folder, tile_m=30, progress=stop_after(4))
    assert len(tile_files(folder)) == len(written) == 4
    assert not (folder / "report.json").exists()
    assert not (folder / "index.vpc").exists()
    report = cx.merge(scans, folder, tile_m=30)
    assert sorted(written) == sorted(tile.name for tile in whole.tiles)
    assert contents(folder) == contents(tmp_path / "whole")
    assert report.points_kept == whole.points_kept
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("tile_"))
    assert names == FINISHED


def test_an_index_that_is_there_is_not_made_again(scans, tmp_path, monkeypatch):
    from cupixgeo.pipeline.tiles import index

    with pytest.raises(KeyboardInterrupt):
        cx.merge(scans, tmp_path / "tiles", tile_m=30, progress=stop_after(1))
    monkeypatch.setattr(index, "read_pieces", None)
    assert cx.merge(scans, tmp_path / "tiles", tile_m=30).points_kept == 12_539


@pytest.mark.parametrize("harm", ["removed", "cut"])
def test_a_tile_that_is_lost_later_is_made_again(scans, tmp_path, written, harm):
    folder = tmp_path / "tiles"
    cx.merge(scans, folder, tile_m=30)
    good = contents(folder)
    victim = tile_files(folder)[2]
    if harm == "removed":
        victim.unlink()
    else:
        os.truncate(victim, 1000)
    written.clear()
    cx.merge(scans, folder, tile_m=30)
    assert written == [victim.name]
    assert contents(folder) == good


def test_a_tile_without_its_note_is_not_trusted(scans, tmp_path, written):
    folder = tmp_path / "tiles"
    with pytest.raises(KeyboardInterrupt):
        cx.merge(scans, folder, tile_m=30, progress=stop_after(3))
    victim = tile_files(folder)[0]
    (folder / ".unfinished" / f"{victim.name}.json").unlink()
    written.clear()
    cx.merge(scans, folder, tile_m=30)
    assert victim.name in written


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tile_m": 40}, "tile_m was 30.0, now it is 40.0"),
        ({"crs": 32616}, "crs was"),
        ({"scale": 0.001}, "scales was"),
        ({"source_ids": True}, "source_ids was false"),
        ({"exact": True}, "tolerance_m was 0.0001, now it is null"),
        ({"classes": [2]}, "selection was"),
    ],
)
def test_tiles_of_another_merge_are_refused(scans, tmp_path, change, words):
    folder = tmp_path / "tiles"
    cx.merge(scans, folder, tile_m=30)
    before = contents(folder)
    with pytest.raises(MergeError, match=words):
        cx.merge(scans, folder, **{"tile_m": 30} | change)
    assert contents(folder) == before


def test_other_or_changed_sources_are_refused(scans, tmp_path):
    copies = [shutil.copy(path, tmp_path) for path in scans]
    cx.merge(copies, tmp_path / "tiles", tile_m=30)
    with pytest.raises(MergeError, match="it had 3 sources, now there are 2"):
        cx.merge(copies[:2], tmp_path / "tiles", tile_m=30)
    os.utime(copies[1], ns=(1, 1))
    with pytest.raises(MergeError, match=r"of source scan_1\.las the time of change"):
        cx.merge(copies, tmp_path / "tiles", tile_m=30)


def test_other_polygons_are_another_merge(scans, tmp_path):
    corners = [(576_650, 5_188_050), (576_780, 5_188_050), (576_780, 5_188_220)]
    cx.merge(scans, tmp_path / "tiles", tile_m=30, bounds=corners)
    moved = [(576_650, 5_188_050), (576_780, 5_188_051), (576_780, 5_188_220)]
    with pytest.raises(MergeError, match="area was"):
        cx.merge(scans, tmp_path / "tiles", tile_m=30, bounds=moved)


def test_a_folder_of_other_things_is_refused(scans, tmp_path):
    folder = tmp_path / "tiles"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(MergeError, match="not empty"):
        cx.merge(scans, folder, tile_m=30)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_damaged_plan_is_an_error(scans, tmp_path):
    folder = tmp_path / "tiles"
    cx.merge(scans, folder, tile_m=30)
    (folder / "plan.json").write_text("{")
    with pytest.raises(MergeError, match=r"plan\.json .* is damaged"):
        cx.merge(scans, folder, tile_m=30)


def test_a_folder_in_which_nothing_is_finished_is_taken_over(scans, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        cx.merge(scans, tmp_path / "tiles", tile_m=30, progress=interrupt_indexing)
    assert cx.merge(scans, tmp_path / "tiles", tile_m=50).tile_m == 50


def interrupt_indexing(progress):
    if progress.stage == "index":
        raise KeyboardInterrupt


def test_cancelling_keeps_finished_tiles_and_nothing_half(scans, tmp_path):
    cancel = threading.Event()
    folder = tmp_path / "tiles"

    def watch(progress):
        if progress.stage == "merge":
            cancel.set()

    with pytest.raises(CancelledError, match="goes on from there"):
        cx.merge(scans, folder, tile_m=30, progress=watch, cancel=cancel)
    assert len(tile_files(folder)) == 1
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("tile_"))
    assert names == [".unfinished", "plan.json"]


def test_cancelling_inside_a_tile_leaves_no_file(scans, tmp_path, monkeypatch):
    cancel = threading.Event()
    add = write._TileWork.add

    def cancel_first(work, *arguments):
        cancel.set()
        add(work, *arguments)

    monkeypatch.setattr(write._TileWork, "add", cancel_first)
    with pytest.raises(CancelledError):
        cx.merge(scans, tmp_path / "tiles", tile_m=30, cancel=cancel)
    assert sorted(p.name for p in (tmp_path / "tiles").iterdir()) == [".unfinished", "plan.json"]


def test_progress_counts_every_point_of_both_passes(scans, tmp_path):
    seen = []
    report = cx.merge(scans, tmp_path / "tiles", tile_m=30, progress=seen.append)
    for stage in ("index", "merge"):
        done = [p.done for p in seen if p.stage == stage]
        assert done == sorted(done)
        assert done[-1] == report.points_in
    made = [p.item for p in seen if p.stage == "merge"]
    by_size = sorted(report.tiles, key=lambda tile: -tile.points)
    assert made == [tile.name for tile in by_size]


def test_the_report_on_disk_is_the_report(scans, tmp_path):
    report = cx.merge(scans, tmp_path / "tiles", tile_m=30, source_ids=True)
    read = TiledReport.from_dict(json.loads((tmp_path / "tiles" / "report.json").read_text()))
    assert read == report
