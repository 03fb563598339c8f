"""What goes wrong names its cause; a tile is whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import (
    CorruptFileError,
    DiskFullError,
    GridOverflowError,
    MergeError,
    OperationError,
    OutputError,
    SourceChangedError,
)
from cupixgeo.formats.copc.writer import CopcWriter
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.refusals import corrupt
from cupixgeo.pipeline.tiles import write
from tests.pipeline.clouds import UTM50, box_of_points, write_las
from tests.pipeline.tiles.tiled import contents, tile_files


@pytest.fixture
def copies(scans, tmp_path):
    return [Path(shutil.copy(path, tmp_path)) for path in scans]


def left_over(folder):
    return sorted(p.name for p in folder.iterdir() if p.name not in {"plan.json", ".unfinished"})


def test_a_damaged_source_is_named_and_leaves_no_tile(tmp_path):
    good = write_las(tmp_path / "good.laz", box_of_points(500, origin=UTM50), crs=32650)
    bad = write_las(tmp_path / "bad.laz", box_of_points(30_000, origin=UTM50, seed=5), crs=32650)
    data = bytearray(bad.read_bytes())
    start = int.from_bytes(data[96:100], "little") + 8
    size_at = start + 36 + 4
    struct.pack_into("<I", data, size_at, 10**9)
    bad.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"bad\.laz"):
        cx.merge([good, bad], tmp_path / "tiles", tile_m=30)
    assert left_over(tmp_path / "tiles") == []


def test_damage_beside_the_coordinates_is_found_by_the_tile(tmp_path, monkeypatch):
    """The index decodes coordinates alone; what the tile cannot decode leaves no tile."""
    bad = write_las(tmp_path / "bad.laz", box_of_points(3000, origin=UTM50), crs=32650)
    read = LasReader.blocks

    def fail(reader, *arguments, columns=None, **options):
        if columns is None:
            raise corrupt(reader.path, "the compressed points 0 to 2,999 are damaged")
        return read(reader, *arguments, columns=columns, **options)

    monkeypatch.setattr(LasReader, "blocks", fail)
    with pytest.raises(CorruptFileError, match=r"bad\.laz"):
        cx.merge([bad], tmp_path / "tiles", tile_m=30)
    assert left_over(tmp_path / "tiles") == []


def test_a_source_that_changes_between_the_passes_is_an_error(copies, tmp_path):
    def change(progress):
        if progress.stage == "index" and progress.done == progress.total:
            os.utime(copies[1], ns=(1, 1))

    with pytest.raises(SourceChangedError, match=r"scan_1\.las"):
        cx.merge(copies, tmp_path / "tiles", tile_m=30, progress=change)
    assert all(name.endswith(".copc.laz") for name in left_over(tmp_path / "tiles"))


def test_counts_that_do_not_agree_are_an_error(copies, tmp_path, monkeypatch):
    choose = write._TileWork._choose
    monkeypatch.setattr(write._TileWork, "_choose", lambda *given: choose(*given)[1:])
    with pytest.raises(MergeError, match=r"scan_0\.laz.*announced"):
        cx.merge(copies, tmp_path / "tiles", tile_m=30)
    assert left_over(tmp_path / "tiles") == []


def test_a_full_disk_keeps_finished_tiles_and_goes_on_later(copies, tmp_path, monkeypatch):
    folder = tmp_path / "tiles"
    write_records = CopcWriter.write
    calls = []

    def fill(writer, records):
        calls.append(len(records))
        if len(calls) == 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_records(writer, records)

    with monkeypatch.context() as patch:
        patch.setattr(CopcWriter, "write", fill)
        with pytest.raises(DiskFullError, match=r"tiles/tile_\d+_\d+\.copc\.laz"):
            cx.merge(copies, folder, tile_m=30)
    finished = contents(folder)
    assert finished
    assert left_over(folder) == sorted(finished)
    report = cx.merge(copies, folder, tile_m=30)
    assert contents(folder).items() >= finished.items()
    assert report.points_kept == report.points_in


def test_remains_of_a_killed_process_are_removed(copies, tmp_path):
    folder = tmp_path / "tiles"
    whole = cx.merge(copies, folder, tile_m=30)
    victim = tile_files(folder)[0]
    victim.unlink()
    (folder / f".{victim.name}.0a1b2c3d.partial").write_bytes(b"half")
    cx.merge(copies, folder, tile_m=30)
    assert not list(folder.glob(".*"))
    assert len(tile_files(folder)) == len(whole.tiles)


def test_a_missing_parent_folder_is_refused(copies, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        cx.merge(copies, tmp_path / "nowhere" / "tiles", tile_m=30)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(copies, tmp_path):
    (tmp_path / "tiles").write_text("mine")
    with pytest.raises(OutputError, match="tiles"):
        cx.merge(copies, tmp_path / "tiles", tile_m=30)
    assert (tmp_path / "tiles").read_text() == "mine"


def test_a_plan_that_is_refused_leaves_no_folder(copies, tmp_path):
    lost = write_las(tmp_path / "lost.laz", box_of_points(9, origin=UTM50))
    with pytest.raises(MergeError, match=r"lost\.laz"):
        cx.merge([*copies, lost], tmp_path / "tiles", tile_m=30)
    assert not (tmp_path / "tiles").exists()


def test_tiles_may_not_be_their_own_sources(copies, tmp_path):
    cx.merge(copies, tmp_path / "tiles", tile_m=30)
    before = contents(tmp_path / "tiles")
    with pytest.raises(MergeError, match="another merge"):
        cx.merge(tile_files(tmp_path / "tiles"), tmp_path / "tiles", tile_m=30)
    assert contents(tmp_path / "tiles") == before


def test_nothing_left_is_an_error_that_says_why(copies, tmp_path):
    with pytest.raises(MergeError, match="12,539"):
        cx.merge(copies, tmp_path / "tiles", tile_m=30, classes=[77])
    assert left_over(tmp_path / "tiles") == []


def test_a_source_too_wide_for_the_scale_is_refused(tmp_path):
    spread = np.array([[0, 0, 0], [9_000.0, 5, 5]]) + UTM50
    path = write_las(tmp_path / "wide.laz", spread, crs=32650)
    with pytest.raises(GridOverflowError, match=r"wide\.laz"):
        cx.merge([path], tmp_path / "tiles", tile_m=30, scale=1e-6)
    assert not (tmp_path / "tiles").exists()


def test_points_that_have_no_place_in_the_output_crs_name_their_source(tmp_path):
    ply = tmp_path / "odd.ply"
    rows = [f"{500_000 + i} 4400000 {i}" for i in range(20)]
    rows[7] = "500007 nan 7"
    header = ["ply", "format ascii 1.0", "comment crs: EPSG:32650", "element vertex 20"]
    header += [f"property double {axis}" for axis in "xyz"]
    ply.write_text("\n".join([*header, "end_header", *rows]) + "\n")
    with pytest.raises(OperationError, match=r"odd\.ply: 1 of 20 points"):
        cx.merge([ply], tmp_path / "tiles", tile_m=30, crs=32651)
    assert left_over(tmp_path / "tiles") == []
