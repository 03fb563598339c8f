"""Merging into tiles: every point is in one tile, with all it carried, where one file has it."""

from __future__ import annotations

import laspy
import numpy as np
import pyproj
import pytest

import cupixgeo as cx
from cupixgeo.errors import CupixGeoError, MergeError
from tests.formats.copc.validator import check_copc
from tests.pipeline.clouds import UTM50, box_of_points, write_las
from tests.pipeline.tiles.tiled import all_points, on_one_grid, points_of, tile_files

US_FOOT = 0.304800609601219


def random_placement(rng):
    """A scan's placement into EPSG:32615: turned, tilted a little, moved by kilometres."""
    yaw, tilt = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.02)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    lean = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ lean
    middle = np.array([576_715.0, 5_188_160.0, 160.0])
    matrix[:3, 3] = middle - matrix[:3, :3] @ middle + rng.uniform(-5e3, 5e3, 3) * [1, 1, 0]
    return cx.Transform(matrix, source=cx.local_frame("scan:1"), target=32615)


def test_no_point_is_lost_or_doubled_over_fifty_tilings(scans, tmp_path):
    rng = np.random.default_rng(4)
    counts = [len(laspy.read(path)) for path in scans]
    made = set()
    for number in range(50):
        placed = [
            cx.Source(path, transform=random_placement(rng), crs=cx.local_frame("scan:1"))
            for path in scans
        ]
        tile_m = float(np.round(10 ** rng.uniform(1.9, 3.5), 2))
        folder = tmp_path / f"tiles_{number}"
        report = cx.merge(
            placed, folder, crs=[32615, 32616, 26915][number % 3], tile_m=tile_m, source_ids=True
        )
        assert [source.points_kept for source in report.sources] == counts
        ids = np.concatenate(
            [np.asarray(laspy.read(path).point_source_id) for path in tile_files(folder)]
        )
        assert np.bincount(ids).tolist() == [0, *counts]
        made.add(len(report.tiles))
    assert min(made) <= 3
    assert max(made) >= 7


def test_tiles_hold_what_one_file_holds_bit_for_bit(scans, tmp_path):
    options = {"crs": 26915, "exact": True, "assume": ("NAD83=WGS 84",)}
    whole = cx.merge(scans, tmp_path / "whole.copc.laz", **options)
    report = cx.merge(scans, tmp_path / "tiles", tile_m=20, **options)
    expected = laspy.read(tmp_path / "whole.copc.laz")
    found = all_points(tmp_path / "tiles", expected.header.offsets)
    np.testing.assert_array_equal(found, points_of(expected, expected.header.offsets))
    assert len(report.tiles) > 20
    assert (report.scales, report.offsets) == (whole.scales, whole.offsets)
    assert report.points_kept == whole.points_kept
    np.testing.assert_allclose(report.bounds, whole.bounds, atol=1e-9)
    for tiled, single in zip(report.sources, whole.sources, strict=True):
        assert tiled.points_kept == single.points_kept
        np.testing.assert_allclose(tiled.bounds, single.bounds, atol=1e-9)


def test_interpolated_points_are_within_a_step_of_those_of_one_file(sample, tmp_path):
    cx.merge([sample], tmp_path / "whole.copc.laz", crs=32616)
    report = cx.merge([sample], tmp_path / "tiles", crs=32616, tile_m=40)
    assert 0 < report.interpolation_error_m < 1e-4
    expected = laspy.read(tmp_path / "whole.copc.laz")
    offsets = expected.header.offsets
    tiles = [laspy.read(path) for path in tile_files(tmp_path / "tiles")]
    steps = [np.concatenate([on_one_grid(t, offsets) for t in tiles])]
    steps.append(on_one_grid(expected, offsets))
    ordered = [s[np.lexsort(s.T)] for s in steps]
    assert (ordered[0] != ordered[1]).any(axis=1).mean() < 1e-3


