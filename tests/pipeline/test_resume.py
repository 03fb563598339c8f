"""A merge that is killed and called again gives the file it would have given, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import CancelledError, CorruptFileError, DiskFullError, MergeError, OutputError
from cupixgeo.pipeline import journal, stream
from tests.pipeline.clouds import UTM50, box_of_points, write_las

RUN = """
import json, os, signal, sys
import cupixgeo as cx
from cupixgeo.pipeline import journal, stream

job = json.loads(sys.argv[1])
journal.NOTE_EVERY_S = 0.0
stream.FEWEST_TO_RECODE = job["recode_from"]
done = []

def watch(progress):
    if progress.stage == "merge":
        done.append(progress.item)
        if done.count(job["kill_in"]) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

cx.merge(job["sources"], job["to"], resume=True, progress=watch, **job["options"])
"""

WAYS = {
    "layers": (".laz", 1, {}),
    "records": (".laz", 10**9, {}),
    "plain": (".las", 1, {}),
    "thinned": (".laz", 1, {"spacing_m": 2.5}),
    "compared": (".las", 1, {"drop_duplicates": True, "classes": list(range(15))}),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Five clouds that overlap, of different lengths, one of another format, one empty."""
    folder = tmp_path_factory.mktemp("sources")
    paths = []
    for number, points in enumerate((60_000, 51_001, 0, 62_000, 9_000)):
        cloud = box_of_points(points, origin=UTM50, seed=number)
        name = folder / f"{number}.laz"
        paths.append(str(write_las(name, cloud, crs=32650, seed=number)))
    shutil.copy(paths[0], folder / "again.laz")
    return [*paths[:4], str(folder / "again.laz"), paths[4]]


def killed(sources, to, way, *, kill_in):
    """Run a merge in a process of its own that is killed in the middle of one source."""
    _, recode_from, options = WAYS[way]
    job = {
        "sources": sources, "to": str(to), "kill_in": kill_in, "recode_from": recode_from,
        "options": {"crs": 32651, "block_points": 30_000} | options,
    }  # fmt: skip
    command = [sys.executable, "-c", RUN, json.dumps(job)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def stopped(sources, to, way, monkeypatch, *, stop_in):
    """Run a merge that Ctrl-C ends in the middle of one source."""
    done = []

    def watch(progress):
        if progress.stage == "merge":
            done.append(progress.item)
            if done.count(stop_in) == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(sources, to, way, monkeypatch, progress=watch)


def uninterrupted(sources, to, way, monkeypatch):
    _, recode_from, options = WAYS[way]
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", recode_from)
    return cx.merge(sources, to, crs=32651, block_points=30_000, **options)


def again(sources, to, way, monkeypatch, **more):
    _, recode_from, options = WAYS[way]
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", recode_from)
    monkeypatch.setattr(journal, "NOTE_EVERY_S", 0.0)
    options = {"crs": 32651, "block_points": 30_000} | options | more
    return cx.merge(sources, to, resume=True, **options)


@pytest.fixture(scope="module")
def left_behind(sources, tmp_path_factory):
    """What a merge by layers leaves that was killed in its fourth source."""
    folder = tmp_path_factory.mktemp("left")
    killed(sources, folder / "out.laz", "layers", kill_in="3.laz")
    return folder


@pytest.fixture
def out(left_behind, tmp_path):
    """An output with such leftovers beside it."""
    for path in left_behind.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / "out.laz"


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupted_merge_goes_on_and_gives_the_same_bytes(sources, tmp_path, monkeypatch, way):
    suffix = WAYS[way][0]
    out, whole = tmp_path / f"out{suffix}", tmp_path / f"whole{suffix}"
    expected = uninterrupted(sources, whole, way, monkeypatch)
    if way == "compared":
        killed(sources, out, way, kill_in="3.laz")
    else:
        stopped(sources, out, way, monkeypatch, stop_in="3.laz")
    assert not out.exists()
    assert len(os.listdir(tmp_path)) == 3
    seen = []
    report = again(sources, out, way, monkeypatch, progress=seen.append)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(os.listdir(tmp_path)) == [out.name, whole.name]
    assert "3 of 6 sources were finished before" in report.notes[-1]
    assert report.removed == expected.removed
    assert [s.points_kept for s in report.sources] == [s.points_kept for s in expected.sources]
    assert [s.bounds for s in report.sources] == [s.bounds for s in expected.sources]
    assert report.bounds == expected.bounds
    merging = [p for p in seen if p.stage == "merge" and p.item in {"0.laz", "1.laz"}]
    assert len(merging) == 2, "sources that were finished were merged again"


def test_it_may_be_interrupted_more_than_once(sources, out, monkeypatch):
    whole = out.with_name("whole.laz")
    uninterrupted(sources, whole, "layers", monkeypatch)
    stopped(sources, out, "layers", monkeypatch, stop_in="3.laz")
    stopped(sources, out, "layers", monkeypatch, stop_in="again.laz")
    report = again(sources, out, "layers", monkeypatch)
    assert "4 of 6 sources" in report.notes[-1]
    assert out.read_bytes() == whole.read_bytes()


def test_what_was_written_behind_the_last_note_is_cut_off(sources, out, monkeypatch):
    whole = out.with_name("whole.laz")
    uninterrupted(sources, whole, "layers", monkeypatch)
    with out.with_name(".out.laz.unfinished").open("ab") as file:
        file.write(bytes(10_000_000))
    again(sources, out, "layers", monkeypatch)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "change", ["option", "order", "finished source", "cut", "journal", "no file"]
)
def test_what_is_left_of_another_merge_is_never_used(sources, out, monkeypatch, change):
    mine, left = list(sources), out.with_name(".out.laz.unfinished")
    more = {}
    if change == "option":
        more = {"source_ids": True}
    elif change == "order":
        mine[:2] = mine[1::-1]
    elif change == "finished source":
        mine[1] = shutil.copy2(sources[1], out.with_name("1.laz"))
    elif change == "cut":
        os.truncate(left, 1_000_000)
    elif change == "journal":
        left.with_name(f"{left.name}.json").write_text('{"plan"')
    else:
        left.unlink()
    report = again(mine, out, "layers", monkeypatch, **more)
    assert not any("interrupted" in note for note in report.notes)
    whole = out.with_name("whole.laz")
    cx.merge(mine, whole, crs=32651, block_points=30_000, **more)
    assert out.read_bytes() == whole.read_bytes()