def test_every_tile_is_valid_copc_within_its_square(scans, tmp_path):
    report = cx.merge(scans, tmp_path / "tiles", tile_m=25)
    assert [t.name for t in report.tiles] == [
        f"tile_{t.column}_{t.row}.copc.laz" for t in report.tiles
    ]
    assert sorted(t.name for t in report.tiles) == [p.name for p in tile_files(tmp_path / "tiles")]
    for tile in report.tiles:
        path = tmp_path / "tiles" / tile.name
        check_copc(path)
        las = laspy.read(path)
        low, high = las.xyz.min(axis=0), las.xyz.max(axis=0)
        assert las.header.point_count == tile.points
        assert path.stat().st_size == tile.bytes
        np.testing.assert_allclose(tile.bounds, [low, high], atol=1e-9)
        assert tile.column * 25 <= low[0]
        assert high[0] < (tile.column + 1) * 25
        assert tile.row * 25 <= low[1]
        assert high[1] < (tile.row + 1) * 25
        np.testing.assert_allclose(tile.statistics["z"][2], las.xyz[:, 2].mean(), atol=1e-6)
        np.testing.assert_allclose(tile.statistics["z"][3], las.xyz[:, 2].var(), rtol=1e-9)
        intensity = np.asarray(las.intensity, float)
        wanted = intensity.min(), intensity.max(), intensity.mean()
        np.testing.assert_allclose(tile.statistics["intensity"][:3], wanted)


def test_points_on_the_edges_belong_to_the_tile_in_the_east_and_north(tmp_path):
    line = np.arange(-300.0, 301.0, 50.0)
    x, y = (grid.ravel() for grid in np.meshgrid(line, line))
    path = write_las(tmp_path / "a.laz", np.column_stack([x, y, np.full(len(x), 7.0)]))
    report = cx.merge([path], tmp_path / "tiles", tile_m=100)
    assert {(tile.column, tile.row): tile.points for tile in report.tiles} == {
        (column, row): (1 if column == 3 else 2) * (1 if row == 3 else 2)
        for column in range(-3, 4)
        for row in range(-3, 4)
    }


def test_tiles_of_a_crs_in_feet_are_squares_of_metres(tmp_path):
    feet = box_of_points(3000, origin=(6_400_000.0, 2_100_000.0, 30.0)) * [1, 1, 1]
    path = write_las(tmp_path / "a.laz", feet, crs=2227)
    report = cx.merge([path], tmp_path / "tiles", tile_m=10)
    size = 10 / US_FOOT
    assert sum(tile.points for tile in report.tiles) == 3000
    assert len(report.tiles) > 8
    for tile in report.tiles:
        low, high = np.array(tile.bounds)
        assert ((low[:2] / size) // 1).tolist() == [tile.column, tile.row]
        assert ((high[:2] / size) // 1).tolist() == [tile.column, tile.row]


def test_a_file_without_chunks_is_read_in_pieces(scans, tmp_path, monkeypatch):
    cx.merge([scans[1]], tmp_path / "whole", tile_m=20)
    monkeypatch.setattr("cupixgeo.formats.part.BLOCK_POINTS", 500)
    report = cx.merge([scans[1]], tmp_path / "pieces", tile_m=20)
    offsets = np.array(report.offsets)
    np.testing.assert_array_equal(
        all_points(tmp_path / "pieces", offsets), all_points(tmp_path / "whole", offsets)
    )
    assert report.points_kept <= report.points_read < len(report.tiles) * report.points_in


def test_far_tiles_get_offsets_of_their_own_on_the_same_lattice(tmp_path):
    paths = [
        write_las(tmp_path / f"{n}.laz", box_of_points(500, origin=place, seed=n), crs=32650)
        for n, place in enumerate([UTM50, (UTM50[0] + 6000, UTM50[1] - 7000, UTM50[2])])
    ]
    with pytest.raises(CupixGeoError, match="scale"):
        cx.merge(paths, tmp_path / "whole.laz", scale=1e-6)
    report = cx.merge(paths, tmp_path / "tiles", scale=1e-6, tile_m=50)
    offsets = {tile.offsets[:2] for tile in report.tiles}
    assert len(offsets) > 1
    assert all(value % 100 == 0 for pair in offsets for value in pair)
    tiles = [laspy.read(path) for path in tile_files(tmp_path / "tiles")]
    found = np.concatenate([on_one_grid(t, np.array([500_000.0, 4_400_000.0, 0])) for t in tiles])
    stored = np.concatenate([laspy.read(path).xyz for path in paths])
    expected = np.rint((stored - [500_000.0, 4_400_000.0, 0]) * 1e6).astype(np.int64)
    np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])


def test_the_selection_is_applied_in_every_tile(scans, tmp_path):
    low, high = np.array([576_680.0, 5_188_100.0]), np.array([576_740.0, 5_188_180.0])
    options = {"bounds": [low, high], "spacing_m": 0.5, "returns": "first"}
    whole = cx.merge(scans, tmp_path / "whole.laz", **options)
    report = cx.merge(scans, tmp_path / "tiles", tile_m=20, **options)
    expected = laspy.read(tmp_path / "whole.laz")
    xyz = np.concatenate([laspy.read(path).xyz for path in tile_files(tmp_path / "tiles")])
    np.testing.assert_array_equal(xyz[np.lexsort(xyz.T)], expected.xyz[np.lexsort(expected.xyz.T)])
    assert report.removed == whole.removed
    assert [s.removed for s in report.sources] == [s.removed for s in whole.sources]


def test_duplicates_are_dropped_across_sources(scans, tmp_path):
    report = cx.merge([*scans, scans[0]], tmp_path / "tiles", tile_m=30, drop_duplicates=True)
    whole = cx.merge([*scans, scans[0]], tmp_path / "whole.laz", drop_duplicates=True)
    assert report.points_kept == whole.points_kept
    assert report.sources[3].points_kept == 0


def test_a_tile_whose_points_are_all_left_out_is_not_written(tmp_path):
    near = write_las(tmp_path / "a.laz", box_of_points(400, origin=UTM50), crs=32650)
    report = cx.merge([near], tmp_path / "tiles", tile_m=10, classes=[3])
    kept = laspy.read(near)
    kept = kept.xyz[np.asarray(kept.classification) == 3]
    assert len(tile_files(tmp_path / "tiles")) == len(report.tiles)
    assert len(report.tiles) == len(np.unique(np.floor(np.round(kept[:, :2], 3) / 10), axis=0))
    assert all(tile.points for tile in report.tiles)


def test_thinning_cubes_must_not_be_cut_by_tiles(scans, tmp_path):
    with pytest.raises(MergeError, match=r"spacing_m=0\.294118"):
        cx.merge(scans, tmp_path / "tiles", tile_m=5, spacing_m=0.3)
    assert not (tmp_path / "tiles").exists()


@pytest.mark.parametrize("crs", [4979, 4326, 4978])
def test_an_output_without_squares_is_refused(scans, tmp_path, crs):
    assume = ("EPSG:4326=EPSG:4979",) if crs == 4326 else ()
    with pytest.raises(CupixGeoError, match=r"crs=|assume"):
        cx.merge(scans, tmp_path / "tiles", crs=crs, tile_m=100, assume=assume)
    assert not (tmp_path / "tiles").exists()


@pytest.mark.parametrize("tile_m", [0, -5, float("nan"), float("inf")])
def test_a_size_that_is_none_is_refused(scans, tmp_path, tile_m):
    with pytest.raises(MergeError, match="tile_m"):
        cx.merge(scans, tmp_path / "tiles", tile_m=tile_m)
    assert not (tmp_path / "tiles").exists()


def test_a_file_name_for_the_folder_is_refused(scans, tmp_path):
    with pytest.raises(MergeError, match="folder"):
        cx.merge(scans, tmp_path / "tiles.copc.laz", tile_m=100)


def test_a_cluster_without_tiles_is_refused(scans, tmp_path):
    with pytest.raises(MergeError, match="tile_m="):
        cx.merge(scans, tmp_path / "out.laz", client=object())


def test_points_stand_where_proj_puts_them(scans, tmp_path):
    cx.merge(scans, tmp_path / "tiles", crs=32616, tile_m=60)
    stored = np.concatenate([laspy.read(path).xyz for path in scans])
    transformer = pyproj.Transformer.from_crs(32615, 32616, always_xy=True)
    expected = np.column_stack(transformer.transform(*stored.T))
    found = np.concatenate([laspy.read(path).xyz for path in tile_files(tmp_path / "tiles")])
    steps = [np.rint(points * 100).astype(np.int64) for points in (found, expected)]
    ordered = [s[np.lexsort(s.T)] for s in steps]
    assert (ordered[0] != ordered[1]).any(axis=1).mean() < 1e-3