def test_an_unfinished_file_of_other_content_is_refused(sources, out, monkeypatch):
    left = out.with_name(".out.laz.unfinished")
    left.write_bytes(bytes(left.stat().st_size))
    with pytest.raises(OutputError, match="is not what was left"):
        again(sources, out, "layers", monkeypatch)
    cx.merge(sources, out, crs=32651)
    assert os.listdir(out.parent) == ["out.laz"]


def test_a_source_that_was_not_reached_may_be_mended(sources, tmp_path, monkeypatch):
    mine = [shutil.copy2(path, tmp_path) for path in sources]
    good = (tmp_path / "3.laz").read_bytes()
    start = int.from_bytes(good[96:100], "little") + 8 + laspy.PointFormat(7).size + 4
    (tmp_path / "3.laz").write_bytes(good[:start] + b"\xff\xff\xff\x7f" + good[start + 4 :])
    out = tmp_path / "out.laz"
    with pytest.raises(CorruptFileError, match=r"3\.laz"):
        again(mine, out, "layers", monkeypatch)
    (tmp_path / "3.laz").write_bytes(good)
    report = again(mine, out, "layers", monkeypatch)
    assert "3 of 6 sources" in report.notes[-1]
    cx.merge(mine, tmp_path / "whole.laz", crs=32651, block_points=30_000)
    assert out.read_bytes() == (tmp_path / "whole.laz").read_bytes()


def test_the_old_output_stays_until_the_new_one_is_whole(sources, out, monkeypatch):
    out.write_bytes(b"the old one")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError, match="resume=True"):
        again(sources, out, "layers", monkeypatch, cancel=cancel)
    assert out.read_bytes() == b"the old one"
    again(sources, out, "layers", monkeypatch)
    assert laspy.read(out).header.point_count == 242_001


def test_a_disk_that_was_full_and_has_room_again(sources, tmp_path, monkeypatch):
    real, calls = stream.LasWriter.write_chunk, []

    def fill(self, chunk):
        calls.append(chunk)
        if len(calls) == 6:
            raise OSError(28, os.strerror(28))
        real(self, chunk)

    monkeypatch.setattr(stream.LasWriter, "write_chunk", fill)
    out = tmp_path / "out.laz"
    with pytest.raises(DiskFullError):
        again(sources, out, "layers", monkeypatch)
    report = again(sources, out, "layers", monkeypatch)
    assert "3 of 6 sources" in report.notes[-1]
    assert report.points_kept == laspy.read(out).header.point_count == 242_001


def test_an_interruption_before_the_first_note_leaves_nothing(sources, tmp_path, monkeypatch):
    def watch(progress):
        if progress.stage == "merge":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(sources, tmp_path / "out.laz", "layers", monkeypatch, progress=watch)
    assert not os.listdir(tmp_path)


def test_a_merge_without_resume_clears_what_an_interrupted_one_left(sources, out):
    cx.merge(sources, out, crs=32651)
    assert os.listdir(out.parent) == ["out.laz"]


def test_when_no_point_is_wanted_nothing_is_kept_to_go_on_from(sources, tmp_path, monkeypatch):
    with pytest.raises(MergeError, match="nothing is left"):
        again(sources, tmp_path / "out.laz", "records", monkeypatch, classes=200)
    assert not os.listdir(tmp_path)


def test_two_processes_never_write_the_same_output(sources, tmp_path, monkeypatch):
    out = tmp_path / "out.laz"
    refused = []

    def watch(progress):
        if progress.stage == "merge" and not refused:
            with pytest.raises(OutputError, match="another process") as caught:
                cx.merge(sources, out, crs=32651, resume=True)
            refused.append(caught.value)

    again(sources, out, "layers", monkeypatch, progress=watch)
    assert len(refused) == 1
    assert laspy.read(out).header.point_count == 242_001
    assert os.listdir(tmp_path) == ["out.laz"]


def test_a_day_later_the_header_still_has_the_day_it_was_begun(sources, tmp_path, monkeypatch):
    out, left = tmp_path / "out.las", tmp_path / ".out.las.unfinished"
    stopped(sources, out, "plain", monkeypatch, stop_in="3.laz")
    note = json.loads(left.with_name(f"{left.name}.json").read_text())
    note["writer"]["created"] = "2024-02-29"
    left.with_name(f"{left.name}.json").write_text(json.dumps(note))
    with left.open("r+b") as file:
        file.seek(90)  # day of the year, year
        file.write(np.array([60, 2024], "<u2").tobytes())
    report = again(sources, out, "plain", monkeypatch)
    assert "interrupted" in report.notes[-1]
    assert laspy.read(out).header.creation_date.isoformat() == "2024-02-29"


def test_a_copc_file_cannot_be_gone_on_with(sources, tmp_path):
    with pytest.raises(MergeError, match=r"COPC.*tile_m="):
        cx.merge(sources, tmp_path / "out.copc.laz", resume=True)
